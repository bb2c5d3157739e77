"""Applications on a folder: what goes in, what comes out, and what a restart goes on with."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.streams.runtime.running_streams import Log, wait_until

import pylog
from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import (
    InvalidTopologyChangeError,
    MissingSourceTopicError,
    StateDirectoryLockedError,
    StreamsError,
    TopologyError,
)
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology

GUARANTEES = ["at_least_once", "exactly_once_v2"]
STORES = ["in_memory", "rocksDB"]
_ROOT = Path(__file__).parents[3]


def word_count(store: str = "counts") -> Topology:
    builder = StreamsBuilder()
    (
        builder.stream("lines", key_serde=serdes.string, value_serde=serdes.string)
        .flat_map_values(str.split)
        .group_by(lambda _, word: word, value_serde=serdes.string)
        .count(materialized=Materialized.as_(store))
        .to_stream()
        .to("counts", value_serde=serdes.long)
    )
    return builder.build()


def copy(source: str = "in", target: str = "out") -> Topology:
    builder = StreamsBuilder()
    builder.stream(source, key_serde=serdes.string, value_serde=serdes.string).to(target)
    return builder.build()


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("store", STORES)
def test_words_are_counted_and_a_second_run_goes_on(
    tmp_path: Path, guarantee: str, store: str
) -> None:
    log = Log(tmp_path / "log", lines=2, counts=2)
    config = {"processing_guarantee": guarantee, "default_dsl_store": store}
    log.write("lines", [("1", "a b a"), ("2", "b c")])
    log.streams(word_count(), **config).run_to_end()
    assert log.longs("counts") == {"a": [1, 2], "b": [1, 2], "c": [1]}
    log.write("lines", [("3", "a c c"), ("1", "d")])
    log.streams(word_count(), **config).run_to_end()
    assert log.longs("counts") == {"a": [1, 2, 3], "b": [1, 2], "c": [1, 2, 3], "d": [1]}


@pytest.mark.parametrize("store", STORES)
def test_state_that_is_lost_is_restored_from_the_changelog(tmp_path: Path, store: str) -> None:
    log = Log(tmp_path / "log", lines=1, counts=1)
    log.write("lines", [("1", "a b a")])
    log.streams(word_count(), default_dsl_store=store).run_to_end()
    log.streams(word_count(), default_dsl_store=store).clean_up()
    log.write("lines", [("1", "a")])
    log.streams(word_count(), default_dsl_store=store).run_to_end()
    assert log.longs("counts")["a"] == [1, 2, 3]


def test_internal_topics_have_kafka_streams_names(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", lines=3, counts=1)
    log.write("lines", [("1", "a")])
    log.streams(word_count()).run_to_end()
    with pylog.AdminClient(log.conf) as admin:
        known = {name: len(topic.partitions) for name, topic in admin.list_topics().topics.items()}
    assert known["app-counts-repartition"] == 3
    assert known["app-counts-changelog"] == 3


def test_offsets_are_committed_up_to_what_was_processed(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", str(number)) for number in range(10)])
    log.streams(copy()).run_to_end()
    assert log.committed("app", "in") == [10]


def test_records_are_processed_as_they_come(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    with log.streams(copy()) as streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        for number in range(3):
            log.write("in", [("k", str(number))])
            wait_until(lambda n=number: len(log.read("out")) == n + 1, "the record came out")
    assert streams.state is State.NOT_RUNNING


def test_a_missing_source_topic_is_named(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", out=1)
    streams = log.streams(copy("nowhere"))
    with pytest.raises(MissingSourceTopicError, match="`pylog topics create nowhere`"):
        streams.start()
    assert streams.state is State.ERROR


def test_a_topic_that_is_deleted_ends_the_application_with_its_name(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    streams = log.streams(copy())
    streams.start()
    assert streams.wait_for_state(State.RUNNING, 20)
    with pylog.AdminClient(log.conf) as admin:
        for future in admin.delete_topics(["in"]).values():
            future.result()
    assert streams.wait_for_state(State.ERROR, 20)
    assert isinstance(streams.failure, MissingSourceTopicError)
    assert "in" in str(streams.failure)
    streams.close()


def test_a_join_of_topics_of_different_sizes_names_both(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", left=2, right=3, out=1)
    builder = StreamsBuilder()
    text = {"key_serde": serdes.string, "value_serde": serdes.string}
    left, right = builder.stream("left", **text), builder.table("right", **text)
    left.join(right, lambda one, other: one + other).to("out")
    with pytest.raises(TopologyError, match=r"left has 2 partitions, right has 3 partitions"):
        log.streams(builder.build()).start()


def test_a_repartition_topic_of_another_size_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", lines=2, counts=1, **{"app-counts-repartition": 5})
    with pytest.raises(
        InvalidTopologyChangeError, match=r"app-counts-repartition has 5 .* needs 2"
    ):
        log.streams(word_count()).start()


def test_two_processes_cannot_share_a_state_directory(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", lines=1, counts=1)
    with log.streams(word_count(), default_dsl_store="rocksDB"):
        other = log.streams(word_count(), default_dsl_store="rocksDB")
        with pytest.raises(StateDirectoryLockedError, match=r"its own state\.dir"):
            other.start()


def test_instances_with_stores_in_memory_may_share_one(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", lines=2, counts=1)
    with log.streams(word_count()) as one, log.streams(word_count()) as other:
        assert one.wait_for_state(State.RUNNING, 20)
        assert other.wait_for_state(State.RUNNING, 20)


def test_a_generated_store_name_that_moved_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", lines=1, counts=1)

    def topology(steps: int) -> Topology:
        builder = StreamsBuilder()
        stream = builder.stream("lines", key_serde=serdes.string, value_serde=serdes.string)
        for _ in range(steps):
            stream = stream.filter(lambda key, value: True)
        stream.group_by_key().count().to_stream().to("counts", value_serde=serdes.long)
        return builder.build()

    log.streams(topology(0)).run_to_end()
    changed = "STATE-STORE-0000000001 is gone.*STATE-STORE-0000000002 is new"
    with pytest.raises(InvalidTopologyChangeError, match=changed):
        log.streams(topology(1)).start()


def test_a_named_store_survives_a_change_of_the_topology(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", lines=1, counts=1)

    def topology(steps: int) -> Topology:
        builder = StreamsBuilder()
        stream = builder.stream("lines", key_serde=serdes.string, value_serde=serdes.string)
        for _ in range(steps):
            stream = stream.filter(lambda key, value: True)
        table = stream.group_by_key().count(materialized=Materialized.as_("named"))
        table.to_stream().to("counts", value_serde=serdes.long)
        return builder.build()

    log.write("lines", [("k", "x")])
    log.streams(topology(0)).run_to_end()
    log.write("lines", [("k", "x")])
    log.streams(topology(2)).run_to_end()
    assert log.longs("counts") == {"k": [1, 2]}


def test_what_is_wrong_is_said_when_it_is_called_out_of_turn(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    with log.streams(copy()) as streams:
        with pytest.raises(StreamsError, match="before start"):
            streams.set_state_listener(None)
        with pytest.raises(StreamsError, match="before start"):
            streams.start()
        with pytest.raises(StreamsError, match="clean_up"):
            streams.clean_up()


def test_states_are_told_in_order(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    told: list[tuple[State, State]] = []
    streams = log.streams(copy())
    streams.set_state_listener(lambda new, old: told.append((old, new)))
    streams.run_to_end()
    assert told == [
        (State.CREATED, State.REBALANCING),
        (State.REBALANCING, State.RUNNING),
        (State.RUNNING, State.PENDING_SHUTDOWN),
        (State.PENDING_SHUTDOWN, State.NOT_RUNNING),
    ]


def test_pause_holds_records_back_and_resume_lets_them_go(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    with log.streams(copy()) as streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        streams.pause()
        assert streams.is_paused
        log.write("in", [("k", "1")])

        def polled() -> list[int]:
            return list(streams.metrics.find("poll-records-max").values())

        wait_until(lambda: polled() == [1], "the record was polled")
        assert log.read("out") == []
        streams.resume()
        wait_until(lambda: len(log.read("out")) == 1, "the record came out")


def test_a_cache_holds_updates_back_until_the_next_commit(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", lines=1, counts=1)
    log.write("lines", [("1", "a a a a b")])
    config = {"statestore_cache_max_bytes": 1 << 20}
    log.streams(word_count(), **config).run_to_end()
    assert log.longs("counts") == {"a": [4], "b": [1]}


def test_threads_come_and_go(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 4, "out": 1})
    with log.streams(copy()) as streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        name = streams.add_stream_thread()
        assert name is not None
        assert name.endswith("-StreamThread-2")

        def tasks() -> list[int]:
            return sorted(len(each.active_tasks) for each in streams.metadata_for_local_threads())

        wait_until(lambda: tasks() == [2, 2], "tasks are shared out")
        assert streams.remove_stream_thread() is not None
        wait_until(lambda: tasks() == [4], "tasks went to the other thread")
        log.write("in", [(str(number), "x") for number in range(20)])
        wait_until(lambda: len(log.read("out")) == 20, "all came out")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_cleanly(tmp_path: Path, number: int) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", str(each)) for each in range(100)])
    program = f"""
from tests.streams.runtime.running_streams import Log
from tests.streams.runtime.test_streams_on_folder import copy
from pathlib import Path
streams = Log(Path({str(log.path)!r})).streams(copy())
streams.set_state_listener(lambda new, old: print(new.name, flush=True))
streams.run()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "RUNNING":
            break
    wait_until(lambda: len(log.read("out")) == 100, "the records came out")
    began_s = time.monotonic()
    process.send_signal(number)
    assert process.wait(20) == 0
    assert time.monotonic() - began_s < 5
    assert process.stdout.read().split() == ["PENDING_SHUTDOWN", "NOT_RUNNING"]
    process.stdout.close()
    assert log.committed("app", "in") == [100]
