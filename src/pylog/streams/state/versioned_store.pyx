"""VersionedKeyValueStore, a map that remembers what its values were, as a program sees it."""

cimport cython
from libc.stdint cimport INT64_MIN, int64_t

from pylog.streams.state.bytes_store cimport BytesVersionedStore
from pylog.streams.state.store cimport Store

# What put returns when there is no later version, and when it wrote nothing.
VALID_TO_UNDEFINED = -1
NOT_PUT = INT64_MIN


@cython.final
cdef class VersionedRecord:
    """A version of a value, and when it was valid, ms since 1970.

    Attributes:
        value: not None.
        timestamp: from when on it is valid.
        valid_to: from when on it no longer is; None for the newest version.
    """

    def __init__(self, value, int64_t timestamp, valid_to=None):
        self.value = value
        self.timestamp = timestamp
        self.valid_to = valid_to

    def __eq__(self, other):
        if not isinstance(other, VersionedRecord):
            return NotImplemented
        return (self.value == other.value and self.timestamp == other.timestamp
                and self.valid_to == other.valid_to)

    __hash__ = None

    def __repr__(self):
        return (f"VersionedRecord(value={self.value!r}, timestamp={self.timestamp}, "
                f"valid_to={self.valid_to})")


cdef class VersionedKeyValueStore(Store):
    """A map from keys to values and their versions, kept for the history retention."""

    def __init__(self, BytesVersionedStore layers not None, int64_t history_retention_ms,
                 key_serde=None, value_serde=None):
        Store.__init__(self, layers, key_serde, value_serde, False)
        self.inner = layers
        self.history_retention_ms = history_retention_ms

    def put(self, key, value, int64_t timestamp):
        """Set the value that a key has from a time on, until its next version; None deletes it.

        Returns:
            When the next version begins: VALID_TO_UNDEFINED when there is none. NOT_PUT when the
            time is beyond the history retention: nothing was written then, and the record is
            counted as "expired".
        """
        return self.inner.put(self.encode_key(key), self.encode_value(value), timestamp)

    def get(self, key):
        """Return the newest version of a key's value, None for none."""
        return self.decode(self.inner.get(self.encode_key(key)))

    def get_as_of(self, key, int64_t timestamp):
        """Return the version that was valid at a time, None for none.

        Times beyond the history retention have none, unless it is the newest one.
        """
        return self.decode(self.inner.get_as_of(self.encode_key(key), timestamp))

    def delete(self, key, int64_t timestamp):
        """Delete a key from a time on, until its next version.

        Returns:
            The version that was valid then, None for none.
        """
        return self.decode(self.inner.delete(self.encode_key(key), timestamp))

    def get_range(self, key, int64_t time_from, int64_t time_to, bint is_descending=False):
        """Go through the versions of a key that were valid at some time from one to another.

        Args:
            key: not None.
            time_from: ms since 1970, inclusive.
            time_to: ms since 1970, inclusive.
            is_descending: whether the newest comes first.
        """
        versions = self.inner.get_range(self.encode_key(key), time_from, time_to)
        if is_descending:
            versions.reverse()
        return iter([self.decode(version) for version in versions])

    def __getitem__(self, key):
        version = self.get(key)
        if version is None:
            raise KeyError(key)
        return version

    def __contains__(self, key):
        return self.get(key) is not None

    cdef VersionedRecord decode(self, tuple version):
        if version is None:
            return None
        value = self.value_serde.decode(self.serde_topic, version[0])
        return VersionedRecord(value, version[1], None if version[2] < 0 else version[2])
