"""ThreadTasks: the tasks of one stream thread: assigned, restored, processed, committed, closed.

    assigned -> pending (another thread may still have the folder) -> restoring -> running

The consumer reads the partitions of a task from the time it is assigned, and hands nothing out of
them until the task runs. What is written is committed for all tasks of the thread together.

Source: Kafka TaskManager.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pylog import Consumer, KafkaException, TopicPartition
from pylog.streams.errors import StreamsError
from pylog.streams.runtime import start_offsets
from pylog.streams.runtime.assignment import Partition
from pylog.streams.runtime.changelog_reader import ChangelogReader
from pylog.streams.runtime.commits import SHUTDOWN_NUMBER, Commits
from pylog.streams.runtime.instance import Instance, log
from pylog.streams.runtime.live_task import LiveTask
from pylog.streams.runtime.partition_positions import PartitionPositions
from pylog.streams.runtime.start_offsets import Committed
from pylog.streams.runtime.task_factory import TaskFactory, now_ms
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.runtime.thread_producer import ThreadProducer


class ThreadTasks:
    """The tasks of one thread.

    Args:
        instance: what threads share.
        consumer: of the thread.
        producer: of the thread.
        reader: of the thread.
        factory: of the thread.
        positions: where the consumer stands.
    """

    def __init__(
        self,
        instance: Instance,
        consumer: Consumer,
        producer: ThreadProducer,
        reader: ChangelogReader,
        factory: TaskFactory,
        positions: PartitionPositions,
    ):
        self._instance = instance
        self._layout = instance.layout
        self._consumer = consumer
        self._producer = producer
        self._reader = reader
        self._factory = factory
        self._positions = positions
        self._committed: dict[TaskId, dict[Partition, Committed]] = {}
        self._pending: dict[TaskId, bool] = {}  # to be made; whether as a standby
        self.active: dict[TaskId, LiveTask] = {}
        self.standby: dict[TaskId, LiveTask] = {}
        self._running: list[LiveTask] = []
        self._by_partition: dict[Partition, LiveTask] = {}
        self._paused: set[Partition] = set()
        self._commits = Commits(instance, consumer, producer)
        self._buffer_limit: int = instance.config["buffered.records.per.partition"]
        self.is_layout_stale = False

    # ---- assignment, in the callbacks of the consumer ----

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Partitions of leading topics were given to this member: so were their tasks."""
        layout = self._layout
        wanted: list[Partition] = []
        for each in partitions:
            task_id = layout.task_led_by(each.topic, each.partition)
            places = [] if task_id is None else layout.partitions_of(task_id)
            if task_id is None or (each.topic, each.partition) not in places:
                self.is_layout_stale = True  # the topic has grown: the thread looks at it anew
            elif task_id not in self._committed:
                self._committed[task_id] = {}
                wanted += places
        found = start_offsets.committed(self._consumer, wanted) if wanted else {}
        for place, committed in found.items():
            task_id = layout.task_of(*place)
            assert task_id is not None
            self._committed[task_id][place] = committed
        self._read(found)
        for task_id in {layout.task_of(*place) for place in found} - {None}:
            assert task_id is not None
            standby = self.standby.pop(task_id, None)
            if standby is None:
                self._pending[task_id] = False
            else:
                self._activate(standby)
        self._look_for_shutdown()

    def _read(self, found: Mapping[Partition, Committed]) -> None:
        """Read these partitions too, but hand nothing out of them until their task runs."""
        starts = [
            TopicPartition(*place, self._start(place, committed))
            for place, committed in found.items()
        ]
        self._consumer.incremental_assign(starts)
        self._consumer.pause(starts)
        self._paused.update(found)
        self._positions.begin(starts)

    def _start(self, place: Partition, committed: Committed) -> int:
        if committed.offset is not None:
            return committed.offset
        application_id = self._instance.application_id
        conf = self._instance.config.client_config("main.consumer")
        return start_offsets.start_offset(
            self._consumer,
            place,
            lambda topic: (
                "earliest"
                if topic in self._instance.internal_sources
                else self._instance.topology.auto_offset_reset(topic, application_id)
            ),
            str(conf.get("auto.offset.reset", "earliest")),
        )

    def _look_for_shutdown(self) -> None:
        """An instance that failed may have asked all of them to end."""
        for places in self._committed.values():
            for committed in places.values():
                if committed.numbers.get(SHUTDOWN_NUMBER, 0) > self._instance.started_ms:
                    self._instance.shutdown_application()
                    return

    def _tasks_led_by(self, partitions: Iterable[TopicPartition]) -> list[TaskId]:
        led = {self._layout.leader_of(task_id): task_id for task_id in self._committed}
        places = [(each.topic, each.partition) for each in partitions]
        return [led[place] for place in places if place in led]

    def revoke(self, partitions: Sequence[TopicPartition]) -> None:
        """Tasks go to other members: commit what they did, and let them go."""
        gone = self._tasks_led_by(partitions)
        going = [self.active[task_id] for task_id in gone if task_id in self.active]
        is_clean = False
        try:
            self.commit(going)
            is_clean = True
        finally:
            try:
                self._let_go(gone, is_clean)
            finally:
                self._unassign(gone)

    def lose(self, partitions: Sequence[TopicPartition]) -> None:
        """Tasks are other members' already: what was not committed is void."""
        gone = self._tasks_led_by(partitions)
        self._producer.abort()
        self._let_go(gone, is_clean=False)
        if self._producer.is_exactly_once:
            # The transaction held the work of the others, too: they begin again where it began.
            self.revive(list(self.active))
        self._unassign(gone)

    def _unassign(self, task_ids: Iterable[TaskId]) -> None:
        places = [place for task_id in task_ids for place in self._committed.pop(task_id, {})]
        assigned = {(each.topic, each.partition) for each in self._consumer.assignment()}
        self._consumer.incremental_unassign(
            [TopicPartition(*place) for place in places if place in assigned]
        )
        self._paused.difference_update(places)
        self._positions.end(places)

    def _let_go(self, task_ids: Iterable[TaskId], is_clean: bool) -> None:
        """Close tasks, all of them, whatever they raise."""
        failure: StreamsError | None = None
        for task_id in task_ids:
            self._pending.pop(task_id, None)
            task = self.active.pop(task_id, None)
            if task is None:
                continue
            try:
                self._close(task, is_clean)
            except StreamsError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _close(self, task: LiveTask, is_clean: bool) -> None:
        self._forget(task)
        try:
            self._reader.remove(task)
            if is_clean and task.is_running:
                self._commits.commit_stores_at_last(task)
            elif is_clean:
                task.commit_progress()
            task.close(is_clean)
            if not self._instance.is_ending:  # then what was counted is for the program to read
                task.metrics.close()
        except StreamsError as error:
            task.close(False)
            if is_clean:
                raise
            log.warning("task %s, closed after an error: %s", task.id, error)
        finally:
            self._instance.state_directory.give_back(task.id)

    def _forget(self, task: LiveTask) -> None:
        if task in self._running:
            self._running.remove(task)
        for place in task.partitions:
            self._by_partition.pop(place, None)

    # ---- restore ----

    @property
    def needs_work(self) -> bool:
        """Whether tasks wait to be made or restored."""
        return bool(self._pending) or len(self._running) < len(self.active)

    @property
    def has_standbys(self) -> bool:
        """Whether changelogs are followed."""
        return bool(self.standby)

    def set_standbys(self, wanted: set[TaskId]) -> None:
        """Keep standbys of these tasks, and of no others."""
        for task_id in [each for each in self.standby if each not in wanted]:
            task = self.standby.pop(task_id)
            self._close(task, is_clean=True)
        for task_id in [each for each, is_standby in self._pending.items() if is_standby]:
            if task_id not in wanted:
                del self._pending[task_id]
        for task_id in wanted - self.standby.keys() - self.active.keys():
            self._pending.setdefault(task_id, True)

    def make_pending(self) -> None:
        """Make the tasks whose folders no other thread has."""
        for task_id, is_standby in list(self._pending.items()):
            if not self._instance.state_directory.take(task_id):
                continue
            del self._pending[task_id]
            try:
                task = self._factory.make(task_id, is_standby=is_standby)
            except BaseException:
                self._instance.state_directory.give_back(task_id)
                raise
            if is_standby:
                self.standby[task_id] = task
                self._reader.add(task)
            else:
                self._activate(task)

    def _activate(self, task: LiveTask) -> None:
        """Restore a task, which runs once it is complete."""
        self.active[task.id] = task
        task.committed_offsets = {
            place: committed.offset
            for place, committed in self._committed[task.id].items()
            if committed.offset is not None
        }
        task.first_offsets = dict(task.committed_offsets)
        if task.is_standby:
            self._reader.promote(task)
        else:
            self._reader.add(task)

    def restore(self, timeout_s: float) -> None:
        """Read from changelogs for a while, and start the tasks that are complete."""
        if self._pending:
            self.make_pending()
        if not self._reader.is_idle:
            self._reader.step(timeout_s)
        for task in self.active.values():
            if not task.is_running and task.is_restored:
                self._start_task(task)

    def _start_task(self, task: LiveTask) -> None:
        committed = self._committed[task.id]
        numbers: dict[str, int] = {}
        for each in committed.values():
            for name, number in each.numbers.items():
                numbers[name] = max(number, numbers.get(name, number))
        if numbers.get(SHUTDOWN_NUMBER, 0) <= self._instance.started_ms:
            numbers.pop(SHUTDOWN_NUMBER, None)  # of an earlier run; else who has it next hears too
        task.run({place: each.time_ms for place, each in committed.items()}, numbers)
        self._running.append(task)
        for place in task.partitions:
            self._by_partition[place] = task
        self._resume(task.partitions)

    # ---- records ----

    def add(self, topic: str, partition: int, messages: list[Any]) -> None:
        """Give messages to the task that reads their partition."""
        task = self._by_partition.get((topic, partition))
        if task is None:
            return  # the partition went, and they came with the same poll
        with task.lock:
            task.task.add_messages(topic, partition, messages)
        if task.task.buffered_count(topic, partition) > self._buffer_limit:
            self._consumer.pause([TopicPartition(topic, partition)])
            self._paused.add((topic, partition))

    def resume_with_room(self) -> None:
        """Go on reading the partitions of which there is less than enough in hand."""
        if not self._paused:
            return
        ready = []
        for place in self._paused:
            task = self._by_partition.get(place)
            if task is not None and task.task.buffered_count(*place) <= self._buffer_limit:
                ready.append(place)
        self._resume(ready)

    def _resume(self, places: Sequence[Partition]) -> None:
        if places:
            self._consumer.resume([TopicPartition(*place) for place in places])
            self._paused.difference_update(places)

    def process(self, limit: int) -> int:
        """Process up to `limit` records of each task. Returns how many were."""
        count = 0
        now = now_ms()
        for task in self._running:
            stream_task = task.task
            if stream_task.is_processable(now):
                began_s = time.perf_counter()
                with task.lock:
                    done = stream_task.process_many(limit, now)
                task.note_processed(done, (time.perf_counter() - began_s) * 1000, now)
                count += done
            task.yield_lock()
        return count

    def update_lags(self) -> None:
        """Ask how much there is that was not read, for tasks that wait for partitions."""
        for task in self._running:
            if len(task.partitions) > 1:
                task.task.update_lags()

    def punctuate(self) -> int:
        """Call what is due by the clock. Returns how many tasks had something."""
        now = now_ms()
        count = 0
        for task in self._running:
            began_s = time.perf_counter()
            with task.lock:
                called = task.task.maybe_punctuate_stream_time()
                called += task.task.maybe_punctuate_wall_clock(now)
            if called:
                task.metrics.record_punctuated((time.perf_counter() - began_s) * 1000)
            count += called
        return count

    @property
    def next_punctuation_ms(self) -> int:
        """When the first punctuation of wall-clock time is due."""
        return min((task.task.next_wall_punctuation_ms for task in self._running), default=2**63)

    @property
    def has_buffered(self) -> bool:
        """Whether records wait in tasks."""
        return any(task.task.buffered_count() for task in self._running)

    def reads(self, place: Partition) -> bool:
        """Whether a task here, made or not, reads a partition."""
        return any(place in places for places in list(self._committed.values()))

    @property
    def is_idle(self) -> bool:
        """Whether all tasks run and no records wait."""
        return not self.needs_work and not self.has_buffered

    @property
    def is_commit_needed(self) -> bool:
        """Whether something was done since the last commit."""
        return any(task.task.commit_needed for task in self._running)

    @property
    def is_commit_requested(self) -> bool:
        """Whether a processor asked for a commit, and there is something to commit."""
        return any(task.task.commit_requested and task.task.commit_needed for task in self._running)

    # ---- commit ----

    def commit_all(self) -> int:
        """Commit what all tasks did since the last time. Returns how many had something."""
        return self.commit(list(self._running))

    def commit(self, tasks: Sequence[LiveTask]) -> int:
        """Commit what tasks did; with exactly once, what all of them did.

        Raises:
            TaskMigratedError: they are somebody else's by now.
            ProductionError: a record could not be written.
        """
        return self._commits.commit(self._running if self._producer.is_exactly_once else tasks)

    @property
    def purgeable_offsets(self) -> dict[Partition, int]:
        """Up to where records of repartition topics are read and committed."""
        return {
            place: task.committed_offsets[place]
            for task in self._running
            for place in task.task.purgeable_offsets
            if place in task.committed_offsets
        }

    # ---- trouble, the end ----

    def revive(self, task_ids: Iterable[TaskId]) -> None:
        """Begin again with tasks of this thread, at what is committed of them."""
        for task_id in list(task_ids):
            task = self.active.pop(task_id, None)
            if task is None:
                continue
            self._close(task, is_clean=False)
            places = self._layout.partitions_of(task_id)
            self._consumer.incremental_unassign([TopicPartition(*place) for place in places])
            self._committed[task_id] = start_offsets.committed(self._consumer, places)
            self._read(self._committed[task_id])
            self._pending[task_id] = False

    def ask_all_to_end(self) -> None:
        """Leave word with the committed offsets: who has these tasks next ends, and so on."""
        self._producer.abort()
        places = {
            place: committed
            for task in self._committed.values()
            for place, committed in task.items()
        }
        for task in self._running:
            for place, offset in task.committed_offsets.items():
                places[place] = places[place]._replace(offset=offset)
        self._commits.ask_all_to_end(places)

    def abort_all(self) -> None:
        """Close all tasks without their work since the last commit; they stay assigned."""
        self._producer.abort()
        self._let_go(list(self.active), is_clean=False)

    def forget_all(self) -> None:
        """The consumer left the group: nothing is assigned. It may join with another layout."""
        self._layout = self._instance.layout
        self.is_layout_stale = False
        self._committed.clear()
        self._pending.clear()
        self._paused.clear()
        self._positions.clear()

    def close(self, is_clean: bool) -> None:
        """Commit, unless something went wrong, and close all tasks."""
        failure: BaseException | None = None
        if is_clean:
            try:
                self.commit_all()
            except BaseException as error:
                failure, is_clean = error, False
        if not is_clean:
            try:
                self._producer.abort()
            except KafkaException as error:
                log.warning("aborting a transaction: %s", error)
        for tasks in (self.active, self.standby):
            for task_id in list(tasks):
                task = tasks.pop(task_id)
                try:
                    self._close(task, is_clean or task.is_standby)
                except StreamsError as error:
                    failure = failure or error
        if failure is not None:
            raise failure
