"""Rates: how much came a second, and how long to rest when that was too much.

Source: Kafka Rate, TokenBucket, QuotaUtils.
"""


class Rate:
    """What comes a second, over the last windows.

    Args:
        window_s: size of one.
        window_count: how many there are.
    """

    def __init__(self, window_s: float, window_count: int) -> None:
        self._window_s = window_s
        self._count = max(2, window_count)
        self._samples: list[tuple[float, float]] = []  # begin of a window, what came in it

    def record(self, value: float, now_s: float) -> None:
        """Count what came now."""
        samples = self._samples
        if samples and now_s - samples[-1][0] < self._window_s:
            samples[-1] = samples[-1][0], samples[-1][1] + value
        else:
            samples.append((now_s, value))
        oldest_s = now_s - self._count * self._window_s
        while samples[0][0] <= oldest_s:
            del samples[0]

    def throttle_s(self, bound: float, now_s: float) -> float:
        """How long to rest so that the rate is the bound again: no longer than all windows.

        Args:
            bound: what may come a second.
            now_s: of a clock that goes on.

        Source: Kafka Rate.windowSize, QuotaUtils.throttleTime.
        """
        if not self._samples:
            return 0.0
        elapsed_s = now_s - self._samples[0][0]
        # As if the windows before the first sample had been full of nothing, but for one.
        window_s = max(elapsed_s, (self._count - 1) * self._window_s)
        observed = sum(value for _, value in self._samples) / window_s
        if observed <= bound:
            return 0.0
        longest_s = self._count * self._window_s
        return min(longest_s, (observed - bound) / bound * window_s)

    def total(self, now_s: float) -> float:
        """What came in the windows until now."""
        oldest_s = now_s - self._count * self._window_s
        return sum(value for begun_s, value in self._samples if begun_s > oldest_s)


class TokenBucket:
    """Tokens that come back at a rate, up to a burst; it is full at first. It may owe some.

    Args:
        burst_s: how many seconds of the rate it holds.
    """

    def __init__(self, burst_s: float) -> None:
        self._burst_s = burst_s
        self._tokens = 0.0
        self._filled_s: float | None = None

    def tokens(self, rate: float, now_s: float) -> float:
        """How many there are: negative when more were taken than there had been.

        Args:
            rate: tokens a second.
            now_s: of a clock that goes on.
        """
        burst = rate * self._burst_s
        if self._filled_s is None:
            self._tokens = burst
        else:
            self._tokens = min(burst, self._tokens + rate * (now_s - self._filled_s))
        self._filled_s = now_s
        return self._tokens

    def take(self, count: float, rate: float, now_s: float) -> None:
        """Take some, whether there are as many or not."""
        self._tokens = self.tokens(rate, now_s) - count
