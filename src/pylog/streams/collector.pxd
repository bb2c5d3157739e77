from libc.stdint cimport int64_t


cdef class RecordCollector:
    cdef int put(self, str topic, object key, object value, object headers, int64_t timestamp,
                 int partition) except -1
    cdef int count_partitions(self, str topic) except -1


cdef RecordCollector as_collector(object collector)
