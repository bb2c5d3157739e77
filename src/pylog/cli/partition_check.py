"""What `pylog doctor` looks at in one partition. Reads files, changes nothing.

Every batch's header and CRC-32C, the continuity of offsets, each index entry against the batch it
points to, the .sum of sealed segments, the leader epochs, the recovery mark.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pylog.cli import index_dump
from pylog.cli.failures import CommandError
from pylog.cli.segment_walk import SegmentWalk, WalkedBatch

PROBLEMS_MAX = 1000
"""Of one partition: a ruined segment must not fill the memory with its complaints."""


@dataclass(slots=True)
class PartitionReport:
    """What was found in one partition.

    Args:
        name: topic and partition, as the folder is called.
        segments: .log files looked at.
        batches: whose header was understood.
        records: in these batches.
        size_bytes: of the .log files.
        index_entries: of both indexes, compared with the log.
        sums: sealed segments compared with their .sum.
        quarantined: files that a recovery has put aside.
        problems: one sentence each; empty when all is well.
        may_have_gaps: missing offsets are no problem.
    """

    name: str
    segments: int = 0
    batches: int = 0
    records: int = 0
    size_bytes: int = 0
    index_entries: int = 0
    sums: int = 0
    quarantined: int = 0
    problems: list[str] = field(default_factory=list)
    may_have_gaps: bool = False

    def complain(self, problem: str) -> None:
        """Note something that is wrong."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def complain_all(self, problems: Iterable[str]) -> None:
        """Note several things that are wrong."""
        for problem in problems:
            self.complain(problem)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where the log ends while others may be writing: what is beyond is none of our business."""

    active_base_offset: int | None = None
    end_position: int | None = None
    offset_index_bytes: int | None = None
    time_index_bytes: int | None = None
    is_live: bool = False


def check_partition(
    folder: Path, is_deep: bool, may_have_gaps: bool, on_progress: Callable[[int], None]
) -> PartitionReport:
    """Check one partition's folder.

    Args:
        folder: of the partition.
        is_deep: decompress and decode every record too.
        may_have_gaps: offsets may be missing: the topic is compacted.
        on_progress: told how many bytes of .log files were read since it was told last.

    Returns:
        What was found; damage is in its `problems`, never an exception.
    """
    from logcore import layout
    from logcore.errors import LogError

    report = PartitionReport(folder.name, may_have_gaps=may_have_gaps)
    try:
        ends = _look_at_ends(folder, report)
        bases = _segment_bases(folder)
        expected_offset: int | None = None
        swaps = [*folder.glob(f"*{layout.LOG_SUFFIX}{layout.SWAP_SUFFIX}")]
        for base_offset in bases:
            if swaps and expected_offset is not None and base_offset < expected_offset:
                continue  # compaction was about to remove it: the next open does
            if ends.active_base_offset is not None and base_offset > ends.active_base_offset:
                break  # rolled since we looked, or the rest of a roll that never happened
            expected_offset = _check_segment(
                folder, base_offset, expected_offset, ends, is_deep, report, on_progress
            )
        _check_side_files(folder, report)
    except (OSError, LogError, CommandError) as exc:
        report.complain(f"{folder}: cannot be checked further: {exc}")
    return report


def partition_size_bytes(folder: Path) -> int:
    """Return the bytes of all .log files of a partition."""
    total = 0
    for base_offset in _segment_bases(folder):
        try:
            total += os.stat(_segment_path(folder, base_offset, ".log")).st_size
        except FileNotFoundError:
            continue
    return total


def _segment_bases(folder: Path) -> list[int]:
    from logcore import layout

    bases = []
    for name in os.listdir(folder):
        if not name.endswith(layout.LOG_SUFFIX):
            continue
        stem = name[: -len(layout.LOG_SUFFIX)]
        if len(stem) == 20 and stem.isascii() and stem.isdigit():
            bases.append(int(stem))
    return sorted(bases)


def _segment_path(folder: Path, base_offset: int, suffix: str) -> Path:
    from logcore import layout

    return folder / layout.segment_file_name(base_offset, suffix)


def _look_at_ends(folder: Path, report: PartitionReport) -> _Ends:
    """Open the log as a reader would: where does it end, and does it open at all?"""
    from logcore.errors import LogError
    from logcore.log import Log

    try:
        with Log(str(folder), read_only=True, create=False) as log:
            commit: dict[str, Any] = log.commit()
    except (LogError, OSError) as exc:
        report.complain(f"{folder}: does not open: {exc}")
        return _Ends()
    return _Ends(
        commit["segment_base_offset"],
        commit["end_position"],
        commit.get("offset_index_size"),
        commit.get("time_index_size"),
        is_live="offset_index_size" in commit,
    )


def _check_segment(
    folder: Path,
    base_offset: int,
    expected_offset: int | None,
    ends: _Ends,
    is_deep: bool,
    report: PartitionReport,
    on_progress: Callable[[int], None],
) -> int | None:
    """Check one segment; return the offset at which the next one must begin."""
    path = _segment_path(folder, base_offset, ".log")
    is_active = base_offset == ends.active_base_offset
    try:
        walk = SegmentWalk(path, ends.end_position if is_active else None)
    except FileNotFoundError:
        return None  # retention took it meanwhile
    report.segments += 1
    if expected_offset is not None and _is_out_of_place(base_offset, expected_offset, report):
        report.complain(
            f"{path}: begins at offset {base_offset}, the segment before ends at {expected_offset}"
        )
    checks = _index_checks(folder, base_offset, ends, is_active, report)
    next_offset = base_offset
    leader_epoch = -1
    with walk:
        for walked in walk:
            next_offset = _check_batch(path, walked, next_offset, leader_epoch, report)
            leader_epoch = walked.view.leader_epoch
            for check in checks:
                report.complain_all(check.visit(walked))
            if is_deep and walked.is_valid:
                _check_records(path, walked, report)
            on_progress(walked.view.size_bytes)
        report.size_bytes += walk.end_position
        if walk.trailing_bytes:
            _check_trailing(walk, is_active or ends.active_base_offset is None, report)
            on_progress(walk.trailing_bytes)
    for check in checks:
        report.complain_all(check.finish())
    if not is_active and ends.active_base_offset is not None:
        _check_sum(folder, base_offset, report)
    return next_offset


def _check_batch(
    path: Path, walked: WalkedBatch, next_offset: int, leader_epoch: int, report: PartitionReport
) -> int:
    view = walked.view
    report.batches += 1
    report.records += view.record_count
    place = f"{path}: batch at byte {walked.position}"
    if not walked.is_valid:
        report.complain(f"{place}: {walked.reason}")
    if _is_out_of_place(view.base_offset, next_offset, report):
        report.complain(f"{place}: begins at offset {view.base_offset}, expected {next_offset}")
    if view.leader_epoch < leader_epoch:
        report.complain(f"{place}: leader epoch {view.leader_epoch} after {leader_epoch}")
    if view.last_offset_delta < 0:
        report.complain(f"{place}: last offset delta {view.last_offset_delta}")
    return int(max(next_offset, view.base_offset + max(view.last_offset_delta, 0) + 1))


def _is_out_of_place(offset: int, expected_offset: int, report: PartitionReport) -> bool:
    return offset < expected_offset or (offset > expected_offset and not report.may_have_gaps)


def _check_records(path: Path, walked: WalkedBatch, report: PartitionReport) -> None:
    from logcore.errors import LogError

    try:
        walked.view.records()
    except LogError as exc:
        report.complain(f"{path}: batch at byte {walked.position}: {exc}")


def _check_trailing(walk: SegmentWalk, is_last: bool, report: PartitionReport) -> None:
    if is_last and walk.is_trailing_zero():
        return  # reserved space
    report.complain(
        f"{walk.path}: {walk.trailing_bytes} bytes from byte {walk.position} on are no batches: "
        f"{walk.stop_reason}"
    )


def _index_checks(
    folder: Path, base_offset: int, ends: _Ends, is_active: bool, report: PartitionReport
) -> list[index_dump.EntryCheck]:
    """Return a check for each index that the segment has.

    A segment without one is no problem: it only reads more slowly, and the next open rebuilds it.
    """
    checks: list[index_dump.EntryCheck] = []
    with contextlib.suppress(FileNotFoundError):
        path = _segment_path(folder, base_offset, ".index")
        size_bytes = ends.offset_index_bytes if is_active else None
        entries = index_dump.read_offset_entries(path, size_bytes)
        report.index_entries += len(entries)
        checks.append(index_dump.OffsetEntryCheck(path, entries))
    with contextlib.suppress(FileNotFoundError):
        path = _segment_path(folder, base_offset, ".timeindex")
        size_bytes = ends.time_index_bytes if is_active else None
        entries = index_dump.read_time_entries(path, size_bytes)
        report.index_entries += len(entries)
        checks.append(index_dump.TimeEntryCheck(path, entries))
    return checks


def _check_sum(folder: Path, base_offset: int, report: PartitionReport) -> None:
    from logcore import seal
    from logcore.errors import LogError

    try:
        report.sums += bool(seal.verify(str(folder), base_offset))
    except FileNotFoundError:
        return
    except LogError as exc:
        report.complain(str(exc))


def _check_side_files(folder: Path, report: PartitionReport) -> None:
    from logcore import leader_epochs, partition_metadata, recovery_mark
    from logcore.errors import LogError

    epochs_path = folder / "leader-epoch-checkpoint"
    metadata_path = folder / "partition.metadata"
    try:
        if epochs_path.exists():
            leader_epochs.read(str(epochs_path))
    except (LogError, ValueError) as exc:
        report.complain(f"{epochs_path}: {exc}")
    try:
        if metadata_path.exists():
            partition_metadata.read(str(metadata_path))
    except (LogError, ValueError) as exc:
        report.complain(f"{metadata_path}: {exc}")
    mark_path = folder / ".recovery"
    if (
        mark_path.exists()
        and os.stat(mark_path).st_size
        and recovery_mark.read(str(folder)) is None
    ):
        report.complain(f"{mark_path}: holds no valid recovery mark")
    quarantine = folder / "quarantine"
    if quarantine.is_dir():
        report.quarantined = len(os.listdir(quarantine))
