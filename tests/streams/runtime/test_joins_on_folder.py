"""Joins in an application on a folder: several partitions, and what survives a restart.

Cases of Kafka Streams' KTableKTableForeignKeyJoinDistributedTest,
KTableKTableForeignKeyInnerJoinCustomPartitionerIntegrationTest and
JoinGracePeriodDurabilityIntegrationTest.
"""

import random
from pathlib import Path
from typing import Any

import pytest
from tests.streams.runtime.running_streams import Log

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.state import stores
from pylog.streams.windows import JoinWindows

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}
START_MS = 1_700_000_000_000
STORES = ["in_memory", "rocksDB"]


def _pair(left: str | None, right: str | None) -> str:
    return f"{left}+{right}"


def _table(log: Log) -> dict[str | None, str]:
    """The output as a table."""
    table: dict[str | None, str] = {}
    for key, value in log.texts("out"):
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return table


def _first_letter(topic: str, key: Any, value: Any, partition_count: int) -> int:
    """A partitioner of one's own."""
    return ord(key[0]) % partition_count


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("kind", ["join", "left_join"])
def test_foreign_keys_are_joined_across_partitions_and_restarts(
    tmp_path: Path, kind: str, store: str
) -> None:
    randomness = random.Random(4711)
    log = Log(tmp_path / "log", left=3, right=2, out=3)
    rows: dict[str, dict[str, str | None]] = {"left": {}, "right": {}}

    def topology() -> Any:
        builder = StreamsBuilder()
        left, right = (builder.table(topic, **TEXT) for topic in ("left", "right"))
        result = getattr(left, kind)(
            right,
            _pair,
            foreign_key_extractor=lambda value: value.split("@")[1],
            materialized=Materialized(value_serde=serdes.string),
        )
        result.to_stream().to("out", **TEXT)
        return builder.build()

    for _ in range(3):
        for topic, key_count in (("left", 40), ("right", 8)):
            pairs: list[tuple[str | None, str | None]] = []
            for number in range(60):
                key = f"{topic}{randomness.randrange(key_count)}"
                value: str | None = None
                if randomness.random() > 0.2:
                    named = f"right{randomness.randrange(8)}"
                    value = f"v{number}@{named}" if topic == "left" else f"r{number}"
                pairs.append((key, value))
                rows[topic][key] = value
            log.write(topic, pairs, START_MS)
        log.streams(topology(), default_dsl_store=store).run_to_end()
        expected = {}
        for key, value in rows["left"].items():
            if value is not None:
                right = rows["right"].get(value.split("@")[1])
                if right is not None or kind == "left_join":
                    expected[key] = _pair(value, right)
        assert _table(log) == expected


def test_foreign_keys_are_joined_where_partitioners_of_ones_own_put_them(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", input=1, left=4, right=3, out=1)
    pairs: list[tuple[str | None, str | None]] = [
        (f"{letter}{number}", f"{chr(97 + number)}row") for letter in "abcd" for number in range(3)
    ]
    log.write("input", pairs, START_MS)
    builder = StreamsBuilder()
    (
        builder.stream("input", **TEXT)
        .repartition(number_of_partitions=4, partitioner=_first_letter, **TEXT)
        .to_table(materialized=Materialized.as_("lefts").with_value_serde(serdes.string))
        .join(
            builder.stream("input", **TEXT)
            .select_key(lambda key, value: value)
            .repartition(number_of_partitions=3, partitioner=_first_letter, **TEXT)
            .to_table(materialized=Materialized.as_("rights").with_value_serde(serdes.string)),
            _pair,
            foreign_key_extractor=lambda value: value,
            partitioner=_first_letter,
            other_partitioner=_first_letter,
            materialized=Materialized(value_serde=serdes.string),
        )
        .to_stream()
        .to("out", **TEXT)
    )
    log.streams(builder.build()).run_to_end()
    assert _table(log) == {key: _pair(value, value) for key, value in pairs}


@pytest.mark.parametrize("store", STORES)
def test_records_that_wait_for_their_window_to_close_survive_a_restart(
    tmp_path: Path, store: str
) -> None:
    log = Log(tmp_path / "log", left=1, right=1, out=1)

    def run(*pairs: tuple[str, str], at_ms: int, topic: str = "left") -> list[Any]:
        before = len(log.texts("out"))
        log.write(topic, pairs, START_MS + at_ms)
        builder = StreamsBuilder()
        windows = JoinWindows.of_time_difference_with_no_grace(100)
        left, right = (builder.stream(name, **TEXT) for name in ("left", "right"))
        left.outer_join(right, _pair, windows).to("out", **TEXT)
        log.streams(builder.build(), default_dsl_store=store).run_to_end()
        return log.texts("out")[before:]

    assert run(("A", "l0"), ("B", "l1"), at_ms=0) == []
    assert run(("B", "r0"), ("C", "r1"), at_ms=50, topic="right") == [("B", "l1+r0")]
    assert run(("D", "l2"), at_ms=500) == [("A", "l0+None"), ("C", "None+r1")]


@pytest.mark.parametrize("store", STORES)
def test_records_that_wait_for_their_grace_to_pass_survive_a_restart(
    tmp_path: Path, store: str
) -> None:
    log = Log(tmp_path / "log", stream=1, table=1, out=1)

    def run(*pairs: tuple[str, str], at_ms: int, topic: str = "stream") -> list[Any]:
        before = len(log.texts("out"))
        log.write(topic, pairs, START_MS + at_ms)
        builder = StreamsBuilder()
        supplier = stores.persistent_versioned_key_value_store("versions", "1d")
        table = builder.table("table", materialized=Materialized.as_(supplier), **TEXT)
        builder.stream("stream", **TEXT).left_join(table, _pair, grace=100).to("out", **TEXT)
        log.streams(builder.build(), default_dsl_store=store).run_to_end()
        return log.texts("out")[before:]

    assert run(("A", "s0"), ("B", "s1"), at_ms=0) == []
    assert run(("A", "t0"), at_ms=0, topic="table") == []
    assert run(("C", "s2"), at_ms=101) == [("A", "s0+t0"), ("B", "s1+None")]
    assert run(("D", "s3"), at_ms=300) == [("C", "s2+None")]
