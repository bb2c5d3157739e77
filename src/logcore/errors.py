"""Errors of the storage core: what can go wrong with one partition's log on disk.

```
LogError
 ├─ CorruptRecordError           bytes on disk that are not what was written
 ├─ OffsetOutOfRangeError        below log_start_offset or above log_end_offset
 ├─ OffsetMismatchError          an append that expected another log_end_offset
 ├─ RecordTooLargeError          over max.message.bytes
 ├─ InvalidRecordError           a batch that breaks the producer's rules
 ├─ DiskFullError                no space, no quota, file size limit
 ├─ FsyncError                   a flush failed: the partition is poisoned
 ├─ LogIOError                   any other error of the operating system
 ├─ LockTimeoutError             a living process holds the writer lock
 ├─ ProducerError                a producer with an id that is not in step with the log
 │   ├─ OutOfOrderSequenceError    a batch is missing before this one
 │   ├─ InvalidProducerEpochError  another producer took over its id
 │   └─ InvalidTxnStateError       a batch outside of the open transaction
 ├─ UnsupportedFormatError       not ours, newer than us, or of another machine
 ├─ UnsupportedFileSystemError   a file system that cannot be shared safely
 ├─ ReadOnlyError                a write through a read-only open
 └─ LogClosedError               use after close
```
A message says what, where, expected and found, and the operator's action when there is one.
"""

import errno
import os

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class LogError(Exception):
    """Base of every error of the storage core."""


class CorruptRecordError(LogError):
    """Bytes on disk are not what was written; run `pylog doctor` on the folder.

    Attributes:
        path: file that holds the bytes, or None when they came from memory.
        position: byte in that file, or None.
        offset: log offset that was being read, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | os.PathLike[str] | None = None,
        position: int | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.path = None if path is None else str(path)
        self.position = position
        self.offset = offset

    def __str__(self) -> str:
        places = (("", self.path), ("position ", self.position), ("offset ", self.offset))
        where = ", ".join(f"{label}{place}" for label, place in places if place is not None)
        message = super().__str__()
        return f"{message} ({where})" if where else message


class OffsetOutOfRangeError(LogError):
    """The requested offset is outside log_start_offset..log_end_offset.

    Attributes:
        offset, log_start_offset, log_end_offset: -1 where unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        offset: int = -1,
        log_start_offset: int = -1,
        log_end_offset: int = -1,
    ) -> None:
        super().__init__(message)
        self.offset = offset
        self.log_start_offset = log_start_offset
        self.log_end_offset = log_end_offset


class OffsetMismatchError(LogError):
    """An append with `expected_offset` found that somebody else had appended first.

    Nothing was written. Read what is new, decide again, append again.

    Attributes:
        expected_offset: what the caller took for the end of the log.
        log_end_offset: the end of the log when the append was tried.
    """

    def __init__(
        self, message: str, *, expected_offset: int = -1, log_end_offset: int = -1
    ) -> None:
        super().__init__(message)
        self.expected_offset = expected_offset
        self.log_end_offset = log_end_offset


class RecordTooLargeError(LogError):
    """A batch is larger than max.message.bytes or than a segment."""


class InvalidRecordError(LogError):
    """A batch breaks the rules for producers: counts, codec bits, decompressed size."""


class _OperatingSystemError(LogError):
    """Carries the errno; never raised itself."""

    def __init__(
        self, message: str, *, errno: int | None = None, path: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__(message)
        self.errno = errno
        self.path = None if path is None else str(path)


class DiskFullError(_OperatingSystemError):
    """No space, no quota or the file size limit (ENOSPC, EDQUOT, EFBIG); nothing was published.

    Attributes:
        errno: the operating system's number, or None.
        path: the file or folder, or None.
    """


class FsyncError(_OperatingSystemError):
    """A flush to disk failed: what was not yet durable may be gone.

    The partition is poisoned for every process until all have closed it and one has reopened
    and recovered it. A second fsync would report success for data that the kernel has dropped,
    so none is tried.

    Attributes:
        errno: the operating system's number, or None.
        path: the file, or None.
    """


class LogIOError(_OperatingSystemError):
    """The operating system refused an operation for another reason than space.

    Attributes:
        errno: the operating system's number, or None.
        path: the file or folder, or None.
    """


class LockTimeoutError(LogError):
    """A living process held the writer lock for too long; it is never taken from it.

    Attributes:
        pid: process id of the owner in its own namespace, or None.
        seconds: how long this process waited, or None.
    """

    def __init__(
        self, message: str, *, pid: int | None = None, seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.pid = pid
        self.seconds = seconds


class ProducerError(LogError):
    """A producer with an id is not in step with what the log holds of it; nothing was written."""


class OutOfOrderSequenceError(ProducerError):
    """The batch does not follow the producer's last one: a batch between them is missing."""


class InvalidProducerEpochError(ProducerError):
    """A newer epoch of the producer id has written: another producer took over."""


class InvalidTxnStateError(ProducerError):
    """A batch outside of the transaction that its producer has open here."""


class UnsupportedFormatError(LogError):
    """The folder or file is not ours, is newer than this version, or has another byte order."""


class UnsupportedFileSystemError(LogError):
    """The file system (NFS, SMB, 9p ...) cannot be shared safely between processes."""


class ReadOnlyError(LogError):
    """A write through a log that was opened read-only."""


class LogClosedError(LogError):
    """The log was used after close."""


def error_from_errno(
    number: int, action: str, path: str | os.PathLike[str] | None = None
) -> DiskFullError | LogIOError:
    """Return the error for a failed system call.

    Args:
        number: errno, positive.
        action: what was tried, as in "append to" or "create".
        path: the file or folder it was tried on.

    Returns:
        DiskFullError for ENOSPC, EDQUOT and EFBIG, LogIOError for the rest; not raised.

    >>> str(error_from_errno(errno.ENOSPC, "append to", "/data/t-0/00.log"))
    'cannot append to /data/t-0/00.log: No space left on device'
    """
    place = "" if path is None else f" {path}"
    message = f"cannot {action}{place}: {os.strerror(number)}"
    kind = DiskFullError if number in _NO_SPACE else LogIOError
    return kind(message, errno=number, path=path)
