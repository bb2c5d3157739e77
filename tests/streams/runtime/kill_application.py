"""The application that is killed: counts of words after a repartition, and sums by key."""

import json
import logging
from collections.abc import Callable
from typing import Any

from pylog.streams import serdes
from pylog.streams.app import Streams
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology

PARTITIONS = 4
OUTPUTS = ("counts", "sums")
STORES = ("word-counts", "key-sums")


def encode_config(config: dict[str, Any]) -> str:
    """The configuration as one argument of a command line."""
    return json.dumps(config)


def decode_config(text: str) -> dict[str, Any]:
    """The reverse of encode_config."""
    config: dict[str, Any] = json.loads(text)
    return config


def topology() -> Topology:
    """Two subtopologies: one of them behind a repartition topic."""
    builder = StreamsBuilder()
    words = builder.stream("words", key_serde=serdes.string, value_serde=serdes.string)
    (
        words.group_by(lambda _, word: word)
        .count(materialized=Materialized.as_(STORES[0]))
        .to_stream()
        .to(OUTPUTS[0], value_serde=serdes.long)
    )
    (
        words.group_by_key()
        .aggregate(
            lambda: 0,
            lambda _, word, total: total + len(word),
            materialized=Materialized.as_(STORES[1]).with_value_serde(serdes.long),
        )
        .to_stream()
        .to(OUTPUTS[1], value_serde=serdes.long)
    )
    return builder.build()


def streams(config: dict[str, Any], state_dir: str) -> Streams:
    """One instance."""
    return Streams(topology(), {**config["streams"], "state.dir": state_dir})


def run(config: dict[str, Any], state_dir: str, on_ready: Callable[[], object] = int) -> None:
    """One instance, until SIGTERM; `on_ready` is called once signals end it cleanly."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s.%(msecs)03d %(message)s", datefmt="%H:%M:%S"
    )
    instance = streams(config, state_dir)
    instance.set_state_listener(lambda new, old: on_ready() if old is State.CREATED else None)
    instance.run()
