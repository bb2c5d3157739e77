"""Stores read while the application runs, here and in other processes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.streams.runtime.running_streams import Log, wait_until

from pylog.streams import serdes
from pylog.streams.app import Streams
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import InvalidStateStoreError, StreamsError
from pylog.streams.query import (
    FailureReason,
    KeyQuery,
    MultiVersionedKeyQuery,
    PositionBound,
    RangeQuery,
    StateQueryRequest,
    TimestampedKeyQuery,
    TimestampedRangeQuery,
    VersionedKeyQuery,
    WindowKeyQuery,
    WindowRangeQuery,
)
from pylog.streams.record import ValueAndTimestamp
from pylog.streams.runtime.restore_listeners import StateRestoreListener
from pylog.streams.runtime.thread_state import State
from pylog.streams.state import stores
from pylog.streams.topology import Topology
from pylog.streams.window import Windowed
from pylog.streams.windows import SessionWindows, TimeWindows

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}
STORES = ["in_memory", "rocksDB"]
START_MS = (int(time.time()) - 3600) * 1000  # younger than what retention deletes
_ROOT = Path(__file__).parents[3]


def all_kinds() -> Topology:
    """One store of each kind, of one stream."""
    builder = StreamsBuilder()
    stream = builder.stream("in", **TEXT)
    grouped = stream.group_by_key()
    grouped.count(materialized=Materialized.as_("counts"))
    tumbling = grouped.windowed_by(TimeWindows.of_size_and_grace(10, "1m"))
    tumbling.count(materialized=Materialized.as_("windows"))
    sessions = grouped.windowed_by(SessionWindows.of_inactivity_gap_and_grace(5, "1m"))
    sessions.count(materialized=Materialized.as_("sessions"))
    versioned = stores.persistent_versioned_key_value_store("versions", 100_000)
    stream.to_table(materialized=Materialized.as_(versioned))
    return builder.build()


@contextmanager
def running(log: Log, count: int, topology: Topology, **config: object) -> Iterator[Streams]:
    """An application that has read the `count` records of its input."""
    with log.streams(topology, commit_interval_ms=20, **config) as streams:
        wait_until(
            lambda: sum(max(0, each) for each in log.committed("app", "in")) == count,
            "the input was processed",
        )
        yield streams


@pytest.mark.parametrize("store", STORES)
def test_a_key_value_store_reads_like_a_dict(tmp_path: Path, store: str) -> None:
    log = Log(tmp_path / "log", **{"in": 3})
    count = 60
    log.write("in", [(f"k{number % 6}", "x") for number in range(count)])
    with running(log, count, all_kinds(), default_dsl_store=store) as streams:
        counts = streams.store("counts")
        assert counts["k1"] == 10
        assert counts.get("k1") == 10
        assert counts.get("nobody") is None
        assert counts.get("nobody", 0) == 0
        assert "k2" in counts
        assert "nobody" not in counts
        with pytest.raises(KeyError):
            counts["nobody"]
        assert len(counts) == 6
        assert counts.approximate_num_entries() == 6
        assert sorted(counts) == sorted(counts.keys()) == [f"k{number}" for number in range(6)]
        assert set(counts.values()) == {10}
        assert dict(counts.items()) == dict(counts.all()) == {f"k{n}": 10 for n in range(6)}
        assert sorted(counts.range("k2", "k4")) == [("k2", 10), ("k3", 10), ("k4", 10)]
        assert sorted(counts.range(None, "k1")) == [("k0", 10), ("k1", 10)]
        assert sorted(counts.reverse_range("k4", None)) == [("k4", 10), ("k5", 10)]
        assert sorted(counts.prefix_scan("k", serdes.string)) == sorted(counts.all())
        value = streams.timestamped_store("counts")["k1"]
        assert isinstance(value, ValueAndTimestamp)
        assert value.value == 10
        with pytest.raises(AttributeError):
            counts.put("k1", 3)


@pytest.mark.parametrize("store", STORES)
def test_windows_sessions_and_versions(tmp_path: Path, store: str) -> None:
    log = Log(tmp_path / "log", **{"in": 2})
    count = 30
    log.write("in", [("k", str(number)) for number in range(count)], START_MS)
    with running(log, count, all_kinds(), default_dsl_store=store) as streams:
        windows = streams.store("windows")
        assert windows.fetch_at("k", START_MS + 10) == 10
        assert list(windows.fetch("k", START_MS, START_MS + 10)) == [
            (START_MS, 10),
            (START_MS + 10, 10),
        ]
        assert list(windows.backward_fetch("k", START_MS, START_MS + 10))[0][0] == START_MS + 10
        assert [key.window.start_ms for key, _ in windows.all()] == [
            START_MS,
            START_MS + 10,
            START_MS + 20,
        ]
        assert len(list(windows.fetch_all(START_MS, START_MS + 10))) == 2
        sessions = streams.store("sessions")
        ((session, value),) = sessions.fetch("k")
        assert value == count
        assert isinstance(session, Windowed)
        assert (session.window.start_ms, session.window.end_ms) == (START_MS, START_MS + 29)
        assert sessions.fetch_session("k", START_MS, START_MS + 29) == count
        versions = streams.store("versions")
        assert versions["k"].value == "29"
        assert versions.get_as_of("k", START_MS + 3).value == "3"
        assert [each.value for each in versions.get_range("k", START_MS, START_MS + 1)] == [
            "0",
            "1",
        ]


@pytest.mark.parametrize("store", STORES)
def test_every_query_of_version_2(tmp_path: Path, store: str) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    count = 30
    log.write("in", [(f"k{number % 3}", str(number)) for number in range(count)], START_MS)

    with running(log, count, all_kinds(), default_dsl_store=store) as streams:

        def ask(name: str, query: object) -> object:
            found = streams.query(StateQueryRequest(name, query)).only_partition_result
            assert found is not None
            assert found.is_success, found.failure_message
            assert found.position == {"in": {0: count - 1}}
            return found.result

        last_ms = START_MS + 28
        assert ask("counts", KeyQuery("k1")) == 10
        assert ask("counts", TimestampedKeyQuery("k1")) == ValueAndTimestamp(10, last_ms)
        assert list(ask("counts", RangeQuery())) == [("k0", 10), ("k1", 10), ("k2", 10)]
        assert list(ask("counts", RangeQuery(from_key="k1"))) == [("k1", 10), ("k2", 10)]
        assert list(ask("counts", RangeQuery(is_descending=True)))[0] == ("k2", 10)
        ((key, value),) = ask("counts", TimestampedRangeQuery("k1", "k1"))
        assert (key, value) == ("k1", ValueAndTimestamp(10, last_ms))
        assert list(ask("windows", WindowKeyQuery("k0", START_MS, START_MS + 9))) == [(START_MS, 4)]
        found = list(ask("windows", WindowRangeQuery(time_from_ms=START_MS, time_to_ms=START_MS)))
        assert [(each.key, value) for each, value in found] == [("k0", 4), ("k1", 3), ("k2", 3)]
        ((session, value),) = ask("sessions", WindowRangeQuery("k2"))
        assert (session.key, value) == ("k2", 10)
        assert ask("versions", VersionedKeyQuery("k1")).value == "28"
        assert ask("versions", VersionedKeyQuery("k1", START_MS + 2)).value == "1"
        found = list(ask("versions", MultiVersionedKeyQuery("k1", START_MS, START_MS + 5)))
        assert [each.value for each in found] == ["4", "1"]
        found = list(
            ask("versions", MultiVersionedKeyQuery("k1", START_MS, START_MS + 5, is_ascending=True))
        )
        assert [each.value for each in found] == ["1", "4"]


def test_a_query_that_cannot_be_answered_says_why(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 2})
    log.write("in", [("k", "x")], START_MS)
    with running(log, 1, all_kinds()) as streams:

        def ask(query: object, partition: int, **more: object) -> FailureReason | None:
            request = StateQueryRequest("counts", query, frozenset({partition}), **more)
            return streams.query(request).partition_results[partition].failure_reason

        assert ask(KeyQuery("k"), 0) is None
        assert ask(KeyQuery("k"), 2) is FailureReason.DOES_NOT_EXIST
        assert ask(VersionedKeyQuery("k"), 0) is FailureReason.UNKNOWN_QUERY_TYPE
        assert ask(object(), 0) is FailureReason.UNKNOWN_QUERY_TYPE
        assert ask(KeyQuery(5), 0) is FailureReason.STORE_EXCEPTION
        with pytest.raises(InvalidStateStoreError, match=r"no store 'nothing'.*counts"):
            streams.query(StateQueryRequest("nothing", KeyQuery("k")))
        with pytest.raises(StreamsError, match="2 partitions answered"):
            _ = streams.query(StateQueryRequest("counts", RangeQuery())).only_partition_result


def test_a_position_bound_makes_sure_that_what_was_written_is_read(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [("k", "x")], START_MS)
    with running(log, 1, all_kinds()) as streams:
        request = StateQueryRequest(
            "counts", KeyQuery("k"), position_bound=PositionBound({"in": {0: 1}})
        )
        found = streams.query(request).only_partition_result
        assert found is not None
        assert found.failure_reason is FailureReason.NOT_UP_TO_BOUND
        log.write("in", [("k", "x")], START_MS)

        def answer() -> object:
            found = streams.query(request).only_partition_result
            return found is not None and found.is_success and found.result

        wait_until(lambda: answer() == 2, "the bound was met")


def test_stores_are_read_while_the_instance_runs(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    streams = log.streams(all_kinds())
    with pytest.raises(InvalidStateStoreError, match="CREATED"):
        streams.store("counts")
    with streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        view = streams.store("counts")
        with pytest.raises(InvalidStateStoreError, match=r"no store 'other'.*counts, sessions"):
            streams.store("other")
        with pytest.raises(InvalidStateStoreError, match="partition 3 of"):
            streams.store("counts", partition=3)
    with pytest.raises(InvalidStateStoreError, match="NOT_RUNNING"):
        streams.store("counts")
    with pytest.raises(InvalidStateStoreError, match="has .*not, or not any more"):
        view.get("k")


def test_a_store_that_is_restored_says_so(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [("k", "x")], START_MS)
    log.streams(all_kinds()).run_to_end()
    streams = log.streams(all_kinds())
    seen: list[str] = []

    class Asking(StateRestoreListener):
        def on_batch_restored(self, _: object, store_name: str, *more: object) -> None:
            if store_name == "counts":
                with pytest.raises(InvalidStateStoreError, match="being restored"):
                    streams.store("counts")
                seen.append(streams.store("counts", allows_stale=True)["k"])

    streams.set_global_state_restore_listener(Asking())
    with streams:
        wait_until(lambda: seen, "the store was restored")
        assert streams.wait_for_state(State.RUNNING, 20)
        assert streams.store("counts")["k"] == 1
    assert seen == [1]


def test_a_store_of_two_processes_is_read_as_one(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 4})
    keys = [f"k{number}" for number in range(40)]
    log.write("in", [(key, "x") for key in keys * 2], START_MS)
    program = f"""
from pathlib import Path
from tests.streams.runtime.running_streams import Log
from tests.streams.runtime.test_interactive_queries import all_kinds
log = Log(Path({str(log.path)!r}))
log.streams(all_kinds(), commit_interval_ms=20, state_dir={str(tmp_path / "other")!r}).run()
"""
    other = subprocess.Popen([sys.executable, "-c", program], cwd=_ROOT)
    try:
        with running(log, 80, all_kinds()) as streams:

            def shares() -> bool:
                metadata = streams.metadata_for_all_streams_clients()
                return sorted(len(each.topic_partitions) for each in metadata) == [2, 2]

            wait_until(shares, "each process has two tasks")
            counts = streams.distributed_store("counts")
            wait_until(lambda: _length(counts) == 40, "both have restored their stores")
            assert dict(counts.all()) == dict.fromkeys(keys, 2)
            assert [counts[key] for key in keys] == [2] * 40
            assert sorted(counts.range("k10", "k13")) == [(f"k{n}", 2) for n in range(10, 14)]
            assert "nobody" not in counts
            assert counts.approximate_num_entries() == 40
            windows = streams.distributed_store("windows")
            where = [streams.query_metadata_for_key("counts", key) for key in keys]
            assert len({each.active_host for each in where}) == 2
            start_ms = START_MS
            assert [list(windows.fetch(key, start_ms, start_ms + 90))[0][1] for key in keys]
            assert len(list(windows.fetch_all(start_ms, start_ms + 90))) == 80
            assert list(streams.distributed_store("sessions").fetch("k3"))[0][0].key == "k3"
            assert streams.distributed_store("versions").get("k3").value == "x"
            both = streams.streams_metadata_for_store("counts")
            assert {name for each in both for name in each.state_store_names} == {
                "counts", "windows", "sessions", "versions",
            }  # fmt: skip
            other.kill()
            other.wait()
            wait_until(lambda: _length(streams.store("counts")) == 40, "all tasks came here")
    finally:
        other.kill()
        other.wait()


def _length(store: object) -> int:
    try:
        return len(store)  # type: ignore[arg-type]
    except InvalidStateStoreError:
        return -1


def test_the_threads_and_their_tasks_are_described(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 2})
    log.write("in", [("k", "x"), ("l", "x")], START_MS)
    with running(log, 2, all_kinds(), num_stream_threads=2) as streams:

        def each_has_a_running_task() -> bool:
            """The first to join has both for a moment."""
            threads = streams.metadata_for_local_threads()
            return all(
                each.thread_state == "RUNNING" and len(each.active_tasks) == 1 for each in threads
            )

        wait_until(each_has_a_running_task, "one task to each of the two threads")
        threads = streams.metadata_for_local_threads()
        assert len(threads) == 2
        for thread in threads:
            (task,) = thread.active_tasks
            assert task.is_running
            assert thread.consumer_client_id == f"{thread.thread_name}-consumer"
            assert task.topic_partitions == {("in", task.task_id.partition)}
        lags = streams.all_local_store_partition_lags()
        assert lags.keys() == {"counts", "windows", "sessions", "versions"}
        assert {lag.offset_lag for store in lags.values() for lag in store.values()} == {0}
