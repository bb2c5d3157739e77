"""SASL: how a client says who it is: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.

A client asks for a mechanism (SaslHandshake), then sends tokens in SaslAuthenticate, or, after a
handshake of version 0, in frames of nothing but a token. PLAIN sends the password as it is: it is
offered on TLS and on the loopback interface only, or with --insecure.

Not here: GSSAPI and OAUTHBEARER, which need other servers; delegation tokens.

Source: Kafka SaslServerAuthenticator, PlainSaslServer, ScramSaslServer; KIP-43, 152, 368.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from pylog.server import scram
from pylog.server.listener_config import ListenerConfig
from pylog.server.scram import ScramError, ServerExchange
from pylog.wire import Buffer, Frame

if TYPE_CHECKING:
    from pylog.server.broker import Broker
    from pylog.server.config import ServerConfig
    from pylog.server.connection import Connection

_log = logging.getLogger("pylog.server.authentication")

PLAIN = "PLAIN"
KNOWN_MECHANISMS = (PLAIN, *scram.MECHANISMS)
MAX_NAME_CHARS = 1000


class SaslError(Exception):
    """A client did not prove who it is; the text is for the client."""


def enabled_mechanisms(config: "ServerConfig", listener: ListenerConfig) -> list[str]:
    """The mechanisms that clients of a listener may use."""
    own = config.static.get(f"listener.name.{listener.name.lower()}.sasl.enabled.mechanisms")
    wanted = own.split(",") if own else config.items_of("sasl.enabled.mechanisms")
    is_private = listener.has_tls or listener.is_loopback or config.is_insecure
    return [
        name
        for name in map(str.strip, wanted)
        if name in KNOWN_MECHANISMS and (name != PLAIN or is_private)
    ]


class Authentication:
    """One authentication of a client, from the handshake on.

    Args:
        connection: of the client.
        mechanism: that the handshake agreed on.

    Attributes:
        principal: who the client is; empty until it has proved it.
    """

    def __init__(self, connection: "Connection", mechanism: str) -> None:
        self.mechanism = mechanism
        self.principal = ""
        self._connection = connection
        self._exchange: ServerExchange | None = None
        self._user = ""

    async def take(self, token: bytes) -> bytes:
        """Take the client's next token and return the server's.

        Raises:
            SaslError: the client is not who it says it is.
        """
        broker = self._connection.broker
        try:
            if self.mechanism == PLAIN:
                await self._check_plain(broker, token)
                return b""
            return self._step_scram(broker, token)
        except SaslError as error:
            _log.warning(
                "authentication of %s failed: user %.100r, %s: %s",
                self._connection.client_host, self._user, self.mechanism, error,
                extra={"client": self._connection.client_host, "user": self._user[:100]},
            )  # fmt: skip
            raise

    async def _check_plain(self, broker: "Broker", token: bytes) -> None:
        try:
            authorized, user, password = token.decode().split("\0")
        except ValueError:
            raise SaslError("Invalid SASL/PLAIN response: expected 3 tokens") from None
        self._user = user
        if not user or not password or len(user) > MAX_NAME_CHARS:
            raise SaslError("Authentication failed: username or password not specified")
        if authorized not in ("", user):
            raise SaslError(
                "Authentication failed: Client requested an authorization id that is different "
                "from username"
            )
        listener = self._connection.listener_name
        if not await broker.credentials.check_plain_password(listener, user, password):
            raise SaslError("Authentication failed: Invalid username or password")
        self.principal = f"User:{user}"

    def _step_scram(self, broker: "Broker", token: bytes) -> bytes:
        try:
            if self._exchange is None:
                exchange = ServerExchange(scram.MECHANISMS[self.mechanism])
                self._user = exchange.begin(token)
                if len(self._user) > MAX_NAME_CHARS:
                    raise ScramError("username too long")
                self._exchange = exchange
                return exchange.challenge(
                    broker.credentials.for_exchange(exchange.mechanism, self._user)
                )
            answer = self._exchange.finish(token)
        except ScramError as error:
            raise SaslError(f"Authentication failed: {error}") from None
        if answer is None:
            raise SaslError(
                "Authentication failed during authentication due to invalid credentials with SASL "
                f"mechanism {self.mechanism}"
            )
        self.principal = f"User:{self._user}"
        return answer


def accept(connection: "Connection", authentication: Authentication) -> int:
    """Let a client in, or on, after its proof.

    Returns:
        For how many milliseconds; 0 for as long as the connection lasts.

    Raises:
        SaslError: it was somebody else before.
    """
    principal = authentication.principal
    if connection.is_authenticated and connection.principal != principal:
        raise SaslError(
            f"Cannot change principals during re-authentication from {connection.principal} "
            f"to {principal}"
        )
    lifetime_ms = max(0, connection.broker.config.integer("connections.max.reauth.ms"))
    now_s = connection.broker.loop.time()
    connection.authenticated(principal, now_s + lifetime_ms / 1000 if lifetime_ms else None)
    connection.sasl = None
    _log.info(
        "%s is %s, by %s", connection.client_host, principal, authentication.mechanism,
        extra={"client": connection.client_host, "principal": principal},
    )  # fmt: skip
    return lifetime_ms


async def fail(connection: "Connection") -> None:
    """Wait as long as a client has to that failed, then close after its response."""
    broker = connection.broker
    await asyncio.sleep(
        max(0, broker.config.integer("connection.failed.authentication.delay.ms")) / 1000
    )
    if broker.metrics is not None:
        broker.metrics.authentication_failed()
    connection.close_when_done()


async def take_raw(connection: "Connection", frame: Frame) -> list[Buffer] | None:
    """Take a frame that is a token and nothing else; None when the connection has to end."""
    authentication: Authentication = connection.sasl
    try:
        answer = await authentication.take(bytes(frame))
        if authentication.principal:
            accept(connection, authentication)
            connection.take_raw = None
    except SaslError:
        await fail(connection)
        return None
    return [len(answer).to_bytes(4, "big") + answer]
