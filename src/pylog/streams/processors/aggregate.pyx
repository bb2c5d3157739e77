"""Aggregates of a stream by key, without windows: count, reduce, aggregate.

Records without a key or without a value are dropped. The aggregate has the time of the newest
record in it. A versioned store may take no record that is too old; then nothing is forwarded.
"""

cimport cython
from libc.stdint cimport int64_t

from pylog.streams.node cimport Node, ProcessorContext
from pylog.streams.processors.aggregation cimport Aggregation
from pylog.streams.processors.flushed_update cimport record_of_flush
from pylog.streams.record cimport Change, Record, ValueAndTimestamp
from pylog.streams.state.key_value_store cimport TimestampedKeyValueStore
from pylog.streams.state.store cimport Store

from pylog.streams.processors import table_store
from pylog.streams.processors.aggregation import Aggregating, Counting, Reducing
from pylog.streams.processors.value_getters import KTableMaterializedValueGetterSupplier

cdef int64_t LATEST = table_store.IS_LATEST
cdef int64_t REFUSED = table_store.NOT_PUT


class _StreamAggregateSupplier:
    """Makes nodes that keep an aggregate per key.

    Attributes:
        store_name: of the aggregates.
        sends_old_values: whether updates carry the value before.
    """

    def __init__(self, store_name):
        self.store_name = store_name
        self.sends_old_values = False

    def enable_sending_old_values(self, force_materialization=True):
        """Send old values from now on; an aggregate is always materialized."""
        self.sends_old_values = True
        return True

    def view(self):
        """Reads the aggregates."""
        return KTableMaterializedValueGetterSupplier(self.store_name)

    def aggregation(self):
        """How a new node aggregates."""
        raise NotImplementedError

    def __call__(self):
        return KStreamAggregateNode(self.store_name, self.aggregation(), self.sends_old_values)


class KStreamAggregateSupplier(_StreamAggregateSupplier):
    """Aggregates with functions of the program.

    Args:
        store_name: of the aggregates.
        initializer: () -> the aggregate of no records.
        aggregator: (key, value, aggregate) -> the aggregate with the record.
    """

    def __init__(self, store_name, initializer, aggregator):
        _StreamAggregateSupplier.__init__(self, store_name)
        self.initializer = initializer
        self.aggregator = aggregator

    def aggregation(self):
        """With the two functions."""
        return Aggregating(self.initializer, self.aggregator)


class KStreamReduceSupplier(_StreamAggregateSupplier):
    """Reduces the values of each key to one of their kind.

    Args:
        store_name: of the results.
        reducer: (aggregate, value) -> the aggregate with the value.
    """

    def __init__(self, store_name, reducer):
        _StreamAggregateSupplier.__init__(self, store_name)
        self.reducer = reducer

    def aggregation(self):
        """With the reducer."""
        return Reducing(self.reducer)


class KStreamCountSupplier(_StreamAggregateSupplier):
    """Counts the records of each key.

    Args:
        store_name: of the counts.
    """

    def aggregation(self):
        """By counting."""
        return Counting()


@cython.final
cdef class KStreamAggregateNode(Node):
    """Adds each record to the aggregate of its key and forwards the Change."""

    cdef str store_name
    cdef Aggregation aggregation
    cdef bint sends_old_values
    cdef bint is_cached
    cdef TimestampedKeyValueStore store  # None if it is versioned
    cdef object table                    # TableStore of one that is versioned

    def __init__(self, str store_name not None, Aggregation aggregation not None,
                 bint sends_old_values):
        self.store_name = store_name
        self.aggregation = aggregation
        self.sends_old_values = sends_old_values

    def open(self):
        """Find the store."""
        store = ProcessorContext(self).get_state_store(self.store_name)
        self.aggregation.bind(<Store?>store, self.sends_old_values)
        if isinstance(store, TimestampedKeyValueStore):
            self.store = store
        else:
            self.table = table_store.TableStore(store)
        self.is_cached = store.set_flush_listener(self.forward_flushed, self.sends_old_values)

    def functions(self):
        """Those of the aggregation."""
        return self.aggregation.functions()

    def forward_flushed(self, Record record not None):
        """Forward an update that the store's cache wrote through."""
        self.forward(record_of_flush(record))

    cdef int process(self, Record record) except -1:
        cdef Aggregation aggregation = self.aggregation
        cdef bytes key
        if record.key is None or record.value is None:
            self.task.drop(self.name, "null key" if record.key is None else "null value")
            return 0
        if self.store is None:
            return self.process_versioned(record)
        key = self.store.encode_key(record.key)
        self.store.put_raw(key, aggregation.apply(record, self.store.get_raw(key)))
        if not self.is_cached:
            self.forward_change(record, True)
        return 0

    cdef int process_versioned(self, Record record) except -1:
        cdef ValueAndTimestamp found = self.table.get(record.key)
        cdef int64_t put
        if found is None:
            self.aggregation.compute(record, None, -1)
        else:
            self.aggregation.compute(record, found.value, found.timestamp)
        put = self.table.put(record.key, self.aggregation.new_value, self.aggregation.timestamp)
        if put != REFUSED:
            self.forward_change(record, put == LATEST)
        return 0

    cdef int forward_change(self, Record record, bint is_latest) except -1:
        cdef Change change = Change.__new__(Change)
        cdef Record update
        change.new_value = self.aggregation.new_value
        change.old_value = self.aggregation.old_value if self.sends_old_values else None
        change.is_latest = is_latest
        update = record.derive(record.key, change)
        update.timestamp = self.aggregation.timestamp
        return self.forward(update)
