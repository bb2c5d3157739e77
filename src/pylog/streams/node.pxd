from libc.stdint cimport int64_t

from pylog.streams.record cimport Record


cdef class TaskContext:
    cdef readonly object task_id         # runtime.task_id.TaskId
    cdef readonly str application_id
    cdef readonly object config          # StreamsConfig
    cdef readonly object metrics         # metrics.TaskMetrics: counts what is dropped, by reason
    cdef public object state_dir         # pathlib.Path of the task's state, None for none
    cdef readonly dict stores            # the task's own, by name
    cdef readonly dict global_stores     # by name; for reading
    cdef public object cache             # state.cache.ThreadCache, None for no caching
    cdef public object collector         # collector.RecordCollector
    cdef public object clock             # () -> ms since 1970: wall-clock time
    cdef public object error_handler     # (node, record or None, exception) -> None, or raises
    cdef public object scheduler         # the punctuations: schedule(node, interval, type, call)
    cdef public bint commit_is_requested
    # Numbers that processors keep across restarts, in the metadata of committed offsets.
    cdef readonly dict processor_metadata
    cdef public bint processor_metadata_is_new
    # The record that the task is at; topic is None in a punctuation.
    cdef public str topic
    cdef public int partition
    cdef public int64_t offset
    cdef public int64_t record_timestamp  # ms, as the extractor gave it
    cdef public object headers
    cdef public int64_t stream_time      # ms, the highest timestamp so far, -1 before the first

    cdef inline int64_t now_ms(self) except? -1:
        return self.clock()


cdef class Node:
    cdef readonly str name
    cdef readonly list children          # Node
    cdef readonly dict children_by_name
    cdef readonly tuple store_names
    cdef readonly TaskContext task
    cdef Node only_child                 # the child, when there is just one

    cdef int receive(self, Record record) except -1
    cdef int process(self, Record record) except -1
    cdef int forward(self, Record record) except -1


cdef class ProcessorContext:
    cdef readonly Node node
    cdef readonly TaskContext task
