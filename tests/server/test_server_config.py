import logging

import pytest

from logcore.config import TOPIC_CONFIGS
from logcore.config_def import ConfigError
from pylog.server.config import ServerConfig, broker_configs, read_properties_file
from pylog.server.listener_config import ListenerConfig, parse_listeners
from pylog.server.topic_defaults import SYNONYMS, topic_defaults


def test_a_server_listens_on_the_loopback_interface_unless_it_is_told_otherwise():
    (listener,) = ServerConfig().listeners
    assert listener == ListenerConfig("PLAINTEXT", "PLAINTEXT", "127.0.0.1", 9092)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:9093", "localhost", 9093),
        ("127.0.0.1", "127.0.0.1", 9092),
        ("[::1]:0", "::1", 0),
        ("PLAINTEXT://127.0.0.2:1", "127.0.0.2", 1),
    ],
)
def test_an_address_to_listen_on_is_read(text, host, port):
    (listener,) = ServerConfig(listen=[text]).listeners
    assert (listener.name, listener.host, listener.port) == ("PLAINTEXT", host, port)


@pytest.mark.parametrize(
    "text", ["", "a:b", "127.0.0.1:99999", "FTP://127.0.0.1:1", "127.0.0.1:1:2", "127.0.0.1:-1"]
)
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(ConfigError):
        ServerConfig(listen=[text or ","])


@pytest.mark.parametrize(
    "text", ["0.0.0.0:9092", ":9092", "[::]:9092", "192.0.2.1:9092", "SSL://0.0.0.0:9092"]
)
def test_strangers_are_served_only_when_somebody_says_so(text):
    with pytest.raises(ConfigError, match="--insecure"):
        ServerConfig(listen=[text])
    assert ServerConfig(listen=[text], is_insecure=True).listeners


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("SASL_SSL://0.0.0.0:9092", {}),
        ("SSL://0.0.0.0:9092", {"ssl.client.auth": "required"}),
        ("SSL://0.0.0.0:9092", {"listener.name.ssl.ssl.client.auth": "required"}),
    ],
)
def test_clients_that_prove_who_they_are_may_come_from_anywhere(text, properties):
    assert ServerConfig(properties, listen=[text]).listeners


def test_a_listener_that_asks_for_no_certificate_is_one_for_strangers_whatever_others_ask_for():
    properties = {"ssl.client.auth": "required", "listener.name.ssl.ssl.client.auth": "none"}
    with pytest.raises(ConfigError, match="--insecure"):
        ServerConfig(properties, listen=["SSL://0.0.0.0:9092"])


def test_listeners_have_names_protocols_and_advertised_addresses():
    inside, outside = parse_listeners(
        "INSIDE://:9092,OUTSIDE://0.0.0.0:9093,CONTROLLER://:9094",
        "outside://kafka.example.org",
        "INSIDE:PLAINTEXT,OUTSIDE:SASL_SSL",
        frozenset({"CONTROLLER"}),
    )
    assert inside == ListenerConfig("INSIDE", "PLAINTEXT", "", 9092)
    assert outside == ListenerConfig(
        "OUTSIDE", "SASL_SSL", "0.0.0.0", 9093, "kafka.example.org", 9093
    )
    assert (outside.has_sasl, outside.has_tls, inside.has_sasl) == (True, True, False)


@pytest.mark.parametrize(
    ("listeners", "advertised", "protocols"),
    [
        ("A://:1", "", ""),
        ("PLAINTEXT://:1,PLAINTEXT://:2", "", ""),
        ("PLAINTEXT://:1", "SSL://x:1", ""),
        ("PLAINTEXT://:1", "PLAINTEXT://0.0.0.0:1", ""),
        ("PLAINTEXT://:1", "PLAINTEXT://:1", ""),
        ("A://:1", "", "A:TELNET"),
        ("A://:1", "", "A"),
        ("", "", ""),
    ],
)
def test_listeners_that_do_not_fit_together_are_refused(listeners, advertised, protocols):
    with pytest.raises(ConfigError):
        parse_listeners(listeners, advertised, protocols)


def test_a_server_properties_of_kafka_is_taken(tmp_path, caplog):
    path = tmp_path / "server.properties"
    path.write_text(
        "# Kafka's own example, in part\n"
        "process.roles=broker,controller\n"
        "node.id=1\n"
        "controller.quorum.voters=1@localhost:9093\n"
        "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
        "inter.broker.listener.name=PLAINTEXT\n"
        "controller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,\\\n"
        "    SSL:SSL\n"
        "num.network.threads = 3\n"
        "log.dirs: /tmp/kraft-logs\n"
        "num.partitions 3\n"
        "\n"
        "log.retention.hours=168\n"
        "zookeeper.connect=localhost:2181\n"
    )
    with caplog.at_level(logging.WARNING):
        config = ServerConfig(read_properties_file(path))
    assert [listener.name for listener in config.listeners] == ["PLAINTEXT"]
    assert config.node_id == 1
    assert config.integer("num.partitions") == 3
    assert config.folder == "/tmp/kraft-logs"
    assert caplog.messages == []


def test_names_that_nobody_knows_are_ignored_with_one_warning(caplog):
    with caplog.at_level(logging.WARNING):
        ServerConfig({"my.own.thing": "1", "an.other": "2", "remote.log.x": "3"})
    assert caplog.messages == ["configs that are not known are ignored: an.other, my.own.thing"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("log.retenton.hours", "log.retention.hours"),
        ("ssl.keystore.locaton", "ssl.keystore.location"),
        ("sasl.enabled.mechanism", "sasl.enabled.mechanisms"),
        ("num.partitons", "num.partitions"),
        ("listener.name.sasl_ssl.ssl.keystore.locaton", "ssl.keystore.location"),
    ],
)
def test_a_misspelt_name_is_told_with_the_one_that_is_meant(caplog, given, meant):
    with caplog.at_level(logging.WARNING):
        ServerConfig({given: "1"})
    assert caplog.messages == [
        f"configs that are not known are ignored: {given} (did you mean {meant}?)"
    ]


KAFKAS_OWN = [
    "alter.log.dirs.replication.quota.window.num",
    "controller.quota.window.num",
    "group.share.max.session.timeout.ms",
    "group.share.min.session.timeout.ms",
    "group.share.min.heartbeat.interval.ms",
    "group.streams.max.heartbeat.interval.ms",
    "group.streams.max.session.timeout.ms",
    "group.streams.session.timeout.ms",
    "group.streams.min.heartbeat.interval.ms",
    "group.share.heartbeat.interval.ms",
    "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config",
    "log.cleaner.io.buffer.size",
    "listener.name.sasl_ssl.ssl.keystore.location",
    "log.flush.scheduler.interval.ms",
    "log.local.retention.bytes",
    "log.local.retention.ms",
    "log.message.timestamp.difference.max.ms",
    "metadata.log.segment.bytes",
    "num.replica.fetchers",
    "remote.log.reader.threads",
    "replica.socket.receive.buffer.bytes",
    "replication.quota.window.size.seconds",
    "sasl.server.callback.handler.class",
    "share.coordinator.state.topic.num.partitions",
    "ssl.keymanager.algorithm",
    "transaction.state.log.load.buffer.size",
]


def test_names_of_kafkas_that_resemble_known_ones_are_taken_in_silence(caplog):
    with caplog.at_level(logging.WARNING):
        ServerConfig(dict.fromkeys(KAFKAS_OWN, "1"))
    assert caplog.messages == []


@pytest.mark.parametrize("name", ["listeners", "advertised.listeners"])
def test_ports_of_all_brokers_are_ports(name):
    properties = {"listeners": "PLAINTEXT://127.0.0.1:1", name: "PLAINTEXT://127.0.0.1:65533"}
    assert ServerConfig(properties, node_count=3).listeners
    with pytest.raises(ConfigError, match=f"{name}: 4 brokers take the ports 65533 to 65536"):
        ServerConfig(properties, node_count=4)


@pytest.mark.parametrize("text", ["9308", "127.0.0.1", "127.0.0.1:99999"])
def test_metrics_have_an_address_with_a_port(text):
    with pytest.raises(ConfigError, match="--metrics"):
        ServerConfig(metrics_address=text)
    assert ServerConfig(metrics_address=":9308").metrics_address == ("127.0.0.1", 9308)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num.partitions", "many"),
        ("auto.create.topics.enable", "yes"),
        ("node.id", "-1"),
        ("log.cleaner.min.cleanable.ratio", "x"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(name, value):
    with pytest.raises(ConfigError, match=name):
        ServerConfig({name: value})


@pytest.mark.parametrize("count", [0, -1, 101])
def test_there_are_1_to_100_virtual_brokers(count):
    with pytest.raises(ConfigError):
        ServerConfig(node_count=count)


def test_every_config_of_the_table_can_be_read_and_written():
    config = ServerConfig()
    for name, known in broker_configs().items():
        text = config.text(name)
        if config[name] is not None:
            assert known.definition.parse(text) == config[name]


def test_a_request_may_always_hold_the_largest_batch():
    config = ServerConfig({"message.max.bytes": "50000000", "socket.request.max.bytes": "1000"})
    assert config.max_request_bytes > 50_000_000


def test_a_change_counts_over_what_was_given_and_goes_again():
    config = ServerConfig({"max.connections": "5"})
    config.change({"max.connections": "6"})
    assert config.integer("max.connections") == 6
    config.change({})
    assert config.integer("max.connections") == 5


# ---- what new topics get ----


def test_every_synonym_names_a_config_on_both_sides():
    for topic_name, synonyms in SYNONYMS.items():
        assert topic_name in TOPIC_CONFIGS
        for name, _ in synonyms:
            assert name in broker_configs()


def test_new_topics_get_what_differs_from_their_defaults():
    config = ServerConfig(
        {"log.retention.minutes": "10", "log.segment.bytes": "1073741824", "log.roll.hours": "1"}
    )
    assert topic_defaults(config) == {"retention.ms": "600000", "segment.ms": "3600000"}
    assert topic_defaults(ServerConfig()) == {}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"log.retention.hours": "1", "log.retention.ms": "5"}, "5"),
        ({"log.retention.hours": "-1"}, "-1"),
        ({"log.retention.ms": "-1", "log.retention.hours": "3"}, "-1"),
    ],
)
def test_the_finest_unit_counts(properties, expected):
    assert topic_defaults(ServerConfig(properties))["retention.ms"] == expected
