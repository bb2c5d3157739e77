"""StoreCommits: makes stores on disk durable, together with where their changelogs stand.

It comes after the commit of the thread, when the records of the changelogs are certain: what is on
disk is never ahead of them. Nobody but the task writes to its changelogs, so their ends are where
they stand. A commit of stores waits for the disk, and what it saves is restoring; so under short
commit intervals it waits until enough was written, or enough time is over.

Source: Kafka ProcessorStateManager.checkpoint, StateManagerUtil.checkpointNeeded.
"""

import time
from collections.abc import Sequence

from pylog import AdminClient
from pylog.streams.runtime.instance import Instance
from pylog.streams.runtime.live_task import LiveTask
from pylog.streams.runtime.log_offsets import log_ends
from pylog.streams.runtime.thread_producer import ThreadProducer

_RECORDS_BETWEEN = 10_000
_SHORTEST_S, _LONGEST_S = 1.0, 10.0


class StoreCommits:
    """Commits the stores of a thread's tasks.

    Args:
        instance: what threads share.
        producer: of the thread: how much was written.
    """

    def __init__(self, instance: Instance, producer: ThreadProducer):
        self._admin: AdminClient = instance.admin
        self._producer = producer
        self._last: dict[LiveTask, tuple[float, int]] = {}  # when, and after how many records

    def commit(self, tasks: Sequence[LiveTask], is_last: bool) -> None:
        """Commit the stores of tasks whose offsets are committed.

        Args:
            tasks: they have nothing that is not committed.
            is_last: they are being closed.

        Raises:
            StreamsError: the changelogs' ends cannot be found out, or a disk refuses.
        """
        now_s, sent = time.monotonic(), self._producer.outlet.sent
        due = [
            task
            for task in tasks
            if task.has_stores_on_disk and (is_last or self._is_due(task, now_s, sent))
        ]
        if due:
            ends = log_ends(
                self._admin,
                {
                    progress.place
                    for task in due
                    for progress in task.stores
                    if progress.store.is_persistent
                    and progress.changelog is not None
                    and not progress.is_source
                },
            )
        for task in due:
            task.commit_stores(ends)
            self._last[task] = (now_s, sent)
        if is_last:
            for task in tasks:
                self._last.pop(task, None)

    def _is_due(self, task: LiveTask, now_s: float, sent: int) -> bool:
        last_s, last_sent = self._last.setdefault(task, (now_s, sent))
        elapsed_s = now_s - last_s
        return elapsed_s >= _LONGEST_S or (
            elapsed_s >= _SHORTEST_S and sent - last_sent >= _RECORDS_BETWEEN
        )
