import gzip
import json
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cramjam
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from logcore import codecs
from logcore.codecs import CODEC_IDS, CODEC_NAMES, GZIP, LZ4, NONE, SNAPPY, ZSTD
from logcore.errors import CorruptRecordError, InvalidRecordError

COMPRESSED = [GZIP, SNAPPY, LZ4, ZSTD]
GOLDEN = Path(__file__).parent.parent / "golden"
LIMIT = 4 * 1024 * 1024

every_codec = pytest.mark.parametrize("codec", range(5), ids=list(CODEC_IDS))
every_compressed = pytest.mark.parametrize("codec", COMPRESSED, ids=list(CODEC_IDS)[1:])

TEXT = b"".join(
    b'{"carrier":"UA","tail":"N%05d","delay":%d}\n' % (i * 7919, i) for i in range(9000)
)
NOISE = random.Random(20260101).randbytes(200_000)
SAMPLES = [b"", b"a", b"ab" * 500, bytes(3_000_000), TEXT, NOISE, bytes(65536), bytes(65537)]


def test_ids_and_names_are_kafkas():
    assert CODEC_NAMES == {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
    assert CODEC_IDS == {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


@every_codec
@pytest.mark.parametrize("data", SAMPLES, ids=lambda data: f"{len(data)}")
def test_what_was_compressed_is_read_back_within_its_exact_size(codec, data):
    packed = codecs.compress(codec, data)
    assert type(packed) is bytes
    unpacked = codecs.decompress(codec, packed, len(data))
    assert type(unpacked) is bytes
    assert unpacked == data
    assert codecs.decompress(codec, packed, LIMIT) == data


@every_codec
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_contiguous_buffer_is_taken(codec, kind):
    packed = codecs.compress(codec, kind(TEXT))
    assert codecs.decompress(codec, kind(packed), LIMIT) == TEXT
    inside = memoryview(b"##" + packed + b"##")[2:-2]
    assert codecs.decompress(codec, inside, LIMIT) == TEXT


@given(st.integers(0, 4), st.binary(max_size=5000))
def test_any_bytes_survive_every_codec(codec, data):
    assert codecs.decompress(codec, codecs.compress(codec, data), len(data)) == data


@pytest.mark.parametrize(
    ("codec", "levels"), [(GZIP, (1, 6, 9)), (LZ4, (1, 2, 9, 12)), (ZSTD, (-5, 1, 3, 19))]
)
def test_levels_reach_the_codec(codec, levels):
    sizes = []
    for level in levels:
        packed = codecs.compress(codec, TEXT, level)
        assert codecs.decompress(codec, packed, LIMIT) == TEXT
        sizes.append(len(packed))
    assert sizes[-1] < sizes[0]


# ---- limits and bad input -----------------------------------------------------------------------


@every_codec
@pytest.mark.parametrize("data", SAMPLES[1:], ids=lambda data: f"{len(data)}")
def test_one_byte_over_the_limit_is_refused(codec, data):
    packed = codecs.compress(codec, data)
    with pytest.raises(InvalidRecordError, match=f"more than {len(data) - 1} bytes"):
        codecs.decompress(codec, packed, len(data) - 1)
    with pytest.raises(InvalidRecordError):
        codecs.decompress(codec, packed, 0)


BOMB_LIMIT = 8 * 1024 * 1024
# What the process may map beyond the limit: the allocator's steps, and zstd's window of 2 MiB.
BOMB_ALLOWANCE = {"gzip": 1 << 20, "snappy": 1 << 20, "lz4": 1 << 20, "zstd": 4 << 20}
BOMB_PROGRAM = """
import resource, sys
import cramjam
from logcore import codecs
from logcore.errors import InvalidRecordError
codec, limit, allowance = codecs.CODEC_IDS[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
bomb = sys.stdin.buffer.read()
for warm_up in (b"x", b"x" * 100_000):
    codecs.decompress(codec, codecs.compress(codec, warm_up), limit)
mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + limit + allowance,) * 2)
try:
    codecs.decompress(codec, bomb, limit)
except InvalidRecordError as error:
    sys.exit(0 if f"more than {limit} bytes" in str(error) else 4)
except MemoryError:
    sys.exit(3)
sys.exit(2)
"""


def make_bomb(codec: int, size: int) -> bytes:
    """One stream of `size` zeros that does not declare how many they are."""
    zeros = bytes(size)
    if codec == GZIP:
        packer = cramjam.gzip.Compressor(6)
    elif codec == ZSTD:
        packer = cramjam.zstd.Compressor(3)
    else:
        return codecs.compress(codec, zeros)
    packer.compress(zeros)
    packed = bytes(packer.finish())
    return packed[:-4] + bytes(4) if codec == GZIP else packed


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and /proc are Linux's")
@every_compressed
@pytest.mark.parametrize("repeats", [1, 64], ids=["one-stream", "concatenated"])
def test_a_bomb_is_refused_within_the_memory_of_the_limit(codec, repeats):
    # The address space is capped at what is mapped, plus the limit and the codec's own state;
    # the bomb would fill 64 MiB, or 4 GiB when it is 64 streams in a row.
    bomb = make_bomb(codec, 64 * 1024 * 1024) * repeats
    name = CODEC_NAMES[codec]
    allowance = BOMB_ALLOWANCE[name] + (len(bomb) if codec == LZ4 else 0)  # LZ4 copies its input
    done = subprocess.run(
        [sys.executable, "-c", BOMB_PROGRAM, name, str(BOMB_LIMIT), str(allowance)],
        input=bomb,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_zstd_window_of_128_mib_costs_only_what_is_written():
    # Level 22 of Java's streaming writer declares this window for any size of data.
    packer = cramjam.zstd.Compressor(22)
    packer.compress(TEXT)
    packed = bytes(packer.finish())
    assert packed[4:6] == b"\x00\x88"  # no content size, window 2^27
    program = (
        "import sys, resource\n"
        "from logcore import codecs\n"
        "packed = sys.stdin.buffer.read()\n"
        "codecs.decompress(4, codecs.compress(4, b'x'), 1)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "data = codecs.decompress(4, packed, 64 << 20)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(len(data), after - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=packed,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    size, grown_kib = map(int, done.stdout.split())
    assert size == len(TEXT)
    assert grown_kib < 8 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and /proc are Linux's")
@pytest.mark.parametrize("name", ["gzip", "snappy", "lz4", "zstd"])
def test_lack_of_memory_is_not_called_corruption(name):
    # Room for neither the input's copy nor the output.
    program = BOMB_PROGRAM.replace("+ limit + allowance", "+ 65536")
    honest = codecs.compress(CODEC_IDS[name], NOISE * 40)
    done = subprocess.run(
        [sys.executable, "-c", program, name, str(len(NOISE) * 40), "0"],
        input=honest,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 3, done.stderr.decode()


def test_a_declared_content_size_over_the_limit_is_refused_before_it_is_read():
    honest = codecs.compress(ZSTD, bytes(300))
    assert honest[4] >> 6 == 1  # a 2-byte content size
    descriptor = (honest[4] & 0x3F) | 0xC0
    lying = honest[:4] + bytes([descriptor]) + (1 << 40).to_bytes(8, "little") + honest[7:]
    with pytest.raises(InvalidRecordError):
        codecs.decompress(ZSTD, lying, LIMIT)


@pytest.mark.parametrize("declared", [0, 1, 2**20, 2**32 - 1])
def test_a_lying_gzip_size_is_corruption_and_nothing_worse(declared):
    packed = codecs.compress(GZIP, TEXT)[:-4] + declared.to_bytes(4, "little")
    with pytest.raises(CorruptRecordError):
        codecs.decompress(GZIP, packed, LIMIT)


@pytest.mark.parametrize("declared", [100, 2**21, 2**32 - 1])
def test_a_snappy_block_that_declares_more_than_it_can_hold_allocates_nothing(declared):
    length = bytearray()
    while declared >= 0x80:
        length.append(declared & 0x7F | 0x80)
        declared >>= 7
    raw = bytes([*length, declared]) + b"\x00a"
    with pytest.raises(CorruptRecordError, match="declares"):
        codecs.decompress(SNAPPY, raw, LIMIT)


@every_compressed
def test_empty_input_is_corruption(codec):
    with pytest.raises(CorruptRecordError, match="empty"):
        codecs.decompress(codec, b"", LIMIT)


@every_compressed
@pytest.mark.parametrize("framing", ["ours", "java"])
def test_every_truncation_is_corruption(codec, framing):
    data = b"the first record, the second record, the third record" * 20
    packed = codecs.compress(codec, data) if framing == "ours" else golden_payload(codec)
    whole = codecs.decompress(codec, packed, 1 << 26)
    step = max(1, len(packed) // 400)
    for size in [*range(min(len(packed), 64)), *range(64, len(packed), step), len(packed) - 1]:
        if codec == SNAPPY and size in xerial_block_ends(packed):
            # The framing has no end mark; the batch's record count finds this one.
            assert whole.startswith(codecs.decompress(codec, packed[:size], 1 << 26))
            continue
        with pytest.raises(CorruptRecordError):
            codecs.decompress(codec, packed[:size], 1 << 26)


def xerial_block_ends(packed: bytes) -> set[int]:
    ends, position = {16}, 16
    while position < len(packed):
        position += 4 + struct.unpack_from(">i", packed, position)[0]
        ends.add(position)
    return ends


@every_compressed
def test_garbage_is_corruption(codec):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    rng = random.Random(seed)
    magic = codecs.compress(codec, b"x")
    for _ in range(300):
        garbage = magic[: rng.randrange(16)] + rng.randbytes(rng.randrange(1, 200))
        try:
            data = codecs.decompress(codec, garbage, LIMIT)
        except (CorruptRecordError, InvalidRecordError):
            continue
        # Without a checksum a few random bytes can be a stream; the batch has its own CRC.
        assert codec in (SNAPPY, ZSTD)
        assert len(data) <= LIMIT


@every_compressed
def test_a_flipped_bit_never_gives_another_kind_of_error(codec):
    packed = codecs.compress(codec, TEXT[:3000])
    for bit in range(len(packed) * 8):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            data = codecs.decompress(codec, flipped, 10_000)
        except (CorruptRecordError, InvalidRecordError):
            continue
        assert len(data) <= 10_000


@pytest.mark.parametrize("codec", [GZIP, LZ4, ZSTD], ids=["gzip", "lz4", "zstd"])
def test_garbage_behind_a_stream_is_corruption(codec):
    with pytest.raises(CorruptRecordError):
        codecs.decompress(codec, codecs.compress(codec, b"abc") + b"garbage!", LIMIT)


@pytest.mark.parametrize("codec", [-1, 5, 6, 7])
def test_an_unknown_codec_is_named(codec):
    with pytest.raises(InvalidRecordError, match=f"codec {codec} is unknown"):
        codecs.decompress(codec, b"data", LIMIT)
    with pytest.raises(ValueError, match=f"codec {codec} is unknown"):
        codecs.compress(codec, b"data")


@every_codec
def test_text_is_a_type_error(codec):
    with pytest.raises(TypeError):
        codecs.compress(codec, "text")


# ---- framing ------------------------------------------------------------------------------------


def golden_payload(codec: int) -> bytes:
    """What a real Kafka producer wrote behind the header of its largest batch of this codec."""
    folder = GOLDEN / CODEC_NAMES[codec]
    batches = json.loads((folder / "expected.json").read_text())["batches"]
    log = (folder / f"{CODEC_NAMES[codec]}-0" / "00000000000000000000.log").read_bytes()
    payloads = []
    for batch in batches:
        size = struct.unpack_from(">i", log, batch["position"] + 8)[0]
        payloads.append(log[batch["position"] + 61 : batch["position"] + 12 + size])
    return max(payloads, key=len)


@every_compressed
def test_what_java_wrote_is_read(codec):
    data = codecs.decompress(codec, golden_payload(codec), 1 << 26)
    assert len(data) > 64 * 1024  # more than one block


@every_compressed
def test_our_framing_is_javas(codec):
    # gzip: method and flags; snappy: xerial header; lz4: frame header; zstd: magic.
    header_bytes = {GZIP: 4, SNAPPY: 16, LZ4: 7, ZSTD: 4}[codec]
    ours = codecs.compress(codec, TEXT)
    assert ours[:header_bytes] == golden_payload(codec)[:header_bytes]


def test_lz4_frames_are_independent_blocks_with_a_true_header_checksum():
    for level in (None, 0, 1, 4, 9):
        packed = codecs.compress(LZ4, TEXT, level)
        magic, flags, block_descriptor, checksum = struct.unpack_from("<IBBB", packed)
        assert magic == 0x184D2204
        assert flags >> 6 == 1, "version"
        assert flags & 0x20, "blocks must be independent"
        assert not flags & 0x0B, "no content size, no dictionary, no reserved bit"
        assert block_descriptor == 0x40, "64 KiB blocks"
        assert checksum == xxhash.xxh32_intdigest(packed[4:6]) >> 8 & 0xFF


def test_incompressible_lz4_blocks_are_stored():
    packed = codecs.compress(LZ4, NOISE)
    blocks = -(-len(NOISE) // 65536)
    assert len(packed) == 7 + len(NOISE) + 4 * blocks + 4
    assert struct.unpack_from("<I", packed, 7)[0] == 0x80000000 | 65536


@pytest.mark.parametrize("is_linked", [False, True])
@pytest.mark.parametrize("has_checksum", [False, True])
def test_lz4_frames_of_other_writers_are_read(is_linked, has_checksum):
    packer = cramjam.lz4.Compressor(4, content_checksum=has_checksum, block_linked=is_linked)
    packer.compress(TEXT)
    assert codecs.decompress(LZ4, bytes(packer.finish()), LIMIT) == TEXT


def test_snappy_blocks_are_of_32_kib():
    packed = codecs.compress(SNAPPY, TEXT)
    assert packed[:16] == b"\x82SNAPPY\x00" + bytes([0, 0, 0, 1, 0, 0, 0, 1])
    position, sizes = 16, []
    while position < len(packed):
        size = struct.unpack_from(">i", packed, position)[0]
        block = packed[position + 4 : position + 4 + size]
        sizes.append(len(bytes(cramjam.snappy.decompress_raw(block))))
        position += 4 + size
    assert sizes[:-1] == [32768] * (len(TEXT) // 32768)
    assert sum(sizes) == len(TEXT)


def test_raw_snappy_is_read_as_librdkafka_writes_it():
    assert codecs.decompress(SNAPPY, bytes(cramjam.snappy.compress_raw(TEXT)), LIMIT) == TEXT
    assert codecs.decompress(SNAPPY, b"\x00", LIMIT) == b""


@pytest.mark.parametrize(
    "tail",
    [b"\x00", b"\x00\x00\x00", struct.pack(">i", 0), struct.pack(">i", -5), struct.pack(">i", 99)],
)
def test_a_broken_xerial_block_length_is_corruption(tail):
    with pytest.raises(CorruptRecordError):
        codecs.decompress(SNAPPY, codecs.compress(SNAPPY, b"abc") + tail, LIMIT)


@every_compressed
def test_concatenated_streams_are_read(codec):
    parts = [TEXT, b"", b"x", NOISE]
    packed = b"".join(codecs.compress(codec, part) for part in parts)
    assert codecs.decompress(codec, packed, LIMIT) == b"".join(parts)


def test_the_standard_library_agrees_on_gzip():
    packed = codecs.compress(GZIP, TEXT)
    assert gzip.decompress(packed) == TEXT
    assert codecs.decompress(GZIP, gzip.compress(TEXT), LIMIT) == TEXT
    with_name = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = with_name.compress(TEXT) + with_name.flush()
    assert codecs.decompress(GZIP, packed, LIMIT) == TEXT


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 65_791, 65_792, 200_000])
def test_a_zstd_content_size_of_any_width_is_understood(size):
    packed = bytes(cramjam.zstd.compress(bytes(size), level=1))
    assert codecs._declared_bytes(ZSTD, packed) == size
    assert codecs.decompress(ZSTD, packed, size) == bytes(size)


def test_importing_the_module_does_not_import_a_codec():
    program = "import sys, logcore.codecs; sys.exit('cramjam' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=env, timeout=60).returncode == 0


def test_no_compression_is_the_bytes_themselves():
    assert codecs.compress(NONE, TEXT) == TEXT
