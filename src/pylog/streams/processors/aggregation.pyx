"""Aggregation, how a record and the aggregate so far make the next one.

    Aggregating     with an initializer and an aggregator
    Reducing        with a reducer; the first value is the first aggregate
    Counting        without a call of Python, if counts are stored as 8 bytes

`apply` goes from the bytes in a store to bytes, `compute` from value to value; what came of it is
in the fields. The same three work on key-value stores and on windows.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t

from pylog.streams.record cimport Record
from pylog.streams.serde cimport load_int64, store_int64
from pylog.streams.state.formats cimport timestamp_of, with_timestamp, without_timestamp
from pylog.streams.state.store cimport Store

from pylog.streams.processors.old_values import intact
from pylog.streams.serde import IntegerSerde


cdef class Aggregation:
    """Makes aggregates of one node."""

    cdef int bind(self, Store store, bint keeps_old_value) except -1:
        """Work with the serde of this open store."""
        self.value_serde = store.value_serde
        self.serde_topic = store.serde_topic
        self.keeps_old_value = keeps_old_value
        return 0

    def functions(self):
        """The program's functions that this calls."""
        return ()

    cdef object apply(self, Record record, object raw):
        """Add a record to an aggregate.

        Args:
            record: its key is not None.
            raw: the aggregate with its timestamp as the store has it, None for none.

        Returns:
            The new one for the store, None to delete it.
        """
        cdef object value = None
        cdef int64_t timestamp = -1
        if raw is not None:
            value = self.value_serde.decode(self.serde_topic, without_timestamp(raw))
            timestamp = timestamp_of(raw)
        self.compute(record, value, timestamp)
        value = self.value_serde.encode(self.serde_topic, self.new_value)
        return None if value is None else with_timestamp(value, self.timestamp)

    cdef int compute(self, Record record, object old, int64_t old_timestamp) except -1:
        """Add a record to an aggregate, None for none."""
        raise NotImplementedError


@cython.final
cdef class Aggregating(Aggregation):
    """By an initializer, called without arguments, and an aggregator: (key, value, aggregate)."""

    cdef object initializer
    cdef object aggregator

    def __init__(self, initializer, aggregator):
        self.initializer = initializer
        self.aggregator = aggregator

    def functions(self):
        """Initializer and aggregator."""
        return (self.initializer, self.aggregator)

    cdef int compute(self, Record record, object old, int64_t old_timestamp) except -1:
        self.timestamp = record.timestamp
        if old is None:
            old = self.initializer()
        elif old_timestamp > record.timestamp:
            self.timestamp = old_timestamp
        if self.keeps_old_value:
            self.old_value = intact(old)
        self.new_value = self.aggregator(record.key, record.value, old)
        return 0


@cython.final
cdef class Reducing(Aggregation):
    """By a reducer: (aggregate, value). The first value is taken as it is."""

    cdef object reducer

    def __init__(self, reducer):
        self.reducer = reducer

    def functions(self):
        """The reducer."""
        return (self.reducer,)

    cdef int compute(self, Record record, object old, int64_t old_timestamp) except -1:
        self.timestamp = record.timestamp
        if self.keeps_old_value:
            self.old_value = intact(old)
        if old is None:
            self.new_value = record.value
            return 0
        if old_timestamp > record.timestamp:
            self.timestamp = old_timestamp
        self.new_value = self.reducer(old, record.value)
        return 0


@cython.final
cdef class Counting(Aggregation):
    """Of records; the count before the first is 0."""

    cdef bint is_plain  # counts are stored as 8 bytes, big-endian

    cdef int bind(self, Store store, bint keeps_old_value) except -1:
        Aggregation.bind(self, store, keeps_old_value)
        self.is_plain = type(self.value_serde) is IntegerSerde and self.value_serde.size == 8
        return 0

    cdef object apply(self, Record record, object raw):
        cdef int64_t count = 1
        cdef bytes updated
        if not self.is_plain or (raw is not None and PyBytes_GET_SIZE(raw) != 16):
            return Aggregation.apply(self, record, raw)
        self.timestamp = record.timestamp
        if raw is not None:
            count += load_int64(PyBytes_AS_STRING(raw) + 8)
            if timestamp_of(raw) > self.timestamp:
                self.timestamp = timestamp_of(raw)
        self.new_value = count
        if self.keeps_old_value:
            self.old_value = count - 1
        updated = PyBytes_FromStringAndSize(NULL, 16)
        store_int64(PyBytes_AS_STRING(updated), self.timestamp)
        store_int64(PyBytes_AS_STRING(updated) + 8, count)
        return updated

    cdef int compute(self, Record record, object old, int64_t old_timestamp) except -1:
        self.timestamp = record.timestamp
        if old is None:
            old = 0
        elif old_timestamp > record.timestamp:
            self.timestamp = old_timestamp
        self.old_value = old
        self.new_value = old + 1
        return 0
