"""Record batches: BatchBuilder encodes one, BatchView and Record look at one.

The byte table stands in c/batch.h. This module is for whole batches; the hot loops of the clients
call the same C functions through `put` and LogReader.
"""

import struct

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from logcore._c cimport (
    PL_BATCH_BAD_CODEC, PL_BATCH_BAD_COUNT, PL_BATCH_BAD_CRC, PL_BATCH_BAD_LENGTH,
    PL_BATCH_BAD_MAGIC, PL_BATCH_HEADER_SIZE, PL_BATCH_INCOMPLETE, PL_BATCH_OK,
    PL_BATCH_PREFIX_SIZE,
    PL_CODEC_MASK, PL_CONTROL_BIT, PL_LOG_APPEND_TIME_BIT, PL_TRANSACTIONAL_BIT,
    pl_batch, pl_check_batch, pl_check_batch_header, pl_crc32c, pl_crc32c_init, pl_crc32c_table,
    pl_get_header, pl_get_record, pl_put_record, pl_put_varlong, pl_record,
    pl_record_bound, pl_record_timestamp, pl_seal_producer_batch,
)

from logcore import codecs
from logcore.errors import CorruptRecordError, InvalidRecordError, RecordTooLargeError

pl_crc32c_init()

MAX_DECOMPRESSED_BYTES = 64 << 20   # of one batch: what a compressed batch may grow to
MAX_FIELD_BYTES = (1 << 31) - 1 - 4096

cdef size_t INITIAL_CAPACITY = 4096
cdef size_t MAX_CAPACITY = (<size_t>1 << 31) - 1

STATUS_TEXT = {
    PL_BATCH_INCOMPLETE: "the batch claims more bytes than there are",
    PL_BATCH_BAD_LENGTH: "batch_length or base_offset is out of bounds",
    PL_BATCH_BAD_MAGIC: "magic is not 2",
    PL_BATCH_BAD_CRC: "the CRC-32C does not match",
    PL_BATCH_BAD_CODEC: "the compression codec is unknown",
    PL_BATCH_BAD_COUNT: "record_count does not fit the batch",
}


def crc32c(data, uint32_t value=0, bint use_table=False):
    """CRC-32C of a bytes-like object, continuing `value`; `use_table` avoids the instruction."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        with nogil:
            if use_table:
                value = ~pl_crc32c_table(~value, <const uint8_t *>view.buf, view.len)
            else:
                value = pl_crc32c(value, view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    return value


cdef object corrupt_batch(pl_batch_status status, object path, int64_t position, int64_t offset):
    """The error for a batch that did not pass, with its place."""
    return CorruptRecordError(f"corrupt batch: {STATUS_TEXT.get(status, 'malformed records')}",
                              path=path, position=position, offset=offset)


# ---- headers ----

cdef bytes encode_headers(object headers, int32_t *count):
    """Headers as they stand in a record after header_count.

    `headers` is a dict or an iterable of (key, value): key str, value bytes, str or None.
    """
    cdef uint8_t varint[10]
    parts = []
    items = headers.items() if isinstance(headers, dict) else headers
    count[0] = 0
    for item in items:
        try:
            key, value = item
        except (TypeError, ValueError):
            raise TypeError(f"a header is a (key, value) pair, not {item!r}") from None
        if not isinstance(key, str):
            raise TypeError(f"a header key is str, not {type(key).__name__}")
        encoded = key.encode()
        parts.append(varint[:pl_put_varlong(varint, len(encoded)) - varint])
        parts.append(encoded)
        if isinstance(value, str):
            value = value.encode()
        if value is None:
            parts.append(varint[:pl_put_varlong(varint, -1) - varint])
        elif isinstance(value, (bytes, bytearray, memoryview)):
            value = bytes(value)
            parts.append(varint[:pl_put_varlong(varint, len(value)) - varint])
            parts.append(value)
        else:
            raise TypeError(f"a header value is bytes, str or None, not {type(value).__name__}")
        count[0] += 1
    return b"".join(parts)


cdef list decode_headers(const uint8_t *cursor, const uint8_t *end, int32_t count):
    """[(key, value or None), ...] of a record that pl_get_record accepted."""
    cdef const uint8_t *key
    cdef const uint8_t *value
    cdef int32_t key_size, value_size
    cdef list headers = []
    for _ in range(count):
        cursor = pl_get_header(cursor, end, &key, &key_size, &value, &value_size)
        if cursor == NULL:
            raise CorruptRecordError("malformed record headers")
        headers.append((
            (<const char *>key)[:key_size].decode("utf-8", "replace"),
            None if value_size < 0 else (<const char *>value)[:value_size],
        ))
    return headers


# ---- encode ----

@cython.final
cdef class BatchBuilder:
    """Encodes records into one batch, as a producer sends it: base offset 0, epoch -1.

    Args:
        codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        level: of the compression, None for the codec's default.

    >>> builder = BatchBuilder()
    >>> builder.append(1700000000000, b"key", b"value")
    >>> [record.value for record in iter_records(builder.build())]
    [b'value']
    """

    def __cinit__(self, codec=0, level=None):
        if codec not in codecs.CODEC_NAMES:
            raise ValueError(f"unknown compression codec {codec}")
        self.codec = codec
        self.level = level
        self.buffer = NULL
        self.capacity = 0
        self.producer_id = self.producer_epoch = self.base_sequence = -1
        self.attributes = 0
        self.reset()

    def __dealloc__(self):
        PyMem_RawFree(self.buffer)

    def __len__(self):
        return self.record_count

    @property
    def size_bytes(self):
        """Bytes of the batch so far, header included, before compression."""
        return self.size

    cdef void reset(self) noexcept:
        self.size = PL_BATCH_HEADER_SIZE
        self.record_count = 0
        self.lacks_key = False
        self.base_timestamp_ms = -1
        self.max_timestamp_ms = -1

    cdef int reserve(self, size_t extra) except -1:
        """Make room for `extra` bytes more."""
        cdef size_t needed = self.size + extra
        cdef size_t capacity
        cdef uint8_t *grown
        if needed <= self.capacity:
            return 0
        if needed > MAX_CAPACITY:
            raise RecordTooLargeError(f"a batch of {needed} bytes is over the format's 2 GiB")
        capacity = max(self.capacity * 2, INITIAL_CAPACITY)
        while capacity < needed:
            capacity *= 2
        grown = <uint8_t *>PyMem_RawRealloc(self.buffer, capacity)
        if grown == NULL:
            raise MemoryError(f"no memory for a batch of {capacity} bytes")
        self.buffer = grown
        self.capacity = capacity
        return 0

    cdef int put(self, int64_t timestamp_ms, const uint8_t *key, int32_t key_size,
                 const uint8_t *value, int32_t value_size) except -1:
        cdef size_t bound = pl_record_bound(key_size, value_size, 0)
        cdef uint8_t *end
        if self.size + bound > self.capacity:
            self.reserve(bound)
        if self.record_count == 0:
            self.base_timestamp_ms = timestamp_ms
            self.max_timestamp_ms = timestamp_ms
        elif timestamp_ms > self.max_timestamp_ms:
            self.max_timestamp_ms = timestamp_ms
        end = pl_put_record(self.buffer + self.size, timestamp_ms - self.base_timestamp_ms,
                            self.record_count, key, key_size, value, value_size, NULL, 0, 0)
        self.size = end - self.buffer
        self.record_count += 1
        if key_size < 0:
            self.lacks_key = True
        return 0

    cdef int put_with_headers(self, int64_t timestamp_ms, const uint8_t *key, int32_t key_size,
                              const uint8_t *value, int32_t value_size, bytes headers,
                              int32_t header_count) except -1:
        cdef size_t headers_size = PyBytes_GET_SIZE(headers)
        cdef uint8_t *end
        self.reserve(pl_record_bound(key_size, value_size, headers_size))
        if self.record_count == 0:
            self.base_timestamp_ms = timestamp_ms
            self.max_timestamp_ms = timestamp_ms
        elif timestamp_ms > self.max_timestamp_ms:
            self.max_timestamp_ms = timestamp_ms
        end = pl_put_record(self.buffer + self.size, timestamp_ms - self.base_timestamp_ms,
                            self.record_count, key, key_size, value, value_size,
                            <const uint8_t *>PyBytes_AS_STRING(headers), headers_size, header_count)
        self.size = end - self.buffer
        self.record_count += 1
        if key_size < 0:
            self.lacks_key = True
        return 0

    cdef int seal(self, int16_t attributes) except -1:
        """Compress, write the header and the CRC: the batch is buffer[0:size]."""
        cdef object packed
        cdef size_t packed_size
        self.reserve(0)
        if self.codec != 0:
            if self.size - PL_BATCH_HEADER_SIZE > <size_t>MAX_DECOMPRESSED_BYTES:
                raise RecordTooLargeError(
                    f"{self.size - PL_BATCH_HEADER_SIZE} bytes of records in a compressed batch, "
                    f"of which readers take {MAX_DECOMPRESSED_BYTES}")
            packed = codecs.compress(
                self.codec,
                PyMemoryView_FromMemory(<char *>self.buffer + PL_BATCH_HEADER_SIZE,
                                        self.size - PL_BATCH_HEADER_SIZE, 0x100),
                self.level,
            )
            packed_size = len(packed)
            self.size = PL_BATCH_HEADER_SIZE
            self.reserve(packed_size)
            memcpy(self.buffer + PL_BATCH_HEADER_SIZE, PyBytes_AS_STRING(packed), packed_size)
            self.size = PL_BATCH_HEADER_SIZE + packed_size
        with nogil:
            pl_seal_producer_batch(
                self.buffer, self.size, attributes | self.attributes | <int16_t>self.codec,
                self.record_count, self.base_timestamp_ms, self.max_timestamp_ms,
                self.producer_id, self.producer_epoch, self.base_sequence)
        return 0

    def append(self, int64_t timestamp_ms, key, value, headers=None):
        """Add one record.

        Args:
            timestamp_ms: create time, ms since 1970.
            key: bytes-like or None.
            value: bytes-like or None (a tombstone).
            headers: dict or list of (str, bytes | str | None), or None.
        """
        cdef Py_buffer key_view, value_view
        cdef int32_t header_count = 0
        cdef int32_t key_size = -1, value_size = -1
        cdef const uint8_t *key_data = NULL
        cdef const uint8_t *value_data = NULL
        cdef bytes encoded = encode_headers(headers, &header_count) if headers else b""
        if key is not None:
            PyObject_GetBuffer(key, &key_view, PyBUF_SIMPLE)
            key_data = <const uint8_t *>key_view.buf
        try:
            if value is not None:
                PyObject_GetBuffer(value, &value_view, PyBUF_SIMPLE)
                value_data = <const uint8_t *>value_view.buf
            try:
                if ((key is not None and key_view.len > MAX_FIELD_BYTES)
                        or (value is not None and value_view.len > MAX_FIELD_BYTES)):
                    raise RecordTooLargeError("a key or value of 2 GiB does not fit the format")
                if key is not None:
                    key_size = <int32_t>key_view.len
                if value is not None:
                    value_size = <int32_t>value_view.len
                self.put_with_headers(timestamp_ms, key_data, key_size, value_data, value_size,
                                      encoded, header_count)
            finally:
                if value is not None:
                    PyBuffer_Release(&value_view)
        finally:
            if key is not None:
                PyBuffer_Release(&key_view)

    def set_producer(self, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence,
                     bint is_transactional=False):
        """Whose batch it will be, from now on: what lets the log tell a retry from new records.

        Args:
            producer_id: -1 for none.
            producer_epoch: rises when another takes over the id.
            base_sequence: of the first record; the next batch's is higher by the record count.
            is_transactional: the records count once a marker commits them.
        """
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.base_sequence = base_sequence
        self.attributes = PL_TRANSACTIONAL_BIT if is_transactional else 0

    def build(self):
        """The finished batch as bytes; the builder is empty again."""
        if self.record_count == 0:
            raise InvalidRecordError("a batch holds at least one record")
        self.seal(0)
        built = PyBytes_FromStringAndSize(<char *>self.buffer, self.size)
        self.reset()
        return built


# ---- markers ----

CONTROL_TYPES = {0: "abort", 1: "commit"}   # and others, which are not about transactions


def control_batch(int64_t producer_id, int16_t producer_epoch, bint is_commit,
                  int32_t coordinator_epoch, int64_t timestamp_ms):
    """The marker that ends a transaction in one partition: a batch of one record, 78 bytes.

    Its key is int16 version 0 and int16 type, 0 abort or 1 commit; its value is int16 version 0 and
    int32 coordinator_epoch. Source: Kafka EndTransactionMarker, ControlRecordType.
    """
    builder = BatchBuilder()
    builder.append(timestamp_ms, struct.pack(">hh", 0, 1 if is_commit else 0),
                   struct.pack(">hi", 0, coordinator_epoch))
    builder.producer_id = producer_id
    builder.producer_epoch = producer_epoch
    builder.attributes = PL_TRANSACTIONAL_BIT | PL_CONTROL_BIT
    return builder.build()


def control_type(batch):
    """What a control batch says: "abort" or "commit", None for any other batch.

    Args:
        batch: BatchView.
    """
    if not batch.is_control or batch.record_count == 0:
        return None
    key = batch.records()[0].key or b""
    if len(key) < 4:
        raise CorruptRecordError(f"a control record at offset {batch.base_offset} has a short key",
                                 offset=batch.base_offset)
    return CONTROL_TYPES.get(struct.unpack_from(">h", key, 2)[0])


# ---- decode ----

cdef bytes decompress_records(const uint8_t *start, const pl_batch *batch):
    """The records of a compressed batch, checked against what record_count needs at least."""
    cdef Py_ssize_t size = batch.batch_length + PL_BATCH_PREFIX_SIZE - PL_BATCH_HEADER_SIZE
    unpacked = codecs.decompress(
        batch.attributes & PL_CODEC_MASK,
        PyMemoryView_FromMemory(<char *>start + PL_BATCH_HEADER_SIZE, size, 0x100),
        MAX_DECOMPRESSED_BYTES,
    )
    if batch.record_count * <int64_t>7 > len(unpacked):
        raise InvalidRecordError(
            f"a batch claims {batch.record_count} records in {len(unpacked)} bytes"
        )
    return unpacked


@cython.final
@cython.freelist(64)
cdef class Record:
    """One record of a log."""

    cdef readonly int64_t offset
    cdef readonly int64_t timestamp_ms
    cdef readonly object key
    cdef readonly object value
    cdef readonly list headers

    def __init__(self, int64_t offset, int64_t timestamp_ms, key, value, list headers):
        self.offset = offset
        self.timestamp_ms = timestamp_ms
        self.key = key
        self.value = value
        self.headers = headers

    def __repr__(self):
        return (f"Record(offset={self.offset}, timestamp_ms={self.timestamp_ms}, key={self.key!r}, "
                f"value={self.value!r}, headers={self.headers!r})")


@cython.final
cdef class BatchView:
    """One batch in a buffer: its header's fields, and its records on demand.

    Args:
        data: bytes-like, whose first byte is the first of a batch.
        check: verify the bounds and the CRC; False looks at the header only.

    Raises:
        CorruptRecordError: it is not a whole, valid batch.
    """

    cdef pl_batch batch
    cdef readonly int64_t base_offset
    cdef readonly int32_t batch_length
    cdef readonly int32_t leader_epoch
    cdef readonly int8_t magic
    cdef readonly uint32_t crc
    cdef readonly int16_t attributes
    cdef readonly int32_t last_offset_delta
    cdef readonly int64_t base_timestamp_ms
    cdef readonly int64_t max_timestamp_ms
    cdef readonly int64_t producer_id
    cdef readonly int16_t producer_epoch
    cdef readonly int32_t base_sequence
    cdef readonly int32_t record_count
    cdef readonly object data
    cdef readonly Py_ssize_t size_bytes

    def __init__(self, data, bint check=True):
        cdef Py_buffer view
        cdef pl_batch_status status
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if check:
                with nogil:
                    status = pl_check_batch(<const uint8_t *>view.buf, view.len, &self.batch)
            else:
                status = pl_check_batch_header(<const uint8_t *>view.buf, view.len, &self.batch)
        finally:
            PyBuffer_Release(&view)
        if status != PL_BATCH_OK:
            raise CorruptRecordError(f"corrupt batch: {STATUS_TEXT[status]}")
        self.base_offset = self.batch.base_offset
        self.batch_length = self.batch.batch_length
        self.leader_epoch = self.batch.leader_epoch
        self.magic = self.batch.magic
        self.crc = self.batch.crc
        self.attributes = self.batch.attributes
        self.last_offset_delta = self.batch.last_offset_delta
        self.base_timestamp_ms = self.batch.base_timestamp_ms
        self.max_timestamp_ms = self.batch.max_timestamp_ms
        self.producer_id = self.batch.producer_id
        self.producer_epoch = self.batch.producer_epoch
        self.base_sequence = self.batch.base_sequence
        self.record_count = self.batch.record_count
        self.size_bytes = self.batch.batch_length + PL_BATCH_PREFIX_SIZE
        self.data = memoryview(data)[:self.size_bytes]

    @property
    def last_offset(self):
        """Offset of the last record that the batch was written with."""
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self):
        """Where the next batch begins."""
        return self.last_offset + 1

    @property
    def codec(self):
        """0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
        return self.attributes & PL_CODEC_MASK

    @property
    def is_transactional(self):
        """True when the records belong to a transaction."""
        return bool(self.attributes & PL_TRANSACTIONAL_BIT)

    @property
    def is_control(self):
        """True when the batch holds a marker and no data."""
        return bool(self.attributes & PL_CONTROL_BIT)

    @property
    def is_log_append_time(self):
        """True when max_timestamp_ms is the time of every record."""
        return bool(self.attributes & PL_LOG_APPEND_TIME_BIT)

    def records(self):
        """The records as a list of Record.

        Raises:
            CorruptRecordError: the records do not fill the batch as its header says.
            InvalidRecordError: they would grow over MAX_DECOMPRESSED_BYTES.
        """
        cdef Py_buffer view
        cdef bytes unpacked
        PyObject_GetBuffer(self.data, &view, PyBUF_SIMPLE)
        try:
            if self.batch.attributes & PL_CODEC_MASK:
                unpacked = decompress_records(<const uint8_t *>view.buf, &self.batch)
                return _decode_records(&self.batch, <const uint8_t *>PyBytes_AS_STRING(unpacked),
                                       PyBytes_GET_SIZE(unpacked))
            return _decode_records(&self.batch, <const uint8_t *>view.buf + PL_BATCH_HEADER_SIZE,
                                   view.len - PL_BATCH_HEADER_SIZE)
        finally:
            PyBuffer_Release(&view)


cdef list _decode_records(pl_batch *batch, const uint8_t *cursor, Py_ssize_t size):
    cdef const uint8_t *end = cursor + size
    cdef pl_record raw
    cdef list records = []
    for i in range(batch.record_count):
        cursor = pl_get_record(cursor, end, &raw)
        if cursor == NULL or <uint32_t>raw.offset_delta > <uint32_t>batch.last_offset_delta:
            raise CorruptRecordError(
                f"record {i} of {batch.record_count} is malformed in the batch at offset "
                f"{batch.base_offset}", offset=batch.base_offset)
        records.append(Record(
            batch.base_offset + raw.offset_delta, pl_record_timestamp(batch, &raw),
            None if raw.key_size < 0 else (<const char *>raw.key)[:raw.key_size],
            None if raw.value_size < 0 else (<const char *>raw.value)[:raw.value_size],
            decode_headers(raw.headers, cursor, raw.header_count)))
    if cursor != end:
        raise CorruptRecordError(
            f"{end - cursor} bytes are left after the last record of the batch at offset "
            f"{batch.base_offset}", offset=batch.base_offset)
    return records


def iter_batches(data, check=True):
    """Yield a BatchView for each whole batch in `data`; a part of one at the end is left out.

    Raises:
        CorruptRecordError: a batch is not valid.
    """
    view = memoryview(data).cast("B")
    position = 0
    while len(view) - position >= PL_BATCH_HEADER_SIZE:
        size = PL_BATCH_PREFIX_SIZE + int.from_bytes(view[position + 8:position + 12], "big",
                                                     signed=True)
        if PL_BATCH_HEADER_SIZE <= size and size > len(view) - position:
            return
        try:
            batch = BatchView(view[position:], check)
        except CorruptRecordError as error:
            raise CorruptRecordError(f"{error} (byte {position})", position=position) from None
        yield batch
        position += batch.size_bytes


def iter_records(data):
    """Yield every Record of the whole batches in `data`, control batches included."""
    for batch in iter_batches(data):
        yield from batch.records()
