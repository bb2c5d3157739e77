"""Each client over TLS and SASL: its whole round, a wrong password, and the rights it lacks."""

import subprocess
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import ResourceType
from secure_server import PASSWORDS, client_config, sasl_server
from tests.peers.server.secure_peers import MECHANISMS, SecureServer

pytestmark = pytest.mark.peer

COUNT = 100
PROGRAMS = ["confluent", "kafka_python", "aiokafka", "kafkajs", "franz", "sarama"]
WITHOUT_TRANSACTIONS = {"kafka_python"}  # its program has none
ADMINISTERED = {  # what a client's admin has of users and ACLs
    "kafka_python": {"acls": True, "users": True},
    "kafkajs": {"acls": True},
    "franz": {"acls": True, "users": True},
    "sarama": {"acls": True, "users": True},
}

# aiokafka fails when a session ends; librdkafka has a test of its own.
RENEWING = ["kafka_python", "kafkajs", "franz", "sarama"]
REFUSED = {  # what each says of a wrong password; librdkafka would go on and on
    # It drops an answer that comes together with the end of its connection.
    "kafka_python": "SaslAuthenticationFailedError.*(Invalid|invalid)|socket disconnected",
    "aiokafka": "SaslAuthenticationFailed.*(Invalid username|invalid credentials)",
    "kafkajs": "KafkaJSSASLAuthenticationError.*(Invalid username|invalid credentials)",
    "franz": "SASL_AUTHENTICATION_FAILED.*(Invalid username|invalid credentials)",
    "sarama": "SASL Authentication failed.*(Invalid username|invalid credentials)",
}
KINDS = [ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID]
CODES = [f"{kind.name}_AUTHORIZATION_FAILED" for kind in KINDS]
CLASSES = [
    "TopicAuthorizationFailedError",
    "GroupAuthorizationFailedError",
    "TransactionalIdAuthorizationFailed",
]
SENTENCES = [
    "not authorized to access this topic",
    "not authorized to access this group",
    "Transactional ID authorization failed",
]
DENIED = {  # and of a right that it lacks, in the order in which its round needs them
    "confluent": CODES,
    "kafka_python": CLASSES,
    "aiokafka": CLASSES,
    "kafkajs": CODES,
    "franz": CODES,
    "sarama": SENTENCES,
}


@pytest.fixture
def work(
    secure: SecureServer, clients: ModuleType, toolchain: Callable[[str], None]
) -> Callable[..., dict[str, Any]]:
    """Return a function that has a client do its round, and returns what it saw."""

    def run(
        program: str, topic: str, security: dict[str, Any], server: SecureServer = secure
    ) -> dict[str, Any]:
        toolchain(clients.work_command(program)[0])
        address = server.addresses[security["protocol"]]
        seen: dict[str, Any] = clients.run_work(
            program, address, topic, str(COUNT), security=security
        )
        return seen

    return run


def check(seen: dict[str, Any], program: str) -> None:
    assert sum(seen["shares"]) == seen["read"] == seen["distinct"] == seen["committed"] == COUNT
    assert seen["taken_over"] == 4
    assert seen["deleted"]
    assert program in WITHOUT_TRANSACTIONS or seen["transactions"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_client_works_with_a_password_over_tls(
    program: str, mechanism: str, secure: SecureServer, work: Callable[..., Any], name: str
) -> None:
    security = secure.security("SASL_SSL", mechanism) | {"administers": True}
    seen = work(program, name, security)
    check(seen, program)
    administered = {what: seen[what] for what in ("acls", "users") if what in seen}
    assert administered == ADMINISTERED.get(program, {})


@pytest.mark.parametrize("program", PROGRAMS)
def test_client_proves_its_password_without_tls(
    program: str, secure: SecureServer, work: Callable[..., Any], name: str
) -> None:
    check(work(program, name, secure.security("SASL_PLAINTEXT", "SCRAM-SHA-256")), program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_client_works_with_a_certificate(
    program: str, secure: SecureServer, work: Callable[..., Any], name: str
) -> None:
    check(work(program, name, secure.security("SSL")), program)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_kcat_reads_what_it_wrote_over_tls(
    mechanism: str, kcat: str, secure: SecureServer, name: str
) -> None:
    security = secure.security("SASL_SSL", mechanism)
    settings = {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": security["ca"],
        "sasl.mechanism": mechanism,
        "sasl.username": security["user"],
        "sasl.password": security["password"],
    }
    words = [kcat, "-q", "-b", secure.addresses["SASL_SSL"], "-t", name, "-p", "0"]
    for setting, text in settings.items():
        words += ["-X", f"{setting}={text}"]
    subprocess.run([*words, "-P"], input="one\ntwo", text=True, check=True, timeout=60)
    told = subprocess.run([*words, "-C", "-e"], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["one", "two"]


@pytest.mark.parametrize("program", RENEWING)
def test_client_goes_on_when_its_session_ends(
    program: str, restless: SecureServer, work: Callable[..., Any], name: str
) -> None:
    """A session is a second and a half; a client proves its password anew, or connects anew."""
    security = restless.security("SASL_SSL", "SCRAM-SHA-256")
    check(work(program, name, security, restless), program)


def test_librdkafka_proves_its_password_anew_when_a_session_nears_its_end(name: str) -> None:
    """It does so after nine tenths: what is left has to be longer than a Fetch waits."""
    problems: list[object] = []
    session_s = 8
    with sasl_server(**{"connections.max.reauth.ms": str(session_s * 1000)}) as server:
        server.broker.credentials.set_password("admin", PASSWORDS["admin"])
        more = {"error_cb": problems.append, "fetch.wait.max.ms": 200}
        config = client_config(server, "admin", mechanism="SCRAM-SHA-256", **more)
        producer = Producer(config)
        consumer = Consumer({**config, "group.id": name, "auto.offset.reset": "earliest"})
        producer.produce(name, b"first")
        assert producer.flush(20) == 0
        consumer.subscribe([name])
        sent, received = 1, 0
        end_s = time.monotonic() + 2.5 * session_s
        while time.monotonic() < end_s or received < sent:
            assert time.monotonic() < end_s + 20
            for message in consumer.consume(100, 0.1):
                assert message.error() is None
                received += 1
            if time.monotonic() < end_s:
                producer.produce(name, b"more", on_delivery=lambda error, _: problems.append(error))
                sent += 1
                producer.poll(0)
        assert producer.flush(20) == 0
        consumer.close()
    assert [problem for problem in problems if problem is not None] == []


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
@pytest.mark.parametrize("program", REFUSED)
def test_client_with_a_wrong_password_says_so(
    program: str,
    mechanism: str,
    secure: SecureServer,
    clients: ModuleType,
    work: Callable[..., Any],
    name: str,
) -> None:
    security = secure.security("SASL_SSL", mechanism) | {"password": "wrong"}
    with pytest.raises(clients.kafka.PeerFailedError, match=REFUSED[program]):
        work(program, name, security)


@pytest.mark.parametrize("program", PROGRAMS)
def test_client_is_let_in_where_acls_allow_it(
    program: str,
    secure: SecureServer,
    clients: ModuleType,
    work: Callable[..., Any],
    name: str,
) -> None:
    """Its round ends at a right that it lacks; it is given that one, and begins another."""
    guest = secure.security("SASL_SSL", "SCRAM-SHA-512", "guest")
    for kind, error in zip(KINDS, DENIED[program], strict=True):
        if kind == ResourceType.TRANSACTIONAL_ID and program in WITHOUT_TRANSACTIONS:
            continue
        with pytest.raises(clients.kafka.PeerFailedError, match=error):
            work(program, f"{name}-{kind.name}", guest)
        secure.allow("guest", kind, name)
    check(work(program, f"{name}-let-in", guest), program)
