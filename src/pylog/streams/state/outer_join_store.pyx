"""OuterJoinStore, the records of a left or outer stream join that have found nothing so far.

    key      timestamp(8) side(1) key        side is 1 for the left one
    value    1, number of values(4), then of each its size(4), side(1), value
    numbers are big-endian

Records of one time, side and key are one entry, a list in the order in which they came. Entries are
ordered by time, then by side, the right one first, then by the key's bytes.

Source: Kafka Streams' TimestampedKeyAndJoinSideSerializer, LeftOrRightValueSerializer,
ListValueStore, ListSerializer.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from pylog.streams.node cimport TaskContext
from pylog.streams.serde cimport Serde, load_int64, store_int64
from pylog.streams.state.formats cimport store_int32
from pylog.streams.state.key_value_store cimport KeyValueStore
from pylog.streams.state.store cimport Store, StoreIterator

from pylog.streams.errors import SerializationError

cdef enum:
    LIST_HEAD = 5
    KEY_HEAD = 9


@cython.final
cdef class OuterJoinStore(Store):
    """Keeps records until their windows close.

    Args:
        entries: the store of bytes that it is a face of.
        key_serde: None for the default of the application.
        left_value_serde: None for the default of the application.
        right_value_serde: None for the default of the application.
    """

    def __init__(self, KeyValueStore entries not None, key_serde=None, left_value_serde=None,
                 right_value_serde=None):
        Store.__init__(self, entries.inner, key_serde, left_value_serde, False)
        self.inner = entries.inner
        self.right_value_serde = right_value_serde

    def init(self, TaskContext context not None):
        """Open the store for a task.

        Raises:
            StreamsConfigError: a serde was not given and the configuration has none.
            StateStoreError: what is on disk cannot be used.
        """
        where = f"store {self.name!r}"
        self.right_value_serde = context.config.value_serde_for(self.right_value_serde, where)
        Store.init(self, context)

    def add(self, key, int64_t timestamp, bint is_left, value):
        """Keep a record.

        Args:
            key: not None.
            timestamp: of the record, ms.
            is_left: which side it is from.
            value: not None.

        Raises:
            TypeError: the key or the value is None.
        """
        cdef bytes stored_key = self.stored_key(key, timestamp, is_left)
        cdef Serde serde = self.value_serde if is_left else self.right_value_serde
        cdef bytes raw = serde.encode(self.serde_topic, value)
        if raw is None:
            raise TypeError(f"store {self.name!r}: a value cannot be None")
        self.inner.put(stored_key, with_one_more(self.inner.get(stored_key), raw, is_left))

    def discard(self, key, int64_t timestamp, bint is_left):
        """Let go of the records of one key, time and side, if there are any: they were joined."""
        cdef bytes stored_key = self.stored_key(key, timestamp, is_left)
        if self.inner.get(stored_key) is not None:
            self.inner.put(stored_key, None)

    def all(self):
        """Go through the entries in order, each an OuterJoinEntry."""
        cdef OuterJoinIterator entries = OuterJoinIterator.__new__(OuterJoinIterator)
        self.check_open()
        entries.store = self
        entries.cursor = self.inner.scan(None, None, True, False)
        return entries

    def delete(self, OuterJoinEntry entry not None):
        """Let go of an entry, all its records."""
        self.check_open()
        self.inner.put(entry.stored_key, None)

    cdef bytes stored_key(self, object key, int64_t timestamp, bint is_left):
        cdef bytes raw = self.encode_key(key)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(raw)
        cdef bytes joined = PyBytes_FromStringAndSize(NULL, KEY_HEAD + size)
        cdef char *target = PyBytes_AS_STRING(joined)
        store_int64(target, timestamp)
        target[8] = is_left
        memcpy(target + KEY_HEAD, PyBytes_AS_STRING(raw), size)
        return joined


@cython.final
cdef class OuterJoinEntry:
    """The records of one time, side and key.

    Attributes:
        timestamp: of all of them, ms.
        is_left: which side they are from.
    """

    cdef int count(self) noexcept:
        """How many records they are."""
        return load_int32(PyBytes_AS_STRING(self.stored_value) + 1)

    def key(self):
        """Return their key."""
        cdef bytes raw = self.stored_key[KEY_HEAD:]
        return self.store.key_serde.decode(self.store.serde_topic, raw)

    def values(self):
        """Return their values, in the order in which they came."""
        cdef Serde serde = self.store.value_serde if self.is_left else self.store.right_value_serde
        return [serde.decode(self.store.serde_topic, raw) for raw in values_of(self.stored_value)]


@cython.final
cdef class OuterJoinIterator(StoreIterator):
    """Goes through OuterJoinEntry objects."""

    cdef object entry(self):
        cdef OuterJoinEntry entry = OuterJoinEntry.__new__(OuterJoinEntry)
        entry.store = self.store
        entry.stored_key = self.cursor.key
        entry.stored_value = self.cursor.value
        if (PyBytes_GET_SIZE(entry.stored_key) < KEY_HEAD
                or PyBytes_GET_SIZE(entry.stored_value) < LIST_HEAD
                or PyBytes_AS_STRING(entry.stored_value)[0] != 1):
            raise SerializationError(
                f"store {self.store.name!r}: an entry is no list of records of a join"
            )
        entry.timestamp = load_int64(PyBytes_AS_STRING(entry.stored_key))
        entry.is_left = PyBytes_AS_STRING(entry.stored_key)[8] == 1
        return entry

    cdef object entry_key(self):
        return self.cursor.key


cdef bytes with_one_more(bytes entries, bytes raw, bint is_left):
    """A list of values with one more at its end; None for an empty list."""
    cdef Py_ssize_t old_size = LIST_HEAD if entries is None else PyBytes_GET_SIZE(entries)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw)
    cdef bytes joined = PyBytes_FromStringAndSize(NULL, old_size + 5 + size)
    cdef char *target = PyBytes_AS_STRING(joined)
    cdef int count = 0
    if entries is not None:
        memcpy(target, PyBytes_AS_STRING(entries), old_size)
        count = load_int32(target + 1)
    target[0] = 1  # sizes of values differ
    store_int32(target + 1, count + 1)
    store_int32(target + old_size, <int>size + 1)
    target[old_size + 4] = is_left
    memcpy(target + old_size + 5, PyBytes_AS_STRING(raw), size)
    return joined


cdef list values_of(bytes entries):
    """The values of a list, without their sides."""
    cdef Py_ssize_t end = PyBytes_GET_SIZE(entries)
    cdef Py_ssize_t start = LIST_HEAD
    cdef int size
    cdef list values = []
    cdef const char *source = PyBytes_AS_STRING(entries)
    for _ in range(load_int32(source + 1)):
        size = load_int32(source + start) if start + 4 <= end else 0
        if size < 1 or start + 4 + size > end:
            raise SerializationError("an entry of an outer join store is cut off")
        values.append(entries[start + 5:start + 4 + size])
        start += 4 + size
    return values


cdef inline int load_int32(const char *source) noexcept nogil:
    cdef unsigned int bits = 0
    cdef int index
    for index in range(4):
        bits = (bits << 8) | <unsigned char>source[index]
    return <int>bits
