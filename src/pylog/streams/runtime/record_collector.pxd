from libc.stdint cimport int64_t

from pylog.streams.collector cimport RecordCollector


cdef class Outlet:
    cdef readonly object produce         # Producer.produce
    cdef object poll                     # Producer.poll
    cdef object begin                    # () -> None: begins a transaction
    cdef public bint needs_begin         # no transaction is open, and records need one
    cdef public object failure           # why a record could not be written, or None
    cdef readonly int64_t sent           # records handed to the producer so far

    cdef int attend(self) except -1


cdef class TaskCollector(RecordCollector):
    cdef Outlet outlet
    cdef object ask_partition_count      # topic -> how many partitions it has
    cdef object report_failure           # (collector, topic, key, value, headers, timestamp, error)
    cdef public object context           # TaskContext, for the error handlers
    cdef readonly object writers         # names of nodes that write to a topic, by topic
    cdef public object origin            # of a record that failed when others were taken, or None
    cdef bint reports_each               # deliveries are reported record by record
