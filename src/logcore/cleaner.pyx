"""SegmentCleaner: the second pass of a cleaning writes segments anew.

A record stays unless a later one of the same key replaced it. A batch that loses nothing is copied
as it is. One that loses some keeps its base offset, last offset, base time, sequence and producer;
the kept records are copied byte for byte; its count, length, largest timestamp and CRC are made
anew. Where tombstones are kept for a while, the batch learns until when: bit 6 is set, the base
time becomes that delete horizon, and the records' deltas are counted from there.

The loops over uncompressed batches run without the GIL. Compressed ones are unpacked, filtered and
compressed again with their codec.

Source: Kafka Cleaner.cleanInto, shouldRetainRecord; MemoryRecords.filterTo.
"""

import os

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from logcore._c cimport (
    PL_ATTRIBUTES_AT, PL_BASE_TIMESTAMP_AT, PL_BATCH_HEADER_SIZE, PL_BATCH_LENGTH_AT,
    PL_BATCH_PREFIX_SIZE, PL_CODEC_MASK, PL_CONTROL_BIT, PL_CRC_AT, PL_DELETE_HORIZON_BIT,
    PL_LOG_APPEND_TIME_BIT, PL_MAX_TIMESTAMP_AT, PL_RECORD_COUNT_AT, PL_TRANSACTIONAL_BIT, pl_batch,
    pl_batch_crc, pl_crc32c_init, pl_get_record, pl_get_varint, pl_get_varlong, pl_key_get,
    pl_key_hash, pl_key_prefetch_entry, pl_key_prefetch_slot, pl_put_varlong, pl_pwrite_all,
    pl_record, pl_record_timestamp, pl_store_u16, pl_store_u32, pl_store_u64, pl_varlong_size,
)
from logcore.batch cimport decompress_records
from logcore.batch_file cimport (
    BATCH_READY, FILE_ENDED, MALFORMED_RECORDS, NEEDS_CALLER, NO_MEMORY, TIME_TO_REPORT,
    WRITE_FAILED, BatchFile,
)
from logcore.key_index cimport pass_transaction
from logcore.offset_map cimport OffsetMap

from logcore import codecs
from logcore.errors import error_from_errno

pl_crc32c_init()

cdef enum:
    GROUP = 16                   # records whose memory is on its way at once
    MAX_REBASE_GROWTH = 14       # bytes that a record's new time and length may take more
cdef int64_t WRITE_BYTES = 1 << 20


cdef struct Pending:
    const uint8_t *start         # of the record; its end is the next one's start
    const uint8_t *end
    const uint8_t *key
    uint64_t hash
    int64_t offset
    int64_t timestamp_ms
    int32_t key_size
    bint is_tombstone


@cython.final
cdef class SegmentCleaner:
    """Writes what is to be kept of some segments into one file.

    Args:
        path: of the file to make.
        offsets: last offset of each key, from index_segment.
        transactions: CleanedTransactions of this pass.
        live_batches: producer id to the last offset of its last batch, which stays, if need be
            empty: the producer's sequence goes on from it.
        now_ms: wall clock.
        delete_horizon_ms: until when tombstones stay that no cleaning has met before.
    """

    cdef readonly object path
    cdef int fd
    cdef OffsetMap offsets
    cdef object transactions
    cdef dict live_batches
    cdef int64_t now_ms
    cdef int64_t delete_horizon_ms
    cdef uint8_t *out
    cdef int64_t out_capacity
    cdef int64_t out_filled
    cdef readonly int64_t size_bytes         # written, or on its way
    cdef int64_t written_bytes
    cdef uint8_t *scratch                    # unpacked records that are kept
    cdef int64_t scratch_capacity
    cdef uint8_t *rebased                    # records with new timestamps
    cdef int64_t rebased_capacity
    cdef int error
    cdef int64_t kept_count                  # of the batch that was filtered last
    cdef int64_t kept_max_ms
    cdef bint has_tombstone
    cdef readonly int64_t record_count       # read
    cdef readonly int64_t kept_record_count
    cdef readonly bint is_changed            # not every batch was copied as it was

    def __cinit__(self):
        self.fd = -1

    def __init__(self, path, OffsetMap offsets not None, transactions, live_batches,
                 int64_t now_ms, int64_t delete_horizon_ms):
        self.path = path
        self.offsets = offsets
        self.transactions = transactions
        self.live_batches = live_batches
        self.now_ms = now_ms
        self.delete_horizon_ms = delete_horizon_ms
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self.fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise error_from_errno(error.errno or 0, "create", path) from error

    def __dealloc__(self):
        free(self.out)
        free(self.scratch)
        free(self.rebased)
        self.close()

    def close(self):
        """Close the file as it is. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def clean(self, path, bint is_last, on_progress=None):
        """Append what is to be kept of a sealed segment.

        Args:
            path: of its .log.
            is_last: of those that go into the file: its last batch stays, if need be empty, so
                that the file ends at the offset where the next one begins.
            on_progress: told the bytes gone over since it was told last.

        Raises:
            CorruptRecordError, LogIOError, DiskFullError.
        """
        cdef BatchFile source = BatchFile(path)
        cdef int status
        while True:
            with nogil:
                status = self._clean_batches(source, is_last)
            if status == NEEDS_CALLER:
                status = self._clean_batch(source, is_last)
            if status == WRITE_FAILED:
                raise error_from_errno(self.error, "write", self.path)
            if status < 0:
                raise source.failure(status)
            if status in (TIME_TO_REPORT, FILE_ENDED):
                source.report(on_progress)
            if status == FILE_ENDED:
                return

    def finish(self):
        """Have all of it on the disk."""
        if self._flush() != 0:
            raise error_from_errno(self.error, "write", self.path)
        try:
            os.fsync(self.fd)
        except OSError as error:
            raise error_from_errno(error.errno or 0, "sync", self.path) from error
        self.close()

    cdef int _clean_batches(self, BatchFile source, bint is_last) noexcept nogil:
        """Clean plain batches until one needs more than that."""
        cdef int status
        while True:
            status = source.next()
            if status != BATCH_READY:
                return status
            if source.batch.attributes & (PL_CODEC_MASK | PL_TRANSACTIONAL_BIT | PL_CONTROL_BIT):
                return NEEDS_CALLER
            status = self._keep_some(source, is_last)
            if status != BATCH_READY:
                return status

    cdef int _keep_some(self, BatchFile source, bint is_last) noexcept nogil:
        """Put what is to be kept of an uncompressed batch of records behind the others."""
        cdef pl_batch *batch = &source.batch
        cdef const uint8_t *start = source.start()
        cdef int64_t size
        cdef uint8_t *target
        cdef int status = self._reserve(source.batch_size
                                        + MAX_REBASE_GROWTH * <int64_t>batch.record_count)
        if status != 0:
            return status
        target = self.out + self.out_filled
        size = self._filter(batch, start + PL_BATCH_HEADER_SIZE, start + source.batch_size,
                            target + PL_BATCH_HEADER_SIZE)
        if size < 0:
            return <int>size
        if self.kept_count == 0:
            return self._keep_empty(source, is_last)
        if self.has_tombstone and not batch.attributes & PL_DELETE_HORIZON_BIT:
            size = self._rebase(batch, target + PL_BATCH_HEADER_SIZE, size)
            if size < 0:
                return <int>size
        elif self.kept_count == batch.record_count:
            self._copy(source)
            return BATCH_READY
        memcpy(target, start, PL_BATCH_HEADER_SIZE)
        self._seal(batch, target, size)
        return BATCH_READY

    cdef int _clean_batch(self, BatchFile source, bint is_last) except *:
        """Clean a batch that is compressed or of a transaction."""
        cdef pl_batch *batch = &source.batch
        cdef int status
        cdef bint may_go = pass_transaction(source, self.transactions)
        if batch.attributes & PL_CONTROL_BIT:
            self.record_count += batch.record_count
            if batch.record_count == 0 or (
                    may_go and batch.attributes & PL_DELETE_HORIZON_BIT
                    and batch.base_timestamp_ms <= self.now_ms):
                return self._keep_empty(source, is_last)
            self.kept_record_count += batch.record_count
            if may_go and not batch.attributes & PL_DELETE_HORIZON_BIT:
                return self._keep_marker(source)
            return self._keep_whole(source)
        if may_go:
            self.record_count += batch.record_count
            return self._keep_empty(source, is_last)
        if batch.attributes & PL_CODEC_MASK:
            return self._recompress(source, is_last)
        with nogil:
            status = self._keep_some(source, is_last)
        return status

    cdef int _keep_whole(self, BatchFile source) noexcept nogil:
        cdef int status = self._reserve(source.batch_size)
        if status == 0:
            self._copy(source)
        return status

    cdef int _keep_marker(self, BatchFile source) noexcept nogil:
        """A marker whose transaction is gone stays until the horizon that it is given now."""
        cdef int64_t size = source.batch_size - PL_BATCH_HEADER_SIZE
        cdef uint8_t *target
        cdef int status = self._reserve(
            source.batch_size + MAX_REBASE_GROWTH * <int64_t>source.batch.record_count)
        if status != 0:
            return status
        target = self.out + self.out_filled
        memcpy(target, source.start(), source.batch_size)
        self.kept_count = source.batch.record_count
        self.kept_max_ms = source.batch.max_timestamp_ms
        self.has_tombstone = True
        size = self._rebase(&source.batch, target + PL_BATCH_HEADER_SIZE, size)
        if size < 0:
            return <int>size
        self._seal(&source.batch, target, size)
        return BATCH_READY

    cdef int _recompress(self, BatchFile source, bint is_last) except *:
        cdef pl_batch *batch = &source.batch
        cdef bytes unpacked = decompress_records(source.start(), batch)
        cdef const uint8_t *records = <const uint8_t *>PyBytes_AS_STRING(unpacked)
        cdef const uint8_t *end = records + PyBytes_GET_SIZE(unpacked)
        cdef int64_t size
        cdef int status
        if _grow(&self.scratch, &self.scratch_capacity,
                 len(unpacked) + MAX_REBASE_GROWTH * <int64_t>batch.record_count) != 0:
            return NO_MEMORY
        with nogil:
            size = self._filter(batch, records, end, self.scratch)
        if size < 0:
            return <int>size
        if self.kept_count == 0:
            return self._keep_empty(source, is_last)
        if self.has_tombstone and not batch.attributes & PL_DELETE_HORIZON_BIT:
            size = self._rebase(batch, self.scratch, size)
            if size < 0:
                return <int>size
        elif self.kept_count == batch.record_count:
            return self._keep_whole(source)
        packed = codecs.compress(batch.attributes & PL_CODEC_MASK,
                                 PyMemoryView_FromMemory(<char *>self.scratch, size, 0x100))
        status = self._reserve(PL_BATCH_HEADER_SIZE + <int64_t>len(packed))
        if status != 0:
            return status
        memcpy(self.out + self.out_filled, source.start(), PL_BATCH_HEADER_SIZE)
        memcpy(self.out + self.out_filled + PL_BATCH_HEADER_SIZE, PyBytes_AS_STRING(packed),
               len(packed))
        self._seal(batch, self.out + self.out_filled, len(packed))
        return BATCH_READY

    cdef int64_t _filter(self, const pl_batch *batch, const uint8_t *cursor, const uint8_t *end,
                         uint8_t *target) noexcept nogil:
        """Copy the records to keep: their bytes, or a status below 0."""
        cdef Pending pending[GROUP]
        cdef Pending *entry
        cdef pl_record record
        cdef uint8_t *out = target
        cdef int count = 0
        cdef int32_t left = batch.record_count
        self.kept_count = 0
        self.kept_max_ms = -1
        self.has_tombstone = False
        while left > 0:
            count = 0
            while left > 0 and count < GROUP:
                entry = &pending[count]
                entry.start = cursor
                cursor = pl_get_record(cursor, end, &record)
                if (cursor == NULL
                        or <uint32_t>record.offset_delta > <uint32_t>batch.last_offset_delta):
                    return MALFORMED_RECORDS
                entry.end = cursor
                entry.key = record.key
                entry.key_size = record.key_size
                entry.offset = batch.base_offset + record.offset_delta
                entry.timestamp_ms = pl_record_timestamp(batch, &record)
                entry.is_tombstone = record.value_size < 0
                if record.key_size >= 0:
                    entry.hash = pl_key_hash(&self.offsets.map, record.key, record.key_size)
                    pl_key_prefetch_slot(&self.offsets.map, entry.hash)
                count += 1
                left -= 1
            out = self._copy_kept(batch, pending, count, out)
        if cursor != end:
            return MALFORMED_RECORDS
        self.record_count += batch.record_count
        self.kept_record_count += self.kept_count
        return out - target

    cdef uint8_t *_copy_kept(self, const pl_batch *batch, Pending *pending, int count,
                             uint8_t *out) noexcept nogil:
        cdef int i
        cdef size_t size
        for i in range(count):
            if pending[i].key_size >= 0:
                pl_key_prefetch_entry(&self.offsets.map, pending[i].hash)
        for i in range(count):
            if not self._is_kept(batch, &pending[i]):
                continue
            size = pending[i].end - pending[i].start
            memcpy(out, pending[i].start, size)
            out += size
            if self.kept_count == 0 or pending[i].timestamp_ms > self.kept_max_ms:
                self.kept_max_ms = pending[i].timestamp_ms
            self.kept_count += 1
            if pending[i].is_tombstone:
                self.has_tombstone = True
        return out

    cdef bint _is_kept(self, const pl_batch *batch, const Pending *record) noexcept nogil:
        """Source: Kafka Cleaner.shouldRetainRecord."""
        if record.offset > self.offsets.latest_offset:
            return True
        if record.key_size < 0:
            return False   # nothing could ever replace it
        if record.offset < pl_key_get(&self.offsets.map, record.key, record.key_size,
                                      record.hash):
            return False
        return (not record.is_tombstone or not batch.attributes & PL_DELETE_HORIZON_BIT
                or self.now_ms < batch.base_timestamp_ms)

    cdef int64_t _rebase(self, const pl_batch *batch, uint8_t *records,
                         int64_t size) noexcept nogil:
        """Count the timestamps of `kept_count` records from the delete horizon on: new bytes."""
        cdef const uint8_t *cursor = records
        cdef const uint8_t *end = records + size
        cdef const uint8_t *record_end
        cdef uint8_t *out
        cdef int64_t delta, _i
        cdef int32_t length
        if _grow(&self.rebased, &self.rebased_capacity,
                 size + MAX_REBASE_GROWTH * self.kept_count) != 0:
            return NO_MEMORY
        out = self.rebased
        for _i in range(self.kept_count):
            cursor = pl_get_varint(cursor, end, &length)
            if cursor == NULL or length < 1 or length > end - cursor:
                return MALFORMED_RECORDS
            record_end = cursor + length
            cursor = pl_get_varlong(cursor + 1, record_end, &delta)
            if cursor == NULL:
                return MALFORMED_RECORDS
            if batch.attributes & PL_LOG_APPEND_TIME_BIT:
                delta = batch.max_timestamp_ms - self.delete_horizon_ms
            else:
                delta = <int64_t>(<uint64_t>delta + <uint64_t>batch.base_timestamp_ms
                                  - <uint64_t>self.delete_horizon_ms)
            length = <int32_t>(1 + pl_varlong_size(delta) + (record_end - cursor))
            out = pl_put_varlong(out, length)
            out[0] = 0
            out = pl_put_varlong(out + 1, delta)
            memcpy(out, cursor, record_end - cursor)
            out += record_end - cursor
            cursor = record_end
        size = out - self.rebased
        memcpy(records, self.rebased, size)
        return size

    cdef void _seal(self, const pl_batch *batch, uint8_t *target, int64_t size) noexcept nogil:
        """Make the header true of `size` bytes of records behind it; it is the old one so far."""
        cdef uint16_t attributes = <uint16_t>batch.attributes
        self.is_changed = True
        if self.has_tombstone and not batch.attributes & PL_DELETE_HORIZON_BIT:
            attributes |= PL_DELETE_HORIZON_BIT
            pl_store_u64(target + PL_BASE_TIMESTAMP_AT, <uint64_t>self.delete_horizon_ms)
        pl_store_u16(target + PL_ATTRIBUTES_AT, attributes)
        if not batch.attributes & PL_LOG_APPEND_TIME_BIT:
            pl_store_u64(target + PL_MAX_TIMESTAMP_AT, <uint64_t>self.kept_max_ms)
        pl_store_u32(target + PL_RECORD_COUNT_AT, <uint32_t>self.kept_count)
        self._seal_size(target, PL_BATCH_HEADER_SIZE + size)

    cdef void _seal_size(self, uint8_t *target, int64_t size) noexcept nogil:
        pl_store_u32(target + PL_BATCH_LENGTH_AT, <uint32_t>(size - PL_BATCH_PREFIX_SIZE))
        pl_store_u32(target + PL_CRC_AT, pl_batch_crc(target, size))
        self.out_filled += size
        self.size_bytes += size

    cdef void _copy(self, BatchFile source) noexcept nogil:
        """Put the whole batch behind the others, as it is."""
        memcpy(self.out + self.out_filled, source.start(), source.batch_size)
        self.out_filled += source.batch_size
        self.size_bytes += source.batch_size

    cdef int _keep_empty(self, BatchFile source, bint is_last) noexcept nogil:
        """Nothing of the batch is kept: its header stays where it has something to say.

        Source: Kafka DefaultRecordBatch.writeEmptyHeader.
        """
        cdef pl_batch *batch = &source.batch
        cdef uint8_t *target
        cdef int status
        cdef bint is_kept = is_last and source.position + source.batch_size == source.end_position
        if not is_kept and batch.producer_id >= 0:
            with gil:
                is_kept = self._is_last_of_producer(batch)
        self.is_changed = True
        if not is_kept:
            return BATCH_READY
        status = self._reserve(PL_BATCH_HEADER_SIZE)
        if status != 0:
            return status
        target = self.out + self.out_filled
        memcpy(target, source.start(), PL_BATCH_HEADER_SIZE)
        pl_store_u16(target + PL_ATTRIBUTES_AT, <uint16_t>(
            batch.attributes & (PL_LOG_APPEND_TIME_BIT | PL_TRANSACTIONAL_BIT | PL_CONTROL_BIT)))
        pl_store_u64(target + PL_BASE_TIMESTAMP_AT, <uint64_t>-1)
        pl_store_u32(target + PL_RECORD_COUNT_AT, 0)
        self._seal_size(target, PL_BATCH_HEADER_SIZE)
        return BATCH_READY

    cdef bint _is_last_of_producer(self, const pl_batch *batch) noexcept:
        live = self.live_batches.get(batch.producer_id)
        if live is None:
            return False
        last_offset, epoch = live
        if last_offset >= 0:
            return batch.base_offset + batch.last_offset_delta == last_offset
        return batch.attributes & PL_CONTROL_BIT != 0 and batch.producer_epoch == epoch

    cdef int _reserve(self, int64_t size) noexcept nogil:
        """Room for `size` bytes behind what is in the buffer."""
        if self.out_filled + size > self.out_capacity:
            if self._flush() != 0:
                return WRITE_FAILED
            return _grow(&self.out, &self.out_capacity, max(size, WRITE_BYTES))
        return 0

    cdef int _flush(self) noexcept nogil:
        cdef int status = pl_pwrite_all(self.fd, self.out, self.out_filled, self.written_bytes)
        if status < 0:
            self.error = -status
            return WRITE_FAILED
        self.written_bytes += self.out_filled
        self.out_filled = 0
        return 0


cdef int _grow(uint8_t **block, int64_t *capacity, int64_t needed) noexcept nogil:
    cdef uint8_t *grown
    if needed <= capacity[0]:
        return 0
    grown = <uint8_t *>realloc(block[0], needed)
    if grown == NULL:
        return NO_MEMORY
    block[0] = grown
    capacity[0] = needed
    return 0
