"""The map of keys answers the last offset of each key, never another key's, within its memory."""

import random
import subprocess
import sys

import pytest
import xxhash
from partition_files import seeded_random

from logcore.offset_map import OffsetMap, xxh64

MILLION = 1_000_000
MEASURE_MEMORY = """
import sys
from logcore.offset_map import OffsetMap

def private_bytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon"))

before, peak = private_bytes(), 0
offsets = OffsetMap()
for number in range(1_000_000):
    offsets.add(number.to_bytes(8, "big"), number)
    if number % 10_000 == 0:
        peak = max(peak, private_bytes())
print(len(offsets), max(peak, private_bytes()) - before)
"""


@pytest.mark.parametrize("size", [*range(70), 100, 255, 256, 1000, 4096])
def test_the_hash_is_xxh64(size: int) -> None:
    source = random.Random(size)
    data = source.randbytes(size)
    for seed in (0, 1, source.getrandbits(64)):
        assert xxh64(data, seed) == xxhash.xxh64_intdigest(data, seed)


def test_it_answers_as_a_dict_does() -> None:
    source = seeded_random("map")
    offsets, model = OffsetMap(), {}
    for offset in range(30_000):
        size = source.choice([0, 1, 3, 8, 8, 8, 30, 254, 255, 256, 1000])
        key = (b"%d" % source.randrange(3000)).ljust(size, b".")
        assert offsets.add(key, offset)
        model[key] = offset
        other = b"%d" % source.randrange(6000)
        assert offsets.get(other) == model.get(other, -1)
    assert len(offsets) == len(model)
    assert all(offsets.get(key) == offset for key, offset in model.items())
    assert offsets.latest_offset == 29_999


def test_keys_of_one_hash_stay_apart() -> None:
    # A table of 4,096 slots looks at the lowest 12 and the top 24 bits of a hash: among a million
    # keys some agree in both, and only their bytes tell them apart.
    found: dict[int, bytes] = {}
    for number in range(3 * MILLION):
        key = b"%d" % number
        hashed = xxhash.xxh64_intdigest(key, 5)
        twin = found.setdefault(hashed >> 40 << 12 | hashed & 0xFFF, key)
        if twin != key:
            break
    assert twin != key
    offsets = OffsetMap(seed=5)
    assert offsets.add(twin, 0)
    assert offsets.get(key) == -1
    assert offsets.add(key, 1)
    assert (offsets.get(twin), offsets.get(key)) == (0, 1)


@pytest.mark.parametrize("max_bytes", [1, 40_000, 200_000, 1_000_000])
def test_it_is_full_at_its_bound_and_keeps_what_it_has(max_bytes: int) -> None:
    offsets = OffsetMap(max_bytes)
    count = 0
    while offsets.add(b"key %08d" % count, count):
        count += 1
        assert count < 100_000
    assert count >= 1
    assert len(offsets) == count
    assert offsets.latest_offset == count - 1
    assert count == 1 or offsets.size_bytes <= max_bytes
    assert all(offsets.get(b"key %08d" % number) == number for number in range(count))
    assert offsets.add(b"key %08d" % 0, count), "a key that is there needs no room"


def test_one_key_larger_than_the_bound_fits() -> None:
    offsets = OffsetMap(10)
    assert offsets.add(bytes(1 << 20), 7)
    assert offsets.get(bytes(1 << 20)) == 7
    assert not offsets.add(b"second", 8)


def test_a_million_keys_of_8_bytes_take_64_bytes_each_at_most() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE_MEMORY], capture_output=True, text=True, check=True
    )
    count, peak_bytes = map(int, done.stdout.split())
    assert count == MILLION
    assert peak_bytes / MILLION <= 64
