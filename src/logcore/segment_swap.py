"""Compacted segments take the place of those they were made of, whoever dies when.

```
1  <base>.{index,timeindex,txnindex,log}.cleaned     written and synced; the originals untouched
2  ... renamed to .swap, the folder synced           from here on the swap is finished, by anybody
3  .sum of the originals removed
4  .index, .timeindex, .txnindex, .log in place      each by one rename; .log.swap stays, as a link
5  generation + 1                                    everybody looks again which segments there are
6  the other originals .deleted, then unlinked
7  .log.swap unlinked                                done
```
Nobody ever finds a record missing: until 4 the originals are there, and after it the merged segment
and for a while the other originals too, whose records are then there twice, in old and new form;
readers go by offset. A crash before 2 is complete leaves a `.cleaned`, and all is removed; later
ones leave `.log.swap`, which says what to finish: the originals in its range of offsets go.

Source: Kafka LocalLog.replaceSegments, LogLoader.load (which deletes before it renames, having no
readers then).
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Sequence

from logcore import layout, recovery, segments
from logcore.scan import scan_segment

LOG, INDEX, TIME_INDEX, TXN_INDEX = (
    layout.LOG_SUFFIX,
    layout.INDEX_SUFFIX,
    layout.TIME_INDEX_SUFFIX,
    layout.TXN_INDEX_SUFFIX,
)
PARTS = (INDEX, TIME_INDEX, TXN_INDEX, LOG)

_log = logging.getLogger("pylog.compaction")


def staged_path(folder: str, base_offset: int, suffix: str, stage: str = "") -> str:
    """Where a part of a segment lies on its way in or out."""
    return os.path.join(folder, layout.segment_file_name(base_offset, suffix + stage))


def swap(
    folder: str, base_offset: int, replaced: Sequence[int], publish: Callable[[], None]
) -> None:
    """Put the cleaned segment `base_offset` in place of the one of that name and of `replaced`.

    Args:
        folder: of the partition.
        base_offset: of the `.cleaned` parts, synced.
        replaced: base offsets of the other originals.
        publish: tells everybody that the segments changed.

    Raises:
        OSError: whoever opens the partition next, or compacts it, finishes it or clears it away.
    """
    for suffix in PARTS:
        with contextlib.suppress(FileNotFoundError):
            os.rename(
                staged_path(folder, base_offset, suffix, layout.CLEANED_SUFFIX),
                staged_path(folder, base_offset, suffix, layout.SWAP_SUFFIX),
            )
    sync_folder(folder)
    _finish(folder, base_offset, replaced, publish)


def finish(folder: str, publish: Callable[[], None] | None = None) -> bool:
    """Finish the swaps that a killed process began, and clear away what else it left.

    For who has the partition, or its compaction, alone.

    Returns:
        Whether segments were replaced.
    """
    staged = _staged(folder)
    if not staged:
        return False
    cleaned = [base for base, _, stage in staged if stage == layout.CLEANED_SUFFIX]
    least = min(cleaned, default=layout.MAX_OFFSET + 1)
    swaps = []
    for base_offset, suffix, stage in staged:
        is_swap = stage == layout.SWAP_SUFFIX and base_offset < least
        if is_swap and (base_offset, LOG, layout.SWAP_SUFFIX) in staged:
            swaps += [base_offset] if suffix == LOG else []
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(staged_path(folder, base_offset, suffix, stage))
    done = False
    for base_offset in sorted(swaps):
        done |= _resume(folder, base_offset, publish)
    sync_folder(folder)
    return done


def _staged(folder: str) -> set[tuple[int, str, str]]:
    """(base offset, suffix, stage) of each file on its way."""
    found = set()
    for name in os.listdir(folder):
        parsed = layout.parse_segment_file_name(name)
        if parsed is None:
            continue
        base_offset, suffix = parsed
        for stage in layout.STAGE_SUFFIXES:
            # Other files are written beside their names too, by who is at work now.
            is_ours = stage != layout.TEMPORARY_SUFFIX or suffix == LOG + stage
            if suffix.endswith(stage) and is_ours:
                found.add((base_offset, suffix.removesuffix(stage), stage))
    return found


def _resume(folder: str, base_offset: int, publish: Callable[[], None] | None) -> bool:
    path = staged_path(folder, base_offset, LOG, layout.SWAP_SUFFIX)
    scanned = scan_segment(path, base_offset, empty_scan(base_offset), True)
    final = staged_path(folder, base_offset, LOG)
    if scanned["reason"] is not None and not _is_same_file(path, final):
        _log.warning("%s: %s; the originals stay", path, scanned["reason"])
        for suffix in PARTS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(staged_path(folder, base_offset, suffix, layout.SWAP_SUFFIX))
        return False
    end_offset = scanned["log_end_offset"]
    replaced = [base for base in segments.list_bases(folder) if base_offset < base < end_offset]
    _finish(folder, base_offset, replaced, publish or (lambda: None))
    return True


def empty_scan(base_offset: int, index_interval_bytes: int = 4096) -> dict[str, int]:
    """What scan_segment wants to know before the first byte of a segment."""
    return {
        **recovery.empty_commit(base_offset),
        "index_interval_bytes": index_interval_bytes,
        "last_epoch": -1,
    }


def _finish(
    folder: str, base_offset: int, replaced: Sequence[int], publish: Callable[[], None]
) -> None:
    """Steps 3 to 7. Done again from the start, it comes to the same end."""
    for base in (base_offset, *replaced):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged_path(folder, base, layout.CHECKSUM_SUFFIX))
    for suffix in (INDEX, TIME_INDEX, TXN_INDEX):
        with contextlib.suppress(FileNotFoundError):
            os.replace(
                staged_path(folder, base_offset, suffix, layout.SWAP_SUFFIX),
                staged_path(folder, base_offset, suffix),
            )
    swapped = staged_path(folder, base_offset, LOG, layout.SWAP_SUFFIX)
    final = staged_path(folder, base_offset, LOG)
    if not _is_same_file(swapped, final):
        _link(swapped, f"{final}{layout.TEMPORARY_SUFFIX}")
        os.replace(f"{final}{layout.TEMPORARY_SUFFIX}", final)
    sync_folder(folder)
    publish()
    for base in replaced:
        for suffix in layout.SEGMENT_SUFFIXES:
            with contextlib.suppress(FileNotFoundError):
                os.rename(
                    staged_path(folder, base, suffix),
                    staged_path(folder, base, suffix, layout.DELETED_SUFFIX),
                )
    for base in replaced:
        for suffix in layout.SEGMENT_SUFFIXES:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(staged_path(folder, base, suffix, layout.DELETED_SUFFIX))
    sync_folder(folder)
    os.unlink(swapped)
    sync_folder(folder)
    if replaced:
        publish()


def _link(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)
        shutil.copystat(source, target)
        with open(target, "rb") as file:
            os.fsync(file.fileno())


def _is_same_file(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except FileNotFoundError:
        return False


def sync_folder(folder: str) -> None:
    """Have the names of a folder on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
