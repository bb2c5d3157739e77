"""What the tests of compaction share: histories of keyed records, and what must be left of them."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partition_files import TIME_MS, told

from logcore import compaction
from logcore.batch import BatchBuilder, Record
from logcore.compaction import Compacted
from logcore.config import LogConfig
from logcore.log import Log

HOUR_MS = 3_600_000
CONFIG: dict[str, Any] = {
    "cleanup_policy": "compact",
    "internal_segment_bytes": 6000,
    "index_interval_bytes": 200,
    "delete_retention_ms": HOUR_MS,
}
Pair = tuple[bytes | None, bytes | None]


def open_log(path: Path, **changed: Any) -> Log:
    return Log(path, LogConfig(**{**CONFIG, **changed}))


def keyed_batch(
    pairs: Iterable[Pair],
    *,
    codec: int = 0,
    timestamp_ms: int = TIME_MS,
    producer: tuple[int, int, int, bool] | None = None,
) -> bytes:
    """A batch of (key, value) records, one ms apart.

    Args:
        pairs: of the records.
        codec: of the batch.
        timestamp_ms: of the first record.
        producer: id, epoch, base sequence, and whether it is of a transaction.
    """
    builder = BatchBuilder(codec)
    if producer is not None:
        builder.set_producer(*producer)
    for number, (key, value) in enumerate(pairs):
        headers: list[tuple[str, bytes | None]] | None = [("n", b"%d" % number)]
        builder.append(timestamp_ms + number, key, value, headers if number % 3 else None)
    return bytes(builder.build())


def fill(log: Log, pairs: Iterable[Pair], batch_records: int = 10) -> None:
    """Append pairs in small batches, and seal what they went into."""
    rest = list(pairs)
    for at in range(0, len(rest), batch_records):
        log.append(keyed_batch(rest[at : at + batch_records], timestamp_ms=TIME_MS + at))
    log.roll()


def compact(log: Log, now_ms: int = TIME_MS, **options: Any) -> Compacted | None:
    """Compact with the lock that it needs."""
    assert log.try_cleaning()
    try:
        return compaction.compact(log, now_ms, **{"scope": "all", **options})
    finally:
        log.end_cleaning()


def read_all(log: Log, offset: int | None = None) -> list[tuple[Any, ...]]:
    start = log.log_start_offset if offset is None else offset
    return [told(record) for record in log.reader(start)]


def last_values(records: Iterable[Sequence[Any]]) -> dict[bytes, bytes]:
    """The table that a log is: keys whose last record is a tombstone are not in it."""
    table: dict[bytes, bytes] = {}
    for _, _, key, value, _ in records:
        if key is None:
            continue
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return table


@dataclass
class History:
    """All that was ever appended to a log, and the promises that compaction makes of it."""

    records: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    first_seen_ms: dict[int, int] = field(default_factory=dict)
    end_offset: int = 0
    aborted: set[int] = field(default_factory=set)

    def note_appended(self, log: Log) -> None:
        """Take over what the log holds beyond what is known."""
        for record in log.reader(max(max(self.records, default=-1) + 1, log.log_start_offset)):
            self._note(record)

    def _note(self, record: Record) -> None:
        self.records[record.offset] = told(record)

    def note_compacted(self, now_ms: int, end_offset: int) -> None:
        self.end_offset = max(self.end_offset, end_offset)
        for offset, record in self.records.items():
            if offset < end_offset and record[3] is None:
                self.first_seen_ms.setdefault(offset, now_ms)

    def check(self, found: Sequence[tuple[Any, ...]], now_ms: int) -> None:
        """Compare what is read from the start with what may and must be there."""
        offsets = [record[0] for record in found]
        assert offsets == sorted(set(offsets))
        for record in found:
            assert record == self.records[record[0]], "a survivor changed"
        committed = [record for record in found if record[0] not in self.aborted]
        assert last_values(committed) == last_values(
            record for offset, record in self.records.items() if offset not in self.aborted
        )
        kept = set(offsets)
        newest: dict[bytes, int] = {}
        for offset, (_, _, key, _, _) in self.records.items():
            if key is not None and offset < self.end_offset and offset not in self.aborted:
                newest[key] = offset
        for offset, (_, _, key, value, _) in self.records.items():
            if offset >= self.end_offset:
                assert offset in kept, "what was not cleaned is gone"
            elif key is None or newest.get(key) != offset:
                assert offset not in kept, "something that was replaced is still there"
            elif value is not None:
                assert offset in kept, "the last record of a key is gone"
            elif now_ms < self.first_seen_ms[offset] + CONFIG["delete_retention_ms"]:
                assert offset in kept, "a tombstone went too early"


def random_pairs(source: random.Random, key_count: int) -> list[Pair]:
    """A batch's worth: some without key, some tombstones."""
    pairs: list[Pair] = []
    for _ in range(source.randrange(1, 30)):
        key = None if source.random() < 0.05 else b"key-%d" % source.randrange(key_count)
        is_tombstone = source.random() < 0.2
        pairs.append((key, None if is_tombstone else source.randbytes(source.randrange(80))))
    return pairs
