"""Writes docs/reference/server_config.md from the server's tables and the parser of `pylog serve`.

python tests/docs/server_config_reference.py  # test_server_config_reference.py: when it is due
"""

import argparse
import ast
import runpy
import textwrap
from pathlib import Path

from pylog.cli.serve import build_parser
from pylog.server.config import BrokerConfig, broker_configs
from pylog.server.config_entries import GROUP_CONFIGS
from pylog.server.config_table import ELSEWHERE
from pylog.server.topic_defaults import SYNONYMS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "server_config.md"
SOURCES = ROOT / "src" / "pylog" / "server"
TOPIC_EFFECTS = runpy.run_path(str(Path(__file__).with_name("config_reference.py")))[
    "TOPIC_EFFECTS"
]

# What each property does; those that are neither here nor the default of a topic do nothing.
EFFECTS = {
    "listeners": "where to listen: `NAME://HOST:PORT`; port 0 takes a free one",
    "advertised.listeners": "what clients are told to connect to",
    "listener.security.protocol.map": "the protocol of a listener whose name is none: "
    "`EXTERNAL:SASL_SSL`",
    "node.id": "of the first virtual broker",
    "broker.id": "the same, where `node.id` is not given",
    "broker.rack": "what clients are told",
    "log.dirs": "the folder, one; the command line's counts first",
    "log.dir": "the same, where `log.dirs` is not given",
    "auto.create.topics.enable": "whether a topic that a client names is made; without it as the "
    "folder says",
    "num.partitions": "of topics that are made without saying; without it as the folder says",
    "default.replication.factor": "likewise: what clients are told, there is one copy",
    "delete.topic.enable": "whether clients may delete topics",
    "message.max.bytes": "largest batch: `max.message.bytes` of new topics; and a request may "
    "always hold one",
    "socket.request.max.bytes": "largest request",
    "socket.listen.backlog.size": "connections that the kernel holds until they are taken",
    "queued.max.request.bytes": "memory for requests that come in, in all; beyond, clients wait; "
    "0 or less for no limit",
    "max.connections": "connections in all; one more is closed",
    "max.connections.per.ip": "of one address, but those of the loopback interface",
    "connections.max.idle.ms": "after which silence a connection is closed; below 0 never",
    "fetch.max.bytes": "largest answer to a Fetch, but for the first batch",
    "max.incremental.fetch.session.cache.slots": "fetch sessions at a time",
    "group.initial.rebalance.delay.ms": "how long the first members of a group wait for others",
    "group.min.session.timeout.ms": "of what a member may ask for",
    "group.max.session.timeout.ms": "of what a member may ask for",
    "group.max.size": "members of a group, 1000 at most",
    "group.coordinator.rebalance.protocols": "without `consumer` the newer protocol is refused",
    "group.consumer.assignors": "which of `uniform` and `range` members may choose, the default "
    "first",
    "group.consumer.heartbeat.interval.ms": "what members are told, where their group has none of "
    "its own",
    "group.consumer.session.timeout.ms": "after which silence a member is put out, likewise",
    "group.consumer.min.heartbeat.interval.ms": "of what a group may be given",
    "group.consumer.max.heartbeat.interval.ms": "of what a group may be given",
    "group.consumer.min.session.timeout.ms": "of what a group may be given",
    "group.consumer.max.session.timeout.ms": "of what a group may be given",
    "group.consumer.max.size": "members of a group of the newer protocol",
    "offset.metadata.max.bytes": "of the text that is committed with an offset, in UTF-16 units",
    "offsets.retention.minutes": "how long offsets of groups without members are kept",
    "offsets.retention.check.interval.ms": "how often the server looks for old ones",
    "transaction.max.timeout.ms": "the longest timeout that a producer may ask for",
    "quota.window.num": "windows that a rate is measured over",
    "quota.window.size.seconds": "and how long one is",
    "sasl.enabled.mechanisms": "what clients may say who they are with",
    "sasl.server.max.receive.size": "largest request of a client that has yet to say who it is",
    "connection.failed.authentication.delay.ms": "how long a client that failed waits for the "
    "answer",
    "connections.max.reauth.ms": "after which time a client has to prove anew who it is; 0 never",
    "ssl.keystore.location": "PEM file of the certificates and the key",
    "ssl.keystore.certificate.chain": "the certificates, in line",
    "ssl.keystore.key": "the key, in line",
    "ssl.keystore.type": "PEM; another is refused",
    "ssl.key.password": "of an encrypted key",
    "ssl.truststore.location": "PEM file of the authorities for clients",
    "ssl.truststore.certificates": "the same, in line",
    "ssl.truststore.type": "PEM; another is refused",
    "ssl.client.auth": "`none`, `requested`, `required`: whether clients show a certificate",
    "ssl.principal.mapping.rules": "from the subject of a certificate to a user",
    "ssl.enabled.protocols": "versions of TLS that are spoken",
    "ssl.cipher.suites": "OpenSSL's names, for TLS 1.2",
    "authorizer.class.name": "anything: what no ACL allows is denied, on every listener",
    "super.users": "who may do everything: `User:admin;User:other`",
    "allow.everyone.if.no.acl.found": "whether what no ACL is about is open to all",
}

# Literals in the code that names are made of.
STEMS = {
    "group.consumer.min.": {
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.min.session.timeout.ms",
    },
    "group.consumer.max.": {
        "group.consumer.max.heartbeat.interval.ms",
        "group.consumer.max.session.timeout.ms",
    },
    "ssl.keystore": {"ssl.keystore.type"},
    "ssl.truststore": {"ssl.truststore.type"},
}
UNITS = {1: "", 60_000: ", in minutes", 3_600_000: ", in hours"}

HEAD = """\
# Configuration of the server

<!-- Written by tests/docs/server_config_reference.py from tables and the parser in the code. -->

[A server](../guides/server.md) says how it is used. Properties have Kafka 4.3's names, types and
defaults, so that a `server.properties` moves over as it is.

## `pylog serve`

"""
PROPERTIES = """\
## Properties

From `--props FILE`, `--override NAME=VALUE`, or `properties=` of `pylog.testing.Server`. A value
that is none of its type is an error; a name that nobody knows is ignored with a warning. Where
*change* says yes, clients may change it while the server runs (`kafka-configs --entity-type
brokers`): that counts at once and is kept in the folder, but `ssl.*` counts from the next start on
(a file that is renewed in its place, at once), and `listeners` and `listener.security.protocol.map`
are what the server was started with.

"""
LISTENERS = """
A listener may have its own `sasl.enabled.mechanisms` and `ssl.*`, behind `listener.name.` and its
name in small letters: `listener.name.external.ssl.client.auth`. `plain.sasl.jaas.config`, with or
without that, names users of PLAIN and their passwords. Listeners that `controller.listener.names`
names are left out.

## Defaults of new topics

What is given here, and differs from the topic's own default, a new topic gets as a config of its
own; topics that are there keep theirs. Of several the first that is given counts. What each does is
said [there](config.md#topics).

"""
GROUPS = """
## Groups

`kafka-configs --entity-type groups` gives a group of the newer protocol its own:

"""
INERT = """
## Without effect

Taken, checked against their type, and shown by DescribeConfigs; they do nothing here:

"""
STRANGERS = """
Most of what begins with one of these is about what a folder does not have (copies of data, a
quorum, tiered storage, share groups). It is taken without a word, and not shown:

"""


def read_by_server() -> set[str]:
    """Properties that the server's code names, but for those that are defaults of topics."""
    literals: set[str] = set()
    for path in SOURCES.rglob("*.py"):
        if path.name not in ("config_table.py", "topic_defaults.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    literals.add(node.value)
    derived = [names for stem, names in STEMS.items() if stem in literals]
    return (literals & broker_configs().keys()).union(*derived)


def topic_synonyms() -> dict[str, tuple[str, str]]:
    """The topic's config that a property is the default of, and the unit it has."""
    return {
        name: (topic_name, UNITS[unit])
        for topic_name, synonyms in SYNONYMS.items()
        for name, unit in synonyms
    }


def inert() -> list[str]:
    """Properties that do nothing."""
    return sorted(broker_configs().keys() - EFFECTS.keys() - topic_synonyms().keys())


def option_rows() -> list[str]:
    """A table of the command's options."""
    rows = ["| option | what it does |", "|---|---|"]
    for action in build_parser()._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        names = list(action.option_strings) or [str(action.metavar)]
        value = str(action.metavar or "").replace("|", "\\|")
        if action.choices:
            value = "\\|".join(action.choices)
        elif action.type is int and not value:
            value = action.dest.upper()
        if action.option_strings and value:
            names[-1] += f" {value}"
        rows.append(f"| {', '.join(f'`{name}`' for name in names)} | {action.help} |")
    return rows


def default_of(config: BrokerConfig) -> str:
    """A default as a server.properties has it."""
    definition = config.definition
    if definition.default is None:
        return ""
    return definition.format(definition.default).replace(",", ", ")


def property_row(name: str, *more: str) -> str:
    """One line of a table."""
    config = broker_configs()[name]
    change = "yes" if config.is_dynamic else ""
    return f"| {' | '.join((f'`{name}`', config.kind, default_of(config), change, *more))} |"


def topic_rows() -> list[str]:
    """A table of the defaults of new topics."""
    rows = [
        "| property | type | default | change | config of a topic | here |",
        "|---|---|---|---|---|---|",
    ]
    for name, (topic_name, unit) in topic_synonyms().items():
        here = "yes" if topic_name in TOPIC_EFFECTS else "kept, no effect yet"
        rows.append(property_row(name, f"`{topic_name}`{unit}", here))
    return rows


def group_rows() -> list[str]:
    """A table of the configs of groups."""
    rows = ["| config | in place of |", "|---|---|"]
    return rows + [f"| `{name}` | `{of}` |" for name, of in GROUP_CONFIGS.items()]


def page() -> str:
    """The whole page."""
    rows = ["| property | type | default | change | what it does here |", "|---|---|---|---|---|"]
    rows += [property_row(name, effect) for name, effect in EFFECTS.items()]
    inert_rows = ["| property | type | default | change |", "|---|---|---|---|"]
    inert_rows += [property_row(name) for name in inert()]
    prefixes = textwrap.fill(", ".join(f"`{prefix}`" for prefix in ELSEWHERE), 100)
    parts = (
        HEAD, "\n".join(option_rows()), "\n\n", PROPERTIES, "\n".join(rows), "\n", LISTENERS,
        "\n".join(topic_rows()), "\n", GROUPS, "\n".join(group_rows()), "\n", INERT,
        "\n".join(inert_rows), "\n", STRANGERS, prefixes, ".\n",
    )  # fmt: skip
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
