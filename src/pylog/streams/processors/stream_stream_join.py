"""Joins of two streams: records of one key whose times are within a window of each other.

Each side keeps its records in a window store and looks the other side's up. A left or outer join
also has results for records that find nothing, when their window has closed: until then they are
kept in the outer join store, which both sides share, as they share the clock that says so.

Source: Kafka Streams' KStreamKStreamJoin, KStreamImplJoin.TimeTrackerSupplier, KStreamJoinWindow;
KAFKA-10847, KIP-962.
"""

from typing import Any

from pylog.streams.processors.joiners import Joiner
from pylog.streams.processors.stream_stream_join_node import (
    JoinWindowNode,
    StreamStreamJoinNode,
    TimeTracker,
)
from pylog.streams.windows import JoinWindows


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
    """Makes the nodes that keep a side's records, after they were joined.

    Args:
        window_store_name: where to.
    """

    def __init__(self, window_store_name: str):
        self._window_store_name = window_store_name

    def __call__(self) -> JoinWindowNode:
        """Make a node."""
        return JoinWindowNode(self._window_store_name)


class KStreamKStreamJoinSupplier:
    """Makes the nodes of one side of a join of streams.

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

    def __call__(self) -> StreamStreamJoinNode:
        """Make a node."""
        return StreamStreamJoinNode(self)
