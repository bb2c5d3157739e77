"""Recovery: make a partition's files true again after a crash of the machine.

The scan begins at the durable mark (recovery_mark.py) and stops at the first batch that does not
pass. What follows decides what the stop means:

- nothing valid follows: a torn tail, the normal trace of a crash. Cut there.
- valid batches follow and zeros lie between: a power cut wrote later pages and not these. Nothing
  from here on was acknowledged as durable. Cut there.
- valid batches follow directly, or the bad place is in a segment that was sealed and durable:
  damage. "strict" refuses to open; "point_in_time" cuts there.

Bytes that are cut are kept under quarantine/. Kafka deletes them, and every later segment: right
with replicas, wrong with one copy. Source: Kafka LogLoader, LogSegment.recover; etcd isTornEntry
(idea).
"""

import dataclasses
import errno
import logging
import os
import time

from logcore import layout, leader_epochs, recovery_mark, segments
from logcore.config import LogConfig
from logcore.errors import CorruptRecordError, error_from_errno
from logcore.scan import scan_segment, search_batch

MODES = ("strict", "point_in_time")
# The tail in memory while the disk has no room for a second copy of it.
MAX_TAIL_IN_MEMORY_BYTES = 256 << 20

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
            commit = self._scan(base_offset, commit)
            if self.reason is not None:
                return commit
            following = [base for base in bases if base > base_offset]
            if not following:
                return commit
            if following[0] != commit["log_end_offset"] and not self._allows_gaps:
                self.reason = f"the next segment begins at {following[0]}"
                return commit
            commit = self._next_segment(commit, following[0])

    @property
    def _allows_gaps(self) -> bool:
        return "compact" in self.config.cleanup_policy

    def _path(self, base_offset: int, suffix: str) -> str:
        return os.path.join(self.folder, layout.segment_file_name(base_offset, suffix))

    def _start(self, bases: list[int], mark: dict[str, int] | None) -> dict[str, int]:
        if mark is None:
            commit = empty_commit(bases[0])
            commit["last_epoch"] = -1
            return commit
        commit = dict(mark)
        base_offset = commit["segment_base_offset"]
        path = self._path(base_offset, layout.LOG_SUFFIX)
        size = os.stat(path).st_size if base_offset in bases else -1
        if size < commit["end_position"]:
            raise CorruptRecordError(
                f"{max(size, 0)} bytes are left of the {commit['end_position']} that were "
                f"durable (offsets below {commit['log_end_offset']}). Restore the file from a "
                "copy, or open with recovery='point_in_time' to keep what stands before",
                path=path,
                position=max(size, 0),
            )
        commit["last_epoch"] = -1
        if not self._indexes_hold(base_offset, commit):
            fresh = empty_commit(base_offset)
            fresh["log_start_offset"] = commit["log_start_offset"]
            fresh["last_epoch"] = -1
            return fresh
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
        for name in ("log_start_offset", "last_epoch"):
            following[name] = commit[name]
        return following

    def _scan(self, base_offset: int, commit: dict[str, int]) -> dict[str, int]:
        commit["index_interval_bytes"] = self.config.index_interval_bytes
        begin = commit["end_position"]
        result: dict = scan_segment(
            self._path(base_offset, layout.LOG_SUFFIX), base_offset, commit, self._allows_gaps
        )
        self.scanned_bytes += result["end_position"] - begin
        self.reason = result.pop("reason")
        entries = (result.pop("offset_entries"), result.pop("time_entries"))
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
            fd = os.open(
                self._path(base_offset, suffix),
                os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o600,
            )
            try:
                os.ftruncate(fd, commit[field])
                try:
                    written = os.pwrite(fd, data, commit[field]) if data else 0
                except OSError:
                    written = 0
                if written == len(data):
                    commit[field] += written
                else:
                    os.ftruncate(fd, commit[field])
            finally:
                os.close(fd)


def recover(folder: str, config: LogConfig, mode: str) -> Recovered:
    """Find the end of the log, cut what is torn, rebuild the indexes from the mark on.

    Only for who has the partition alone. The epoch rises by one.

    Raises:
        CorruptRecordError: records that were durable are damaged, and `mode` is "strict".
    """
    bases = segments.list_bases(folder)
    epoch = max((epoch for epoch, _ in leader_epochs.read(_epochs_path(folder))), default=-1)
    if not bases:
        return Recovered(_create_first_segment(folder, epoch + 1), 0, 0, (), None)
    mark = _usable_mark(folder, bases, mode)
    _drop_cache(folder, bases)
    scanner = _Scanner(folder, config, is_writable=True)
    commit = scanner.run(bases, mark)
    quarantined: list[str] = []
    cut_bytes = 0
    if scanner.reason is not None:
        path = os.path.join(
            folder, layout.segment_file_name(commit["segment_base_offset"], layout.LOG_SUFFIX)
        )
        if mode == "strict":
            _refuse_damage(path, commit, scanner.reason, bases, mark)
        cut_bytes, quarantined = _cut(folder, commit, bases)
        _log.warning(
            "%s: the log ends at offset %d (%s); %d bytes after it are kept in %s",
            folder, commit["log_end_offset"], scanner.reason, cut_bytes,
            ", ".join(quarantined) or "no file: they were zeros",
        )  # fmt: skip
    _sync_tail(folder, commit["segment_base_offset"])
    commit["log_start_offset"] = min(commit["log_start_offset"], commit["log_end_offset"])
    commit["log_start_offset"] = max(commit["log_start_offset"], bases[0])
    commit["leader_epoch"] = max(epoch, commit["last_epoch"], commit["leader_epoch"]) + 1
    commit["last_stable_offset"] = commit["log_end_offset"]
    commit["segment_created_ms"] = time.time_ns() // 1_000_000
    commit["segment_list_generation"] = 1
    try:
        leader_epochs.append(_epochs_path(folder), commit["leader_epoch"], commit["log_end_offset"])
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _log.warning("%s: no room to note leader epoch %d", folder, commit["leader_epoch"])
    return Recovered(commit, scanner.scanned_bytes, cut_bytes, tuple(quarantined), scanner.reason)


def look(folder: str, config: LogConfig) -> dict[str, int]:
    """Where the log ends, without changing a byte: for a read-only open of files at rest."""
    bases = segments.list_bases(folder)
    if not bases:
        return empty_commit(0)
    mark = recovery_mark.read(folder)
    if mark is not None and mark["segment_base_offset"] not in bases:
        mark = None
    commit = _Scanner(folder, config, is_writable=False).run(bases, mark)
    commit["leader_epoch"] = (1 << 31) - 1  # nobody keeps the term now: no batch is too new
    commit["log_start_offset"] = max(commit["log_start_offset"], bases[0])
    return commit


def _epochs_path(folder: str) -> str:
    return os.path.join(folder, layout.LEADER_EPOCH_FILE)


def _usable_mark(folder: str, bases: list[int], mode: str) -> dict[str, int] | None:
    mark = recovery_mark.read(folder)
    if mark is None or mode == "strict":
        return mark
    path = os.path.join(
        folder, layout.segment_file_name(mark["segment_base_offset"], layout.LOG_SUFFIX)
    )
    if not os.path.exists(path) or os.stat(path).st_size < mark["end_position"]:
        return None  # what was durable is gone: look at everything that is left
    return mark


def _create_first_segment(folder: str, leader_epoch: int) -> dict[str, int]:
    commit = empty_commit(0, leader_epoch)
    path = os.path.join(folder, layout.segment_file_name(0, layout.LOG_SUFFIX))
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.close(fd)
        leader_epochs.write(_epochs_path(folder), [(leader_epoch, 0)])
    except OSError as error:
        raise error_from_errno(error.errno or 0, "create", path) from error
    return commit


def _drop_cache(folder: str, bases: list[int]) -> None:
    """Look at what the disk has: after a failed flush the cache shows what is not there."""
    for base_offset in bases[-2:]:
        path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def _refuse_damage(
    path: str, commit: dict[str, int], reason: str, bases: list[int], mark: dict[str, int] | None
) -> None:
    """Raise where the bad place cannot be the trace of a crash."""
    position, offset = commit["end_position"], commit["log_end_offset"]
    found, has_zeros = search_batch(path, position, offset)
    is_last = commit["segment_base_offset"] == bases[-1]
    if is_last and (found is None or has_zeros):
        return
    if mark is not None and has_zeros:
        return
    if not is_last and found is None and mark is not None and position == os.stat(path).st_size:
        return  # the rest of this segment never reached the disk, later ones did
    raise CorruptRecordError(
        f"damaged ({reason}), with records after it. "
        "Restore the file from a copy; or open with read_only=True to read what stands before; or "
        "open with recovery='point_in_time' to cut the log there (the rest goes to quarantine/)",
        path=path,
        position=position,
        offset=offset,
    )


def _cut(folder: str, commit: dict[str, int], bases: list[int]) -> tuple[int, list[str]]:
    """Move everything after the commit's end to quarantine/. Returns (bytes, files)."""
    quarantine = os.path.join(folder, layout.QUARANTINE_DIR)
    active = commit["segment_base_offset"]
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    files: list[str] = []
    cut_bytes = 0
    os.makedirs(quarantine, mode=0o700, exist_ok=True)
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
                target = os.path.join(quarantine, f"{stamp}.{name}")
                os.replace(source, target)
                files.append(target)
                cut_bytes += size
            else:
                os.unlink(source)
    target = os.path.join(quarantine, f"{stamp}.{active:020d}.{commit['end_position']}")
    path = os.path.join(folder, layout.segment_file_name(active, layout.LOG_SUFFIX))
    kept = cut_tail(path, commit["end_position"], target)
    if kept:
        files.append(target)
    return cut_bytes + kept, files


def cut_tail(path: str, end_position: int, target: str) -> int:
    """Cut a file at a position and keep the cut bytes in `target`, unless they are all zeros.

    On a full disk the tail makes room for its own copy: it is cut first and written then.

    Returns:
        Bytes kept.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(fd).st_size - end_position
        if size <= 0:
            return 0
        tail = os.pread(fd, min(size, MAX_TAIL_IN_MEMORY_BYTES), end_position).rstrip(b"\0")
        if not tail and size <= MAX_TAIL_IN_MEMORY_BYTES:
            os.ftruncate(fd, end_position)
            os.fdatasync(fd)
            return 0
        try:
            _copy_tail(fd, end_position, size, target)
            os.ftruncate(fd, end_position)
        except OSError as error:
            if error.errno != errno.ENOSPC or size > MAX_TAIL_IN_MEMORY_BYTES:
                raise error_from_errno(error.errno or 0, "set aside the tail of", path) from error
            os.unlink(target)
            os.ftruncate(fd, end_position)
            with open(target, "wb") as file:
                file.write(tail)
        os.fdatasync(fd)
        return size
    finally:
        os.close(fd)


def _copy_tail(fd: int, position: int, size: int, target: str) -> None:
    with open(target, "wb") as file:
        end = position + size
        while position < end:
            chunk = os.pread(fd, min(1 << 20, end - position), position)
            file.write(chunk)
            position += len(chunk)
        file.flush()
        os.fsync(file.fileno())


def _sync_tail(folder: str, base_offset: int) -> None:
    path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fdatasync(fd)
    except OSError as error:
        raise error_from_errno(error.errno or 0, "sync", path) from error
    finally:
        os.close(fd)
