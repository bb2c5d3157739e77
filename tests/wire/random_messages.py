"""Random messages of every API and version, from a seed that is printed."""

import os
import random
from collections.abc import Iterator
from typing import Any

from pylog.wire import APIS, NO_UUID, Message
from pylog.wire.fields import Field, MessageType

INTEGER_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
TEXTS = ("", "a", "clicks", "naïve ✓ 𝄞", "x" * 126, "y" * 127, "z" * 300, "\0")
BLOBS = (b"", b"\0", b"\xff" * 5, bytes(range(256)))
LARGEST_TIME_MS = 1 << 41  # what a datetime can say
KNOWN_ERRORS = 120


def seeded_random(name: str) -> random.Random:
    """A random generator whose seed is printed, and taken from PYLOG_TEST_SEED to replay."""
    seed = int(os.environ.get("PYLOG_TEST_SEED", "0")) or random.SystemRandom().getrandbits(48)
    print(f"{name}: PYLOG_TEST_SEED={seed}")  # noqa: T201
    return random.Random(seed)


def every_version() -> Iterator[tuple[MessageType, int, int, str]]:
    """Yield (class, API key, version, "request" or "response") of everything there is."""
    for api in APIS.values():
        for version in range(api.versions.first, api.versions.last + 1):
            yield api.request, api.key, version, "request"
            yield api.response, api.key, version, "response"


class RandomMessages:
    """Makes messages.

    Args:
        rng: where the choices come from.
        is_tame: keep to error codes and times that kio has a type for.
    """

    def __init__(self, rng: random.Random, is_tame: bool = False) -> None:
        self._rng = rng
        self._is_tame = is_tame

    def make(self, cls: MessageType, version: int) -> Message:
        """Return a message with every field of the version; the others have their defaults."""
        return cls(**self._values(cls, version))

    def _values(self, cls: MessageType, version: int) -> dict[str, Any]:
        values = {}
        for name, field in cls.layout.fields.items():
            if version not in field.versions:
                continue
            if version in field.tagged and self._rng.random() < 0.4:
                continue
            value = self._field(name, field, version)
            if isinstance(value, Message) and value == type(value)() and version in field.tagged:
                continue  # would be left out, and read as None
            values[name] = value
        return values

    def _field(self, name: str, field: Field, version: int) -> Any:
        if version in field.nullable and self._rng.random() < 0.25:
            return None
        if not field.is_array:
            return self._value(name, field.kind, version)
        most = 3 if isinstance(field.kind, MessageType) else 5
        count = self._rng.choice((0, 1, most))
        return [self._value(name, field.kind, version) for _ in range(count)]

    def _value(self, name: str, kind: Any, version: int) -> Any:
        rng = self._rng
        if isinstance(kind, MessageType):
            return kind(**self._values(kind, version))
        if kind in INTEGER_BITS:
            return self._integer(name, INTEGER_BITS[kind])
        if kind == "bool":
            return rng.random() < 0.5
        if kind == "float64":
            return rng.choice((0.0, -0.0, 1.5, -1e300, 5e-324))
        if kind == "uuid":
            return rng.choice((NO_UUID, rng.randbytes(16)))
        if kind == "string":
            return rng.choice(TEXTS)
        if kind == "records" and rng.random() < 0.5:
            return rng.randbytes(rng.choice((61, 127, 128, 20_000)))
        return rng.choice(BLOBS)

    def _integer(self, name: str, bits: int) -> int:
        rng = self._rng
        if self._is_tame:
            if name.endswith("error_code"):
                return rng.randrange(KNOWN_ERRORS)
            if bits == 64 and (name.endswith("_ms") or "timestamp" in name):
                return rng.randrange(LARGEST_TIME_MS)
        least = -(1 << bits - 1)
        return rng.choice((0, 1, -1, least, -least - 1, rng.randrange(least, -least)))
