"""The nodes of a join of two streams: of each side, what joins its records and what keeps them.

    record's value or key missing   dropped; with a value but no key: joined with nothing at once,
                                    if this side is outer
    finds others                    joined with each; they leave the outer join store
    finds nothing, window open      into the outer join store, if this side is outer
    finds nothing, window closed    joined with nothing at once, if this side is outer

Whenever stream time advances, records of the outer join store whose windows have closed are joined
with nothing. That is looked after once in an interval of wall-clock time only.

Source: Kafka Streams' KStreamKStreamJoin, KStreamJoinWindow, KStreamImplJoin.TimeTracker.
"""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t

from pylog.streams.node cimport Node
from pylog.streams.record cimport Record
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.outer_join_store cimport OuterJoinEntry, OuterJoinStore
from pylog.streams.state.window_store cimport WindowStore

from pylog.streams.processors.joiners import user_function
from pylog.streams.keyed_function import unwrapped

EMIT_INTERVAL = "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__"


@cython.final
cdef class TimeTracker:
    """The time that both sides of a join have seen, in one task.

    Attributes:
        stream_time: the latest time of a record, -1 before the first.
        min_time: no record in the outer join store is earlier, as far as is known.
        next_time_to_emit: when to look next for records whose windows have closed, wall clock.
        emit_interval_ms: how long to wait in between.
    """

    cdef readonly int64_t stream_time
    cdef readonly int64_t min_time
    cdef readonly int64_t next_time_to_emit
    cdef readonly int64_t emit_interval_ms

    def __cinit__(self):
        self.stream_time = -1
        self.min_time = INT64_MAX
        self.emit_interval_ms = 1000


@cython.final
cdef class JoinWindowNode(Node):
    """Keeps a side's records, after they were joined.

    Args:
        window_store_name: where to.
    """

    cdef str window_store_name
    cdef WindowStore store

    def __init__(self, str window_store_name not None):
        self.window_store_name = window_store_name

    def open(self):
        """Find the store."""
        self.store = self.task.stores[self.window_store_name]

    cdef int process(self, Record record) except -1:
        self.forward(record)
        # The store keeps nothing of a record without a value, but its changelog has one, as Kafka
        # Streams' has.
        if record.key is not None:
            self.store.inner.put(self.store.encode_key(record.key),
                                 self.store.encode_value(record.value), record.timestamp)
        return 0


@cython.final
cdef class StreamStreamJoinNode(Node):
    """Joins a side's records with those that the other side has kept.

    Args:
        supplier: a KStreamKStreamJoinSupplier.
    """

    cdef object supplier
    cdef object time_trackers
    cdef object joiner
    cdef bint wants_key
    cdef bint is_left_side
    cdef bint is_outer
    # How far back and ahead of a record of this side the other's may be.
    cdef int64_t before_ms
    cdef int64_t after_ms
    cdef int64_t grace_ms
    # How long after its time a record of the left and of the right side may find others.
    cdef int64_t left_waits_ms
    cdef int64_t right_waits_ms
    cdef TimeTracker tracker
    cdef WindowStore others
    cdef OuterJoinStore waiting

    def __init__(self, supplier not None):
        windows = supplier.windows
        self.supplier = supplier
        self.joiner, self.wants_key = unwrapped(supplier.joiner)
        self.is_left_side = supplier.is_left_side
        self.is_outer = supplier.is_outer
        self.left_waits_ms = windows.after_ms
        self.right_waits_ms = windows.before_ms
        self.grace_ms = windows.grace_ms
        if self.is_left_side:
            self.before_ms, self.after_ms = windows.before_ms, windows.after_ms
        else:
            self.before_ms, self.after_ms = windows.after_ms, windows.before_ms

    def open(self):
        """Find the stores and the other side's clock."""
        self.time_trackers = self.supplier.time_trackers
        self.tracker = self.time_trackers.get(self.task.task_id)
        self.others = self.task.stores[self.supplier.other_window_store_name]
        if self.supplier.outer_join_store_name is None:
            return
        self.waiting = self.task.stores[self.supplier.outer_join_store_name]
        self.tracker.emit_interval_ms = self.task.config[EMIT_INTERVAL]
        # What a changelog has brought back waits for its time, too.
        for entry in self.waiting.all():
            self.tracker.min_time = entry.timestamp
            break

    def close(self):
        """Forget the clock."""
        if self.time_trackers is not None:
            self.time_trackers.remove(self.task.task_id)

    def functions(self):
        """The joiner."""
        return (user_function(self.supplier.joiner),)

    cdef int process(self, Record record) except -1:
        cdef TimeTracker tracker = self.tracker
        cdef WindowStore store = self.others
        cdef Cursor others
        cdef Record joined
        cdef int64_t time_to
        cdef bint has_found = False
        cdef object key = record.key
        cdef object value = record.value
        if record.timestamp > tracker.stream_time:
            tracker.stream_time = record.timestamp
        if key is None or value is None:
            return self.process_incomplete(record)
        if self.waiting is not None and record.timestamp == tracker.stream_time:
            self.emit_what_has_waited(record)
        time_to = max(0, record.timestamp + self.after_ms)
        others = store.inner.fetch(store.encode_key(key),
                                   max(0, record.timestamp - self.before_ms), time_to, False)
        while others.advance():
            has_found = True
            if self.waiting is not None:
                self.waiting.discard(key, others.start_ms, not self.is_left_side)
            joined = record.derive(
                key, self.join(key, value, store.decode_value(others.value)))
            if others.start_ms > record.timestamp:
                joined.timestamp = others.start_ms
            self.forward(joined)
        if self.is_outer and not has_found:
            # The other side may have seen later records than this one: then its window has closed
            # before it came.
            if self.waiting is None or time_to < tracker.stream_time:
                return self.forward(record.derive(key, self.join(key, value, None)))
            tracker.min_time = min(tracker.min_time, record.timestamp)
            self.waiting.add(key, record.timestamp, self.is_left_side, value)
        return 0

    cdef object join(self, object key, object this, object other):
        if self.wants_key:
            return self.joiner(key, this, other)
        return self.joiner(this, other)

    cdef int process_incomplete(self, Record record) except -1:
        if record.value is None and record.key is not None:
            self.task.drop(self.name, "null value")
        elif record.value is None or not self.is_outer:
            self.task.drop(self.name, "null key")
        else:
            self.forward(record.derive(None, self.join(None, record.value, None)))
        return 0

    cdef int emit_what_has_waited(self, Record record) except -1:
        """Join with nothing what has waited until its window closed."""
        cdef TimeTracker tracker = self.tracker
        cdef OuterJoinEntry entry
        cdef int64_t now_ms
        cdef int64_t waits_ms = self.after_ms + self.grace_ms
        cdef bint left_is_open = False
        cdef bint right_is_open = False
        # Where the sum is beyond all times nothing is known of the store, and a look is taken, as
        # in Kafka Streams.
        if tracker.min_time <= INT64_MAX - max(0, waits_ms):
            if tracker.min_time + waits_ms >= tracker.stream_time:
                return 0
        now_ms = self.task.now_ms()
        if now_ms < tracker.next_time_to_emit:
            return 0
        tracker.next_time_to_emit = now_ms + tracker.emit_interval_ms
        tracker.min_time = INT64_MAX
        for entry in self.waiting.all():
            tracker.min_time = entry.timestamp
            if left_is_open and right_is_open:
                break
            waits_ms = self.left_waits_ms if entry.is_left else self.right_waits_ms
            if entry.timestamp + waits_ms + self.grace_ms >= tracker.stream_time:
                if entry.is_left:
                    left_is_open = True
                else:
                    right_is_open = True
                # Kafka Streams looks at each record, so that another one of this entry is where
                # it stops, and what it takes for the earliest.
                if left_is_open and right_is_open and entry.count() > 1:
                    break
                continue
            self.emit_entry(record, entry)
            self.waiting.delete(entry)
        return 0

    cdef int emit_entry(self, Record record, OuterJoinEntry entry) except -1:
        cdef Record joined
        key = entry.key()
        for value in entry.values():
            if entry.is_left == self.is_left_side:
                joined = record.derive(key, self.join(key, value, None))
            else:
                joined = record.derive(key, self.join(key, None, value))
            joined.timestamp = entry.timestamp
            self.forward(joined)
        return 0
