"""How streams are cut into windows: tumbling, hopping, sliding, sessions, unlimited, of a join.

Sizes are durations: int ms, a timedelta or text like "10s". Every kind but the unlimited one is
made with a grace period or expressly without: for how long after its end, in stream time, a window
still takes records. A record for a window that is closed is dropped and counted as "late".

    TimeWindows       of one size, at multiples of their advance; tumbling or hopping
    SlidingWindows    wherever two records are at most a difference apart; both ends included
    SessionWindows    records with less than a gap between them; both ends included
    UnlimitedWindows  one that never ends
    JoinWindows       which records of two streams meet
"""

from dataclasses import dataclass, replace

from pylog.streams.durations import MAX_MS, Duration, to_ms
from pylog.streams.window import SessionWindow, Window, Windowed

__all__ = [
    "EmitStrategy",
    "JoinWindows",
    "SessionWindow",
    "SessionWindows",
    "SlidingWindows",
    "TimeWindows",
    "UnlimitedWindows",
    "Window",
    "Windowed",
    "Windows",
]


def _check_grace(grace_ms: int) -> None:
    if grace_ms < 0:
        raise ValueError(f"a grace period is not negative: {grace_ms} ms")


@dataclass(frozen=True, slots=True)
class TimeWindows:
    """Windows of one size that begin at multiples of their advance since 1970.

    Tumbling as made; hopping after `advance_by`.

    Attributes:
        size_ms: how long one is.
        advance_ms: from the start of one to the start of the next.
        grace_ms: how long after its end one takes late records.

    Raises:
        ValueError: the size is not above 0, the advance not in 1 to size, the grace negative.
    """

    size_ms: int
    advance_ms: int
    grace_ms: int = 0

    def __post_init__(self) -> None:
        if self.size_ms <= 0:
            raise ValueError(f"a window's size is larger than 0: {self.size_ms} ms")
        if not 0 < self.advance_ms <= self.size_ms:
            raise ValueError(
                f"windows advance by 1 ms up to their size of {self.size_ms} ms, "
                f"not by {self.advance_ms} ms"
            )
        _check_grace(self.grace_ms)

    @classmethod
    def of_size_with_no_grace(cls, size: Duration) -> "TimeWindows":
        """Tumbling windows that close at their end."""
        return cls.of_size_and_grace(size, 0)

    @classmethod
    def of_size_and_grace(cls, size: Duration, grace: Duration) -> "TimeWindows":
        """Tumbling windows that take records until `grace` after their end."""
        size_ms = to_ms(size, "size")
        return cls(size_ms, size_ms, to_ms(grace, "grace"))

    def advance_by(self, advance: Duration) -> "TimeWindows":
        """The same windows, hopping: one begins every `advance`, so that they overlap."""
        return replace(self, advance_ms=to_ms(advance, "advance"))

    def windows_for(self, timestamp: int) -> dict[int, Window]:
        """The windows that a time is in, by their start, earliest first."""
        size_ms, advance_ms = self.size_ms, self.advance_ms
        first = max(0, timestamp - size_ms + advance_ms) // advance_ms * advance_ms
        return {
            start: Window(start, start + size_ms)
            for start in range(first, timestamp + 1, advance_ms)
        }


@dataclass(frozen=True, slots=True)
class SlidingWindows:
    """A window for every set of records that are at most a difference apart, both ends included.

    For a record at t there is the window that ends with it, [t - difference, t], and the one that
    begins after it, [t + 1, t + 1 + difference], if records are there. Records before `difference`
    share the window [0, difference].

    Attributes:
        time_difference_ms: most between the first and the last record of a window.
        grace_ms: how long after its end one takes late records.

    Raises:
        ValueError: one of them is negative.
    """

    time_difference_ms: int
    grace_ms: int = 0

    def __post_init__(self) -> None:
        if self.time_difference_ms < 0:
            raise ValueError(f"a time difference is not negative: {self.time_difference_ms} ms")
        _check_grace(self.grace_ms)

    @classmethod
    def of_time_difference_with_no_grace(cls, time_difference: Duration) -> "SlidingWindows":
        """Windows that close at their end."""
        return cls.of_time_difference_and_grace(time_difference, 0)

    @classmethod
    def of_time_difference_and_grace(
        cls, time_difference: Duration, grace: Duration
    ) -> "SlidingWindows":
        """Windows that take records until `grace` after their end."""
        return cls(to_ms(time_difference, "time_difference"), to_ms(grace, "grace"))


@dataclass(frozen=True, slots=True)
class SessionWindows:
    """Sessions: records of a key with at most a gap of inactivity between two of them.

    A session reaches from its first record to its last, both included; a record between two
    sessions may make them one.

    Attributes:
        inactivity_gap_ms: how long without a record ends a session.
        grace_ms: how long after that it takes late records.

    Raises:
        ValueError: the gap is not above 0, the grace is negative.
    """

    inactivity_gap_ms: int
    grace_ms: int = 0

    def __post_init__(self) -> None:
        if self.inactivity_gap_ms <= 0:
            raise ValueError(f"a gap of inactivity is larger than 0: {self.inactivity_gap_ms} ms")
        _check_grace(self.grace_ms)

    @classmethod
    def of_inactivity_gap_with_no_grace(cls, inactivity_gap: Duration) -> "SessionWindows":
        """Sessions that close when the gap has passed."""
        return cls.of_inactivity_gap_and_grace(inactivity_gap, 0)

    @classmethod
    def of_inactivity_gap_and_grace(
        cls, inactivity_gap: Duration, grace: Duration
    ) -> "SessionWindows":
        """Sessions that take records until `grace` after the gap has passed."""
        return cls(to_ms(inactivity_gap, "inactivity_gap"), to_ms(grace, "grace"))


@dataclass(frozen=True, slots=True)
class UnlimitedWindows:
    """One window that begins at `start_ms` and never ends; records before it are in none.

    Attributes:
        start_ms: where it begins, ms since 1970.

    Raises:
        ValueError: the start is negative.
    """

    start_ms: int = 0

    def __post_init__(self) -> None:
        if self.start_ms < 0:
            raise ValueError(f"a window does not start before 0: {self.start_ms}")

    @classmethod
    def of(cls) -> "UnlimitedWindows":
        """The window that begins at 0."""
        return cls(0)

    def start_on(self, start_ms: int) -> "UnlimitedWindows":
        """The window that begins at this time, ms since 1970."""
        return UnlimitedWindows(start_ms)

    @property
    def size_ms(self) -> int:
        """Java's Long.MAX_VALUE."""
        return MAX_MS

    @property
    def grace_ms(self) -> int:
        """0: it never closes."""
        return 0

    def windows_for(self, timestamp: int) -> dict[int, Window]:
        """The window, if the time is not before it."""
        if timestamp < self.start_ms:
            return {}
        return {self.start_ms: Window(self.start_ms, MAX_MS)}


# What windowed_by on a time-windowed stream takes, beside sliding and session windows.
Windows = TimeWindows | UnlimitedWindows


@dataclass(frozen=True, slots=True)
class JoinWindows:
    """Which records of two streams meet: those of one key with times close enough.

    A record at t meets those of the other stream from t - before to t + after, both included.

    Attributes:
        before_ms: how much earlier the other record may be; may be negative.
        after_ms: how much later it may be; may be negative.
        grace_ms: how long after its end a window takes late records.

    Raises:
        ValueError: before + after or the grace is negative.
    """

    before_ms: int
    after_ms: int
    grace_ms: int = 0

    def __post_init__(self) -> None:
        if self.before_ms + self.after_ms < 0:
            raise ValueError(
                "the window of a join, before + after, is not negative: "
                f"{self.before_ms} + {self.after_ms} ms"
            )
        _check_grace(self.grace_ms)

    @classmethod
    def of_time_difference_with_no_grace(cls, time_difference: Duration) -> "JoinWindows":
        """Records at most `time_difference` apart, either one first."""
        return cls.of_time_difference_and_grace(time_difference, 0)

    @classmethod
    def of_time_difference_and_grace(
        cls, time_difference: Duration, grace: Duration
    ) -> "JoinWindows":
        """The same, and late records are taken until `grace` after the window's end."""
        difference_ms = to_ms(time_difference, "time_difference")
        return cls(difference_ms, difference_ms, to_ms(grace, "grace"))

    def before(self, time_difference: Duration) -> "JoinWindows":
        """The same, with another bound for how much earlier the other record may be."""
        return replace(self, before_ms=to_ms(time_difference, "before"))

    def after(self, time_difference: Duration) -> "JoinWindows":
        """The same, with another bound for how much later the other record may be."""
        return replace(self, after_ms=to_ms(time_difference, "after"))

    @property
    def size_ms(self) -> int:
        """Both together, ms."""
        return self.before_ms + self.after_ms


@dataclass(frozen=True, slots=True)
class EmitStrategy:
    """When a windowed aggregation hands on results.

    Attributes:
        emits_on_window_close: True for once a window, False for each update.
    """

    emits_on_window_close: bool

    @classmethod
    def on_window_update(cls) -> "EmitStrategy":
        """Each time that a window's aggregate changes; what happens without a strategy."""
        return cls(False)

    @classmethod
    def on_window_close(cls) -> "EmitStrategy":
        """Once, when the window and its grace period are over in stream time."""
        return cls(True)
