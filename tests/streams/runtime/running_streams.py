"""What tests of running applications share: a folder with topics, input, output."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pylog
from pylog.admin import NewTopic
from pylog.streams.app import Streams
from pylog.streams.topology import Topology

Pair = tuple[str | None, str | None]
LONG = 20.0


class Log:
    """A folder of topics.

    Args:
        path: of the folder, made when it is not there.
        topics: partition counts of topics that are made.
    """

    def __init__(self, path: Path, **topics: int):
        self.path = path
        self.conf = {"log.dir": str(path)}
        self.make(**topics)

    def make(self, **topics: int) -> None:
        """Make topics."""
        with pylog.AdminClient(self.conf) as admin:
            wanted = [NewTopic(name, count) for name, count in topics.items()]
            for future in admin.create_topics(wanted).values() if wanted else ():
                future.result()

    def write(self, topic: str, pairs: Iterable[Pair], start_ms: int | None = None) -> int:
        """Write pairs of text, 1 ms apart; returns the time of the first."""
        start_ms = int(time.time() * 1000) - 3_600_000 if start_ms is None else start_ms
        conf = {**self.conf, "partitioner": "murmur2_random"}
        with pylog.Producer(conf) as producer:
            for number, (key, value) in enumerate(pairs):
                producer.produce(topic, value, key, timestamp=start_ms + number)
        return start_ms

    def read(self, topic: str) -> list[pylog.Message]:
        """All committed records, one partition after the other."""
        conf = {**self.conf, "group.id": "reader", "enable.auto.commit": False}
        found: list[pylog.Message] = []
        with pylog.Consumer({**conf, "enable.partition.eof": True}) as consumer:
            known = consumer.list_topics(topic).topics[topic]
            assert known.error is None, f"{topic}: {known.error}"
            for partition in sorted(known.partitions):
                consumer.assign([pylog.TopicPartition(topic, partition, pylog.OFFSET_BEGINNING)])
                while (message := consumer.poll(5)) is not None and message.error() is None:
                    found.append(message)
        return found

    def longs(self, topic: str) -> dict[str, list[int]]:
        """The values of each key of a topic of longs."""
        found: dict[str, list[int]] = defaultdict(list)
        for message in self.read(topic):
            key, value = message.key(), message.value()
            assert key is not None
            assert value is not None
            found[key.decode()].append(int.from_bytes(value, "big", signed=True))
        return dict(found)

    def texts(self, topic: str) -> list[Pair]:
        """Keys and values of a topic of text."""
        return [(_text(message.key()), _text(message.value())) for message in self.read(topic)]

    def committed(self, group: str, topic: str) -> list[int]:
        """Committed offsets of a topic's partitions; negative for none."""
        with pylog.Consumer({**self.conf, "group.id": group}) as consumer:
            count = len(consumer.list_topics(topic).topics[topic].partitions)
            places = [pylog.TopicPartition(topic, number) for number in range(count)]
            return [each.offset for each in consumer.committed(places, timeout=10)]

    def streams(self, topology: Topology, **config: Any) -> Streams:
        """An application on this folder; `_` in names stands for `.`."""
        given = {name.replace("_", "."): value for name, value in config.items()}
        return Streams(
            topology,
            {
                "application.id": "app",
                **self.conf,
                "state.dir": str(self.path) + "-state",
                "statestore.cache.max.bytes": 0,
                "default.dsl.store": "in_memory",
                **given,
            },
        )


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode()


def wait_until(is_true: Callable[[], object], what: str, timeout_s: float = LONG) -> None:
    """Return when something is so; it is a failure when it never is."""
    until_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < until_s, f"never came to be: {what}"
        time.sleep(0.01)
