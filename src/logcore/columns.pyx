"""Columnar reading: one call, numpy arrays of offsets, timestamps and places of keys and values.

Values are not touched: the arrays say where they lie in `Columns.buffer`, which is the segment's
mapping itself for uncompressed batches, and the decompressed records for compressed ones.
"""

import numpy

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from logcore._c cimport (
    PL_BATCH_BAD_COUNT, PL_BATCH_HEADER_SIZE, PL_BATCH_OK, PL_CODEC_MASK, PL_CONTROL_BIT,
    PL_TRANSACTIONAL_BIT, pl_batch, pl_batch_status, pl_check_batch, pl_crc32c_init, pl_get_record,
    pl_record, pl_record_timestamp,
)
from logcore.batch cimport corrupt_batch, decompress_records
from logcore.reader cimport LogReader
from logcore.segment cimport SegmentMap, run_guarded

from logcore.batch import MAX_DECOMPRESSED_BYTES
from logcore.errors import CorruptRecordError

pl_crc32c_init()

cdef int64_t MAX_RECORD_COUNT = MAX_DECOMPRESSED_BYTES // 7   # of a compressed batch


@cython.final
cdef class Columns:
    """Records as columns. All arrays have one entry a record, in offset order.

    Attributes:
        buffer: bytes-like that the positions are bytes of. Loading from it after another process
            shortened the file ends this process (docs/caveats.md); `take` copies under a guard.
        offsets: int64.
        timestamps_ms: int64, ms since 1970.
        key_positions, value_positions: int64, bytes in `buffer`.
        key_sizes, value_sizes: int32, bytes; -1 for null.
        next_offset: where to go on.
    """

    cdef readonly object buffer
    cdef readonly object offsets
    cdef readonly object timestamps_ms
    cdef readonly object key_positions
    cdef readonly object key_sizes
    cdef readonly object value_positions
    cdef readonly object value_sizes
    cdef readonly int64_t next_offset

    def __len__(self):
        return len(self.offsets)

    def key(self, row):
        """The key of a row as bytes, None for null."""
        return self.take(self.key_positions[row], self.key_sizes[row])

    def value(self, row):
        """The value of a row as bytes, None for null."""
        return self.take(self.value_positions[row], self.value_sizes[row])

    def take(self, int64_t position, int64_t size):
        """Copy `size` bytes at `position` out of the buffer, None for size -1."""
        if size < 0:
            return None
        if isinstance(self.buffer, SegmentMap):
            copied = bytes(size)
            (<SegmentMap>self.buffer).copy(PyBytes_AS_STRING(copied), position, size)
            return copied
        return self.buffer[position:position + size]

    def gather(self, positions, sizes):
        """Copy the bytes at many places together, under the guard.

        Args:
            positions: key_positions or value_positions.
            sizes: the sizes that go with them.

        Returns:
            (ends, data): int64 array with one entry more than rows, `data[ends[i]:ends[i + 1]]` is
            row i (empty for null), and the bytes.
        """
        cdef Gather gather
        cdef int64_t[::1] place = numpy.ascontiguousarray(positions, "i8")
        cdef int32_t[::1] length = numpy.ascontiguousarray(sizes, "i4")
        cdef Py_ssize_t count = place.shape[0]
        ends = numpy.zeros(count + 1, "i8")
        numpy.cumsum(numpy.maximum(sizes, 0), out=ends[1:])
        data = bytes(int(ends[count]))
        if count == 0:
            return ends, data
        cdef Py_buffer view
        gather.positions = &place[0]
        gather.sizes = &length[0]
        gather.count = count
        gather.target = <uint8_t *>PyBytes_AS_STRING(data)
        PyObject_GetBuffer(self.buffer, &view, PyBUF_SIMPLE)
        try:
            gather.source = <const uint8_t *>view.buf
            gather.source_size = view.len
            if run_guarded(_gather_bytes, &gather) != 0 or gather.is_outside:
                raise CorruptRecordError("bytes of the log cannot be read any more")
        finally:
            PyBuffer_Release(&view)
        return ends, data

    def to_arrow(self):
        """A pyarrow.Table of offset, timestamp (ms), key and value (binary).

        Raises:
            ModuleNotFoundError: install the extra `arrow`.
        """
        from logcore.arrow import table_from_columns
        return table_from_columns(self)


cdef struct Gather:
    const uint8_t *source
    int64_t source_size
    const int64_t *positions
    const int32_t *sizes
    int64_t count
    uint8_t *target
    bint is_outside


cdef void _gather_bytes(void *argument) noexcept nogil:
    cdef Gather *gather = <Gather *>argument
    cdef uint8_t *target = gather.target
    cdef int64_t i
    gather.is_outside = False
    for i in range(gather.count):
        if gather.sizes[i] <= 0:
            continue
        if (gather.positions[i] < 0
                or gather.positions[i] + gather.sizes[i] > gather.source_size):
            gather.is_outside = True
            return
        memcpy(target, gather.source + gather.positions[i], gather.sizes[i])
        target += gather.sizes[i]


cdef struct Walk:
    const uint8_t *start          # of the buffer that positions are bytes of
    const uint8_t *cursor         # first record
    const uint8_t *end
    pl_batch batch
    int64_t least_offset
    int64_t row
    int64_t *offsets
    int64_t *timestamps_ms
    int64_t *key_positions
    int32_t *key_sizes
    int64_t *value_positions
    int32_t *value_sizes
    bint is_malformed


cdef struct Check:
    const uint8_t *data
    int64_t size
    pl_batch batch
    int status


cdef void _check_batch(void *argument) noexcept nogil:
    cdef Check *check = <Check *>argument
    check.status = pl_check_batch(check.data, check.size, &check.batch)


cdef void _walk_records(void *argument) noexcept nogil:
    cdef Walk *walk = <Walk *>argument
    cdef pl_record record
    cdef int64_t offset, row = walk.row
    cdef int32_t _i
    cdef const uint8_t *cursor = walk.cursor
    for _i in range(walk.batch.record_count):
        cursor = pl_get_record(cursor, walk.end, &record)
        if (cursor == NULL
                or <uint32_t>record.offset_delta > <uint32_t>walk.batch.last_offset_delta):
            walk.is_malformed = True
            return
        offset = walk.batch.base_offset + record.offset_delta
        if offset < walk.least_offset:
            continue
        walk.offsets[row] = offset
        walk.timestamps_ms[row] = pl_record_timestamp(&walk.batch, &record)
        walk.key_positions[row] = record.key - walk.start
        walk.key_sizes[row] = record.key_size
        walk.value_positions[row] = record.value - walk.start
        walk.value_sizes[row] = record.value_size
        row += 1
    walk.is_malformed = cursor != walk.end
    walk.row = row


def read_columns(LogReader reader not None, int64_t max_records, int64_t max_bytes):
    """Columns of whole batches from the reader's place on, within one segment.

    At least one batch; further ones while both limits hold and they lie in the same buffer:
    uncompressed ones in the mapping, or compressed ones one after another. `max_bytes` bounds the
    unpacked records too, by one batch.
    """
    cdef pl_batch batch
    cdef list placed = []
    cdef int64_t record_count = 0, byte_count = 0, size
    cdef bint is_compressed = False
    cdef Columns columns = Columns()
    cdef bint has_data = reader.refresh()
    cdef SegmentMap segment = reader.segment
    while has_data and reader.position < reader.segment_end:
        size = reader.peek_batch(&batch)
        if record_count and (record_count + batch.record_count > max_records
                             or byte_count + size > max_bytes
                             or is_compressed != bool(batch.attributes & PL_CODEC_MASK)):
            break
        reader.check_place(&batch, reader.position)
        if reader.read_committed and not reader.is_stable(batch.base_offset):
            break
        if (batch.record_count == 0
                or batch.attributes & (PL_CODEC_MASK | PL_CONTROL_BIT | PL_TRANSACTIONAL_BIT)):
            # These fields decide what is passed over and how much is allocated: not before the CRC.
            _check_whole(reader, &batch, size)
        if (batch.record_count and not batch.attributes & PL_CONTROL_BIT
                and not (reader.read_committed and batch.attributes & PL_TRANSACTIONAL_BIT
                         and reader.is_aborted(&batch))):
            is_compressed = bool(batch.attributes & PL_CODEC_MASK)
            placed.append((reader.position, size, batch.record_count))
            record_count += batch.record_count
            byte_count += size
        reader.position += size
        reader.expected_offset = batch.base_offset + batch.last_offset_delta + 1
    return _fill_columns(columns, reader, segment, placed, record_count, max_bytes,
                         is_compressed)


cdef int _check_whole(LogReader reader, const pl_batch *batch, int64_t size) except -1:
    cdef Check check
    check.data = reader.segment.start + reader.position
    check.size = size
    reader.segment.call(_check_batch, &check)
    if check.status == PL_BATCH_OK and batch.record_count > MAX_RECORD_COUNT:
        check.status = PL_BATCH_BAD_COUNT
    if check.status != PL_BATCH_OK:
        raise corrupt_batch(<pl_batch_status>check.status, reader.segment.path, reader.position,
                            reader.expected_offset)
    return 0


cdef Columns _fill_columns(Columns columns, LogReader reader, SegmentMap segment, list placed,
                           int64_t record_count, int64_t max_bytes, bint is_compressed):
    cdef Walk walk
    cdef Check check
    cdef int64_t[::1] offsets, timestamps_ms, key_positions, value_positions
    cdef int32_t[::1] key_sizes, value_sizes
    cdef bytes copied
    cdef bytes records
    cdef int64_t position, size, claimed_count, next_offset, next_base = -1
    cdef list parts = []
    arrays = [numpy.empty(record_count, dtype) for dtype in
              ("i8", "i8", "i8", "i4", "i8", "i4")]
    offsets, timestamps_ms, key_positions = arrays[0], arrays[1], arrays[2]
    key_sizes, value_positions, value_sizes = arrays[3], arrays[4], arrays[5]
    walk.row = 0
    walk.is_malformed = False
    walk.least_offset = reader.next_offset
    if record_count:
        walk.offsets = &offsets[0]
        walk.timestamps_ms = &timestamps_ms[0]
        walk.key_positions = &key_positions[0]
        walk.key_sizes = &key_sizes[0]
        walk.value_positions = &value_positions[0]
        walk.value_sizes = &value_sizes[0]
    base = 0
    next_offset = reader.expected_offset
    for position, size, claimed_count in placed:
        if base >= max_bytes:
            next_offset = next_base   # what is unpacked already is as much as was asked for
            break
        if is_compressed:
            copied = bytes(size)
            segment.copy(PyBytes_AS_STRING(copied), position, size)
            check.data = <const uint8_t *>PyBytes_AS_STRING(copied)
            check.size = size
            with nogil:
                _check_batch(&check)
        else:
            check.data = segment.start + position
            check.size = size
            segment.call(_check_batch, &check)
        if check.status != PL_BATCH_OK or check.batch.record_count != claimed_count:
            raise corrupt_batch(<pl_batch_status>check.status, segment.path, position,
                                check.batch.base_offset)
        walk.batch = check.batch
        if is_compressed:
            records = decompress_records(check.data, &check.batch)
            walk.cursor = <const uint8_t *>PyBytes_AS_STRING(records)
            walk.end = walk.cursor + PyBytes_GET_SIZE(records)
            walk.start = walk.cursor - <int64_t>base
            base += PyBytes_GET_SIZE(records)
            parts.append(records)
            with nogil:
                _walk_records(&walk)
        else:
            walk.start = segment.start
            walk.cursor = segment.start + position + PL_BATCH_HEADER_SIZE
            walk.end = segment.start + position + size
            segment.call(_walk_records, &walk)
        if walk.is_malformed:
            raise CorruptRecordError("malformed records in a batch", path=segment.path,
                                     position=position, offset=check.batch.base_offset)
        next_base = check.batch.base_offset + check.batch.last_offset_delta + 1
    if walk.row < record_count:   # records below the wanted offset, in the first batch
        arrays = [array[:walk.row] for array in arrays]
    (columns.offsets, columns.timestamps_ms, columns.key_positions, columns.key_sizes,
     columns.value_positions, columns.value_sizes) = arrays
    columns.next_offset = max(reader.next_offset, next_offset)
    if is_compressed:
        columns.buffer = b"".join(parts)
    else:
        segment.show(reader.segment_end)
        columns.buffer = segment
    return columns
