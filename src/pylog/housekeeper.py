"""Housekeeper: what a folder needs done in the background, by one thread a process and folder.

Every second: flush what is not durable yet and renew the recovery mark, where something was
appended. Every minute (and at the first turn): retention, and the checksums of segments that were
sealed. A partition is kept by one process at a time (a lock in its shared page); the others pass it.
"""

import logging
import threading
import time
from typing import TYPE_CHECKING

from logcore.errors import LogClosedError, LogError
from logcore.log import Log

if TYPE_CHECKING:
    from pylog.log_dir import LogDir

FLUSH_INTERVAL_S = 1.0
RETENTION_INTERVAL_S = 60.0

_log = logging.getLogger("pylog.housekeeper")


class Housekeeper:
    """Runs until `stop`. Trouble with one partition is logged and does not stop the others."""

    def __init__(self, log_dir: "LogDir"):
        self._log_dir = log_dir
        self._stopping = threading.Event()
        self._marked: dict[Log, tuple[int, int]] = {}
        self._complained: set[Log] = set()
        self._thread = threading.Thread(target=self._run, name="pylog-housekeeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        retention_due_s = time.monotonic() + FLUSH_INTERVAL_S
        while not self._stopping.wait(FLUSH_INTERVAL_S):
            is_retention_due = time.monotonic() >= retention_due_s
            if is_retention_due:
                retention_due_s = time.monotonic() + RETENTION_INTERVAL_S
            for log in self._log_dir.open_logs():
                if self._stopping.is_set():
                    return
                self._keep(log, is_retention_due)

    def _keep(self, log: Log, is_retention_due: bool) -> None:
        try:
            self._flush(log)
            if is_retention_due and log.try_maintenance():
                try:
                    log.apply_retention()
                    log.seal_checksums()
                finally:
                    log.end_maintenance()
        except LogClosedError:
            pass  # closed or deleted meanwhile
        except (LogError, OSError) as error:
            self._complain(log, error)

    def _flush(self, log: Log) -> None:
        stand = (log.log_end_offset, log.log_start_offset)
        if self._marked.get(log) != stand:
            log.write_recovery_mark()
            self._marked[log] = stand

    def _complain(self, log: Log, error: Exception) -> None:
        if log not in self._complained:
            self._complained.add(log)
            _log.warning("%s", error)
