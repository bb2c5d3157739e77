"""ProducedBatch: a batch as a client sent it, checked and appended in the memory it came in.

What is checked, in this order, and the code that says so:

    one whole batch, magic 2, nothing behind it         INVALID_RECORD, CORRUPT_MESSAGE for its size
    max.message.bytes; segment.bytes                    MESSAGE_TOO_LARGE; RECORD_LIST_TOO_LARGE
    CRC-32C                                             CORRUPT_MESSAGE
    counts, offsets from 0, bits, producer's fields     INVALID_RECORD
    the records: whole, as many as it says, in order    INVALID_RECORD
    a key in each on a compacted topic                  INVALID_RECORD, with those that lack it
    times, unless the topic sets its own                INVALID_TIMESTAMP
    epoch, sequence, open transaction                   by the log, under its lock

Bytes are not decoded into objects, and not changed but for what the log writes into any batch, and
what Kafka corrects too: a largest timestamp that is not the records', the bit of LogAppendTime.

Source: Kafka ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords, LogValidator.
Stricter than Kafka: bits without a meaning for producers (delete horizon, those not in use) are
refused, and bytes behind the batch are.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int32_t, int64_t, uint8_t

from logcore._c cimport (
    PL_ATTRIBUTES_AT, PL_BASE_OFFSET_AT, PL_BATCH_HEADER_SIZE, PL_BATCH_PREFIX_SIZE,
    PL_CODEC_MASK, PL_CRC_AT, PL_LOG_APPEND_TIME_BIT, PL_MAGIC_AT, PL_MAX_TIMESTAMP_AT,
    PL_RESERVED_BITS, PL_TRANSACTIONAL_BIT, pl_batch, pl_batch_crc, pl_batch_size, pl_crc32c_init,
    pl_get_record, pl_load_batch, pl_load_i32, pl_record, pl_store_u16, pl_store_u32,
    pl_store_u64, pl_wall_clock_ms,
)
from logcore.log cimport Log

from logcore import batch as batches, codecs
from logcore.errors import CorruptRecordError, InvalidRecordError, RecordTooLargeError
from pylog.errors import KafkaError, KafkaException

pl_crc32c_init()

cdef enum:
    LEAST_BATCH_LENGTH = 14      # of what Kafka takes for a batch, or something like it
    ZSTD = 4
    CODEC_COUNT = 5
    NO_TIMESTAMP = -1
    SHOWN_ERRORS = 3  # in the text
    MAX_TOLD_ERRORS = 10000  # in the answer; Kafka has no limit

MAX_UNPACKED_BYTES = batches.MAX_DECOMPRESSED_BYTES   # of one batch; readers take no more


class RejectedBatchError(KafkaException):
    """A batch that is not taken.

    Attributes:
        record_errors: (index, text) of records that are at fault.
    """

    def __init__(self, code, text, record_errors=()):
        super().__init__(KafkaError(code, text))
        self.record_errors = record_errors


class LargeBatchError(Exception):
    """What a batch unpacks to is more than was to be unpacked now."""


cdef struct Survey:
    int64_t least_timestamp_ms       # of those that have one; as the next if none has
    int64_t largest_timestamp_ms
    int32_t lacking_key              # how many records
    bint is_sound


cdef void _survey(const uint8_t *at, const uint8_t *end, const pl_batch *batch,
                  Survey *survey) noexcept nogil:
    """Look at every record of a batch."""
    cdef pl_record record
    cdef int64_t timestamp_ms
    cdef int32_t index
    survey.least_timestamp_ms = survey.largest_timestamp_ms = NO_TIMESTAMP
    survey.lacking_key = 0
    survey.is_sound = False
    for index in range(batch.record_count):
        at = pl_get_record(at, end, &record)
        if at == NULL or record.offset_delta != index:
            return
        if record.key_size < 0:
            survey.lacking_key += 1
        timestamp_ms = batch.base_timestamp_ms + record.timestamp_delta_ms
        if timestamp_ms != NO_TIMESTAMP:
            if (survey.least_timestamp_ms == NO_TIMESTAMP
                    or timestamp_ms < survey.least_timestamp_ms):
                survey.least_timestamp_ms = timestamp_ms
            if timestamp_ms > survey.largest_timestamp_ms:
                survey.largest_timestamp_ms = timestamp_ms
    survey.is_sound = at == end


@cython.final
cdef class ProducedBatch:
    """One batch of a Produce request.

    Args:
        records: bytes-like, the memory of a request that nobody else looks at: the log writes into
            it, though the protocol's decoder shows it as read only.

    Attributes:
        producer_id: -1 for none.
        producer_epoch: of the producer.
        is_transactional: whether it is part of a transaction.
        next_offset: after `append`: behind its last record.
        log_append_time_ms: after `append`: the time that the log gave it, -1 if it keeps its own.

    Raises:
        RejectedBatchError: it is not one whole batch.
    """

    cdef Py_buffer view
    cdef bint has_view
    cdef uint8_t *data
    cdef Py_ssize_t size
    cdef pl_batch header
    cdef readonly int64_t next_offset
    cdef readonly int64_t log_append_time_ms

    def __init__(self, records):
        if records is None:
            raise RejectedBatchError(KafkaError.INVALID_RECORD, "A batch of records is needed")
        PyObject_GetBuffer(records, &self.view, PyBUF_SIMPLE)
        self.has_view = True
        self.data = <uint8_t *>self.view.buf
        self.size = self.view.len
        self.next_offset = self.log_append_time_ms = -1
        self._check_frame()

    def __dealloc__(self):
        if self.has_view:
            PyBuffer_Release(&self.view)

    @property
    def producer_id(self):
        return self.header.producer_id

    @property
    def producer_epoch(self):
        return self.header.producer_epoch

    @property
    def is_transactional(self):
        return self.header.attributes & PL_TRANSACTIONAL_BIT != 0

    @property
    def is_zstd(self):
        """Whether it is compressed with what clients before Produce version 7 do not know."""
        return self.header.attributes & PL_CODEC_MASK == ZSTD

    cdef int _check_frame(self) except -1:
        cdef int32_t length
        if self.size >= PL_BATCH_PREFIX_SIZE:
            length = pl_load_i32(self.data + PL_BATCH_PREFIX_SIZE - 4)
            if length < LEAST_BATCH_LENGTH:
                raise RejectedBatchError(
                    KafkaError.INVALID_MSG,
                    f"Record size {length} is less than the minimum record overhead "
                    f"({LEAST_BATCH_LENGTH})")
            if self.size > PL_MAGIC_AT and self.data[PL_MAGIC_AT] > 2:
                raise RejectedBatchError(
                    KafkaError.INVALID_MSG,
                    f"Invalid magic found in record: {self.data[PL_MAGIC_AT]}")
        if (self.size < PL_BATCH_HEADER_SIZE or self.data[PL_MAGIC_AT] != 2
                or <Py_ssize_t>pl_batch_size(self.data) != self.size):
            raise RejectedBatchError(
                KafkaError.INVALID_RECORD,
                "A Produce request must contain exactly one record batch of version 2 for each "
                "partition")
        pl_load_batch(self.data, &self.header)
        return 0

    cdef int _check_header(self) except -1:
        """Everything but the checksum and what only the log knows."""
        cdef pl_batch *header = &self.header
        fault = None
        if header.base_offset != 0:
            fault = f"the base offset is {header.base_offset}, not 0"
        elif header.record_count < 1 or header.record_count != header.last_offset_delta + 1:
            fault = (f"{header.record_count} records, with a last offset delta of "
                     f"{header.last_offset_delta}")
        elif header.attributes & PL_RESERVED_BITS:
            fault = (f"attributes {header.attributes:#x}: clients write neither control batches "
                     "nor bits that are not in use")
        elif header.attributes & PL_CODEC_MASK >= CODEC_COUNT:
            fault = f"unknown compression codec {header.attributes & PL_CODEC_MASK}"
        elif header.producer_id >= 0 and (header.producer_epoch < 0 or header.base_sequence < 0):
            fault = "a producer id without an epoch and a sequence"
        elif header.producer_id < 0 and header.attributes & PL_TRANSACTIONAL_BIT:
            fault = "a transactional batch without a producer id"
        if fault is not None:
            raise RejectedBatchError(KafkaError.INVALID_RECORD, f"Invalid record batch: {fault}")
        return 0

    def check(self, Log log not None, Py_ssize_t max_unpacked_bytes=MAX_UNPACKED_BYTES):
        """Whether a log may take it, as far as that can be said without the log's lock.

        Args:
            log: to append to.
            max_unpacked_bytes: unpack no more than that.

        Raises:
            RejectedBatchError: it may not.
            LargeBatchError: that cannot be said without unpacking more.
        """
        cdef Survey survey
        cdef bint is_sound
        cdef const uint8_t *records = self.data + PL_BATCH_HEADER_SIZE
        cdef const uint8_t *end = self.data + self.size
        cdef int64_t now_ms
        if self.size > log.max_message_bytes:
            raise RejectedBatchError(
                KafkaError.MSG_SIZE_TOO_LARGE,
                f"The record batch size is {self.size} bytes, which exceeds the maximum configured "
                f"value of {log.max_message_bytes}")
        if self.size > log.segment_bytes:
            raise RejectedBatchError(
                KafkaError.RECORD_LIST_TOO_LARGE,
                f"Message batch size is {self.size} bytes, which exceeds the maximum configured "
                f"segment size of {log.segment_bytes}")
        with nogil:
            is_sound = pl_batch_crc(self.data, self.size) == self.header.crc
        if not is_sound:
            raise RejectedBatchError(
                KafkaError.INVALID_MSG, "Record is corrupt: its checksum does not match")
        self._check_header()
        unpacked = self._unpack(max_unpacked_bytes)
        if unpacked is not None:
            records = <const uint8_t *>PyBytes_AS_STRING(unpacked)
            end = records + PyBytes_GET_SIZE(unpacked)
        with nogil:
            _survey(records, end, &self.header, &survey)
        if not survey.is_sound:
            raise RejectedBatchError(
                KafkaError.INVALID_RECORD,
                "Invalid record batch: the records are malformed, not consecutive, or not "
                f"{self.header.record_count}")
        if survey.lacking_key and log.requires_keys:
            self._reject(records, end, log, KafkaError.INVALID_RECORD)
        if log.writer.uses_log_append_time:
            return
        config = log.config
        now_ms = pl_wall_clock_ms()
        if survey.least_timestamp_ms != NO_TIMESTAMP and (
                not self._is_timely(survey.least_timestamp_ms, now_ms, config)
                or not self._is_timely(survey.largest_timestamp_ms, now_ms, config)):
            self._reject(records, end, log, KafkaError.INVALID_TIMESTAMP)
        self._correct(survey.largest_timestamp_ms)

    cdef object _unpack(self, Py_ssize_t max_bytes):
        cdef int codec = self.header.attributes & PL_CODEC_MASK
        if codec == 0:
            return None
        packed = PyMemoryView_FromMemory(<char *>self.data + PL_BATCH_HEADER_SIZE,
                                         self.size - PL_BATCH_HEADER_SIZE, 0x100)
        try:
            if self.size > max_bytes:
                raise RecordTooLargeError("")
            return codecs.decompress(codec, packed, max_bytes)
        except (CorruptRecordError, MemoryError) as error:
            raise RejectedBatchError(KafkaError.INVALID_RECORD,
                                     f"Invalid record batch: {error}") from None
        except (InvalidRecordError, RecordTooLargeError) as error:
            if max_bytes < MAX_UNPACKED_BYTES:
                raise LargeBatchError from None
            raise RejectedBatchError(KafkaError.INVALID_RECORD,
                                     f"Invalid record batch: {error}") from None

    cdef bint _is_timely(self, int64_t timestamp_ms, int64_t now_ms, object config) except -1:
        """Source: Kafka LogValidator.recordHasInvalidTimestamp."""
        cdef int64_t before_max_ms = config.message_timestamp_before_max_ms
        cdef int64_t after_max_ms = config.message_timestamp_after_max_ms
        if timestamp_ms <= now_ms:
            # as unsigned numbers: from one end of time to the other is no overflow
            return <unsigned long long>now_ms - <unsigned long long>timestamp_ms <= (
                <unsigned long long>before_max_ms)
        return timestamp_ms - now_ms <= after_max_ms

    cdef int _reject(self, const uint8_t *at, const uint8_t *end, Log log, int code) except -1:
        """Find the records that are at fault, and raise."""
        cdef pl_record record
        cdef int32_t index
        cdef int64_t now_ms = pl_wall_clock_ms(), timestamp_ms
        cdef list found = []
        cdef int32_t count = 0
        partition = log.path.rpartition("/")[2]
        for index in range(self.header.record_count):
            at = pl_get_record(at, end, &record)
            if code == KafkaError.INVALID_RECORD:
                is_at_fault = record.key_size < 0
                text = ("Compacted topic cannot accept message without key in topic partition "
                        f"{partition}")
            else:
                timestamp_ms = self.header.base_timestamp_ms + record.timestamp_delta_ms
                is_at_fault = timestamp_ms != NO_TIMESTAMP and not self._is_timely(
                    timestamp_ms, now_ms, log.config)
                text = (f"Timestamp {timestamp_ms} of message with offset {index} is out of range. "
                        f"The timestamp should be within "
                        f"[{now_ms - log.config.message_timestamp_before_max_ms}, "
                        f"{now_ms + log.config.message_timestamp_after_max_ms}]")
            if is_at_fault:
                count += 1
                if count <= MAX_TOLD_ERRORS:
                    found.append((index, text))
        if code == KafkaError.INVALID_RECORD:
            text = (f"One or more records have been rejected due to {count} record errors; "
                    f"the first ones: {found[:SHOWN_ERRORS]}")
        else:
            text = "One or more records have been rejected due to invalid timestamp"
        raise RejectedBatchError(code, text, found)

    cdef int _correct(self, int64_t largest_timestamp_ms) except -1:
        """Have the header say what is true of the records."""
        if (self.header.max_timestamp_ms == largest_timestamp_ms
                and not self.header.attributes & PL_LOG_APPEND_TIME_BIT):
            return 0
        self.header.max_timestamp_ms = largest_timestamp_ms
        self.header.attributes &= ~PL_LOG_APPEND_TIME_BIT
        pl_store_u64(self.data + PL_MAX_TIMESTAMP_AT, largest_timestamp_ms)
        pl_store_u16(self.data + PL_ATTRIBUTES_AT, self.header.attributes)
        with nogil:
            self.header.crc = pl_batch_crc(self.data, self.size)
        pl_store_u32(self.data + PL_CRC_AT, self.header.crc)
        return 0

    def append(self, Log log not None, int64_t lock_timeout_ms):
        """Append it, after `check`.

        Args:
            log: that it was checked for.
            lock_timeout_ms: how long to wait for another process that appends.

        Returns:
            The offset of its first record; of a retry, the one that it got at first.

        Raises:
            LogError: what Log.append raises; LockTimeoutError: it may be tried again.
        """
        cdef int64_t base_offset
        pl_store_u64(self.data + PL_BASE_OFFSET_AT, 0)
        base_offset = log.append_within(self.data, self.size, -1, lock_timeout_ms)
        self.next_offset = base_offset + self.header.last_offset_delta + 1
        if log.writer.uses_log_append_time:
            pl_load_batch(self.data, &self.header)
            self.log_append_time_ms = self.header.max_timestamp_ms
        return base_offset
