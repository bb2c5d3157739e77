"""TLS: certificates as PEM, clients with certificates, and what is no TLS."""

import contextlib
import socket
import ssl
import threading
import time

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from produced import create, fetch_request, make_batch, partitions_of, produce, values_of, wanted
from secure_server import JAAS, PASSWORDS, make_certificates
from wire_client import WireClient, api

import pylog.server.connection
from logcore.config_def import ConfigError
from pylog.server.tls import distinguished_name, parse_rules
from pylog.testing import Server

METADATA = api(3)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def tls_properties(certificates, **more):
    return {
        "listeners": "SSL://127.0.0.1:0",
        "ssl.keystore.location": str(certificates / "server.pem"),
        "ssl.truststore.location": str(certificates / "ca.pem"),
        **more,
    }


def peer(server, certificates, **more):
    return AdminClient(
        {
            "bootstrap.servers": server.bootstrap_servers,
            "security.protocol": "SSL",
            "ssl.ca.location": str(certificates / "ca.pem"),
            **more,
        }
    )


def is_somebody(server, principal):
    """Whether a connection is a principal's; librdkafka has one, or is about to."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        connections = server.call(lambda: list(server.broker.connections))
        if principal in {each.principal for each in connections}:
            return True
    return False


def test_librdkafka_connects_with_tls_and_checks_the_name(certificates):
    with Server(properties=tls_properties(certificates)) as server:
        admin = peer(server, certificates)
        assert admin.list_topics(timeout=20).brokers
        assert is_somebody(server, "User:ANONYMOUS")


def test_a_certificate_and_its_key_may_stand_in_the_properties(certificates):
    def one_line(name):
        return (certificates / name).read_text().replace("\n", " ")

    properties = {
        "listeners": "SSL://127.0.0.1:0",
        "ssl.keystore.certificate.chain": one_line("server.crt"),
        "ssl.keystore.key": one_line("server.key"),
    }
    with Server(properties=properties) as server:
        assert peer(server, certificates).list_topics(timeout=20).brokers


def test_a_client_is_the_subject_of_its_certificate(certificates):
    keys = {
        "ssl.certificate.location": str(certificates / "client.crt"),
        "ssl.key.location": str(certificates / "client.key"),
    }
    properties = tls_properties(
        certificates,
        **{"ssl.client.auth": "required", "super.users": "User:CN=carol,OU=ops,O=Acme\\, Inc"},
    )
    with Server(properties=properties) as server:
        admin = peer(server, certificates, **keys)
        assert admin.list_topics(timeout=20).brokers
        assert is_somebody(server, "User:CN=carol,OU=ops,O=Acme\\, Inc")
        stranger = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        host, port = server.bootstrap_servers.split(":")
        with (
            contextlib.suppress(ssl.SSLError, ConnectionError),
            socket.create_connection((host, int(port))) as plain,
            stranger.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            assert secured.recv(1) == b""


def test_rules_make_a_user_of_a_subject(certificates):
    keys = {
        "ssl.certificate.location": str(certificates / "client.crt"),
        "ssl.key.location": str(certificates / "client.key"),
    }
    rules = {
        "ssl.client.auth": "requested",
        "ssl.principal.mapping.rules": "RULE:^CN=(.*?),.*$/$1/U",
    }
    with Server(properties=tls_properties(certificates, **rules)) as server:
        admin = peer(server, certificates, **keys)
        assert admin.list_topics(timeout=20).brokers
        assert is_somebody(server, "User:CAROL")


def test_sasl_goes_over_tls(certificates):
    properties = tls_properties(
        certificates,
        **{
            "listeners": "SASL_SSL://0.0.0.0:0",
            "plain.sasl.jaas.config": JAAS,
            "super.users": "User:admin",
        },
    )
    with Server(properties=properties) as server:
        admin = peer(
            server,
            certificates,
            **{
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "admin",
                "sasl.password": PASSWORDS["admin"],
            },
        )
        assert admin.list_topics(timeout=20).brokers
        assert is_somebody(server, "User:admin")


def test_a_listener_may_have_a_certificate_of_its_own(certificates):
    properties = {
        "listeners": "PLAINTEXT://127.0.0.1:0,SAFE://127.0.0.1:0",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SAFE:SSL",
        "listener.name.safe.ssl.keystore.location": str(certificates / "server.pem"),
    }
    with Server(properties=properties) as server:
        with WireClient(server) as client:
            assert client.ask(METADATA.MetadataRequest(topics=[]), 12).brokers
        (node,) = server.broker.nodes["SAFE"]
        config = {"bootstrap.servers": f"{node.host}:{node.port}"}
        assert peer(server, certificates, **config).list_topics(timeout=20).brokers


# ---- renewed while the server runs ----


def shown(server):
    """The certificate that a new connection is shown, unchecked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = server.bootstrap_servers.split(":")
    with (
        socket.create_connection((host, int(port)), 20) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True))


def certificate_of(path):
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(path.read_text()))


def test_who_connects_after_a_certificate_was_renewed_is_shown_the_new_one(certificates, tmp_path):
    new = make_certificates(tmp_path)
    path = tmp_path / "current.pem"
    path.write_bytes((certificates / "server.pem").read_bytes())
    properties = tls_properties(certificates, **{"ssl.keystore.location": str(path)})
    trusted = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    with Server(properties=properties) as server, WireClient(server) as client:
        client.socket = trusted.wrap_socket(client.socket, server_hostname="localhost")
        assert client.ask(METADATA.MetadataRequest(topics=[]), 12).brokers
        assert shown(server) == certificate_of(certificates / "server.crt")
        (tmp_path / "next.pem").write_bytes((new / "server.pem").read_bytes())
        (tmp_path / "next.pem").rename(path)
        assert shown(server) == certificate_of(new / "server.crt")
        assert peer(server, new).list_topics(timeout=20).brokers
        assert client.ask(METADATA.MetadataRequest(topics=[]), 12).brokers  # and goes on


def test_a_renewed_certificate_that_cannot_be_used_leaves_the_old_one(
    certificates, tmp_path, caplog
):
    path = tmp_path / "current.pem"
    old = (certificates / "server.pem").read_bytes()
    path.write_bytes(old)
    properties = tls_properties(certificates, **{"ssl.keystore.location": str(path)})
    with Server(properties=properties) as server:
        path.write_bytes(old[: len(old) // 2])
        assert shown(server) == certificate_of(certificates / "server.crt")
        assert "renewed files cannot be used" in caplog.text
        path.unlink()
        assert shown(server) == certificate_of(certificates / "server.crt")


def test_authorities_for_clients_are_read_anew_too(certificates, tmp_path):
    new = make_certificates(tmp_path)
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes((certificates / "ca.pem").read_bytes())
    properties = tls_properties(
        certificates, **{"ssl.client.auth": "required", "ssl.truststore.location": str(trusted)}
    )
    keys = {
        "ssl.certificate.location": str(new / "client.crt"),
        "ssl.key.location": str(new / "client.key"),
    }
    with Server(properties=properties) as server:
        with pytest.raises(KafkaException):
            peer(server, certificates, **keys).list_topics(timeout=1)
        trusted.write_bytes((new / "ca.pem").read_bytes())
        assert peer(server, certificates, **keys).list_topics(timeout=20).brokers


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(certificates, version):
    with Server(properties=tls_properties(certificates)) as server:
        context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        host, port = server.bootstrap_servers.split(":")
        with (
            socket.create_connection((host, int(port))) as plain,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            context.wrap_socket(plain, server_hostname="localhost")
        assert peer(server, certificates).list_topics(timeout=20).brokers


@pytest.mark.usefixtures("each_loop")
def test_a_connection_is_closed_though_its_client_does_not_answer_the_end_of_tls(certificates):
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with Server(properties=tls_properties(certificates)) as server:
        host, _, port = server.bootstrap_servers.rpartition(":")
        with socket.create_connection((host, int(port)), 15) as connection:  # OpenSSL waits 30
            while True:
                try:
                    secured.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(1 << 16))
            secured.write(b"\0\0\0\x0a" + b"\x7f" * 10)  # no API of Kafka's
            connection.sendall(outgoing.read())
            while connection.recv(1 << 16):
                pass


@pytest.mark.usefixtures("each_loop")
def test_a_slow_client_gets_a_large_response_before_its_connection_is_closed(
    certificates, monkeypatch
):
    monkeypatch.setattr(pylog.server.connection, "TLS_CLOSE_S", 0.0)
    properties = tls_properties(certificates) | {
        "listeners": "SSL://127.0.0.1:0,INSIDE://127.0.0.1:0",
        "listener.security.protocol.map": "SSL:SSL,INSIDE:PLAINTEXT",
    }
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    with Server(properties=properties) as server:
        (inside,) = server.broker.nodes["INSIDE"]
        with WireClient(f"{inside.host}:{inside.port}") as client:
            create(client, "large")
            for _ in range(10):
                assert produce(client, "large", make_batch(bytes(900_000))).error_code == 0
        with WireClient(server) as slow:
            slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            slow.socket = context.wrap_socket(slow.socket, server_hostname="localhost")
            request = slow.frame(fetch_request(("large", [wanted(0, 0, 10_000_000)])), 12)
            slow.socket.sendall(request + b"\0\0\0\x0a" + b"\x7f" * 10)  # no API of Kafka's
            swept = threading.Semaphore(0)
            server.broker.on_second.append(lambda now_s: swept.release())
            for _ in range(3):
                assert swept.acquire(timeout=20)
            assert len(values_of(partitions_of(slow.receive())[0])) == 10


def test_what_is_no_tls_ends_its_connection_and_no_other(certificates):
    with Server(properties=tls_properties(certificates)) as server:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x10" + bytes(16), b"\x16\x03\x01\xff\xff"):
            with WireClient(server) as client:
                client.socket.sendall(data)
                client.socket.shutdown(socket.SHUT_WR)
                assert client.is_closed()
        assert peer(server, certificates).list_topics(timeout=20).brokers


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"ssl.keystore.location": ""}, "needs a certificate"),
        ({"ssl.keystore.location": "{ca}"}, "ssl.keystore.location"),
        ({"ssl.keystore.location": "/nowhere.pem"}, "No such file"),
        ({"ssl.keystore.type": "JKS"}, "not PEM"),
        ({"ssl.truststore.location": "/nowhere.pem"}, "No such file"),
        ({"ssl.truststore.location": "{key}"}, "ssl.truststore.location"),
        ({"ssl.truststore.location": "", "ssl.client.auth": "required"}, "truststore"),
        ({"ssl.client.auth": "maybe"}, "One of none"),
        ({"ssl.enabled.protocols": "SSLv3"}, "TLSv1.2 or TLSv1.3"),
        ({"ssl.cipher.suites": "TLS_NOTHING"}, "none of them"),
        ({"ssl.client.auth": "required", "ssl.principal.mapping.rules": "RULE:x"}, "no rule"),
        ({"ssl.client.auth": "required", "ssl.principal.mapping.rules": "RULE:(/x/"}, "mapping"),
    ],
)
def test_a_configuration_that_does_not_work_is_refused_at_the_start(
    certificates, properties, message
):
    names = {"{ca}": str(certificates / "ca.pem"), "{key}": str(certificates / "server.key")}
    properties = {name: names.get(text, text) for name, text in properties.items()}
    with pytest.raises(ConfigError, match=message):
        Server(properties=tls_properties(certificates, **properties)).start()


def test_names_are_written_as_rfc_2253_has_them():
    subject = (
        (("countryName", "DE"),),
        (("organizationName", ' a,"b"+c'),),
        (("commonName", "#x "),),
    )
    assert distinguished_name({"subject": subject}) == r"CN=\#x\ ,O=\ a\,\"b\"\+c,C=DE"


@pytest.mark.parametrize(
    ("rules", "name", "user"),
    [
        ("", "CN=a,O=b", "CN=a,O=b"),
        ("DEFAULT", "CN=a,O=b", "CN=a,O=b"),
        ("RULE:^CN=(.*?),OU=S.*$/$1/", "CN=a,OU=Sales", "a"),
        ("RULE:^CN=(.*?),OU=S.*$/$1/", "CN=a,OU=Ops", "CN=a,OU=Ops"),
        ("RULE:^CN=(.*?),OU=(.*?)$/$1@$2/L,DEFAULT", "CN=A,OU=Ops", "a@ops"),
        ("RULE:^x$/y/, RULE:^CN=(.*)$/$1/U", "CN=a", "A"),
    ],
)
def test_rules_for_principals_are_kafkas(rules, name, user):
    assert parse_rules(rules)(name) == user
