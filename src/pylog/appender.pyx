"""Appender: append and append_many of a Topic: no queue, what was given is in the log at return."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.list cimport PyList_CheckExact, PyList_GET_ITEM, PyList_GET_SIZE
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport uint8_t

from logcore._c cimport pl_record_bound, pl_wall_clock_ms
from logcore.batch cimport BatchBuilder, encode_headers
from logcore.log cimport Log
from pylog._c cimport pl_partition_for_key, pl_random_partition

from logcore.errors import LogError
from pylog.errors import KafkaError, KafkaException, from_log_error

# One call's records are cut into batches of about this size: large enough to cost little a record,
# small enough to be copied through the processor's cache.
cdef int64_t BATCH_BYTES = 512 << 10


cdef class Appender:
    """Base of pylog.embed.Topic."""

    def _configure(self, str topic_name, list logs, int acks, int codec, int partitioner_kind):
        self.topic_name = topic_name
        self.logs = logs
        self.partition_count = len(logs)
        self.acks = acks
        self.codec = codec
        self.partitioner_kind = partitioner_kind
        self.builders = []

    cdef BatchBuilder take_builder(self):
        return self.builders.pop() if self.builders else BatchBuilder(self.codec)

    cdef int64_t append_batch(self, Log log, BatchBuilder builder,
                              int64_t expected_offset) except -1:
        """Append what the builder holds; with acks=all, durable at return."""
        cdef int64_t base_offset
        cdef int32_t count = builder.record_count
        try:
            builder.seal(0)
            log.check_keys(builder.lacks_key)
            base_offset = log.append_raw(builder.buffer, builder.size, expected_offset)
            if self.acks == -1:
                log.flush_to(base_offset + count)
        except LogError as error:
            raise from_log_error(error) from error
        finally:
            builder.reset()
        return base_offset

    cdef int32_t choose(self, object key, object partition) except -1:
        cdef int32_t number
        if partition is not None:
            if not 0 <= partition < self.partition_count:
                raise KafkaException(KafkaError(
                    KafkaError._UNKNOWN_PARTITION,
                    f"topic {self.topic_name} has partitions 0 to {self.partition_count - 1}, not "
                    f"{partition}"))
            return partition
        if self.partition_count == 1:
            return 0
        data = None if key is None else as_bytes(key, "key")
        if data is None:
            number = pl_partition_for_key(self.partitioner_kind, NULL, 0, self.partition_count)
        else:
            number = pl_partition_for_key(
                self.partitioner_kind, <const uint8_t *>PyBytes_AS_STRING(data),
                PyBytes_GET_SIZE(data), self.partition_count)
        return number if number >= 0 else pl_random_partition(self.partition_count)

    def append(self, value, key=None, headers=None, *, timestamp_ms=None, partition=None,
               expected_offset=None):
        """Append one record.

        Args:
            value: bytes-like, str or None (a tombstone).
            key: bytes-like, str or None.
            headers: dict or list of (str, bytes | str | None).
            timestamp_ms: create time in ms since 1970, None for now.
            partition: number; None lets the key choose.
            expected_offset: append only if this is the record's offset, else raise: nobody else
                appended since the caller looked (optimistic concurrency). Needs `partition` where
                there are several.

        Returns:
            The record's offset.

        Raises:
            KafkaException: with the reason; nothing was appended (for a failed flush: it is not
                known to be durable).
        """
        cdef int32_t header_count = 0
        cdef bytes encoded = encode_headers(headers, &header_count) if headers else b""
        cdef bytes key_bytes = as_bytes(key, "key")
        cdef bytes value_bytes = as_bytes(value, "value")
        cdef BatchBuilder builder = self.take_builder()
        cdef Log log = <Log>self.logs[self.choose(key_bytes, partition)]
        try:
            builder.put_with_headers(
                pl_wall_clock_ms() if timestamp_ms is None else timestamp_ms,
                NULL if key_bytes is None else <const uint8_t *>PyBytes_AS_STRING(key_bytes),
                -1 if key_bytes is None else <int32_t>PyBytes_GET_SIZE(key_bytes),
                NULL if value_bytes is None else <const uint8_t *>PyBytes_AS_STRING(value_bytes),
                -1 if value_bytes is None else <int32_t>PyBytes_GET_SIZE(value_bytes),
                encoded, header_count)
            return self.append_batch(log, builder, -1 if expected_offset is None
                                     else expected_offset)
        finally:
            builder.reset()
            self.builders.append(builder)

    def append_many(self, records, *, partition=None, timestamp_ms=None, expected_offset=None):
        """Append many records, as one batch where they fit.

        Args:
            records: iterable of values, or of (key, value) pairs; as for `append`.
            partition: number; None lets each key choose.
            timestamp_ms: create time of all, None for now.
            expected_offset: append them as one batch, all or none, only if this is the offset of
                the first; for one partition.

        Returns:
            How many were appended.

        Raises:
            KafkaException, TypeError: records before the bad one may be in the log: `exception`
                carries `appended`, their number.
        """
        cdef int64_t now_ms = pl_wall_clock_ms() if timestamp_ms is None else timestamp_ms
        cdef list items = records if PyList_CheckExact(records) else list(records)
        cdef BatchBuilder builder
        cdef dict builders = {}
        cdef int64_t appended = 0
        cdef int32_t number
        cdef Py_ssize_t i
        cdef object item, key, value
        cdef const uint8_t *key_data
        cdef const uint8_t *value_data
        cdef Py_ssize_t key_size, value_size
        cdef bint is_single = partition is not None or self.partition_count == 1
        cdef int64_t expected = -1 if expected_offset is None else expected_offset
        cdef int64_t batch_bytes = BATCH_BYTES
        if expected >= 0:
            if not is_single:
                raise ValueError("expected_offset needs a partition where there are several")
            batch_bytes = 1 << 31   # never cut: max.message.bytes bounds it
        number = self.choose(None, partition) if is_single else 0
        builder = self.take_builder() if is_single else None
        try:
            for i in range(PyList_GET_SIZE(items)):
                item = <object>PyList_GET_ITEM(items, i)
                key = None
                value = item
                if PyTuple_CheckExact(item):
                    if PyTuple_GET_SIZE(item) != 2:
                        raise TypeError(f"a record is a value or a (key, value) pair, not a tuple "
                                        f"of {len(item)}")
                    key = <object>PyTuple_GET_ITEM(item, 0)
                    value = <object>PyTuple_GET_ITEM(item, 1)
                if not PyBytes_CheckExact(value) and value is not None:
                    value = as_bytes(value, "value")
                if not PyBytes_CheckExact(key) and key is not None:
                    key = as_bytes(key, "key")
                key_data = value_data = NULL
                key_size = value_size = -1
                if key is not None:
                    key_data = <const uint8_t *>PyBytes_AS_STRING(key)
                    key_size = PyBytes_GET_SIZE(key)
                if value is not None:
                    value_data = <const uint8_t *>PyBytes_AS_STRING(value)
                    value_size = PyBytes_GET_SIZE(value)
                if not is_single:
                    number = self.choose(key, None)
                    builder = builders.get(number)
                    if builder is None:
                        builder = builders[number] = self.take_builder()
                if (builder.record_count
                        and <int64_t>(builder.size + pl_record_bound(key_size, value_size, 0))
                        > batch_bytes):
                    appended += self._append_part(number, builder, -1)
                builder.put(now_ms, key_data, <int32_t>key_size, value_data, <int32_t>value_size)
            if is_single:
                appended += self._append_part(number, builder, expected)
            else:
                for number, builder in builders.items():
                    appended += self._append_part(number, builder, -1)
            if self.acks == -1:
                self._flush_parts((number,) if is_single else tuple(builders))
        except Exception as error:
            error.appended = appended
            raise
        finally:
            for builder in (builder,) if is_single else builders.values():
                builder.reset()
                self.builders.append(builder)
        return appended

    def _append_part(self, int32_t number, BatchBuilder builder, int64_t expected_offset):
        cdef int32_t count = builder.record_count
        cdef Log log = <Log>self.logs[number]
        if count == 0:
            return 0
        try:
            builder.seal(0)
            log.check_keys(builder.lacks_key)
            log.append_raw(builder.buffer, builder.size, expected_offset)
        except LogError as error:
            raise from_log_error(error) from error
        finally:
            builder.reset()
        return count

    def _flush_parts(self, numbers):
        cdef Log log
        for number in numbers:
            log = <Log>self.logs[number]
            try:
                log.flush()
            except LogError as error:
                raise from_log_error(error) from error


cdef bytes as_bytes(object data, str what):
    """A key or value as bytes; None stays None."""
    if data is None or PyBytes_CheckExact(data):
        return data
    if isinstance(data, str):
        return data.encode()
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise TypeError(
            f"{what} must be bytes-like, str or None, not {type(data).__name__}") from None
