"""Members that are killed and stopped at random, both strategies: what they commit never goes back.

Each member reads and commits; the parent kills, stops and starts them. Afterwards the offsets'
topic is read from its first record: the offsets of each partition only rise, and after the end all
messages were read.
"""

import os
import signal
import time

import pytest
from child import Child

import pylog
from pylog import Consumer, KafkaError, KafkaException, TopicPartition
from pylog.group.records import OffsetKey, decode_key, decode_offset_value

PARTITIONS = 6
RECORDS = 1500
FENCED = {
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
}


def work(folder, seed, **conf):
    """Read a few, commit them, until every partition is at its end."""
    consumer = Consumer(
        {
            "log.dir": folder,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": seed % 2 == 0,
            "auto.commit.interval.ms": 20,
            "session.timeout.ms": 800,
            **conf,
        }
    )
    consumer.subscribe(["t"])
    partitions = [TopicPartition("t", number) for number in range(PARTITIONS)]
    while True:
        messages = consumer.consume(1 + seed % 7, timeout=0.05)
        time.sleep(0.004)  # the work, in which most stops happen
        try:
            if messages and seed % 2:
                ends = {m.partition(): m.offset() + 1 for m in messages if m.error() is None}
                read = [TopicPartition("t", number, end) for number, end in ends.items()]
                consumer.commit(offsets=read, asynchronous=False)
        except KafkaException as error:
            assert error.args[0].code() in FENCED, error
        if not messages and all(p.offset == RECORDS for p in consumer.committed(partitions)):
            return consumer.close()


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_offsets_never_go_back_whoever_is_killed_or_stopped(tmp_path, random_source, strategy):
    folder = str(tmp_path / "log")
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t", partitions=PARTITIONS)
        for partition in range(PARTITIONS):
            topic.append_many([b"x"] * RECORDS, partition=partition)

    def start():
        conf = {"partition.assignment.strategy": strategy}
        return Child(work, folder=folder, seed=random_source.randrange(1000), **conf)

    children = [start() for _ in range(3)]
    stopped = []
    ends_s = time.monotonic() + float(os.environ.get("PYLOG_KILLS_S") or 4)
    try:
        while time.monotonic() < ends_s:
            time.sleep(random_source.uniform(0.1, 0.3))
            for child in stopped:
                child.signal(signal.SIGCONT)
            stopped.clear()
            number = random_source.randrange(len(children))
            if random_source.random() < 0.7:
                children[number].signal(signal.SIGSTOP)
                stopped.append(children[number])
                time.sleep(random_source.uniform(0.5, 1.5))
            elif children[number].process.poll() is None:
                children[number].signal(signal.SIGKILL)
                children[number].__exit__()
                children[number] = start()
        for child in stopped:
            child.signal(signal.SIGCONT)
        for child in children:
            child.result()
    finally:
        for child in children:
            child.__exit__()
    check_offsets(folder)


def check_offsets(folder):
    last = {}
    with Consumer({"log.dir": folder, "auto.offset.reset": "earliest"}) as reader:
        reader.assign([TopicPartition("__consumer_offsets", 0, 0)])
        while (message := reader.poll(0.2)) is not None:
            key = decode_key(message.key())
            if isinstance(key, OffsetKey):
                value = decode_offset_value(message.value())
                before = last.get(key.partition, (-1, -1))
                assert value.offset >= before[0], (key, value, before, message.offset())
                last[key.partition] = value.offset, message.offset()
    assert {offset for offset, _ in last.values()} == {RECORDS}
