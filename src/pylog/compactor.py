"""Compactor: compaction in the background, by one thread a process and folder.

Every 15 seconds it looks at the compacted topics that this process has open, and cleans what is
due, the dirtiest first. A partition is cleaned by one process at a time; the others pass it. One
that has a damaged segment is left alone from then on: reading it again would not mend it.

Source: Kafka LogCleaner (log.cleaner.backoff.ms, uncleanable partitions).
"""

import logging
import threading
import time
from typing import TYPE_CHECKING

from logcore import cleanable, compaction
from logcore.errors import CorruptRecordError, LogClosedError, LogError
from logcore.log import Log

if TYPE_CHECKING:
    from pylog.log_dir import LogDir

COMPACTION_INTERVAL_S = 15.0

_log = logging.getLogger("pylog.compactor")


class _StopError(Exception):
    """The thread is to end; what was being cleaned stays as it was."""


class Compactor:
    """Runs until `stop`. Trouble with one partition is logged and does not stop the others."""

    def __init__(self, log_dir: "LogDir"):
        self._log_dir = log_dir
        self._stopping = threading.Event()
        self._uncleanable: set[str] = set()
        self._complaints: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="pylog-compactor", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread to be had, or the interpreter ends
            self._stopping.set()
            _log.warning("%s: no compaction: %s", log_dir.path, error)

    def stop(self) -> None:
        """End the thread and wait for it; a cleaning is given up."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for log in self._due_logs():
                try:
                    self._compact(log)
                except _StopError:
                    return
                except LogClosedError:
                    pass  # closed or deleted meanwhile
                except CorruptRecordError as error:
                    self._uncleanable.add(log.path)
                    _log.error("%s: not compacted any more: %s", log.path, error)
                except (LogError, OSError) as error:
                    self._complain(log.path, error)
                else:
                    self._complaints.pop(log.path, None)
            self._stopping.wait(COMPACTION_INTERVAL_S)

    def _due_logs(self) -> list[Log]:
        """Logs to clean, the dirtiest first."""
        now_ms = time.time_ns() // 1_000_000
        due: list[tuple[float, Log]] = []
        for log in self._log_dir.open_logs():
            if not log.config.is_compacted or log.path in self._uncleanable:
                continue
            try:
                cleanable.roll_overdue(log, now_ms)
                backlog = cleanable.look(log, now_ms)
            except (LogError, OSError) as error:
                if not isinstance(error, LogClosedError):
                    self._complain(log.path, error)
                continue
            if backlog.is_due(log.config):
                due.append((backlog.dirty_ratio, log))
        return [log for _, log in sorted(due, key=lambda pair: -pair[0])]

    def _compact(self, log: Log) -> None:
        if not log.try_cleaning():
            return
        try:
            done = compaction.compact(log, on_progress=self._check_stopping)
        finally:
            log.end_cleaning()
        if done is not None:
            _log.info(
                "%s: compacted %d bytes to %d, %d records to %d, in %.1f s",
                log.path, done.bytes_before, done.bytes_after, done.records_before,
                done.records_after, done.seconds,
            )  # fmt: skip

    def _check_stopping(self, _done_bytes: int) -> None:
        if self._stopping.is_set():
            raise _StopError

    def _complain(self, path: str, error: Exception) -> None:
        """Log what went wrong, once until it changes."""
        if self._complaints.get(path) != str(error):
            self._complaints[path] = str(error)
            _log.warning("%s: not compacted: %s", path, error)
