"""TLS: the certificate of a listener, whose certificates it trusts, and who a client is by its own.

    ssl.keystore.location     a PEM file: certificate chain and key; or in line, as
    ssl.keystore.certificate.chain, ssl.keystore.key
    ssl.key.password          of an encrypted key
    ssl.truststore.location   a PEM file of the authorities for clients; or in line, as
    ssl.truststore.certificates
    ssl.client.auth           none, requested, required
    ssl.principal.mapping.rules    RULE:^CN=(.*?),.*$/$1/L, DEFAULT

Each may be a listener's own: `listener.name.NAME.ssl...`. TLS 1.2 and later. Not here: JKS and
PKCS12, which have to be converted. A file that is renewed counts for who connects from then on.

Source: Kafka SslFactory, DefaultSslEngineFactory, SslPrincipalMapper; RFC 2253 for names.
"""

import asyncio
import contextlib
import logging
import os
import re
import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from logcore.config_def import ConfigError
from pylog.server.listener_config import ListenerConfig
from pylog.server.request import ANONYMOUS

if TYPE_CHECKING:
    from pylog.server.config import ServerConfig

_log = logging.getLogger("pylog.server")

_CLIENT_AUTH = {
    "none": ssl.CERT_NONE,
    "requested": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_STORES = ("ssl.keystore", "ssl.truststore")
_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_CONVERT = "is not PEM; openssl pkcs12 -in keystore.p12 -out keystore.pem converts one"

_SHORT_NAMES = {
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_RULE = re.compile(r"(DEFAULT)|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?)(?=,|$)")


def asks_for_certificates(config: "ServerConfig", listener: ListenerConfig) -> bool:
    """Whether clients of a listener may, or have to, show a certificate."""
    return listener.has_tls and config.listener_text(listener, "ssl.client.auth") != "none"


class CurrentContext:
    """What a listener's TLS is made with, as its files are now: renewed ones count from then on.

    Args:
        config: of the server.
        listener: which one.

    Raises:
        ConfigError: a certificate is missing, or cannot be used.
    """

    def __init__(self, config: "ServerConfig", listener: ListenerConfig) -> None:
        self._config = config
        self._listener = listener
        self._paths = [config.listener_text(listener, f"{store}.location") for store in _STORES]
        self._stamps = self._look()
        self._context = server_context(config, listener)

    def get(self) -> ssl.SSLContext:
        """The context for a new connection. Files that cannot be used leave the one before."""
        stamps = self._look()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._context = server_context(self._config, self._listener)
            except ConfigError as error:
                _log.error("%s: renewed files cannot be used: %s", self._listener.name, error)
            else:
                _log.info("%s: certificates are read anew", self._listener.name)
        return self._context

    def _look(self) -> list[tuple[int, ...]]:
        return [_stamp(path) for path in self._paths if path]


def _stamp(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def server_context(config: "ServerConfig", listener: ListenerConfig) -> ssl.SSLContext:
    """What a listener's TLS is made with.

    Raises:
        ConfigError: a certificate is missing, or cannot be used.
    """

    def value(name: str) -> str:
        return config.listener_text(listener, name)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    versions = [
        _VERSIONS[name] for name in _split(value("ssl.enabled.protocols")) if name in _VERSIONS
    ]
    if not versions:
        _refuse("ssl.enabled.protocols", value("ssl.enabled.protocols"), "TLSv1.2 or TLSv1.3")
    context.minimum_version, context.maximum_version = min(versions), max(versions)
    context.options |= ssl.OP_NO_RENEGOTIATION
    for store in _STORES:
        if value(f"{store}.type").upper() != "PEM":
            _refuse(f"{store}.type", value(f"{store}.type"), _CONVERT)
    _load_key(context, value)
    _load_trust(context, value)
    if value("ssl.cipher.suites"):
        try:
            context.set_ciphers(":".join(_split(value("ssl.cipher.suites"))))
        except ssl.SSLError:
            _refuse("ssl.cipher.suites", value("ssl.cipher.suites"), "OpenSSL knows none of them")
    return context


def _load_key(context: ssl.SSLContext, value: Callable[[str], str]) -> None:
    password = value("ssl.key.password") or None
    path = value("ssl.keystore.location")
    chain, key = value("ssl.keystore.certificate.chain"), value("ssl.keystore.key")
    if not path and not (chain and key):
        _refuse("ssl.keystore.location", path, "TLS needs a certificate and its key, as PEM")
    try:
        if path:
            # An encrypted key without a password must not ask the terminal for one.
            context.load_cert_chain(path, password=password or "")
        else:
            with _as_file(f"{_lines(key)}\n{_lines(chain)}\n") as name:
                context.load_cert_chain(name, password=password or "")
    except (OSError, ValueError) as error:
        _refuse("ssl.keystore.location", path or "(in line)", _reason(error))


def _load_trust(context: ssl.SSLContext, value: Callable[[str], str]) -> None:
    wanted = value("ssl.client.auth")
    if wanted not in _CLIENT_AUTH:
        _refuse("ssl.client.auth", wanted, f"One of {', '.join(_CLIENT_AUTH)}")
    path, text = value("ssl.truststore.location"), value("ssl.truststore.certificates")
    try:
        if path:
            context.load_verify_locations(cafile=path)
        elif text:
            context.load_verify_locations(cadata=_lines(text))
    except (OSError, ValueError) as error:
        _refuse("ssl.truststore.location", path or "(in line)", _reason(error))
    if wanted != "none" and not (path or text):
        _refuse("ssl.client.auth", wanted, "A truststore says whose certificates count")
    context.verify_mode = _CLIENT_AUTH[wanted]


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{error.reason or error}; a file of another kind {_CONVERT}"
    return getattr(error, "strerror", None) or str(error)


def _refuse(name: str, value: object, reason: str) -> None:
    raise ConfigError(name, value, reason)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _lines(text: str) -> str:
    """PEM in a properties file may have its lines behind one another."""
    text = text.replace("\\n", "\n").strip()
    return re.sub(
        r"(-----BEGIN [^-]+-----)\s*(.*?)\s*(-----END [^-]+-----)", _wrap, text, flags=re.S
    )


def _wrap(match: "re.Match[str]") -> str:
    begin, body, end = match.groups()
    if ":" not in body:  # an encrypted key of the older kind has headers
        body = "\n".join(re.findall(r".{1,64}", "".join(body.split())))
    return f"{begin}\n{body}\n{end}\n"


@contextlib.contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A file in memory: OpenSSL wants a name, and a key has no place on a disk."""
    fd = os.memfd_create("pylog-key", os.MFD_CLOEXEC)
    try:
        os.write(fd, text.encode())
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


# ---- who a client is by its certificate ----


def principal_finder(config: "ServerConfig") -> Callable[[asyncio.BaseTransport], str]:
    """How to find the principal of a client with TLS.

    Raises:
        ConfigError: ssl.principal.mapping.rules is none.
    """
    map_name = parse_rules(config.text("ssl.principal.mapping.rules"))

    def find(transport: asyncio.BaseTransport) -> str:
        found = transport.get_extra_info("ssl_object")
        certificate = found.getpeercert() if found is not None else None
        if not certificate:
            return ANONYMOUS
        return f"User:{map_name(distinguished_name(certificate))}"

    return find


def distinguished_name(certificate: Any) -> str:
    r"""The subject of a certificate, as RFC 2253 writes it: the last part first.

    >>> distinguished_name({"subject": ((("organizationName", "A, B"),), (("commonName", "c"),))})
    'CN=c,O=A\\, B'
    """
    return ",".join(
        "+".join(f"{_SHORT_NAMES.get(name, name)}={_escape(text)}" for name, text in part)
        for part in reversed(certificate["subject"])
    )


def _escape(text: str) -> str:
    text = re.sub(r'([,+"\\<>;])', r"\\\1", text)
    text = re.sub(r"^([# ])", r"\\\1", text)
    return re.sub(r" $", r"\\ ", text)


def parse_rules(text: str) -> Callable[[str], str]:
    """Read ssl.principal.mapping.rules: the first rule that fits a name makes another of it.

    >>> parse_rules("RULE:^CN=(.*?),.*$/$1@x/U,DEFAULT")("CN=bob,O=Acme")
    'BOB@X'

    Raises:
        ConfigError: they are none.
    """
    rules: list[tuple[re.Pattern[str] | None, str, str]] = []
    rest = (text or "DEFAULT").strip()
    while rest:
        match = _RULE.match(rest)
        if match is None:
            raise ConfigError("ssl.principal.mapping.rules", text, f"{rest!r} is no rule")
        default, pattern, replacement, case = match.groups()
        try:
            compiled = None if default else re.compile(pattern)
        except re.error as error:
            raise ConfigError("ssl.principal.mapping.rules", text, str(error)) from None
        rules.append((compiled, re.sub(r"\$(\d+)", r"\\\1", replacement or ""), case or ""))
        rest = rest[match.end() :].lstrip(", ")

    def apply(name: str) -> str:
        for pattern, replacement, case in rules:
            if pattern is None:
                return name
            if pattern.fullmatch(name):
                made = pattern.sub(replacement, name, count=1)
                return {"L": made.lower(), "U": made.upper()}.get(case, made)
        return name

    return apply
