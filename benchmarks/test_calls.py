"""Single calls, by pytest-benchmark: `pytest benchmarks/test_calls.py`.

Nothing here decides anything: compare two runs with `--benchmark-autosave` and
`--benchmark-compare`. A row named after a call of thousands is the time of that whole call.
"""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

import pylog
from benchmarks.workload import TOPIC, make_pairs
from logcore.batch import BatchBuilder, crc32c, iter_records
from logcore.log import Log

TIMESTAMP_MS = 1_700_000_000_000
READ_RECORDS = 100_000
BATCH_RECORDS = 500

PAIRS = {size: make_pairs(size) for size in (100, 1024)}


@pytest.fixture(params=[100, 1024], ids=["100B", "1KiB"])
def value_bytes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module", params=[100, 1024], ids=["100B", "1KiB"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("written")
    with pylog.open(str(folder), acks=1) as log:
        topic = log.topic(TOPIC, partitions=1)
        for _ in range(READ_RECORDS // 1000):
            topic.append_many(PAIRS[request.param])
    return folder


@pytest.fixture
def consumer(written: Path) -> Iterator[pylog.Consumer]:
    consumer = pylog.Consumer({"log.dir": str(written), "group.id": "calls"})
    consumer.assign([pylog.TopicPartition(TOPIC, 0, 0)])
    yield consumer
    consumer.close()


def make_batch(value_bytes: int) -> bytes:
    builder = BatchBuilder()
    for key, value in PAIRS[value_bytes][:BATCH_RECORDS]:
        builder.append(TIMESTAMP_MS, key, value)
    return builder.build()


def test_produce(benchmark, tmp_path, value_bytes):
    with pylog.open(str(tmp_path), acks=1) as log:
        log.topic(TOPIC, partitions=1)
    producer = pylog.Producer({"log.dir": str(tmp_path), "acks": 1})
    key, value = PAIRS[value_bytes][0]
    produce = producer.produce
    benchmark(lambda: produce(TOPIC, value=value, key=key))
    producer.flush()


@pytest.mark.parametrize("acks", [1, "all"])
def test_append(benchmark, tmp_path, value_bytes, acks):
    key, value = PAIRS[value_bytes][0]
    with pylog.open(str(tmp_path), acks=acks) as log:
        benchmark(log.topic(TOPIC, partitions=1).append, value, key)


def test_append_many_1000(benchmark, tmp_path, value_bytes):
    with pylog.open(str(tmp_path), acks=1) as log:
        topic = log.topic(TOPIC, partitions=1)
        # A bounded number of calls: 1 KiB records would fill the disk in a minute.
        benchmark.pedantic(topic.append_many, (PAIRS[value_bytes],), rounds=200, warmup_rounds=10)


def test_poll(benchmark, consumer):
    consumer.poll(1.0)
    rounds = READ_RECORDS // 2
    benchmark.pedantic(consumer.poll, (1.0,), rounds=1, iterations=rounds)


def test_consume_1000(benchmark, consumer):
    consumer.consume(1000, 1.0)
    rounds = READ_RECORDS // 1000 // 2
    benchmark.pedantic(consumer.consume, (1000, 1.0), rounds=rounds)


def test_read_columns_65536(benchmark, written):
    with pylog.open(str(written)) as log:
        topic = log.topic(TOPIC)
        columns = benchmark(lambda: topic.columns(partition=0, offset=0, max_records=65_536))
        assert len(columns.offsets) > 0


def test_read_batches_1_mib(benchmark, written):
    with Log(written / f"{TOPIC}-0", read_only=True) as log:
        assert len(benchmark(log.read, 0, 1 << 20)) > 0


def test_build_batch_of_500(benchmark, value_bytes):
    pairs = PAIRS[value_bytes][:BATCH_RECORDS]

    def build() -> bytes:
        builder = BatchBuilder()
        append = builder.append
        for key, value in pairs:
            append(TIMESTAMP_MS, key, value)
        return builder.build()

    assert len(benchmark(build)) > value_bytes * BATCH_RECORDS


def test_decode_batch_of_500(benchmark, value_bytes):
    batch = make_batch(value_bytes)
    assert benchmark(lambda: sum(1 for _ in iter_records(batch))) == BATCH_RECORDS


@pytest.mark.parametrize("size", [128, 1024, 65_536, 1 << 20])
def test_crc32c(benchmark, size):
    data = bytes(size)
    assert benchmark(crc32c, data) == crc32c(data)


def test_open_clean_partition(benchmark, written):
    def open_and_close() -> None:
        Log(written / f"{TOPIC}-0").close()

    benchmark(open_and_close)


def test_open_topic_and_append_one(benchmark, tmp_path):
    numbers = cycle(range(1000))

    def append_one() -> None:
        with pylog.open(str(tmp_path), acks=1) as log:
            log.topic(TOPIC, partitions=1).append(PAIRS[100][next(numbers)][1])

    benchmark(append_one)
