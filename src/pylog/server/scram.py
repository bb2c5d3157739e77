"""SCRAM, the server's side (RFC 5802, RFC 7677), without sockets.

    client  n,,n=alice,r=<client nonce>
    server  r=<client nonce><server nonce>,s=<salt>,i=<iterations>
    client  c=biws,r=<both nonces>,p=<proof>
    server  v=<signature>           or e=invalid-credentials

Of a password only StoredKey and ServerKey are known, which let nobody log in. A user that does not
exist gets a salt all the same, always the same one, and fails at the end as a wrong password does.

librdkafka before 2.6.1 puts its own nonce before both once more. That is let pass, as by Kafka 3.9
and not by 4: the server's nonce, against which an old proof is of no use, is in it all the same.

Source: Kafka ScramSaslServer, ScramFormatter, ScramMechanism.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

MIN_ITERATIONS = 4096
MAX_ITERATIONS = 16384
SALT_BYTES = 20
MAX_SALT_BYTES = 1024
MAX_MESSAGE_BYTES = 4096

_PRINTABLE = r"[\x21-\x2b\x2d-\x7e]+"
_SASL_NAME = r"(?:[^\x00,=]|=2C|=3D)+"
_FIRST = re.compile(rf"(([ny]),(?:a=({_SASL_NAME}))?,)(n=({_SASL_NAME}),r=({_PRINTABLE})(?:,.*)?)")
_FINAL = re.compile(rf"(c=([A-Za-z0-9/+=]+),r=({_PRINTABLE})(?:,.*)?),p=([A-Za-z0-9/+=]+)")


class ScramError(Exception):
    """A message of a client that is none; its text says why."""


class Mechanism(NamedTuple):
    """One of the SCRAM mechanisms.

    Attributes:
        number: in Kafka's protocol.
        name: as clients ask for it.
        hash_name: hashlib's.
    """

    number: int
    name: str
    hash_name: str

    @property
    def key_bytes(self) -> int:
        """Size of a key."""
        return hashlib.new(self.hash_name).digest_size

    def hmac(self, key: bytes, data: bytes) -> bytes:
        """HMAC with the mechanism's hash."""
        return hmac.digest(key, data, self.hash_name)

    def hash(self, data: bytes) -> bytes:
        """The mechanism's hash."""
        return hashlib.new(self.hash_name, data).digest()


SHA_256 = Mechanism(1, "SCRAM-SHA-256", "sha256")
SHA_512 = Mechanism(2, "SCRAM-SHA-512", "sha512")
MECHANISMS = {mechanism.name: mechanism for mechanism in (SHA_256, SHA_512)}
BY_NUMBER = {mechanism.number: mechanism for mechanism in MECHANISMS.values()}


class Credential(NamedTuple):
    """What is kept of a password."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


def credential_of(
    mechanism: Mechanism, salt: bytes, salted_password: bytes, iterations: int
) -> Credential:
    """What is kept of a salted password."""
    client_key = mechanism.hmac(salted_password, b"Client Key")
    server_key = mechanism.hmac(salted_password, b"Server Key")
    return Credential(salt, mechanism.hash(client_key), server_key, iterations)


def salt_password(mechanism: Mechanism, password: str, salt: bytes, iterations: int) -> bytes:
    """Derive the salted password: this takes milliseconds, on purpose, and no GIL."""
    return hashlib.pbkdf2_hmac(mechanism.hash_name, password.encode(), salt, iterations)


def new_credential(
    mechanism: Mechanism, password: str, iterations: int = MIN_ITERATIONS
) -> Credential:
    """The credential of a password, with a salt of its own."""
    salt = secrets.token_bytes(SALT_BYTES)
    salted = salt_password(mechanism, password, salt, iterations)
    return credential_of(mechanism, salt, salted, iterations)


def fake_credential(
    mechanism: Mechanism, secret: bytes, user: str, iterations: int = MIN_ITERATIONS
) -> Credential:
    """The credential of a user that does not exist: it looks like one, and nothing fits it."""
    salt = hmac.digest(secret, f"{mechanism.name} {user}".encode(), "sha512")[:SALT_BYTES]
    nothing = secrets.token_bytes(mechanism.key_bytes)
    return Credential(salt, nothing, nothing, iterations)


def fits(mechanism: Mechanism, credential: Credential, password: str) -> bool:
    """Whether a password is the one of a credential. Takes milliseconds."""
    salted = salt_password(mechanism, password, credential.salt, credential.iterations)
    found = credential_of(mechanism, credential.salt, salted, credential.iterations)
    return hmac.compare_digest(found.stored_key, credential.stored_key)


class ServerExchange:
    """One exchange: `begin` with the client's first message, `finish` with its second.

    Args:
        mechanism: that was agreed on.

    Attributes:
        user: who the client says it is, after `begin`.
    """

    def __init__(self, mechanism: Mechanism) -> None:
        self.mechanism = mechanism
        self.user = ""
        self._gs2_header = ""
        self._first_bare = ""
        self._client_nonce = ""
        self._nonce = ""
        self._server_first = ""
        self._credential: Credential | None = None

    def begin(self, message: bytes) -> str:
        """Read the client's first message and return its user.

        Raises:
            ScramError: it is not such a message, or wants what is not there.
        """
        match = _FIRST.fullmatch(_decode(message))
        if match is None:
            raise ScramError("Invalid SCRAM client first message format")
        self._gs2_header, _, authorized, self._first_bare, user, self._client_nonce = match.groups()
        self.user = _plain_name(user)
        if authorized is not None and _plain_name(authorized) != self.user:
            raise ScramError("Client requested an authorization id that is different from username")
        return self.user

    def challenge(self, credential: Credential) -> bytes:
        """The server's first message."""
        self._credential = credential
        self._nonce = self._client_nonce + secrets.token_urlsafe(24)
        salt = base64.b64encode(credential.salt).decode()
        self._server_first = f"r={self._nonce},s={salt},i={credential.iterations}"
        return self._server_first.encode()

    def finish(self, message: bytes) -> bytes | None:
        """Read the client's last message: the server's, None if the proof is none.

        Raises:
            ScramError: it is not such a message, or does not belong to this exchange.
        """
        credential = self._credential
        assert credential is not None, "challenge comes before"
        match = _FINAL.fullmatch(_decode(message))
        if match is None:
            raise ScramError("Invalid SCRAM client final message format")
        without_proof, binding, nonce, proof_text = match.groups()
        if nonce not in (self._nonce, self._client_nonce + self._nonce):
            raise ScramError("Invalid client nonce in the final client message.")
        if _decode_base64(binding) != self._gs2_header.encode():
            raise ScramError("Invalid channel binding in the final client message.")
        mechanism = self.mechanism
        auth_message = f"{self._first_bare},{self._server_first},{without_proof}".encode()
        signature = mechanism.hmac(credential.stored_key, auth_message)
        proof = _decode_base64(proof_text)
        if len(proof) != len(signature):
            raise ScramError("Invalid client proof in the final client message.")
        client_key = bytes(left ^ right for left, right in zip(proof, signature, strict=True))
        if not hmac.compare_digest(mechanism.hash(client_key), credential.stored_key):
            return None
        server_signature = mechanism.hmac(credential.server_key, auth_message)
        return b"v=" + base64.b64encode(server_signature)


def _decode(message: bytes) -> str:
    if len(message) > MAX_MESSAGE_BYTES:
        raise ScramError("SCRAM message too long")
    try:
        return message.decode()
    except UnicodeDecodeError:
        raise ScramError("SCRAM message is not UTF-8") from None


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ScramError("Invalid base64 in the final client message.") from None


def _plain_name(name: str) -> str:
    return name.replace("=2C", ",").replace("=3D", "=")
