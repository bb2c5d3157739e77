"""Store, what all stores that a program sees have, and StoreIterator, a way through one.

Keys and values become bytes here. The layers below know only bytes, so an object that a program
goes on to change does not change the store.
"""


from pylog.streams.node cimport TaskContext
from pylog.streams.record cimport ValueAndTimestamp
from pylog.streams.state.bytes_store cimport BytesStore
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport timestamp_of, with_timestamp, without_timestamp

from pylog.streams.errors import InvalidStateStoreError


cdef class Store:
    """A store of a task.

    Attributes:
        changelog_topic: where changes are logged; set before `init`, None for nowhere.
        changelog_partition: the partition there.
        key_serde: of keys, once `init` was called.
        value_serde: of values without their timestamps.
    """

    def __init__(self, BytesStore layers not None, key_serde, value_serde, bint is_timestamped):
        self.name = layers.name
        self.is_persistent = layers.is_persistent
        self.layers = layers
        self.key_serde = key_serde
        self.value_serde = value_serde
        self.is_timestamped = is_timestamped

    def init(self, TaskContext context not None):
        """Open the store for a task.

        Raises:
            StreamsConfigError: a serde was not given and the configuration has none.
            StateStoreError: what is on disk cannot be used.
        """
        self.context = context
        self.serde_topic = self.changelog_topic
        if self.serde_topic is None:
            self.serde_topic = f"{context.application_id}-{self.name}-changelog"
        where = f"store {self.name!r}"
        self.key_serde = context.config.key_serde_for(self.key_serde)
        self.value_serde = context.config.value_serde_for(self.value_serde, where=where)
        self.layers.open(context, self.changelog_topic, self.changelog_partition)
        self.is_open_now = True

    def flush(self):
        """Write through what caches hold; their listeners hear of it."""
        self.check_open()
        self.layers.flush()

    def close(self):
        """Close the store. What was not committed of a store on disk is dropped."""
        if self.is_open_now:
            self.is_open_now = False
            self.layers.close()

    def commit(self, offset):
        """Make what a store on disk has and its changelog's offset durable, in one step.

        Args:
            offset: in the changelog, of the next record to restore; None for none.
        """
        self.check_open()
        self.layers.commit(offset)

    def restore_batch(self, list records not None):
        """Take in records of the changelog.

        Args:
            records: (key bytes, value bytes or None, timestamp in ms, headers), in order.
        """
        self.check_open()
        self.layers.restore(records, self.is_timestamped)

    def set_flush_listener(self, listener, bint send_old_values):
        """Have the cache tell of each entry that it writes through.

        Args:
            listener: called with a Record of a Change.
            send_old_values: whether the Change has the old value.

        Returns:
            Whether there is a cache. If not, nobody is ever told.
        """
        set_listener = getattr(self.layers, "set_flush_listener", None)
        if set_listener is None:
            return False
        set_listener(self.flush_listener(listener), send_old_values)
        return True

    def flush_listener(self, listener):
        """For a subclass: what to call with (key, new, old, timestamp, headers), all bytes."""
        raise NotImplementedError(f"{type(self).__name__}.flush_listener")

    @property
    def flushes_on_commit(self):
        """Whether `flush` may have something to do: there is a cache."""
        return hasattr(self.layers, "set_flush_listener")

    @property
    def is_open(self):
        """Whether the store can be used."""
        return self.is_open_now

    @property
    def committed_offset(self):
        """The changelog offset that was committed last, None for none."""
        return self.layers.committed_offset

    @property
    def folder(self):
        """Where a store on disk is, None for others and before `init`."""
        return self.layers.folder

    @property
    def position(self):
        """By source topic and partition, the offset of the newest record that the store has."""
        return self.layers.positions()

    @property
    def memory_bytes(self):
        """About how much memory the store takes."""
        return self.layers.memory_bytes

    def approximate_num_entries(self):
        """How many entries the store has, about."""
        self.check_open()
        return self.layers.approximate_num_entries()

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}{'' if self.is_open_now else ', closed'}>"

    cdef int check_open(self) except -1:
        if not self.is_open_now:
            raise InvalidStateStoreError(f"store {self.name!r} is closed")
        return 0

    cdef bytes encode_key(self, object key):
        """The key in bytes; it must not be None."""
        if not self.is_open_now:
            self.check_open()
        cdef object raw = self.key_serde.encode(self.serde_topic, key)
        if raw is None:
            raise TypeError(f"store {self.name!r}: a key cannot be None")
        return raw

    cdef bytes encode_bound(self, object key):
        """The end of a range in bytes, None for no bound."""
        self.check_open()
        return self.key_serde.encode(self.serde_topic, key)

    cdef object encode_value(self, object value):
        cdef object raw
        cdef ValueAndTimestamp pair
        if value is None:
            return None
        if not self.is_timestamped:
            return self.value_serde.encode(self.serde_topic, value)
        if not isinstance(value, ValueAndTimestamp):
            raise TypeError(
                f"store {self.name!r} takes ValueAndTimestamp, not {type(value).__name__}"
            )
        pair = value
        raw = self.value_serde.encode(self.serde_topic, pair.value)
        return None if raw is None else with_timestamp(raw, pair.timestamp)

    cdef object decode_value(self, object raw):
        cdef ValueAndTimestamp pair
        if raw is None:
            return None
        if not self.is_timestamped:
            return self.value_serde.decode(self.serde_topic, raw)
        pair = ValueAndTimestamp.__new__(ValueAndTimestamp)
        pair.value = self.value_serde.decode(self.serde_topic, without_timestamp(raw))
        pair.timestamp = timestamp_of(raw)
        return pair


cdef class StoreIterator:
    """Goes through entries of a store. It may be closed early, by `close` or as a context manager.

    The store may be changed meanwhile: a change of what lies ahead may be seen or not.
    """

    def __cinit__(self, *args, **kwargs):
        pass

    def __iter__(self):
        return self

    def __next__(self):
        if not self.look_ahead():
            raise StopIteration
        self.has_next = False
        return self.entry()

    def peek_next_key(self):
        """Return the key of the entry that comes next, None if there is none."""
        return self.entry_key() if self.look_ahead() else None

    def look_ahead(self):
        """Whether there is an entry to come.

        Raises:
            InvalidStateStoreError: the iterator or the store was closed.
        """
        if self.is_closed:
            raise InvalidStateStoreError(f"the iterator of store {self.store.name!r} is closed")
        self.store.check_open()
        if not self.has_next:
            self.has_next = self.cursor.advance()
        return self.has_next

    def close(self):
        """Let go of what the iterator holds."""
        self.is_closed = True
        self.cursor = Cursor()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    cdef object entry(self):
        raise NotImplementedError

    cdef object entry_key(self):
        raise NotImplementedError
