"""Configs as the protocol describes them: value, source, type, and what else they could be.

Source: Kafka ConfigHelper, DescribeConfigsResponse.ConfigSource and ConfigType.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from logcore.config import TOPIC_CONFIGS
from logcore.config_def import ConfigDef, ConfigType
from pylog.log_dir import TopicMetadata
from pylog.server.config import ServerConfig, broker_configs
from pylog.server.topic_defaults import SYNONYMS, topic_defaults


class ConfigResourceType(IntEnum):
    """What has configs; the numbers are not those of ResourceType."""

    UNKNOWN = 0
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class Source(IntEnum):
    """Where a value comes from."""

    TOPIC = 1
    BROKER = 2
    ALL_BROKERS = 3
    STATIC = 4
    DEFAULT = 5
    LOGGER = 6
    GROUP = 8


_KINDS = {
    "boolean": 1, "string": 2, "int": 3, "short": 4, "long": 5, "double": 6, "list": 7, "class": 8,
    "password": 9,
}  # fmt: skip
_KIND_OF_TYPE = {kind: _KINDS[kind.value.lower()] for kind in ConfigType}
_UNKNOWN_KIND = 0


@dataclass(slots=True, kw_only=True)
class Entry:
    """One config. `synonyms` are name, value and source of all that its value could be."""

    name: str
    value: str | None
    source: Source
    kind: int = _UNKNOWN_KIND
    is_read_only: bool = False
    is_sensitive: bool = False
    documentation: str | None = None
    synonyms: list[tuple[str, str | None, Source]] = field(default_factory=list)


# ---- topics ----


def describe_topic(topic: TopicMetadata, config: ServerConfig) -> list[Entry]:
    """Every config of a topic, by name."""
    given = topic_defaults(config)
    known = [_topic_entry(topic, config, name, given) for name in _public_topic_configs()]
    strangers = sorted(set(topic.configs) - set(TOPIC_CONFIGS))
    return known + [
        Entry(name=name, value=topic.configs[name], source=Source.TOPIC) for name in strangers
    ]


def _public_topic_configs() -> Iterable[str]:
    return (name for name, known in TOPIC_CONFIGS.items() if not known.is_internal)


def _topic_entry(
    topic: TopicMetadata, config: ServerConfig, name: str, given: Mapping[str, str]
) -> Entry:
    definition = TOPIC_CONFIGS[name]
    default = definition.format(definition.default)
    value = topic.configs.get(name, default)
    source = Source.TOPIC if name in topic.configs else Source.DEFAULT
    if source == Source.TOPIC and name in given and _is_same(definition, value, given[name]):
        source = _broker_source(config, [synonym for synonym, _ in SYNONYMS[name]])
    entry = Entry(
        name=name,
        value=value,
        source=source,
        kind=_KIND_OF_TYPE[definition.type],
        documentation=definition.doc or None,
    )
    if source == Source.TOPIC:
        entry.synonyms.append((name, value, source))
    for synonym, _ in SYNONYMS.get(name, ()):
        entry.synonyms += _broker_synonyms(config, synonym)
    return entry


def _is_same(definition: ConfigDef, one: str, other: str) -> bool:
    return definition.parse(one) == definition.parse(other)


# ---- brokers ----


def describe_broker(config: ServerConfig, overrides: Mapping[str, str]) -> list[Entry]:
    """Every config of the server.

    Args:
        config: of the server.
        overrides: values that others decide: the folder, and the sockets that were bound.
    """
    entries = []
    documentation = _broker_documentation()
    for name, known in broker_configs().items():
        is_set = config.is_set(name)
        value: str | None = overrides.get(name)
        if value is None:
            value = config.text(name) if config[name] is not None else None
        source = _broker_source(config, [name]) if is_set else Source.DEFAULT
        if name in overrides and not is_set:
            source = Source.STATIC
        entry = Entry(
            name=name,
            value=None
            if known.is_sensitive
            else (value or None if _is_text(known.kind) else value),
            source=source,
            kind=_KINDS[known.kind],
            is_read_only=not known.is_dynamic,
            is_sensitive=known.is_sensitive,
            documentation=documentation.get(name),
        )
        if not known.is_sensitive:
            entry.synonyms = _broker_synonyms(config, name)
        entries.append(entry)
    strangers = sorted(set(config.dynamic) - set(broker_configs()))
    return entries + [
        # What it is nobody knows; it might be a secret.
        Entry(name=name, value=None, source=Source.BROKER, is_sensitive=True)
        for name in strangers
    ]


def describe_all_brokers(changed: Mapping[str, str]) -> list[Entry]:
    """What was changed for all brokers of the cluster at once."""
    entries = []
    for name, value in sorted(changed.items()):
        known = broker_configs().get(name)
        is_sensitive = known is None or known.is_sensitive
        entries.append(
            Entry(
                name=name,
                value=None if is_sensitive else value,
                source=Source.ALL_BROKERS,
                kind=_UNKNOWN_KIND if known is None else _KINDS[known.kind],
                is_sensitive=is_sensitive,
                synonyms=[] if is_sensitive else [(name, value, Source.ALL_BROKERS)],
            )
        )
    return entries


def _broker_documentation() -> dict[str, str]:
    """What is said of the topic configs, of those that are their defaults."""
    return {
        synonym: f"For topics without a {name} of their own. {TOPIC_CONFIGS[name].doc}"
        for name, synonyms in SYNONYMS.items()
        for synonym, _ in synonyms
        if TOPIC_CONFIGS[name].doc
    }


def _is_text(kind: str) -> bool:
    return kind in ("string", "class")


def _broker_source(config: ServerConfig, names: Iterable[str]) -> Source:
    return Source.BROKER if any(name in config.dynamic for name in names) else Source.STATIC


def _broker_synonyms(config: ServerConfig, name: str) -> list[tuple[str, str | None, Source]]:
    found: list[tuple[str, str | None, Source]] = []
    known = broker_configs()[name]
    if name in config.dynamic:
        found.append((name, config.dynamic[name], Source.BROKER))
    if name in config.static:
        found.append((name, config.static[name], Source.STATIC))
    default = known.definition.default
    if default is not None and (default != "" or not _is_text(known.kind)):
        found.append((name, known.definition.format(default), Source.DEFAULT))
    return found


# ---- groups ----

GROUP_CONFIGS: Mapping[str, str] = {
    "consumer.heartbeat.interval.ms": "group.consumer.heartbeat.interval.ms",
    "consumer.session.timeout.ms": "group.consumer.session.timeout.ms",
}
"""Configs of a group: the config of the server that each has the value of while it is not set."""


def describe_group(changed: Mapping[str, str], config: ServerConfig) -> list[Entry]:
    """Every config of a group of the consumer protocol."""
    entries = []
    for name, broker_name in GROUP_CONFIGS.items():
        default = config.text(broker_name)
        is_set = name in changed
        entry = Entry(
            name=name,
            value=changed.get(name, default),
            source=Source.GROUP if is_set else Source.DEFAULT,
            kind=_KINDS["int"],
        )
        if is_set:
            entry.synonyms.append((name, changed[name], Source.GROUP))
        entry.synonyms += _broker_synonyms(config, broker_name)
        entries.append(entry)
    return entries


# ---- loggers ----

ROOT_LOGGER = "root"
LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
_NAMES_OF_LEVELS = {number: name for name, number in LEVELS.items() if name != "TRACE"}


def known_loggers() -> list[str]:
    """Names of the loggers whose level can be set: all of pylog's, and the root."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "pylog"]
    return [ROOT_LOGGER, *sorted(names)]


def describe_loggers() -> list[Entry]:
    """The level of every logger."""
    entries = []
    for name in known_loggers():
        level = logging.getLogger(None if name == ROOT_LOGGER else name).getEffectiveLevel()
        value = _NAMES_OF_LEVELS.get(level, str(level))
        entries.append(Entry(name=name, value=value, source=Source.LOGGER, documentation=""))
    return entries
