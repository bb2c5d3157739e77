"""Topologies of the DSL, driven with text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.testing import TopologyTestDriver

CONFIG: dict[str, Any] = {
    "default.key.serde": serdes.string,
    "default.value.serde": serdes.string,
    "default.dsl.store": "in_memory",
    "statestore.cache.max.bytes": 0,
}
Piped = tuple[str, Any, Any, int]


class Collected:
    """A supplier of processors that note what comes: key, value and timestamp."""

    def __init__(self) -> None:
        self.records: list[tuple[Any, Any, int]] = []

    def __call__(self) -> "_Collector":
        return _Collector(self.records)


class _Collector:
    def __init__(self, records: list[tuple[Any, Any, int]]):
        self.records = records

    def process(self, record: Any) -> None:
        self.records.append((record.key, record.value, record.timestamp))


@contextmanager
def driving(builder: StreamsBuilder, **config: Any) -> Iterator[TopologyTestDriver]:
    with TopologyTestDriver(
        builder.build(config), {**CONFIG, **config}, initial_wall_clock_time_ms=0
    ) as driver:
        yield driver


def pipe(driver: TopologyTestDriver, *records: Piped) -> None:
    """Pipe in records of topic, key, value and timestamp."""
    for topic, key, value, timestamp in records:
        driver.create_input_topic(topic).pipe_input(key, value, timestamp)


def outputs(
    builder: StreamsBuilder, topic: str, *records: Piped, value_serde: Any = None, **config: Any
) -> list[tuple[Any, Any, int]]:
    """What comes out of a topic, as key, value and timestamp, when records are piped in."""
    with driving(builder, **config) as driver:
        pipe(driver, *records)
        found = driver.create_output_topic(topic, None, value_serde).read_records_to_list()
    return [(record.key, record.value, record.timestamp) for record in found]
