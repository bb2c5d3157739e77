"""Compaction: of each key the last record stays.

A pass notes the last offset of each key of the dirty part of the log (key_index, offset_map), as
far as its memory goes, and then writes all segments up to there anew (cleaner), several into one
where they fit, and swaps them in (segment_swap). Appends and reads go on meanwhile, here and in
other processes.

Source: Kafka Cleaner.doClean, cleanSegments.
"""

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from logcore import cleaner_checkpoint, layout, recovery_mark, segment_swap, segments
from logcore.cleanable import Backlog, group_segments, look
from logcore.cleaned_transactions import CleanedTransactions, encode_aborted, read_aborted
from logcore.cleaner import SegmentCleaner
from logcore.errors import CorruptRecordError, LogClosedError, LogError, error_from_errno
from logcore.key_index import index_segment
from logcore.offset_map import DEFAULT_MAX_BYTES, OffsetMap
from logcore.retention import SegmentInfo
from logcore.scan import scan_segment
from logcore.segment_swap import INDEX, LOG, PARTS, TIME_INDEX, TXN_INDEX, staged_path

if TYPE_CHECKING:
    from logcore.log import Log

MAINTENANCE_TIMEOUT_S = 120.0
_MAINTENANCE_POLL_S = 0.02

Progress = Callable[[int], None]
Scope = Literal["due", "dirty", "all"]


class SegmentsChangedError(LogError):
    """Retention took a segment while it was being cleaned: nothing was replaced."""


@dataclasses.dataclass(slots=True)
class Compacted:
    """What a cleaning did.

    Attributes:
        segments_before: how many were gone over.
        segments_after: how many are left of them.
        bytes_before: of their .log files.
        bytes_after: likewise.
        records_before: in them.
        records_after: that stayed.
        map_bytes: largest size of the map of keys.
        key_count: most keys of a pass.
        passes: more than one where the keys did not fit into the map.
        end_offset: everything below it is clean now.
        seconds: how long it took.
    """

    segments_before: int = 0
    segments_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    records_before: int = 0
    records_after: int = 0
    map_bytes: int = 0
    key_count: int = 0
    passes: int = 0
    end_offset: int = 0
    seconds: float = 0.0


def compact(
    log: "Log",
    now_ms: int | None = None,
    *,
    scope: Scope = "due",
    max_map_bytes: int = DEFAULT_MAX_BYTES,
    on_progress: Progress | None = None,
) -> Compacted | None:
    """Clean a partition if it is due. Only between log.try_cleaning() and end_cleaning().

    Args:
        log: a Log, not read-only.
        now_ms: wall clock, ms since 1970.
        scope: "due" cleans when the topic's configs say so, "dirty" whatever there is that was
            not cleaned before, "all" everything anew.
        max_map_bytes: memory for the keys; where they do not fit, several passes are made.
        on_progress: told the bytes gone over since it was told last. What it raises ends the
            cleaning; the originals stay.

    Returns:
        What was done, None when nothing was due.

    Raises:
        CorruptRecordError: a segment is damaged. Nothing of it was replaced; the partition
            cannot be cleaned until it is mended.
        DiskFullError, LogIOError: the originals stay.
        SegmentsChangedError: retention was faster.
    """
    began_s = time.monotonic()
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    try:
        with _maintenance(log):
            segment_swap.finish(log.path, log.publish_segments)
        backlog = look(log, now_ms, is_all_dirty=scope == "all")
        if not backlog.dirty_bytes or (scope == "due" and not backlog.is_due(log.config)):
            return None
        result = Compacted(
            segments_before=len(backlog.segments),
            bytes_before=backlog.clean_bytes + backlog.dirty_bytes,
        )
        run = _Run(log, now_ms, max_map_bytes, on_progress, result)
        run.clean(backlog)
    except OSError as error:
        raise error_from_errno(error.errno or 0, "compact", log.path) from error
    left = [info for info in log.segments() if info.base_offset < result.end_offset]
    result.segments_after = len(left)
    result.bytes_after = sum(info.size_bytes for info in left)
    result.seconds = time.monotonic() - began_s
    return result


@contextlib.contextmanager
def _maintenance(log: "Log") -> Iterator[None]:
    """Keep retention, marks and checksums of all processes off while files change names."""
    deadline_s = time.monotonic() + MAINTENANCE_TIMEOUT_S
    while not log.try_maintenance():
        if log.is_closed:
            raise LogClosedError(f"{log.path}: the log was closed meanwhile")
        if time.monotonic() > deadline_s:
            raise LogError(
                f"{log.path}: another process has been at its housekeeping for "
                f"{MAINTENANCE_TIMEOUT_S:g} s; it may be stopped"
            )
        time.sleep(_MAINTENANCE_POLL_S)
    try:
        yield
    finally:
        log.end_maintenance()


class _Run:
    """One cleaning of one log."""

    def __init__(
        self,
        log: "Log",
        now_ms: int,
        max_map_bytes: int,
        on_progress: Progress | None,
        result: Compacted,
    ) -> None:
        self.log = log
        self.folder = log.path
        self.now_ms = now_ms
        self.delete_horizon_ms = now_ms + log.config.delete_retention_ms
        self.max_map_bytes = max_map_bytes
        self.on_progress = on_progress
        self.result = result

    def progress(self, done_bytes: int) -> None:
        if self.log.is_closed:
            raise LogClosedError(f"{self.folder}: the log was closed meanwhile")
        if self.on_progress is not None:
            self.on_progress(done_bytes)

    def clean(self, backlog: Backlog) -> None:
        """Pass after pass, until everything up to the backlog's end is clean."""
        start_offset = backlog.first_dirty_offset
        if cleaner_checkpoint.read(self.folder) is None:
            # Before the first swap: it is what says that offsets may be missing.
            cleaner_checkpoint.write(self.folder, 0)
        infos = list(backlog.segments)
        while start_offset < backlog.end_offset:
            offsets = self._index(infos, start_offset)
            start_offset = offsets.latest_offset + 1
            self.result.records_before = self.result.records_after = 0
            self._rewrite([info for info in infos if info.base_offset < start_offset], offsets)
            cleaner_checkpoint.write(self.folder, start_offset)
            self.result.end_offset = start_offset
            self.result.passes += 1
            bases = {info.base_offset for info in infos}
            infos = [info for info in self.log.segments() if info.base_offset in bases]

    def _index(self, infos: Sequence[SegmentInfo], start_offset: int) -> OffsetMap:
        offsets = OffsetMap(self.max_map_bytes)
        transactions = self._transactions(start_offset)
        for info in infos:
            if info.next_offset <= start_offset:
                continue
            path = staged_path(self.folder, info.base_offset, LOG)
            if index_segment(path, start_offset, offsets, transactions, self.progress):
                break
            offsets.cover(info.next_offset - 1)
        self.result.map_bytes = max(self.result.map_bytes, offsets.size_bytes)
        self.result.key_count = max(self.result.key_count, len(offsets))
        return offsets

    def _transactions(self, start_offset: int) -> CleanedTransactions:
        """A tracker for a pass from `start_offset` on."""
        bases = segments.list_bases(self.folder)
        first = max((base for base in bases if base <= start_offset), default=0)
        aborted = read_aborted(self.folder, [base for base in bases if base >= first])
        # One whose marker lies before the pass would never be seen to end.
        return CleanedTransactions(each for each in aborted if each.last_offset >= start_offset)

    def _live_batches(self) -> dict[int, tuple[int, int]]:
        producers = getattr(self.log, "producers", None)
        if producers is None:
            return {}
        return {each.producer_id: (each.last_offset, each.producer_epoch) for each in producers()}

    def _rewrite(self, infos: Sequence[SegmentInfo], offsets: OffsetMap) -> None:
        transactions = self._transactions(infos[0].base_offset)
        live_batches = self._live_batches()
        self._move_mark(infos[-1].next_offset)
        for group in group_segments(infos, self.log.config, self._index_bytes):
            self._rewrite_group(group, offsets, transactions, live_batches)

    def _index_bytes(self, base_offset: int) -> int:
        sizes = [0]
        for suffix in (INDEX, TIME_INDEX):
            with contextlib.suppress(FileNotFoundError):
                sizes.append(os.stat(staged_path(self.folder, base_offset, suffix)).st_size)
        return max(sizes)

    def _move_mark(self, end_offset: int) -> None:
        """Recovery compares the file that its mark names with its size then: not one of these."""
        mark = recovery_mark.read(self.folder)
        if mark is None or mark["segment_base_offset"] < end_offset:
            self.log.write_recovery_mark()

    def _rewrite_group(
        self,
        group: Sequence[SegmentInfo],
        offsets: OffsetMap,
        transactions: CleanedTransactions,
        live_batches: dict[int, tuple[int, int]],
    ) -> None:
        base_offset = group[0].base_offset
        kept_before = len(transactions.kept)
        try:
            cleaner = SegmentCleaner(
                staged_path(self.folder, base_offset, LOG, layout.CLEANED_SUFFIX), offsets,
                transactions, live_batches, self.now_ms, self.delete_horizon_ms,
            )  # fmt: skip
            last_filled = max((i for i, info in enumerate(group) if info.size_bytes), default=-1)
            for number, info in enumerate(group):
                path = staged_path(self.folder, info.base_offset, LOG)
                cleaner.clean(path, number == last_filled, self.progress)
            self.result.records_before += cleaner.record_count
            self.result.records_after += cleaner.kept_record_count
            if len(group) == 1 and not cleaner.is_changed:
                cleaner.close()
                self._clear_cleaned(base_offset)
                return
            cleaner.finish()
            self._write_indexes(group, cleaner.size_bytes)
            self._write_aborted(group, transactions, kept_before)
            self._keep_time(group)
            with _maintenance(self.log):
                self._check_originals(group)
                segment_swap.swap(
                    self.folder, base_offset, [info.base_offset for info in group[1:]],
                    self.log.publish_segments,
                )  # fmt: skip
        except FileNotFoundError as error:
            self._clear_cleaned(base_offset)
            raise SegmentsChangedError(
                f"{self.folder}: a segment went meanwhile: {error}"
            ) from None
        except BaseException:
            self._clear_cleaned(base_offset)
            raise

    def _clear_cleaned(self, base_offset: int) -> None:
        for suffix in PARTS:
            with contextlib.suppress(OSError):
                os.unlink(staged_path(self.folder, base_offset, suffix, layout.CLEANED_SUFFIX))

    def _check_originals(self, group: Sequence[SegmentInfo]) -> None:
        """Retention and delete_records do not wait for a cleaning."""
        for info in group:
            os.stat(staged_path(self.folder, info.base_offset, LOG))
        if self.log.is_closed:
            raise LogClosedError(f"{self.folder}: the log was closed meanwhile")

    def _write_indexes(self, group: Sequence[SegmentInfo], size_bytes: int) -> None:
        """Read back what was written, and make its indexes of it."""
        base_offset = group[0].base_offset
        path = staged_path(self.folder, base_offset, LOG, layout.CLEANED_SUFFIX)
        begin = segment_swap.empty_scan(base_offset, self.log.config.index_interval_bytes)
        scanned = scan_segment(path, base_offset, begin, True)
        if scanned["reason"] is not None or scanned["end_position"] != size_bytes:
            raise CorruptRecordError(
                f"what was written does not read back ({scanned['reason']})",
                path=path,
                position=scanned["end_position"],
            )
        times = scanned["time_entries"]
        if scanned["max_timestamp_ms"] > scanned["time_index_last_ms"]:
            last_offset = scanned["max_timestamp_offset"] - base_offset
            times += scanned["max_timestamp_ms"].to_bytes(8, "big", signed=True)
            times += last_offset.to_bytes(4, "big")
        self._write_part(base_offset, INDEX, scanned["offset_entries"])
        self._write_part(base_offset, TIME_INDEX, times)

    def _write_aborted(
        self, group: Sequence[SegmentInfo], transactions: CleanedTransactions, kept_before: int
    ) -> None:
        kept = transactions.kept[kept_before:]
        paths = [staged_path(self.folder, info.base_offset, TXN_INDEX) for info in group]
        if kept or any(map(os.path.exists, paths)):
            self._write_part(group[0].base_offset, TXN_INDEX, encode_aborted(kept))

    def _write_part(self, base_offset: int, suffix: str, data: bytes) -> None:
        path = staged_path(self.folder, base_offset, suffix, layout.CLEANED_SUFFIX)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _keep_time(self, group: Sequence[SegmentInfo]) -> None:
        """Retention goes by the file's time where records have none."""
        last = os.stat(staged_path(self.folder, group[-1].base_offset, LOG)).st_mtime_ns
        path = staged_path(self.folder, group[0].base_offset, LOG, layout.CLEANED_SUFFIX)
        os.utime(path, ns=(last, last))
