"""What counts and measures: totals, rates over a window, averages and extremes over a window.

As Kafka's metrics, a window is cut into samples, the oldest of which is forgotten when a new one
begins: `metrics.num.samples` of `metrics.sample.window.ms`. Adding is a few instructions; all else
is done when somebody reads.
"""

from collections import deque
from collections.abc import Callable

Clock = Callable[[], int]  # ms since 1970


class Counter:
    """A total, and its rate a second over the window.

    Args:
        clock: the time, asked when the rate is read and when a sample may be over.
        window_ms: how long a sample is.
        samples: how many there are.
    """

    __slots__ = ("_clock", "_marks", "_samples", "_window_ms", "total")

    def __init__(self, clock: Clock, window_ms: int, samples: int) -> None:
        self.total = 0
        self._clock = clock
        self._window_ms = window_ms
        self._samples = samples
        self._marks: deque[tuple[int, int]] = deque([(clock(), 0)])

    def add(self, count: int = 1) -> None:
        """Count."""
        self.total += count

    def mark(self) -> None:
        """Begin a new sample if the last one is over; to be called now and then."""
        now = self._clock()
        marks = self._marks
        if now - marks[-1][0] >= self._window_ms:
            marks.append((now, self.total))
            while len(marks) > self._samples:
                marks.popleft()

    def rate(self) -> float:
        """How many a second there were in the window."""
        since, total = self._marks[0]
        elapsed_ms = self._clock() - since
        # As Kafka: a window that has just begun is taken for all but its last sample.
        elapsed_ms = max(elapsed_ms, (self._samples - 1) * self._window_ms, 1)
        return (self.total - total) * 1000 / elapsed_ms


class Spread:
    """Average, least and most of what was recorded in the window.

    Args:
        clock: the time.
        window_ms: how long a sample is.
        samples: how many there are.
    """

    __slots__ = (
        "_clock",
        "_past",
        "_samples",
        "_window_ms",
        "count",
        "high",
        "low",
        "since",
        "sum",
    )

    def __init__(self, clock: Clock, window_ms: int, samples: int) -> None:
        self._clock = clock
        self._window_ms = window_ms
        self._samples = samples
        self._past: deque[tuple[int, int, float, float, float]] = deque(maxlen=samples - 1)
        self._begin(clock())

    def _begin(self, now: int) -> None:
        self.since = now
        self.count = 0
        self.sum = 0.0
        self.low = float("inf")
        self.high = float("-inf")

    def record(self, value: float) -> None:
        """Take a value in."""
        now = self._clock()
        if now - self.since >= self._window_ms:
            self._past.append((self.since, self.count, self.sum, self.low, self.high))
            self._begin(now)
        self.count += 1
        self.sum += value
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value

    def _recent(self) -> list[tuple[int, int, float, float, float]]:
        oldest = self._clock() - self._window_ms * self._samples
        samples = [*self._past, (self.since, self.count, self.sum, self.low, self.high)]
        return [sample for sample in samples if sample[0] > oldest and sample[1]]

    def average(self) -> float:
        """The mean; NaN of nothing."""
        recent = self._recent()
        count = sum(sample[1] for sample in recent)
        return sum(sample[2] for sample in recent) / count if count else float("nan")

    def least(self) -> float:
        """The smallest value; NaN of nothing."""
        return min((sample[3] for sample in self._recent()), default=float("nan"))

    def most(self) -> float:
        """The largest value; NaN of nothing."""
        return max((sample[4] for sample in self._recent()), default=float("nan"))
