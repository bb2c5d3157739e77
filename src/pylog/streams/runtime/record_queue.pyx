"""RecordQueue: the records of one partition that wait for their turn in a task.

The first is decoded, and has its timestamp, before its turn: that decides when its turn is. What
cannot be decoded, or has no valid time, is dropped here if the handlers say so.

Source: Kafka RecordQueue, RecordDeserializer.
"""

cimport cython
from libc.stdint cimport int64_t

from pylog.message cimport Message
from pylog.streams.node cimport TaskContext
from pylog.streams.record cimport Record
from pylog.streams.source_node cimport SourceNode

import logging

from pylog.streams.errors import InvalidTimestampError, SerializationError, StreamsError
from pylog.streams.functions import describe_function
from pylog.streams.runtime.task_errors import describe_place, describe_record, user_frames
from pylog.streams.timestamp_extractors import TimestampExtractor

log = logging.getLogger(__name__)

cdef object _MIN_TIME = -(1 << 63)
cdef object _MAX_TIME = (1 << 63) - 1


@cython.final
cdef class ConsumerRecord:
    """A decoded record as timestamp extractors see it; its timestamp may be negative."""

    def __init__(self, key, value, int64_t timestamp, headers=None, topic=None, int partition=-1,
                 int64_t offset=-1):
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self._headers = headers
        self.topic = topic
        self.partition = partition
        self.offset = offset

    @property
    def headers(self):
        """List of (name, bytes or None)."""
        if self._headers is None:
            self._headers = []
        return self._headers

    def __repr__(self):
        return (f"ConsumerRecord(topic={self.topic!r}, partition={self.partition}, "
                f"offset={self.offset}, timestamp={self.timestamp}, key={self.key!r}, "
                f"value={self.value!r})")


@cython.final
cdef class RecordQueue:
    """The waiting records of one partition.

    Args:
        topic: its real name.
        partition: number.
        source: who decodes and takes the records.
        task: for errors and drops.
        timestamp_extractor: that of the source or the default one.
    """

    def __init__(self, str topic, int partition, SourceNode source, TaskContext task,
                 timestamp_extractor):
        self.topic = topic
        self.partition = partition
        self.source = source
        self.task = task
        kind = type(timestamp_extractor)
        if (isinstance(timestamp_extractor, TimestampExtractor)
                and kind.extract is TimestampExtractor.extract):
            self.on_invalid_timestamp = timestamp_extractor.on_invalid_timestamp
        else:
            self.extract = getattr(timestamp_extractor, "extract", timestamp_extractor)
        self.messages = []
        self.partition_time = -1
        self.next_offset = -1
        self.fetched_lag = -1
        self.idle_deadline = -1

    def __len__(self):
        return self.size()

    @property
    def head_timestamp(self):
        """Time of the first record, -1 when there is none or it could not be decoded."""
        return self.head_time()

    def add_messages(self, list messages not None):
        """Put messages behind those that wait."""
        self.add(messages)

    def set_partition_time(self, int64_t time):
        """What was committed, ms."""
        self.partition_time = time

    def clear(self):
        """Forget what waits."""
        self.messages = []
        self.position = 0
        self.has_head = False
        self.head_is_corrupted = False
        self.head = None
        self.raw_key = self.raw_value = None
        self.partition_time = -1

    cdef int add(self, list messages) except -1:
        if self.position == len(self.messages):
            self.messages = list(messages)
            self.position = 0
        else:
            if self.position > 4096 and self.position * 2 > len(self.messages):
                del self.messages[:self.position]
                self.position = 0
            self.messages.extend(messages)
        return self.update_head()

    cdef Record take(self):
        """The first record, None for one that was dropped. There is one; update_head next."""
        cdef Record record = self.head
        self.has_head = False
        self.head_is_corrupted = False
        self.head = None
        self.raw_key = self.raw_value = None
        if record is not None and record.timestamp > self.partition_time:
            self.partition_time = record.timestamp
        return record

    cdef int update_head(self) except -1:
        """Unless there is a head, the next message that can be decoded becomes it."""
        cdef Message message
        cdef int64_t corrupted_offset = -1
        while not self.has_head and self.position < len(self.messages):
            message = <Message>self.messages[self.position]
            self.position += 1
            if message._peer is None:
                self.read_head(message._key, message._value, message._timestamp_ms,
                               message._headers, message._offset)
            else:
                self.read_head(message.key(), message.value(), message.timestamp()[1],
                               message.headers(), message.offset())
            if self.head_is_corrupted:
                corrupted_offset = self.head_offset
                self.has_head = self.head_is_corrupted = False
        if corrupted_offset >= 0 and not self.has_head:
            self.set_corrupted(corrupted_offset)
        if self.position == len(self.messages) and self.position > 0:
            self.messages.clear()
            self.position = 0
        return 0

    cdef int read_head(self, object key, object value, int64_t timestamp, object headers,
                       int64_t offset) except -1:
        """Make a record the head; a corrupted one if it is dropped."""
        cdef Record record
        cdef object raw_key = key, raw_value = value
        try:
            key = self.source.key_serde.decode(self.topic, key)
            value = self.source.value_serde.decode(self.topic, value)
        except SerializationError as error:
            message = Message(self.topic, self.partition, offset, raw_key, raw_value, headers,
                              timestamp=(1, timestamp))
            self.task.error_handler.deserialization(self.source, message, error)
            return self.set_corrupted(offset)
        if self.extract is not None or timestamp < 0:
            timestamp = self._extracted(key, value, timestamp, headers, offset)
            if timestamp < 0:
                self.task.drop(self.source.name, "invalid timestamp")
                return self.set_corrupted(offset)
        record = Record.__new__(Record)
        record.key = key
        record.value = value
        record.timestamp = timestamp
        record._headers = headers
        self.head = record
        self.raw_key = raw_key
        self.raw_value = raw_value
        self.head_offset = offset
        self.has_head = True
        return 0

    cdef int set_corrupted(self, int64_t offset) except -1:
        """Nothing but an offset is the head."""
        self.head_offset = offset
        self.has_head = self.head_is_corrupted = True
        return 0

    cdef int64_t _extracted(self, key, value, int64_t timestamp, headers,
                            int64_t offset) except? -2:
        record = ConsumerRecord(key, value, timestamp, headers, self.topic, self.partition, offset)
        extract = self.on_invalid_timestamp if self.extract is None else self.extract
        try:
            time = extract(record, self.partition_time)
        except StreamsError:
            raise
        except Exception as error:
            where = describe_place(error, (extract,))
            error.__traceback__ = user_frames(error.__traceback__)
            raise InvalidTimestampError(
                f"the timestamp extractor of source {self.source.name!r} failed with "
                f"{type(error).__name__}: {error}; in {where}; "
                f"{describe_record(self.topic, self.partition, offset, timestamp)}"
            ) from error
        if not isinstance(time, int) or isinstance(time, bool) or not _MIN_TIME < time <= _MAX_TIME:
            raise InvalidTimestampError(
                f"the timestamp extractor of source {self.source.name!r}, "
                f"{describe_function(extract)}, returned {time!r}, not an int of milliseconds "
                f"since 1970; {describe_record(self.topic, self.partition, offset, timestamp)}"
            )
        return time
