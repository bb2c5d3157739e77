from libc.stdint cimport int64_t

from pylog.message cimport Message
from pylog.streams.collector cimport RecordCollector
from pylog.streams.record cimport Record
from pylog.streams.runtime.record_queue cimport RecordQueue
from pylog.streams.runtime.task cimport StreamTask
from pylog.streams.serde cimport Serde


cdef class WrittenRecord:
    cdef object key                      # bytes or None
    cdef object value                    # bytes or None
    cdef object headers
    cdef int64_t timestamp


cdef class DrivenTopic:
    cdef readonly str name
    cdef readonly bint is_produced       # something was written to it
    cdef list written                    # WrittenRecord; those before `position` have been read
    cdef Py_ssize_t position
    cdef RecordQueue queue               # of the task's source, None if it reads no such topic
    cdef readonly bint is_global
    cdef int64_t next_offset             # of what goes in

    cdef WrittenRecord read(self)
    cdef Record decode(self, WrittenRecord written, Serde key_serde, Serde value_serde)


cdef class DrivenTask(RecordCollector):
    cdef readonly StreamTask task        # None for a topology of global stores only
    cdef readonly object global_task     # None without global stores
    cdef public int64_t now_ms
    cdef dict topics
    cdef DrivenTopic last_topic          # written to; often a changelog and the output by turns
    cdef DrivenTopic topic_before
    cdef list looping                    # DrivenTopic and WrittenRecord by turns
    cdef object find_queue
    cdef bint is_processing
    cdef bint never_waits                # no partition is waited for

    cdef DrivenTopic topic_of(self, str name)
    cdef int loop_back(self) except -1
    cdef int update_global(self, DrivenTopic topic, object key, object value, int64_t timestamp,
                           object headers) except -1
    cdef int pipe_message(self, DrivenTopic topic, object key, object value, int64_t timestamp,
                          object headers) except -1
    cdef int complete(self) except -1
    cdef int enqueue(self, DrivenTopic topic, object key, object value, int64_t timestamp,
                     object headers) except -1
