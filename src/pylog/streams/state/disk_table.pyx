"""DiskTable, a table in LMDB behind a layer that writes back.

What is put lies in a dict until the commit, or until there is too much of it; reads look there
first, then among what was used lately, and then in LMDB. So the updates of a key between two
commits cost a dict's assignment each, and one write.

The thread that writes owns the dicts. Others may read at any time: a dict is looked at under the
interpreter's lock, LMDB under the disk's.
"""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_SetItem
from cpython.object cimport PyObject
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int64_t

from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.long_keys cimport (
    LONG,
    bucket_entries,
    logical,
    physical,
    put_into_bucket,
)
from pylog.streams.state.sorted_keys cimport SortedKeys
from pylog.streams.state.table cimport Table

from pylog.streams.errors import InvalidStateStoreError

cdef enum:
    ENTRY_BYTES = 150                    # of memory, of a dict's entry and two bytes objects
    DIRTY_BYTES = 8 << 20                # then it is written out, though not committed
    RECENT_BYTES = 8 << 20
    FIRST_CHUNK = 4                      # rows that a cursor reads at first; then four times more
    LARGEST_CHUNK = 256
    # Deletions that cursors came across before they are written out. Else a queue, which is read
    # and deleted from in front, would go past all deletions since the last commit, each time.
    SKIPPED_MOST = 1000


@cython.final
cdef class DiskTable(Table):
    """A table of a StoreDisk, which has one for each of its names."""

    def __init__(self, disk, handle):
        self.disk = disk
        self.lock = disk.lock
        self.handle = handle
        self.dirty = {}
        self.recent = {}
        self.older = {}
        self.thread = PyThread_get_thread_ident()

    @property
    def is_dirty(self):
        """Whether there is something that is not in LMDB yet."""
        return bool(self.dirty)

    def use(self, transaction):
        """Read with this transaction from now on; the caller has the lock."""
        self.transaction = transaction

    def close(self):
        """Forget what was not committed."""
        self.dirty = {}
        self.recent = {}
        self.older = {}
        self.dirty_keys = None
        self.transaction = None
        self.dirty_size = self.recent_size = self.older_size = self.growth = 0

    def write_out(self):
        """Write all that is dirty into the transaction; the caller has the lock.

        Raises:
            StateStoreError: there is no room.
        """
        cdef list puts = [], deletions = []
        cdef bytes row
        if not self.dirty:
            return
        transaction = self.disk.write_transaction()
        for key in sorted(self.dirty):
            value = self.dirty[key]
            row = physical(key)
            if PyBytes_GET_SIZE(row) >= LONG:
                with self.disk.explained("write"):
                    put_into_bucket(transaction, self.handle, row, value)
            elif value is None:
                deletions.append(row)
            else:
                puts.append((row, value))
        with self.disk.explained("write"):
            if puts:
                with transaction.cursor(self.handle) as cursor:
                    cursor.putmulti(puts)
            for row in deletions:
                transaction.delete(row, b"", self.handle)
        self.age(self.dirty, self.dirty_size)
        self.dirty = {}
        self.dirty_keys = None
        self.dirty_size = self.growth = self.skipped = 0

    def approximate_num_entries(self):
        """How many entries there are; what was never read is taken for new when it is put."""
        with self.lock:
            in_lmdb = self.transaction.stat(self.handle)["entries"]
        return max(0, in_lmdb + self.growth)

    @property
    def memory_bytes(self):
        """About how much memory the dicts take."""
        return self.dirty_size + self.recent_size + self.older_size

    cdef object get(self, bytes key):
        cdef PyObject *found = PyDict_GetItem(self.dirty, key)
        if found is NULL:
            found = PyDict_GetItem(self.recent, key)
        if found is not NULL:
            return <object>found
        found = PyDict_GetItem(self.older, key)
        value = self.read(key) if found is NULL else <object>found
        if PyThread_get_thread_ident() == self.thread:
            self.remember(key, value)
        return value

    cdef int put(self, bytes key, object value) except -1:
        cdef PyObject *found = PyDict_GetItem(self.dirty, key)
        cdef Py_ssize_t size = 0 if value is None else PyBytes_GET_SIZE(value)
        if found is NULL:
            self.thread = PyThread_get_thread_ident()
            self.dirty_size += PyBytes_GET_SIZE(key) + size + ENTRY_BYTES
            if self.dirty_keys is not None:
                self.dirty_keys.add(key)
            if self.exists(key, value is None):
                self.growth -= value is None
            else:
                self.growth += value is not None
        elif <object>found is None:
            self.dirty_size += size
            self.growth += value is not None
        else:
            self.dirty_size += size - PyBytes_GET_SIZE(<object>found)
            self.growth -= value is None
        PyDict_SetItem(self.dirty, key, value)
        if self.dirty_size > DIRTY_BYTES:
            with self.lock:
                self.write_out()
        return 0

    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        cdef DiskCursor cursor = DiskCursor.__new__(DiskCursor)
        cursor.table = self
        cursor.is_reverse = is_reverse
        cursor.chunk = []
        cursor.chunk_size = FIRST_CHUNK
        if is_reverse:
            cursor.first, cursor.first_is_inclusive = to_key, to_inclusive
            cursor.last, cursor.last_is_inclusive = from_key, True
        else:
            cursor.first, cursor.first_is_inclusive = from_key, True
            cursor.last, cursor.last_is_inclusive = to_key, to_inclusive
        return cursor

    cdef bint exists(self, bytes key, bint otherwise) except -1:
        """Whether LMDB has a key, as far as it is known."""
        cdef PyObject *found = PyDict_GetItem(self.recent, key)
        if found is NULL:
            found = PyDict_GetItem(self.older, key)
        return otherwise if found is NULL else <object>found is not None

    cdef object read(self, bytes key):
        """What LMDB has."""
        cdef bytes row = physical(key)
        with self.lock:
            if self.transaction is None:
                raise InvalidStateStoreError(f"store {self.disk.name!r} is closed")
            if PyBytes_GET_SIZE(row) < LONG:
                return self.transaction.get(row, None, self.handle)
            return dict(bucket_entries(self.transaction, self.handle, row[:LONG])).get(key)

    cdef int remember(self, bytes key, object value) except -1:
        self.recent[key] = value
        self.recent_size += PyBytes_GET_SIZE(key) + ENTRY_BYTES
        if value is not None:
            self.recent_size += PyBytes_GET_SIZE(value)
        if self.recent_size > RECENT_BYTES:
            self.age({}, 0)
        return 0

    cdef int age(self, dict entries, int64_t size) except -1:
        """What is recent is older than these entries."""
        self.older, self.older_size = self.recent, self.recent_size
        self.recent, self.recent_size = entries, size
        return 0

    cdef list rows(self, bytes first, bint is_inclusive, Py_ssize_t count, bint is_reverse):
        """Some rows of LMDB from `first` on, which is None for the beginning, or the end."""
        cdef list rows = []
        cdef bytes place
        with self.transaction.cursor(self.handle) as cursor:
            place = None if first is None else physical(first)[:LONG]
            if is_reverse:
                found = cursor.last() if place is None else cursor.set_range(place)
                if place is not None:
                    # Rows of a long key come after the place, which is their common beginning.
                    if not found:
                        found = cursor.last()
                    elif cursor.key() != place:
                        found = cursor.prev()
            else:
                found = cursor.first() if place is None else cursor.set_range(place)
            while found and len(rows) < count:
                row = cursor.key()
                if len(row) < LONG:
                    entries = ((logical(row), cursor.value()),)
                else:
                    entries = bucket_entries(self.transaction, self.handle, row)
                    if is_reverse:
                        entries = reversed(entries)
                for key, value in entries:
                    if first is not None:
                        if key == first:
                            if not is_inclusive:
                                continue
                        elif (key > first) if is_reverse else (key < first):
                            continue
                    rows.append((key, value))
                found = cursor.prev() if is_reverse else cursor.next()
        return rows


@cython.final
cdef class DiskCursor(Cursor):
    """The entries from one key to another: LMDB's, and those that are dirty."""

    cdef bint advance(self) except -1:
        cdef bytes key
        while not self.is_at_end:
            if self.index == len(self.chunk) and not self.next_chunk():
                break
            key, value = self.chunk[self.index]
            self.index += 1
            if self.is_beyond(key):
                self.is_at_end = True
                break
            if value is not None:
                self.key = key
                self.value = value
                return True
        return False

    cdef bint is_beyond(self, bytes key) except -1:
        if self.last is None:
            return False
        if self.is_reverse:
            return key < self.last
        if self.last_is_inclusive:
            return key > self.last
        return key >= self.last

    cdef bint next_chunk(self) except -1:
        cdef DiskTable table = self.table
        cdef dict merged
        cdef list rows, keys
        cdef bytes end = None            # up to where LMDB was read
        with table.lock:
            if table.transaction is None:
                raise InvalidStateStoreError(f"store {table.disk.name!r} is closed")
            rows = table.rows(self.first, self.first_is_inclusive, self.chunk_size,
                              self.is_reverse)
            if len(rows) >= self.chunk_size:
                end = rows[len(rows) - 1][0]
            if table.dirty:
                merged = dict(rows)
                self.add_dirty(merged, end)
                if table.skipped > SKIPPED_MOST and PyThread_get_thread_ident() == table.thread:
                    table.write_out()
                keys = sorted(merged, reverse=self.is_reverse)
                rows = [(key, merged[key]) for key in keys]
        self.chunk = rows
        self.index = 0
        if not rows:
            self.is_at_end = True
            return False
        if self.chunk_size < LARGEST_CHUNK:
            self.chunk_size *= 4
        self.first = rows[len(rows) - 1][0]
        self.first_is_inclusive = False
        return True

    cdef int add_dirty(self, dict merged, bytes end) except -1:
        """Add what is dirty as far as LMDB was read; to the end of the range, if it was to its."""
        cdef DiskTable table = self.table
        cdef bytes first = self.first, key
        cdef bint is_inclusive = self.first_is_inclusive
        cdef list keys
        if table.dirty_keys is None:
            table.dirty_keys = SortedKeys(table.dirty)
        while True:
            if self.is_reverse:
                keys = table.dirty_keys.chunk_backwards(first, is_inclusive)
                keys.reverse()
            else:
                keys = table.dirty_keys.chunk(first, is_inclusive)
            if not keys:
                return 0
            for key in keys:
                if end is not None and ((key < end) if self.is_reverse else (key > end)):
                    return 0
                if self.is_beyond(key):
                    return 0
                value = table.dirty[key]
                merged[key] = value
                table.skipped += value is None
            first = keys[len(keys) - 1]
            is_inclusive = False
