import ctypes
import random
import subprocess
import sysconfig
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pylog
from pylog.partitioner import (
    ANY_PARTITION,
    DEFAULT_PARTITIONER,
    PARTITIONERS,
    partition_for_key,
)

HEADER_DIR = Path(pylog.__file__).parent / "c"
SOURCE = """
#include "partition_hash.h"
uint32_t murmur2(const uint8_t *key, size_t size) { return pl_murmur2(key, size); }
uint32_t crc32(const uint8_t *key, size_t size) { return pl_crc32(key, size); }
uint32_t fnv1a(const uint8_t *key, size_t size) { return pl_fnv1a(key, size); }
int32_t for_key(int kind, const uint8_t *key, size_t size, int32_t count)
{ return pl_partition_for_key(kind, key, size, count); }
int32_t random_partition(int32_t count) { return pl_random_partition(count); }
"""


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    """The header alone, compiled with every warning an error; undefined behaviour traps."""
    folder = tmp_path_factory.mktemp("partition_hash")
    (folder / "hash.c").write_text(SOURCE)
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fPIC", "-shared"]
    traps = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    files = [f"-I{HEADER_DIR}", "hash.c", "-o", "hash.so"]
    subprocess.run([compiler, *flags, *traps, *files], cwd=folder, check=True, timeout=60)
    library = ctypes.CDLL(str(folder / "hash.so"))
    for name in ("murmur2", "crc32", "fnv1a"):
        getattr(library, name).restype = ctypes.c_uint32
        getattr(library, name).argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    library.for_key.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int32]
    return library


# Utils.murmur2 of Kafka 4.3.1's own class, as a signed int.
JAVA_MURMUR2 = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
    (b"", 275646681),
    (b"\x00", 375494588),
    (b"abcd", -1323649548),
    ("é€".encode(), 1912689889),
]
# librdkafka's unit tests: (key, murmur2, fnv1a).
LIBRDKAFKA_HASHES = [
    (b"kafka", 0xD067CF64, 0x0D33C4E1),
    (b"giberish123456789", 0x8F552B0C, 0x77A58295),
    (b"1234", 0x9FC97B14, 0x023BDD03),
    (b"234", 0xE7C009CA, 0x2DEA3CD2),
    (b"34", 0x873930DA, 0x740FA83E),
    (b"4", 0x5A4B5CA1, 0x310CA263),
    (b"PreAmbleWillBeRemoved,ThePrePartThatIs", 0x78424F1C, 0x65CBD69C),
    (b"reAmbleWillBeRemoved,ThePrePartThatIs", 0x4A62B377, 0x6E49C79A),
    (b"eAmbleWillBeRemoved,ThePrePartThatIs", 0xE0E4E09E, 0x69EED356),
    (b"AmbleWillBeRemoved,ThePrePartThatIs", 0x62B8B43F, 0x6ABCC023),
    (b"", 0x106E08D9, 0x7EE3623B),
]
# confluent_kafka 2.16's consistent(), murmur2() and fnv1a(): (key, count, partition of each).
LIBRDKAFKA_PARTITIONS = [
    (b"kafka", 3, (2, 1, 2)),
    (b"kafka", 100, (99, 80, 45)),
    (b"kafka", 2**31 - 1, (1539077399, 1348980580, 221496545)),
    (b"1234", 100, (59, 40, 35)),
    (b"\xff\xfe", 100, (42, 51, 0)),
    (b"a" * 100, 2**31 - 1, (795900517, 337013286, 168538585)),
]


@pytest.mark.parametrize(("key", "expected"), JAVA_MURMUR2)
def test_murmur2_is_javas(header, key, expected):
    assert ctypes.c_int32(header.murmur2(key, len(key))).value == expected


@pytest.mark.parametrize(("key", "murmur2", "fnv1a"), LIBRDKAFKA_HASHES)
def test_murmur2_and_fnv1a_are_librdkafkas(header, key, murmur2, fnv1a):
    assert header.murmur2(key, len(key)) == murmur2
    assert header.fnv1a(key, len(key)) == fnv1a


@given(key=st.binary(max_size=300))
def test_crc32_is_zlibs(header, key):
    assert header.crc32(key, len(key)) == zlib.crc32(key)


@given(key=st.binary(max_size=40), pad=st.integers(0, 7))
def test_a_hash_does_not_depend_on_the_address_or_the_bytes_around(header, key, pad):
    buffer = ctypes.create_string_buffer(b"\xa5" * pad + key + b"\x5a" * 8)
    address = ctypes.cast(ctypes.addressof(buffer) + pad, ctypes.c_char_p)
    for name in ("murmur2", "crc32", "fnv1a"):
        assert getattr(header, name)(address, len(key)) == getattr(header, name)(key, len(key))


def test_a_signed_fnv1a_of_int_min_stays_where_librdkafka_leaves_it(header):
    # Found by search: FNV-1a of these bytes is 0x80000000, whose absolute value is itself.
    key = find_fnv1a_preimage(0x80000000)
    assert header.fnv1a(key, len(key)) == 0x80000000
    assert header.for_key(PARTITIONERS["fnv1a"], key, len(key), 7) == 0x80000000 % 7


def find_fnv1a_preimage(target: int) -> bytes:
    """Meet in the middle over two bytes forwards and two backwards, from several prefixes."""
    prime, inverse = 0x01000193, pow(0x01000193, -1, 2**32)
    backwards = {
        (((target * inverse ^ second) & 0xFFFFFFFF) * inverse ^ first) & 0xFFFFFFFF: (first, second)
        for first in range(256)
        for second in range(256)
    }
    for prefix in range(2**24):
        head = prefix.to_bytes(3, "big")
        state = 0x811C9DC5
        for byte in head:
            state = ((state ^ byte) * prime) & 0xFFFFFFFF
        if state in backwards:
            return head + bytes(backwards[state])
    raise AssertionError("no preimage")


@given(
    kind=st.sampled_from(sorted(PARTITIONERS.values())),
    key=st.none() | st.binary(max_size=100),
    count=st.integers(1, 2**31 - 1),
)
def test_a_partition_is_always_within_the_count_or_any(header, kind, key, count):
    partition = header.for_key(kind, key, len(key or b""), count)
    assert partition == ANY_PARTITION or 0 <= partition < count


@pytest.mark.parametrize("size", [0, 1, 2**64 - 1])
def test_a_null_key_is_never_read_whatever_its_size(header, size):
    for kind in PARTITIONERS.values():
        header.for_key(kind, None, size, 5)


@pytest.mark.parametrize("kind", [-1, 7, 99])
def test_an_unknown_kind_lets_the_caller_choose(header, kind):
    assert header.for_key(kind, b"key", 3, 5) == ANY_PARTITION


def test_random_partitions_are_within_the_count_and_spread(header):
    counts = [0] * 10
    for _ in range(10_000):
        counts[header.random_partition(10)] += 1
    assert min(counts) > 700
    assert max(counts) < 1300
    assert {header.random_partition(1) for _ in range(100)} == {0}
    assert all(0 <= header.random_partition(2**31 - 1) < 2**31 - 1 for _ in range(1000))


# ---- by name, through the producer's own module --------------------------------------------------


@pytest.mark.parametrize(
    ("name", "null_key", "empty_key"),
    [
        ("random", ANY_PARTITION, ANY_PARTITION),
        ("consistent", 0, 0),
        ("consistent_random", ANY_PARTITION, ANY_PARTITION),
        ("murmur2", 275646681 % 100, 275646681 % 100),
        ("murmur2_random", ANY_PARTITION, 275646681 % 100),
        ("fnv1a", 0x7EE3623B % 100, 0x7EE3623B % 100),
        ("fnv1a_random", ANY_PARTITION, 0x7EE3623B % 100),
    ],
)
def test_null_and_empty_keys_go_where_librdkafka_sends_them(name, null_key, empty_key):
    assert partition_for_key(name, None, 100) == null_key
    assert partition_for_key(name, b"", 100) == empty_key


@pytest.mark.parametrize(("key", "count", "partitions"), LIBRDKAFKA_PARTITIONS)
@pytest.mark.parametrize("suffix", ["", "_random"])
def test_keys_go_where_librdkafka_sends_them(key, count, partitions, suffix):
    found = [partition_for_key(name + suffix, key, count) for name in ("consistent", "murmur2")]
    found.append(partition_for_key(f"fnv1a{suffix}", key, count))
    assert tuple(found) == partitions


def test_a_random_partitioner_leaves_every_key_to_the_caller():
    assert partition_for_key("random", b"key", 100) == ANY_PARTITION


def test_the_default_is_librdkafkas():
    assert DEFAULT_PARTITIONER == "consistent_random"
    assert DEFAULT_PARTITIONER in PARTITIONERS


def test_an_unknown_name_or_count_is_refused():
    with pytest.raises(ValueError, match="'crc' is unknown: random, consistent"):
        partition_for_key("crc", b"key", 3)
    with pytest.raises(ValueError, match="partition_count 0"):
        partition_for_key("murmur2", b"key", 0)


@pytest.mark.peer
def test_ten_thousand_random_keys_go_where_librdkafka_sends_them(header):
    confluent_kafka = pytest.importorskip("confluent_kafka")
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    rng = random.Random(seed)
    for _ in range(10_000):
        key = rng.randbytes(rng.randrange(40))
        count = rng.choice([1, 2, 3, 10, 1000, 2**31 - 1])
        for name in ("consistent", "murmur2", "fnv1a"):
            ours = header.for_key(PARTITIONERS[name], key, len(key), count)
            assert ours == getattr(confluent_kafka, name)(key, count), (name, key, count)
