from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t

from logcore.batch cimport BatchBuilder
from logcore.log cimport Log


cdef class PartitionQueue:
    cdef readonly str topic
    cdef readonly int32_t partition
    cdef readonly Log log
    cdef BatchBuilder filling        # what produce() encodes into, with the GIL held
    cdef BatchBuilder spare
    cdef list reports                # (delta, callback, key, value, timestamp_ms, headers, ns)
    cdef int64_t started_ns          # when the first record of `filling` came
    cdef object lock                 # one sender at a time, so batches keep their order
    cdef BatchBuilder unsent         # sealed, and refused by the disk: it goes first
    cdef list unsent_reports
    cdef int64_t unsent_since_ns
    cdef int32_t next_sequence       # of the producer id's next record in this partition
    cdef bint is_in_transaction      # the coordinator knows that the open one reaches here


cdef class TopicQueues:
    cdef readonly str topic
    cdef readonly list partitions    # PartitionQueue by number
    cdef int32_t partition_count
    cdef int32_t sticky_partition    # where records without a key go, until a batch is sent


cdef class Accumulator:
    cdef dict topics
    cdef str last_topic
    cdef TopicQueues last_queues
    cdef int acks           # 0, 1, -1 all
    cdef int64_t batch_size
    cdef int32_t batch_num_messages
    cdef int64_t message_max_bytes
    cdef int64_t linger_ns
    cdef int64_t max_buffered
    cdef int64_t message_timeout_ns
    cdef int partitioner_kind
    cdef int codec
    cdef object level
    cdef object default_callback
    cdef object custom_partitioner
    cdef int64_t outstanding   # accepted, and not yet as safe as acks asks or reported
    cdef int64_t buffered      # of those, what this process holds in memory
    cdef object unacknowledged       # deque of (queue, end_offset, base_offset, count, reports)
    cdef object delivered            # deque of (callback, error, Message)
    cdef object failure              # exception to raise at the next call, or None
    cdef bint is_armed               # the helper thread watches the linger clock
    cdef bint is_quiet               # it found nothing the last time it looked
    cdef object wake_helper          # callable
    cdef uint32_t fork_count
    cdef readonly int64_t _producer_id       # -1 none
    cdef readonly int16_t _producer_epoch
    cdef bint is_transactional
    cdef bint is_transaction_open
    cdef bint is_over                # closed: nothing is taken any more
    cdef bint is_gated               # produce() has more to check than its limits

    cdef TopicQueues find_topic(self, object topic)
    cdef int32_t choose_partition(self, TopicQueues queues, const uint8_t *key,
                                  Py_ssize_t key_size) except -1
    cdef int put_slowly(self, object topic, object value, object key, int32_t partition,
                        object callback, int64_t timestamp_ms, object headers) except -1
    cdef int after_put(self, PartitionQueue queue) except -1
    cdef int make_room(self, PartitionQueue queue, size_t bound) except -1
    cdef int check_limits(self) except -1
    cdef int send(self, PartitionQueue queue) except -1
