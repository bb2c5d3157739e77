"""Message: a record as a client sees it, with confluent_kafka's methods."""

cimport cython

OFFSET_INVALID = -1001


@cython.final
@cython.freelist(1024)
cdef class Message:
    """A produced or consumed message, or an event about a partition when `error()` is set.

    Made by `Consumer.poll`, `consume` and delivery callbacks; the arguments are for tests.
    """

    def __cinit__(self):
        self._offset = -1001
        self._partition = -1
        self._leader_epoch = -1
        self._latency_s = -1

    def __init__(self, topic=None, partition=-1, offset=OFFSET_INVALID, key=None, value=None,
                 headers=None, error=None, timestamp=(0, 0), latency=None, leader_epoch=None):
        self._topic = topic
        self._partition = partition
        self._offset = offset
        self._key = key
        self._value = value
        self._headers = headers
        self._error = error
        self._timestamp_type, self._timestamp_ms = timestamp
        self._latency_s = -1 if latency is None else latency
        self._leader_epoch = -1 if leader_epoch is None else leader_epoch

    def error(self):
        """KafkaError, or None for a proper message."""
        return self._error

    def key(self):
        """The key as bytes, or None."""
        return self._key

    def value(self):
        """The value as bytes, or None (a tombstone, or an event)."""
        return self._value

    def topic(self):
        """Topic name."""
        return self._topic

    def partition(self):
        """Partition number, None when it has none."""
        return None if self._partition < 0 else self._partition

    def offset(self):
        """Offset in the partition, None when it has none."""
        return None if self._offset < 0 else self._offset

    def timestamp(self):
        """(type, ms since 1970): TIMESTAMP_CREATE_TIME, _LOG_APPEND_TIME or _NOT_AVAILABLE."""
        return self._timestamp_type, self._timestamp_ms

    def headers(self):
        """[(key, value bytes or None), ...], or None without headers."""
        return self._headers

    def latency(self):
        """Seconds from produce() to delivery, in a delivery callback; None elsewhere."""
        return None if self._latency_s < 0 else self._latency_s

    def leader_epoch(self):
        """Epoch of the log when the message was appended, or None."""
        return None if self._leader_epoch < 0 else self._leader_epoch

    def set_key(self, key):
        """Replace the key, for example by its decoded form."""
        self._key = key

    def set_value(self, value):
        """Replace the value, for example by its decoded form."""
        self._value = value

    def set_headers(self, headers):
        """Replace the headers."""
        self._headers = headers

    def set_error(self, error):
        """Replace the error."""
        self._error = error

    def set_topic(self, topic):
        """Replace the topic."""
        self._topic = topic

    def __len__(self):
        return 0 if self._value is None else len(self._value)

    def __bool__(self):
        return True

    def __repr__(self):
        if self._error is not None:
            return f"Message(error={self._error!r}, topic={self._topic!r})"
        return (f"Message(topic={self._topic!r}, partition={self._partition}, "
                f"offset={self._offset}, key={self._key!r}, value={self._value!r})")
