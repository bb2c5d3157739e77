"""What the stream benchmarks process: the events, the topologies, the bare loops beside them.

1,000 keys, 1 ms an event, every update emitted. A bare loop does the same to the same events with
a dict, and a list of results that somebody else is thought to take: neither serdes nor a log, nor
anything that would survive it.
"""

import random
from collections.abc import Callable
from time import perf_counter

from benchmarks.workload import Figures, Order, rate
from pylog.streams import Materialized, StreamsBuilder, TimeWindows, Topology, serdes

KEYS = 1000
WINDOW_MS = 10_000
BASE_MS = 1_600_000_000_000  # time of the first event
STORE = "counts"
INPUT, OUTPUT = "events", "results"
_TAKEN = 1000
EVERY_UPDATE = {"statestore.cache.max.bytes": 0}

Event = tuple[str, int]

is_kept = lambda key, value: value % 10 != 0  # noqa: E731 - the benchmark is of lambdas
doubled = lambda key, value: (key, value * 2)  # noqa: E731


def make_events(count: int) -> list[Event]:
    """The same events every time; the n-th is n ms after BASE_MS."""
    generator = random.Random(count)
    names = [f"key-{number:04}" for number in range(KEYS)]
    return [(generator.choice(names), generator.randrange(100)) for _ in range(count)]


# ---- topologies ---------------------------------------------------------------------------------


def filter_map_topology(store_type: str, output: str = OUTPUT) -> Topology:
    """Two lambdas."""
    builder = StreamsBuilder()
    (
        builder.stream(INPUT, key_serde=serdes.string, value_serde=serdes.long)
        .filter(is_kept)
        .map(doubled)
        .to(output, key_serde=serdes.string, value_serde=serdes.long)
    )
    return builder.build()


def count_topology(store_type: str, output: str = OUTPUT) -> Topology:
    """How many events of each key."""
    builder = StreamsBuilder()
    (
        builder.stream(INPUT, key_serde=serdes.string, value_serde=serdes.long)
        .group_by_key()
        .count(materialized=Materialized(STORE, store_type=store_type))
        .to_stream()
        .to(output)
    )
    return builder.build()


def tumbling_topology(store_type: str, output: str = OUTPUT) -> Topology:
    """How many events of each key in 10 s."""
    builder = StreamsBuilder()
    (
        builder.stream(INPUT, key_serde=serdes.string, value_serde=serdes.long)
        .group_by_key()
        .windowed_by(TimeWindows.of_size_with_no_grace(WINDOW_MS))
        .count(materialized=Materialized(STORE, store_type=store_type))
        .to_stream()
        .to(output)
    )
    return builder.build()


TOPOLOGIES: dict[str, Callable[..., Topology]] = {
    "filter_map": filter_map_topology,
    "count": count_topology,
    "tumbling": tumbling_topology,
}


def expected_outputs(work: str, events: list[Event]) -> int:
    """How many records must come out."""
    return sum(is_kept(*event) for event in events) if work == "filter_map" else len(events)


# ---- bare loops ---------------------------------------------------------------------------------


def _bare_filter_map(events: list[Event]) -> None:
    output: list[Event] = []
    for _time, (key, value) in enumerate(events, BASE_MS):
        if is_kept(key, value):
            output.append(doubled(key, value))
        if len(output) >= _TAKEN:
            output.clear()


def _bare_count(events: list[Event]) -> None:
    counts: dict[str, int] = {}
    output: list[Event] = []
    for _time, (key, _value) in enumerate(events, BASE_MS):
        count = counts[key] = counts.get(key, 0) + 1
        output.append((key, count))
        if len(output) >= _TAKEN:
            output.clear()
    assert sum(counts.values()) == len(events)


def _bare_tumbling(events: list[Event]) -> None:
    counts: dict[tuple[str, int], int] = {}
    output: list[tuple[tuple[str, int], int]] = []
    for time, (key, _value) in enumerate(events, BASE_MS):
        window = key, time - time % WINDOW_MS
        count = counts[window] = counts.get(window, 0) + 1
        output.append((window, count))
        if len(output) >= _TAKEN:
            output.clear()
    assert sum(counts.values()) == len(events)


_BARE = {"filter_map": _bare_filter_map, "count": _bare_count, "tumbling": _bare_tumbling}


def bare_loop(order: Order) -> Figures:
    """The bare loop of one work."""
    events = make_events(order.total)
    work = _BARE[str(order.extra["work"])]
    start = perf_counter()
    work(events)
    return rate(order, perf_counter() - start)
