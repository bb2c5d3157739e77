"""KeptFile: a small table of a server that stays in the folder, one `key=value` a line.

    <folder>/.server.kept.lock     flock: one process at a time changes such a file

A change reads the file under the lock, whoever wrote it last, and keeps what it makes of that: it
is written elsewhere, synced and renamed into its place, so that after a crash there is the old one
or the new one. Reading needs no lock. Mode 0600, as all files of a folder.
"""

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from pylog.folder_changes import lock_file
from pylog.folder_files import is_settled, read_properties, sync_folder, write_properties

_log = logging.getLogger("pylog.server")

LOCK_FILE = ".server.kept.lock"
LOCK_TIMEOUT_MS = 10_000


class KeptFile:
    """A table of text in a file. Threads and processes may change it at the same time.

    Args:
        path: of the file, which need not exist.
        take: called with the table as it is now, at once and whenever it is another one; never by
            two threads at a time.

    Attributes:
        table: as it is now; not to be changed.
    """

    def __init__(
        self, path: str, take: Callable[[Mapping[str, str]], None] = lambda table: None
    ) -> None:
        self._path = path
        self._take = take
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._is_settled = False
        self.table: Mapping[str, str] = {}
        with self._lock:
            self._read()
            take(self.table)

    def refresh(self, now_s: float = 0.0) -> bool:
        """Take up what another process has changed: True if one has.

        It waits for nobody: a thread that changes the table takes it up itself.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._refresh()
        finally:
            self._lock.release()

    def change(self, change: Callable[[dict[str, str]], bool]) -> bool:
        """Let `change` change a copy of the table, and keep that. Waits for the disk.

        Args:
            change: returns whether it changed anything. What others changed has been taken up when
                it is called, and nobody changes anything until it is kept.

        Returns:
            What `change` returned.

        Raises:
            OSError: it cannot be written; then nothing has changed.
            LockTimeoutError: another process held the lock for too long.
        """
        with self._lock, self._alone():
            self._refresh()
            table = dict(self.table)
            if not change(table):
                return False
            temporary = f"{self._path}.tmp"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # a crash left it behind
            write_properties(temporary, table)
            os.rename(temporary, self._path)
            sync_folder(os.path.dirname(self._path))
            self._refresh()
            return True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        fd = lock_file(os.path.join(os.path.dirname(self._path), LOCK_FILE), LOCK_TIMEOUT_MS)
        try:
            yield
        finally:
            # Said aloud: a child that was forked meanwhile may have a copy of the descriptor.
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    def _refresh(self) -> bool:
        before = self.table
        self._read()
        if self.table == before:
            return False
        self._take(self.table)
        return True

    def _read(self) -> None:
        now_ns = time.time_ns()
        try:
            status = os.stat(self._path)
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp == self._stamp and self._is_settled:
                return
            self.table = read_properties(self._path)
        except FileNotFoundError:
            self.table, self._stamp = {}, ()
            return
        if stamp != self._stamp and status.st_mode & 0o077:
            _log.warning("%s: others than its owner may read it", self._path)
        self._stamp = stamp
        self._is_settled = is_settled(status.st_mtime_ns, now_ns)
