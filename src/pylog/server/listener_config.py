"""ListenerConfig: where to listen, how safely, and under which address clients are told to come.

listeners=PLAINTEXT://127.0.0.1:9092,SASL_SSL://0.0.0.0:9093
advertised.listeners=SASL_SSL://kafka.example.org:9093
listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:SASL_SSL
"""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from logcore.config_def import ConfigError
from pylog.errors import KafkaError
from pylog.folder_errors import refuse

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
DEFAULT_PORT = 9092
MAX_PORT = 65535
LOOPBACK = ("127.", "::1")

_LISTENER = re.compile(
    r"(?:(\w[\w.-]*)://)?(?:\[([0-9a-fA-F:.%]*)\]|([^:/\[\]]*))(?::([0-9]{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """One listener.

    Attributes:
        name: such as EXTERNAL; the protocol's when nothing else is said.
        protocol: one of PROTOCOLS.
        host: to bind to; empty for every address of the machine.
        port: of the first node, the others take those after it; 0 takes free ones.
        advertised_host, advertised_port: what clients are told; 0 is the port that was bound.
    """

    name: str
    protocol: str
    host: str
    port: int
    advertised_host: str = ""
    advertised_port: int = 0

    @property
    def has_tls(self) -> bool:
        """Whether bytes are encrypted."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def has_sasl(self) -> bool:
        """Whether clients say who they are, before anything else."""
        return self.protocol.startswith("SASL_")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if not self.host:
            return False
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        except OSError:
            return False
        return all(str(row[4][0]).startswith(LOOPBACK) for row in found)


def parse_address(text: str, config_name: str) -> tuple[str, str, int | None]:
    """Read `[NAME://]HOST[:PORT]`; a host may be empty, or an IPv6 address in brackets.

    Returns:
        The name, empty if there is none, the host, and the port or None.

    Raises:
        ConfigError: it is not such a thing.

    >>> parse_address("SASL_SSL://[::1]:9093", "listeners"), parse_address("localhost", "listeners")
    (('SASL_SSL', '::1', 9093), ('', 'localhost', None))
    """
    match = _LISTENER.fullmatch(text.strip())
    port = int(match[4]) if match is not None and match[4] else None
    if match is None:
        raise ConfigError(config_name, text, "Expected [NAME://]HOST[:PORT]")
    if port is not None and port > MAX_PORT:
        raise ConfigError(config_name, text, f"Ports go from 0 to {MAX_PORT}")
    return match[1] or "", match[2] or match[3] or "", port


def refuse_address(host: str, port: int, error: OSError | OverflowError) -> NoReturn:
    """Raise the KafkaException of an address that cannot be listened on."""
    number = getattr(error, "errno", None) or 0
    # asyncio has put the address into the text; those of getaddrinfo have numbers below 0.
    reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
    refuse(KafkaError._TRANSPORT, f"cannot listen on {host}:{port}: {reason}")


def parse_listeners(
    listeners: str, advertised: str, protocol_map: str, skipped: frozenset[str] = frozenset()
) -> tuple[ListenerConfig, ...]:
    """Read `listeners`, `advertised.listeners` and `listener.security.protocol.map`.

    Args:
        listeners: where to listen.
        advertised: what clients are told; a listener that is not there is reached where it listens.
        protocol_map: protocols by name, where the name is not the protocol.
        skipped: names to leave out, such as those of a KRaft controller.

    Raises:
        ConfigError: one of them is wrong, or they do not fit together.
    """
    protocols = _parse_map(protocol_map)
    found: dict[str, ListenerConfig] = {}
    for text in _split(listeners):
        name, host, port = parse_address(text, "listeners")
        name = name.upper() or "PLAINTEXT"
        if name in skipped:
            continue
        protocol = protocols.get(name, name)
        if protocol not in PROTOCOLS:
            raise ConfigError(
                "listeners", text, f"No security protocol is known for listener {name}"
            )
        if name in found:
            raise ConfigError(
                "listeners", listeners, f"Each listener must have its own name: {name}"
            )
        found[name] = ListenerConfig(name, protocol, host, DEFAULT_PORT if port is None else port)
    if not found:
        raise ConfigError("listeners", listeners, "There must be at least one listener")
    for text in _split(advertised):
        name, host, port = parse_address(text, "advertised.listeners")
        name = name.upper() or next(iter(found))
        if name in skipped:
            continue
        if name not in found:
            raise ConfigError("advertised.listeners", text, f"There is no listener {name}")
        if not host or host in ("0.0.0.0", "::"):
            raise ConfigError(
                "advertised.listeners", text, "An address that clients can reach is needed"
            )
        found[name] = replace(
            found[name],
            advertised_host=host,
            advertised_port=found[name].port if port is None else port,
        )
    return tuple(found.values())


def _parse_map(text: str) -> Mapping[str, str]:
    pairs = {}
    for entry in _split(text):
        name, colon, protocol = entry.partition(":")
        if not colon or protocol.strip().upper() not in PROTOCOLS:
            raise ConfigError(
                "listener.security.protocol.map", text, f"{entry!r} is not NAME:PROTOCOL"
            )
        pairs[name.strip().upper()] = protocol.strip().upper()
    return pairs


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
