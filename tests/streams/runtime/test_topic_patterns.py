"""Sources by pattern: topics come while the application runs."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.streams.runtime.running_streams import Log, wait_until

from pylog.streams import serdes
from pylog.streams.app import Streams
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}


def collecting() -> Topology:
    builder = StreamsBuilder()
    builder.stream(re.compile("in-.*"), **TEXT).to("out", value_serde=serdes.string)
    return builder.build()


def values(log: Log) -> list[Any]:
    return sorted(value for _, value in log.texts("out"))


def test_topics_that_match_are_read_and_later_ones_too(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in-a": 1, "other": 1, "out": 1})
    log.write("in-a", [("k", "a")])
    log.write("other", [("k", "no")])
    with log.streams(collecting()) as streams:
        wait_until(lambda: values(log) == ["a"], "the topic that was there is read")
        log.make(**{"in-b": 3})
        log.write("in-b", [("k", "b")])
        wait_until(lambda: values(log) == ["a", "b"], "the topic that came is read")
        log.write("in-a", [("k", "c")])
        wait_until(lambda: values(log) == ["a", "b", "c"], "the first one still is")
        assert streams.state.is_running_or_rebalancing


def test_a_pattern_may_match_nothing_at_first(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", out=1)
    with log.streams(collecting()):
        log.make(**{"in-x": 2})
        log.write("in-x", [("k", "x")])
        wait_until(lambda: values(log) == ["x"], "the topic that came is read")


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once_v2"])
def test_instances_agree_while_topics_come(tmp_path: Path, guarantee: str) -> None:
    log = Log(tmp_path / "log", **{"in-0": 2, "out": 1})
    instances: list[Streams] = [
        log.streams(collecting(), processing_guarantee=guarantee, commit_interval_ms=50)
        for _ in range(2)
    ]
    expected = []
    for streams in instances:
        streams.start()
    try:
        for streams in instances:
            assert streams.wait_for_state(State.RUNNING, 20)
        for number in range(1, 4):
            log.make(**{f"in-{number}": number + 2})
            for topic in range(number + 1):
                pairs = [(f"k{key}", f"{number} {topic} {key}") for key in range(10)]
                log.write(f"in-{topic}", pairs)
                expected += [value for _, value in pairs]
            wanted = set(expected)
            wait_until(lambda w=wanted: w <= set(values(log)), "all was read")
        for streams in instances:
            assert streams.state.is_running_or_rebalancing, streams.failure
        if guarantee == "exactly_once_v2":
            assert values(log) == sorted(expected)
    finally:
        for streams in instances:
            streams.close()


def test_partitions_that_are_added_are_read(tmp_path: Path) -> None:
    import pylog
    from pylog.admin import NewPartitions

    log = Log(tmp_path / "log", **{"in-a": 1, "out": 1})
    builder = StreamsBuilder()
    builder.stream("in-a", **TEXT).to("out", value_serde=serdes.string)
    with log.streams(builder.build()) as streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        with pylog.AdminClient(log.conf) as admin:
            for future in admin.create_partitions([NewPartitions("in-a", 4)]).values():
                future.result()
        log.write("in-a", [(f"k{number}", str(number)) for number in range(40)])
        wait_until(lambda: len(values(log)) == 40, "records of all partitions came out")
