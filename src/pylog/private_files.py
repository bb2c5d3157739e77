"""Descriptors that a forked child must not keep: those that hold locks.

A lock belongs to the open file, which fork() shares: as long as a child has a copy of the
descriptor, its killed parent looks alive. So these are closed in the child, and none is opened or
closed while another thread forks. Programs that are started by exec never see them (O_CLOEXEC).
"""

import os
import threading

_lock = threading.RLock()
_descriptors: set[int] = set()
_fork_count = 0


def open_private(path: str, flags: int) -> int:
    """Open a file, made with mode 0600 if `flags` say so."""
    with _lock:
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        _descriptors.add(fd)
        return fd


def close_private(fd: int, opened_at: int) -> None:
    """Close what was opened when `fork_count` was `opened_at`; a child has it closed already."""
    with _lock:
        if opened_at == _fork_count:
            _descriptors.discard(fd)
            os.close(fd)


def fork_count() -> int:
    """Rises in a forked child: what was made before belongs to its parent."""
    return _fork_count


def _forget_parent() -> None:
    global _lock, _fork_count
    _lock = threading.RLock()
    _fork_count += 1
    for fd in _descriptors:
        os.close(fd)
    _descriptors.clear()


os.register_at_fork(
    before=lambda: _lock.acquire(),
    after_in_parent=lambda: _lock.release(),
    after_in_child=_forget_parent,
)
