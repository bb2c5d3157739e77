"""DrivenTask: a whole topology in one task, driven record by record; TopologyTestDriver's engine.

What it writes to a topic is kept for the test to read and, if a source or a global store reads that
topic, goes back in, in order, after the record that it came from is done.
"""

cimport cython
from libc.stdint cimport int64_t

from pylog.message cimport Message
from pylog.streams.collector cimport RecordCollector
from pylog.streams.record cimport Record
from pylog.streams.runtime.partition_group cimport PartitionGroup
from pylog.streams.runtime.task cimport StreamTask
from pylog.streams.serde cimport Serde

from pylog.streams.errors import EmptyTopicError, StreamsError


@cython.final
@cython.freelist(256)
@cython.no_gc
cdef class WrittenRecord:
    """What was written to a topic: bytes only, so the garbage collector can spare it."""


@cython.final
cdef class DrivenTopic:
    """A topic of one partition: what was written to it and not read yet."""

    def __init__(self, str name):
        self.name = name
        self.written = []

    def __len__(self):
        return len(self.written) - self.position

    cdef WrittenRecord read(self):
        """The first record that was not read.

        Raises:
            EmptyTopicError: there is none.
        """
        if self.position == len(self.written):
            what = "has no more records" if self.is_produced else "was never written to"
            raise EmptyTopicError(f"topic {self.name!r} {what}")
        record = <WrittenRecord>self.written[self.position]
        self.position += 1
        if self.position == len(self.written):
            self.written.clear()
            self.position = 0
        return record

    def read_record(self, Serde key_serde not None, Serde value_serde not None):
        """The first record that was not read, as a Record."""
        return self.decode(self.read(), key_serde, value_serde)

    def read_records(self, Serde key_serde not None, Serde value_serde not None):
        """All that were not read, as a list of Record."""
        return [self.decode(record, key_serde, value_serde) for record in self._read_all()]

    def read_pairs(self, Serde key_serde not None, Serde value_serde not None):
        """All that were not read, as a list of (key, value)."""
        cdef WrittenRecord record
        cdef list pairs = []
        for record in self._read_all():
            key = key_serde.decode(self.name, record.key)
            pairs.append((key, value_serde.decode(self.name, record.value)))
        return pairs

    cdef Record decode(self, WrittenRecord written, Serde key_serde, Serde value_serde):
        cdef Record record = Record.__new__(Record)
        record.key = key_serde.decode(self.name, written.key)
        record.value = value_serde.decode(self.name, written.value)
        record.timestamp = written.timestamp
        record._headers = written.headers
        return record

    def _read_all(self):
        written = self.written[self.position:]
        self.written = []
        self.position = 0
        return written


@cython.final
cdef class DrivenTask(RecordCollector):
    """Runs a task as its collector, its clock and its thread.

    Args:
        now_ms: what the clock shows.
    """

    def __init__(self, int64_t now_ms):
        self.now_ms = now_ms
        self.topics = {}
        self.looping = []

    def run(self, StreamTask task, global_task, find_queue):
        """Drive these.

        Args:
            task: open, or None.
            global_task: open, or None.
            find_queue: topic -> RecordQueue of the task that takes its records, or None.
        """
        self.task = task
        # Topics have no lag here, so only a time to idle makes a record wait.
        self.never_waits = task is not None and task.group.max_task_idle_ms <= 0
        self.global_task = global_task
        self.find_queue = find_queue

    def clock(self):
        """The time, ms since 1970."""
        return self.now_ms

    def topic(self, str name):
        """The DrivenTopic of this name."""
        return self.topic_of(name)

    def topic_names(self):
        """Names of the topics that were written to."""
        cdef DrivenTopic topic
        return {topic.name for topic in self.topics.values() if topic.is_produced}

    # What the task writes.

    def send(self, str topic, key, value, headers, int64_t timestamp_ms, int partition):
        """Keep a record; see RecordCollector.send."""
        self.put(topic, key, value, headers, timestamp_ms, partition)

    cdef int put(self, str name, object key, object value, object headers, int64_t timestamp,
                 int partition) except -1:
        cdef DrivenTopic topic = self.last_topic
        cdef WrittenRecord record
        if topic is None or topic.name is not name:
            topic = self.topic_before
            if topic is None or topic.name is not name:
                topic = self.topic_of(name)
            self.topic_before = self.last_topic
            self.last_topic = topic
        record = WrittenRecord.__new__(WrittenRecord)
        record.key = key
        record.value = value
        record.headers = headers
        record.timestamp = timestamp
        topic.written.append(record)
        topic.is_produced = True
        if topic.queue is not None or topic.is_global:
            self.looping.append(topic)
            self.looping.append(record)
        return 0

    cdef int count_partitions(self, str topic) except -1:
        return 1

    # What goes in.

    def pipe(self, DrivenTopic topic not None, key, value, int64_t timestamp, headers):
        """Put a record of bytes in, and process all that follows from it.

        Raises:
            StreamsError: nobody reads the topic.
        """
        self._check(topic)
        self.pipe_message(topic, key, value, timestamp, headers)

    def pipe_pairs(self, DrivenTopic topic not None, Serde key_serde not None,
                   Serde value_serde not None, pairs, int64_t timestamp, int64_t advance):
        """Put many in, each at `advance` ms after the one before. Returns the time after the last.

        Args:
            topic: where.
            key_serde: of the keys.
            value_serde: of the values.
            pairs: of key and value.
            timestamp: of the first, ms since 1970.
            advance: ms.
        """
        cdef str name = topic.name
        self._check(topic)
        for key, value in pairs:
            self.pipe_message(
                topic, key_serde.encode(name, key), value_serde.encode(name, value), timestamp, None
            )
            timestamp += advance
        return timestamp

    def _check(self, DrivenTopic topic):
        if topic.queue is None and not topic.is_global:
            raise StreamsError(f"no source of the topology reads topic {topic.name!r}")

    cdef int pipe_message(self, DrivenTopic topic, object key, object value, int64_t timestamp,
                          object headers) except -1:
        self.enqueue(topic, key, value, timestamp, headers)
        if topic.queue is not None:
            self.complete()
        if topic.is_global:
            self.update_global(topic, key, value, timestamp, headers)
        return 0

    cdef int enqueue(self, DrivenTopic topic, object key, object value, int64_t timestamp,
                     object headers) except -1:
        topic.next_offset += 1
        if topic.queue is not None:
            self.task.group.add_raw(
                topic.queue, key, value, timestamp, headers, topic.next_offset - 1
            )
        return 0

    cdef int loop_back(self) except -1:
        """What was written to topics that are read goes in."""
        cdef DrivenTopic topic
        cdef WrittenRecord record
        cdef list looping
        cdef Py_ssize_t index
        while self.looping:
            looping = self.looping
            self.looping = []
            for index in range(0, len(looping), 2):
                topic = <DrivenTopic>looping[index]
                record = <WrittenRecord>looping[index + 1]
                self.enqueue(topic, record.key, record.value, record.timestamp, record.headers)
                if topic.is_global:
                    self.update_global(
                        topic, record.key, record.value, record.timestamp, record.headers
                    )
        return 0

    cdef int update_global(self, DrivenTopic topic, object key, object value, int64_t timestamp,
                           object headers) except -1:
        message = Message(topic.name, 0, topic.next_offset - 1, key, value, headers,
                          timestamp=(1, timestamp))
        self.global_task.update(message)
        self.global_task.flush()
        return 0

    cdef int complete(self) except -1:
        """Process all that waits and may be processed."""
        cdef StreamTask task = self.task
        cdef PartitionGroup group
        if self.is_processing:
            return 0  # a processor pipes a record in: its turn comes
        self.is_processing = True
        try:
            if self.looping:
                self.loop_back()
            if task is None:
                return 0
            group = task.group
            while group.waiting.count and (self.never_waits or group.ready(self.now_ms)):
                task.step(self.now_ms)
                if task.flushed_stores:
                    task.flush_stores()
                if self.looping:
                    self.loop_back()
        finally:
            self.is_processing = False
        return 0

    def advance_clock(self, int64_t advance_ms):
        """Let wall-clock time go on, with the punctuations that become due, once."""
        self.now_ms += advance_ms
        if self.task is not None:
            self.task.maybe_punctuate_wall_clock(self.now_ms)
            self.task.flush_stores()
        self.complete()

    cdef DrivenTopic topic_of(self, str name):
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = DrivenTopic(name)
            if self.task is not None:
                (<DrivenTopic>topic).queue = self.find_queue(name)
            if self.global_task is not None:
                (<DrivenTopic>topic).is_global = name in self.global_task.topology.sources_by_topic
        return <DrivenTopic>topic
