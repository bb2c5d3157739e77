r"""Credentials: who may log in, and with what.

Users of SCRAM are kept in the folder; AlterUserScramCredentials or `pylog users` adds them. A user
of PLAIN is one of those too, or stands with its password in a JAAS line of the server.properties:

    listener.name.sasl_ssl.plain.sasl.jaas.config=\
        org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret";

    <folder>/.server.users, mode 0600
    MECHANISM/USER=ITERATIONS,SALT,STORED_KEY,SERVER_KEY     the user percent-encoded, keys base64
    secret=...                                               for salts of users that do not exist
"""

import asyncio
import base64
import binascii
import hmac
import logging
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote

from pylog.server import scram
from pylog.server.kept_file import KeptFile
from pylog.server.scram import Credential, Mechanism

if TYPE_CHECKING:
    from pylog.server.config import ServerConfig

_log = logging.getLogger("pylog.server")

USERS_FILE = ".server.users"
MAX_USERS = 10_000
SECRET_BYTES = 32

_SECRET = "secret"
_JAAS_OPTION = re.compile(r"""([\w.-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))""")

_Value = TypeVar("_Value")

Change = tuple[str, Mechanism, Credential | None]
"""A user, a mechanism, and the new credential; None takes it away."""


class Credentials:
    """The users of a folder, and those of a configuration.

    Args:
        folder: of the log.
    """

    def __init__(self, folder: str) -> None:
        self._users: dict[str, dict[str, Credential]] = {}
        self._plain: dict[str, dict[str, str]] = {}
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self._thread: ThreadPoolExecutor | None = None
        self._file = KeptFile(os.path.join(folder, USERS_FILE), self._take)

    def _take(self, table: Mapping[str, str]) -> None:
        users: dict[str, dict[str, Credential]] = {}
        for key, value in table.items():
            if key == _SECRET:
                self._secret = base64.b64decode(value)
                continue
            name, _, user = key.partition("/")
            credential = _parse(value)
            if name not in scram.MECHANISMS or credential is None:
                _log.warning("%s: a line of %s is not understood", USERS_FILE, key)
                continue
            users.setdefault(unquote(user), {})[name] = credential
        self._usual_iterations = {
            name: _most_usual(
                (kept[name].iterations for kept in users.values() if name in kept),
                scram.MIN_ITERATIONS,
            )
            for name in scram.MECHANISMS
        }
        self._usual_mechanism = _most_usual(map(_plain_mechanism, users.values()), scram.SHA_256)
        self._users = users

    # ---- of the folder ----

    def refresh(self, now_s: float = 0.0) -> None:
        """Take up what another process has changed; once a second."""
        self._file.refresh()

    @property
    def users(self) -> Mapping[str, Mapping[str, Credential]]:
        """The users of the folder, and the credential for each mechanism that they have."""
        return self._users

    def change(self, changes: Iterable[Change]) -> None:
        """Add, replace or take away credentials. Waits for the disk.

        Raises:
            OSError: they cannot be kept; then nothing has changed.
        """
        wanted = list(changes)

        def edit(table: dict[str, str]) -> bool:
            table.setdefault(_SECRET, base64.b64encode(self._secret).decode())
            for user, mechanism, credential in wanted:
                key = f"{mechanism.name}/{quote(user, safe='')}"
                if credential is None:
                    table.pop(key, None)
                else:
                    table[key] = _format(credential)
            return bool(wanted)

        self._file.change(edit)

    def set_password(
        self, user: str, password: str, mechanisms: Iterable[Mechanism] = (scram.SHA_256,)
    ) -> None:
        """Let a user log in with a password. Waits for the disk."""
        self.change((user, each, scram.new_credential(each, password)) for each in mechanisms)

    def for_exchange(self, mechanism: Mechanism, user: str) -> Credential:
        """The credential to challenge a client with, whoever it says it is."""
        fake = self._fake(mechanism, user)
        return self._users.get(user, {}).get(mechanism.name, fake)

    def _fake(self, mechanism: Mechanism, user: str) -> Credential:
        """A credential that costs what those of most users do."""
        iterations = self._usual_iterations[mechanism.name]
        return scram.fake_credential(mechanism, self._secret, user, iterations)

    # ---- of the configuration ----

    def take_plain_users(self, config: "ServerConfig") -> None:
        """Read the users of PLAIN from the JAAS lines of a configuration."""
        for listener in config.listeners:
            name = "plain.sasl.jaas.config"
            own = f"listener.name.{listener.name.lower()}.{name}"
            text = config.static.get(own) or config.static.get(name) or ""
            self._plain[listener.name] = parse_jaas_users(text)

    async def check_plain_password(self, listener_name: str, user: str, password: str) -> bool:
        """`is_plain_password` in a thread: one for all, so that guessing takes one core at most."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "pylog-passwords")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, self.is_plain_password, listener_name, user, password
        )

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def is_plain_password(self, listener_name: str, user: str, password: str) -> bool:
        """Whether a user of PLAIN has this password.

        It takes milliseconds: for somebody who does not exist as long as for most who do.
        """
        expected = self._plain.get(listener_name, {}).get(user)
        is_configured = hmac.compare_digest((expected or "").encode(), password.encode())
        kept = self._users.get(user)
        mechanism = self._usual_mechanism if kept is None else _plain_mechanism(kept)
        credential = None if kept is None else kept.get(mechanism.name)
        is_kept = scram.fits(mechanism, credential or self._fake(mechanism, user), password)
        return (expected is not None and is_configured) or (credential is not None and is_kept)


def parse_jaas_users(text: str) -> dict[str, str]:
    """Read the users of a line for Kafka's PlainLoginModule: `user_NAME="PASSWORD"`.

    >>> parse_jaas_users('x.PlainLoginModule required username="a" user_bob="s3;cret" user_eve=x;')
    {'bob': 's3;cret', 'eve': 'x'}
    """
    users = {}
    for name, quoted, bare in _JAAS_OPTION.findall(text):
        if name.startswith("user_"):
            users[name.removeprefix("user_")] = re.sub(r"\\(.)", r"\1", quoted) or bare
    return users


def _plain_mechanism(kept: Mapping[str, Credential]) -> Mechanism:
    """The mechanism whose credential a password of PLAIN is checked by."""
    return scram.SHA_512 if scram.SHA_512.name in kept else scram.SHA_256


def _most_usual(values: Iterable[_Value], default: _Value) -> _Value:
    counted = Counter(values).most_common(1)
    return counted[0][0] if counted else default


def _format(credential: Credential) -> str:
    parts = (credential.salt, credential.stored_key, credential.server_key)
    texts = (base64.b64encode(part).decode() for part in parts)
    return ",".join((str(credential.iterations), *texts))


def _parse(text: str) -> Credential | None:
    iterations, *parts = text.split(",")
    try:
        salt, stored_key, server_key = (base64.b64decode(part, validate=True) for part in parts)
        return Credential(salt, stored_key, server_key, int(iterations))
    except (ValueError, binascii.Error):
        return None
