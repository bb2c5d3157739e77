"""Housekeeper: what a folder needs done in the background, by one thread a process and folder.

Every second: notice changed topics, end transactions that were abandoned (at the start, too), flush
what is not durable yet, and renew the recovery mark where something was appended. Every minute (and
at the first turn): retention, and the checksums of segments that were sealed. Marks, retention and
checksums of a partition are done by one process at a time (a lock in its shared page); the others
pass it. Compaction has a thread of its own, since it takes longer (compactor.py), once a compacted
topic is open.
"""

import logging
import threading
import time
from typing import TYPE_CHECKING

from logcore import recovery_mark
from logcore.errors import LogClosedError, LogError
from logcore.log import Log
from pylog.compactor import Compactor
from pylog.errors import KafkaException
from pylog.internal_topics import TRANSACTIONS_TOPIC
from pylog.txn.coordinator import TransactionCoordinator

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
        self._complaints: dict[str, str] = {}
        self._compactor: Compactor | None = None
        self._thread = threading.Thread(target=self._run, name="pylog-housekeeper", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread to be had, or the interpreter ends
            self._stopping.set()
            _log.warning("%s: no housekeeping: %s", log_dir.path, error)

    def stop(self) -> None:
        """End the thread, and the one that compacts, and wait for them."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        if self._compactor is not None:
            self._compactor.stop()

    def _run(self) -> None:
        retention_due_s = time.monotonic()
        self._end_transactions()
        while not self._stopping.wait(FLUSH_INTERVAL_S):
            try:
                self._log_dir.refresh()
            except KafkaException as error:
                if not self._log_dir.is_closed:  # else it was closed just now
                    self._complain(self._log_dir.path, error)
            is_retention_due = time.monotonic() >= retention_due_s
            if is_retention_due:
                retention_due_s = time.monotonic() + RETENTION_INTERVAL_S
            self._end_transactions()
            logs = self._log_dir.open_logs()
            if self._compactor is None and any(log.config.is_compacted for log in logs):
                self._compactor = Compactor(self._log_dir)
            for log in logs:
                if self._stopping.is_set():
                    return
                self._keep(log, is_retention_due)
            # A log that was let go of is not held open here.
            self._marked = {log: self._marked[log] for log in logs if log in self._marked}
            del logs

    def _keep(self, log: Log, is_retention_due: bool) -> None:
        try:
            if log.durable_offset < log.log_end_offset:
                log.flush()
            stand = (log.log_end_offset, log.log_start_offset)
            is_mark_due = self._marked.get(log) != stand
            if (is_mark_due or is_retention_due) and log.try_maintenance():
                try:
                    if is_mark_due:
                        self._mark(log, stand)
                    if is_retention_due:
                        log.apply_retention()
                        log.seal_checksums()
                finally:
                    log.end_maintenance()
        except LogClosedError:
            pass  # closed or deleted meanwhile
        except (LogError, OSError) as error:
            if not self._is_gone(log):
                self._complain(log.path, error)
        else:
            self._complaints.pop(log.path, None)

    def _is_gone(self, log: Log) -> bool:
        """Whether a log's topic was deleted since the list of logs was made."""
        try:
            self._log_dir.refresh()
        except KafkaException:
            return False
        return log not in self._log_dir.open_logs()

    def _end_transactions(self) -> None:
        """End what dead or late producers left, so that it holds no reader back."""
        try:
            if TRANSACTIONS_TOPIC in self._log_dir.topics():
                coordinator = TransactionCoordinator.of(self._log_dir)
                coordinator.complete_abandoned()
                coordinator.end_hanging(self._log_dir.open_partitions())
        except (KafkaException, LogError, OSError) as error:
            if not self._log_dir.is_closed:
                self._complain(TRANSACTIONS_TOPIC, error)
        else:
            self._complaints.pop(TRANSACTIONS_TOPIC, None)

    def _mark(self, log: Log, stand: tuple[int, int]) -> None:
        marked = recovery_mark.read(log.path)
        if marked is None or (marked["log_end_offset"], marked["log_start_offset"]) != stand:
            log.write_recovery_mark()
        self._marked[log] = stand

    def _complain(self, path: str, error: Exception) -> None:
        """Log what went wrong, once until it changes."""
        if self._complaints.get(path) != str(error):
            self._complaints[path] = str(error)
            _log.warning("%s", error)
