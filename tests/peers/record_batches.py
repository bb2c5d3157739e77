"""Records to write, all shapes or random ones, and the form in which both sides are compared."""

import random
from collections.abc import Iterable
from typing import Any, NamedTuple

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
Headers = list[tuple[str, bytes | None]]


class Written(NamedTuple):
    """One record as the writer knows it."""

    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


FIRST_TIMESTAMP_MS = 1_700_000_000_000

EVERY_SHAPE = [
    Written(FIRST_TIMESTAMP_MS, b"key", b"value", []),
    Written(FIRST_TIMESTAMP_MS + 1, None, b"no key", []),
    Written(FIRST_TIMESTAMP_MS + 2, b"no value", None, []),
    Written(FIRST_TIMESTAMP_MS + 3, None, None, []),
    Written(FIRST_TIMESTAMP_MS + 4, b"", b"", []),
    Written(FIRST_TIMESTAMP_MS - 86_400_000, b"\x00\xff\x80", bytes(range(256)), []),
    Written(FIRST_TIMESTAMP_MS, b"k", b"headers", [("a", b"1"), ("a", b"2"), ("", b"")]),
    Written(FIRST_TIMESTAMP_MS, None, None, [("null", None), ("Zeichen-ÄÖÜ-日本-🦆", b"\xff")]),
    Written(FIRST_TIMESTAMP_MS + 10, b"long", b"departure to LAX; " * 9000, []),
    Written(FIRST_TIMESTAMP_MS + 11, b"noise", random.Random(3).randbytes(70_000), []),
]


def expected_records(records: Iterable[Written], base_offset: int = 0) -> list[dict[str, Any]]:
    """Return `records` in the form of kafka.dump_records."""
    return [
        {
            "offset": base_offset + number,
            "timestamp_ms": record.timestamp_ms,
            "key": None if record.key is None else record.key.hex(),
            "value": None if record.value is None else record.value.hex(),
            "headers": [
                [name, None if data is None else data.hex()] for name, data in record.headers
            ],
        }
        for number, record in enumerate(records)
    ]


def printed_form(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records of kafka.dump_records as DumpLogSegments prints them: header names only."""
    return [
        {
            **{name: data for name, data in record.items() if name != "headers"},
            "header_names": ",".join(name for name, _ in record["headers"]),
        }
        for record in records
    ]


def _random_bytes(source: random.Random) -> bytes | None:
    kind = source.random()
    if kind < 0.1:
        return None
    if kind < 0.2:
        return b""
    size = int(10 ** source.uniform(0, 4 if kind > 0.95 else 2.3))
    return source.randbytes(size) if kind < 0.6 else source.randbytes(3) * (size // 3 + 1)


def _random_headers(source: random.Random) -> Headers:
    if source.random() < 0.6:
        return []
    return [
        ("".join(source.choices("abcß日🦆-.", k=source.randrange(12))), _random_bytes(source))
        for _ in range(source.randrange(1, 6))
    ]


def random_batch(source: random.Random) -> list[Written]:
    """Return from 1 to some 300 records, with timestamps that jump both ways."""
    count = source.choice([1, 1, 2, 3, 10, 50, 300])
    time_ms = FIRST_TIMESTAMP_MS + source.randrange(10**9)
    step_ms = source.choice([0, 1, 1000, 10**8])
    return [
        Written(
            time_ms + source.randint(-step_ms, step_ms),
            _random_bytes(source),
            _random_bytes(source),
            _random_headers(source),
        )
        for _ in range(count)
    ]
