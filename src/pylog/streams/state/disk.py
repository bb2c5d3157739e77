"""StoreDisk, the folder of a store on disk: an LMDB environment and who may use it.

    <state_dir>/<store>/data.mdb   tables of the store, and the table "meta"
    <state_dir>/<store>/lock.mdb   LMDB's own
    <state_dir>/<store>/owner      locked by the process that has the store open

    meta: "layout"      what kind of store it is, and the version of its rows
          "offset"      of the changelog, up to which the tables equal it
          "position"    JSON, by source topic and partition the offset of the newest record
            "stream_time" ms, the highest time in a window, session or versioned store
          "sequence"    the number of the newest duplicate in a window store

All writes since the last commit lie in memory and, when they are many, in one write transaction; a
commit makes them and "meta" durable together, or not at all. What was written is seen by readers at
once. A write transaction belongs to the thread that opened it: commit before another thread writes.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from pylog.streams.errors import StateDirectoryLockedError, StateStoreError, StreamsConfigError
from pylog.streams.state.disk_table import DiskTable

# Address space, not memory or disk: it doubles whenever half of it is in use.
MAP_BYTES = 1 << 34
MAP_BYTES_LEAST = 1 << 26

ROWS_VERSION = 1
TABLES_MOST = 8


class StoreDisk:
    """The folder of one store.

    Attributes:
        lock: held while the environment is used.
        position: what `commit` was given last.
        stream_time: set before `commit`; -1 before the first.
        sequence: set before `commit`; 0 before the first.
        committed_offset: what `commit` was given last, None for none.
        folder: None until it is opened.
    """

    def __init__(self, name: str):
        self.name = name
        self.lock = Lock()
        self.position: dict[str, dict[int, int]] = {}
        self.stream_time = -1
        self.sequence = 0
        self.committed_offset: int | None = None
        self.folder: Path | None = None
        self._is_temporary = False
        self._owner = -1
        self._environment: Any = None
        self._reading: Any = None
        self._writing: Any = None
        self._meta: Any = None
        self._committed_meta: tuple[Any, ...] = ()
        self._tables: dict[str, DiskTable] = {}

    def open(self, state_dir: str | os.PathLike[str] | None, layout: str) -> None:
        """Open the folder, and make it if there is none.

        Args:
            state_dir: of the task; None for a temporary one.
            layout: what kind of store it is.

        Raises:
            StreamsConfigError: lmdb is not installed.
            StateDirectoryLockedError: somebody has it open.
            StateStoreError: it cannot be used.
        """
        self._is_temporary = state_dir is None
        if state_dir is None:
            folder = Path(tempfile.mkdtemp(prefix="pylog-streams-"))
        else:
            folder = Path(state_dir) / self.name
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._owner = self._own(folder)
            self._environment = self._open_environment(folder)
            with self.explained("open"):
                self._read_meta(f"{layout}, rows {ROWS_VERSION}")
        except OSError as error:
            self.close()
            raise StateStoreError(f"{self._what()} cannot be opened: {error}") from error
        except BaseException:
            self.close()
            raise

    def table(self, name: str) -> DiskTable:
        """Open a table of the store."""
        with self.explained("open"):
            handle = self._environment.open_db(name.encode())
        table = DiskTable(self, handle)
        self._tables[name] = table
        self._read_anew()
        return table

    def write_transaction(self) -> Any:
        """For tables: what takes all writes until the next commit; the caller has the lock."""
        if self._writing is None:
            with self.explained("write"):
                self._writing = self._environment.begin(write=True)
            self._hand_out(self._writing)
        return self._writing

    def commit(self, offset: int | None, position: dict[str, dict[int, int]]) -> None:
        """Make all writes durable, and with them what is said here.

        Args:
            offset: in the changelog, of the next record to restore; None for none.
            position: by source topic and partition, the offset of the newest record.

        Raises:
            StateStoreError: there is no room. The writes since the last commit are lost.
        """
        with self.lock:
            if not self._is_changed(offset, position):
                return
            try:
                self._commit(offset, position)
            except StateStoreError:
                self._abort()
                raise

    def close(self) -> None:
        """Let go of the folder. What was not committed is dropped."""
        with self.lock:
            self._abort()
            if self._reading is not None:
                self._reading.abort()
                self._reading = None
            if self._environment is not None:
                self._environment.close()
                self._environment = None
        self._tables = {}
        if self._owner >= 0:
            # A child process may have the file open too, and must not keep the lock.
            fcntl.flock(self._owner, fcntl.LOCK_UN)
            os.close(self._owner)
            self._owner = -1
        if self._is_temporary and self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn LMDB's errors into StateStoreError; for tables, too."""
        import lmdb

        try:
            yield
        except lmdb.MapFullError as error:
            raise StateStoreError(
                f"{self._what()} cannot take what was written since the last commit: its map of "
                f"{self._environment.info()['map_size']} bytes is full; commit more often"
            ) from error
        except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError) as error:
            raise StateStoreError(f"{self._what()} is damaged: {error}; {REBUILD}") from error
        except lmdb.VersionMismatchError as error:
            raise StateStoreError(
                f"{self._what()} was written by another version of LMDB: {error}; {REBUILD}"
            ) from error
        except (lmdb.Error, OSError, MemoryError) as error:
            raise StateStoreError(f"{self._what()}: cannot {doing}: {error}") from error

    def _own(self, folder: Path) -> int:
        owner = os.open(folder / "owner", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(owner)
            raise StateDirectoryLockedError(
                f"{self._what()} is open already, in another process or task"
            ) from error
        return owner

    def _open_environment(self, folder: Path) -> Any:
        try:
            import lmdb
        except ImportError as error:
            raise StreamsConfigError(
                f"store {self.name!r}: stores on disk need lmdb: pip install 'pylog[streams]', or "
                "set default.dsl.store to in_memory"
            ) from error
        data = folder / "data.mdb"
        size = data.stat().st_size if data.exists() else 0
        map_bytes = MAP_BYTES
        while map_bytes < 2 * size:
            map_bytes *= 2
        while True:
            try:
                with self.explained("open"):
                    environment = lmdb.open(
                        str(folder), map_size=map_bytes, max_dbs=TABLES_MOST, metasync=False
                    )
                break
            except StateStoreError:
                # Where address space is short, as under `ulimit -v`, a smaller map will do.
                if map_bytes // 2 < max(MAP_BYTES_LEAST, 2 * size):
                    raise
                map_bytes //= 2
        used = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        if size and size < used:
            environment.close()
            # Reading beyond the end of a mapped file would kill the process.
            raise StateStoreError(
                f"{self._what()} is damaged: data.mdb has {size} bytes of {used}; {REBUILD}"
            )
        return environment

    def _read_meta(self, layout: str) -> None:
        self._meta = self._environment.open_db(b"meta")
        with self._environment.begin(db=self._meta) as transaction:
            found = transaction.get(b"layout")
            offset = transaction.get(b"offset")
            self.position = _position_of(transaction.get(b"position"))
            self.stream_time = int(transaction.get(b"stream_time", b"-1"))
            self.sequence = int(transaction.get(b"sequence", b"0"))
        self.committed_offset = None if offset is None else int(offset)
        self._committed_meta = ()
        if found is None:
            with self._environment.begin(write=True, db=self._meta) as transaction:
                transaction.put(b"layout", layout.encode())
        elif found.decode() != layout:
            raise StateStoreError(
                f"{self._what()} has the rows of another store: {found.decode()!r}, and this one "
                f"is {layout!r}; {REBUILD}"
            )

    def _read_anew(self) -> None:
        """Let readers see the last commit."""
        if self._reading is not None:
            self._reading.abort()
        self._reading = self._environment.begin()
        self._hand_out(self._reading)

    def _hand_out(self, transaction: Any) -> None:
        for table in self._tables.values():
            table.use(transaction)

    def _commit(self, offset: int | None, position: dict[str, dict[int, int]]) -> None:
        transaction = self.write_transaction()
        for table in self._tables.values():
            table.write_out()
        with self.explained("write"):
            if offset is None:
                transaction.delete(b"offset", db=self._meta)
            else:
                transaction.put(b"offset", b"%d" % offset, db=self._meta)
            transaction.put(b"position", json.dumps(position).encode(), db=self._meta)
            transaction.put(b"stream_time", b"%d" % self.stream_time, db=self._meta)
            transaction.put(b"sequence", b"%d" % self.sequence, db=self._meta)
            transaction.commit()
        self._writing = None
        self.committed_offset = offset
        self.position = position
        self._committed_meta = (offset, position, self.stream_time, self.sequence)
        self._grow()
        self._read_anew()

    def _is_changed(self, offset: int | None, position: dict[str, dict[int, int]]) -> bool:
        meta = (offset, position, self.stream_time, self.sequence)
        return (
            self._writing is not None
            or meta != self._committed_meta
            or any(table.is_dirty for table in self._tables.values())
        )

    def _grow(self) -> None:
        info = self._environment.info()
        if 2 * info["last_pgno"] * self._environment.stat()["psize"] > info["map_size"]:
            # No transaction may be open meanwhile.
            self._reading.abort()
            self._reading = None
            with self.explained("write"):
                self._environment.set_mapsize(2 * info["map_size"])

    def _abort(self) -> None:
        if self._writing is not None:
            self._writing.abort()
            self._writing = None
            if self._reading is not None:
                self._hand_out(self._reading)

    def _what(self) -> str:
        return f"store {self.name!r} in {self.folder}"


REBUILD = "delete the folder, then the store is built anew from its changelog"


def _position_of(text: bytes | None) -> dict[str, dict[int, int]]:
    if text is None:
        return {}
    return {
        topic: {int(partition): offset for partition, offset in offsets.items()}
        for topic, offsets in json.loads(text).items()
    }
