"""Global stores: full copies, complete before anything is processed."""

import signal
from pathlib import Path
from typing import Any

import pytest
from tests.streams.runtime.running_streams import Log, wait_until

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import MissingSourceTopicError
from pylog.streams.query import KeyQuery, StateQueryRequest
from pylog.streams.runtime.restore_listeners import StateRestoreListener
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}
STORES = ["in_memory", "rocksDB"]


def enriched() -> Topology:
    builder = StreamsBuilder()
    names = builder.global_table("names", materialized=Materialized.as_("names-store"), **TEXT)
    stream = builder.stream("in", **TEXT)
    joined = stream.join(
        names, lambda value, name: f"{value} {name}", key_selector=lambda key, value: value
    )
    joined.to("out", value_serde=serdes.string)
    return builder.build()


@pytest.mark.parametrize("store", STORES)
def test_a_stream_is_joined_with_all_that_is_there_before_it_starts(
    tmp_path: Path, store: str
) -> None:
    log = Log(tmp_path / "log", **{"in": 2, "names": 3, "out": 1})
    log.write("names", [(str(number), f"name-{number}") for number in range(50)])
    log.write("in", [("k", str(number)) for number in range(50)])
    log.streams(enriched(), default_dsl_store=store).run_to_end()
    assert log.texts("out") == [("k", f"{number} name-{number}") for number in range(50)]


@pytest.mark.parametrize("store", STORES)
def test_it_follows_its_topic_and_is_there_again_after_a_restart(
    tmp_path: Path, store: str
) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "names": 2, "out": 1})
    log.write("names", [("1", "one"), ("2", "two")])
    for round_ in range(2):
        with log.streams(enriched(), default_dsl_store=store) as streams:
            assert streams.wait_for_state(State.RUNNING, 20)
            names = streams.store("names-store")
            assert names["2"] == "two"
            log.write("names", [("1", f"changed {round_}"), ("3", "three")])
            wait_until(lambda n=names, r=round_: n.get("1") == f"changed {r}", "the change came")
            log.write("names", [("3", None)])
            wait_until(lambda n=names: "3" not in n, "the delete came")
            found = streams.query(StateQueryRequest("names-store", KeyQuery("2"))).global_result
            assert found is not None
            assert found.result == "two"
    with log.streams(enriched(), default_dsl_store=store) as streams:
        assert dict(streams.store("names-store").all()) == {"1": "changed 1", "2": "two"}


def test_a_missing_global_topic_is_named(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    with pytest.raises(MissingSourceTopicError, match="`pylog topics create names`"):
        log.streams(enriched()).start()


class Interrupting(StateRestoreListener):
    """Sends a signal when the first batch was restored."""

    def __init__(self) -> None:
        self.restored = 0
        self.told: list[str] = []

    def on_batch_restored(self, *args: Any) -> None:
        if not self.restored:
            signal.raise_signal(signal.SIGINT)
        self.restored += args[-1]

    def on_restore_end(self, *args: Any) -> None:
        self.told.append("end")

    def on_restore_suspended(self, *args: Any) -> None:
        self.told.append("suspended")


@pytest.mark.parametrize("store", STORES)
def test_a_signal_ends_the_filling_of_global_stores(tmp_path: Path, store: str) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "names": 1, "out": 1})
    log.write("names", [(str(number), "x" * 100) for number in range(100_000)])
    log.write("in", [("k", "1")])
    streams = log.streams(enriched(), default_dsl_store=store)
    listener = Interrupting()
    streams.set_global_state_restore_listener(listener)
    streams.run()
    assert streams.state is State.NOT_RUNNING
    assert 0 < listener.restored < 100_000
    assert listener.told == ["suspended"]
    assert log.texts("out") == []
    log.streams(enriched(), default_dsl_store=store).run_to_end()
    assert log.texts("out") == [("k", f"1 {'x' * 100}")]


def test_a_record_that_cannot_be_decoded_ends_the_instance(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "names": 1, "out": 1})

    class Failing:
        def process(self, record: Any) -> None:
            raise ValueError("not this one")

    from pylog.streams.state import stores

    builder = StreamsBuilder()
    builder.add_global_store(
        stores.key_value_store_builder(
            stores.in_memory_key_value_store("s"), serdes.string, serdes.string
        ),
        "names",
        Failing,
        **TEXT,
    )
    builder.stream("in", **TEXT).to("out")
    streams = log.streams(builder.build())
    streams.start()
    log.write("names", [("k", "x")])
    assert streams.wait_for_state(State.ERROR, 20)
    assert "not this one" in str(streams.failure)
    streams.close()
