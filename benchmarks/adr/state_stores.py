"""What stores of state on disk cost behind a layer that writes back: the figures of docs/adr/0020.

python benchmarks/adr/state_stores.py [folder]

Each commit writes the entries that are dirty and one offset in one step, which a crash does not
halve. Reads are those that miss the layer. rocksdict is measured where it is installed.
"""

import contextlib
import importlib
import random
import shutil
import sqlite3
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb

rocksdict: Any = None
with contextlib.suppress(ImportError):
    rocksdict = importlib.import_module("rocksdict")

KEYS = 300_000
COMMITS = 20
DIRTY = 20_000
READS = 50_000
RANGES = 2_000
RANGE_ENTRIES = 20

Entries = list[tuple[bytes, bytes]]


class Lmdb:
    """One environment, one write transaction a commit, synced but for the meta page."""

    def __init__(self, folder: Path):
        self.environment = lmdb.open(str(folder), map_size=1 << 34, max_dbs=4, metasync=False)
        self.data = self.environment.open_db(b"data")
        self.meta = self.environment.open_db(b"meta")

    def commit(self, entries: Entries, offset: bytes) -> None:
        with self.environment.begin(write=True) as transaction:
            with transaction.cursor(self.data) as cursor:
                cursor.putmulti(entries)
            transaction.put(b"offset", offset, db=self.meta)

    def get(self, keys: list[bytes]) -> None:
        with self.environment.begin(db=self.data) as transaction:
            for key in keys:
                transaction.get(key)

    def range(self, first: bytes) -> list[Any]:
        with self.environment.begin() as transaction, transaction.cursor(self.data) as cursor:
            cursor.set_range(first)
            return [pair for pair, _ in zip(iter(cursor), range(RANGE_ENTRIES), strict=False)]

    def close(self) -> None:
        self.environment.close()


class Rocks:
    """One database, one write batch a commit; the write-ahead log is synced."""

    def __init__(self, folder: Path):
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        self.database = rocksdict.Rdict(str(folder), options)
        self.write_options = rocksdict.WriteOptions()
        self.write_options.sync = True

    def commit(self, entries: Entries, offset: bytes) -> None:
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in entries:
            batch.put(key, value)
        batch.put(b"\0offset", offset)
        self.database.write(batch, self.write_options)

    def get(self, keys: list[bytes]) -> None:
        get = self.database.get
        for key in keys:
            get(key)

    def range(self, first: bytes) -> list[Any]:
        pairs = self.database.items(from_key=first)
        return [pair for pair, _ in zip(pairs, range(RANGE_ENTRIES), strict=False)]

    def close(self) -> None:
        self.database.close()


class Sqlite:
    """One table without row ids, a write-ahead log, one transaction a commit."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.connection = sqlite3.connect(folder / "state.db", isolation_level=None)
        execute = self.connection.execute
        execute("pragma journal_mode = wal")
        execute("pragma synchronous = full")
        execute("create table data (key blob primary key, value blob) without rowid")

    def commit(self, entries: Entries, offset: bytes) -> None:
        statement = "insert or replace into data values (?, ?)"
        self.connection.execute("begin")
        self.connection.executemany(statement, entries)
        self.connection.execute(statement, (b"\0offset", offset))
        self.connection.execute("commit")

    def get(self, keys: list[bytes]) -> None:
        execute = self.connection.execute
        for key in keys:
            execute("select value from data where key = ?", (key,)).fetchone()

    def range(self, first: bytes) -> list[Any]:
        statement = "select key, value from data where key >= ? order by key limit ?"
        return self.connection.execute(statement, (first, RANGE_ENTRIES)).fetchall()

    def close(self) -> None:
        self.connection.close()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def entries(generator: random.Random, count: int) -> Entries:
    keys = sorted({b"key-%09d" % generator.randrange(KEYS) for _ in range(count)})
    return [(key, struct.pack(">qq", 1_700_000_000_000, generator.randrange(1000))) for key in keys]


def measure(make: Callable[[Path], Any], folder: Path) -> dict[str, float]:
    """Microseconds an entry of the three kinds of work, and the folder's size."""
    generator = random.Random(7)
    store = make(folder)
    for first in range(0, KEYS, DIRTY):
        chunk = [(b"key-%09d" % key, bytes(16)) for key in range(first, min(first + DIRTY, KEYS))]
        store.commit(chunk, b"0")
    batches = [entries(generator, DIRTY) for _ in range(COMMITS)]
    missed = [b"key-%09d" % generator.randrange(KEYS) for _ in range(READS)]
    starts = [b"key-%09d" % generator.randrange(KEYS) for _ in range(RANGES)]
    written = sum(map(len, batches))
    wrote = seconds(lambda: [store.commit(batch, b"1") for batch in batches])
    read = seconds(lambda: store.get(missed))
    ranged = seconds(lambda: [store.range(start) for start in starts])
    small = entries(generator, 50)
    committed = seconds(lambda: [store.commit(small, b"2") for _ in range(100)])
    store.close()
    size = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    return {
        "write": wrote / written * 1e6,
        "read": read / READS * 1e6,
        "range": ranged / (RANGES * RANGE_ENTRIES) * 1e6,
        "commit": committed / 100 * 1e6,
        "bytes": size / KEYS,
    }


def rivals() -> Iterator[tuple[str, Callable[[Path], Any]]]:
    yield "lmdb", Lmdb
    if rocksdict is not None:
        yield "rocksdict", Rocks
    yield "sqlite3", Sqlite


def main() -> None:
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    root = Path(tempfile.mkdtemp(dir=where))
    try:
        first: dict[str, float] = {}
        for name, make in rivals():
            measured = measure(make, root / name)
            first = first or measured
            row = ", ".join(
                f"{work} {value:.2f} ({value / first[work]:.1f})"
                for work, value in measured.items()
            )
            print(f"{name}: {row}")
        print("us an entry; commit: us of one with 50 entries; bytes a key; (times lmdb)")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
