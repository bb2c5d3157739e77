"""What a Python program could pick instead of pylog, each in its best honest setting.

A store takes records in lists, one list a commit. `durable` asks that a commit has reached the
device when `put` returns; without it a commit may stay in the page cache, or for those that
buffer, in the process. All stores keep the order, the key and the value of each record, and
reading gives back the key and the value as bytes objects.

The settings come from trying them on one machine, fastest kept: LMDB's putmulti with append
beats its put by half, RocksDB gains nothing from its vector memtable, SQLite nothing from larger
pages, persist-queue's file queue and SQLite queue are equal.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.workload import BLOCK_RECORDS, HEADER, KEY_BYTES, RAW_FILE_NAME, TOPIC, Pair


class Store:
    """A store in a folder; one commit a call of `put`."""

    name: ClassVar[str]
    setting: ClassVar[str]
    module: ClassVar[str | None] = None
    kind: ClassVar[str] = "peer"
    # A store that syncs at each of its commits is given fewer records: it takes milliseconds each.
    slow: ClassVar[bool] = False

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        raise NotImplementedError

    def put(self, pairs: list[Pair]) -> None:
        """Append all pairs as one commit."""
        raise NotImplementedError

    def close(self) -> None:
        """Hand everything to the operating system and close."""
        raise NotImplementedError

    @staticmethod
    def read(folder: Path, total: int) -> int:
        """Read all records in order, key and value as bytes; return how many."""
        raise NotImplementedError

    @classmethod
    def is_available(cls) -> bool:
        return cls.module is None or find_spec(cls.module) is not None


class RawFile(Store):
    name = "open(path, 'ab') loop"
    setting = "write(pack(...) + key + value), buffered; fdatasync a commit if durable"
    kind = "raw"

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        self._file = open(folder / RAW_FILE_NAME, "ab")  # noqa: SIM115 (closed in close)
        self._durable = durable
        self._next_offset = 0

    def put(self, pairs: list[Pair]) -> None:
        write, pack = self._file.write, HEADER.pack
        for offset, (key, value) in enumerate(pairs, self._next_offset):
            write(pack(offset, len(key), len(value)) + key + value)
        self._next_offset += len(pairs)
        if self._durable:
            self._file.flush()
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    @staticmethod
    def read(folder: Path, total: int) -> int:
        count, unpack = 0, HEADER.unpack
        with open(folder / RAW_FILE_NAME, "rb") as file:
            take = file.read
            while header := take(HEADER.size):
                _offset, key_size, value_size = unpack(header)
                _record = take(key_size), take(value_size)
                count += 1
        return count


class PylogTopic(Store):
    name = "pylog append / append_many"
    setting = "pylog.open(folder, acks=1), or acks='all' if durable; read by consume(1000)"
    module = "pylog"
    kind = "main"

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        import pylog

        self._log = pylog.open(str(folder), acks="all" if durable else 1)
        self._topic = self._log.topic(TOPIC, partitions=1)

    def put(self, pairs: list[Pair]) -> None:
        if len(pairs) == 1:
            key, value = pairs[0]
            self._topic.append(value, key)
        else:
            self._topic.append_many(pairs)

    def close(self) -> None:
        self._log.close()

    @staticmethod
    def read(folder: Path, total: int) -> int:
        import pylog

        consumer = pylog.Consumer({"log.dir": str(folder), "group.id": "bench"})
        consumer.assign([pylog.TopicPartition(TOPIC, 0, 0)])
        count = 0
        while count < total:
            messages = consumer.consume(1000, 10.0)
            for message in messages:
                _record = message.key(), message.value()
            count += len(messages)
        return count


class PylogProducer(PylogTopic):
    name = "pylog produce loop"
    setting = "Producer acks=1, flush at the end; acks=all and flush a commit if durable"

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        import pylog

        with pylog.open(str(folder), acks=1) as log:
            log.topic(TOPIC, partitions=1)
        # The default linger.ms: flush() does not wait for it, and without it each record would be
        # a batch of its own.
        acks = "all" if durable else 1
        self._producer = pylog.Producer({"log.dir": str(folder), "acks": acks})
        self._durable = durable

    def put(self, pairs: list[Pair]) -> None:
        send = self._producer.produce
        for key, value in pairs:
            send(TOPIC, value=value, key=key)
        if self._durable:
            self._producer.flush()

    def close(self) -> None:
        self._producer.flush()


class Lmdb(Store):
    name = "lmdb"
    setting = "putmulti(append) a transaction; sync=False, or sync if durable"
    module = "lmdb"
    _MAP_BYTES = 1 << 36

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        import lmdb

        self._env = lmdb.open(str(folder), map_size=self._MAP_BYTES, sync=durable)
        self._next_offset = 0

    def put(self, pairs: list[Pair]) -> None:
        items = [
            (offset.to_bytes(KEY_BYTES, "big"), key + value)
            for offset, (key, value) in enumerate(pairs, self._next_offset)
        ]
        self._next_offset += len(pairs)
        with self._env.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti(items, append=True)

    def close(self) -> None:
        self._env.close()

    @staticmethod
    def read(folder: Path, total: int) -> int:
        import lmdb

        count = 0
        with (
            lmdb.open(str(folder), map_size=Lmdb._MAP_BYTES, readonly=True) as env,
            env.begin() as transaction,
            transaction.cursor() as cursor,
        ):
            for _record in cursor.iternext(keys=False):
                count += 1
        return count


class RocksDb(Store):
    name = "rocksdict (RocksDB)"
    setting = "WriteBatch, raw mode, 256 MiB memtable, no compression; sync=True if durable"
    module = "rocksdict"

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        import rocksdict

        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_compression_type(rocksdict.DBCompressionType.none())
        options.set_write_buffer_size(256 << 20)
        self._database = rocksdict.Rdict(str(folder), options)
        self._new_batch = rocksdict.WriteBatch
        self._write_options = rocksdict.WriteOptions()
        self._write_options.sync = durable
        self._next_offset = 0

    def put(self, pairs: list[Pair]) -> None:
        batch = self._new_batch(raw_mode=True)
        put = batch.put
        for offset, (key, value) in enumerate(pairs, self._next_offset):
            put(offset.to_bytes(KEY_BYTES, "big"), key + value)
        self._next_offset += len(pairs)
        self._database.write(batch, self._write_options)

    def close(self) -> None:
        self._database.close()

    @staticmethod
    def read(folder: Path, total: int) -> int:
        import rocksdict

        database = rocksdict.Rdict(str(folder), rocksdict.Options(raw_mode=True))
        count = 0
        for _record in database.values():
            count += 1
        database.close()
        return count


class Sqlite(Store):
    name = "sqlite3 (WAL)"
    setting = "executemany a transaction, WAL; synchronous=NORMAL, FULL if durable"
    module = "sqlite3"
    _FILE_NAME = "log.db"

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        import sqlite3

        self._connection = sqlite3.connect(folder / self._FILE_NAME, isolation_level=None)
        execute = self._connection.execute
        execute("PRAGMA journal_mode=WAL")
        execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        execute("CREATE TABLE log(offset INTEGER PRIMARY KEY, key BLOB, value BLOB)")

    def put(self, pairs: list[Pair]) -> None:
        connection = self._connection
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO log(key, value) VALUES (?, ?)", pairs)
        connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()

    @staticmethod
    def read(folder: Path, total: int) -> int:
        import sqlite3

        connection = sqlite3.connect(folder / Sqlite._FILE_NAME)
        cursor = connection.execute("SELECT key, value FROM log ORDER BY offset")
        count = 0
        while rows := cursor.fetchmany(1000):
            count += len(rows)
        connection.close()
        return count


class ArrowStream(Store):
    name = "pyarrow IPC stream"
    setting = "record batch a commit, read by to_pylist; no checksum, no offsets, no follow"
    module = "pyarrow"
    _FILE_NAME = "log.arrows"

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        import pyarrow

        self._pyarrow = pyarrow
        self._binary = pyarrow.binary()
        self._schema = pyarrow.schema([("key", self._binary), ("value", self._binary)])
        self._file = open(folder / self._FILE_NAME, "wb")  # noqa: SIM115 (closed in close)
        self._sink = pyarrow.PythonFile(self._file, mode="w")
        self._writer = pyarrow.ipc.new_stream(self._sink, self._schema)
        self._durable = durable

    def put(self, pairs: list[Pair]) -> None:
        array, binary = self._pyarrow.array, self._binary
        columns = [
            array([key for key, _ in pairs], binary),
            array([value for _, value in pairs], binary),
        ]
        self._writer.write_batch(self._pyarrow.record_batch(columns, schema=self._schema))
        if self._durable:
            self._file.flush()
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        self._writer.close()
        self._sink.close()
        self._file.close()

    @staticmethod
    def read(folder: Path, total: int) -> int:
        count = 0
        for batch in ArrowStream._batches(folder):
            keys, values = (column.to_pylist() for column in batch.columns)
            assert len(keys) == len(values)
            count += len(values)
        return count

    @staticmethod
    def _batches(folder: Path) -> Any:
        import pyarrow

        source = pyarrow.memory_map(str(folder / ArrowStream._FILE_NAME))
        return pyarrow.ipc.open_stream(source)


class PersistQueue(Store):
    name = "persist-queue"
    setting = "file Queue with its pickle; chunksize is the commit if durable (data file synced)"
    module = "persistqueue"
    slow = True

    def __init__(self, folder: Path, *, durable: bool, batch: int) -> None:
        import persistqueue

        # The queue syncs a chunk file when it is full, and never before.
        chunk_records = batch if durable else 100 * BLOCK_RECORDS
        self._queue = persistqueue.Queue(
            str(folder / "queue"), chunksize=chunk_records, tempdir=str(folder)
        )

    def put(self, pairs: list[Pair]) -> None:
        for pair in pairs:
            self._queue.put(pair)

    def close(self) -> None:
        self._queue.headf.close()

    @staticmethod
    def read(folder: Path, total: int) -> int:
        import persistqueue

        queue = persistqueue.Queue(
            str(folder / "queue"), chunksize=100 * BLOCK_RECORDS, tempdir=str(folder)
        )
        count = 0
        while queue.qsize():
            _record = queue.get()
            count += 1
        return count


STORES: dict[str, type[Store]] = {
    store.__name__: store
    for store in (
        RawFile,
        PylogProducer,
        PylogTopic,
        Lmdb,
        RocksDb,
        Sqlite,
        ArrowStream,
        PersistQueue,
    )
}
