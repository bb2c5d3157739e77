"""What the crash tests do with one partition: write values that tell their place, and read back."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from logcore import BatchBuilder, Log

BOOT_ID_PLACE = 0x10  # in .state: see logcore/c/shared.h
BOOT_ID_BYTES = 16


def batch(*values: bytes, codec: int = 0) -> bytes:
    """A record batch with these values."""
    builder = BatchBuilder(codec)
    for value in values:
        builder.append(time.time_ns() // 1_000_000, None, value)
    return bytes(builder.build())


def value_at(offset: int, size: int = 40) -> bytes:
    """The value that belongs at an offset: as long as wanted, unlike its neighbours."""
    word = b"%d " % offset
    return (word * (size // len(word) + 1))[:size]


def values(log: Log, offset: int | None = None) -> list[bytes | None]:
    """The values of a log; their offsets must be gap-free."""
    begin = log.log_start_offset if offset is None else offset
    records = list(log.reader(begin))
    assert [record.offset for record in records] == list(range(begin, log.log_end_offset))
    return [record.value for record in records]


@contextlib.contextmanager
def changed(path: str | os.PathLike[str], position: int, data: bytes) -> Iterator[None]:
    """Bytes of a file, changed for a while."""
    before = Path(path).read_bytes()[position : position + len(data)]
    overwrite(path, position, data)
    try:
        yield
    finally:
        overwrite(path, position, before)


def overwrite(path: str | os.PathLike[str], position: int, data: bytes) -> None:
    """Change bytes of a file in place."""
    fd = os.open(path, os.O_WRONLY)
    try:
        if os.pwrite(fd, data, position) != len(data):
            raise OSError("half a write")
    finally:
        os.close(fd)


def forget_boot(partition: str | os.PathLike[str]) -> None:
    """Make a partition that nobody has open look as if the machine had been restarted."""
    overwrite(os.path.join(partition, ".state"), BOOT_ID_PLACE, bytes(BOOT_ID_BYTES))
