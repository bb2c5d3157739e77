"""Clients of a cluster, as far as no cluster is needed; one runs inside librdkafka where it is.

The same scenarios against a real Kafka: tests/peers.
"""

import subprocess
import sys
import threading
import time

import confluent_kafka
import confluent_kafka.admin
import pytest

import pylog
import pylog.admin
from pylog import KafkaError, KafkaException, TopicPartition
from pylog.message import peer_of
from pylog.remote import translate
from pylog.remote.admin import RemoteAdminClient
from pylog.remote.consumer import RemoteConsumer
from pylog.remote.peer import _peer_conf
from pylog.remote.producer import RemoteProducer

# Nobody listens there: the port of discard, on a host that answers at once.
NOBODY = {"bootstrap.servers": "127.0.0.1:9", "log_level": 0, "socket.timeout.ms": 1000}
TIMEOUT_S = 30


def code_of(raised):
    return raised.value.args[0].code()


@pytest.fixture(scope="module")
def cluster():
    """Return the configuration of librdkafka's own mock cluster of one broker."""
    conf = {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0}
    owner = confluent_kafka.Producer(conf)  # the brokers live in it
    (broker,) = owner.list_topics(timeout=TIMEOUT_S).brokers.values()
    yield {"bootstrap.servers": f"{broker.host}:{broker.port}", "log_level": 0}
    owner.close()


# ---- which client it is ----


def test_importing_pylog_does_not_import_confluent_kafka():
    code = "import sys, pylog, pylog.admin, pylog.remote; print('confluent_kafka' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", ["bootstrap.servers", "metadata.broker.list"])
def test_the_configuration_says_which_client_it_is(tmp_path, name):
    conf = {name: "127.0.0.1:9", "log_level": 0}
    producer, admin = pylog.Producer(conf), pylog.AdminClient(**conf)
    consumer = pylog.Consumer({**conf, "group.id": "g"})
    assert (type(producer), type(consumer), type(admin)) == (
        (RemoteProducer, RemoteConsumer, RemoteAdminClient)
    )
    assert isinstance(producer, pylog.Producer) and isinstance(consumer, pylog.Consumer)
    assert isinstance(admin, pylog.AdminClient)
    for client in (producer, consumer, admin):
        client.close()
        client.close()
    with pylog.Producer({name: "", "log.dir": str(tmp_path)}) as producer:
        assert type(producer) is pylog.Producer


@pytest.mark.parametrize("make", [pylog.Producer, pylog.Consumer, pylog.AdminClient])
def test_a_folder_and_a_cluster_at_once_are_refused(tmp_path, make):
    with pytest.raises(KafkaException, match="folder or on a cluster") as raised:
        make({**NOBODY, "log.dir": tmp_path, "group.id": "g"})
    assert code_of(raised) == KafkaError._INVALID_ARG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [pylog.Producer, pylog.Consumer, pylog.AdminClient])
def test_without_confluent_kafka_the_error_names_what_to_install(monkeypatch, make):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(KafkaException, match=r"pip install 'pylog-stream\[kafka\]'") as raised:
        make(NOBODY)
    assert code_of(raised) == KafkaError._NOT_IMPLEMENTED


@pytest.mark.parametrize("address", ["localhost:9092", "a.b:1,c-d:2", "kafka://host"])
def test_open_refuses_the_address_of_a_cluster(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KafkaException, match=r"pylog\.open is for folders") as raised:
        pylog.open(address)
    assert code_of(raised) == KafkaError._INVALID_ARG
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a:1").mkdir()
    pylog.open("a:1").close()  # a folder that is there is a folder


# ---- configuration ----


def test_librdkafkas_properties_pass_through_and_ours_are_taken_out():
    theirs = {
        "bootstrap.servers": "h:1",
        "sasl.mechanism": "PLAIN",
        "security.protocol": "sasl_ssl",
        "linger.ms": 5,
        "test.mock.num.brokers": 1,
        "made.up": "x",
    }
    ours = {"log.dir": None, "busy.poll": True, "read.only": False, "logger": None}
    assert _peer_conf("consumer", {**theirs, **ours}) == theirs


def test_what_only_a_folder_can_do_is_refused():
    for conf in ({"read.only": True}, {"partitioner": lambda key, count: 0}, {"busy.poll": "x"}):
        with pytest.raises(KafkaException) as raised:
            pylog.Consumer({**NOBODY, "group.id": "g", **conf})
        assert code_of(raised) == KafkaError._INVALID_ARG


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"linger.msec": 5}, 'Did you mean "linger.ms"'),
        ({"acks": 7000}, "outside allowed range"),
        ({"security.protocol": "none"}, "security.protocol"),
        ({"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN"}, "sasl.username"),
    ],
)
def test_a_wrong_configuration_is_pylogs_error(conf, words):
    with pytest.raises(KafkaException, match=words) as raised:
        pylog.Producer({**NOBODY, **conf})
    assert isinstance(raised.value.args[0], KafkaError)
    assert code_of(raised) == KafkaError._INVALID_ARG


# ---- translation ----


def test_an_error_keeps_its_code_text_and_flags():
    theirs = confluent_kafka.KafkaError(47, "too old", fatal=True, txn_requires_abort=True)
    ours = translate.from_peer(theirs)
    assert type(ours) is KafkaError
    assert (ours.code(), ours.name(), ours.str()) == (47, "INVALID_PRODUCER_EPOCH", "too old")
    assert (ours.fatal(), ours.retriable(), ours.txn_requires_abort()) == (True, False, True)
    plain = translate.from_peer(confluent_kafka.KafkaError(3))
    assert plain == KafkaError(3) and plain.str() == KafkaError(3).str()
    assert plain.retriable()  # what Kafka says of the code; confluent_kafka does not know
    exception = translate.from_peer(confluent_kafka.KafkaException(theirs))
    assert type(exception) is KafkaException and exception.args[0] == ours
    assert isinstance(exception.__cause__, confluent_kafka.KafkaException)


def test_a_partition_goes_both_ways():
    ours = TopicPartition("t", 3, 40, "note", 7)
    theirs = translate.to_peer(ours)
    assert type(theirs) is confluent_kafka.TopicPartition
    assert (theirs.metadata, theirs.leader_epoch) == ("note", 7)
    back = translate.from_peer([theirs])[0]
    assert type(back) is TopicPartition
    assert (back, back.offset, back.metadata, back.leader_epoch) == (ours, 40, "note", 7)
    for more in ({}, {"metadata": "x"}, {"leader_epoch": 3}):
        theirs = translate.to_peer(TopicPartition("t", 1, 2, **more))
        assert (theirs.metadata, theirs.leader_epoch) == (
            more.get("metadata"),
            more.get("leader_epoch"),
        )
    assert translate.to_peer("not a partition") == "not a partition"


def test_admin_types_go_both_ways():
    entry = pylog.admin.ConfigEntry(
        "a", "1", incremental_operation=pylog.admin.AlterConfigOpType.APPEND
    )
    ours = pylog.admin.ConfigResource("topic", "t", {"b": "2"}, incremental_configs=[entry])
    theirs = translate.to_peer(ours)
    assert type(theirs) is confluent_kafka.admin.ConfigResource
    assert theirs.restype is confluent_kafka.admin.ResourceType.TOPIC
    assert type(theirs.incremental_configs[0]) is confluent_kafka.admin.ConfigEntry
    back = translate.from_peer({theirs: 1})
    assert back == {ours: 1} and type(next(iter(back))) is pylog.admin.ConfigResource
    for spec in (pylog.admin.OffsetSpec.earliest(), pylog.admin.OffsetSpec.for_timestamp(5)):
        assert translate.to_peer(spec)._value == spec._value
    uuid = pylog.admin.Uuid(-5, 2**63 - 1)
    assert repr(translate.from_peer(confluent_kafka.Uuid(-5, 2**63 - 1))) == repr(uuid)


def test_each_public_call_of_a_folders_client_has_an_answer_on_a_cluster():
    for remote in (RemoteProducer, RemoteConsumer, RemoteAdminClient):
        over_public_calls = {"__iter__", "__next__", "__enter__", "__exit__", "__bool__"}
        names = {name for name in dir(remote.__base__) if not name.startswith("_")}
        assert names - vars(remote).keys() == set(), remote
        special = {
            name
            for each in remote.__mro__[1:-1]
            for name, value in vars(each).items()
            if name.startswith("__") and callable(value) and hasattr(value, "__code__")
        }
        assert special - vars(remote).keys() - over_public_calls - {"__init__", "__del__"} <= {
            "__len__"
        }


def test_a_call_that_only_a_folder_has_is_refused():
    class Folder(pylog.AdminClient):
        def compact(self):
            return "done"

    with Folder(NOBODY) as admin:
        assert admin.compact() == "done"  # the program's own
    from pylog.remote.peer import refuses_the_rest

    @refuses_the_rest
    class Remote(Folder):
        pass

    with pytest.raises(KafkaException, match="compact works on a folder") as raised:
        Remote.compact(None)
    assert code_of(raised) == KafkaError._NOT_IMPLEMENTED


# ---- subclasses ----


class CountingProducer(pylog.Producer):
    def __init__(self, where, port):
        super().__init__({where: port, "log_level": 0, "linger.ms": 5})
        self.count = 0

    def produce(self, *args, **kwargs):
        self.count += 1
        super().produce(*args, **kwargs)


def test_a_programs_subclass_works_on_both(cluster, tmp_path):
    told = []
    for where, target in (
        ("log.dir", str(tmp_path)),
        ("bootstrap.servers", cluster["bootstrap.servers"]),
    ):
        with CountingProducer(where, target) as producer:
            assert isinstance(producer, CountingProducer)
            producer.produce("t", b"x", on_delivery=lambda error, message: told.append(error))
            assert producer.flush(TIMEOUT_S) == 0
            assert (producer.count, told.pop()) == (1, None)
    assert isinstance(producer, RemoteProducer)
    assert type(producer).__name__ == "CountingProducer"
    with CountingProducer(where, target) as again:
        assert type(again) is type(producer)


# ---- without a broker ----


def test_nobody_there_is_the_error_that_confluent_kafka_gives():
    theirs = confluent_kafka.Producer(NOBODY)
    with pytest.raises(confluent_kafka.KafkaException) as expected:
        theirs.list_topics(timeout=0.5)
    with (
        pylog.Producer(NOBODY) as producer,
        pylog.Consumer({**NOBODY, "group.id": "g"}) as consumer,
        pylog.AdminClient(NOBODY) as admin,
    ):
        for client in (producer, consumer, admin):
            with pytest.raises(KafkaException) as raised:
                client.list_topics(timeout=0.5)
            assert code_of(raised) == code_of(expected)
            assert raised.value.args[0].str() == expected.value.args[0].str()
        with pytest.raises(KafkaException) as raised:
            admin.create_topics([pylog.admin.NewTopic("t", 1)], request_timeout=0.5)["t"].result(
                TIMEOUT_S
            )
        assert code_of(raised) == KafkaError._TIMED_OUT


def test_callbacks_get_pylogs_errors_and_messages():
    told, errors, stats = [], [], threading.Event()
    conf = {
        **NOBODY,
        "message.timeout.ms": 300,
        "error_cb": errors.append,
        "statistics.interval.ms": 100,
        "stats_cb": lambda text: stats.set() if '"brokers"' in text else None,
        "on_delivery": lambda error, message: told.append((error, message)),
    }
    with pylog.Producer(conf) as producer:
        producer.produce("t", b"value", b"key")
        producer.produce("t", b"own", callback=lambda error, message: told.append((error, "own")))
        assert len(producer) >= 2 and producer  # librdkafka counts its own events too
        deadline_s = time.monotonic() + TIMEOUT_S
        while not (len(told) == 2 and errors and stats.is_set()):
            producer.poll(0.1)
            assert time.monotonic() < deadline_s, (told, errors)
    assert {type(error) for error in errors} == {KafkaError}
    assert {error.code() for error, _ in told} == {KafkaError._MSG_TIMED_OUT}
    (message,) = [message for _, message in told if message != "own"]
    assert type(message) is pylog.Message
    assert (message.topic(), message.key(), message.value()) == ("t", b"key", b"value")
    assert message.error() == KafkaError._MSG_TIMED_OUT and type(message.error()) is KafkaError
    assert "_MSG_TIMED_OUT" in repr(message)


def test_wrong_arguments_are_refused_as_confluent_kafka_does():
    with pylog.Producer({**NOBODY, "queue.buffering.max.messages": 1}) as producer:
        with pytest.raises(TypeError):
            producer.produce(None, b"x")
        with pytest.raises(TypeError):
            producer.produce("t", b"x", on_delivery=5)
        producer.produce("t", b"x")
        with pytest.raises(BufferError):
            producer.produce("t", b"x")
        producer.purge()
        producer.flush(TIMEOUT_S)
    with pylog.Consumer({**NOBODY, "group.id": "g"}) as consumer:
        with pytest.raises(TypeError):
            consumer.assign(["t"])
        with pytest.raises(TypeError):
            consumer.subscribe(["t"], on_assign=5)
        with pytest.raises(KafkaException) as raised:
            consumer.seek(TopicPartition("t", 0, 5))
        assert type(raised.value.args[0]) is KafkaError
    for use in (consumer.poll, consumer.consume, consumer.assignment):
        with pytest.raises(RuntimeError, match="closed"):
            use()


# ---- messages ----


def test_messages_of_a_cluster_are_pylogs(cluster):
    with pylog.Producer(cluster) as producer:
        for number in range(3):
            producer.produce(
                "m", b"%d" % number, key=b"k", partition=0, timestamp=1000 + number,
                headers=[("h", b"1"), ("h", None)],
            )  # fmt: skip
        batch = [{"value": b"x", "partition": 0, "timestamp": 5}, {"value": b"x" * 2_000_000}]
        assert producer.produce_batch("m", batch) == 1
        assert type(batch[1]["_error"]) is KafkaError and "_error" not in batch[0]
        told = []
        plain = [{"value": b"y", "callback": lambda *report: told.append(report)}, batch[1]]
        assert producer.produce_batch("m", plain, 1) == 1
        assert type(plain[1]["_error"]) is KafkaError
        assert producer.flush(TIMEOUT_S) == 0
        assert [(error, report.partition()) for error, report in told] == [(None, 1)]
    conf = {
        **cluster,
        "group.id": "g",
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
    }
    with pylog.Consumer(conf) as consumer:
        consumer.assign([TopicPartition("m", 0)])
        first, second = consumer.consume(2, TIMEOUT_S)
        assert {type(first), type(second)} == {pylog.Message}
        assert (second.topic(), second.partition(), second.offset()) == ("m", 0, 1)
        assert (second.key(), second.value(), len(second)) == (b"k", b"1", 1)
        assert second.timestamp() == (pylog.TIMESTAMP_CREATE_TIME, 1001)
        assert second.headers() == [("h", b"1"), ("h", None)]
        assert second.error() is None and second.latency() is None
        second.set_value("decoded")
        second.set_key(5)
        assert (second.value(), second.key()) == ("decoded", 5)
        second.set_error(KafkaError(3))
        assert second.error() == 3
        assert peer_of(second) is not None and peer_of(pylog.Message()) is None
        assert [consumer.poll(TIMEOUT_S).value() for _ in range(2)] == [b"2", b"x"]
        event = consumer.poll(TIMEOUT_S)
        assert event.error() == KafkaError._PARTITION_EOF and type(event.error()) is KafkaError
        (committed,) = consumer.commit(message=first, asynchronous=False)
        assert type(committed) is TopicPartition and committed.offset == 1
        made = pylog.Message("m", 0, 2)  # by the program itself
        assert consumer.commit(message=made, asynchronous=False)[0].offset == 3
        assert [each.offset for each in consumer.committed([TopicPartition("m", 0)])] == [3]
        assert consumer.get_watermark_offsets(TopicPartition("m", 0)) == (0, 4)


def test_a_group_calls_back_with_the_programs_consumer(cluster):
    with pylog.Producer(cluster) as producer:
        producer.produce("g", b"x")
        assert producer.flush(TIMEOUT_S) == 0
    told = []
    conf = {**cluster, "group.id": "cb", "auto.offset.reset": "earliest"}
    conf["on_commit"] = lambda error, partitions: told.append((error, partitions))
    with pylog.Consumer(conf) as consumer:
        consumer.subscribe(["g"], on_assign=lambda *given: told.append(given))
        message = next(iter(consumer))
        ((same, partitions),) = told
        assert same is consumer and {type(each) for each in partitions} == {TopicPartition}
        consumer.commit(message)
        deadline_s = time.monotonic() + TIMEOUT_S
        while len(told) < 2:
            assert consumer.poll(0.1) is None
            assert time.monotonic() < deadline_s
        assert told[1][0] is None and told[1][1][0].offset == message.offset() + 1
