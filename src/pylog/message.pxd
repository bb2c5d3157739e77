from libc.stdint cimport int32_t, int64_t


cdef class Message:
    cdef object _topic
    cdef object _key
    cdef object _value
    cdef object _headers
    cdef object _error
    cdef double _latency_s           # -1 unknown
    cdef int64_t _offset
    cdef int64_t _timestamp_ms
    cdef int32_t _partition
    cdef int32_t _leader_epoch       # -1 unknown
    cdef int _timestamp_type
    cdef object _peer                # confluent_kafka's message behind this one, or None
