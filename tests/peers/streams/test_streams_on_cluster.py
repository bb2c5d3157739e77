"""Our applications on a real Kafka: the same as on a folder, and state that Java has written."""

import base64
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from java_app import MakeApp, read_golden
from tests.streams import topology_scripts

import pylog
from pylog.admin import NewTopic
from pylog.mirror import Mirror, Place
from pylog.streams import serdes
from pylog.streams.app import Streams
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology
from pylog.streams.windows import TimeWindows

pytestmark = pytest.mark.peer

PARTITIONS = 3
OUTPUTS = ("counts", "windows", "joined")
GUARANTEES = ["at_least_once", "exactly_once_v2"]
TIMEOUT_S = 60
# Kafka Streams does not leave its group at the end: it is missed after this.
BRIEF = {"consumer_session_timeout_ms": "6000", "consumer_heartbeat_interval_ms": "1000"}
_numbers = itertools.count()
TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}


class Topics:
    """A folder or the cluster, with topics of one application's own.

    Args:
        conf: of clients.
        name: what the names of topics begin with.
    """

    def __init__(self, conf: dict[str, Any], name: str):
        self.conf = conf
        self.name = name

    def make(self, *topics: str) -> None:
        with pylog.AdminClient(self.conf) as admin:
            wanted = [NewTopic(f"{self.name}-{topic}", PARTITIONS) for topic in topics]
            for future in admin.create_topics(wanted).values():
                future.result(TIMEOUT_S)

    def write(self, topic: str, records: list[tuple[str, str, int]]) -> None:
        conf = {**self.conf, "partitioner": "murmur2_random"}
        with pylog.Producer(conf) as producer:
            for key, value, timestamp in records:
                producer.produce(f"{self.name}-{topic}", value, key, timestamp=timestamp)
            assert producer.flush(TIMEOUT_S) == 0

    def read(self, topic: str) -> dict[bytes, list[bytes | None]]:
        """The values of each key, in order."""
        found: dict[bytes, list[bytes | None]] = defaultdict(list)
        conf = {**self.conf, "group.id": "reader", "enable.partition.eof": True}
        with pylog.Consumer({**conf, "enable.auto.commit": False}) as consumer:
            known = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
            for partition in known.partitions:
                consumer.assign([pylog.TopicPartition(topic, partition, pylog.OFFSET_BEGINNING)])
                while True:
                    message = consumer.poll(TIMEOUT_S)
                    assert message is not None
                    if message.error() is not None:
                        assert message.error() == pylog.KafkaError._PARTITION_EOF
                        break
                    found[message.key() or b""].append(message.value())
        return dict(found)

    def outputs(self) -> dict[str, dict[bytes, list[bytes | None]]]:
        return {topic: self.read(f"{self.name}-{topic}") for topic in OUTPUTS}

    def topology(self) -> Topology:
        """A repartition, windows, and a join of a stream with a table."""
        builder = StreamsBuilder()
        names = builder.table(f"{self.name}-names", materialized=Materialized.as_("n"), **TEXT)
        lines = builder.stream(f"{self.name}-in", **TEXT)
        words = lines.group_by(lambda key, value: value, **TEXT)
        (
            words.count(materialized=Materialized.as_("word-counts"))
            .to_stream()
            .to(f"{self.name}-counts", value_serde=serdes.long)
        )
        (
            lines.group_by_key()
            .windowed_by(TimeWindows.of_size_and_grace(100, "1h"))
            .count(materialized=Materialized.as_("key-windows"))
            .to_stream()
            .map(lambda key, value: (f"{key.key} {key.window.start_ms}", value))
            .to(f"{self.name}-windows", key_serde=serdes.string, value_serde=serdes.long)
        )
        joined = lines.join(names, lambda value, name: f"{value} of {name}")
        joined.to(f"{self.name}-joined", value_serde=serdes.string)
        return builder.build()

    def run(self, state_dir: Path, guarantee: str, application_id: str) -> None:
        Streams(
            self.topology(),
            {
                "application.id": application_id,
                **self.conf,
                "state.dir": str(state_dir),
                "statestore.cache.max.bytes": 0,
                "processing.guarantee": guarantee,
                "default.dsl.store": "in_memory",
                "replication.factor": -1,
            },
        ).run_to_end()


def random_records(source: random.Random, count: int) -> list[tuple[str, str, int]]:
    now_ms = int(time.time() * 1000) - 600_000
    return [
        (f"k{source.randrange(12)}", f"w{source.randrange(7)}", now_ms + number)
        for number in range(count)
    ]


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_half_on_a_folder_and_half_on_a_cluster_is_the_same_as_all_on_a_folder(
    broker: Any, tmp_path: Path, random_source: random.Random, guarantee: str
) -> None:
    name = f"half{next(_numbers)}"
    application_id = f"{name}-app"
    folder = Topics({"log.dir": str(tmp_path / "log")}, name)
    whole = Topics({"log.dir": str(tmp_path / "whole")}, name)
    cluster = Topics({"bootstrap.servers": broker.bootstrap_servers}, name)
    names = [(f"k{number}", f"name-{number}", int(time.time() * 1000) - 900_000)
             for number in range(12)]  # fmt: skip
    records = random_records(random_source, 2000)
    for place in (folder, whole):
        place.make("in", "names", *OUTPUTS)
        place.write("names", names)
    whole.write("in", records)
    whole.run(tmp_path / "state-whole", guarantee, application_id)
    folder.write("in", records[:1000])
    folder.run(tmp_path / "state-folder", guarantee, application_id)

    Mirror(
        Place.parse(str(tmp_path / "log")),
        Place.parse(broker.bootstrap_servers),
        [f"^{name}-.*"],
        [application_id],
    ).run()
    cluster.write("in", records[1000:])
    cluster.run(tmp_path / "state-cluster", guarantee, application_id)

    assert cluster.outputs() == whole.outputs()
    for store in ("word-counts", "key-windows"):
        changelog = f"{application_id}-{store}-changelog"
        assert cluster.read(changelog) == whole.read(changelog)


def test_an_application_starts_afresh_on_a_cluster(
    broker: Any, tmp_path: Path, random_source: random.Random
) -> None:
    name = f"fresh{next(_numbers)}"
    places = [
        Topics({"log.dir": str(tmp_path / "log")}, name),
        Topics({"bootstrap.servers": broker.bootstrap_servers}, name),
    ]
    records = random_records(random_source, 500)
    for number, place in enumerate(places):
        place.make("in", "names", *OUTPUTS)
        place.write("names", [(f"k{each}", "n", records[0][2]) for each in range(12)])
        place.write("in", records)
        place.run(tmp_path / f"state-{number}", "exactly_once_v2", f"{name}-app")
    assert places[0].outputs() == places[1].outputs()
    configs = _configs(broker, f"{name}-app-word-counts-repartition")
    assert configs["cleanup.policy"] == "delete"
    assert configs["retention.ms"] == "-1"
    assert configs["segment.bytes"] == "52428800"
    assert _configs(broker, f"{name}-app-word-counts-changelog")["cleanup.policy"] == "compact"


def _configs(broker: Any, topic: str) -> dict[str, str | None]:
    with pylog.AdminClient({"bootstrap.servers": broker.bootstrap_servers}) as admin:
        resource = pylog.admin.ConfigResource(pylog.admin.ResourceType.TOPIC, topic)
        entries = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
        return {name: entry.value for name, entry in entries.items()}


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_two_instances_share_tasks_on_a_cluster_and_one_takes_over(
    broker: Any, tmp_path: Path, random_source: random.Random, guarantee: str
) -> None:
    place = Topics({"bootstrap.servers": broker.bootstrap_servers}, f"two{next(_numbers)}")
    place.make("in", "names", *OUTPUTS)
    records = random_records(random_source, 600)
    place.write("in", records[:300])

    def instance(number: int) -> Streams:
        return Streams(
            place.topology(),
            {
                "application.id": f"{place.name}-app",
                **place.conf,
                "state.dir": str(tmp_path / f"state-{number}"),
                "statestore.cache.max.bytes": 0,
                "processing.guarantee": guarantee,
                "default.dsl.store": "in_memory",
                "num.stream.threads": 2,
                "session.timeout.ms": 6000,
                "commit.interval.ms": 100,
            },
        )

    def counted() -> int:
        return sum(len(values) for values in place.read(f"{place.name}-counts").values())

    one, other = instance(1), instance(2)
    with other:
        with one:
            for each in (one, other):
                assert each.wait_for_state(State.RUNNING, TIMEOUT_S), each.failure
            _wait(lambda: counted() >= 300)
        place.write("in", records[300:])
        _wait(lambda: counted() >= 600)
        assert other.state.is_running_or_rebalancing, other.failure
    found = {key: values[-1] for key, values in place.read(f"{place.name}-counts").items()}
    expected: dict[bytes, int] = defaultdict(int)
    for _, word, _ in records:
        expected[word.encode()] += 1
    assert {key: int.from_bytes(value or b"", "big") for key, value in found.items()} == expected


def _wait(is_true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < until_s
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("name", "store"),
    [
        ("count", "rocksDB"),
        ("session-aggregate", "rocksDB"),
        ("sliding-aggregate", "in_memory"),
        ("table", "in_memory"),
        ("versioned", "in_memory"),
        ("window-count", "rocksDB"),
    ],
)
def test_state_that_java_wrote_is_restored_and_java_goes_on_with_ours(
    java_app: MakeApp, broker: Any, kafka: ModuleType, tmp_path: Path, name: str, store: str
) -> None:
    head, steps, stores = read_golden(name)
    half = len(steps) // 2
    app = java_app(head, f"java-{name}-{store}".lower())
    app.write(steps[:half])
    before = app.run(half, **BRIEF)
    with Streams(
        topology_scripts.build(
            {
                **head,
                "calls": [
                    call.replace("'left'", f"'{app.topic('left')}'").replace(
                        "to('out')", f"to('{app.topic('out')}')"
                    )
                    for call in head["calls"]
                ],
            }
        ),
        {
            **topology_scripts.config_of(head),
            "application.id": app.application_id,
            "bootstrap.servers": broker.bootstrap_servers,
            "state.dir": str(tmp_path / "python-state"),
            "default.dsl.store": store,
        },
    ) as streams:
        assert streams.wait_for_state(State.RUNNING, TIMEOUT_S), streams.failure
        for store_name, rows in before["stores"].items():
            assert _rows(streams, store_name) == _sorted(rows), store_name
        app.write(steps[half:])
        _wait(lambda: _committed(broker, app) == len(steps))
        ours = {store_name: _rows(streams, store_name) for store_name in stores}
    if name in ("count", "reduce", "table", "versioned"):
        # Half of it is Java's and half of it ours: the bytes are those of Java alone. (Of windows
        # they need not be: to what is late an operator begins anew with a restart, in Java too.)
        for topic in sorted({topic for step in steps for topic in step["produced"]}):
            assert app.read(topic) == _expected(steps, topic), topic
        assert ours == {store_name: _sorted(rows) for store_name, rows in stores.items()}
    after = app.run(len(steps), **BRIEF)["stores"]
    for store_name, rows in after.items():
        # Java hides old windows of a store that it has just restored later than we do.
        assert all(row in rows for row in ours[store_name]), store_name


def _expected(steps: list[dict[str, Any]], topic: str) -> list[tuple[Any, ...]]:
    return [
        (
            _hex(record["key"]),
            _hex(record["value"]),
            record["ts"],
            [[name, _hex(value)] for name, value in record["headers"]],
        )
        for step in steps
        for record in step["produced"].get(topic, [])
    ]


def _hex(text: str | None) -> str | None:
    return None if text is None else base64.b64decode(text).hex()


def _committed(broker: Any, app: Any) -> int:
    conf = {"bootstrap.servers": broker.bootstrap_servers, "group.id": app.application_id}
    with pylog.Consumer(conf) as consumer:
        (place,) = consumer.committed([pylog.TopicPartition(app.topic("left"), 0)], TIMEOUT_S)
        return place.offset


def _rows(streams: Streams, name: str) -> list[list[Any]]:
    """What a store holds, as RunStreams prints it."""
    view = streams.timestamped_store(name)
    if type(view).__name__ == "VersionedView":
        return _sorted(
            [key, each.value, each.timestamp]
            for key in ("A", "B", "C")
            for each in view.get_range(key, 0, 1 << 62)
        )
    rows = []
    for key, value in view.all():
        if type(view).__name__ == "KeyValueView":
            rows.append([key, str(value.value), value.timestamp])
            continue
        row = [key.key, key.window.start_ms, key.window.end_ms]
        if type(view).__name__ == "WindowView":
            rows.append([*row, str(value.value), value.timestamp])
        else:
            rows.append([*row, str(value)])
    return _sorted(rows)


def _sorted(rows: Any) -> list[list[Any]]:
    return sorted(list(row) for row in rows)
