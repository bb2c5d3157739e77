from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from logcore._c cimport pl_batch, pl_batch_status


cdef class BatchBuilder:
    """Encodes records into one buffer, as a producer sends a batch."""

    cdef uint8_t *buffer
    cdef size_t capacity
    cdef size_t size                 # bytes in use, the header's 61 among them
    cdef readonly int32_t record_count
    cdef bint lacks_key              # of a record in it: no compacted topic takes it
    cdef int64_t base_timestamp_ms
    cdef int64_t max_timestamp_ms
    cdef readonly int codec
    cdef readonly object level
    cdef int64_t producer_id         # -1 none
    cdef int16_t producer_epoch
    cdef int32_t base_sequence
    cdef int16_t attributes          # beside the codec: transactional, control

    cdef int reserve(self, size_t extra) except -1
    cdef int put(self, int64_t timestamp_ms, const uint8_t *key, int32_t key_size,
                 const uint8_t *value, int32_t value_size) except -1
    cdef int put_with_headers(self, int64_t timestamp_ms, const uint8_t *key, int32_t key_size,
                              const uint8_t *value, int32_t value_size, bytes headers,
                              int32_t header_count) except -1
    cdef int seal(self, int16_t attributes) except -1
    cdef void reset(self) noexcept


cdef bytes encode_headers(object headers, int32_t *count)
cdef list decode_headers(const uint8_t *cursor, const uint8_t *end, int32_t count)
cdef bytes decompress_records(const uint8_t *start, const pl_batch *batch)
cdef object corrupt_batch(pl_batch_status status, object path, int64_t position, int64_t offset)
