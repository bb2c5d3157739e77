"""RecordCollector, where sinks and changelogs hand in what they write."""

cimport cython
from libc.stdint cimport int64_t


cdef class RecordCollector:
    """Takes serialized records. A subclass in Python gives `send`, one in Cython `put` too."""

    def send(self, str topic, key, value, headers, int64_t timestamp_ms, int partition):
        """Write a record.

        Args:
            topic: its full name.
            key: bytes or None.
            value: bytes or None.
            headers: list of (name, bytes or None), or None.
            timestamp_ms: ms since 1970.
            partition: -1 lets the key decide.

        Raises:
            ProductionError: it could not be written, and the handler said to fail.
        """
        raise NotImplementedError(f"{type(self).__name__}.send")

    def partition_count(self, str topic):
        """How many partitions a topic has, for partitioners."""
        return 1

    cdef int put(self, str topic, object key, object value, object headers, int64_t timestamp,
                 int partition) except -1:
        """`send` for callers in Cython."""
        self.send(topic, key, value, headers, timestamp, partition)
        return 0

    cdef int count_partitions(self, str topic) except -1:
        """`partition_count` for callers in Cython."""
        return self.partition_count(topic)


@cython.final
cdef class PythonCollector(RecordCollector):
    """A RecordCollector around an object that has just `send` and `partition_count`."""

    cdef object target

    def __init__(self, target):
        self.target = target

    def send(self, str topic, key, value, headers, int64_t timestamp_ms, int partition):
        """Write a record; see RecordCollector.send."""
        self.target.send(topic, key, value, headers, timestamp_ms, partition)

    def partition_count(self, str topic):
        """How many partitions a topic has."""
        return self.target.partition_count(topic)


cdef RecordCollector as_collector(object collector):
    """`collector` itself, or a RecordCollector around it."""
    if isinstance(collector, RecordCollector):
        return <RecordCollector>collector
    return PythonCollector(collector)
