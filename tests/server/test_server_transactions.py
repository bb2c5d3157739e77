"""Transactions over the wire: fenced, aborted, committed; late batches; who dies when."""

import threading

import pytest
from confluent_kafka import Consumer as WireConsumer
from confluent_kafka import KafkaException as WireException
from confluent_kafka import Producer as WireProducer
from confluent_kafka import TopicPartition
from group_client import GroupClient
from produced import (
    ADD,
    ADD_OFFSETS,
    COMMIT,
    INIT,
    Transactional,
    committed,
    create,
    list_offset,
    make_batch,
    produce,
)
from wire_client import WireClient, api

from pylog import Consumer, Producer
from pylog.errors import KafkaError
from pylog.group.protocol import encode_assignment
from pylog.testing import ServerProcess

E = KafkaError
DESCRIBE, LIST, PRODUCERS = api(65), api(66), api(61)


@pytest.fixture
def producer(client, topic):
    return Transactional(client, f"tx-{topic}")


def state_of(client, transactional_id):
    answer = client.ask(DESCRIBE.DescribeTransactionsRequest(transactional_ids=[transactional_id]))
    (state,) = answer.transaction_states
    partitions = [(one.topic, number) for one in state.topics for number in one.partitions]
    return state.error_code, state.transaction_state, state.producer_epoch, partitions


# ---- InitProducerId -----------------------------------------------------------------------------


def test_idempotent_producers_get_ids_of_their_own(client):
    answers = [
        client.ask(INIT.InitProducerIdRequest(transactional_id=None), version)
        for version in range(6)
    ]
    assert {(answer.error_code, answer.producer_epoch) for answer in answers} == {(0, 0)}
    assert len({answer.producer_id for answer in answers}) == 6


@pytest.mark.parametrize(
    ("timeout_ms", "code"),
    [(0, E.INVALID_TRANSACTION_TIMEOUT), (900_001, E.INVALID_TRANSACTION_TIMEOUT), (900_000, 0)],
)
def test_a_timeout_is_held_to_the_servers_maximum(client, timeout_ms, code):
    request = INIT.InitProducerIdRequest(transactional_id="x", transaction_timeout_ms=timeout_ms)
    assert client.ask(request, 4).error_code == code


def test_a_producer_that_comes_up_fences_those_before_it(client, topic, producer):
    old_id, old_epoch = producer.producer_id, producer.epoch
    assert producer.add(topic) == [0]
    assert producer.put(topic, b"lost") == 0
    newer = Transactional(client, producer.transactional_id)
    assert (newer.producer_id, newer.epoch) == (old_id, old_epoch + 2)  # one for the abort
    assert producer.put(topic, b"late") == E.INVALID_PRODUCER_EPOCH
    assert producer.add(topic) == [E.PRODUCER_FENCED]
    assert producer.add(topic, version=1) == [E.INVALID_PRODUCER_EPOCH]
    assert producer.end(True) == E.PRODUCER_FENCED
    assert producer.end(True, version=1) == E.INVALID_PRODUCER_EPOCH
    assert committed(client, topic) == []


def test_a_producer_that_met_an_error_goes_on_with_the_next_epoch(client, topic, producer):
    first = {"producer_id": producer.producer_id, "producer_epoch": producer.epoch}
    assert producer.init(**first) == 0
    assert producer.epoch == first["producer_epoch"] + 1
    assert producer.init(**first) == 0  # the answer was lost: the same once more
    assert producer.epoch == first["producer_epoch"] + 1
    Transactional(client, producer.transactional_id)
    assert producer.init(**first) == E.PRODUCER_FENCED
    assert producer.init(producer_id=5) == E.INVALID_REQUEST


# ---- a transaction ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(6))
def test_transactions_end_at_every_version(client, topic, producer, version):
    for number, is_commit in enumerate((True, False, True)):
        assert producer.add(topic) == [0]
        assert producer.put(topic, b"%d" % number) == 0
        assert producer.end(is_commit, version) == 0
    assert committed(client, topic) == [b"0", b"2"]
    assert producer.epoch == (3 if version >= 5 else 0)
    assert state_of(client, producer.transactional_id) == (
        0, "CompleteCommit", producer.epoch, []
    )  # fmt: skip


def test_an_end_may_be_asked_for_again_but_not_another_one(topic, producer):
    assert producer.end(True) == producer.end(False) == E.INVALID_TXN_STATE  # nothing was begun
    assert producer.add(topic) == [0]
    assert producer.end(True) == producer.end(True) == 0
    assert producer.end(False) == E.INVALID_TXN_STATE
    assert producer.add(topic) == [0]
    assert producer.end(False) == producer.end(False) == 0
    assert producer.end(True) == E.INVALID_TXN_STATE


def test_a_batch_needs_a_transaction_that_has_the_partition(client, topic, producer):
    assert producer.put(topic, b"x") == E.INVALID_TXN_STATE
    assert producer.put(topic, b"x", version=11) == E.TRANSACTION_ABORTABLE
    create(client, f"{topic}-other")
    assert producer.add(f"{topic}-other") == [0]
    assert producer.put(topic, b"x") == E.INVALID_TXN_STATE
    assert producer.add(topic) == [0]
    assert producer.put(topic, b"x") == 0
    plain = make_batch(b"y", producer=(producer.producer_id, producer.epoch, 1))
    assert produce(client, topic, plain).error_code == E.INVALID_TXN_STATE


def test_a_batch_that_comes_after_the_end_is_refused(client, topic, producer):
    assert producer.add(topic) == [0]
    assert producer.put(topic, b"in time") == 0
    assert producer.end(True) == 0
    assert producer.put(topic, b"late") == E.INVALID_TXN_STATE
    assert list_offset(client, topic, -1, isolation_level=1) == list_offset(client, topic, -1)
    assert producer.add(topic) == [0]
    assert producer.put(topic, b"next") == 0
    assert producer.end(True) == 0
    assert committed(client, topic) == [b"in time", b"next"]


def test_from_produce_12_on_a_batch_brings_its_partition_with_it(client, topic, producer):
    assert producer.put(topic, b"x", version=12) == 0
    assert state_of(client, producer.transactional_id)[3] == [(topic, 0)]
    assert producer.end(True, version=5) == 0
    assert producer.put(topic, b"y", version=12) == 0
    assert producer.end(False, version=5) == 0
    assert committed(client, topic) == [b"x"]


def test_partitions_are_added_all_or_none(client, topic, producer):
    assert producer.add("missing") == [E.UNKNOWN_TOPIC_OR_PART]
    assert producer.add(topic, 0, 9) == [E.OPERATION_NOT_ATTEMPTED, E.UNKNOWN_TOPIC_OR_PART]
    assert state_of(client, producer.transactional_id)[1] == "Empty"


def test_brokers_add_and_verify_for_several_transactions(client, topic, producer):
    def ask(is_verifying, *ids):
        transactions = [
            ADD.AddPartitionsToTxnTransaction(
                transactional_id=transactional_id,
                producer_id=producer.producer_id,
                producer_epoch=producer.epoch,
                verify_only=is_verifying,
                topics=[ADD.AddPartitionsToTxnTopic(name=topic, partitions=[0])],
            )
            for transactional_id in ids
        ]
        response = client.ask(ADD.AddPartitionsToTxnRequest(transactions=transactions), 4)
        return [
            result.topic_results[0].results_by_partition[0].partition_error_code
            for result in response.results_by_transaction
        ]

    known = producer.transactional_id
    assert ask(True, known, "x-unknown") == [E.INVALID_TXN_STATE, E.INVALID_PRODUCER_ID_MAPPING]
    assert ask(False, known) == [0]
    assert ask(True, known) == [0]


# ---- offsets ------------------------------------------------------------------------------------


def commit(producer, group, topic, offset, version=3, **fields):
    partition = COMMIT.TxnOffsetCommitRequestPartition(
        partition_index=0, committed_offset=offset, committed_metadata="m"
    )
    response = producer.client.ask(
        COMMIT.TxnOffsetCommitRequest(
            transactional_id=producer.transactional_id,
            group_id=group,
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            topics=[COMMIT.TxnOffsetCommitRequestTopic(name=topic, partitions=[partition])],
            **fields,
        ),
        version,
    )
    return response.topics[0].partitions[0].error_code


def add_offsets(producer, group):
    return producer.client.ask(
        ADD_OFFSETS.AddOffsetsToTxnRequest(
            transactional_id=producer.transactional_id,
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            group_id=group,
        ),
        3,
    ).error_code


def offset_of(server, group, topic):
    known = server.call(server.broker.offsets.committed, group).get((topic, 0))
    return None if known is None else known.offset


@pytest.mark.parametrize("version", range(6))
def test_offsets_count_when_the_transaction_commits(server, topic, producer, version):
    group = f"g{version}"
    for offset, is_commit in ((1, True), (2, False), (3, True)):
        if version < 5:
            assert commit(producer, group, topic, offset, version) != 0
            assert add_offsets(producer, group) == 0
        before = offset_of(server, group, topic)
        assert commit(producer, group, topic, offset, version) == 0
        assert offset_of(server, group, topic) == before
        assert producer.end(is_commit) == 0
        assert offset_of(server, group, topic) == (offset if is_commit else before)


def test_who_is_no_member_does_not_commit(topic, producer):
    assert add_offsets(producer, "g") == 0
    fields = {"member_id": "nobody", "generation_id": 3}
    assert commit(producer, "g", topic, 1, **fields) in (
        E.ILLEGAL_GENERATION,
        E.UNKNOWN_MEMBER_ID,
    )
    assert commit(producer, "g", "missing", 1) == E.UNKNOWN_TOPIC_OR_PART


@pytest.mark.parametrize("version", [2, 3])
def test_who_says_nothing_of_a_membership_commits_what_a_member_reads(
    server, topic, producer, version
):
    group = f"read{version}"
    with GroupClient(server) as member:
        member.lead(group, encode_assignment([(topic, 0)]))
        assert add_offsets(producer, group) == 0
        assert commit(producer, group, topic, 7, version) == 0
        assert producer.end(True) == 0
    assert offset_of(server, group, topic) == 7


# ---- who dies when ------------------------------------------------------------------------------


def test_a_transaction_is_aborted_after_its_timeout(server, client, topic):
    producer = Transactional(client, f"tx-{topic}", timeout_ms=1)
    assert producer.add(topic) == [0]
    before = producer.epoch
    server.broker.log_dir.partition(topic, 0)
    while state_of(client, producer.transactional_id)[1] != "CompleteAbort":
        server.broker.transactions.complete_abandoned()
    assert state_of(client, producer.transactional_id)[2] == before + 1
    assert producer.put(topic, b"late") == E.INVALID_PRODUCER_EPOCH
    assert producer.end(True) == E.PRODUCER_FENCED
    known = {"producer_id": producer.producer_id, "producer_epoch": producer.epoch}
    assert producer.init(**known) == 0  # and goes on
    assert producer.add(topic) == [0]


def test_a_transaction_outlives_the_server_that_was_killed(tmp_path):
    with ServerProcess(tmp_path / "data") as server:
        with WireClient(server) as client:
            create(client, "t")
            producer = Transactional(client, "x")
            assert producer.add("t") == [0]
            assert producer.put("t", b"before") == 0
        server.kill()
        with Consumer(
            {"log.dir": str(tmp_path / "data"), "group.id": "g", "auto.offset.reset": "earliest"}
        ) as consumer:
            consumer.subscribe(["t"])
            assert consumer.poll(1.5) is None  # nobody ends it: its producer may live
        server.start()
        with WireClient(server) as client:
            producer.client = client
            assert producer.put("t", b"after") == 0
            assert producer.end(True) == 0
            assert committed(client, "t") == [b"before", b"after"]


def test_embedded_and_wire_transactions_stand_side_by_side(server, client, topic, producer):
    with Producer({"log.dir": server.folder, "transactional.id": f"embedded-{topic}"}) as embedded:
        embedded.init_transactions()
        embedded.begin_transaction()
        embedded.produce(topic, b"embedded")
        embedded.flush()
        assert producer.add(topic) == [0]
        assert producer.put(topic, b"wire") == 0
        embedded.commit_transaction()
        assert producer.end(True) == 0
    assert committed(client, topic) == [b"embedded", b"wire"]


# ---- to look at ---------------------------------------------------------------------------------


def test_transactions_are_listed_and_described(client, topic, producer):
    def names(**filters):
        response = client.ask(LIST.ListTransactionsRequest(**filters), 2)
        known = {state.transactional_id for state in response.transaction_states}
        return response.error_code, producer.transactional_id in known

    assert producer.add(topic) == [0]
    assert state_of(client, producer.transactional_id) == (0, "Ongoing", 0, [(topic, 0)])
    assert state_of(client, "nobody")[0] == E.TRANSACTIONAL_ID_NOT_FOUND
    assert names() == names(state_filters=["Ongoing"]) == (0, True)
    assert names(producer_id_filters=[producer.producer_id]) == (0, True)
    assert names(state_filters=["Empty"]) == names(duration_filter=60_000) == (0, False)
    assert names(transactional_id_pattern=f"tx-{topic[:5]}.*") == (0, True)
    assert names(transactional_id_pattern="tx") == (0, False)
    for pattern in ("(", "(a*)*b", "a*" * 600):
        assert names(transactional_id_pattern=pattern)[0] == E.INVALID_REGULAR_EXPRESSION
    response = client.ask(LIST.ListTransactionsRequest(state_filters=["Nope"]), 2)
    assert response.unknown_state_filters == ["Nope"]


def test_producers_of_a_partition_are_described(client, topic, producer):
    assert producer.add(topic) == [0]
    assert producer.put(topic, b"a", b"b") == 0
    asked = PRODUCERS.TopicRequest(name=topic, partition_indexes=[0, 7])
    response = client.ask(PRODUCERS.DescribeProducersRequest(topics=[asked]), 0)
    known, missing = response.topics[0].partitions
    assert missing.error_code == E.UNKNOWN_TOPIC_OR_PART
    (one,) = known.active_producers
    assert (one.producer_id, one.producer_epoch, one.last_sequence) == (producer.producer_id, 0, 1)
    assert one.current_txn_start_offset == 0


# ---- confluent_kafka ----------------------------------------------------------------------------


def test_confluent_kafkas_transactions(server, topic):
    config = {"bootstrap.servers": server.bootstrap_servers}
    first = WireProducer({**config, "transactional.id": f"confluent-{topic}"})
    first.init_transactions(20)
    for number in range(6):
        first.begin_transaction()
        for index in range(20):
            first.produce(topic, b"%d-%d" % (number, index))
        if number % 3 == 2:
            first.abort_transaction(20)
        else:
            first.commit_transaction(20)
    first.begin_transaction()
    first.produce(topic, b"fenced")
    first.flush(20)
    second = WireProducer({**config, "transactional.id": f"confluent-{topic}"})
    second.init_transactions(20)
    with pytest.raises(WireException):
        first.commit_transaction(20)
    consumer = WireConsumer({**config, "group.id": "g", "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values = [message.value() for message in consumer.consume(80, 20)]
    consumer.close()
    assert values == [b"%d-%d" % (n, i) for n in (0, 1, 3, 4) for i in range(20)]


def test_confluent_kafka_produces_and_consumes_every_codec(server, client, topic):
    config = {"bootstrap.servers": server.bootstrap_servers}
    reports = []
    done = threading.Event()
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = WireProducer({**config, "compression.type": codec, "linger.ms": 5})
        for index in range(500):
            producer.produce(
                topic, f"{codec}-{index}", on_delivery=lambda error, _: reports.append(error)
            )
        assert producer.flush(20) == 0
    done.set()
    assert reports == [None] * 2500
    consumer = WireConsumer({**config, "group.id": "g", "check.crcs": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages = consumer.consume(2500, 20)
    consumer.close()
    assert [message.offset() for message in messages] == list(range(2500))
    assert messages[-1].value() == b"zstd-499"
