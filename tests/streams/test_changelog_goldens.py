"""What goes to internal topics is Kafka Streams' to the byte, and what that wrote restores.

tests/golden/streams/README.md tells what tests/golden/streams/changelogs/*.jsonl hold. Where a
suppress buffer or the grace buffer of a join writes several records at once, Kafka's order is that
of a hash table; here it is that of the changes.
"""

import base64
import json
from typing import Any

import pytest
from tests.streams import topology_scripts

from pylog.streams import serdes
from pylog.streams.record import Record
from pylog.streams.state.key_value_store import KeyValueStore
from pylog.streams.state.session_store import SessionStore
from pylog.streams.state.window_store import WindowStore
from pylog.streams.testing import TopologyTestDriver

# Kafka Streams 4.3's stores with headers (`dsl.store.format`) are not here.
NAMES = sorted(
    path.stem
    for path in (topology_scripts.GOLDEN / "changelogs").glob("*.jsonl")
    if not path.stem.startswith("headers-")
)
Written = tuple[bytes | None, bytes | None, int | None, list[tuple[str, bytes | None]]]


def _read(name: str) -> tuple[Any, list[Any], dict[str, Any]]:
    path = topology_scripts.GOLDEN / "changelogs" / f"{name}.jsonl"
    head, *steps, end = [json.loads(line) for line in path.read_text().splitlines()]
    return head, steps, end["stores"]


def _driver(head: Any, store_type: str) -> TopologyTestDriver:
    config = topology_scripts.config_of(head, **{"default.dsl.store": store_type})
    topology = topology_scripts.build(head, config)
    return TopologyTestDriver(topology, config, initial_wall_clock_time_ms=0)


def _decode(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _expected(produced: dict[str, Any]) -> dict[str, list[Written]]:
    return {
        topic: [
            (
                _decode(record["key"]),
                _decode(record["value"]),
                record["ts"],
                [(name, _decode(value)) for name, value in record["headers"]],
            )
            for record in records
        ]
        for topic, records in produced.items()
    }


def _without_order_and_clock(
    written: dict[str, list[Written]], like: dict[str, list[Written]]
) -> dict[str, list[Written]]:
    """As it is, but for topics whose records have the time of the clock in the golden."""
    comparable = dict(written)
    for topic, records in written.items():
        if any(record[2] is None for record in like.get(topic, ())):
            plain = [(key, value, None, headers) for key, value, _, headers in records]
            comparable[topic] = sorted(plain, key=lambda record: record[0] or b"")
    return comparable


@pytest.mark.parametrize("store_type", ["in_memory", "rocksDB"])
@pytest.mark.parametrize("name", NAMES)
def test_each_record_makes_the_bytes_that_kafka_streams_made(name: str, store_type: str) -> None:
    head, steps, stores = _read(name)
    with _driver(head, store_type) as driver:
        inputs = {
            topic: driver.create_input_topic(topic, serdes.string, serdes.string)
            for topic in {step["topic"] for step in steps}
        }
        outputs: dict[str, Any] = {}
        for number, step in enumerate(steps):
            headers = [
                (name, None if value is None else value.encode()) for name, value in step["headers"]
            ]
            record = Record(step["key"], step["value"], step["ts"], headers)
            inputs[step["topic"]].pipe_record(record)
            written: dict[str, list[Written]] = {}
            for topic in driver.produced_topic_names:
                if topic not in outputs:
                    outputs[topic] = driver.create_output_topic(topic, serdes.bytes, serdes.bytes)
                records = outputs[topic].read_records_to_list()
                if records:
                    written[topic] = [(r.key, r.value, r.timestamp, r.headers) for r in records]
            expected = _expected(step["produced"])
            assert _without_order_and_clock(written, expected) == _without_order_and_clock(
                expected, expected
            ), f"step {number}: {step}"
        for store_name, rows in stores.items():
            held = _rows(driver.get_state_store(store_name))
            assert held is None or held == rows, store_name


@pytest.mark.parametrize("store_type", ["in_memory", "rocksDB"])
@pytest.mark.parametrize("name", NAMES)
def test_changelogs_that_kafka_streams_wrote_restore(name: str, store_type: str) -> None:
    head, steps, stores = _read(name)
    changelogs: dict[str, list[Written]] = {}
    for step in steps:
        for topic, records in _expected(step["produced"]).items():
            changelogs.setdefault(topic, []).extend(records)
    with _driver(head, store_type) as driver:
        for store_name, rows in stores.items():
            store = driver.get_state_store(store_name)
            records = changelogs.get(f"app-{store_name}-changelog")
            if records is None:
                continue
            store.restore_batch([(key, value, ts or 0, h) for key, value, ts, h in records])
            held = _rows(store)
            assert held is None or held == rows, store_name


def _rows(store: Any) -> list[Any] | None:
    """What a store holds, as the goldens say it; None for stores of other kinds."""
    if isinstance(store, WindowStore):
        return [
            [key.key, key.window.start_ms, key.window.end_ms, *_texts(value)]
            for key, value in store.all()
        ]
    if isinstance(store, SessionStore):
        found = store.find_sessions_range(None, None, 0, 2**63 - 1)
        return [[k.key, k.window.start_ms, k.window.end_ms, str(value)] for k, value in found]
    if isinstance(store, KeyValueStore):
        return [[key, *_texts(value)] for key, value in store.all()]
    return None


def _texts(value: Any) -> list[Any]:
    if hasattr(value, "timestamp"):
        return [str(value.value), value.timestamp]
    return [str(value)]
