"""A changelog that is deleted on a real Kafka while an application uses it."""

import time
from typing import Any

import pytest
from tests.streams.runtime.running_streams import wait_until
from tests.streams.runtime.test_streams_on_folder import word_count

import pylog
from pylog.admin import NewTopic
from pylog.streams.app import Streams
from pylog.streams.errors import MissingInternalTopicError
from pylog.streams.runtime.thread_state import State

pytestmark = pytest.mark.peer


def test_a_changelog_that_is_deleted_is_named_and_not_made_anew(broker: Any, tmp_path: Any) -> None:
    name = f"deleted{time.time_ns()}"
    conf = {"bootstrap.servers": broker.bootstrap_servers}
    changelog = f"{name}-counts-changelog"
    watcher = pylog.Consumer({**conf, "group.id": f"{name}-watcher"})
    with pylog.AdminClient(conf) as admin, pylog.Producer(conf) as producer, watcher:
        for topic in {"lines", "counts"} - admin.list_topics(timeout=30).topics.keys():
            admin.create_topics([NewTopic(topic, 1)])[topic].result(30)
        config = {
            **conf,
            "application.id": name,
            "state.dir": str(tmp_path),
            "statestore.cache.max.bytes": 0,
            "default.dsl.store": "in_memory",
            "commit.interval.ms": 100,
            "producer.delivery.timeout.ms": 8000,
        }
        with Streams(word_count(), config) as streams:
            assert streams.wait_for_state(State.RUNNING, 60)
            producer.produce("lines", b"a b", key=b"k")
            producer.flush(30)
            place = pylog.TopicPartition(changelog, 0)
            wait_until(
                lambda: watcher.get_watermark_offsets(place, timeout=10)[1] > 0,
                "the changelog has records",
            )
            admin.delete_topics([changelog])[changelog].result(30)
            until_s = time.monotonic() + 60
            while streams.state is State.RUNNING and time.monotonic() < until_s:
                producer.produce("lines", b"a b", key=b"k")
                producer.flush(30)
                time.sleep(0.5)
            assert streams.wait_for_state(State.ERROR, 60)
            assert isinstance(streams.failure, MissingInternalTopicError), streams.failure
            assert changelog in str(streams.failure)
        assert changelog not in admin.list_topics(timeout=30).topics
