"""`pylog mirror` between folders and a real cluster: there and back, kills, groups."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sides import TIMEOUT_S, Side

import pylog
from pylog.mirror import Mirror, Place

pytestmark = pytest.mark.peer

FIRST_MS = 1_700_000_000_000
PARTITIONS = 3


def fill(config: dict[str, Any], topic: str, count: int, source: random.Random) -> None:
    """Write transactions, some of which are aborted, with keys, headers, tombstones, old times."""
    with pylog.AdminClient(config) as admin:
        wanted = pylog.admin.NewTopic(topic, PARTITIONS, config={"retention.ms": "-1"})
        admin.create_topics([wanted])[topic].result(TIMEOUT_S)
    with pylog.Producer({**config, "transactional.id": topic}) as producer:
        producer.init_transactions(TIMEOUT_S)
        number = 0
        while number < count:
            producer.begin_transaction()
            for _ in range(source.randrange(1, 400)):
                producer.produce(
                    topic,
                    source.choice([None, b"", b"value-%d" % number]),
                    source.choice([None, b"k%d" % source.randrange(20)]),
                    headers=source.choice([None, [("h", b"%d" % number), ("null", None)]]),
                    timestamp=FIRST_MS + number,
                )
                number += 1
            producer.flush(TIMEOUT_S)  # librdkafka cannot abort what has not reached the broker
            if source.random() < 0.3:
                producer.abort_transaction(TIMEOUT_S)
            else:
                producer.commit_transaction(TIMEOUT_S)


def contents(config: dict[str, Any], topic: str) -> list[list[tuple[Any, ...]]]:
    found: list[list[tuple[Any, ...]]] = []
    conf = {**config, "group.id": "reader", "enable.partition.eof": True}
    for partition in range(PARTITIONS):
        rows: list[tuple[Any, ...]] = []
        with pylog.Consumer(conf) as consumer:
            consumer.assign([pylog.TopicPartition(topic, partition, pylog.OFFSET_BEGINNING)])
            while True:
                message = consumer.poll(TIMEOUT_S)
                assert message is not None
                if message.error() is not None:
                    break
                rows.append((message.key(), message.value(), message.headers() or None,
                             message.timestamp()[1]))  # fmt: skip
        found.append(rows)
    return found


def place(config: dict[str, Any]) -> Place:
    return Place.parse(config.get("log.dir") or config["bootstrap.servers"])


def test_there_and_back_is_the_same(
    sides: tuple[Side, Side, Side], tmp_path: Path, random_source: random.Random
) -> None:
    _, folder, cluster = sides
    back = {"log.dir": str(tmp_path / "back")}
    topic = folder.topic
    fill(folder.config, topic, 3000, random_source)
    expected = contents(folder.config, topic)
    count = sum(map(len, expected))
    assert Mirror(place(folder.config), place(cluster.config), [topic]).run().records == count
    assert contents(cluster.config, topic) == expected
    assert Mirror(place(cluster.config), place(back), [topic]).run().records == count
    assert contents(back, topic) == expected
    for source, target in ((folder, cluster.config), (cluster, back)):
        assert Mirror(place(source.config), place(target), [topic]).run().records == 0


@pytest.mark.parametrize("direction", ["into the cluster", "out of the cluster"])
def test_a_killed_mirror_goes_on_without_loss_and_without_duplicates(
    sides: tuple[Side, Side, Side], random_source: random.Random, direction: str
) -> None:
    _, folder, cluster = sides
    source, target = (folder, cluster) if direction == "into the cluster" else (cluster, folder)
    topic = source.topic
    fill(source.config, topic, 40_000, random_source)
    expected = contents(source.config, topic)
    words = ["--from", place(source.config).name, "--to", place(target.config).name]
    command = [sys.executable, "-m", "pylog", "mirror", *words, "--topics", topic]
    for _ in range(4):
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        time.sleep(random_source.uniform(0.8, 4))  # not to wait for something: to hit anywhere
        running.kill()
        running.communicate()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert contents(target.config, topic) == expected


def test_groups_go_on_at_the_same_record(
    sides: tuple[Side, Side, Side], random_source: random.Random
) -> None:
    _, folder, cluster = sides
    topic = folder.topic
    fill(folder.config, topic, 2000, random_source)
    groups = {f"{topic}-{number}": random_source.randrange(700) for number in range(5)}
    for group, offset in groups.items():
        with pylog.Consumer({**folder.config, "group.id": group}) as consumer:
            _, high = consumer.get_watermark_offsets(pylog.TopicPartition(topic, 0))
            wanted = pylog.TopicPartition(topic, 0, min(offset, high))
            consumer.commit(offsets=[wanted], asynchronous=False)
    outcome = Mirror(place(folder.config), place(cluster.config), [topic], [f"^{topic}-.*"]).run()
    assert outcome.group_offsets == len(groups)
    for group in groups:
        seen = []
        for config in (folder.config, cluster.config):
            conf = {**config, "group.id": group, "enable.partition.eof": True}
            with pylog.Consumer(conf) as consumer:
                assigned = consumer.committed([pylog.TopicPartition(topic, 0)], timeout=TIMEOUT_S)
                consumer.assign(assigned)
                message = consumer.poll(TIMEOUT_S)
                assert message is not None
                seen.append(message.error() or (message.timestamp(), message.value()))
        assert seen[0] == seen[1]


def test_a_second_mirror_fences_the_first(
    sides: tuple[Side, Side, Side], random_source: random.Random
) -> None:
    from pylog.mirror.chunks import Chunk
    from pylog.mirror.cluster_target import ClusterTarget

    _, folder, cluster = sides
    folder.create()
    cluster.create()
    folder.fill(2)
    with folder.consumer() as consumer:
        consumer.assign([folder.at(0, 0)])
        messages = consumer.consume(2, TIMEOUT_S)
    chunk = Chunk((cluster.topic, 0), 0, messages)
    source_id = folder.admin.cluster_id()
    Mirror(place(folder.config), place(cluster.config), [folder.topic]).run()  # makes the syncs
    first = ClusterTarget(place(cluster.config), source_id)
    second = ClusterTarget(place(cluster.config), source_id)
    with pytest.raises(pylog.KafkaException) as raised:
        first.write([chunk])
    assert raised.value.args[0].fatal()
    second.write([chunk])
    first.close()
    second.close()
    with cluster.consumer() as consumer:
        consumer.assign([cluster.at(0, 0)])
        assert len(consumer.consume(3, 5)) == 2
