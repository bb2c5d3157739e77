"""Joins of two streams: records of one key whose times are within a window of each other.

Each side keeps its records in a window store and looks the other side's up. A left or outer join
also has results for records that find nothing, when their window has closed: until then they are
kept in the outer join store, which both sides share, as they share the clock that says so.

    record's value or key missing   dropped; with a value but no key: joined with nothing at once,
                                    if this side is outer
    finds others                    joined with each; they leave the outer join store
    finds nothing, window open      into the outer join store, if this side is outer
    finds nothing, window closed    joined with nothing at once, if this side is outer

Whenever stream time advances, records of the outer join store whose windows have closed are joined
with nothing. That is looked after once in an interval of wall-clock time only.

Source: Kafka Streams' KStreamKStreamJoin, KStreamImplJoin.TimeTracker, KStreamJoinWindow;
KAFKA-10847, KIP-962.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.durations import MAX_MS
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.joiners import Joiner, joiner_with_key, user_function
from pylog.streams.record import Record
from pylog.streams.state.outer_join_store import OuterJoinStore
from pylog.streams.windows import JoinWindows

EMIT_INTERVAL = "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__"


class TimeTracker:
    """The time that both sides of a join have seen, in one task.

    Attributes:
        stream_time: the latest time of a record, -1 before the first.
        min_time: no record in the outer join store is earlier, as far as is known.
        next_time_to_emit: when to look next for records whose windows have closed, wall clock.
        emit_interval_ms: how long to wait in between.
    """

    __slots__ = ("emit_interval_ms", "min_time", "next_time_to_emit", "stream_time")

    def __init__(self) -> None:
        self.stream_time = -1
        self.min_time = MAX_MS
        self.next_time_to_emit = 0
        self.emit_interval_ms = 1000


class TimeTrackerSupplier:
    """Has the time tracker of a join for each task."""

    def __init__(self) -> None:
        self._trackers: dict[Any, TimeTracker] = {}

    def get(self, task_id: Any) -> TimeTracker:
        """Return the tracker of a task; the sides get the same."""
        return self._trackers.setdefault(task_id, TimeTracker())

    def remove(self, task_id: Any) -> None:
        """Forget a task."""
        self._trackers.pop(task_id, None)


class KStreamJoinWindowSupplier:
    """Makes the processors that keep a side's records, after they were joined.

    Args:
        window_store_name: where to.
    """

    def __init__(self, window_store_name: str):
        self._window_store_name = window_store_name

    def __call__(self) -> "_JoinWindowProcessor":
        """Make a processor."""
        return _JoinWindowProcessor(self._window_store_name)


class _JoinWindowProcessor:
    def __init__(self, window_store_name: str):
        self._window_store_name = window_store_name

    def init(self, context: ProcessorContext) -> None:
        store: Any = context.get_state_store(self._window_store_name)
        self._forward = context.forward
        self._put = store.put

    def process(self, record: Record) -> None:
        self._forward(record)
        if record.key is not None:
            self._put(record.key, record.value, record.timestamp)


class KStreamKStreamJoinSupplier:
    """Makes the processors of one side of a join of streams.

    Args:
        is_left_side: which side.
        other_window_store_name: where the other side's records are.
        windows: how far apart two records may be, as the left side sees it.
        joiner: takes this side's value, then the other's.
        is_outer: whether this side's records that find nothing are results.
        outer_join_store_name: where they wait; of both sides, None if neither is outer.
        time_trackers: of both sides.
    """

    def __init__(
        self,
        is_left_side: bool,
        other_window_store_name: str,
        windows: JoinWindows,
        joiner: Joiner,
        is_outer: bool,
        outer_join_store_name: str | None,
        time_trackers: TimeTrackerSupplier,
    ):
        self.is_left_side = is_left_side
        self.other_window_store_name = other_window_store_name
        self.windows = windows
        self.joiner = joiner
        self.is_outer = is_outer
        self.outer_join_store_name = outer_join_store_name
        self.time_trackers = time_trackers

    def __call__(self) -> "_StreamStreamJoinProcessor":
        """Make a processor."""
        return _StreamStreamJoinProcessor(self)


class _StreamStreamJoinProcessor:
    def __init__(self, supplier: KStreamKStreamJoinSupplier):
        self._supplier = supplier
        windows = supplier.windows
        self._is_left_side = supplier.is_left_side
        self._is_outer = supplier.is_outer
        # How far back and ahead of a record the other side's may be.
        self._before_ms, self._after_ms = windows.before_ms, windows.after_ms
        if not supplier.is_left_side:
            self._before_ms, self._after_ms = windows.after_ms, windows.before_ms
        self._grace_ms = windows.grace_ms
        self._joiner = joiner_with_key(supplier.joiner)
        self._outer_store: OuterJoinStore | None = None

    def init(self, context: ProcessorContext) -> None:
        supplier = self._supplier
        self._context = context
        self._task_id = context.task_id
        self._tracker = supplier.time_trackers.get(self._task_id)
        other_store: Any = context.get_state_store(supplier.other_window_store_name)
        self._fetch = other_store.fetch
        if supplier.outer_join_store_name is not None:
            outer_store: OuterJoinStore = context.get_state_store(supplier.outer_join_store_name)
            self._outer_store = outer_store
            self._tracker.emit_interval_ms = context.config[EMIT_INTERVAL]
            # What a changelog has brought back waits for its time, too.
            for entry in outer_store.all():
                self._tracker.min_time = entry.timestamp
                break

    def process(self, record: Record) -> None:
        tracker, timestamp = self._tracker, record.timestamp
        if timestamp > tracker.stream_time:
            tracker.stream_time = timestamp
        key, value = record.key, record.value
        if key is None or value is None:
            self._process_incomplete(record)
            return
        outer_store = self._outer_store
        if outer_store is not None and timestamp == tracker.stream_time:
            self._emit_non_joined(outer_store, record)
        time_to = max(0, timestamp + self._after_ms)
        others = self._fetch(key, max(0, timestamp - self._before_ms), time_to)
        joiner, forward = self._joiner, self._context.forward
        has_found = False
        for other_timestamp, other_value in others:
            has_found = True
            if outer_store is not None:
                outer_store.discard(key, other_timestamp, not self._is_left_side)
            joined = record.with_value(joiner(key, value, other_value))
            if other_timestamp > timestamp:
                joined = joined.with_timestamp(other_timestamp)
            forward(joined)
        if self._is_outer and not has_found:
            # The other side's records may be later than this side has seen: then this one's
            # window has closed before it came.
            if outer_store is None or time_to < tracker.stream_time:
                forward(record.with_value(joiner(key, value, None)))
            else:
                tracker.min_time = min(tracker.min_time, timestamp)
                outer_store.add(key, timestamp, self._is_left_side, value)

    def close(self) -> None:
        self._supplier.time_trackers.remove(self._task_id)

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The joiner, for errors."""
        return (user_function(self._supplier.joiner),)

    def _process_incomplete(self, record: Record) -> None:
        if record.value is None:
            self._context.drop("null value" if record.key is not None else "null key")
        elif self._is_outer:
            joined = self._joiner(None, record.value, None)
            self._context.forward(record.with_value(joined))
        else:
            self._context.drop("null key")

    def _emit_non_joined(self, outer_store: OuterJoinStore, record: Record) -> None:
        """Join with nothing what has waited until its window closed."""
        tracker = self._tracker
        closes = tracker.min_time + self._after_ms + self._grace_ms
        # Above MAX_MS nothing is known of the store, and a look is taken, as in Kafka Streams.
        if tracker.stream_time <= closes <= MAX_MS:
            return
        now_ms = self._context.current_system_time_ms()
        if now_ms < tracker.next_time_to_emit:
            return
        tracker.next_time_to_emit = now_ms + tracker.emit_interval_ms
        tracker.min_time = MAX_MS
        windows = self._supplier.windows
        left_is_open = right_is_open = False
        for entry in outer_store.all():
            tracker.min_time = entry.timestamp
            if left_is_open and right_is_open:
                break
            # A left record waits for later ones of the right side, a right record for earlier ones
            # that come late.
            wait_ms = windows.after_ms if entry.is_left else windows.before_ms
            if entry.timestamp + wait_ms + self._grace_ms >= tracker.stream_time:
                if entry.is_left:
                    left_is_open = True
                else:
                    right_is_open = True
                continue
            self._forward_non_joined(record, entry)
            outer_store.delete(entry)

    def _forward_non_joined(self, record: Record, entry: Any) -> None:
        key = entry.key()
        result = record.with_key(key).with_timestamp(entry.timestamp)
        for value in entry.values():
            if entry.is_left == self._is_left_side:
                joined = self._joiner(key, value, None)
            else:
                joined = self._joiner(key, None, value)
            self._context.forward(result.with_value(joined))
