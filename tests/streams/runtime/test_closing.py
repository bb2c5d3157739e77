"""An instance that is closed at an odd moment leaves nothing behind."""

import os
import threading
from pathlib import Path
from typing import Any

from tests.streams.runtime.running_streams import Log, wait_until

import pylog
from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.runtime.stream_thread import StreamThread
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology

TEXT: dict[str, Any] = {"key_serde": serdes.string, "value_serde": serdes.string}


def table() -> Topology:
    builder = StreamsBuilder()
    builder.stream("in", **TEXT).to_table(materialized=Materialized.as_("table"))
    return builder.build()


def test_what_is_closed_while_it_starts_starts_no_thread(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    streams = log.streams(table())

    def close_at_once(state: State, _: State) -> None:
        if state is State.REBALANCING:
            streams.close()

    streams.set_state_listener(close_at_once)
    streams.start()
    assert streams.state is State.NOT_RUNNING
    assert not any(isinstance(each, StreamThread) for each in threading.enumerate())


def test_a_thread_that_removed_itself_may_close_the_instance(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    results: list[Any] = []

    def leave(key: str, value: str) -> None:
        results.append(streams.remove_stream_thread())
        results.append(streams.close())

    builder = StreamsBuilder()
    builder.stream("in", **TEXT).foreach(leave)
    streams = log.streams(builder.build())
    log.write("in", [("k", "v")])
    streams.start()
    wait_until(lambda: streams.state is State.NOT_RUNNING, "it is closed")
    assert results[1] is False


def test_a_store_whose_last_commit_fails_is_closed_all_the_same(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [("k", "v")])
    streams = log.streams(table(), default_dsl_store="rocksDB", commit_interval_ms=20)
    streams.start()
    wait_until(lambda: log.committed("app", "in") == [1], "it is processed")
    with pylog.AdminClient(log.conf) as admin:
        for future in admin.delete_topics(["app-table-changelog"]).values():
            future.result()
    streams.close()
    assert isinstance(streams.failure, pylog.streams.StreamsError)
    files = [os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.exists()]
    assert [file for file in files if file.startswith(f"{log.path}-state")] == []
