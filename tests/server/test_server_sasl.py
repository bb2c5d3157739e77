"""Who a client is: PLAIN, SCRAM, sessions, and what is said to those who are somebody else."""

import asyncio
import base64
import hashlib
import hmac
import stat
import time

import pytest
from confluent_kafka import KafkaError as PeerError
from confluent_kafka import KafkaException as PeerException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from produced import create, make_batch, produce_request
from secure_server import PASSWORDS, PROPERTIES, client_config, sasl_server
from wire_client import WireClient, api

from logcore.config_def import ConfigError
from pylog.errors import KafkaError
from pylog.server import scram
from pylog.server.config import ServerConfig
from pylog.server.credentials import Credentials, parse_jaas_users
from pylog.testing import Server

HANDSHAKE, AUTHENTICATE, VERSIONS, METADATA = api(17), api(36), api(18), api(3)
DESCRIBE_USERS, ALTER_USERS = api(50), api(51)
FAILED = KafkaError.SASL_AUTHENTICATION_FAILED


@pytest.fixture(scope="module")
def server():
    with sasl_server() as server:
        for mechanism in scram.MECHANISMS.values():
            users = server.broker.credentials
            users.set_password("scott", "tiger=,", [mechanism])
            users.set_password("admin", PASSWORDS["admin"], [mechanism])
        yield server


@pytest.fixture
def client(server):
    with WireClient(server) as client:
        yield client


def handshake(client, mechanism, version=1):
    return client.ask(HANDSHAKE.SaslHandshakeRequest(mechanism=mechanism), version)


def authenticate(client, token, version=2):
    return client.ask(AUTHENTICATE.SaslAuthenticateRequest(auth_bytes=token), version)


def plain(user, password, authorized=""):
    return f"{authorized}\0{user}\0{password}".encode()


def log_in(client, user="admin", password=None):
    assert handshake(client, "PLAIN").error_code == 0
    password = PASSWORDS[user] if password is None else password
    return authenticate(client, plain(user, password))


def ask_metadata(client):
    return client.ask(METADATA.MetadataRequest(topics=[]), 12)


class Scram:
    """A client's side of SCRAM, that may be told to do it wrong."""

    def __init__(self, mechanism, user, password, nonce="clientnonce"):
        self.mechanism, self.password = scram.MECHANISMS[mechanism], password
        self.bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self.first = f"n,,{self.bare}".encode()

    def final(self, challenge, nonce=None, binding="biws"):
        self.fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salt, count = base64.b64decode(self.fields["s"]), int(self.fields["i"])
        name = self.mechanism.hash_name
        self.salted = hashlib.pbkdf2_hmac(name, self.password.encode(), salt, count)
        without = f"c={binding},r={nonce or self.fields['r']}"
        self.message = f"{self.bare},{challenge.decode()},{without}".encode()
        client_key = hmac.digest(self.salted, b"Client Key", name)
        stored = hashlib.new(name, client_key).digest()
        signature = hmac.digest(stored, self.message, name)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return f"{without},p={base64.b64encode(proof).decode()}".encode()

    def signature(self):
        name = self.mechanism.hash_name
        server_key = hmac.digest(self.salted, b"Server Key", name)
        return b"v=" + base64.b64encode(hmac.digest(server_key, self.message, name))


# ---- before ----


def test_before_a_client_says_who_it_is_it_may_ask_for_nothing(client):
    client.send(METADATA.MetadataRequest(topics=[]), 12)
    assert client.is_closed()


def test_versions_may_be_asked_for_before(client):
    request = VERSIONS.ApiVersionsRequest(client_software_name="t", client_software_version="1")
    assert {17, 36, 50, 51} <= {each.api_key for each in client.ask(request, 3).api_keys}
    assert log_in(client).error_code == 0


def test_a_token_without_a_handshake_ends_the_connection(client):
    assert authenticate(client, plain("admin", "x")).error_code == KafkaError.ILLEGAL_SASL_STATE
    assert client.is_closed()


def test_a_mechanism_that_is_not_there_is_answered_with_those_that_are(client):
    answer = handshake(client, "GSSAPI")
    assert answer.error_code == KafkaError.UNSUPPORTED_SASL_MECHANISM
    assert answer.mechanisms == ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    assert client.is_closed()


def test_a_request_before_authentication_is_small(client):
    client.socket.sendall((65537).to_bytes(4, "big"))
    assert client.is_closed()


def test_after_authentication_it_may_be_large(client):
    assert log_in(client).error_code == 0
    names = [METADATA.MetadataRequestTopic(name="x" * 240) for _ in range(1000)]
    request = METADATA.MetadataRequest(topics=names, allow_auto_topic_creation=False)
    assert len(client.ask(request, 12).topics) == 1000


@pytest.mark.parametrize("server_properties", [{"listeners": "PLAINTEXT://127.0.0.1:0"}])
def test_where_there_is_no_sasl_nobody_is_asked(server_properties):
    with Server(properties=server_properties) as plain_server, WireClient(plain_server) as client:
        answer = handshake(client, "PLAIN")
        assert (answer.error_code, answer.mechanisms) == (KafkaError.ILLEGAL_SASL_STATE, [])
        answer = authenticate(client, b"x")
        assert answer.error_code == KafkaError.ILLEGAL_SASL_STATE
        assert answer.error_message == (
            "SaslAuthenticate request received after successful authentication"
        )
        assert ask_metadata(client).brokers


# ---- PLAIN ----


@pytest.mark.parametrize("version", [0, 1, 2])
def test_plain_lets_in_who_has_the_password(client, version):
    assert handshake(client, "PLAIN").error_code == 0
    answer = authenticate(client, plain("alice", PASSWORDS["alice"], "alice"), version)
    assert (answer.error_code, answer.auth_bytes) == (0, b"")
    assert ask_metadata(client).brokers


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (plain("alice", "wrong"), "Invalid username or password"),
        (plain("nobody", "x"), "Invalid username or password"),
        (plain("scott", "Tiger=,"), "Invalid username or password"),
        (plain("alice", ""), "not specified"),
        (plain("", PASSWORDS["alice"]), "not specified"),
        (plain("alice", PASSWORDS["alice"], "admin"), "different from username"),
        (plain("x" * 2000, "x"), "not specified"),
        (b"", "expected 3 tokens"),
        (b"alice", "expected 3 tokens"),
        (b"\0a\0b\0c", "expected 3 tokens"),
        (b"\xff\0\xfe\0\xfd", "expected 3 tokens"),
    ],
)
def test_plain_refuses_everybody_else_and_hangs_up(client, token, message):
    assert handshake(client, "PLAIN").error_code == 0
    answer = authenticate(client, token)
    assert answer.error_code == FAILED
    assert message in answer.error_message
    assert client.is_closed()


def test_plain_takes_the_users_of_the_folder_too(client):
    assert log_in(client, "scott", "tiger=,").error_code == 0


@pytest.mark.parametrize(("password", "is_let_in"), [(PASSWORDS["alice"], True), ("no", False)])
def test_after_the_oldest_handshake_tokens_come_in_frames_of_their_own(client, password, is_let_in):
    assert handshake(client, "PLAIN", version=0).error_code == 0
    token = plain("alice", password)
    client.socket.sendall(len(token).to_bytes(4, "big") + token)
    if is_let_in:
        assert client.receive_frame() == b""
        assert ask_metadata(client).brokers
    else:
        assert client.is_closed()


def test_scram_works_in_frames_of_their_own_too(client):
    one = Scram("SCRAM-SHA-256", "scott", "tiger=,")
    assert handshake(client, "SCRAM-SHA-256", version=0).error_code == 0

    def exchange(token):
        client.socket.sendall(len(token).to_bytes(4, "big") + token)
        return client.receive_frame()

    final = one.final(exchange(one.first))
    assert exchange(final) == one.signature()
    assert ask_metadata(client).brokers


def test_a_wrong_password_is_answered_late():
    delay = {"connection.failed.authentication.delay.ms": "150"}
    with sasl_server(**delay) as server, WireClient(server) as client:
        handshake(client, "PLAIN")
        begun_s = time.monotonic()
        assert authenticate(client, plain("alice", "wrong")).error_code == FAILED
        assert time.monotonic() - begun_s >= 0.15
        assert client.is_closed()


def test_jaas_lines_are_read_as_kafka_reads_them():
    text = r"""x.PlainLoginModule required username="u" password="p"
        user_a="b \"quoted\"; c"  user_d=e user_f = "" ;"""
    assert parse_jaas_users(text) == {"a": 'b "quoted"; c', "d": "e", "f": ""}


# ---- SCRAM ----


@pytest.mark.parametrize("mechanism", scram.MECHANISMS)
def test_scram_proves_both_sides(client, mechanism):
    one = Scram(mechanism, "scott", "tiger=,")
    assert handshake(client, mechanism).error_code == 0
    challenge = authenticate(client, one.first)
    assert challenge.error_code == 0
    answer = authenticate(client, one.final(challenge.auth_bytes))
    assert (answer.error_code, answer.auth_bytes) == (0, one.signature())
    assert ask_metadata(client).brokers


@pytest.mark.parametrize(("user", "password"), [("scott", "lion"), ("nobody", "tiger=,")])
def test_who_does_not_exist_and_who_has_it_wrong_are_told_the_same(client, user, password):
    one = Scram("SCRAM-SHA-256", user, password)
    handshake(client, "SCRAM-SHA-256")
    challenge = authenticate(client, one.first)
    assert challenge.error_code == 0
    answer = authenticate(client, one.final(challenge.auth_bytes))
    assert answer.error_code == FAILED
    assert answer.error_message == (
        "Authentication failed during authentication due to invalid credentials with SASL "
        "mechanism SCRAM-SHA-256"
    )
    assert client.is_closed()


def test_who_does_not_exist_costs_as_much_as_most_users_do(tmp_path):
    credentials = Credentials(str(tmp_path))

    def costs(user):
        """Iterations of each mechanism, as clients see them."""
        return [
            credentials.for_exchange(mechanism, user).iterations
            for mechanism in (scram.SHA_256, scram.SHA_512)
        ]

    assert costs("nobody") == [4096, 4096]
    for user, iterations in (("a", 8192), ("b", 8192), ("c", 4096)):
        credential = scram.new_credential(scram.SHA_512, "x", iterations)
        credentials.change([(user, scram.SHA_512, credential)])
    assert costs("nobody") == costs("a") == [4096, 8192]
    assert costs("c") == [4096, 4096]
    credentials.change([(user, scram.SHA_512, None) for user in "ab"])
    assert costs("nobody") == [4096, 4096]


def test_a_password_of_nobody_is_checked_as_those_of_most_users_are(tmp_path, monkeypatch):
    credentials = Credentials(str(tmp_path))
    for user in "ab":
        credentials.set_password(user, "right", scram.MECHANISMS.values())
    credentials.set_password("c", "right", [scram.SHA_256])
    checked = []
    salt_password = scram.salt_password

    def count(mechanism, password, salt, iterations):
        checked.append((mechanism.name, iterations))
        return salt_password(mechanism, password, salt, iterations)

    monkeypatch.setattr(scram, "salt_password", count)
    for user in ("a", "nobody"):
        assert not credentials.is_plain_password("PLAINTEXT", user, "wrong")
    assert checked == [("SCRAM-SHA-512", 4096)] * 2


def test_who_does_not_exist_has_the_same_salt_each_time_as_users_have(server):
    salts = []
    for _ in range(2):
        with WireClient(server) as client:
            handshake(client, "SCRAM-SHA-256")
            challenge = authenticate(client, Scram("SCRAM-SHA-256", "nobody", "x").first)
            salts.append(challenge.auth_bytes.split(b",s=")[1])
    assert salts[0] == salts[1]
    again = Credentials(server.folder).for_exchange(scram.SHA_256, "nobody")
    assert base64.b64encode(again.salt) == salts[0].split(b",")[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "clientnonce"},
        {"nonce": "clientnonceXXXXXXXXXXXXXXXX"},
        {"binding": "eSws"},
        {"binding": "!!!!"},
        {"binding": ""},
    ],
)
def test_a_final_message_of_another_exchange_is_refused(client, wrong):
    """CVE-2024-56128: the server's nonce has to come back."""
    one = Scram("SCRAM-SHA-256", "scott", "tiger=,")
    handshake(client, "SCRAM-SHA-256")
    challenge = authenticate(client, one.first).auth_bytes
    assert authenticate(client, one.final(challenge, **wrong)).error_code == FAILED
    assert client.is_closed()


@pytest.mark.parametrize(("before", "is_let_in"), [("clientnonce", True), ("x", False)])
def test_a_client_may_say_its_own_nonce_twice_and_nothing_else(client, before, is_let_in):
    """librdkafka before 2.6.1, which is in many distributions, does so."""
    one = Scram("SCRAM-SHA-256", "scott", "tiger=,")
    handshake(client, "SCRAM-SHA-256")
    challenge = authenticate(client, one.first).auth_bytes
    both = challenge.decode().partition(",")[0].removeprefix("r=")
    answer = authenticate(client, one.final(challenge, nonce=before + both))
    assert answer.error_code == (0 if is_let_in else FAILED)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"n,,",
        b"n=scott,r=x",
        b"p=tls-unique,,n=scott,r=x",
        b"n,a=admin,n=scott,r=x",
        b"n,,m=ext,n=scott,r=x",
        b"n,,n=,r=x",
        b"n,,n=sc=ott,r=x",
        b"n,,n=scott,r=",
        b"n,,n=scott,r=a\0b",
        b"\xff\xff",
        b"n,,n=" + b"x" * 5000 + b",r=y",
        b"n,,n=scott,r=" + b"y" * 5000,
    ],
)
def test_a_first_message_that_is_none_is_refused(client, token):
    handshake(client, "SCRAM-SHA-256")
    assert authenticate(client, token).error_code == FAILED
    assert client.is_closed()


@pytest.mark.parametrize(
    "token", [b"", b"c=biws,r=x", b"c=biws,r=x,p=", b"c=biws,r=x,p=!!", b"\xff"]
)
def test_a_last_message_that_is_none_is_refused(client, token):
    handshake(client, "SCRAM-SHA-256")
    authenticate(client, Scram("SCRAM-SHA-256", "scott", "x").first)
    assert authenticate(client, token).error_code == FAILED


def test_a_proof_counts_once(server):
    one = Scram("SCRAM-SHA-256", "scott", "tiger=,")
    with WireClient(server) as client:
        handshake(client, "SCRAM-SHA-256")
        final = one.final(authenticate(client, one.first).auth_bytes)
        assert authenticate(client, final).error_code == 0
    with WireClient(server) as client:
        handshake(client, "SCRAM-SHA-256")
        authenticate(client, one.first)
        assert authenticate(client, final).error_code == FAILED


# ---- sessions ----


def test_a_session_ends_and_is_renewed_by_the_same_user_only():
    with sasl_server(**{"connections.max.reauth.ms": "60000"}) as server:
        with WireClient(server) as client:
            assert log_in(client).session_lifetime_ms == 60000
            assert log_in(client).error_code == 0
            assert ask_metadata(client).brokers
            answer = log_in(client, "alice")
            assert answer.error_code == FAILED
            assert "Cannot change principals" in answer.error_message
            assert client.is_closed()
        with WireClient(server) as client:
            log_in(client)
            (connection,) = server.call(lambda: list(server.broker.connections))
            connection.session_deadline_s = 0.0
            client.send(METADATA.MetadataRequest(topics=[]), 12)
            assert client.is_closed()


def test_a_token_in_a_frame_of_its_own_is_answered_behind_what_was_asked_before_it():
    with (
        sasl_server(**{"connections.max.reauth.ms": "100000"}) as server,
        WireClient(server) as client,
    ):
        log_in(client)
        create(client, "blocked")
        token = plain("admin", PASSWORDS["admin"])
        again = HANDSHAKE.SaslHandshakeRequest(mechanism="PLAIN")
        with server.broker.log_dir._lock:  # without it no partition is opened
            client.send(produce_request("blocked", make_batch(b"a")), 9)
            client.send(again, 0)
            client.socket.sendall(len(token).to_bytes(4, "big") + token)
            client.socket.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.receive_frame()
        client.socket.settimeout(20)
        assert client.receive().responses[0].partition_responses[0].error_code == 0
        assert client.receive().error_code == 0
        assert client.receive_frame() == b""


def test_without_sessions_nobody_proves_it_twice(client):
    assert log_in(client).session_lifetime_ms == 0
    assert handshake(client, "PLAIN").error_code == KafkaError.ILLEGAL_SASL_STATE
    assert ask_metadata(client).brokers


def test_who_takes_too_long_to_say_who_it_is_is_cut_off(server, client):
    handshake(client, "PLAIN")
    port = client.socket.getsockname()[1]

    def sweep():
        for connection in server.broker.connections:
            if connection._transport.get_extra_info("peername")[1] == port:
                connection.sweep(server.broker.loop.time() + 11)

    server.call(sweep)
    assert client.is_closed()


# ---- users ----


def alter(client, *upsertions, deletions=()):
    request = ALTER_USERS.AlterUserScramCredentialsRequest(
        upsertions=list(upsertions), deletions=list(deletions)
    )
    return {
        each.user: (each.error_code, each.error_message) for each in client.ask(request, 0).results
    }


def upsertion(name="eve", mechanism=1, iterations=4096, salt=b"s" * 16, salted_password=b"p" * 32):
    return ALTER_USERS.ScramCredentialUpsertion(
        name=name,
        mechanism=mechanism,
        iterations=iterations,
        salt=salt,
        salted_password=salted_password,
    )


def deletion(name, mechanism=1):
    return ALTER_USERS.ScramCredentialDeletion(name=name, mechanism=mechanism)


UNACCEPTABLE = KafkaError.UNACCEPTABLE_CREDENTIAL


@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        ({"name": ""}, UNACCEPTABLE, "Username must not be empty"),
        ({"mechanism": 0}, KafkaError.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"),
        ({"mechanism": 3}, KafkaError.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"),
        ({"iterations": 4095}, UNACCEPTABLE, "Too few iterations"),
        ({"iterations": 16385}, UNACCEPTABLE, "Too many iterations"),
        ({"iterations": -1}, UNACCEPTABLE, "Too few iterations"),
        ({"salt": b""}, UNACCEPTABLE, "A salt of 1 to 1024 bytes is needed"),
        ({"salted_password": b"p"}, UNACCEPTABLE, "A salted password has 32 bytes"),
        ({"name": "x" * 256}, UNACCEPTABLE, None),
    ],
)
def test_a_credential_that_is_none_is_refused(server, client, wanted, code, message):
    log_in(client)
    made = upsertion(**wanted)
    found_code, found_message = alter(client, made)[made.name]
    assert found_code == code
    assert message is None or found_message == message
    assert made.name not in server.broker.credentials.users


def test_each_user_is_altered_once_a_request_and_the_others_all_the_same(client):
    log_in(client)
    found = alter(client, upsertion("one"), upsertion("two"), deletions=[deletion("one")])
    assert found["one"][0] == KafkaError.DUPLICATE_RESOURCE
    assert found["two"] == (0, None)
    found = alter(client, deletions=[deletion("two"), deletion("three")])
    assert found["two"] == (0, None)
    assert found["three"] == (
        KafkaError.RESOURCE_NOT_FOUND, "Attempt to delete a user credential that does not exist"
    )  # fmt: skip


def test_users_are_described_without_their_secrets(client):
    log_in(client)
    request = DESCRIBE_USERS.DescribeUserScramCredentialsRequest(users=None)
    users = {each.user: each.credential_infos for each in client.ask(request, 0).results}
    assert [(info.mechanism, info.iterations) for info in users["scott"]] == [(1, 4096), (2, 4096)]
    names = [DESCRIBE_USERS.UserName(name=name) for name in ("scott", "x", "y", "y")]
    request = DESCRIBE_USERS.DescribeUserScramCredentialsRequest(users=names)
    codes = {each.user: each.error_code for each in client.ask(request, 0).results}
    assert codes == {
        "scott": 0, "x": KafkaError.RESOURCE_NOT_FOUND, "y": KafkaError.DUPLICATE_RESOURCE
    }  # fmt: skip


def test_only_who_may_alter_the_cluster_alters_users(client):
    log_in(client, "alice")
    request = DESCRIBE_USERS.DescribeUserScramCredentialsRequest(users=None)
    assert client.ask(request, 0).error_code == KafkaError.CLUSTER_AUTHORIZATION_FAILED
    assert alter(client, upsertion("mallory"))["mallory"][0] == (
        KafkaError.CLUSTER_AUTHORIZATION_FAILED
    )


def test_the_file_of_users_is_its_owners_and_knows_no_password(tmp_path):
    with sasl_server(tmp_path) as server:
        server.broker.credentials.set_password("dora", "open sesame")
    path = tmp_path / ".server.users"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "dora" in text
    assert "sesame" not in text
    salted = hashlib.pbkdf2_hmac("sha256", b"open sesame", b"", 4096)
    assert base64.b64encode(salted).decode() not in text
    with sasl_server(tmp_path) as server, WireClient(server) as client:
        assert log_in(client, "dora", "open sesame").error_code == 0


def test_a_damaged_line_of_the_file_of_users_costs_one_user(tmp_path):
    credentials = Credentials(str(tmp_path))
    credentials.set_password("a", "x")
    with open(tmp_path / ".server.users", "a") as file:
        file.write("SCRAM-SHA-256/b=nonsense\nSCRAM-MD5/c=1,AA==,AA==,AA==\n")
    assert set(Credentials(str(tmp_path)).users) == {"a"}


def test_users_of_another_process_count_within_a_second(tmp_path):
    with sasl_server(tmp_path) as server, WireClient(server) as client:
        Credentials(str(tmp_path)).set_password("late", "x")
        server.call(server.broker.credentials.refresh)
        assert log_in(client, "late", "x").error_code == 0


# ---- confluent_kafka ----


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_librdkafka_logs_in(server, mechanism):
    admin = AdminClient(client_config(server, "admin", mechanism=mechanism))
    assert admin.list_topics(timeout=20).brokers


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_librdkafka_says_why_it_does_not_get_in(server, mechanism):
    errors = []
    config = client_config(server, "admin", "wrong", mechanism, error_cb=errors.append)
    admin = AdminClient(config)
    deadline_s = time.monotonic() + 20
    while not any(error.code() == PeerError._AUTHENTICATION for error in errors):
        assert time.monotonic() < deadline_s
        admin.poll(0.05)


def test_librdkafka_alters_and_describes_users(server):
    admin = AdminClient(client_config(server, "admin"))
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 5000)
    made = UserScramCredentialUpsertion("zoe", info, b"zoe's")
    for future in admin.alter_user_scram_credentials([made]).values():
        assert future.result(20) is None
    described = admin.describe_user_scram_credentials(["zoe"])["zoe"].result(20)
    (found,) = described.scram_credential_infos
    assert (found.mechanism, found.iterations) == (ScramMechanism.SCRAM_SHA_512, 5000)
    zoe = AdminClient(client_config(server, "zoe", "zoe's", "SCRAM-SHA-512"))
    assert zoe.list_topics(timeout=20).brokers
    gone = UserScramCredentialDeletion("zoe", ScramMechanism.SCRAM_SHA_512)
    for future in admin.alter_user_scram_credentials([gone]).values():
        assert future.result(20) is None
    with pytest.raises(PeerException) as caught:
        admin.describe_user_scram_credentials(["zoe"])["zoe"].result(20)
    assert caught.value.args[0].code() == PeerError.RESOURCE_NOT_FOUND


# ---- where it may listen ----


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:0", ":0", "[::]:0", "PLAINTEXT://0.0.0.0:0", "SSL://0.0.0.0:0"]
)
def test_serving_strangers_on_other_addresses_needs_insecure(listen):
    with pytest.raises(ConfigError, match="insecure"):
        ServerConfig(listen=[listen])
    assert ServerConfig(listen=[listen], is_insecure=True)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0", "localhost:0", "127.1.2.3:0"])
def test_serving_strangers_of_this_machine_needs_nothing(listen):
    assert ServerConfig(listen=[listen])


def test_clients_that_prove_who_they_are_may_come_from_anywhere():
    assert ServerConfig(listen=["SASL_PLAINTEXT://0.0.0.0:0"])
    assert ServerConfig({"ssl.client.auth": "required"}, listen=["SSL://0.0.0.0:0"])


def test_plain_without_tls_is_for_this_machine_only():
    properties = PROPERTIES | {"listeners": "SASL_PLAINTEXT://0.0.0.0:0"}
    with Server(properties=properties) as server, WireClient(server) as client:
        answer = handshake(client, "PLAIN")
        assert answer.mechanisms == ["SCRAM-SHA-256", "SCRAM-SHA-512"]
    with pytest.raises(ConfigError, match="PLAIN needs TLS"):
        Server(properties=properties | {"sasl.enabled.mechanisms": "PLAIN"}).start()


# ---- at speed ----


def test_wrong_passwords_at_speed_do_not_hold_up_the_others(server):
    """Guessers wait for their answers, and take one core at most, not the loop's."""

    async def guess(number):
        host, port = server.bootstrap_servers.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        frames = WireClient.__new__(WireClient)
        frames.client_id, frames._correlation_id, frames._expected = "x", 0, {}
        request = HANDSHAKE.SaslHandshakeRequest(mechanism="PLAIN")
        token = plain("scott", f"guess-{number}")
        writer.write(frames.frame(request, 1))
        writer.write(frames.frame(AUTHENTICATE.SaslAuthenticateRequest(auth_bytes=token), 2))
        data = await reader.read()
        writer.close()
        return b"Invalid username or password" in data

    async def guess_all():
        return await asyncio.gather(*map(guess, range(100)))

    assert all(asyncio.run(guess_all()))
    with WireClient(server) as client:
        assert log_in(client).error_code == 0
