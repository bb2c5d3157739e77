"""A copy of a table whose changelog is its source topic: it is at what is committed."""

from pathlib import Path
from typing import Any

from tests.streams.runtime.running_streams import Log, wait_until

import pylog
from pylog.streams import serdes
from pylog.streams.config import StreamsConfig
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.metrics import ThreadMetrics
from pylog.streams.runtime import client_settings
from pylog.streams.runtime.changelog_reader import ChangelogReader
from pylog.streams.runtime.live_task import StoreProgress
from pylog.streams.runtime.restore_listeners import StandbyUpdateListener, StateRestoreListener
from pylog.streams.runtime.task_factory import TaskFactory
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.runtime.thread_producer import ThreadProducer
from pylog.streams.runtime.thread_state import State

TEXT: dict[str, Any] = {"key_serde": serdes.string, "value_serde": serdes.string}


def read_on(reader: ChangelogReader, progress: StoreProgress) -> StoreProgress:
    reader.step(0.05)
    return progress


def commit(log: Log, offset: int) -> None:
    with pylog.Consumer({**log.conf, "group.id": "app"}) as consumer:
        consumer.commit(offsets=[pylog.TopicPartition("in", 0, offset)], asynchronous=False)


def test_one_that_takes_over_has_all_that_is_committed(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [(f"k{number}", "x") for number in range(100)])
    commit(log, 50)
    builder = StreamsBuilder()
    builder.table("in", **TEXT, materialized=Materialized.as_("table"))
    optimized = {"topology.optimization": "all"}
    config = StreamsConfig({**log.conf, "application.id": "app", **optimized})
    streams = log.streams(builder.build(config), **optimized)
    instance = streams._make_instance()
    producer = ThreadProducer(client_settings.producer(streams.config, "thread", ""), 20)
    metrics = ThreadMetrics(instance.metrics, "thread")
    factory = TaskFactory(instance, producer, metrics, None, lambda *_: 0)
    task = factory.make(TaskId(0, 0), is_standby=True)
    (progress,) = task.stores
    reader = ChangelogReader(
        client_settings.changelog_consumer(streams.config, "reader", "restore.consumer"),
        instance.admin,
        StateRestoreListener,
        StandbyUpdateListener,
    )
    reader.add(task)
    wait_until(lambda: read_on(reader, progress).is_waiting, "it waits for a commit")
    assert progress.offset == 50
    commit(log, 80)
    task.committed_offsets = {("in", 0): 80}
    reader.promote(task)
    wait_until(lambda: read_on(reader, progress).is_complete, "it has taken over")
    assert progress.offset == 80
    assert [key for key, _ in progress.store.all()] == sorted(f"k{n}" for n in range(80))
    reader.close()
    task.close(True)
    producer.close()
    streams._shut_down(State.PENDING_ERROR)
