"""Locks on single bytes of a file, which the kernel drops when their process dies, however it dies.

They are OFD locks: they belong to the open file, not to the process, so two open files of one
process shut each other out as two processes do, and the open file that holds a byte does not see it
as locked. See pylog.private_files for what fork() does to them. Source: fcntl(2).
"""

import errno
import fcntl
import os
import struct
import time

_FLOCK = struct.Struct("hhqqi4x")  # struct flock: type, whence, start, length, pid
_BUSY = frozenset({errno.EAGAIN, errno.EACCES})
_FIRST_NAP_S = 0.00002
_LONGEST_NAP_S = 0.001


def try_lock(fd: int, byte: int) -> bool:
    """Lock a byte, if no other open file has it.

    Raises:
        OSError: another reason.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True


def lock_within(fd: int, byte: int, timeout_s: float) -> bool:
    """Lock a byte as soon as it is free; False after `timeout_s` seconds of waiting.

    It naps between tries, for at most a millisecond: a wait in the kernel could not be ended.
    """
    deadline_s = -1.0
    nap_s = _FIRST_NAP_S
    while not try_lock(fd, byte):
        now_s = time.monotonic()
        if deadline_s < 0:
            deadline_s = now_s + timeout_s
        elif now_s > deadline_s:
            return False
        time.sleep(nap_s)
        nap_s = min(nap_s * 2, _LONGEST_NAP_S)
    return True


def unlock(fd: int, byte: int) -> None:
    """Give a byte up."""
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0))


def is_locked(fd: int, byte: int) -> bool:
    """Whether another open file has the byte."""
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind: int = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, wanted))[0]
    return kind != fcntl.F_UNLCK
