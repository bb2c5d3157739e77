"""Client configuration: librdkafka's property names to typed, checked values.

A configuration is a dict of dotted names, as in confluent_kafka. Values may be text or Python
values. An unknown name is an error that names the nearest known one; a known one that means
nothing on a folder is checked and kept. The properties are in config_table.py. Where
`bootstrap.servers` is given, librdkafka checks the rest itself: see pylog.remote.

Our own: `log.dir` (the folder, where a cluster has bootstrap.servers), `busy.poll` (a consumer
spins for new messages instead of sleeping) and `read.only` (open a folder that may not be written).

>>> config = parse("producer", {"log.dir": "/data/log", "linger.ms": "20", "acks": "all"})
>>> config["linger.ms"], config["queue.buffering.max.ms"], config["acks"], config["batch.size"]
(20.0, 20.0, -1, 1000000)
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pylog import config_table
from pylog.errors import KafkaError, KafkaException
from pylog.partitioner import PARTITIONERS

DEFAULT_LOG_DIR = "pylog-data"
LOG_DIR_VARIABLE = "PYLOG_DIR"
ACKS_ALL = -1
ASSIGNMENT_STRATEGIES = ("range", "roundrobin", "sticky", "cooperative-sticky")

_SECRET = re.compile(r"password|secret|passphrase|\.pem$|sasl\.oauthbearer\.config")
# librdkafka has three words for each; programs compare with Kafka's.
_SAME_RESET = {
    "smallest": "earliest",
    "beginning": "earliest",
    "largest": "latest",
    "end": "latest",
}
_BOOL_WORDS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)")


@dataclass(frozen=True, slots=True)
class Property:
    """One client property.

    Attributes:
        name: dotted name; aliases are in config_table.
        kind: how its value is read, see config_table.
        default: typed, None where there is none.
        allowed: range `low..high` or comma-separated words, "" when anything will do.
    """

    name: str
    kind: str
    default: Any
    allowed: str

    @property
    def is_secret(self) -> bool:
        """Whether its value must not be printed."""
        return _SECRET.search(self.name) is not None

    def parse(self, value: object, name: str) -> Any:
        """Return `value` as this property's type.

        Args:
            value: text or a Python value.
            name: the name the caller used, for the message.

        Raises:
            KafkaException: _INVALID_ARG, in librdkafka's words.
            TypeError: a callback that cannot be called.
        """
        return _PARSERS[self.kind](self, value, name)


# ---- values -------------------------------------------------------------------------------------


def _refuse(message: str) -> NoReturn:
    raise KafkaException(KafkaError(KafkaError._INVALID_ARG, message))


def _refuse_empty(kind: str, name: str) -> NoReturn:
    label = f"{kind} configuration" if kind else "Configuration"
    _refuse(f'{label} property "{name}" cannot be set to empty value')


def _check_range(prop: Property, number: float, shown: str, name: str) -> None:
    low, high = prop.allowed.split("..")
    if not float(low) <= number <= float(high):
        _refuse(
            f'Configuration property "{name}" value {shown} is outside allowed range {low}..{high}'
        )


def _parse_int(prop: Property, value: object, name: str) -> int:
    if value is None or value == "":
        _refuse_empty("Integer", name)
    number = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and len(value) < 64 and _INTEGER.fullmatch(value.strip()):
        text = value.strip()
        number = int(text, 16 if "x" in text.lower() else 10)
    if number is None:
        _refuse(f'Invalid value for configuration property "{name}"')
    _check_range(prop, number, str(number), name)
    return number


def _parse_acks(prop: Property, value: object, name: str) -> int:
    if isinstance(value, str) and value.strip().lower() == "all":
        return ACKS_ALL
    return _parse_int(prop, value, name)


def _parse_float(prop: Property, value: object, name: str) -> float:
    if value is None or value == "":
        _refuse_empty("Float", name)
    number = None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = None
    if number is None:
        _refuse(f'Invalid value for configuration property "{name}"')
    _check_range(prop, number, f"{number:g}", name)
    return number


def _parse_bool(prop: Property, value: object, name: str) -> bool:
    if value is None or value == "":
        _refuse(f'Bool configuration property "{name}" cannot be set to empty value')
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word not in _BOOL_WORDS:
        _refuse(f'Expected bool value for "{name}": true or false')
    return _BOOL_WORDS[word]


def _parse_str(prop: Property, value: object, name: str) -> str | None:
    if value is None:
        return None if prop.default is None else str(prop.default)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)


def _words(prop: Property, value: object, name: str) -> list[str]:
    """The words of a list or of comma-separated text, as the table spells them."""
    if value is None or value == "":
        _refuse_empty("", name)
    known = {word.lower(): word for word in prop.allowed.split(",")}
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    given = [str(word).strip() for word in parts]
    for word in given:
        if word and word.lower() not in known:
            _refuse(f'Invalid value "{word}" for configuration property "{name}"')
    return [known[word.lower()] for word in given if word]


def _parse_enum(prop: Property, value: object, name: str) -> str:
    words = _words(prop, value, name)
    if len(words) != 1:
        _refuse(f'Invalid value "{value}" for configuration property "{name}"')
    return _SAME_RESET.get(words[0], words[0]) if prop.name == "auto.offset.reset" else words[0]


def _parse_flags(prop: Property, value: object, name: str) -> tuple[str, ...]:
    return tuple(_words(prop, value, name))


def _parse_patterns(prop: Property, value: object, name: str) -> tuple[str, ...]:
    patterns = tuple(part.strip() for part in str(value or "").split(",") if part.strip())
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            _refuse(f'Failed to parse pattern "{pattern}": {error}')
    return patterns


def _parse_partitioner(
    prop: Property, value: object, name: str
) -> str | Callable[[bytes | None, int], int]:
    if callable(value):
        return value
    if not isinstance(value, str) or value not in PARTITIONERS:
        _refuse(f'Invalid value for configuration property "{name}": {value}')
    return value


def _parse_callback(prop: Property, value: object, name: str) -> object:
    if value is not None and not callable(value):
        if prop.name in ("on_delivery", "on_commit"):
            _refuse(f"{name} requires a callable object")
        raise TypeError(f"expected {name} property as a callable function")
    return value


def _parse_object(prop: Property, value: object, name: str) -> object:
    return value


_PARSERS: dict[str, Callable[[Property, object, str], Any]] = {
    "acks": _parse_acks,
    "bool": _parse_bool,
    "callback": _parse_callback,
    "enum": _parse_enum,
    "flags": _parse_flags,
    "float": _parse_float,
    "int": _parse_int,
    "object": _parse_object,
    "partitioner": _parse_partitioner,
    "patterns": _parse_patterns,
    "str": _parse_str,
}


# ---- tables -------------------------------------------------------------------------------------


def _read_table(text: str) -> dict[str, Property]:
    table = {}
    for row in text.split("\n"):
        if row:
            name, kind, default, allowed = row.split()
            prop = Property(name, kind, None, "" if allowed == "-" else allowed)
            if default != "-":
                prop = Property(name, kind, prop.parse(default, name), prop.allowed)
            table[name] = prop
    return table


_COMMON = _read_table(config_table.COMMON)
_PRODUCER_ONLY = _read_table(config_table.PRODUCER)
_CONSUMER_ONLY = _read_table(config_table.CONSUMER)

PROPERTIES: dict[str, Property] = {**_COMMON, **_PRODUCER_ONLY, **_CONSUMER_ONLY}
PRODUCER: dict[str, Property] = {**_COMMON, **_PRODUCER_ONLY}
CONSUMER: dict[str, Property] = {**_COMMON, **_CONSUMER_ONLY}
ADMIN: dict[str, Property] = dict(_COMMON)
_OWN_TABLE = {"producer": PRODUCER, "consumer": CONSUMER, "admin": ADMIN}


class ClientConfig(Mapping[str, Any]):
    """A checked configuration: every property by name or alias, with its default when not set.

    Iterating gives the names that were set.
    """

    __slots__ = ("_values", "kind")

    def __init__(self, kind: str, values: dict[str, Any]) -> None:
        self.kind = kind
        self._values = values

    def __getitem__(self, name: str) -> Any:
        canonical = config_table.ALIASES.get(name, name)
        if canonical in self._values:
            return self._values[canonical]
        return PROPERTIES[canonical].default

    def __contains__(self, name: object) -> bool:
        """Return whether the property was set."""
        return isinstance(name, str) and config_table.ALIASES.get(name, name) in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = {
            name: "[hidden]" if PROPERTIES[name].is_secret else value
            for name, value in self._values.items()
        }
        return f"ClientConfig({self.kind!r}, {shown!r})"


# ---- parsing ------------------------------------------------------------------------------------


def parse(kind: str, conf: Mapping[str, Any]) -> ClientConfig:
    """Return a client's configuration, checked.

    A property of the other kind of client is checked and has no effect, so that one dict can
    serve both. Of a property given twice, by aliases, the later counts.

    Args:
        kind: "producer", "consumer" or "admin".
        conf: values by dotted name; `default.topic.config` may hold a dict of more.

    Raises:
        KafkaException: _INVALID_ARG: an unknown name, a value not allowed, or values that
            contradict each other.
        TypeError: conf is not a mapping, or a callback cannot be called.
    """
    if not isinstance(conf, Mapping):
        raise TypeError("expected configuration dict")
    values: dict[str, Any] = {}
    _parse_into(values, kind, conf)
    config = ClientConfig(kind, values)
    if kind == "producer":
        _check_producer(config)
    elif kind == "consumer":
        _check_consumer(config)
    return config


def _parse_into(values: dict[str, Any], kind: str, conf: Mapping[str, Any]) -> None:
    for given, value in conf.items():
        name = str(given)
        if name == "default.topic.config":
            if not isinstance(value, Mapping):
                raise TypeError("expected default.topic.config property as a dict")
            _parse_into(values, kind, value)
            continue
        prop = PROPERTIES.get(config_table.ALIASES.get(name, name))
        if prop is None:
            _refuse(_describe_unknown(kind, name))
        values[prop.name] = prop.parse(value, name)


def _describe_unknown(kind: str, name: str) -> str:
    if name in config_table.NOT_SETTABLE:
        return f'Property "{name}" must be set through dedicated .._set_..() function'
    message = f'No such configuration property: "{name}"'
    nearest = _nearest_name(kind, name)
    return f'{message}. Did you mean "{nearest}"?' if nearest else message


def _nearest_name(kind: str, name: str) -> str | None:
    import difflib  # only a mistake needs it

    spelled = name.strip().lower()
    if spelled in config_table.JAVA_NAMES:
        return config_table.JAVA_NAMES[spelled]
    dotted = spelled.replace("_", ".")
    for table in (_OWN_TABLE[kind], PROPERTIES):
        aliases = [alias for alias, target in config_table.ALIASES.items() if target in table]
        known = {known.replace("_", "."): known for known in (*aliases, *table)}
        if near := difflib.get_close_matches(dotted, known, n=1, cutoff=0.7):
            return known[near[0]]
    return None


def _check_producer(config: ClientConfig) -> None:
    is_idempotent = config["enable.idempotence"]
    if config["transactional.id"]:
        if "enable.idempotence" in config and not is_idempotent:
            _refuse(
                "Failed to create producer: `transactional.id` requires `enable.idempotence=true`"
            )
        is_idempotent = True
        _check_timeouts(config)
    if not is_idempotent:
        if config["enable.gapless.guarantee"]:
            _refuse(
                "Failed to create producer: `enable.gapless.guarantee` requires "
                "`enable.idempotence` to be enabled"
            )
        return
    because = "when `enable.idempotence` is true"
    # A broker's page cache is what its acks=all speaks of; a folder calls that 1 (ADR 0012).
    if config["acks"] == 0:
        _refuse(f"Failed to create producer: `acks` must be set to `all` or 1 {because}")
    if config["queuing.strategy"] != "fifo":
        _refuse(f"Failed to create producer: `queuing.strategy` must be set to `fifo` {because}")
    in_flight = "max.in.flight.requests.per.connection"
    if in_flight in config and config[in_flight] > 5:
        _refuse(f"Failed to create producer: `max.in.flight` must be set <= 5 {because}")
    if "retries" in config and config["retries"] < 1:
        _refuse(f"Failed to create producer: `retries` must be set >= 1 {because}")


def _check_timeouts(config: ClientConfig) -> None:
    longest_ms = config["transaction.timeout.ms"]
    for name, most_ms, bound in (
        ("message.timeout.ms", longest_ms, "`transaction.timeout.ms`"),
        ("socket.timeout.ms", longest_ms + 100, "`transaction.timeout.ms` + 100"),
    ):
        if name in config and config[name] > most_ms:
            _refuse(f"Failed to create producer: `{name}` must be set <= {bound}")


def _check_consumer(config: ClientConfig) -> None:
    if config["group.protocol"] == "consumer":
        for name in ("session.timeout.ms", "heartbeat.interval.ms"):
            if name in config:
                _refuse(
                    f"Failed to create consumer: `{name}` is not supported for "
                    "`group.protocol=consumer`. It is defined broker side"
                )
    elif config["max.poll.interval.ms"] < config["session.timeout.ms"]:
        _refuse("Failed to create consumer: `max.poll.interval.ms` must be >= `session.timeout.ms`")
    _check_strategies(config["partition.assignment.strategy"] or "")
    if "fetch.max.bytes" in config and config["fetch.max.bytes"] < config["message.max.bytes"]:
        _refuse("Failed to create consumer: `fetch.max.bytes` must be >= `message.max.bytes`")


def _check_strategies(text: str) -> None:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in ASSIGNMENT_STRATEGIES:
            _refuse(f"Failed to create consumer: Unsupported partition.assignment.strategy: {word}")
    if not words or len({word == "cooperative-sticky" for word in words}) > 1:
        _refuse(
            f"Failed to create consumer: All partition.assignment.strategy ({text}) assignors must "
            "have the same protocol type, online migration between assignors with different "
            "protocol types is not supported"
        )


def resolve_log_dir(config: ClientConfig) -> str:
    """Return the folder a client works on.

    `log.dir`, else $PYLOG_DIR, else ./pylog-data.

    Raises:
        KafkaException: _INVALID_ARG when log.dir is empty.
    """
    folder = config["log.dir"]
    if folder is not None:
        if not folder:
            _refuse_empty("", "log.dir")
        return str(folder)
    return os.environ.get(LOG_DIR_VARIABLE) or DEFAULT_LOG_DIR


def message_timeout_ms(config: ClientConfig) -> int:
    """How long a producer's message may wait, 0 for ever; in a transaction no longer than it."""
    timeout_ms: int = config["message.timeout.ms"]
    longest_ms: int = config["transaction.timeout.ms"]
    if config["transactional.id"] and "message.timeout.ms" not in config:
        return min(timeout_ms, longest_ms)
    return timeout_ms
