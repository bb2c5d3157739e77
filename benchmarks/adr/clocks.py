"""What a look at the wall clock costs, exact and coarse: the figures of docs/adr/0011.

python benchmarks/adr/clocks.py
"""

import time
from timeit import repeat

LOOKS = 1_000_000
ROUNDS = 7


def ns_a_look(clock: int) -> float:
    """Nanoseconds of one clock_gettime from Python, the best of the rounds."""
    namespace = {"look": time.clock_gettime_ns, "clock": clock}
    return min(repeat("look(clock)", globals=namespace, number=LOOKS, repeat=ROUNDS)) / LOOKS * 1e9


def main() -> None:
    coarse_clock = 5  # CLOCK_REALTIME_COARSE, which the time module does not name
    exact, coarse = ns_a_look(time.CLOCK_REALTIME), ns_a_look(coarse_clock)
    tick_ms = time.clock_getres(coarse_clock) * 1000
    print(f"exact {exact:.0f} ns, coarse {coarse:.0f} ns a look from Python; tick {tick_ms:g} ms")


if __name__ == "__main__":
    main()
