"""Fault injection: errors, delays, disconnects, lost responses, for the requests that are meant."""

import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.server.faults import ALWAYS

CREATE, METADATA, VERSIONS, HEARTBEAT = api(19), api(3), api(18), api(12)


@pytest.fixture
def client(server):
    server.faults.clear()
    with WireClient(server) as client:
        yield client
    server.faults.clear()


def create(name):
    topic = CREATE.CreatableTopic(name=name, num_partitions=1, replication_factor=1)
    return CREATE.CreateTopicsRequest(topics=[topic])


def metadata(*names):
    topics = [METADATA.MetadataRequestTopic(name=name) for name in names]
    return METADATA.MetadataRequest(topics=topics, allow_auto_topic_creation=False)


def code_of(client, name):
    return client.ask(create(name)).topics[0].error_code


def test_the_next_requests_fail_and_do_nothing_then_all_is_well(server, client):
    error = KafkaError.NOT_CONTROLLER
    plan = server.faults.fail_next("CreateTopics", count=2, error=error)
    assert [code_of(client, "a") for _ in range(4)] == [
        error, error, 0, KafkaError.TOPIC_ALREADY_EXISTS
    ]  # fmt: skip
    assert (plan.met, plan.left) == (2, 0)


def test_faults_are_met_in_their_order_and_by_their_api_only(server, client):
    server.faults.fail_next(19, error=KafkaError(KafkaError.NOT_CONTROLLER))
    server.faults.fail_next("CreateTopics", error=KafkaError.POLICY_VIOLATION)
    assert client.ask(metadata()).brokers
    assert code_of(client, "b") == KafkaError.NOT_CONTROLLER
    assert code_of(client, "b") == KafkaError.POLICY_VIOLATION
    assert code_of(client, "b") == 0


def test_only_the_requests_that_are_meant_meet_it(server, client):
    plan = server.faults.fail_next(
        "Metadata",
        count=ALWAYS,
        error=KafkaError.LEADER_NOT_AVAILABLE,
        only=lambda message, context: any(topic.name == "bad" for topic in message.topics),
    )
    for _ in range(3):
        assert (
            client.ask(metadata("bad"), 12).topics[0].error_code == KafkaError.LEADER_NOT_AVAILABLE
        )
        good = client.ask(metadata("good"), 12).topics[0].error_code
        assert good == KafkaError.UNKNOWN_TOPIC_OR_PART
    plan.cancel()
    assert client.ask(metadata("bad"), 12).topics[0].error_code == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_request_waits_and_the_other_connections_do_not(server, client):
    plan = server.faults.delay_next("Metadata", seconds=1.0)
    begun_s = time.monotonic()
    client.send(metadata(), 12)
    plan.wait()
    with WireClient(server) as other:
        assert other.ask(metadata()).brokers
        assert time.monotonic() - begun_s < 1.0
    assert client.receive().brokers
    assert time.monotonic() - begun_s > 0.9  # the clock of the loop stands still during a turn


def test_a_connection_is_closed_with_nothing_done(server, client):
    server.faults.disconnect_next("CreateTopics")
    client.send(create("c"), 7)
    assert client.is_closed()
    with WireClient(server) as other:
        assert code_of(other, "c") == 0


def test_a_response_is_lost_with_all_done(server, client):
    server.faults.lose_response_next("CreateTopics")
    client.send(create("d"), 7)
    assert client.is_closed()
    with WireClient(server) as other:
        assert code_of(other, "d") == KafkaError.TOPIC_ALREADY_EXISTS


def test_an_error_may_be_named(server, client):
    server.faults.fail_next("CreateTopics", error="NOT_CONTROLLER")
    assert code_of(client, "named") == KafkaError.NOT_CONTROLLER


def test_what_cannot_be_injected_is_refused(server):
    with pytest.raises(ValueError, match="no API 'Product'; one of Produce"):
        server.faults.fail_next("Product")
    with pytest.raises(ValueError, match="no error of a broker"):
        server.faults.fail_next("Produce", error=KafkaError._TIMED_OUT)
    with pytest.raises(ValueError, match="no error of a broker"):
        server.faults.fail_next("Produce", error=0)
    with pytest.raises(ValueError, match="no error of a broker"):
        server.faults.fail_next("Produce", error="_TIMED_OUT")
    with pytest.raises(ValueError, match=r"'NOT_LEADER'; did you mean NOT_LEADER_FOR_PARTITION"):
        server.faults.fail_next("Produce", error="NOT_LEADER")
    with pytest.raises(ValueError, match="'x'; KafkaError has their names"):
        server.faults.fail_next("Produce", error="x")


def test_who_waits_for_a_request_that_does_not_come_is_told(server):
    plan = server.faults.delay_next("EndTxn", seconds=0)
    with pytest.raises(TimeoutError, match="0 of 1 requests of EndTxn"):
        plan.wait(timeout=0.01)


def test_every_api_answers_an_injected_error_in_its_own_terms(server):
    """Whatever its versions look like, the response can be written and read."""
    from pylog.server.handlers import HANDLER_MODULES, offered_versions
    from pylog.wire import APIS

    for key in sorted(HANDLER_MODULES):
        for version in (APIS[key].versions.first, offered_versions(key).last):
            with WireClient(server) as client:
                server.faults.fail_next(key, error=KafkaError.REQUEST_TIMED_OUT)
                message = APIS[key].request()
                if key == 0:
                    message.acks = 1
                client.send(message, version)
                assert client.receive() is not None, key
    server.faults.clear()


def test_a_produce_without_an_answer_that_fails_ends_its_connection(server, client):
    server.faults.fail_next("Produce", error=KafkaError.REQUEST_TIMED_OUT)
    client.send(api(0).ProduceRequest(acks=0), 9)
    assert client.is_closed()


@pytest.mark.kafka_server(brokers=2)
def test_librdkafka_tries_again_after_an_injected_error(kafka_server):
    plan = kafka_server.faults.fail_next("Metadata", error=KafkaError.LEADER_NOT_AVAILABLE)
    lost = kafka_server.faults.disconnect_next("ApiVersions")
    admin = AdminClient({"bootstrap.servers": kafka_server.bootstrap_servers})
    (future,) = admin.create_topics([NewTopic("t", 2)]).values()
    assert future.result(20) is None
    assert lost.met == 1
    assert plan.met == 1
