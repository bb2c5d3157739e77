"""CoordinatorLock: who may decide on a folder's transactions, and which producers are alive.

    <folder>/.transactions.lock
        byte 0                                    the mutex: its holder is the coordinator
        byte 1000 + producer_id * 65536 + epoch   proof of life of the producer with that identity
        its text                                  what a holder wants to be known in this boot

Locks are OFD locks: the kernel drops them when the process dies, however it dies. They belong to
the open file, so a forked child closes its copy at once; and what one process holds it does not see
in the file, so it keeps a list of its own producers.

A process that stops (SIGSTOP) with the mutex keeps it: it may go on writing where it was. It is
held for microseconds, or for one flush where something abandoned is ended.
"""

import contextlib
import os
import threading
from typing import NoReturn

from pylog import byte_locks
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import as_kafka_exception, refuse
from pylog.private_files import close_private, fork_count, open_private

LOCK_FILE = ".transactions.lock"
DEFAULT_TIMEOUT_S = 30.0

_MUTEX_BYTE = 0
_FIRST_LIVE_BYTE = 1000
_MAX_TEXT_BYTES = 4096


class CoordinatorLock:
    """One open handle on a folder's lock file; safe for several threads.

    Attributes:
        threads: the part of the mutex that keeps this process's threads apart; who only looks at
            what they share takes this alone.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, LOCK_FILE)
        self._fd = -1
        self._fork_count = fork_count()
        self._alive: set[tuple[int, int]] = set()
        self.threads = threading.RLock()

    def open(self) -> None:
        """Open the file; made when missing."""
        self._fd = open_private(self._path, os.O_RDWR | os.O_CREAT)

    def close(self) -> None:
        """Give up the file and every lock. Idempotent."""
        fd, self._fd = self._fd, -1
        self._alive.clear()
        if fd >= 0:
            close_private(fd, self._fork_count)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    @property
    def is_of_parent(self) -> bool:
        """Whether this handle was made before a fork, by the parent."""
        return self._fork_count != fork_count()

    # ---- the mutex ----

    def take(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Be the coordinator, until `give`. With `threads` held; not twice.

        Raises:
            KafkaException: _TIMED_OUT: another process, alive, keeps it.
        """
        try:
            if byte_locks.lock_within(self._fd, _MUTEX_BYTE, timeout_s):
                return
        except OSError as error:
            raise as_kafka_exception(error, self._path) from error
        raise KafkaException(
            KafkaError(
                KafkaError._TIMED_OUT,
                f"{self._path}: held for {timeout_s:g} s by another process, which is alive; it "
                "may be stopped. Call again to go on",
                retriable=True,
            )
        )

    def give(self) -> None:
        """Let others be the coordinator."""
        try:  # noqa: SIM105 (it is in the way of every transaction)
            byte_locks.unlock(self._fd, _MUTEX_BYTE)
        except OSError:
            pass  # closed meanwhile

    # ---- who is alive ----

    def claim(self, producer_id: int, epoch: int) -> None:
        """Say that the producer with this identity is in this process, and alive."""
        with self.threads:
            if not byte_locks.try_lock(self._fd, _live_byte(producer_id, epoch)):
                refuse(
                    KafkaError._STATE,
                    f"{self._path}: producer {producer_id} epoch {epoch} lives in another process",
                )
            self._alive.add((producer_id, epoch))

    def release(self, producer_id: int, epoch: int) -> None:
        """Say that the producer with this identity is no more. Idempotent."""
        if self.is_of_parent or (producer_id, epoch) not in self._alive:
            return
        with self.threads:
            self._alive.discard((producer_id, epoch))
            with contextlib.suppress(OSError):
                byte_locks.unlock(self._fd, _live_byte(producer_id, epoch))

    def has(self, producer_id: int, epoch: int) -> bool:
        """Return whether the producer with this identity is in this process."""
        return (producer_id, epoch) in self._alive

    def is_alive(self, producer_id: int, epoch: int) -> bool:
        """Return whether the producer with this identity is alive, in whatever process."""
        if self.has(producer_id, epoch):
            return True
        return byte_locks.is_locked(self._fd, _live_byte(producer_id, epoch))

    # ---- the text ----

    def read_text(self) -> str:
        """What `write_text` wrote last. With the mutex held."""
        return os.pread(self._fd, _MAX_TEXT_BYTES, 0).rstrip(b"\0 ").decode("ascii", "replace")

    def write_text(self, text: str) -> None:
        """Leave a note; it lives as long as the boot, no longer. With the mutex held."""
        data = text.encode("ascii")
        assert len(data) <= _MAX_TEXT_BYTES
        os.pwrite(self._fd, data, 0)
        os.ftruncate(self._fd, len(data))


def refuse_forked() -> NoReturn:
    """Refuse to act for a producer of the parent process."""
    refuse(
        KafkaError._STATE,
        "this producer belongs to the parent process; make a Producer in the child",
    )


def _live_byte(producer_id: int, epoch: int) -> int:
    return _FIRST_LIVE_BYTE + (producer_id << 16 | epoch)
