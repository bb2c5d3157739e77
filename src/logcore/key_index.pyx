"""index_segment: the first pass of a cleaning notes the last offset of each key of a segment.

Plain batches are gone over without the GIL, 16 records at a time: while one key is looked up, the
memory of the next ones is on its way. What aborted transactions wrote is left out.

Source: Kafka Cleaner.buildOffsetMap.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from logcore._c cimport (
    PL_BATCH_HEADER_SIZE, PL_CODEC_MASK, PL_CONTROL_BIT, PL_TRANSACTIONAL_BIT, pl_batch,
    pl_get_record, pl_key_hash, pl_key_prefetch_entry, pl_key_prefetch_slot, pl_record,
)
from logcore.batch cimport decompress_records
from logcore.batch_file cimport (
    BATCH_READY, FILE_ENDED, MALFORMED_RECORDS, MAP_IS_FULL, NEEDS_CALLER, NO_MEMORY,
    TIME_TO_REPORT, BatchFile,
)
from logcore.offset_map cimport OffsetMap

cdef enum:
    GROUP = 16                   # records whose memory is on its way at once


cdef struct Pending:
    const uint8_t *key
    uint64_t hash
    int64_t offset
    int32_t key_size


cdef object _control_type(const pl_batch *batch, const uint8_t *records, const uint8_t *end):
    """Type of the first control record, None when the batch has none."""
    cdef pl_record record
    if batch.record_count == 0:
        return None
    if pl_get_record(records, end, &record) == NULL or record.key_size < 4:
        return -1
    return record.key[2] << 8 | record.key[3]


cdef bint pass_transaction(BatchFile source, object transactions) except -1:
    """Tell the tracker of a batch: True when it may go."""
    cdef pl_batch *batch = &source.batch
    last_offset = batch.base_offset + batch.last_offset_delta
    if batch.attributes & PL_CONTROL_BIT:
        records = source.start() + PL_BATCH_HEADER_SIZE
        kind = _control_type(batch, records, source.start() + source.batch_size)
        return transactions.on_marker(batch.producer_id, last_offset, kind)
    return transactions.on_batch(
        batch.producer_id, last_offset,
        is_transactional=bool(batch.attributes & PL_TRANSACTIONAL_BIT))


cdef int _put_pending(OffsetMap offsets, Pending *pending, int count) noexcept nogil:
    cdef int i, status
    for i in range(count):
        pl_key_prefetch_entry(&offsets.map, pending[i].hash)
    for i in range(count):
        status = offsets.put(pending[i].key, pending[i].key_size, pending[i].hash,
                             pending[i].offset)
        if status != 0:
            return MAP_IS_FULL if status > 0 else NO_MEMORY
    return BATCH_READY


cdef int _index_records(OffsetMap offsets, const uint8_t *cursor, const uint8_t *end,
                        const pl_batch *batch, int64_t start_offset) noexcept nogil:
    cdef Pending pending[GROUP]
    cdef Pending *entry
    cdef pl_record record
    cdef int count = 0, status
    cdef int32_t _i
    for _i in range(batch.record_count):
        cursor = pl_get_record(cursor, end, &record)
        if cursor == NULL or <uint32_t>record.offset_delta > <uint32_t>batch.last_offset_delta:
            return MALFORMED_RECORDS
        if record.key_size < 0 or batch.base_offset + record.offset_delta < start_offset:
            continue
        entry = &pending[count]
        entry.key = record.key
        entry.key_size = record.key_size
        entry.offset = batch.base_offset + record.offset_delta
        entry.hash = pl_key_hash(&offsets.map, record.key, record.key_size)
        pl_key_prefetch_slot(&offsets.map, entry.hash)
        count += 1
        if count == GROUP:
            status = _put_pending(offsets, pending, count)
            if status != BATCH_READY:
                return status
            count = 0
    if cursor != end:
        return MALFORMED_RECORDS
    return _put_pending(offsets, pending, count)


cdef int _index_batches(BatchFile source, OffsetMap offsets, int64_t start_offset) noexcept nogil:
    """Index plain batches until one needs more than that."""
    cdef int status
    while True:
        status = source.next()
        if status != BATCH_READY:
            return status
        if source.batch.base_offset + source.batch.last_offset_delta < start_offset:
            continue
        if source.batch.attributes & (PL_CODEC_MASK | PL_TRANSACTIONAL_BIT | PL_CONTROL_BIT):
            return NEEDS_CALLER
        status = _index_records(offsets, source.start() + PL_BATCH_HEADER_SIZE,
                                source.start() + source.batch_size, &source.batch, start_offset)
        if status != BATCH_READY:
            return status
        offsets.latest_offset = max(offsets.latest_offset, source.batch.base_offset
                                    + source.batch.last_offset_delta)


cdef int _index_batch(BatchFile source, OffsetMap offsets, int64_t start_offset,
                      object transactions) except *:
    """Index a batch that is compressed or of a transaction."""
    cdef const uint8_t *records = source.start() + PL_BATCH_HEADER_SIZE
    cdef const uint8_t *end = source.start() + source.batch_size
    cdef bytes unpacked
    cdef int status = BATCH_READY
    is_gone = pass_transaction(source, transactions)
    if not is_gone and not source.batch.attributes & PL_CONTROL_BIT:
        if source.batch.attributes & PL_CODEC_MASK:
            unpacked = decompress_records(source.start(), &source.batch)
            records = <const uint8_t *>PyBytes_AS_STRING(unpacked)
            end = records + PyBytes_GET_SIZE(unpacked)
        with nogil:
            status = _index_records(offsets, records, end, &source.batch, start_offset)
    if status == BATCH_READY:
        offsets.cover(source.batch.base_offset + source.batch.last_offset_delta)
    return status


def index_segment(path, int64_t start_offset, OffsetMap offsets not None, transactions,
                  on_progress=None):
    """Note the last offset of each key of a sealed segment.

    Args:
        path: of the .log.
        start_offset: records below it are of no interest.
        offsets: to fill; its latest_offset says how far it covers the log.
        transactions: CleanedTransactions of this pass.
        on_progress: told the bytes gone over since it was told last; what it raises ends the pass.

    Returns:
        Whether the map is full: then it covers the records before the one that did not fit.

    Raises:
        CorruptRecordError, LogIOError: the segment cannot be read.
    """
    cdef BatchFile source = BatchFile(path)
    cdef int status
    while True:
        with nogil:
            status = _index_batches(source, offsets, start_offset)
        if status == NEEDS_CALLER:
            status = _index_batch(source, offsets, start_offset, transactions)
        if status < 0:
            raise source.failure(status)
        if status in (TIME_TO_REPORT, FILE_ENDED, MAP_IS_FULL):
            source.report(on_progress)
        if status in (FILE_ENDED, MAP_IS_FULL):
            return status == MAP_IS_FULL
