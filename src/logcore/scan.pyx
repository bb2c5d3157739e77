"""Scanning a segment's bytes: recovery, index rebuilding and the doctor look at whole files.

Everything runs without the GIL and under the SIGBUS guard, so that a file that loses its pages is
an error like any other.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from logcore._c cimport (
    PL_BATCH_HEADER_SIZE, PL_BATCH_INCOMPLETE, PL_BATCH_OK, PL_BATCH_PREFIX_SIZE, PL_MAGIC_AT,
    PL_OFFSET_ENTRY_SIZE, PL_TIME_ENTRY_SIZE, pl_batch, pl_batch_status, pl_check_batch,
    pl_check_batch_header, pl_crc32c_init, pl_put_offset_entry, pl_put_time_entry, pl_store_u32,
    pl_store_u64,
)
from logcore.batch import STATUS_TEXT
from logcore.segment cimport SegmentMap

pl_crc32c_init()

cdef int64_t SECTOR_BYTES = 512
WRONG_OFFSET = 100
WRONG_EPOCH = 101
INCOMPLETE_TEXT = STATUS_TEXT[PL_BATCH_INCOMPLETE]


cdef struct Scan:
    const uint8_t *start
    int64_t size                  # bytes of the file
    int64_t base_offset
    int64_t position              # in: where to begin; out: end of the last good batch
    int64_t expected_offset       # in: of the first batch; out: after the last good batch
    int64_t max_timestamp_ms
    int64_t max_timestamp_offset
    int64_t time_index_last_ms
    int64_t first_timestamp_ms
    int64_t unindexed_bytes
    int64_t index_interval_bytes
    int64_t batch_count
    int64_t record_count
    int64_t producer_batch_count
    int32_t last_epoch
    bint allows_gaps
    int status                    # why it stopped before the end: a pl_batch_status or WRONG_*
    uint8_t *offset_entries
    int64_t offset_entry_count
    uint8_t *time_entries
    int64_t time_entry_count


cdef void _scan_batches(void *argument) noexcept nogil:
    cdef Scan *scan = <Scan *>argument
    cdef pl_batch batch
    cdef pl_batch_status status
    cdef int64_t size, last_offset
    while scan.position < scan.size:
        status = pl_check_batch(scan.start + scan.position, scan.size - scan.position, &batch)
        if status != PL_BATCH_OK:
            scan.status = status
            return
        if (batch.base_offset < scan.expected_offset
                or (batch.base_offset > scan.expected_offset and not scan.allows_gaps)):
            scan.status = 100
            return
        if batch.leader_epoch < scan.last_epoch:
            scan.status = 101
            return
        scan.last_epoch = batch.leader_epoch
        size = <int64_t>batch.batch_length + PL_BATCH_PREFIX_SIZE
        last_offset = batch.base_offset + batch.last_offset_delta
        if scan.position == 0:
            scan.first_timestamp_ms = batch.max_timestamp_ms
        # The time of a batch that compaction emptied is nobody's: Kafka's tools say so of an entry.
        if batch.record_count > 0 and batch.max_timestamp_ms > scan.max_timestamp_ms:
            scan.max_timestamp_ms = batch.max_timestamp_ms
            scan.max_timestamp_offset = last_offset
        if scan.unindexed_bytes > scan.index_interval_bytes:
            pl_put_offset_entry(scan.offset_entries
                                + scan.offset_entry_count * PL_OFFSET_ENTRY_SIZE,
                                <uint32_t>(last_offset - scan.base_offset),
                                <uint32_t>scan.position)
            scan.offset_entry_count += 1
            if scan.max_timestamp_ms > scan.time_index_last_ms:
                pl_put_time_entry(scan.time_entries + scan.time_entry_count * PL_TIME_ENTRY_SIZE,
                                  scan.max_timestamp_ms,
                                  <uint32_t>(scan.max_timestamp_offset - scan.base_offset))
                scan.time_entry_count += 1
                scan.time_index_last_ms = scan.max_timestamp_ms
            scan.unindexed_bytes = 0
        scan.unindexed_bytes += size
        scan.position += size
        scan.expected_offset = last_offset + 1
        scan.batch_count += 1
        scan.record_count += batch.record_count
        scan.producer_batch_count += batch.producer_id >= 0


def scan_segment(path, int64_t base_offset, commit, bint allows_gaps=False):
    """Check the batches of a .log from `commit["end_position"]` to the end of the file.

    Args:
        path: of the .log file.
        base_offset: of the segment.
        commit: dict of shared.COMMIT_FIELDS that says where to begin and what was seen before, and
            `index_interval_bytes`, `last_epoch`.
        allows_gaps: compacted logs miss offsets.

    Returns:
        dict: the same fields at the end of the last good batch, and `file_size`, `reason` (None
        when the file ends there), `batch_count`, `record_count`, `offset_entries` and
        `time_entries` (bytes to append to the indexes).
    """
    cdef Scan scan
    cdef int64_t most
    cdef SegmentMap segment = SegmentMap(path, base_offset, 0)
    scan.start = segment.start
    scan.size = segment.file_size()
    scan.base_offset = base_offset
    scan.position = commit["end_position"]
    scan.expected_offset = commit["log_end_offset"]
    scan.max_timestamp_ms = commit["max_timestamp_ms"]
    scan.max_timestamp_offset = commit["max_timestamp_offset"]
    scan.time_index_last_ms = commit["time_index_last_ms"]
    scan.first_timestamp_ms = commit["first_timestamp_ms"]
    scan.unindexed_bytes = commit["unindexed_bytes"]
    scan.index_interval_bytes = commit["index_interval_bytes"]
    scan.last_epoch = commit["last_epoch"]
    scan.producer_batch_count = commit["producer_batch_count"]
    scan.batch_count = scan.record_count = 0
    scan.allows_gaps = allows_gaps
    scan.status = 0
    scan.offset_entry_count = scan.time_entry_count = 0
    # An entry stands for at least one batch and more than index_interval_bytes.
    most = max(scan.size - scan.position, 0) // max(scan.index_interval_bytes,
                                                    PL_BATCH_HEADER_SIZE) + 2
    scan.offset_entries = <uint8_t *>malloc(most * PL_OFFSET_ENTRY_SIZE)
    scan.time_entries = <uint8_t *>malloc(most * PL_TIME_ENTRY_SIZE)
    try:
        if scan.offset_entries == NULL or scan.time_entries == NULL:
            raise MemoryError("no memory for index entries")
        segment.call(_scan_batches, &scan)
        result = dict(commit)
        result.update(
            end_position=scan.position, log_end_offset=scan.expected_offset,
            max_timestamp_ms=scan.max_timestamp_ms,
            max_timestamp_offset=scan.max_timestamp_offset,
            time_index_last_ms=scan.time_index_last_ms,
            first_timestamp_ms=scan.first_timestamp_ms, unindexed_bytes=scan.unindexed_bytes,
            producer_batch_count=scan.producer_batch_count,
            last_epoch=scan.last_epoch, file_size=scan.size,
            reason=_reason(scan.status), batch_count=scan.batch_count,
            record_count=scan.record_count,
            offset_entries=PyBytes_FromStringAndSize(
                <char *>scan.offset_entries, scan.offset_entry_count * PL_OFFSET_ENTRY_SIZE),
            time_entries=PyBytes_FromStringAndSize(
                <char *>scan.time_entries, scan.time_entry_count * PL_TIME_ENTRY_SIZE),
        )
        return result
    finally:
        free(scan.offset_entries)
        free(scan.time_entries)


def _reason(status):
    if status == 0:
        return None
    if status == WRONG_OFFSET:
        return "the base offset is not the one expected"
    if status == WRONG_EPOCH:
        return "the leader epoch goes backwards"
    return STATUS_TEXT[status]


cdef struct Search:
    const uint8_t *start
    int64_t position
    int64_t size
    int64_t least_offset
    int64_t found                 # position of the batch, -1 none


cdef void _search_batch(void *argument) noexcept nogil:
    cdef Search *search = <Search *>argument
    cdef pl_batch batch
    cdef int64_t at
    for at in range(search.position, search.size - PL_BATCH_HEADER_SIZE + 1):
        if search.start[at + PL_MAGIC_AT] != 2:
            continue
        if pl_check_batch_header(search.start + at, search.size - at, &batch) != PL_BATCH_OK:
            continue
        if batch.base_offset < search.least_offset:
            continue
        if pl_check_batch(search.start + at, search.size - at, &batch) == PL_BATCH_OK:
            search.found = at
            return


cdef struct Unwritten:
    const uint8_t *start
    int64_t position              # of the bad batch
    int64_t end                   # of the valid batch after it, or of the file
    int64_t size                  # of the file
    int64_t expected_offset
    bint is_found


cdef bint _is_zero(const uint8_t *start, int64_t begin, int64_t end) noexcept nogil:
    cdef int64_t at
    for at in range(begin, end):
        if start[at] != 0:
            return False
    return True


cdef void _find_unwritten(void *argument) noexcept nogil:
    """A sector that the disk never wrote reads as zeros from where the durable bytes ended."""
    cdef Unwritten *unwritten = <Unwritten *>argument
    cdef int64_t begin = unwritten.position, end
    cdef int64_t head = (begin + SECTOR_BYTES) // SECTOR_BYTES * SECTOR_BYTES - begin
    cdef uint8_t first[12]
    # The first sector may hold so little of the batch that zeros are what it should hold: the top
    # of its offset, and of its length if it is the only one lost.
    pl_store_u64(first, <uint64_t>unwritten.expected_offset)
    pl_store_u32(first + 8, <uint32_t>(unwritten.end - begin - PL_BATCH_PREFIX_SIZE))
    if head < SECTOR_BYTES:
        head = min(head, unwritten.size - begin)
        if (_is_zero(unwritten.start, begin, begin + head)
                and (head >= 12 or not _is_zero(first, 0, head))):
            unwritten.is_found = True
            return
        begin += head
    while begin < unwritten.end:
        # To the sector's end, though a valid batch may begin in it, with the zeros of its offset.
        end = min(begin + SECTOR_BYTES, unwritten.size)
        if _is_zero(unwritten.start, begin, end):
            unwritten.is_found = True
            return
        begin = end


def search_batch(path, int64_t position, int64_t least_offset):
    """Look byte by byte for a valid batch at or after `position`, where a bad one stands.

    Args:
        path: of the .log file.
        position: of the bad batch.
        least_offset: the offset that was expected there.

    Returns:
        (position of the valid batch or None, whether a sector of 512 bytes before it, or before
        the file's end, reads as one that was never written).
    """
    cdef Search search
    cdef Unwritten unwritten
    cdef SegmentMap segment = SegmentMap(path, 0, 0)
    search.start = unwritten.start = segment.start
    search.position = unwritten.position = position
    search.size = unwritten.size = segment.file_size()
    search.least_offset = unwritten.expected_offset = least_offset
    search.found = -1
    segment.call(_search_batch, &search)
    unwritten.end = search.found if search.found >= 0 else search.size
    unwritten.is_found = False
    segment.call(_find_unwritten, &unwritten)
    return (search.found if search.found >= 0 else None), bool(unwritten.is_found)
