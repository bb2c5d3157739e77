"""KeyValueStore and TimestampedKeyValueStore, sorted maps as a program sees them."""

from libc.stdint cimport int64_t
from libc.string cimport memcmp

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from pylog.streams.record cimport Change, Record
from pylog.streams.serde cimport Serde
from pylog.streams.state.bytes_store cimport BytesKeyValueStore
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport timestamp_of
from pylog.streams.state.store cimport Store, StoreIterator


cdef class KeyValueStore(Store):
    """A map from keys to values, ordered by the bytes of its keys.

    It reads like a mapping too: `store[key]`, `key in store`, `len(store)`, and iterating goes over
    the keys in order.
    """

    def __init__(self, BytesKeyValueStore layers not None, key_serde=None, value_serde=None,
                 bint is_timestamped=False):
        Store.__init__(self, layers, key_serde, value_serde, is_timestamped)
        self.inner = layers

    def get(self, key):
        """Return the value of a key, None for none."""
        return self.decode_value(self.inner.get(self.encode_key(key)))

    def put(self, key, value):
        """Set the value of a key; None deletes it."""
        self.inner.put(self.encode_key(key), self.encode_value(value))

    def put_if_absent(self, key, value):
        """Set the value of a key that has none.

        Returns:
            The value that the key has already, None if it had none.
        """
        cdef bytes raw_key = self.encode_key(key)
        raw = self.inner.get(raw_key)
        if raw is None:
            self.inner.put(raw_key, self.encode_value(value))
        return self.decode_value(raw)

    def put_all(self, entries):
        """Set the values of many keys.

        Args:
            entries: (key, value) pairs, or a mapping.
        """
        for key, value in (entries.items() if hasattr(entries, "items") else entries):
            self.put(key, value)

    def delete(self, key):
        """Take a key out.

        Returns:
            The value that it had, None for none.
        """
        cdef bytes raw_key = self.encode_key(key)
        raw = self.inner.get(raw_key)
        self.inner.put(raw_key, None)
        return self.decode_value(raw)

    def range(self, from_key=None, to_key=None):
        """Go through the entries from one key to another, both inclusive, in the order of bytes.

        Args:
            from_key: None is the beginning.
            to_key: None is the end.
        """
        return self._entries(self.encode_bound(from_key), self.encode_bound(to_key), True, False)

    def reverse_range(self, from_key=None, to_key=None):
        """Go through the entries from one key to another, the last one first."""
        return self._entries(self.encode_bound(from_key), self.encode_bound(to_key), True, True)

    def all(self):
        """Go through all entries, in the order of the keys' bytes."""
        self.check_open()
        return self._entries(None, None, True, False)

    def reverse_all(self):
        """Go through all entries, the last one first."""
        self.check_open()
        return self._entries(None, None, True, True)

    def prefix_scan(self, prefix, Serde serde=None):
        """Go through the entries whose keys' bytes begin with those of a prefix.

        Args:
            prefix: not None.
            serde: of the prefix; that of the keys by default.
        """
        cdef bytes raw
        if serde is None:
            raw = self.encode_key(prefix)
        else:
            self.check_open()
            raw = serde.encode(self.serde_topic, prefix)
        if raw is None:
            raise TypeError(f"store {self.name!r}: a prefix cannot be None")
        return self._entries(raw, after_prefix(raw), False, False)

    def flush_listener(self, listener):
        """What the cache calls: makes a Record of a Change and hands it to `listener`."""
        def on_flush(bytes key, new, old, int64_t timestamp, headers):
            cdef Change change = Change.__new__(Change)
            cdef Record record = Record.__new__(Record)
            change.new_value = self.decode_value(new)
            change.old_value = None if old is None else self.decode_value(old)
            change.is_latest = True
            record.key = self.key_serde.decode(self.serde_topic, key)
            record.value = change
            record.timestamp = timestamp
            record._headers = headers
            listener(record)
        return on_flush

    def _entries(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        cdef KeyValueIterator entries = KeyValueIterator.__new__(KeyValueIterator)
        entries.store = self
        if from_key is not None and to_key is not None and from_key > to_key:
            entries.cursor = Cursor()
        else:
            entries.cursor = self.inner.scan(from_key, to_key, to_inclusive, is_reverse)
        return entries

    def __getitem__(self, key):
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key):
        return self.inner.get(self.encode_key(key)) is not None

    def __iter__(self):
        for key, _ in self.all():
            yield key

    def __len__(self):
        return sum(1 for _ in self.all())

    def keys(self):
        """Go through the keys in order."""
        return iter(self)

    def values(self):
        """Go through the values, in the order of the keys."""
        for _, value in self.all():
            yield value

    def items(self):
        """Go through the entries, in the order of the keys."""
        return self.all()


cdef class TimestampedKeyValueStore(KeyValueStore):
    """A map from keys to ValueAndTimestamp."""

    def __init__(self, BytesKeyValueStore layers not None, key_serde=None, value_serde=None):
        KeyValueStore.__init__(self, layers, key_serde, value_serde, True)

    def get_with_raw(self, key):
        """Return the value of a key and its bytes, (None, None) for none; for put_if_different."""
        raw = self.inner.get(self.encode_key(key))
        return self.decode_value(raw), raw

    def put_if_different(self, key, value, raw_old):
        """Set the value of a key, unless it is the old one again at a later time.

        Args:
            key: not None.
            value: ValueAndTimestamp or None.
            raw_old: the bytes of the old value, as `get_with_raw` gave them.

        Returns:
            Whether the value was set.
        """
        cdef bytes raw_key = self.encode_key(key)
        raw = self.encode_value(value)
        if is_same_and_not_older(raw_old, raw):
            return False
        self.inner.put(raw_key, raw)
        return True


cdef class KeyValueIterator(StoreIterator):
    """Goes through (key, value) pairs."""

    cdef object entry(self):
        cdef Store store = self.store
        return (store.key_serde.decode(store.serde_topic, self.cursor.key),
                store.decode_value(self.cursor.value))

    cdef object entry_key(self):
        return self.store.key_serde.decode(self.store.serde_topic, self.cursor.key)


cdef bytes after_prefix(bytes prefix):
    """The first bytes after all those that begin with the prefix, None if there are none."""
    cdef bytes kept = prefix.rstrip(b"\xff")
    if not kept:
        return None
    return kept[:-1] + bytes((kept[len(kept) - 1] + 1,))


cdef bint is_same_and_not_older(object old, object new):
    """Whether an update changes nothing: the same value, at a later time."""
    cdef Py_ssize_t size
    if old is None or new is None:
        return old is None and new is None
    size = PyBytes_GET_SIZE(new)
    if size != PyBytes_GET_SIZE(old) or timestamp_of(new) <= timestamp_of(old):
        return False
    return not memcmp(PyBytes_AS_STRING(old) + 8, PyBytes_AS_STRING(new) + 8, size - 8)
