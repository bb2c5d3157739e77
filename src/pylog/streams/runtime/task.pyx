"""StreamTask: a subtopology at work on its partitions.

The thread that owns it hands in messages, lets it process, and commits:

    add_messages -> process_many -> prepare_commit -> (the thread writes offsets) -> committed

Source: Kafka StreamTask.
"""

from libc.stdint cimport int64_t

from pylog.streams.node cimport Node, TaskContext
from pylog.streams.record cimport Record
from pylog.streams.runtime.partition_group cimport PartitionGroup
from pylog.streams.runtime.record_queue cimport RecordQueue

from pylog.streams.durations import to_ms
from pylog.streams.errors import StreamsError, TopologyError
from pylog.streams.node import HANDLED
from pylog.streams.runtime.punctuation import NEVER, PunctuationQueue, PunctuationType, Schedule
from pylog.streams.runtime.task_errors import TaskErrors, lifecycle_error
from pylog.streams.timestamp_extractors import FailOnInvalidTimestamp


cdef class StreamTask:
    """One task.

    Args:
        task_id: TaskId.
        topology: ProcessorTopology, built with `context`.
        context: its own; the task makes itself the scheduler and the error handler.
        partitions: (topic, partition) pairs; topics have their real names.
        config: StreamsConfig.
        clock: () -> ms since 1970.
    """

    def __init__(self, task_id, topology, TaskContext context not None, partitions, config, clock):
        self.id = task_id
        self.topology = topology
        self.context = context
        self.config = config
        self.clock = clock
        context.clock = clock
        context.scheduler = self
        context.error_handler = TaskErrors(context, lambda: (self.raw_key, self.raw_value))
        self.group = PartitionGroup(
            {(topic, partition): self._queue(topic, partition) for topic, partition in partitions},
            config["max.task.idle.ms"],
        )
        self.stream_punctuations = PunctuationQueue()
        self.wall_punctuations = PunctuationQueue()
        self.next_stream_punctuation_ms = NEVER
        self.flushed_stores = []

    def add_partition(self, str topic, int partition, str source_name):
        """Read one more partition, for a source that reads by a pattern; return its queue."""
        for node in self.topology.nodes:
            if node.name == source_name:
                self.topology.sources_by_topic[topic] = node
        queue = self._queue(topic, partition)
        self.group.add_queue(queue)
        return queue

    def _queue(self, str topic, int partition):
        """The queue of a partition, for the source that reads the topic."""
        source = self.topology.sources_by_topic.get(topic)
        if source is None:
            raise StreamsError(f"task {self.id} has no source for topic {topic!r}")
        extractor = source.timestamp_extractor
        if extractor is None:
            extractor = self.config["default.timestamp.extractor"] or FailOnInvalidTimestamp()
        return RecordQueue(topic, partition, source, self.context, extractor)

    def update_partitions(self, partitions):
        """The task has these partitions from now on: a pattern has found or lost topics."""
        wanted = set(partitions)
        for key in list(self.group.queues):
            if key not in wanted:
                self.group.remove_queue(*key)
        for topic, partition in sorted(wanted - self.group.queues.keys()):
            self.group.add_queue(self._queue(topic, partition))

    # Opening and closing.

    @property
    def stores(self):
        """The task's own stores, in the order in which processors name them."""
        return self.topology.stores

    @property
    def repartition_topics(self):
        """Topics that the task reads or writes and the application makes."""
        return self.topology.repartition_topics

    def open_stores(self):
        """Open all stores; they are restored after that."""
        for store in self.stores:
            changelog = self.topology.changelog_topics.get(store.name)
            is_logged = store.name in self.topology.logged_stores
            store.changelog_topic = changelog if is_logged else None
            store.changelog_partition = self.id.partition
            store.init(self.context)
            self.context.stores[store.name] = store
            if getattr(store, "flushes_on_commit", True):
                self.flushed_stores.append(store)

    def open(self):
        """Open the nodes: stores are restored.

        Raises:
            ProcessingError: a processor's init raised.
        """
        cdef Node node
        for node in self.topology.nodes:
            try:
                node.open()
            except StreamsError:
                raise
            except Exception as error:
                raise lifecycle_error(node, error, "opened") from error
        self.is_open = True

    def suspend(self):
        """Close the nodes and forget what waits. Offsets can be committed still.

        Raises:
            ProcessingError: a processor's close raised; all were closed.
        """
        cdef Node node
        failure = None
        if not self.is_open:
            return
        self.is_open = False
        for node in self.topology.nodes:
            try:
                node.close()
            except StreamsError as error:
                failure = failure or error
            except Exception as error:
                if failure is None:
                    failure = lifecycle_error(node, error, "closed")
                    failure.__cause__ = error
        self.stream_punctuations.clear()
        self.wall_punctuations.clear()
        self.next_stream_punctuation_ms = NEVER
        self.group.clear()
        if failure is not None:
            raise failure

    def close(self, bint is_clean=True):
        """Close the nodes, if they are open, and the stores.

        Args:
            is_clean: False for a task that failed: nodes are closed, what they raise is ignored.
        """
        failure = None
        try:
            self.suspend()
        except StreamsError as error:
            failure = error
        for store in self.stores:
            if store.is_open:
                store.close()
        if failure is not None and is_clean:
            raise failure

    # Records.

    def add_messages(self, str topic, int partition, list messages not None):
        """Put messages behind those that wait in their partition.

        Raises:
            StreamsError: one cannot be decoded or has no valid timestamp, and the handler or the
                extractor says to fail.
        """
        cdef RecordQueue queue = self.group.queues[topic, partition]
        self.group.add(queue, messages)

    def buffered_count(self, str topic=None, int partition=-1):
        """How many records wait in a partition; in all of them without a topic."""
        if topic is None:
            return self.group.buffered_count
        return len(self.group.queues[topic, partition])

    def is_processable(self, int64_t now_ms):
        """Whether there is a record, and no reason to wait for those of other partitions."""
        return self.group.waiting.count > 0 and self.group.ready(now_ms)

    @property
    def lag_provider(self):
        """(topic, partition) -> how many records are behind those handed in; None: unknown."""
        return self.group.lag_of

    @lag_provider.setter
    def lag_provider(self, lag_of):
        self.group.lag_of = lag_of

    def update_lags(self):
        """Ask the lag provider anew."""
        self.group.update_lags()

    def process(self, int64_t now_ms):
        """Process one record.

        Args:
            now_ms: wall-clock time.

        Returns:
            Whether there was one whose turn it was.
        """
        return self.process_many(1, now_ms) > 0

    def process_many(self, Py_ssize_t limit, int64_t now_ms):
        """Process records, and punctuations of stream time as they become due.

        Args:
            limit: at most so many. It may stop before, when a processor asks for a commit.
            now_ms: wall-clock time.

        Returns:
            How many were processed.
        """
        cdef Py_ssize_t count = 0
        while count < limit and self.group.waiting.count:
            if not self.group.ready(now_ms):
                break
            self.step(now_ms)
            count += 1
            if self.context.commit_is_requested:
                break
        return count

    cdef int step(self, int64_t now_ms) except -1:
        """The next record; there is one."""
        cdef PartitionGroup group = self.group
        cdef TaskContext context = self.context
        cdef RecordQueue queue = group.choose()
        cdef Record record = queue.head
        cdef int64_t offset = queue.head_offset
        self.raw_key = queue.raw_key
        self.raw_value = queue.raw_value
        group.take(queue)
        queue.has_failed = True
        try:
            if record is not None:
                context.stream_time = group.stream_time
                context.topic = queue.topic
                context.partition = queue.partition
                context.offset = offset
                context.record_timestamp = record.timestamp
                context.headers = record._headers
                queue.source.forward(record)
            queue.next_offset = offset + 1
            queue.has_progress = True
            queue.has_failed = False
        except HANDLED as error:
            # The way through the nodes says nothing; the cause has the program's own frames.
            raise error.with_traceback(None)
        finally:
            group.settle(queue)
        if group.stream_time >= self.next_stream_punctuation_ms:
            self.punctuate_stream_time()
        return 0

    # Punctuations.

    def schedule(self, Node node, interval, punctuation_type, call, start_ms=None):
        """Have a function called again and again; see ProcessorContext.schedule."""
        interval_ms = to_ms(interval)
        if interval_ms < 1:
            raise TopologyError(f"{node.name}: an interval is 1 ms or more, not {interval!r}")
        if punctuation_type == PunctuationType.STREAM_TIME:
            schedule = Schedule(node, call, interval_ms, start_ms or 0)
            now_ms = self.group.stream_time
        elif punctuation_type == PunctuationType.WALL_CLOCK_TIME:
            now_ms = self.clock()
            first_ms = now_ms + interval_ms if start_ms is None else start_ms
            schedule = Schedule(node, call, interval_ms, first_ms)
        else:
            raise TopologyError(
                f"{node.name}: a punctuation is of PunctuationType.STREAM_TIME or WALL_CLOCK_TIME, "
                f"not {punctuation_type!r}"
            )
        if start_ms is not None and start_ms < now_ms:
            schedule.move_past(now_ms)
        if punctuation_type == PunctuationType.STREAM_TIME:
            self.stream_punctuations.add(schedule)
            self.next_stream_punctuation_ms = self.stream_punctuations.next_ms
        else:
            self.wall_punctuations.add(schedule)
        return schedule

    @property
    def next_wall_punctuation_ms(self):
        """When the first punctuation of wall-clock time is due, ms since 1970."""
        return self.wall_punctuations.next_ms

    def maybe_punctuate_stream_time(self):
        """Call what is due by stream time; process_many does it too. Returns whether any was."""
        if self.group.stream_time < 0 or self.group.stream_time < self.next_stream_punctuation_ms:
            return False
        return bool(self.punctuate_stream_time())

    def maybe_punctuate_wall_clock(self, int64_t now_ms):
        """Call what is due by wall-clock time. Returns whether any was."""
        if now_ms < self.wall_punctuations.next_ms:
            return False
        called = self.wall_punctuations.punctuate(now_ms, self._punctuate)
        self.has_new_punctuation = self.has_new_punctuation or called
        return called

    cdef int punctuate_stream_time(self) except -1:
        try:
            called = self.stream_punctuations.punctuate(self.group.stream_time, self._punctuate)
        finally:
            self.next_stream_punctuation_ms = self.stream_punctuations.next_ms
        self.has_new_punctuation = self.has_new_punctuation or called
        return called

    def _punctuate(self, schedule, int64_t now_ms):
        self.raw_key = self.raw_value = None
        self.context.set_record(None, -1, -1, now_ms, None)
        try:
            schedule.call(now_ms)
        except Exception as error:
            self.context.error_handler.punctuation(schedule.node, error)

    # Commits.

    @property
    def commit_needed(self):
        """Whether something happened since the last commit."""
        cdef RecordQueue queue
        if self.has_new_punctuation or self.context.processor_metadata_is_new:
            return True
        for queue in self.group.all_queues:
            if queue.has_progress:
                return True
        return False

    @property
    def commit_requested(self):
        """Whether a processor asked for a commit."""
        return self.context.commit_is_requested

    def flush_stores(self):
        """Have stores write through what they hold back."""
        for store in self.flushed_stores:
            store.flush()

    def prepare_commit(self):
        """Flush the stores, and return what to commit.

        Returns:
            By (topic, partition) the next offset to read; empty when nothing happened.
        """
        cdef RecordQueue queue
        offsets = {}
        if not self.commit_needed:
            return offsets
        self.flush_stores()
        for (topic, partition), queue in self.group.queues.items():
            if queue.has_progress or (
                    self.context.processor_metadata_is_new and queue.next_offset >= 0):
                offsets[topic, partition] = (
                    queue.head_offset if queue.has_head and not queue.has_failed
                    else queue.next_offset
                )
        return offsets

    def committed(self):
        """What prepare_commit returned is committed."""
        cdef RecordQueue queue
        for queue in self.group.all_queues:
            queue.has_progress = False
        self.has_new_punctuation = False
        self.context.processor_metadata_is_new = False
        self.context.commit_is_requested = False

    @property
    def partition_times(self):
        """By (topic, partition) the highest timestamp so far, ms, -1 for none."""
        return {key: queue.partition_time for key, queue in self.group.queues.items()}

    def set_partition_time(self, str topic, int partition, int64_t time_ms):
        """What was committed with the offset of a partition."""
        self.group.set_partition_time(topic, partition, time_ms)
        self.context.stream_time = self.group.stream_time

    @property
    def purgeable_offsets(self):
        """By (topic, partition) of repartition topics, up to where they have been processed."""
        cdef RecordQueue queue
        return {
            (topic, partition): queue.next_offset
            for (topic, partition), queue in self.group.queues.items()
            if topic in self.topology.repartition_topics and queue.next_offset >= 0
        }
