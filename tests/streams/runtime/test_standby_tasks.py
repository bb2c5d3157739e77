"""Standby tasks: copies of state in other instances."""

from pathlib import Path
from typing import Any

from tests.streams.runtime.running_streams import Log, wait_until

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.runtime.group_view import choose
from pylog.streams.runtime.restore_listeners import StandbyUpdateListener, SuspendReason
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}


def counting() -> Topology:
    builder = StreamsBuilder()
    grouped = builder.stream("in", **TEXT).group_by_key()
    grouped.count(materialized=Materialized.as_("counts"))
    return builder.build()


class Listener(StandbyUpdateListener):
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def on_update_start(self, topic_partition: Any, store_name: str, starting_offset: int) -> None:
        self.calls.append(("start", topic_partition.partition, starting_offset))

    def on_batch_loaded(self, topic_partition: Any, *more: Any) -> None:
        self.calls.append(("batch", topic_partition.partition, *more[2:4]))

    def on_update_suspended(self, topic_partition: Any, *more: Any) -> None:
        self.calls.append(("end", topic_partition.partition, more[-1]))


def test_each_task_has_a_copy_in_another_instance_which_takes_over(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 4})
    config = {"num_standby_replicas": 1, "commit_interval_ms": 20}
    listener = Listener()
    one, other = (
        log.streams(counting(), state_dir=str(tmp_path / name), **config) for name in "ab"
    )
    other.set_standby_update_listener(listener)
    keys = [f"k{number}" for number in range(40)]
    log.write("in", [(key, "x") for key in keys])
    with other:
        with one:
            for each in (one, other):
                assert each.wait_for_state(State.RUNNING, 20)

            def copies(streams: Any) -> int:
                threads = streams.metadata_for_local_threads()
                return sum(len(thread.standby_tasks) for thread in threads)

            wait_until(lambda: copies(one) == copies(other) == 2, "each has copies of two tasks")
            log.write("in", [(key, "x") for key in keys])

            def lag() -> int:
                lags = other.all_local_store_partition_lags()["counts"]
                return sum(each.offset_lag for each in lags.values())

            def stale() -> dict[str, int]:
                return dict(other.store("counts", allows_stale=True).all())

            wait_until(lambda: stale() == dict.fromkeys(keys, 2), "the copies followed")
            assert lag() == 0
            metadata = other.query_metadata_for_key("counts", "k1")
            assert len(metadata.standby_hosts) == 1
            assert metadata.active_host not in metadata.standby_hosts
        wait_until(lambda: len(other.store("counts")) == 40, "all tasks are here")
        log.write("in", [(key, "x") for key in keys])
        wait_until(
            lambda: dict(other.store("counts").all()) == dict.fromkeys(keys, 3), "it goes on"
        )
    kinds = [call[0] for call in listener.calls]
    assert kinds.count("start") >= 2
    assert "batch" in kinds
    promoted = [call for call in listener.calls if call[-1] is SuspendReason.PROMOTED]
    assert len(promoted) == 2


def test_who_keeps_copies_is_the_same_for_all_who_ask() -> None:
    names = [f"instance-{number}" for number in range(5)]
    for number in range(20):
        task_id = TaskId(0, number)
        chosen = choose(task_id, names, 2)
        assert chosen == choose(task_id, reversed(names), 2)
        assert len(set(chosen)) == 2
        # One that goes and was not chosen changes nothing.
        gone = next(name for name in names if name not in chosen)
        assert choose(task_id, [name for name in names if name != gone], 2) == chosen


def test_copies_are_spread() -> None:
    names = [f"instance-{number}" for number in range(4)]
    shares = [choose(TaskId(0, number), names, 1)[0] for number in range(200)]
    assert min(shares.count(name) for name in names) > 25
