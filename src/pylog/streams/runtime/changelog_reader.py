"""ChangelogReader: fills the stores of a thread's tasks from their changelogs, in batches.

A store of an active task is read up to the end that its changelog had when restoring began, and is
complete then. A store of a standby follows for ever. The end is the high watermark and what is read
is committed: an open transaction of whoever had the task before is waited for.

A store on disk begins at the offset it was committed with. If the changelog does not hold that
offset any more, or never did, what is on disk is of no use: it is wiped and read anew.

Source: Kafka StoreChangelogReader.
"""

import struct
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pylog import AdminClient, Consumer, KafkaError, Message, TopicPartition
from pylog.streams.errors import InvalidTopologyChangeError, StreamsError
from pylog.streams.runtime import start_offsets
from pylog.streams.runtime.assignment import Partition
from pylog.streams.runtime.live_task import LiveTask, StoreProgress
from pylog.streams.runtime.log_offsets import log_bounds, log_ends
from pylog.streams.runtime.message_batches import as_rows, last_offset, split_by_partition
from pylog.streams.runtime.restore_listeners import (
    StandbyUpdateListener,
    StateRestoreListener,
    SuspendReason,
    tell,
)

_BATCH = 1000  # more at once outgrow the caches and wake the collector of cycles: a quarter as fast
_COMMIT_EVERY = 200_000
_END_REFRESH_S = 0.5


class ChangelogReader:
    """Restores tasks and keeps standbys up to date.

    Args:
        conf: of the restore consumer.
        admin: where the changelogs' ends are asked for.
        restore_listener: () -> the listener as it is set now.
        standby_listener: () -> the same for standbys.
    """

    def __init__(
        self,
        conf: Mapping[str, Any],
        admin: AdminClient,
        restore_listener: Callable[[], StateRestoreListener],
        standby_listener: Callable[[], StandbyUpdateListener],
    ):
        self._conf = conf
        self._admin = admin
        self._restore_listener = restore_listener
        self._standby_listener = standby_listener
        self._consumer: Consumer | None = None
        self._progress: dict[Partition, StoreProgress] = {}
        self._ends_due_s = 0.0

    def close(self) -> None:
        """Let the consumer go."""
        self._progress.clear()
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    # ---- which stores ----

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to read, now or later."""
        return not self._progress

    def add(self, task: LiveTask) -> None:
        """Begin with the stores of a task; it may be complete at once."""
        added = [each for each in task.stores if each.changelog is not None]
        if added:
            self._begin(added)

    def _begin(self, added: list[StoreProgress]) -> None:
        starts, ends = log_bounds(self._admin, {progress.place for progress in added})
        for progress in added:
            end, start = ends[progress.place], starts[progress.place]
            if progress.is_source:  # it holds what the task has yet to read, too
                end = min(end, max(progress.task.committed_offsets.get(progress.place, 0), start))
            if progress.offset is not None and (
                progress.offset < start or (progress.offset > end and not progress.is_source)
            ):
                progress.wipe()
            if progress.offset is None:
                progress.offset = start
            progress.log_end_offset = end
            self._tell_start(progress, end)
            if not progress.task.is_standby and progress.offset >= end:
                self._complete(progress)
        wanted = [progress for progress in added if not progress.is_complete]
        for progress in wanted:
            self._progress[progress.place] = progress
        self._assign(wanted)

    def _tell_start(self, progress: StoreProgress, end: int) -> None:
        place = TopicPartition(*progress.place)
        if progress.task.is_standby:
            listener = self._standby_listener()
            tell(listener.on_update_start, place, progress.name, progress.offset)
        else:
            restore_listener = self._restore_listener()
            tell(restore_listener.on_restore_start, place, progress.name, progress.offset, end)

    def _assign(self, added: list[StoreProgress]) -> None:
        if not added:
            return
        if self._consumer is None:
            self._consumer = Consumer(dict(self._conf))
        self._consumer.incremental_assign(
            [TopicPartition(*progress.place, progress.offset or 0) for progress in added]
        )

    def _unassign(self, gone: Iterable[StoreProgress]) -> None:
        places = []
        for progress in gone:
            if self._progress.pop(progress.place, None) is not None:
                places.append(TopicPartition(*progress.place))
        if places and self._consumer is not None:
            self._consumer.incremental_unassign(places)

    def remove(self, task: LiveTask) -> None:
        """A task goes: it is closed, or it runs."""
        gone = [each for each in task.stores if self._progress.get(each.place) is each]
        self._unassign(gone)
        for progress in gone:
            place = TopicPartition(*progress.place)
            if not task.is_standby:
                listener = self._restore_listener()
                tell(listener.on_restore_suspended, place, progress.name, progress.restored)
            else:
                self._tell_suspended(progress, SuspendReason.MIGRATED)

    def promote(self, task: LiveTask) -> None:
        """A standby is an active task from now on: it is complete once it has caught up."""
        followed = [each for each in task.stores if self._progress.get(each.place) is each]
        self._unassign(followed)
        for progress in followed:
            self._tell_suspended(progress, SuspendReason.PROMOTED)
        task.is_standby = False
        self.add(task)

    def _tell_suspended(self, progress: StoreProgress, reason: SuspendReason) -> None:
        listener = self._standby_listener()
        tell(
            listener.on_update_suspended,
            TopicPartition(*progress.place),
            progress.name,
            (progress.offset or 0) - 1,
            progress.log_end_offset,
            reason,
        )

    # ---- read ----

    def step(self, timeout_s: float) -> None:
        """Read and restore one batch, waiting up to `timeout_s` for it."""
        if self._consumer is None or not self._progress:
            return
        self._refresh_limits()
        first = self._consumer.poll(timeout_s)
        if first is None:
            return
        runs, events = split_by_partition([first, *self._consumer.consume(_BATCH, 0)])
        for topic, partition, messages in runs:
            progress = self._progress.get((topic, partition))
            if progress is not None:
                self._restore(progress, messages)
        for event in events:
            self._take_event(event)

    def _restore(self, progress: StoreProgress, messages: list[Message]) -> None:
        rows = as_rows(messages)
        end = progress.log_end_offset
        following = last_offset(messages) + 1
        if progress.is_source and following > end:
            rows = [
                row for row, message in zip(rows, messages, strict=True)
                if (message.offset() or 0) < end
            ]  # fmt: skip
            following = end
        rows = [row for row in rows if row[0] is not None]
        with progress.task.lock:
            if rows:
                try:
                    progress.store.restore_batch(rows)
                except (ValueError, struct.error) as error:
                    topic, partition = progress.place
                    raise InvalidTopologyChangeError(
                        f"store {progress.name!r} cannot be restored from {topic} [{partition}], "
                        f"offsets {messages[0].offset()} to {following - 1}: {error}; another kind "
                        "of store wrote this changelog: name the store anew, or delete the topic"
                    ) from error
            progress.advance(following, len(rows), _COMMIT_EVERY)
        if rows:
            self._tell_batch(progress, len(rows))
        if progress.is_standby:
            if progress.is_source and following >= end:
                self._wait_for_commits(progress)
        elif following >= end:
            self._finish(progress)

    def _tell_batch(self, progress: StoreProgress, count: int) -> None:
        place = TopicPartition(*progress.place)
        last = (progress.offset or 0) - 1
        progress.task.note_restored(count, max(0, progress.log_end_offset - last - 1))
        if progress.is_standby:
            listener = self._standby_listener()
            task_id, end = progress.task.id, max(progress.log_end_offset, last + 1)
            tell(listener.on_batch_loaded, place, progress.name, task_id, last, count, end)
        else:
            restore_listener = self._restore_listener()
            tell(restore_listener.on_batch_restored, place, progress.name, last, count)

    def _take_event(self, event: Message) -> None:
        progress = self._progress.get((event.topic() or "", event.partition() or 0))
        error = event.error()
        assert error is not None
        if progress is None:
            return
        if error.code() == KafkaError._PARTITION_EOF:
            # Markers of transactions and gaps of compaction lie before it, too.
            end = event.offset() or 0
            if progress.is_standby and progress.is_source:
                end = min(end, progress.log_end_offset)  # it waits, and came no further
            progress.advance(max(end, progress.offset or 0), 0, _COMMIT_EVERY)
            if not progress.is_standby and end >= progress.log_end_offset:
                self._finish(progress)
        elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._unassign([progress])
            progress.wipe()
            self._begin([progress])
        elif not error.retriable():
            raise StreamsError(
                f"store {progress.name!r} cannot be restored from {event.topic()} "
                f"[{event.partition()}]: {error.str()}"
            )

    def _finish(self, progress: StoreProgress) -> None:
        self._unassign([progress])
        self._complete(progress)

    def _complete(self, progress: StoreProgress) -> None:
        progress.is_complete = True
        progress.commit()
        listener = self._restore_listener()
        place = TopicPartition(*progress.place)
        tell(listener.on_restore_end, place, progress.name, progress.restored)

    # ---- standbys ----

    def _wait_for_commits(self, progress: StoreProgress) -> None:
        """A standby of a source topic is at what its task has read: go on when that is more."""
        assert self._consumer is not None
        place = TopicPartition(*progress.place)
        self._consumer.seek(TopicPartition(*progress.place, progress.offset or 0))
        self._consumer.pause([place])
        progress.is_waiting = True

    def _refresh_limits(self) -> None:
        """Ask how far the changelogs of standbys reach by now."""
        standbys = [progress for progress in self._progress.values() if progress.is_standby]
        if not standbys or time.monotonic() < self._ends_due_s:
            return
        self._ends_due_s = time.monotonic() + _END_REFRESH_S
        ends = log_ends(self._admin, {progress.place for progress in standbys})
        assert self._consumer is not None
        sources = [progress for progress in standbys if progress.is_source]
        places = [progress.place for progress in sources]
        found = start_offsets.committed(self._consumer, places) if places else {}
        committed = {place: each.offset or 0 for place, each in found.items()}
        for progress in standbys:
            end = ends[progress.place]
            progress.log_end_offset = min(end, committed.get(progress.place, end))
            if progress.is_waiting and progress.log_end_offset > (progress.offset or 0):
                progress.is_waiting = False
                self._consumer.resume([TopicPartition(*progress.place)])
