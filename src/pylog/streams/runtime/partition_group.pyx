"""PartitionGroup: which record of a task is next.

It is the one with the lowest timestamp of those in front of their partitions. While a partition has
none, and more may come, a task waits, as `max.task.idle.ms` says:

    -1              never wait
    0 (default)     until what is in the topic has been read
    more            so long for records that are not written yet

Source: Kafka PartitionGroup.
"""

cimport cython
from libc.stdint cimport int64_t

from pylog.message cimport Message
from pylog.streams.record cimport Record
from pylog.streams.runtime.record_queue cimport RecordQueue
from pylog.streams.runtime.time_heap cimport TimeHeap

NEVER_IDLE_MS = -1


@cython.final
cdef class PartitionGroup:
    """The queues of a task's partitions.

    Args:
        queues: by (topic, partition).
        max_task_idle_ms: how long to wait for a partition without records.
        lag_of: (topic, partition) -> how many records there are behind those that were read; None
            if that is not known.
    """

    def __init__(self, dict queues not None, int64_t max_task_idle_ms, lag_of=None):
        self.queues = queues
        self.all_queues = tuple(queues.values())
        self.max_task_idle_ms = max_task_idle_ms
        self.lag_of = lag_of
        self.waiting = TimeHeap()
        self.stream_time = -1

    def add_queue(self, RecordQueue queue not None):
        """One more partition."""
        self.queues[queue.topic, queue.partition] = queue
        self.all_queues = tuple(self.queues.values())

    def remove_queue(self, str topic, int partition):
        """Give a partition up, and what waits of it."""
        queue = self.queues.pop((topic, partition))
        self.all_queues = tuple(self.queues.values())
        self.waiting.keep(lambda waiting: waiting is not queue)

    def add_messages(self, str topic, int partition, list messages not None):
        """Put messages behind those that wait in their partition.

        Raises:
            KeyError: the partition is not of this group.
        """
        self.add(self.queues[topic, partition], messages)

    def next_record(self):
        """Take the next record out.

        Returns:
            (its RecordQueue, Record or None for one that could not be decoded), or None.
        """
        cdef RecordQueue queue = self.choose()
        if queue is None:
            return None
        record = self.take(queue)
        self.settle(queue)
        return queue, record

    def is_ready(self, int64_t now_ms):
        """Whether to take a record now, or to wait for partitions that have none."""
        return self.ready(now_ms)

    def update_lags(self):
        """Ask anew how far behind the partitions are."""
        cdef RecordQueue queue
        if self.max_task_idle_ms == NEVER_IDLE_MS or self.lag_of is None:
            return
        for queue in self.all_queues:
            lag = self.lag_of(queue.topic, queue.partition)
            queue.fetched_lag = -1 if lag is None else lag

    def set_partition_time(self, str topic, int partition, int64_t time):
        """What was committed of a partition, ms."""
        (<RecordQueue>self.queues[topic, partition]).partition_time = time
        if time > self.stream_time:
            self.stream_time = time

    @property
    def buffered_count(self):
        """How many records wait, in all partitions."""
        return sum(len(queue) for queue in self.all_queues)

    def clear(self):
        """Forget what waits, and the time."""
        cdef RecordQueue queue
        for queue in self.all_queues:
            queue.clear()
            queue.fetched_lag = -1
        self.waiting = TimeHeap()
        self.stream_time = -1

    cdef int add(self, RecordQueue queue, list messages) except -1:
        cdef bint was_empty = not queue.has_head
        queue.add(messages)
        if was_empty and queue.has_head:
            self.waiting.offer(queue.head_time(), queue)
        return 0

    cdef int add_raw(self, RecordQueue queue, object key, object value, int64_t timestamp,
                     object headers, int64_t offset) except -1:
        """Put one record behind those that wait; without a message if none waits."""
        if queue.has_head:
            queue.messages.append(Message(queue.topic, queue.partition, offset, key, value, headers,
                                          timestamp=(1, timestamp)))
            return 0
        queue.read_head(key, value, timestamp, headers, offset)
        self.waiting.offer(queue.head_time(), queue)
        return 0

    cdef RecordQueue choose(self):
        """The queue whose turn it is, out of those that wait; None when all are empty."""
        if self.waiting.count == 0:
            return None
        return <RecordQueue>self.waiting.poll()

    cdef Record take(self, RecordQueue queue):
        """The first record of the queue that was chosen; None when it could not be decoded."""
        cdef Record record = queue.take()
        if record is not None and record.timestamp > self.stream_time:
            self.stream_time = record.timestamp
        return record

    cdef int settle(self, RecordQueue queue) except -1:
        """After take: the queue waits again for the turn of its next record."""
        if not queue.has_head:
            queue.update_head()
            if queue.has_head:
                self.waiting.offer(queue.head_time(), queue)
        return 0

    cdef bint ready(self, int64_t now_ms) except -1:
        cdef RecordQueue queue
        self.was_enforced = False
        if (self.max_task_idle_ms == NEVER_IDLE_MS
                or self.waiting.count == len(self.all_queues)):
            return True
        for queue in self.all_queues:
            if queue.has_head:
                queue.idle_deadline = -1
            elif queue.fetched_lag != 0:  # unknown, or what is there is yet to be read
                queue.idle_deadline = -1
                return False
            else:
                if queue.idle_deadline < 0:
                    queue.idle_deadline = now_ms + self.max_task_idle_ms
                if now_ms < queue.idle_deadline:
                    return False
                self.was_enforced = True
        if not self.was_enforced:
            return True
        return self.waiting.count > 0
