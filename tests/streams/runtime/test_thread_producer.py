"""The producer of a stream thread."""

from pathlib import Path
from typing import Any

import pytest
from tests.streams.runtime.running_streams import Log

import pylog
from pylog.streams.errors import TaskMigratedError
from pylog.streams.runtime.record_collector import TaskCollector
from pylog.streams.runtime.thread_producer import ThreadProducer


def raise_it(*failed: Any) -> None:
    raise failed[-1]


def collector_of(producer: ThreadProducer) -> TaskCollector:
    return TaskCollector(producer.outlet, producer.partition_count, raise_it, False)


def test_a_task_that_outlives_a_fenced_producer_writes_with_the_next_one(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", out=1)
    conf = {**log.conf, "transactional.id": "thread"}
    producer = ThreadProducer(conf, 20)
    active, standby = collector_of(producer), collector_of(producer)
    with pylog.Consumer({**log.conf, "group.id": "group"}) as consumer:
        metadata = consumer.consumer_group_metadata()
        active.send("out", b"k", b"void", None, 5, 0)
        with pylog.Producer(conf) as other:
            other.init_transactions(20)
        with pytest.raises(TaskMigratedError, match="fenced"):
            producer.commit_transaction([], metadata)
        producer.abort()
        standby.send("out", b"k", b"promoted", None, 5, 0)
        producer.commit_transaction([], metadata)
    producer.close()
    assert log.texts("out") == [("k", "promoted")]
