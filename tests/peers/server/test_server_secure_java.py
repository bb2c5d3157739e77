"""The Java client over TLS and SASL: Apache Kafka's tools, users and ACLs made by them, Streams."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from confluent_kafka.admin import ResourceType
from tests.peers.server.secure_peers import (
    MECHANISMS,
    JavaTools,
    SecureServer,
    java_properties,
)

pytestmark = pytest.mark.peer


@pytest.fixture
def java(kafka: ModuleType, secure: SecureServer, tmp_path: Path) -> JavaTools:
    return JavaTools(kafka, secure, tmp_path)


TOPICS = "org.apache.kafka.tools.TopicCommand"
PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
CONFIGS = "kafka.admin.ConfigCommand"
ACLS = "org.apache.kafka.tools.AclCommand"


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        *(("SASL_SSL", each) for each in MECHANISMS),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("SSL", ""),
    ],
)
def test_console_consumer_prints_what_console_producer_sent(
    protocol: str, mechanism: str, secure: SecureServer, java: JavaTools, name: str
) -> None:
    security = secure.security(protocol, mechanism)
    java.run(TOPICS, "--create", "--topic", name, security=security)
    java.run(PRODUCER, "--topic", name, security=security, stdin="one\ntwo\n")
    read = ("--topic", name, "--from-beginning", "--max-messages", "2", "--group", name)
    told = java.run(CONSUMER, *read, security=security)
    assert sorted(told.splitlines()[:2]) == ["one", "two"]


def test_producer_perf_test_goes_on_when_its_session_ends(
    restless: SecureServer, java: JavaTools, name: str
) -> None:
    """It writes for four sessions."""
    security = restless.security("SASL_SSL", "SCRAM-SHA-512")
    rate = ("--num-records", "6000", "--record-size", "100", "--throughput", "1000")
    told = java.run(PERFORMANCE, "--topic", name, *rate, security=security, server=restless)
    assert "6000 records sent" in told
    assert "rror" not in told
    assert "WARN" not in told


def test_kafka_configs_adds_a_user_who_is_let_in_until_it_is_deleted(
    secure: SecureServer, java: JavaTools, name: str
) -> None:
    admin = secure.security("SASL_SSL", "PLAIN")
    place = ("--entity-type", "users", "--entity-name", name)
    added = "SCRAM-SHA-512=[iterations=8192,password=first]"
    java.run(CONFIGS, "--alter", *place, "--add-config", added, security=admin)
    told = java.run(CONFIGS, "--describe", *place, security=admin)
    assert "SCRAM-SHA-512=iterations=8192" in told
    user = admin | {"user": name, "password": "first"}
    wrong = "Authentication failed during authentication due to invalid credentials"
    for mechanism, is_let_in in (
        ("SCRAM-SHA-512", True),
        ("PLAIN", True),
        ("SCRAM-SHA-256", False),
    ):
        told = java.run(TOPICS, "--list", security=user | {"mechanism": mechanism})
        assert ("SaslAuthenticationException" in told) != is_let_in
    scram = user | {"mechanism": "SCRAM-SHA-512"}
    assert wrong in java.run(TOPICS, "--list", security=scram | {"password": "second"})
    java.run(CONFIGS, "--alter", *place, "--delete-config", "SCRAM-SHA-512", security=admin)
    assert wrong in java.run(TOPICS, "--list", security=scram)


def test_kafka_acls_lets_a_producer_and_a_consumer_in(
    secure: SecureServer, java: JavaTools, name: str
) -> None:
    admin = secure.security("SASL_SSL", "SCRAM-SHA-512")
    guest = secure.security("SASL_SSL", "SCRAM-SHA-512", "guest")
    java.run(TOPICS, "--create", "--topic", name, security=admin)
    principal = ("--allow-principal", "User:guest", "--topic", name)
    read = ("--topic", name, "--from-beginning", "--max-messages", "1", "--group", name)

    denied = f"Not authorized to access topics: [{name}]"
    assert denied in java.run(PRODUCER, "--topic", name, security=guest, stdin="sent\n")
    java.run(ACLS, "--add", *principal, "--producer", security=admin)
    assert "rror" not in java.run(PRODUCER, "--topic", name, security=guest, stdin="sent\n")

    assert f"Not authorized to access group: {name}" in java.run(CONSUMER, *read, security=guest)
    java.run(ACLS, "--add", *principal, "--consumer", "--group", name, security=admin)
    assert "sent" in java.run(CONSUMER, *read, security=guest).splitlines()

    told = java.run(ACLS, "--list", "--topic", name, security=admin)
    for operation in ("WRITE", "READ", "DESCRIBE", "CREATE"):
        assert f"operation={operation}, permissionType=ALLOW" in told
    java.run(ACLS, "--remove", *principal, "--producer", "--force", security=admin)
    told = java.run(PRODUCER, "--topic", name, security=guest, stdin="sent\n")
    # Of the topic, or of the cluster if there is no other topic that it may write to.
    assert "AuthorizationException" in told


def test_kafka_acls_takes_prefixes_and_denials(
    secure: SecureServer, java: JavaTools, name: str
) -> None:
    admin = secure.security("SASL_SSL", "SCRAM-SHA-512")
    guest = secure.security("SASL_SSL", "SCRAM-SHA-512", "guest")
    prefixed = ("--topic", name, "--resource-pattern-type", "prefixed", "--operation", "All")
    java.run(ACLS, "--add", "--allow-principal", "User:guest", *prefixed, security=admin)
    secret = ("--topic", f"{name}-secret", "--operation", "Create")
    java.run(ACLS, "--add", "--deny-principal", "User:guest", *secret, security=admin)
    told = java.run(TOPICS, "--create", "--topic", f"{name}-open", security=guest)
    assert f"Created topic {name}-open." in told
    told = java.run(TOPICS, "--create", "--topic", f"{name}-secret", security=guest)
    assert "TopicAuthorizationException" in told
    match = ("--topic", f"{name}-secret", "--resource-pattern-type", "match")
    told = java.run(ACLS, "--list", *match, security=admin)
    assert "operation=CREATE, permissionType=DENY" in told
    assert "operation=ALL, permissionType=ALLOW" in told
    told = java.run(ACLS, "--list", security=guest)
    assert "ClusterAuthorizationException" in told


def test_kafka_streams_counts_words_exactly_once_with_the_rights_of_its_own_names(
    clients: ModuleType,
    toolchain: Callable[[str], None],
    secure: SecureServer,
    java: JavaTools,
    name: str,
    tmp_path: Path,
) -> None:
    toolchain("java")
    admin = secure.security("SASL_SSL", "SCRAM-SHA-512")
    guest = secure.security("SASL_SSL", "SCRAM-SHA-512", "guest")
    lines, counts = f"{name}-lines", f"{name}-counts"
    for topic in (lines, counts):
        java.run(TOPICS, "--create", "--topic", topic, "--partitions", "1", security=admin)
    for kind in (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID):
        secure.allow("guest", kind, name)
    java.run(PRODUCER, "--topic", lines, security=admin, stdin="here there\n")
    configs = [f"{config}={text}" for config, text in java_properties(guest).items()]
    words = [secure.addresses["SASL_SSL"], name, lines, counts, str(tmp_path), *configs]
    with (tmp_path / "log").open("wb") as log:
        application = subprocess.Popen(
            clients.java_command("WordCount", *words),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        told = java.run(
            *(CONSUMER, "--topic", counts, "--from-beginning", "--isolation-level"),
            *("read_committed", "--max-messages", "2", "--timeout-ms", "60000"),
            *("--formatter-property", "print.key=true"),
            security=admin,
        )
        application.communicate(timeout=60)
    finally:
        application.kill()
        application.wait()
    assert sorted(told.splitlines()[:2]) == ["here\t1", "there\t1"], (tmp_path / "log").read_text()
    assert application.returncode == 0
