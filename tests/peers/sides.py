"""Side: confluent_kafka with a broker, pylog with a folder, or pylog with the same broker.

A scenario is a function of a Side that returns what it saw; all sides must see the same. What a
cluster has and a folder has not (broker ids, latencies) is left out by the scenario.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import record_batches

import pylog

TIMEOUT_S = 20
_numbers = itertools.count()


def new_topic_name() -> str:
    """Return a name that no other test has."""
    return f"topic-{next(_numbers)}"


@dataclass
class Side:
    """One of the libraries and where its data is."""

    client: ModuleType
    admin_module: ModuleType
    config: dict[str, Any]
    topic: str = field(default_factory=new_topic_name)

    def producer(self, **config: Any) -> Any:
        return self.client.Producer(self.config | {"linger.ms": 5} | _dotted(config))

    def consumer(self, **config: Any) -> Any:
        defaults = {"group.id": "group", "enable.auto.commit": False}
        return self.client.Consumer(self.config | defaults | _dotted(config))

    @functools.cached_property
    def admin(self) -> Any:
        return self.admin_module.AdminClient(self.config)

    def create(self, partitions: int = 1, **config: str) -> None:
        # The timestamps lie in the past, where retention would take them.
        configs = {"retention.ms": "-1"} | _dotted(config)
        topic = self.admin_module.NewTopic(self.topic, partitions, 1, config=configs)
        self.admin.create_topics([topic])[self.topic].result(TIMEOUT_S)

    def at(self, partition: int = 0, *offset: int) -> Any:
        return self.client.TopicPartition(self.topic, partition, *offset)

    def fill(self, count: int = 10) -> None:
        """Produce `count` records to partition 0, a second apart."""
        producer = self.producer()
        for number in range(count):
            time_ms = record_batches.FIRST_TIMESTAMP_MS + 1000 * number
            producer.produce(self.topic, b"%d" % number, partition=0, timestamp=time_ms)
        assert producer.flush(TIMEOUT_S) == 0

    def is_topic(self, name: str | None) -> bool | None:
        """Return whether `name` is this side's topic, None for no name: the names differ."""
        return None if name is None else name == self.topic

    def told(self, error: Any) -> Any:
        """Return an error or an exception in a form that both sides share."""
        if isinstance(error, self.client.KafkaException):
            error = error.args[0]
        if isinstance(error, self.client.KafkaError):
            # confluent_kafka says False unless librdkafka spoke of that very error.
            retriable = error.retriable() or pylog.KafkaError(error.code()).retriable()
            return (error.name(), error.code(), retriable, error.fatal())
        return error if error is None else type(error).__name__

    def outcome(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Return what `call` returns, or the error it raises."""
        try:
            return call(*arguments, **named)
        except Exception as error:
            return ("raised", self.told(error))


def _dotted(config: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in config.items()}
