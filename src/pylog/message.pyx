"""Message: a record as a client sees it, with confluent_kafka's methods.

One that came from a cluster is a shell around confluent_kafka's message, its peer: each method asks
the peer, so that a message costs an allocation and what nobody asks for is never translated.
"""

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
        if self._peer is not None and self._error is None:
            theirs = self._peer.error()
            if theirs is not None:
                from pylog.remote.translate import from_peer  # loaded: a client made the peer

                self._error = from_peer(theirs)
        return self._error

    def key(self):
        """The key as bytes, or None."""
        return self._key if self._peer is None else self._peer.key()

    def value(self):
        """The value as bytes, or None (a tombstone, or an event)."""
        return self._value if self._peer is None else self._peer.value()

    def topic(self):
        """Topic name."""
        return self._topic if self._peer is None else self._peer.topic()

    def partition(self):
        """Partition number, None when it has none."""
        if self._peer is not None:
            return self._peer.partition()
        return None if self._partition < 0 else self._partition

    def offset(self):
        """Offset in the partition, None when it has none."""
        if self._peer is not None:
            return self._peer.offset()
        return None if self._offset < 0 else self._offset

    def timestamp(self):
        """(type, ms since 1970): TIMESTAMP_CREATE_TIME, _LOG_APPEND_TIME or _NOT_AVAILABLE."""
        if self._peer is not None:
            return self._peer.timestamp()
        return self._timestamp_type, self._timestamp_ms

    def headers(self):
        """[(key, value bytes or None), ...], or None without headers."""
        return self._headers if self._peer is None else self._peer.headers()

    def latency(self):
        """Seconds from produce() to delivery, in a delivery callback; None elsewhere."""
        if self._peer is not None:
            return self._peer.latency()
        return None if self._latency_s < 0 else self._latency_s

    def leader_epoch(self):
        """Epoch of the log when the message was appended, or None."""
        if self._peer is not None:
            return self._peer.leader_epoch()
        return None if self._leader_epoch < 0 else self._leader_epoch

    def set_key(self, key):
        """Replace the key, for example by its decoded form."""
        if self._peer is not None:
            self._peer.set_key(key)
        self._key = key

    def set_value(self, value):
        """Replace the value, for example by its decoded form."""
        if self._peer is not None:
            self._peer.set_value(value)
        self._value = value

    def set_headers(self, headers):
        """Replace the headers."""
        if self._peer is not None:
            self._peer.set_headers(headers)
        self._headers = headers

    def set_error(self, error):
        """Replace the error."""
        if self._peer is not None:
            self._peer.set_error(None)
        self._error = error

    def set_topic(self, topic):
        """Replace the topic."""
        if self._peer is not None:
            self._peer.set_topic(topic)
        self._topic = topic

    def __len__(self):
        value = self.value()
        return 0 if value is None else len(value)

    def __bool__(self):
        return True

    def __repr__(self):
        if self.error() is not None:
            return f"Message(error={self.error()!r}, topic={self.topic()!r})"
        return (f"Message(topic={self.topic()!r}, partition={self.partition()}, "
                f"offset={self.offset()}, key={self.key()!r}, value={self.value()!r})")


def wrap_peers(list peers):
    """Put a Message around each of confluent_kafka's, in place; return the list."""
    cdef Message message
    cdef Py_ssize_t index
    for index in range(len(peers)):
        message = Message.__new__(Message)
        message._peer = peers[index]
        peers[index] = message
    return peers


def peer_of(Message message):
    """The message of confluent_kafka's behind `message`, or None."""
    return message._peer
