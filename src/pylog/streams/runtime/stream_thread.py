"""StreamThread: polls, restores, processes, punctuates and commits, round after round.

    CREATED -> STARTING -> PARTITIONS_REVOKED <-> PARTITIONS_ASSIGNED -> RUNNING -> PENDING_SHUTDOWN
                                                                                       -> DEAD

An exception that no handler dealt with ends the thread, and is the instance's to judge.

Source: Kafka StreamThread.
"""

import threading
import time
from collections.abc import Callable, Sequence

from pylog import Consumer, KafkaError, KafkaException, Message, TopicPartition
from pylog.streams.errors import (
    MissingSourceTopicError,
    StreamsError,
    TaskCorruptedError,
    TaskMigratedError,
)
from pylog.streams.metrics import ThreadMetrics
from pylog.streams.runtime import client_settings, internal_topics
from pylog.streams.runtime.assignment import Partition
from pylog.streams.runtime.changelog_reader import ChangelogReader
from pylog.streams.runtime.instance import Instance, log
from pylog.streams.runtime.message_batches import last_offset, split_by_partition
from pylog.streams.runtime.partition_positions import PartitionPositions
from pylog.streams.runtime.production_errors import StaleGenerationError
from pylog.streams.runtime.task_factory import TaskFactory, now_ms
from pylog.streams.runtime.thread_producer import ThreadProducer
from pylog.streams.runtime.thread_state import ThreadState
from pylog.streams.runtime.thread_tasks import ThreadTasks
from pylog.streams.runtime.topic_keeper import MAY_BE_GONE, UNKNOWN_TOPIC
from pylog.streams.runtime.uncaught import StreamThreadExceptionResponse
from pylog.streams.state.cache import ThreadCache

_PROCESS_AT_ONCE = 1000
_METADATA_S = 1.0
_BRIEF_S = 0.005


class StreamThread(threading.Thread):
    """One stream thread.

    Args:
        instance: what threads share.
        number: its own, from 1.
        on_state: called as (thread, new state).
        judge: called as (thread, exception) when it fails, before it closes.
        on_failure: called as (thread, exception, what `judge` said) when it has closed.
        cache_bytes: () -> what the thread's cache may hold, 0 for none.
        thread_numbers: () -> the numbers of the instance's threads.
    """

    def __init__(
        self,
        instance: Instance,
        number: int,
        on_state: Callable[["StreamThread", ThreadState], None],
        judge: Callable[["StreamThread", BaseException], StreamThreadExceptionResponse],
        on_failure: Callable[["StreamThread", BaseException, StreamThreadExceptionResponse], None],
        cache_bytes: Callable[[], int],
        thread_numbers: Callable[[], list[int]],
    ):
        super().__init__(name=f"{instance.client_id}-StreamThread-{number}", daemon=True)
        self.number = number
        self.state = ThreadState.CREATED
        self.metrics = ThreadMetrics(instance.metrics, self.name)
        self.tasks: ThreadTasks | None = None
        self.member_id: str | None = None
        self.has_nothing_to_do = False
        self.commits_when_idle = False  # in a bounded run
        self._instance = instance
        self._config = instance.config
        self._on_state = on_state
        self._judge = judge
        self._on_failure = on_failure
        self._cache_bytes = cache_bytes
        size = cache_bytes()
        self._cache = ThreadCache(size) if size else None
        self._thread_numbers = thread_numbers
        self._is_stopping = threading.Event()
        self._callback_failure: BaseException | None = None
        self._poll_records = client_settings.poll_records(instance.config)
        self._poll_s: float = instance.config["poll.ms"] / 1000
        self._commit_interval_s: float = instance.config["commit.interval.ms"] / 1000
        self._purge_interval_s: float = instance.config["repartition.purge.interval.ms"] / 1000

    # ---- from other threads ----

    def stop(self) -> None:
        """End soon; join() waits for it."""
        self._is_stopping.set()

    def reads(self, place: Partition) -> bool:
        """Whether a task of this thread reads a partition."""
        tasks = self.tasks
        return tasks is not None and tasks.reads(place)

    def position(self, place: Partition) -> int:
        """The next offset of a partition to be handed to its task, -1 when it is not known."""
        return self._positions.position(place) if self.tasks is not None else -1

    def has_reached(self, place: Partition, end: int) -> bool:
        """Whether all records of a partition before `end` were handed to its task."""
        return self._positions.has_reached(place, end)

    # ---- the thread ----

    def run(self) -> None:
        """The thread's life."""
        failure: BaseException | None = None
        response = StreamThreadExceptionResponse.SHUTDOWN_CLIENT
        try:
            self._set_state(ThreadState.STARTING)
            self._open()
            self._loop()
        except BaseException as error:
            failure = error
            response = self._judge(self, error)
        try:
            self._close(
                is_clean=failure is None,
                asks_all_to_end=response is StreamThreadExceptionResponse.SHUTDOWN_APPLICATION,
            )
        except BaseException as error:
            if failure is None:
                failure = error
                response = self._judge(self, error)
        self._set_state(ThreadState.DEAD)
        if not self._instance.is_ending:
            self.metrics.close()
        if failure is not None:
            self._on_failure(self, failure, response)

    def _set_state(self, state: ThreadState) -> None:
        if state is not self.state:
            self.state = state
            self.metrics.state = state.name
            self._on_state(self, state)

    def _open(self) -> None:
        instance, config = self._instance, self._config
        self._consumer = Consumer(client_settings.main_consumer(config, self.name, self.number))
        self._positions = PartitionPositions(self._consumer)
        transactional_id = f"{config.application_id}-{instance.process_id}-{self.number}"
        self._producer = ThreadProducer(
            client_settings.producer(config, self.name, transactional_id),
            config["task.timeout.ms"] / 1000,
            instance.topics.check_internal,
        )
        self._reader = ChangelogReader(
            client_settings.changelog_consumer(
                config, f"{self.name}-restore-consumer", "restore.consumer"
            ),
            instance.admin,
            lambda: instance.restore_listener,
            lambda: instance.standby_listener,
        )
        factory = TaskFactory(
            instance, self._producer, self.metrics, self._cache, self._positions.lag_of
        )
        self.tasks = ThreadTasks(
            instance, self._consumer, self._producer, self._reader, factory, self._positions
        )
        self._committed_s = self._purged_s = self._metadata_s = time.monotonic()
        self._subscribe()

    def _subscribe(self) -> None:
        assert self.tasks is not None
        self.tasks.forget_all()
        self._layout = self._instance.layout
        self._is_subscribed = bool(self._layout.leading_topics)
        self._has_joined = not self._is_subscribed
        if self._is_subscribed:
            self._consumer.subscribe(
                self._layout.leading_topics,
                on_assign=self._guard(self._assigned),
                on_revoke=self._guard(self._revoked),
                on_lost=self._guard(self._lost),
            )

    def _guard(
        self, call: Callable[[Sequence[TopicPartition]], None]
    ) -> Callable[[Consumer, list[TopicPartition]], None]:
        """A callback for the consumer: what it raises comes out of our poll, not out of theirs."""

        def guarded(_: Consumer, partitions: list[TopicPartition]) -> None:
            try:
                call(partitions)
            except BaseException as error:
                self._callback_failure = self._callback_failure or error

        return guarded

    def _assigned(self, partitions: Sequence[TopicPartition]) -> None:
        assert self.tasks is not None
        self.member_id = self._consumer.memberid()
        self._has_joined = True
        self.tasks.assign(partitions)
        if not self._is_stopping.is_set():
            self._set_state(ThreadState.PARTITIONS_ASSIGNED)

    def _revoked(self, partitions: Sequence[TopicPartition]) -> None:
        assert self.tasks is not None
        if not self._is_stopping.is_set():
            self._set_state(ThreadState.PARTITIONS_REVOKED)
        self.tasks.revoke(partitions)

    def _lost(self, partitions: Sequence[TopicPartition]) -> None:
        assert self.tasks is not None
        self._set_state(ThreadState.PARTITIONS_REVOKED)
        self.tasks.lose(partitions)

    def _loop(self) -> None:
        assert self.tasks is not None
        while not self._is_stopping.is_set():
            try:
                self._round(self.tasks)
            except (TaskCorruptedError, StaleGenerationError) as error:
                log.warning("%s: begins again at what is committed: %s", self.name, error)
                self._producer.abort()
                self.tasks.revive(list(self.tasks.active))
            except TaskMigratedError as error:
                log.warning("%s: out of the group, joins again: %s", self.name, error)
                self._rejoin(is_clean=False)

    def _rejoin(self, is_clean: bool) -> None:
        """Leave the group without tasks, and join again."""
        assert self.tasks is not None
        if not is_clean:
            self.tasks.abort_all()
        if self._is_subscribed:
            self._consumer.unsubscribe()  # with tasks left, they are committed and closed
            while self._consumer.assignment() and not self._is_stopping.is_set():
                self._consumer.poll(_BRIEF_S)  # a cluster's client calls back from here
            self._raise_callback_failure()
        self._subscribe()

    def _raise_callback_failure(self) -> None:
        failure, self._callback_failure = self._callback_failure, None
        if failure is not None:
            raise failure

    # ---- one round ----

    def _round(self, tasks: ThreadTasks) -> None:
        self._look_at_topics(tasks)
        tasks.resume_with_room()
        has_polled = self._poll(tasks)
        if tasks.needs_work or tasks.has_standbys:
            is_busy = tasks.has_buffered
            tasks.restore(0 if is_busy or not tasks.needs_work else self._poll_s)
        if not tasks.needs_work and self.state is ThreadState.PARTITIONS_ASSIGNED:
            self._set_state(ThreadState.RUNNING)
        if self._instance.is_paused:
            self._is_stopping.wait(self._poll_s if tasks.has_buffered else 0)
        else:
            self._process(tasks)
        self._commit_if_due(tasks, not has_polled and tasks.is_idle)

    def _poll(self, tasks: ThreadTasks) -> bool:
        began_s = time.perf_counter()
        messages = self._take(self._poll_timeout_s(tasks))
        self._raise_callback_failure()
        if messages:
            self.has_nothing_to_do = False
            runs, events = split_by_partition(messages)
            count = 0
            for topic, partition, run in runs:
                count += len(run)
                self._positions.note_messages((topic, partition), last_offset(run) + 1)
                tasks.add(topic, partition, run)
            for event in events:
                self._take_event(event)
            self.metrics.record_poll(count, (time.perf_counter() - began_s) * 1000)
        return bool(messages)

    def _poll_timeout_s(self, tasks: ThreadTasks) -> float:
        """How long to wait for messages: not at all while there is other work."""
        if tasks.needs_work or tasks.is_commit_requested:
            return 0
        timeout_s = self._poll_s
        if self.commits_when_idle or self.state is not ThreadState.RUNNING:
            # A poll in which tasks are assigned goes on waiting for records.
            timeout_s = min(timeout_s, _BRIEF_S)
        due_ms = tasks.next_punctuation_ms
        if due_ms < 1 << 62 and not self._instance.is_paused:
            timeout_s = min(timeout_s, max(0.0, (due_ms - now_ms()) / 1000))
        left_s = self._committed_s + self._commit_interval_s - time.monotonic()
        return min(timeout_s, max(0.0, left_s))

    def _take(self, timeout_s: float) -> list[Message]:
        """What is there; if nothing is, what was written goes out, and then the thread waits."""
        messages = self._consumer.consume(self._poll_records, 0)
        if messages or self._callback_failure is not None:
            return messages
        self._producer.send_pending()
        if timeout_s <= 0:
            return []
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        return [first, *self._consumer.consume(self._poll_records - 1, 0)]

    def _take_event(self, event: Message) -> None:
        error = event.error()
        assert error is not None
        topic, partition = event.topic() or "", event.partition()
        if error.code() in MAY_BE_GONE and topic in self._instance.internal_sources:
            self._instance.topics.check_internal()
        if error.code() == KafkaError._PARTITION_EOF:
            self._positions.note_end((topic, partition or 0), event.offset() or 0)
        elif error.code() in UNKNOWN_TOPIC:
            # A broker may not have heard yet of a topic that was just made.
            if topic not in internal_topics.partition_counts(self._instance.admin):
                raise MissingSourceTopicError(
                    f"source topic {topic} was deleted while the application read it: {error.str()}"
                )
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise StreamsError(
                f"{topic} [{partition}]: the next offset to read does not exist any more: "
                f"{error.str()}"
            )
        elif error.fatal():
            raise KafkaException(error)
        else:
            log.warning("%s: %s [%s]: %s", self.name, topic, partition, error.str())

    def _process(self, tasks: ThreadTasks) -> None:
        tasks.update_lags()
        while True:
            began_s = time.perf_counter()
            count = tasks.process(_PROCESS_AT_ONCE)
            self.metrics.record_process(count, (time.perf_counter() - began_s) * 1000)
            tasks.punctuate()
            if not count or tasks.is_commit_requested or self._is_stopping.is_set():
                return
            if time.monotonic() - self._committed_s >= self._commit_interval_s:
                return

    def _commit_if_due(self, tasks: ThreadTasks, is_idle: bool) -> None:
        now_s = time.monotonic()
        if (
            now_s - self._committed_s >= self._commit_interval_s
            or tasks.is_commit_requested
            or (is_idle and self.commits_when_idle and not self.has_nothing_to_do)
        ):
            self._commit(tasks)
            self._purge_if_due(tasks, now_s)
        # With everything committed: who sees this after the positions knows that all is done.
        self.has_nothing_to_do = is_idle and self._has_joined and not tasks.is_commit_needed

    def _purge_if_due(self, tasks: ThreadTasks, now_s: float) -> None:
        if now_s - self._purged_s >= self._purge_interval_s:
            self._purged_s = now_s
            self._purge(tasks)
        self._instance.metrics.mark()

    def _commit(self, tasks: ThreadTasks) -> None:
        began_s = time.perf_counter()
        if tasks.commit_all():
            self.metrics.record_commit((time.perf_counter() - began_s) * 1000)
        self._committed_s = time.monotonic()

    def _purge(self, tasks: ThreadTasks) -> None:
        """Delete what was read of repartition topics: nobody else reads them."""
        wanted = [
            TopicPartition(*place, offset) for place, offset in tasks.purgeable_offsets.items()
        ]
        for place, future in (
            self._instance.admin.delete_records(wanted) if wanted else {}
        ).items():
            try:
                future.result()
            except KafkaException as error:
                log.warning("%s: purging %s: %s", self.name, place.topic, error.args[0].str())

    def _look_at_topics(self, tasks: ThreadTasks) -> None:
        """Topics that came or grew change what tasks there are."""
        now_s = time.monotonic()
        if not tasks.is_layout_stale and now_s - self._metadata_s < _METADATA_S:
            return
        self._metadata_s = now_s
        self._instance.clean_up_if_due()
        if self._cache is not None and self._cache.max_bytes != self._cache_bytes():
            self._cache.resize(self._cache_bytes())  # threads came or went
        if tasks.is_layout_stale or self._instance.has_patterns:
            self._instance.refresh()
        if tasks.is_layout_stale or self._instance.layout != self._layout:
            self._rejoin(is_clean=True)
        elif self._config["num.standby.replicas"]:
            numbers = sorted(self._thread_numbers())
            if self.number in numbers:
                wanted = self._instance.standbys_for(numbers.index(self.number), len(numbers))
                tasks.set_standbys(wanted)

    # ---- the end ----

    def _close(self, *, is_clean: bool, asks_all_to_end: bool) -> None:
        self._set_state(ThreadState.PENDING_SHUTDOWN)
        failure: BaseException | None = None
        steps: list[Callable[[], None]] = []
        if self.tasks is not None:
            tasks = self.tasks
            if asks_all_to_end:
                steps.append(tasks.ask_all_to_end)
            steps.append(lambda: tasks.close(is_clean))
        steps += [
            closing.close
            for name in ("_reader", "_consumer", "_producer")
            if (closing := getattr(self, name, None)) is not None
        ]
        for step in steps:
            try:
                step()
            except TaskMigratedError as error:
                log.warning("%s: %s", self.name, error)
            except BaseException as error:
                failure = failure or error
        if failure is not None:
            raise failure
