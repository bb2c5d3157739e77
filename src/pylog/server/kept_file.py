"""KeptFile: a small table of a server that stays in the folder, one `key=value` a line.

It is written elsewhere, synced and renamed into its place, so that after a crash there is the old
one or the new one. Mode 0600, as all files of a folder.
"""

import logging
import os
import threading
import uuid
from collections.abc import Callable, Mapping

from pylog.folder_files import read_properties, sync_folder, write_properties

_log = logging.getLogger("pylog.server")


class KeptFile:
    """A table of text in a file. Reading takes no lock: a change makes a new table.

    Args:
        path: of the file, which need not exist.

    Attributes:
        table: as it is now; not to be changed.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self.table: Mapping[str, str] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read it again if another process has changed it: True if one has."""
        try:
            status = os.stat(self._path)
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return False
            self.table = read_properties(self._path)
        except FileNotFoundError:
            return False
        self._stamp = stamp
        if status.st_mode & 0o077:
            _log.warning("%s: others than its owner may read it", self._path)
        return True

    def change(self, change: Callable[[dict[str, str]], bool]) -> bool:
        """Let `change` change a copy of the table, and keep that. Waits for the disk.

        Args:
            change: returns whether it changed anything.

        Returns:
            What `change` returned.

        Raises:
            OSError: it cannot be written; then nothing has changed.
        """
        with self._lock:
            self.refresh()
            table = dict(self.table)
            if not change(table):
                return False
            temporary = f"{self._path}.{uuid.uuid4().hex}.tmp"
            write_properties(temporary, table)
            os.rename(temporary, self._path)
            sync_folder(os.path.dirname(self._path))
            self.refresh()
            return True
