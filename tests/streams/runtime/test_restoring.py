"""Stores are filled from their changelogs before their tasks run."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.streams.runtime.running_streams import Log, Pair, wait_until

import pylog
from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.runtime.restore_listeners import StateRestoreListener
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology

STORES = ["in_memory", "rocksDB"]
TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}


class Listener(StateRestoreListener):
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def on_restore_start(
        self, topic_partition: Any, store_name: str, starting_offset: int, ending_offset: int
    ) -> None:
        place = (topic_partition.topic, topic_partition.partition)
        self.calls.append(("start", place, store_name, starting_offset, ending_offset))

    def on_batch_restored(
        self, topic_partition: Any, store_name: str, batch_end_offset: int, num_restored: int
    ) -> None:
        self.calls.append(("batch", store_name, batch_end_offset, num_restored))

    def on_restore_end(self, topic_partition: Any, store_name: str, total_restored: int) -> None:
        self.calls.append(("end", store_name, total_restored))


def table_of(store: str = "table") -> Topology:
    builder = StreamsBuilder()
    builder.stream("in", **TEXT).to_table(materialized=Materialized.as_(store))
    return builder.build()


def contents(log: Log, **config: Any) -> dict[Any, Any]:
    """What the store of a new instance holds once it runs."""
    with log.streams(table_of(), **config) as streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        return dict(streams.store("table").all())


def test_a_listener_hears_of_every_store(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [(str(number), "x") for number in range(10)])
    log.streams(table_of()).run_to_end()
    listener = Listener()
    streams = log.streams(table_of())
    streams.set_global_state_restore_listener(listener)
    streams.run_to_end()
    place = ("app-table-changelog", 0)
    assert listener.calls == [
        ("start", place, "table", 0, 10),
        ("batch", "table", 9, 10),
        ("end", "table", 10),
    ]


def test_a_store_on_disk_is_restored_from_where_it_stands(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [(str(number), "x") for number in range(10)])
    log.streams(table_of(), default_dsl_store="rocksDB").run_to_end()
    listener = Listener()
    streams = log.streams(table_of(), default_dsl_store="rocksDB")
    streams.set_global_state_restore_listener(listener)
    streams.run_to_end()
    place = ("app-table-changelog", 0)
    assert listener.calls == [("start", place, "table", 10, 10), ("end", "table", 0)]
    assert len(contents(log, default_dsl_store="rocksDB")) == 10


def test_a_store_on_disk_whose_changelog_is_new_begins_anew(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [(str(number), "x") for number in range(10)])
    log.streams(table_of(), default_dsl_store="rocksDB").run_to_end()
    with pylog.AdminClient(log.conf) as admin:
        for future in admin.delete_topics(["app-table-changelog"]).values():
            future.result()
    assert contents(log, default_dsl_store="rocksDB") == {}


def test_a_changelog_of_the_same_name_with_more_records_is_not_the_same(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [(str(number), "old") for number in range(10)])
    log.streams(table_of(), default_dsl_store="rocksDB").run_to_end()
    with pylog.AdminClient(log.conf) as admin:
        for future in admin.delete_topics(["app-table-changelog"]).values():
            future.result()
    log.make(**{"app-table-changelog": 1})
    log.write("app-table-changelog", [(f"new-{number}", "new") for number in range(30)])
    found = contents(log, default_dsl_store="rocksDB")
    assert found == {f"new-{number}": "new" for number in range(30)}


def test_a_listener_that_raises_is_named(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [("k", "x")])
    log.streams(table_of()).run_to_end()

    class Failing(StateRestoreListener):
        def on_restore_end(self, *_: Any) -> None:
            raise ValueError("no")

    streams = log.streams(table_of())
    streams.set_global_state_restore_listener(Failing())
    with pytest.raises(pylog.streams.StreamsError, match=r"Failing.on_restore_end .*ValueError"):
        streams.run_to_end()


@pytest.mark.parametrize("store", STORES)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    runs=st.lists(
        st.lists(
            st.tuples(st.sampled_from("abcdef"), st.one_of(st.none(), st.text("xyz", max_size=3))),
            max_size=30,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_restored_table_equals_the_one_that_was_there(
    tmp_path_factory: pytest.TempPathFactory, store: str, runs: list[list[Pair]]
) -> None:
    log = Log(tmp_path_factory.mktemp("run") / "log", **{"in": 2})
    expected: dict[str, str] = {}
    for pairs in runs:
        log.write("in", pairs)
        for key, value in pairs:
            assert key is not None
            if value is None:
                expected.pop(key, None)
            else:
                expected[key] = value
        log.streams(table_of(), default_dsl_store=store).run_to_end()
    assert contents(log, default_dsl_store=store) == expected
    log.streams(table_of(), default_dsl_store=store).clean_up()
    assert contents(log, default_dsl_store=store) == expected


def test_a_source_topic_that_is_the_changelog_is_restored_up_to_what_was_committed(
    tmp_path: Path,
) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    config = {"topology.optimization": "reuse.ktable.source.topics"}

    def topology() -> Topology:
        builder = StreamsBuilder()
        table = builder.table("in", materialized=Materialized.as_("table"), **TEXT)
        table.to_stream().to("out", value_serde=serdes.string)
        return builder.build(config)

    def run() -> None:
        log.streams(topology(), **config).run_to_end()

    log.write("in", [("a", "1"), ("b", "2")])
    run()
    log.write("in", [("a", "3")])
    listener = Listener()
    streams = log.streams(topology(), **config)
    streams.set_global_state_restore_listener(listener)
    streams.run_to_end()
    assert listener.calls[0] == ("start", ("in", 0), "table", 0, 2)
    assert log.texts("out") == [("a", "1"), ("b", "2"), ("a", "3")]
    with pylog.AdminClient(log.conf) as admin:
        assert "app-table-changelog" not in admin.list_topics().topics


def _many(count: int) -> Iterable[Pair]:
    return ((f"key-{number % 50_000}", "value") for number in range(count))


@pytest.mark.parametrize("store", ["in_memory"])
def test_restoring_is_quick(tmp_path: Path, store: str) -> None:
    count = 200_000
    log = Log(tmp_path / "log", **{"in": 1, "app-table-changelog": 1})
    log.write("app-table-changelog", _many(count))
    listener = Listener()
    streams = log.streams(table_of(), default_dsl_store=store)
    streams.set_global_state_restore_listener(listener)
    began_s = time.monotonic()
    streams.run_to_end()
    elapsed_s = time.monotonic() - began_s
    assert listener.calls[-1] == ("end", "table", count)
    assert elapsed_s < 5


def test_a_task_that_is_taken_away_while_it_is_restored_is_told(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "app-table-changelog": 1})
    log.write("app-table-changelog", _many(50_000))
    calls: list[str] = []

    class Slow(StateRestoreListener):
        def on_batch_restored(self, *_: Any) -> None:
            calls.append("batch")
            time.sleep(0.2)

        def on_restore_suspended(self, *_: Any) -> None:
            calls.append("suspended")

        def on_restore_end(self, *_: Any) -> None:
            calls.append("end")

    streams = log.streams(table_of())
    streams.set_global_state_restore_listener(Slow())
    streams.start()
    wait_until(lambda: calls, "restoring has begun")
    streams.close()
    assert calls[-1] == "suspended"
    assert "end" not in calls
