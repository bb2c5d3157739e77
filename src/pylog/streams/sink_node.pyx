"""SinkNode, where records leave a topology for a topic."""

cimport cython
from libc.stdint cimport int64_t

from pylog.streams.collector cimport RecordCollector, as_collector
from pylog.streams.node cimport Node
from pylog.streams.record cimport Record
from pylog.streams.serde cimport Serde

from pylog.streams.errors import SerializationError, TopologyError


@cython.final
cdef class RecordContext:
    """Where a record came from, for functions that name its topic.

    Attributes:
        topic: that it was read from, None in a punctuation.
        partition: -1 in a punctuation.
        offset: -1 in a punctuation.
        timestamp: of the record that is written, ms since 1970.
        headers: of the record that is written.
    """

    cdef readonly object topic
    cdef readonly int partition
    cdef readonly int64_t offset
    cdef readonly int64_t timestamp
    cdef readonly object headers


@cython.final
cdef class SinkNode(Node):
    """Encodes records and hands them to the task's collector.

    Args:
        topic: its real name, or a function of key, value and RecordContext that returns one.
        key_serde: None for the default one.
        value_serde: None for the default one.
        partitioner: see Topology.add_sink.
    """

    cdef readonly object topic           # None where a function names it
    cdef readonly object topic_extractor
    cdef object partitioner
    cdef bint is_by_window               # nobody gave a partitioner; windows of a key stay together
    cdef object wanted_key_serde
    cdef object wanted_value_serde
    cdef Serde key_serde
    cdef Serde value_serde
    cdef RecordCollector collector

    def __init__(self, topic, key_serde, value_serde, partitioner=None):
        self.topic = topic if isinstance(topic, str) else None
        self.topic_extractor = None if isinstance(topic, str) else topic
        self.wanted_key_serde = key_serde
        self.wanted_value_serde = value_serde
        self.partitioner = partitioner

    def open(self):
        """Find out which serdes are the default ones, and where records go."""
        config = self.task.config
        self.collector = as_collector(self.task.collector)
        self.key_serde = config.key_serde_for(self.wanted_key_serde)
        where = f"sink {self.name!r} to {self.topic or 'topics that a function names'}"
        self.value_serde = config.value_serde_for(self.wanted_value_serde, where)
        if self.partitioner is None and hasattr(self.key_serde, "serialize_base_key"):
            from pylog.streams.partitioners import windowed_partitioner

            self.partitioner = windowed_partitioner(self.key_serde)
            self.is_by_window = True

    def functions(self):
        """What names the topic and what chooses the partition."""
        return tuple(
            function for function in (self.topic_extractor, self.partitioner)
            if function is not None
        )

    cdef int process(self, Record record) except -1:
        cdef str topic
        cdef object key, value, headers
        if self.topic is not None:
            topic = <str>self.topic
        else:
            topic = self._extract(record)
        try:
            key = self.key_serde.encode(topic, record.key)
            value = self.value_serde.encode(topic, record.value)
        except SerializationError as error:
            self.task.error_handler.serialization(self, topic, record, error)
            return 0
        headers = record._headers
        if headers is not None:
            headers = list(headers) if headers else None
        if self.partitioner is None:
            self.collector.put(topic, key, value, headers, record.timestamp, -1)
        else:
            self._send_to_chosen(topic, record, key, value, headers)
        return 0

    cdef str _extract(self, Record record):
        cdef RecordContext context = RecordContext.__new__(RecordContext)
        context.topic = self.task.topic
        context.partition = self.task.partition
        context.offset = self.task.offset
        context.timestamp = record.timestamp
        context.headers = record.headers
        topic = self.topic_extractor(record.key, record.value, context)
        if not isinstance(topic, str) or not topic:
            raise TopologyError(
                f"sink {self.name!r}: the function that names the topic returned {topic!r}"
            )
        return topic

    cdef int _send_to_chosen(self, str topic, Record record, key, value, headers) except -1:
        cdef int count = self.collector.count_partitions(topic)
        if self.is_by_window and count == 1:
            self.collector.put(topic, key, value, headers, record.timestamp, 0)
            return 0
        chosen = self.partitioner(topic, record.key, record.value, count)
        if chosen is None:
            self.collector.put(topic, key, value, headers, record.timestamp, -1)
            return 0
        partitions = (chosen,) if isinstance(chosen, int) else tuple(chosen)
        if not partitions:
            self.task.drop(self.name, "no partition")
        for partition in partitions:
            if not 0 <= partition < count:
                raise TopologyError(
                    f"sink {self.name!r}: the partitioner chose partition {partition} of topic "
                    f"{topic!r}, which has {count}"
                )
            self.collector.put(topic, key, value, headers, record.timestamp, partition)
        return 0
