"""tests/golden/streams, made without a broker, holds with one: the same bytes in every topic."""

import base64
from typing import Any

import pytest
from java_app import MakeApp, read_golden

pytestmark = pytest.mark.peer

# One input topic each: of two, a broker's clients choose which record is the next. No suppress: its
# buffer logs at commits only, and the driver that made the goldens commits after each record.
NAMES = [
    "count",
    "reduce",
    "repartition-count",
    "session-aggregate",
    "sliding-aggregate",
    "table",
    "table-groupby",
    "versioned",
    "window-count",
]


def _hex(text: str | None) -> str | None:
    return None if text is None else base64.b64decode(text).hex()


def _expected(steps: list[dict[str, Any]], topic: str) -> list[tuple[Any, ...]]:
    return [
        (
            _hex(record["key"]),
            _hex(record["value"]),
            record["ts"],
            [[name, _hex(value)] for name, value in record["headers"]],
        )
        for step in steps
        for record in step["produced"].get(topic, [])
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_broker_gets_the_bytes_of_the_golden(java_app: MakeApp, name: str):
    head, steps, stores = read_golden(name)
    app = java_app(head, f"golden-{name}")
    app.write(steps)
    result = app.run(len(steps))
    topics = {topic for step in steps for topic in step["produced"]}
    for topic in sorted(topics):
        assert app.read(topic) == _expected(steps, topic), topic
    queryable = {store: rows for store, rows in stores.items() if store in result["stores"]}
    assert result["stores"] == queryable
