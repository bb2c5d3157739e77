"""What is no topology, or one that reads nothing, is refused before it runs."""

from typing import Any

import pytest

from pylog.streams import (
    Streams,
    StreamsBuilder,
    StreamsConfigError,
    Topology,
    TopologyError,
    TopologyTestDriver,
    serdes,
    with_key,
)

CONFIG = {"application.id": "app", "log.dir": "not-made"}


@pytest.mark.parametrize("runner", [Streams, TopologyTestDriver])
def test_a_builder_that_was_not_built_is_refused(runner: Any) -> None:
    with pytest.raises(TypeError, match=r"not of type StreamsBuilder; call its build\(\)"):
        runner(StreamsBuilder(), CONFIG)


@pytest.mark.parametrize("runner", [Streams, TopologyTestDriver])
@pytest.mark.parametrize("topology", [Topology(), StreamsBuilder().build()])
def test_an_empty_topology_is_refused(runner: Any, topology: Topology) -> None:
    with pytest.raises(TopologyError, match="the topology is empty"):
        runner(topology, CONFIG)


@pytest.mark.parametrize("end", ["source 'KSTREAM-SOURCE-0000000000' of in", "sink '.*' to out"])
def test_a_serde_that_is_missing_is_asked_for_with_its_topic(end: str) -> None:
    builder = StreamsBuilder()
    stream = builder.stream("in", value_serde=None if "source" in end else serdes.string)
    stream.map_values(str).to("out")
    with pytest.raises(StreamsConfigError, match=f"{end}: no serde of the values was said"):
        TopologyTestDriver(builder.build())


def test_a_mapper_that_wants_the_key_is_told_of_with_key() -> None:
    stream = StreamsBuilder().stream("in")
    with pytest.raises(TypeError, match=r"with_key\(function\) is given the key before"):
        stream.map_values(lambda key, value: value)
    with pytest.raises(TypeError, match="missing a required argument: 'other'$"):
        stream.map_values(with_key(lambda key, value, other: value))


def test_topics_that_are_none_are_refused() -> None:
    with pytest.raises(TypeError, match="topics are a name or several, not None"):
        StreamsBuilder().stream(None)  # type: ignore[arg-type]
