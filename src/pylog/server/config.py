"""ServerConfig: what a server is started with: flags, and Kafka's server.properties."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from logcore.config_def import LONG_MAX, ConfigDef, ConfigError, ConfigType, ConfigValue
from pylog.server.config_table import ELSEWHERE, PLUGINS, TABLE
from pylog.server.listener_config import MAX_PORT, ListenerConfig, parse_address, parse_listeners

_log = logging.getLogger("pylog.server")

MAX_NODES = 100
MAX_IN_FLIGHT = 100
"""Requests of one connection that are worked on at a time."""

REQUEST_RECEIVE_S = 30.0
AUTHENTICATION_S = 10.0

MIN_LIKENESS = 0.9
MAX_MISSPELT = 2
"""How near a name is to the known one that is meant: difflib's ratio, and letters more or less.

Kafka has names that differ by a whole word, such as group.share.min.session.timeout.ms.
"""

_LISTENER_PREFIX = re.compile(r"listener\.name\.[^.]+\.")
_PROPERTY = re.compile(r"([^\s=:]*)\s*[=:]?\s*(.*)")

_TYPES = {
    "boolean": ConfigType.BOOLEAN,
    "string": ConfigType.STRING,
    "int": ConfigType.INT,
    "short": ConfigType.INT,
    "long": ConfigType.LONG,
    "double": ConfigType.DOUBLE,
    "list": ConfigType.LIST,
    "class": ConfigType.STRING,
    "password": ConfigType.STRING,
}


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """One config of the server.

    Attributes:
        definition: its name, type and default.
        kind: Kafka's type, as in the table: password, short and class beside the others.
        is_dynamic: whether it may be changed while the server runs.
    """

    definition: ConfigDef
    kind: str
    is_dynamic: bool

    @property
    def is_sensitive(self) -> bool:
        """Whether its value is told to nobody."""
        return self.kind == "password"


@cache
def broker_configs() -> Mapping[str, BrokerConfig]:
    """Every config of the server by name."""
    found = {}
    for line in (TABLE + PLUGINS).replace("\\\n", "").strip().splitlines():
        if not line:
            continue
        name, kind, text, *flags = line.split()
        text = str(LONG_MAX) if text == "max" else "" if text == "-" else text
        is_text = _TYPES[kind] in (ConfigType.STRING, ConfigType.LIST)
        plain = ConfigDef(name, _TYPES[kind], None, "")
        default = plain.parse(text) if text or is_text else None
        found[name] = BrokerConfig(ConfigDef(name, _TYPES[kind], default, ""), kind, bool(flags))
    return found


def _find_near(name: str) -> str:
    """The known name that one which is not known is likely to stand for, empty if there is none."""
    if name in broker_configs():
        return ""
    from difflib import get_close_matches  # a server that knows all its names need not load it

    alike = [known for known in broker_configs() if abs(len(known) - len(name)) <= MAX_MISSPELT]
    return next(iter(get_close_matches(name, alike, 1, MIN_LIKENESS)), "")


def read_properties_file(path: str) -> dict[str, str]:
    """Read a file of Java properties: `name=value`, comments, lines that go on after a backslash.

    Raises:
        OSError: it cannot be read.
    """
    properties = {}
    line = ""
    with open(path, encoding="utf-8", errors="replace") as file:
        for part in file:
            line += part.strip()
            if line.endswith("\\"):
                line = line[:-1]
                continue
            if line and line[0] not in "#!":
                match = _PROPERTY.fullmatch(line)
                assert match is not None, "it matches everything"
                properties[match[1]] = match[2]
            line = ""
    return properties


class ServerConfig:
    """What a server is started with. `config["num.partitions"]` is a value of its own type.

    Args:
        properties: as a server.properties has them, as text. Those that are not known are ignored,
            with one warning.
        listen: where to listen, `[PROTOCOL://]HOST:PORT`; in place of `listeners`.
        advertised: what clients are told; in place of `advertised.listeners`.
        node_count: how many virtual brokers to be.
        is_insecure: whether everybody who can connect may be served.
        metrics_address: `HOST:PORT` for Prometheus, None for none.

    Attributes:
        static: what was given, as text, known or not.
        dynamic: what was changed while a server ran, as text; over what was given.
        listeners: where to listen.
        node_id: of the first virtual broker.

    Raises:
        ConfigError: a value is wrong.
    """

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        *,
        listen: Sequence[str] = (),
        advertised: Sequence[str] = (),
        node_count: int = 1,
        is_insecure: bool = False,
        metrics_address: str | None = None,
    ) -> None:
        self.static = dict(properties or {})
        self.dynamic: dict[str, str] = {}
        if listen:
            self.static["listeners"] = ",".join(listen)
            self.static.pop("advertised.listeners", None)
        if advertised:
            self.static["advertised.listeners"] = ",".join(advertised)
        if not 1 <= node_count <= MAX_NODES:
            raise ConfigError("brokers", node_count, f"Value must be between 1 and {MAX_NODES}")
        self.node_count = node_count
        self.is_insecure = is_insecure
        self.metrics_address: tuple[str, int] | None = None
        if metrics_address:
            _, host, port = parse_address(metrics_address, "--metrics")
            if port is None:
                raise ConfigError(
                    "--metrics", metrics_address, "Expected HOST:PORT, such as 127.0.0.1:9308"
                )
            self.metrics_address = host or "127.0.0.1", port
        self._values: dict[str, ConfigValue] = {}
        for name, text in self.static.items():
            if name in broker_configs():
                self._values[name] = broker_configs()[name].definition.parse(text)
        self._warn_of_strangers()
        self.listeners = parse_listeners(
            self.static.get("listeners") or self.text("listeners"),
            self.text("advertised.listeners"),
            self.text("listener.security.protocol.map"),
            frozenset(self.static.get("controller.listener.names", "").upper().split(",")),
        )
        self.node_id = self._find_node_id()
        for listener in self.listeners:
            self._check_ports(listener)
            self._check_exposure(listener)

    def _warn_of_strangers(self) -> None:
        strangers = []
        for name in sorted(self.static):
            known = _find_near(_LISTENER_PREFIX.sub("", name))
            if known:
                strangers.append(f"{name} (did you mean {known}?)")
            elif name not in broker_configs() and not name.startswith(ELSEWHERE):
                strangers.append(name)
        if strangers:
            _log.warning("configs that are not known are ignored: %s", ", ".join(strangers))

    def _find_node_id(self) -> int:
        name = "node.id" if "node.id" in self.static else "broker.id"
        node_id = self.integer(name)
        if not 0 <= node_id <= 2**31 - 1 - MAX_NODES:
            raise ConfigError(name, node_id, "Value must be at least 0")
        return node_id

    def _check_ports(self, listener: ListenerConfig) -> None:
        """Refuse ports for all nodes that go past the last one there is."""
        for name, first in (
            ("listeners", listener.port),
            ("advertised.listeners", listener.advertised_port),
        ):
            last = first + self.node_count - 1
            if first and last > MAX_PORT:
                raise ConfigError(
                    name,
                    first,
                    f"{self.node_count} brokers take the ports {first} to {last}, and ports end at "
                    f"{MAX_PORT}",
                )

    def _check_exposure(self, listener: ListenerConfig) -> None:
        """Refuse to serve strangers unasked."""
        proves_itself = listener.has_sasl or (
            listener.has_tls and self.listener_text(listener, "ssl.client.auth") == "required"
        )
        if self.is_insecure or listener.is_loopback:
            return
        where = f"{listener.protocol}://{listener.host or '0.0.0.0'}:{listener.port}"
        if not proves_itself:
            raise ConfigError(
                "listeners",
                where,
                "Everybody who reaches this address could read and delete everything. Listen on "
                "127.0.0.1, let clients prove who they are (SASL_SSL), or say --insecure",
            )

    # ---- values ----

    def __getitem__(self, name: str) -> ConfigValue:
        """The value of a config, in its own type."""
        if name in self._values:
            return self._values[name]
        return broker_configs()[name].definition.default

    def integer(self, name: str) -> int:
        """The value of a config that is a number; 0 when it has none."""
        value = self[name]
        return int(value) if isinstance(value, int | float) else 0

    def flag(self, name: str) -> bool:
        """The value of a config that is true or false."""
        return bool(self[name])

    def items_of(self, name: str) -> tuple[str, ...]:
        """The value of a config that is a list."""
        value = self[name]
        return value if isinstance(value, tuple) else ()

    def text(self, name: str) -> str:
        """The value of a config as text."""
        return broker_configs()[name].definition.format(self[name])

    def listener_text(self, listener: ListenerConfig, name: str) -> str:
        """The value of a config as text for one listener: its own, else that of all."""
        own = self.static.get(f"listener.name.{listener.name.lower()}.{name}")
        return self.text(name) if own is None else own

    def is_set(self, name: str) -> bool:
        """Whether a config has been given, or changed since."""
        return name in self.static or name in self.dynamic

    def change(self, dynamic: Mapping[str, str]) -> None:
        """Take what was changed while a server ran, in place of what had been.

        Raises:
            ConfigError: a value is wrong.
        """
        values: dict[str, ConfigValue] = {}
        for name, text in {**self.static, **dynamic}.items():
            if name in broker_configs():
                values[name] = broker_configs()[name].definition.parse(text)
        self.dynamic = dict(dynamic)
        self._values = values

    @property
    def folder(self) -> str:
        """The folder that log.dirs or log.dir names, empty when they do not."""
        names = self.items_of("log.dirs") or self.items_of("log.dir")
        if len(names) > 1:
            raise ConfigError("log.dirs", ",".join(names), "A server serves one folder")
        return names[0] if names else ""

    # ---- what connections ask for ----

    @property
    def max_in_flight(self) -> int:
        """Requests of one connection that are worked on at a time."""
        return MAX_IN_FLIGHT

    @property
    def max_request_bytes(self) -> int:
        """Largest request; never less than the largest batch, with what is around it."""
        largest_batch = self.integer("message.max.bytes") + (1 << 16)
        return max(self.integer("socket.request.max.bytes"), largest_batch)

    @property
    def max_request_bytes_before_authentication(self) -> int:
        """Largest request of a client that has yet to say who it is."""
        return min(self.integer("sasl.server.max.receive.size"), self.max_request_bytes)

    @property
    def connections_max_idle_s(self) -> float:
        """After which time of silence a connection is closed."""
        idle_ms = self.integer("connections.max.idle.ms")
        return idle_ms / 1000 if idle_ms >= 0 else float("inf")

    @property
    def request_receive_s(self) -> float:
        """How long a request may take to come in, beside what its size takes."""
        return REQUEST_RECEIVE_S

    @property
    def authentication_s(self) -> float:
        """How long a client may take to say who it is."""
        return AUTHENTICATION_S
