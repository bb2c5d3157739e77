"""WindowCloseEmitter, which says when the results of closed windows are due."""

from pylog.streams.node import TaskContext

_INTERVAL = "__emit.interval.ms.kstreams.windowed.aggregation__"


class WindowCloseEmitter:
    """Throttles emission on window close by wall-clock time.

    How far emission came goes with the task's committed offsets, so that no window is emitted anew
    after a restart.

    Args:
        task: where it runs.
        store_name: of the windows, under which the progress is kept.

    Attributes:
        last_close_time_ms: windows that closed before this were emitted; -1 before the first.
    """

    def __init__(self, task: TaskContext, store_name: str):
        last_close_time_ms = task.get_processor_metadata(store_name)
        self.last_close_time_ms = -1 if last_close_time_ms is None else last_close_time_ms
        self._task = task
        self._store_name = store_name
        self._interval_ms = int(task.config[_INTERVAL])
        self._next_time_ms = 0

    def is_due(self, close_time_ms: int) -> bool:
        """Whether to look for closed windows now; then the next time is an interval away.

        Args:
            close_time_ms: stream time less the grace period.
        """
        now_ms = self._task.clock()
        if now_ms < self._next_time_ms:
            return False
        self._next_time_ms = now_ms + self._interval_ms
        return self.last_close_time_ms == -1 or self.last_close_time_ms < close_time_ms

    def emitted(self, close_time_ms: int) -> None:
        """Remember that all windows that closed before this time are out."""
        self.last_close_time_ms = close_time_ms
        self._task.set_processor_metadata(self._store_name, close_time_ms)
