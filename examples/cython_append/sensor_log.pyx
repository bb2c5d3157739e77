# cython: language_level=3
"""A Cython module that appends to a log with the GIL released.

A reader of some device would fill `readings`; here they are computed. Encoding, the checksum and
the write run without the GIL, so other Python threads go on meanwhile. The C functions come from
logcore's headers, which the wheel carries beside its .pxd files.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from logcore._c cimport (
    PL_BATCH_HEADER_SIZE, pl_crc32c_init, pl_put_record, pl_record_bound, pl_seal_batch,
    pl_store_u32, pl_wall_clock_ms,
)
from logcore.log cimport Log

pl_crc32c_init()   # each module that includes the header fills its own tables

MAX_RECORDS = 10_000


cdef size_t encode_readings(uint8_t *batch, uint32_t sensor, uint32_t first, int32_t count,
                            int64_t now_ms) noexcept nogil:
    """One batch of `count` readings: 4 bytes of sensor as key, 4 bytes of reading as value."""
    cdef uint8_t key[4]
    cdef uint8_t value[4]
    cdef uint8_t *end = batch + PL_BATCH_HEADER_SIZE
    cdef int32_t i
    pl_store_u32(key, sensor)
    for i in range(count):
        pl_store_u32(value, first + <uint32_t>i)
        end = pl_put_record(end, 0, i, key, 4, value, 4, NULL, 0, 0)
    pl_seal_batch(batch, end - batch, 0, count, now_ms, now_ms)
    return end - batch


def append_readings(Log log not None, uint32_t sensor, uint32_t first, int32_t count):
    """Append readings first .. first + count - 1 as one batch.

    Args:
        log: a partition's logcore.Log; `topic.log(partition)` gives it.
        sensor: the key.
        first: the first reading.
        count: how many, 1..10000.

    Returns:
        Offset of the first.
    """
    cdef size_t size
    cdef int64_t offset
    if not 1 <= count <= MAX_RECORDS:
        raise ValueError(f"count is 1..{MAX_RECORDS}, not {count}")
    cdef uint8_t *batch = <uint8_t *>malloc(PL_BATCH_HEADER_SIZE
                                            + count * pl_record_bound(4, 4, 0))
    if batch == NULL:
        raise MemoryError
    try:
        with nogil:
            size = encode_readings(batch, sensor, first, count, pl_wall_clock_ms())
        offset = log.append_raw(batch, size, -1)   # releases the GIL round the lock and the write
    finally:
        free(batch)
    return offset
