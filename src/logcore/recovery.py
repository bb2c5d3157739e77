"""Recovery: make a partition's files true again after a crash of the machine.

The scan begins at the durable mark (recovery_mark.py) and stops at the first batch that does not
pass. What follows decides what the stop means:

- nothing valid follows: a torn tail, the normal trace of a crash. Cut there.
- valid batches follow and a sector between holds zeros where it held none: a power cut wrote later
  sectors and not this one. Nothing from here on was acknowledged as durable. Cut there.
- valid batches follow directly, or the bad place lies before the mark: damage. "strict" refuses to
  open; "point_in_time" cuts there.

Bytes that are cut are kept under quarantine/. Kafka deletes them, and every later segment: right
with replicas, wrong with one copy. Source: Kafka LogLoader, LogSegment.recover; etcd isTornEntry
(idea).
"""

import contextlib
import dataclasses
import errno
import logging
import os
import struct
import time
from typing import Any

from logcore import (
    cleaner_checkpoint,
    layout,
    leader_epochs,
    producer_snapshots,
    recovery_mark,
    segments,
    transaction_index,
)
from logcore.config import LogConfig
from logcore.errors import CorruptRecordError, error_from_errno
from logcore.producers import rebuild_producers
from logcore.scan import INCOMPLETE_TEXT, scan_segment, search_batch

MODES = ("strict", "point_in_time")
# The tail in memory while the disk has no room for a second copy of it.
MAX_TAIL_IN_MEMORY_BYTES = 256 << 20

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TIME_ENTRY = struct.Struct(">qI")  # c/index.h

_log = logging.getLogger("pylog.recovery")


@dataclasses.dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery found and did.

    Attributes:
        commit: where the log stands now, as shared.COMMIT_FIELDS.
        scanned_bytes: looked at, from the durable mark on.
        cut_bytes: moved to quarantine/.
        quarantined: files made there.
        reason: why the scan stopped early, None when it reached the end.
    """

    commit: dict[str, int]
    scanned_bytes: int
    cut_bytes: int
    quarantined: tuple[str, ...]
    reason: str | None


def empty_commit(base_offset: int, leader_epoch: int = 0) -> dict[str, int]:
    """The commit record of a log that begins, empty, at `base_offset`."""
    return {
        "segment_base_offset": base_offset,
        "end_position": 0,
        "log_end_offset": base_offset,
        "log_start_offset": base_offset,
        "offset_index_size": 0,
        "time_index_size": 0,
        "unindexed_bytes": 0,
        "max_timestamp_ms": -1,
        "max_timestamp_offset": -1,
        "time_index_last_ms": -1,
        "first_timestamp_ms": -1,
        "segment_created_ms": time.time_ns() // 1_000_000,
        "segment_list_generation": 1,
        "last_stable_offset": base_offset,
        "leader_epoch": leader_epoch,
        "first_unstable_offset": -1,
        "producer_batch_count": 0,
    }


@dataclasses.dataclass
class _Scanner:
    """Walks the segments from the mark to the end of the log, or to the first bad place."""

    folder: str
    config: LogConfig
    is_writable: bool
    scanned_bytes: int = 0
    reason: str | None = None

    def run(self, bases: list[int], mark: dict[str, int] | None) -> dict[str, int]:
        commit = self._start(bases, mark)
        while True:
            base_offset = commit["segment_base_offset"]
            following = [base for base in bases if base > base_offset]
            commit = self._scan(base_offset, commit, is_sealed=bool(following))
            if self.reason is not None or not following:
                return commit
            if following[0] != commit["log_end_offset"] and not self._allows_gaps:
                self.reason = f"the next segment begins at {following[0]}"
                return commit
            commit = self._next_segment(commit, following[0])

    @property
    def _allows_gaps(self) -> bool:
        return cleaner_checkpoint.may_have_gaps(self.folder, self.config)

    def _path(self, base_offset: int, suffix: str) -> str:
        return os.path.join(self.folder, layout.segment_file_name(base_offset, suffix))

    def _start(self, bases: list[int], mark: dict[str, int] | None) -> dict[str, int]:
        """Where to begin: at the mark, or where its segment does not help, at that segment."""
        commit = dict(mark) if mark is not None else empty_commit(bases[0])
        base_offset = commit["segment_base_offset"]
        if base_offset not in bases:  # it was empty, and never reached the disk
            base_offset = max((base for base in bases if base < base_offset), default=bases[0])
        if base_offset != commit["segment_base_offset"] or not self._indexes_hold(
            base_offset, commit
        ):
            fresh = empty_commit(base_offset)
            for name in ("log_start_offset", "producer_batch_count"):
                fresh[name] = commit[name]
            commit = fresh
        commit["last_epoch"] = -1
        return commit

    def _indexes_hold(self, base_offset: int, commit: dict[str, int]) -> bool:
        """Whether the indexes have the bytes that the mark counts on."""
        for suffix, field in (
            (layout.INDEX_SUFFIX, "offset_index_size"),
            (layout.TIME_INDEX_SUFFIX, "time_index_size"),
        ):
            path = self._path(base_offset, suffix)
            size = os.stat(path).st_size if os.path.exists(path) else 0
            if size < commit[field]:
                return False
        return True

    def _next_segment(self, commit: dict[str, int], base_offset: int) -> dict[str, int]:
        following = empty_commit(base_offset)
        for name in ("log_start_offset", "last_epoch", "producer_batch_count"):
            following[name] = commit[name]
        return following

    def _scan(self, base_offset: int, commit: dict[str, int], *, is_sealed: bool) -> dict[str, int]:
        commit["index_interval_bytes"] = self.config.index_interval_bytes
        begin = commit["end_position"]
        result: dict[str, Any] = scan_segment(
            self._path(base_offset, layout.LOG_SUFFIX), base_offset, commit, self._allows_gaps
        )
        self.scanned_bytes += result["end_position"] - begin
        self.reason = result.pop("reason")
        entries = (result.pop("offset_entries"), result.pop("time_entries"))
        last_ms = result["max_timestamp_ms"]
        if is_sealed and self.reason is None and last_ms > result["time_index_last_ms"]:
            # As a roll does: the last entry is the largest timestamp of the segment.
            last_offset = result["max_timestamp_offset"] - base_offset
            entries = (entries[0], entries[1] + _TIME_ENTRY.pack(last_ms, last_offset))
            result["time_index_last_ms"] = last_ms
        if self.is_writable:
            self._write_indexes(base_offset, result, entries)
        return result

    def _write_indexes(
        self, base_offset: int, commit: dict[str, int], entries: tuple[bytes, bytes]
    ) -> None:
        """Append the scanned entries. Without room the index stays short: it is a hint."""
        for suffix, field, data in (
            (layout.INDEX_SUFFIX, "offset_index_size", entries[0]),
            (layout.TIME_INDEX_SUFFIX, "time_index_size", entries[1]),
        ):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            try:
                fd = os.open(self._path(base_offset, suffix), flags, 0o600)
            except OSError as error:
                if error.errno not in _NO_SPACE:
                    raise
                continue  # there was none, so nothing counts on it
            try:
                os.ftruncate(fd, commit[field])
                try:
                    written = os.pwrite(fd, data, commit[field]) if data else 0
                except OSError as error:
                    if error.errno not in _NO_SPACE:
                        raise
                    written = 0
                if written == len(data):
                    commit[field] += written
                else:
                    os.ftruncate(fd, commit[field])
            finally:
                os.close(fd)


def recover(
    folder: str, config: LogConfig, mode: str, *, is_cache_trusted: bool = True
) -> Recovered:
    """Find the end of the log, cut what is torn, rebuild the indexes from the mark on.

    Only for who has the partition alone. The epoch rises by one.

    Args:
        folder: of the partition.
        config: its topic's.
        mode: one of MODES.
        is_cache_trusted: False after a failed flush: the page cache may show what the disk lost.

    Raises:
        CorruptRecordError: records that were durable are damaged, and `mode` is "strict".
    """
    bases = segments.list_bases(folder)
    epoch = _last_epoch(folder, mode)
    mark = _usable_mark(folder, bases, mode)
    if not bases:
        return Recovered(_create_first_segment(folder, mark, epoch + 1), 0, 0, (), None)
    if not is_cache_trusted:
        _drop_cache(folder, bases, mark)
    scanner = _Scanner(folder, config, is_writable=True)
    commit = scanner.run(bases, mark)
    quarantined: list[str] = []
    cut_bytes = 0
    if scanner.reason is not None:
        is_crash = _is_crash_trace(folder, commit, scanner.reason, bases, mark)
        if mode == "strict" and not is_crash:
            raise _damage(folder, commit, scanner.reason)
        cut_bytes, quarantined = _cut(folder, commit, bases, may_drop=is_crash)
        _log.warning(
            "%s: the log ends at offset %d (%s); %d bytes after it are kept in %s",
            folder, commit["log_end_offset"], scanner.reason, cut_bytes,
            ", ".join(quarantined) or "no file",
        )  # fmt: skip
    active = commit["segment_base_offset"]
    with contextlib.suppress(FileNotFoundError):  # it is sealed no more
        os.unlink(os.path.join(folder, layout.segment_file_name(active, layout.CHECKSUM_SUFFIX)))
    _sync(folder, [base for base in _from_mark(bases, mark) if base <= active])
    commit["log_start_offset"] = min(commit["log_start_offset"], commit["log_end_offset"])
    commit["log_start_offset"] = max(commit["log_start_offset"], bases[0])
    commit["leader_epoch"] = max(epoch, commit["last_epoch"], commit["leader_epoch"]) + 1
    _find_transactions(folder, commit, mark, is_writable=True)
    commit["segment_created_ms"] = time.time_ns() // 1_000_000
    commit["segment_list_generation"] = 1
    _note_epoch(folder, commit, mode)
    _write_mark(folder, commit)
    return Recovered(commit, scanner.scanned_bytes, cut_bytes, tuple(quarantined), scanner.reason)


def _find_transactions(
    folder: str, commit: dict[str, int], mark: dict[str, int] | None, *, is_writable: bool
) -> None:
    """Which transactions are open at the end of the log, and which were aborted.

    Snapshots and transaction indexes are known to be on the disk as far as the mark goes.
    """
    commit["first_unstable_offset"] = -1
    commit["last_stable_offset"] = commit["log_end_offset"]
    active = commit["segment_base_offset"]
    if is_writable:  # what speaks of a tail that was cut would be taken for the next one's
        producer_snapshots.delete_above(folder, commit["log_end_offset"])
        if transaction_index.are_sound(folder):
            transaction_index.cut(folder, active, commit["log_end_offset"])
    if commit["producer_batch_count"] > 0:
        bases = [base for base in segments.list_bases(folder) if base <= active]
        durable_offset = mark["log_end_offset"] if mark is not None else 0
        rebuild_producers(folder, bases, commit, durable_offset, is_writable=is_writable)
        if is_writable:
            _sync_folder(folder)  # the mark that follows says that they are on the disk


def _last_epoch(folder: str, mode: str) -> int:
    try:
        return max((epoch for epoch, _ in leader_epochs.read(_epochs_path(folder))), default=-1)
    except CorruptRecordError:
        if mode == "strict":
            raise
        return -1


def _note_epoch(folder: str, commit: dict[str, int], mode: str) -> None:
    path, entry = _epochs_path(folder), (commit["leader_epoch"], commit["log_end_offset"])
    try:
        try:
            leader_epochs.append(path, *entry)
        except CorruptRecordError:
            if mode == "strict":
                raise
            leader_epochs.write(path, [entry])
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        _log.warning("%s: no room to note leader epoch %d", folder, commit["leader_epoch"])


def _write_mark(folder: str, commit: dict[str, int]) -> None:
    """All that is in the log now is on the disk. Without a mark the next recovery scans more."""
    try:
        recovery_mark.write(folder, commit)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        _log.warning("%s: no room for a recovery mark", folder)


def look(folder: str, config: LogConfig) -> dict[str, int]:
    """Where the log ends, without changing a byte: for a read-only open of files at rest."""
    bases = segments.list_bases(folder)
    if not bases:
        return empty_commit(0)
    mark = _usable_mark(folder, bases, "point_in_time")
    commit = _Scanner(folder, config, is_writable=False).run(bases, mark)
    _find_transactions(folder, commit, mark, is_writable=False)
    commit["leader_epoch"] = (1 << 31) - 1  # nobody keeps the term now: no batch is too new
    commit["log_start_offset"] = min(commit["log_start_offset"], commit["log_end_offset"])
    commit["log_start_offset"] = max(commit["log_start_offset"], bases[0])
    return commit


def _epochs_path(folder: str) -> str:
    return os.path.join(folder, layout.LEADER_EPOCH_FILE)


def _usable_mark(folder: str, bases: list[int], mode: str) -> dict[str, int] | None:
    """The mark, checked against the files it speaks of.

    Raises:
        CorruptRecordError: durable bytes are gone, and `mode` is "strict".
    """
    mark = recovery_mark.read(folder)
    if mark is None:
        return None
    base_offset = mark["segment_base_offset"]
    path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
    size = os.stat(path).st_size if base_offset in bases else 0
    first = bases[0] if bases else base_offset
    lost = None
    if size < mark["end_position"]:
        lost = (
            f"{size} bytes are left of the {mark['end_position']} that were durable (offsets below "
            f"{mark['log_end_offset']})"
        )
    elif first > mark["log_start_offset"]:
        began = mark["log_start_offset"]
        lost = f"the segments below offset {first} are gone; the log began at {began}"
    if lost is None:
        return mark
    if mode == "strict":
        raise CorruptRecordError(
            f"{lost}. Restore the file from a copy, or open with recovery='point_in_time' to keep "
            "what is left",
            path=path,
            position=size,
        )
    if bases and size < mark["end_position"]:  # look at everything that is left
        return {**empty_commit(first), "log_start_offset": max(mark["log_start_offset"], first)}
    return mark


def _from_mark(bases: list[int], mark: dict[str, int] | None) -> list[int]:
    """The segments that a scan from the mark looks at."""
    begin = mark["segment_base_offset"] if mark is not None else -1
    return [base for base in bases if base >= begin] or bases[-1:]


def _create_first_segment(
    folder: str, mark: dict[str, int] | None, leader_epoch: int
) -> dict[str, int]:
    """An empty log. Offsets that were in use once are not used again."""
    commit = empty_commit(mark["log_end_offset"] if mark is not None else 0, leader_epoch)
    base_offset = commit["segment_base_offset"]
    path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
    try:
        producer_snapshots.delete_above(folder, base_offset)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.close(fd)
        leader_epochs.append(_epochs_path(folder), leader_epoch, base_offset)
        # With a mark from the first day, whatever stands before one is known to be durable.
        recovery_mark.write(folder, commit)
    except OSError as error:
        raise error_from_errno(error.errno or 0, "create", path) from error
    return commit


def _drop_cache(folder: str, bases: list[int], mark: dict[str, int] | None) -> None:
    """Have the disk read: after a failed flush the cache shows what is not there."""
    for base_offset in _from_mark(bases, mark):
        path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def _is_crash_trace(
    folder: str,
    commit: dict[str, int],
    reason: str,
    bases: list[int],
    mark: dict[str, int] | None,
) -> bool:
    """Whether the bad place may be what a power cut leaves of bytes that were not durable."""
    base_offset, position = commit["segment_base_offset"], commit["end_position"]
    path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
    if mark is not None:
        durable = (mark["segment_base_offset"], mark["end_position"])
        if (base_offset, position) < durable:
            return False
    found, has_unwritten = search_batch(path, position, commit["log_end_offset"])
    if base_offset == bases[-1]:
        return found is None or has_unwritten
    if mark is None:
        return False  # sealed segments of a log that nobody marked
    # A later segment reached the disk, and the rest of this one did not: not its bytes, or not
    # its size.
    is_short = found is None and (position == os.stat(path).st_size or reason == INCOMPLETE_TEXT)
    return has_unwritten or is_short


def _damage(folder: str, commit: dict[str, int], reason: str) -> CorruptRecordError:
    name = layout.segment_file_name(commit["segment_base_offset"], layout.LOG_SUFFIX)
    return CorruptRecordError(
        f"damaged ({reason}), with records after it. "
        "Restore the file from a copy; or open with read_only=True to read what stands before; or "
        "open with recovery='point_in_time' to cut the log there (the rest goes to quarantine/)",
        path=os.path.join(folder, name),
        position=commit["end_position"],
        offset=commit["log_end_offset"],
    )


def _cut(
    folder: str, commit: dict[str, int], bases: list[int], *, may_drop: bool
) -> tuple[int, list[str]]:
    """Move everything after the commit's end to quarantine/. Returns (bytes, files)."""
    active = commit["segment_base_offset"]
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    files: list[str] = []
    cut_bytes = 0
    for base_offset in bases:
        if base_offset <= active:
            continue
        for suffix in layout.SEGMENT_SUFFIXES:
            name = layout.segment_file_name(base_offset, suffix)
            source = os.path.join(folder, name)
            if not os.path.exists(source):
                continue
            size = os.stat(source).st_size
            if suffix == layout.LOG_SUFFIX and size:
                target = _quarantine_path(folder, f"{stamp}.{name}")
                os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
                os.replace(source, target)
                files.append(target)
                cut_bytes += size
            else:
                os.unlink(source)
    target = _quarantine_path(folder, f"{stamp}.{active:020d}.{commit['end_position']}")
    path = os.path.join(folder, layout.segment_file_name(active, layout.LOG_SUFFIX))
    kept = cut_tail(path, commit["end_position"], target, may_drop=may_drop)
    if kept:
        files.append(target)
    return cut_bytes + kept, files


def _quarantine_path(folder: str, name: str) -> str:
    """A place in quarantine/ that holds nothing yet."""
    path = os.path.join(folder, layout.QUARANTINE_DIR, name)
    number = 0
    while os.path.lexists(path if not number else f"{path}.{number}"):
        number += 1
    return path if not number else f"{path}.{number}"


def cut_tail(path: str, end_position: int, target: str, *, may_drop: bool = False) -> int:
    """Cut a file at a position and keep the cut bytes in `target`, unless they are all zeros.

    Args:
        path: of the file.
        end_position: where to cut, in bytes.
        target: the copy to make; its folder is made too.
        may_drop: the bytes were never acknowledged as durable. On a full disk they then make room
            for their own copy, being cut first; where that is not enough, they are lost.

    Returns:
        Bytes kept.

    Raises:
        DiskFullError: no room for the copy, and not `may_drop`. Nothing was cut.
        LogIOError: likewise.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(fd).st_size - end_position
        if size <= 0:
            return 0
        tail = os.pread(fd, min(size, MAX_TAIL_IN_MEMORY_BYTES), end_position).rstrip(b"\0")
        if not tail and size <= MAX_TAIL_IN_MEMORY_BYTES:
            size = 0
        else:
            try:
                _copy_tail(fd, end_position, size, target)
            except OSError as error:
                if not may_drop or error.errno not in _NO_SPACE or size > MAX_TAIL_IN_MEMORY_BYTES:
                    raise error_from_errno(
                        error.errno or 0, "set aside the tail of", path
                    ) from error
                os.ftruncate(fd, end_position)
                size = _keep_from_memory(tail, size, target)
        os.ftruncate(fd, end_position)
        os.fdatasync(fd)
        return size
    finally:
        os.close(fd)


def _copy_tail(fd: int, position: int, size: int, target: str) -> None:
    quarantine = os.path.dirname(target)
    try:
        os.makedirs(quarantine, mode=0o700, exist_ok=True)
        with open(target, "xb") as file:
            end = position + size
            while position < end:
                chunk = os.pread(fd, min(1 << 20, end - position), position)
                file.write(chunk)
                position += len(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise
    _sync_folder(quarantine)
    _sync_folder(os.path.dirname(quarantine))


def _keep_from_memory(tail: bytes, size: int, target: str) -> int:
    try:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        with open(target, "xb") as file:
            file.write(tail)
        return size
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(target)
        _log.warning(
            "%s: %d bytes that were never acknowledged are lost: %s", target, size, error.strerror
        )
        return 0


def _sync(folder: str, bases: list[int]) -> None:
    """Make what the scan found durable: nobody knows whether it was."""
    for base_offset in bases:
        path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fdatasync(fd)
        except OSError as error:
            raise error_from_errno(error.errno or 0, "sync", path) from error
        finally:
            os.close(fd)
    _sync_folder(folder)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
