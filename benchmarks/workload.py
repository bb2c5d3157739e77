"""What is written and read: the records, one measurement's order, and its raw loops.

The raw loops are what a Python programmer writes without a library: a 16-byte header (offset,
key size, value size), the key and the value, through a buffered file. Every other figure is
divided by theirs.
"""

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

HEADER = struct.Struct("<QII")
KEY_BYTES = 8
BLOCK_RECORDS = 1000
TOPIC = "bench"
RAW_FILE_NAME = "raw.bin"

Pair = tuple[bytes, bytes]
Figures = dict[str, float]


@dataclass(frozen=True)
class Order:
    """One measurement to make: where, how much, and what is special.

    Args:
        folder: scratch folder; a reading measurement finds its data there.
        records: how many records, a multiple of `BLOCK_RECORDS` is kept.
        value_bytes: size of a value.
        extra: settings that only this measurement knows.
    """

    folder: str
    records: int
    value_bytes: int
    extra: dict[str, object] = field(default_factory=dict)

    @property
    def blocks(self) -> int:
        return max(1, self.records // BLOCK_RECORDS)

    @property
    def total(self) -> int:
        return self.blocks * BLOCK_RECORDS

    @property
    def raw_path(self) -> Path:
        return Path(self.folder) / RAW_FILE_NAME

    @property
    def log_dir(self) -> str:
        return os.path.join(self.folder, "log")

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def make_pairs(value_bytes: int, count: int = BLOCK_RECORDS) -> list[Pair]:
    """Return `count` different records that do not compress, the same ones every time."""
    generator = random.Random(value_bytes)
    return [
        (number.to_bytes(KEY_BYTES, "big"), generator.randbytes(value_bytes))
        for number in range(count)
    ]


def rate(order: Order, seconds: float, **more: float) -> Figures:
    """Return the figures of a measurement that handled all records in `seconds`."""
    return {"records": order.total, "seconds": seconds, "rate": order.total / seconds, **more}


def raw_write(order: Order) -> Figures:
    """Append every record to a buffered file; ends when the file is closed."""
    pairs, pack = make_pairs(order.value_bytes), HEADER.pack
    start = perf_counter()
    with open(order.raw_path, "ab") as file:
        write = file.write
        for base_offset in range(0, order.total, BLOCK_RECORDS):
            for offset, (key, value) in enumerate(pairs, base_offset):
                write(pack(offset, len(key), len(value)) + key + value)
    return rate(order, perf_counter() - start)


def raw_write_durable(order: Order) -> Figures:
    """Append every record as `raw_write`, then wait until the device has them."""
    pairs, pack = make_pairs(order.value_bytes), HEADER.pack
    start = perf_counter()
    with open(order.raw_path, "ab") as file:
        write = file.write
        for base_offset in range(0, order.total, BLOCK_RECORDS):
            for offset, (key, value) in enumerate(pairs, base_offset):
                write(pack(offset, len(key), len(value)) + key + value)
        file.flush()
        os.fdatasync(file.fileno())
    return rate(order, perf_counter() - start)


def raw_read(order: Order) -> Figures:
    """Read every record of `raw_write` back: header, key and value, each by a read call."""
    unpack, count = HEADER.unpack, 0
    start = perf_counter()
    with open(order.raw_path, "rb") as file:
        read = file.read
        while header := read(HEADER.size):
            _offset, key_size, value_size = unpack(header)
            _key = read(key_size)
            _value = read(value_size)
            count += 1
    seconds = perf_counter() - start
    check_count(order, count)
    return rate(order, seconds)


def check_count(order: Order, count: int) -> None:
    """Refuse a figure that was measured on fewer or more records than ordered."""
    if count != order.total:
        raise RuntimeError(f"{count} records handled, {order.total} expected")


def blocks_of(pairs: list[Pair], size: int) -> Iterator[list[Pair]]:
    """Return `pairs` again and again, in lists of `size`."""
    pieces = [pairs[first : first + size] for first in range(0, len(pairs) - size + 1, size)]
    while True:
        yield from pieces
