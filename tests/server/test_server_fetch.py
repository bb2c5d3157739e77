"""Fetch: which records, how many, when they are answered; sessions."""

import os
import resource
import threading
import time

import pytest
from produced import (
    FETCH,
    Transactional,
    committed,
    create,
    fetch,
    fetch_request,
    make_batch,
    partitions_of,
    produce,
    values_of,
    wanted,
)
from wire_client import WireClient

from pylog import Producer
from pylog.errors import KafkaError
from pylog.server.fetch_sessions import FetchSessions
from pylog.testing import Server

E = KafkaError
LONG_MS = 15_000


@pytest.fixture
def topic(client, request):
    name = f"t{abs(hash(request.node.name))}"
    create(client, name, 2)
    return name


def read(client, topic, offset=0, max_bytes=1 << 20, **fields):
    (answer,) = partitions_of(fetch(client, (topic, [wanted(0, offset, max_bytes)]), **fields))
    return answer


def fill(client, topic, *batches, partition=0):
    for values in batches:
        assert produce(client, topic, make_batch(*values), partition=partition).error_code == 0


@pytest.mark.parametrize("version", range(4, 19))
def test_every_version_answers_records(client, version):
    name = f"version-{version}"
    topic_id = create(client, name)
    fill(client, name, [b"a", b"b"], [b"c"])
    asked = topic_id if version >= 13 else name
    response = fetch(client, (asked, [wanted(0, 1)]), version=version)
    (answer,) = partitions_of(response)
    assert values_of(answer) == [b"a", b"b", b"c"]  # the whole batch that holds the offset
    assert (answer.error_code, answer.high_watermark, answer.last_stable_offset) == (0, 3, 3)
    assert answer.log_start_offset == (0 if version >= 5 else -1)
    assert answer.aborted_transactions is None


def test_limits_and_the_first_batch_that_may_exceed_them(client, topic):
    size = len(make_batch(bytes(1000)))
    fill(client, topic, *[[bytes(1000)]] * 5)
    fill(client, topic, *[[bytes(1000)]] * 5, partition=1)

    def counts(max_bytes, *each):
        asked = [wanted(number, 0, limit) for number, limit in enumerate(each)]
        response = fetch(client, (topic, asked), max_bytes=max_bytes)
        return [len(bytes(answer.records)) // size for answer in partitions_of(response)]

    assert counts(1 << 20, 1 << 20, 1 << 20) == [5, 5]
    assert counts(1, 1 << 20, 1 << 20) == [1, 0]
    assert counts(1 << 20, 1, 1) == [1, 0]
    assert counts(size * 7, 1 << 20, 1 << 20) == [5, 2]
    assert counts(size * 7 + size - 1, size * 3, 1 << 20) == [3, 4]
    assert counts(0, 0) == [1]


def test_offsets_that_are_not_there(client, topic):
    fill(client, topic, [b"a"])
    for offset in (2, -1, 1 << 40):
        answer = read(client, topic, offset)
        assert answer.error_code == E.OFFSET_OUT_OF_RANGE
        assert (answer.high_watermark, answer.log_start_offset) == (-1, -1)
    assert bytes(read(client, topic, 1).records) == b""


def test_topics_partitions_and_epochs_that_are_not_there(client, topic):
    fill(client, topic, [b"a"])

    def code(name, asked, version=12):
        (answer,) = partitions_of(fetch(client, (name, [asked]), version=version))
        return answer.error_code

    assert code("missing", wanted(0, 0)) == E.UNKNOWN_TOPIC_OR_PART
    assert code(topic, wanted(7, 0)) == E.UNKNOWN_TOPIC_OR_PART
    assert code(b"1" * 16, wanted(0, 0), 13) == E.UNKNOWN_TOPIC_ID
    assert code(topic, wanted(0, 0, current_leader_epoch=0)) == 0
    assert code(topic, wanted(0, 0, current_leader_epoch=5)) == E.UNKNOWN_LEADER_EPOCH
    assert code(topic, wanted(0, 1, last_fetched_epoch=0)) == 0
    assert code(topic, wanted(0, 1, last_fetched_epoch=3)) == E.OFFSET_OUT_OF_RANGE


# ---- waiting ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster():
    with Server(brokers=2) as cluster:
        yield cluster


@pytest.mark.parametrize("version", range(4, 19))
def test_who_asks_a_node_that_does_not_lead_is_told_so_and_from_16_on_who_does(cluster, version):
    """Found by fuzz/fuzz_server.py: an answer that no version before 16 can carry."""
    name = f"led-{version}"
    leader_id = cluster.broker.leader_of(name, 0)
    addresses = cluster.bootstrap_servers.split(",")
    with WireClient(addresses[1 - leader_id]) as client:
        topic_id = create(client, name)
        asked = topic_id if version >= 13 else name
        response = fetch(client, (asked, [wanted(0, 0)]), version=version)
        (answer,) = partitions_of(response)
        assert answer.error_code == E.NOT_LEADER_FOR_PARTITION
        if version >= 16:
            assert answer.current_leader.leader_id == leader_id
            (node,) = response.node_endpoints
            assert (node.node_id, f"{node.host}:{node.port}") == (leader_id, addresses[leader_id])


def test_an_answer_waits_for_its_time_when_there_is_nothing(client, topic):
    start = time.monotonic()
    assert bytes(read(client, topic, max_wait_ms=300, min_bytes=1).records) == b""
    assert 0.29 <= time.monotonic() - start < 5


def test_a_waiting_fetch_is_woken_by_a_client(server, client, topic):
    client.send(fetch_request((topic, [wanted(0, 0)]), max_wait_ms=LONG_MS, min_bytes=1), 12)
    with WireClient(server) as other:
        fill(other, topic, [b"x"])
    assert values_of(partitions_of(client.receive())[0]) == [b"x"]


def test_a_waiting_fetch_is_woken_by_an_embedded_program(server, client, topic):
    for index in range(5):
        client.send(
            fetch_request((topic, [wanted(0, index)]), max_wait_ms=LONG_MS, min_bytes=1), 12
        )
        with Producer({"log.dir": server.folder, "acks": "1"}) as producer:
            producer.produce(topic, b"%d" % index, partition=0)
        assert values_of(partitions_of(client.receive())[0]) == [b"%d" % index]


def test_a_fetch_waits_for_min_bytes(server, client, topic):
    size = len(make_batch(b"x"))
    asked = fetch_request((topic, [wanted(0, 0)]), max_wait_ms=LONG_MS, min_bytes=3 * size)
    client.send(asked, 12)
    with WireClient(server) as other:
        fill(other, topic, [b"1"], [b"2"], [b"3"])
    assert values_of(partitions_of(client.receive())[0]) == [b"1", b"2", b"3"]


def test_a_waiting_fetch_hears_of_the_deletion_of_its_topic(server, client, topic):
    fill(client, topic, [b"x"])
    client.send(fetch_request((topic, [wanted(0, 1)]), max_wait_ms=LONG_MS, min_bytes=1), 12)
    with WireClient(server) as other:
        assert fetch(other, (topic, [wanted(0, 0)])).error_code == 0  # the first is taken up
        server.call(server.broker.log_dir.delete_topic, topic)
        server.call(server.broker.delayed.look_around)
    (answer,) = partitions_of(client.receive())
    assert answer.error_code == E.UNKNOWN_TOPIC_OR_PART


def test_errors_are_answered_at_once_but_unknown_topics_alone_only(client, topic):
    fill(client, topic, [b"x"])
    start = time.monotonic()
    waits = {"max_wait_ms": LONG_MS, "min_bytes": 1}
    fetch(client, (topic, [wanted(0, 1), wanted(1, 9)]), **waits)
    fetch(client, ("missing", [wanted(0, 0)]), **waits)
    fetch(client, **waits)
    assert time.monotonic() - start < 5
    response = fetch(
        client, (topic, [wanted(0, 1)]), ("missing", [wanted(0, 0)]), max_wait_ms=300, min_bytes=1
    )
    assert time.monotonic() - start >= 0.3
    assert [answer.error_code for answer in partitions_of(response)] == [0, 3]


def test_many_clients_that_wait_are_all_woken(server, topic):
    clients = [WireClient(server) for _ in range(30)]
    for each in clients:
        each.send(fetch_request((topic, [wanted(0, 0)]), max_wait_ms=LONG_MS, min_bytes=1), 12)
    with WireClient(server) as other:
        fill(other, topic, [b"x"])
    for each in clients:
        assert values_of(partitions_of(each.receive())[0]) == [b"x"]
        each.close()


def test_a_client_that_goes_while_it_waits_is_forgotten(server, topic):
    with WireClient(server) as client:
        client.send(fetch_request((topic, [wanted(0, 0)]), max_wait_ms=LONG_MS, min_bytes=1), 12)
        with WireClient(server) as other:
            fetch(other, (topic, [wanted(0, 0)]))
    with WireClient(server) as other:
        for _ in range(100):
            fill(other, topic, [b"x"])
            if not server.call(len, server.broker.delayed):
                break
    assert server.call(len, server.broker.delayed) == 0


def test_records_are_kept_for_a_client_that_reads_slowly_while_they_are_deleted(server):
    with WireClient(server) as client:
        create(client, "deleted", segment_bytes=str(1 << 20))
        for index in range(6):
            fill(client, "deleted", [bytes([index]) * 700_000])
        client.send(fetch_request(("deleted", [wanted(0, 0, 1 << 20)])), 12)
        log = server.broker.log_dir.partition("deleted", 0)
        threading.Event().wait(0.05)  # the answer is on its way, and longer than the socket takes
        log.delete_records(5)
        server.broker.log_dir.delete_topic("deleted")
        (answer,) = partitions_of(client.receive())
        assert values_of(answer) in ([bytes(700_000)], [])


# ---- isolation ----------------------------------------------------------------------------------


def test_read_committed_stops_at_an_open_transaction_and_is_told_what_was_aborted(client, topic):
    fill(client, topic, [b"plain"])
    producer = Transactional(client, f"tx-{topic}")
    assert producer.add(topic) == [0]
    assert producer.put(topic, b"one") == 0
    fill(client, topic, [b"behind"])
    answer = read(client, topic, isolation_level=1)
    assert values_of(answer) == [b"plain"]
    assert (answer.high_watermark, answer.last_stable_offset) == (3, 1)
    assert answer.aborted_transactions == []
    assert values_of(read(client, topic)) == [b"plain", b"one", b"behind"]
    assert producer.end(False) == 0
    answer = read(client, topic, isolation_level=1)
    assert answer.last_stable_offset == 4
    assert [(one.producer_id, one.first_offset) for one in answer.aborted_transactions] == [
        (producer.producer_id, 1)
    ]
    assert committed(client, topic) == [b"plain", b"behind"]
    assert read(client, topic, 2, isolation_level=1).aborted_transactions != []
    assert read(client, topic).aborted_transactions is None


def test_a_fetch_that_waits_for_committed_records_is_woken_by_the_end(server, client, topic):
    with WireClient(server) as other:
        producer = Transactional(other, f"tx-{topic}")
        assert producer.add(topic) == [0]
        assert producer.put(topic, b"one") == 0
        asked = fetch_request(
            (topic, [wanted(0, 0)]), max_wait_ms=LONG_MS, min_bytes=1, isolation_level=1
        )
        client.send(asked, 12)
        assert producer.end(True) == 0
    assert values_of(partitions_of(client.receive())[0]) == [b"one"]


# ---- sessions -----------------------------------------------------------------------------------


def told(response):
    return {
        (topic.topic, one.partition_index): (one.error_code, len(bytes(one.records)))
        for topic in response.responses
        for one in topic.partitions
    }


def test_a_session_answers_what_is_new(client, topic):
    size = len(make_batch(b"x"))
    fill(client, topic, [b"x"])
    response = fetch(client, (topic, [wanted(0, 0), wanted(1, 0)]), session_epoch=0)
    session_id = response.session_id
    assert session_id != 0
    assert told(response) == {(topic, 0): (0, size), (topic, 1): (0, 0)}

    def go_on(epoch, *topics, forgotten=()):
        gone = [FETCH.ForgottenTopic(topic=topic, partitions=[number]) for number in forgotten]
        response = fetch(
            client, *topics, session_id=session_id, session_epoch=epoch,
            forgotten_topics_data=gone,
        )  # fmt: skip
        return response.error_code, response.session_id == session_id, told(response)

    assert go_on(1) == (0, True, {(topic, 0): (0, size)})  # still wanted from 0 on
    assert go_on(2, (topic, [wanted(0, 1)])) == (0, True, {})
    fill(client, topic, [b"y"], partition=1)
    assert go_on(3) == (0, True, {(topic, 1): (0, size)})
    assert go_on(9) == (E.INVALID_FETCH_SESSION_EPOCH, False, {})
    assert go_on(4, (topic, [wanted(1, 9)])) == (0, True, {(topic, 1): (1, 0)})
    assert go_on(5) == (0, True, {(topic, 1): (1, 0)})  # an error is said again
    assert go_on(6, (topic, [wanted(1, 1)])) == (0, True, {(topic, 1): (0, 0)})
    assert go_on(7, ("missing", [wanted(0, 0)])) == (0, True, {("missing", 0): (3, 0)})
    assert go_on(8, forgotten=[0, 1])[:2] == (0, True)
    response = fetch(
        client, session_id=session_id, session_epoch=9,
        forgotten_topics_data=[FETCH.ForgottenTopic(topic="missing", partitions=[0])],
    )  # fmt: skip
    assert (response.error_code, response.session_id) == (0, 0)  # nothing is left of it
    assert go_on(10) == (E.FETCH_SESSION_ID_NOT_FOUND, False, {})


def test_a_session_of_ids_is_not_gone_on_with_by_names(client, topic):
    topic_id = create(client, f"{topic}-id")
    response = fetch(client, (topic_id, [wanted(0, 0)]), session_epoch=0, version=13)
    fields = {"session_id": response.session_id, "session_epoch": 1}
    assert fetch(client, version=12, **fields).error_code == E.FETCH_SESSION_TOPIC_ID_ERROR
    assert fetch(client, version=13, **fields).error_code == 0


def test_what_was_answered_goes_behind_what_was_not(client, topic):
    fill(client, topic, *[[bytes(1000)]] * 3)
    fill(client, topic, *[[bytes(1000)]] * 3, partition=1)
    limit = len(make_batch(bytes(1000)))
    asked = [wanted(0, 0), wanted(1, 0)]
    response = fetch(client, (topic, asked), session_epoch=0, max_bytes=limit)
    order = [number for (_, number), (_, size) in told(response).items() if size]
    for epoch in range(1, 4):
        response = fetch(
            client, session_id=response.session_id, session_epoch=epoch, max_bytes=limit
        )
        order += [number for (_, number), (_, size) in told(response).items() if size]
    assert order == [0, 1, 0, 1]


def test_sessions_that_are_not_used_make_place():
    now_s = 0.0
    sessions = FetchSessions(2, lambda: now_s)

    def begin(**fields):
        return sessions.begin(fetch_request(("t", [wanted(0, 0)]), **fields), False).session_id

    first, second = begin(session_epoch=0), begin(session_epoch=0)
    assert first != 0 != second != first
    assert begin(session_epoch=0) == 0  # no place: answered as one without a session
    now_s = 100.0
    assert begin(session_id=first, session_epoch=1) == first
    now_s = 130.0
    third = begin(session_epoch=0)
    assert third not in (0, first)
    with pytest.raises(Exception, match="no session"):
        begin(session_id=second, session_epoch=1)
    assert begin(session_id=first, session_epoch=-1) == 0  # ends it
    assert len(sessions) == 1


def test_a_fetch_that_waits_is_answered_though_topics_cannot_be_looked_for(server, client, topic):
    request = fetch_request((topic, [wanted(0, 0)]), max_wait_ms=1000, min_bytes=1)
    assert client.ask(fetch_request((topic, [wanted(0, 0)])), 12).error_code == 0  # opens it
    client.send(request, 12)
    while not server.call(lambda: len(server.broker.delayed)):
        pass
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        os.utime(os.path.join(server.folder, ".topics"))
        (answer,) = partitions_of(client.receive())
        assert answer.error_code == KafkaError.KAFKA_STORAGE_ERROR
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    (answer,) = partitions_of(client.ask(request, 12))
    assert answer.error_code == 0
