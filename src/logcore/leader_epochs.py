"""`leader-epoch-checkpoint`: the first offset of each leader epoch.

```
0            version
2            how many follow
0 0          epoch, start_offset
3 1042
```
Both numbers rise strictly from line to line: an epoch that wrote nothing is not in the file. Here
an epoch is the term of a writer: it rises with every recovery.

Source: Kafka LeaderEpochCheckpointFile, CheckpointFile, LeaderEpochFileCache.assign.
"""

import os
import re
from collections.abc import Sequence
from typing import TypeAlias

from logcore.errors import CorruptRecordError, UnsupportedFormatError
from logcore.layout import MAX_OFFSET
from logcore.small_files import read_text, replace_text

Entries: TypeAlias = list[tuple[int, int]]

VERSION = 0
MAX_EPOCH = 2**31 - 1

_NUMBER = re.compile(r"[0-9]{1,19}")
_ENTRY = re.compile(r"([0-9]{1,10}) ([0-9]{1,19})")


def read(path: str | os.PathLike[str]) -> Entries:
    """Return [(epoch, start_offset), ...], empty when there is no file.

    Raises:
        UnsupportedFormatError: the file has a newer version.
        CorruptRecordError: the file is not a checkpoint.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        return []
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) < 2 or not all(map(_NUMBER.fullmatch, lines[:2])):
        raise CorruptRecordError("not a leader epoch checkpoint", path=path)
    if int(lines[0]) != VERSION:
        raise UnsupportedFormatError(
            f"{path}: leader epoch checkpoint of version {lines[0]}; this release knows {VERSION}"
        )
    if int(lines[1]) != len(lines) - 2:
        raise CorruptRecordError(
            f"leader epoch checkpoint says {lines[1]} entries and has {len(lines) - 2}", path=path
        )
    entries: Entries = []
    for line in lines[2:]:
        entry = _parse_entry(line)
        if entry is None or (entries and not _rises(entries[-1], entry)):
            raise CorruptRecordError(
                f"leader epoch checkpoint has the entry {line[:80]!r} after {entries[-1:]}",
                path=path,
            )
        entries.append(entry)
    return entries


def _parse_entry(line: str) -> tuple[int, int] | None:
    match = _ENTRY.fullmatch(line)
    if match is None:
        return None
    epoch, start_offset = int(match[1]), int(match[2])
    return (epoch, start_offset) if epoch <= MAX_EPOCH and start_offset <= MAX_OFFSET else None


def _rises(before: tuple[int, int], after: tuple[int, int]) -> bool:
    return before[0] < after[0] and before[1] < after[1]


def write(path: str | os.PathLike[str], entries: Sequence[tuple[int, int]]) -> None:
    """Replace the file, durably.

    Raises:
        OSError: it was not replaced.
    """
    lines = [str(VERSION), str(len(entries)), *(f"{epoch} {start}" for epoch, start in entries)]
    replace_text(path, "\n".join(lines) + "\n")


def append(path: str | os.PathLike[str], epoch: int, start_offset: int) -> None:
    """Note in the file that `epoch` begins at `start_offset`; see assign.

    Raises:
        CorruptRecordError, UnsupportedFormatError: as read does.
        OSError: the file was not replaced.
    """
    entries = read(path)
    assigned = assign(entries, epoch, start_offset)
    if assigned != entries:
        write(path, assigned)


def assign(entries: Sequence[tuple[int, int]], epoch: int, start_offset: int) -> Entries:
    """Return `entries` with `epoch` beginning at `start_offset`.

    Entries that contradict it never came to be, or were cut off with the log's tail: those of the
    same or a later epoch, and those that begin there or later. An epoch that began before
    start_offset already is left as it is.

    >>> assign([(0, 0), (1, 40), (2, 70)], 3, 70)
    [(0, 0), (1, 40), (3, 70)]
    >>> assign([(0, 0), (1, 40)], 1, 90)
    [(0, 0), (1, 40)]
    """
    if not 0 <= epoch <= MAX_EPOCH or not 0 <= start_offset <= MAX_OFFSET:
        raise ValueError(f"epoch {epoch} at offset {start_offset} is out of range")
    if entries and entries[-1][0] == epoch and entries[-1][1] <= start_offset:
        return list(entries)
    kept = [entry for entry in entries if _rises(entry, (epoch, start_offset))]
    return [*kept, (epoch, start_offset)]


def find_end_offset(
    path: str | os.PathLike[str], wanted_epoch: int, current_epoch: int, log_end_offset: int
) -> tuple[int, int]:
    """The largest epoch up to a wanted one, and the offset where it ends.

    Args:
        path: of the checkpoint.
        wanted_epoch: not necessarily one that wrote anything.
        current_epoch: of the log.
        log_end_offset: where the current epoch ends.

    Returns:
        (epoch, end offset), or (-1, -1) where nothing is known of the wanted epoch or before.

    Source: Kafka LeaderEpochFileCache.endOffsetFor.
    """
    if wanted_epoch < 0 or wanted_epoch > current_epoch:
        return -1, -1
    if wanted_epoch == current_epoch:
        return wanted_epoch, log_end_offset
    entries = read(path)
    later = [start_offset for epoch, start_offset in entries if epoch > wanted_epoch]
    up_to = [epoch for epoch, _ in entries if epoch <= wanted_epoch]
    if not later:
        return -1, -1
    return (up_to[-1] if up_to else wanted_epoch), later[0]
