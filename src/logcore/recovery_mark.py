"""The `.recovery` file: up to where the log is known to be on the disk.

Two slots of 512 bytes, written in turn; the valid one with the higher sequence counts, so a torn
write of one leaves the other. All big-endian:

    byte   0..7    magic     "pylogrec"
    byte   8..11   version   uint32, 2
    byte  12..19   sequence  int64
    byte  20..155  17 x int64, the commit record's fields (shared.COMMIT_FIELDS)
    byte 156..159  crc       uint32, CRC-32C of bytes 0..155
    byte 160..511  zeros

Recovery after a crash of the machine begins at the mark. It is written when the partition is made
or recovered, when records were deleted, and whenever a caller of Log.write_recovery_mark says so.
"""

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator

from logcore import layout
from logcore.batch import crc32c
from logcore.errors import error_from_errno
from logcore.shared import COMMIT_FIELDS

MAGIC = b"pylogrec"
VERSION = 2
SLOT_SIZE = 512
_BODY = struct.Struct(f">8sIq{len(COMMIT_FIELDS)}q")
_CRC = struct.Struct(">I")


def _decode(slot: bytes) -> tuple[int, dict[str, int]] | None:
    if len(slot) < _BODY.size + _CRC.size:
        return None
    magic, version, sequence, *values = _BODY.unpack_from(slot)
    (crc,) = _CRC.unpack_from(slot, _BODY.size)
    if magic != MAGIC or version != VERSION or crc != crc32c(slot[: _BODY.size]):
        return None
    return sequence, dict(zip(COMMIT_FIELDS, values, strict=True))


def _read_newest(data: bytes) -> tuple[int, dict[str, int]] | None:
    slots = [_decode(data[at : at + SLOT_SIZE]) for at in (0, SLOT_SIZE)]
    return max((slot for slot in slots if slot), key=lambda slot: slot[0], default=None)


def read(folder: str) -> dict[str, int] | None:
    """The newest valid mark's commit fields, or None.

    Args:
        folder: of the partition.
    """
    try:
        with open(os.path.join(folder, layout.RECOVERY_FILE), "rb") as file:
            newest = _read_newest(file.read(2 * SLOT_SIZE))
    except FileNotFoundError:
        return None
    return newest[1] if newest else None


def write_for(log, shared) -> None:  # type: ignore[no-untyped-def]
    """Flush a log and its active indexes, and mark where it stood before that.

    Args:
        log: the Log, kept open by the caller.
        shared: its SharedState.

    Raises:
        FsyncError: the flush failed, now or before.
        DiskFullError, LogIOError: the mark could not be written; the older one still counts.
    """
    path = os.path.join(log.path, layout.RECOVERY_FILE)
    try:
        with _locked(log.path) as fd:
            commit = shared.commit()
            log.flush()
            for suffix in (layout.INDEX_SUFFIX, layout.TIME_INDEX_SUFFIX):
                name = layout.segment_file_name(commit["segment_base_offset"], suffix)
                _sync(os.path.join(log.path, name))
            if commit["producer_batch_count"] > 0:
                _sync_transaction_indexes(log.path, commit, fd)
            _write_slot(log.path, fd, commit)
    except OSError as error:
        raise error_from_errno(error.errno or 0, "write", path) from error


def _sync_transaction_indexes(folder: str, commit: dict[str, int], fd: int) -> None:
    """Those of the segments since the last mark: recovery believes what they say below a mark."""
    newest = _read_newest(os.pread(fd, 2 * SLOT_SIZE, 0))
    begin = newest[1]["segment_base_offset"] if newest else 0
    names = map(layout.parse_segment_file_name, os.listdir(folder))
    for base_offset, suffix in [name for name in names if name is not None]:
        if suffix == layout.TXN_INDEX_SUFFIX and base_offset >= begin:
            _sync(os.path.join(folder, layout.segment_file_name(base_offset, suffix)))
    _sync(folder)


def write(folder: str, commit: dict[str, int]) -> None:
    """Write a mark for who has the partition alone, with all of it on the disk.

    Raises:
        OSError: the older mark still counts.
    """
    with _locked(folder) as fd:
        _write_slot(folder, fd, commit)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[int]:
    """The open file. One writer at a time, so that the mark never goes back."""
    path = os.path.join(folder, layout.RECOVERY_FILE)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, _lock_of_file(fcntl.F_WRLCK))
        try:
            yield fd
        finally:
            # Not left to close: a child that was forked meanwhile holds a copy of the descriptor.
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _lock_of_file(fcntl.F_UNLCK))
    finally:
        os.close(fd)


def _lock_of_file(kind: int) -> bytes:
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0)


def _write_slot(folder: str, fd: int, commit: dict[str, int]) -> None:
    """Write a commit record, all of whose bytes are on the disk, into the older slot."""
    newest = _read_newest(os.pread(fd, 2 * SLOT_SIZE, 0))
    sequence = newest[0] + 1 if newest else 0
    body = _BODY.pack(MAGIC, VERSION, sequence, *(commit[name] for name in COMMIT_FIELDS))
    slot = (body + _CRC.pack(crc32c(body))).ljust(SLOT_SIZE, b"\0")
    written = os.pwrite(fd, slot, sequence % 2 * SLOT_SIZE)
    if written != SLOT_SIZE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fdatasync(fd)
    if newest is None:  # the file may be new
        _sync(folder)


def _sync(path: str) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return  # an index that has no entry yet
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
