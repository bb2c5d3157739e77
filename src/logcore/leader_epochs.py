"""`leader-epoch-checkpoint`: the first offset of each leader epoch.

Kafka's text: a line `0` (version), a line with the count, and a line `epoch start_offset` for each,
both rising. Source: Kafka LeaderEpochCheckpointFile, CheckpointFile.
"""

import os

from logcore import layout
from logcore.errors import UnsupportedFormatError

VERSION = 0


def read(path: str) -> list[tuple[int, int]]:
    """Return [(epoch, start_offset), ...], empty when there is no file.

    Raises:
        UnsupportedFormatError: the file is not a checkpoint of version 0.
    """
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return []
    try:
        version, count = int(lines[0]), int(lines[1])
        entries = [tuple(int(field) for field in line.split()) for line in lines[2 : 2 + count]]
        if version != VERSION or len(entries) != count:
            raise ValueError
        return [(epoch, start_offset) for epoch, start_offset in entries]
    except (ValueError, IndexError):
        raise UnsupportedFormatError(f"{path}: not a leader epoch checkpoint of version 0") from None


def write(path: str, entries: list[tuple[int, int]]) -> None:
    """Replace the file: written beside it, synced, renamed."""
    temporary = path + layout.TEMPORARY_SUFFIX
    with open(temporary, "w", encoding="ascii") as file:
        lines = [str(VERSION), str(len(entries)), *(f"{epoch} {start}" for epoch, start in entries)]
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def append(path: str, epoch: int, start_offset: int) -> None:
    """Note that `epoch` begins at `start_offset`; epochs that begin there or later never were."""
    entries = [entry for entry in read(path) if entry[1] < start_offset and entry[0] < epoch]
    write(path, [*entries, (epoch, start_offset)])
