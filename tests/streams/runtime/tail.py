"""What committed records a topic of longs holds."""

import time
from collections import defaultdict
from pathlib import Path

import pylog


def read_topic(log_dir: Path, topic: str) -> dict[bytes, list[int]]:
    """The values of each key in order, committed ones alone."""
    found: dict[bytes, list[int]] = defaultdict(list)
    with pylog.Consumer({"log.dir": str(log_dir), "group.id": "judge", "enable.partition.eof": True,
                         "enable.auto.commit": False}) as consumer:  # fmt: skip
        partitions = len(consumer.list_topics(topic).topics[topic].partitions)
        consumer.assign([pylog.TopicPartition(topic, number, 0) for number in range(partitions)])
        ended = set()
        while len(ended) < partitions:
            for message in consumer.consume(10_000, 0.05):
                if message.error() is not None:
                    assert message.error() == pylog.KafkaError._PARTITION_EOF, message.error()
                    ended.add(message.partition())
                    continue
                key, value = message.key(), message.value()
                assert key is not None
                assert value is not None
                found[key].append(int.from_bytes(value, "big", signed=True))
    return found


class Tail:
    """Follows a topic, to see that there is more."""

    def __init__(self, log_dir: Path, topic: str):
        self._consumer = pylog.Consumer(
            {"log.dir": str(log_dir), "group.id": "tail", "enable.auto.commit": False}
        )
        partitions = len(self._consumer.list_topics(topic).topics[topic].partitions)
        self._consumer.assign(
            [pylog.TopicPartition(topic, number, 0) for number in range(partitions)]
        )

    def has_more(self, timeout_s: float) -> bool:
        """Whether a record comes that was not there before."""
        while self._consumer.consume(100_000, 0):
            continue
        until_s = time.monotonic() + timeout_s
        while self._consumer.poll(0.1) is None:
            if time.monotonic() > until_s:
                return False
        return True

    def wait_for_more(self, timeout_s: float, what: str, folder: Path) -> None:
        """Return when there is more; else fail with what the instances wrote last."""
        if self.has_more(timeout_s):
            return
        logs = []
        for path in sorted(folder.glob("*.log")):
            logs += [f"--- {path.name}", *path.read_text().splitlines()[-15:]]
        raise AssertionError("\n".join([f"{what}: no more output", *logs]))

    def close(self) -> None:
        """Let go."""
        self._consumer.close()
