"""Accumulator: the producer's hot path, from produce() to an appended batch.

The caller's thread encodes each record into its partition's buffer, with the GIL as the buffer's
lock, and appends a full batch itself. A sender takes the queue's lock, swaps the buffer, and
releases the GIL for the CRC and the write, so other threads go on encoding into the spare buffer
while batches keep their order. What the disk refused stays at the head of the queue.
"""

import threading
from collections import deque

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE

from logcore._c cimport pl_clock_ns, pl_record_bound, pl_wall_clock_coarse_ms
from logcore.batch cimport BatchBuilder, encode_headers
from logcore.log cimport Log
from logcore.shared cimport fork_count
from pylog._c cimport pl_partition_for_key, pl_random_partition
from pylog.appender cimport as_bytes
from pylog.message cimport Message

from logcore.errors import DiskFullError, LockTimeoutError, LogClosedError, LogError
from pylog.errors import KafkaError, KafkaException, from_log_error

cdef int32_t PARTITION_UA = -1
cdef int64_t UNSENT_RETRY_NS = 100_000_000


def hash_partition(int kind, bytes key, int32_t partition_count):
    """Partition of a key by one of pylog.partitioner's kinds, -1 for any."""
    if key is None:
        return pl_partition_for_key(kind, NULL, 0, partition_count)
    return pl_partition_for_key(kind, <const uint8_t *>PyBytes_AS_STRING(key),
                                PyBytes_GET_SIZE(key), partition_count)


@cython.final
cdef class PartitionQueue:
    """Records on their way into one partition."""

    def __cinit__(self, str topic, int32_t partition, Log log, int codec, level):
        self.topic = topic
        self.partition = partition
        self.log = log
        self.filling = BatchBuilder(codec, level)
        self.spare = BatchBuilder(codec, level)
        self.lock = threading.Lock()

    def __len__(self):
        unsent = self.unsent.record_count if self.unsent is not None else 0
        return self.filling.record_count + unsent


@cython.final
cdef class TopicQueues:
    """The queues of one topic's partitions."""

    def __cinit__(self, str topic, list partitions):
        self.topic = topic
        self.partitions = partitions
        self.partition_count = len(partitions)
        self.sticky_partition = pl_random_partition(self.partition_count)


cdef class Accumulator:
    """Base of Producer. Subclasses give `_open_topic(topic)` -> list of (partition, Log)."""

    def __cinit__(self, *args, **kwargs):
        self.topics = {}
        self.unacknowledged = deque()
        self.delivered = deque()
        self.fork_count = fork_count()
        self._producer_id = self._producer_epoch = -1

    def _configure(self, *, acks, batch_size, batch_num_messages, message_max_bytes, linger_ms,
                   max_buffered, message_timeout_ms, partitioner_kind, codec, level,
                   default_callback, custom_partitioner, wake_helper):
        self.acks = acks
        self.batch_size = min(batch_size, message_max_bytes)
        self.batch_num_messages = batch_num_messages
        self.message_max_bytes = message_max_bytes
        self.linger_ns = <int64_t>(linger_ms * 1_000_000)
        self.max_buffered = max_buffered
        self.message_timeout_ns = (message_timeout_ms or (1 << 40)) * <int64_t>1_000_000
        self.partitioner_kind = partitioner_kind
        self.codec = codec
        self.level = level
        self.default_callback = default_callback
        self.custom_partitioner = custom_partitioner
        self.wake_helper = wake_helper

    def __len__(self):
        return self.outstanding

    def __bool__(self):
        return True

    # ---- produce ----

    def produce(self, topic, value=None, key=None, int32_t partition=-1, callback=None,
                on_delivery=None, int64_t timestamp=0, headers=None):
        """Queue a message for a topic; a full batch is appended before this returns.

        Args:
            topic: name.
            value: bytes-like, str or None (a tombstone).
            key: bytes-like, str or None.
            partition: number, -1 to choose by the partitioner.
            callback: another name for on_delivery.
            on_delivery: called as on_delivery(error, message) in poll() or flush(), once the
                message is as safe as `acks` asks.
            timestamp: create time in ms since 1970, 0 for now (to the kernel's tick, 1 to 4 ms).
            headers: dict or list of (str, bytes | str | None).

        Raises:
            BufferError: queue.buffering.max.messages are waiting: call poll() and try again.
            KafkaException: unknown topic or partition, message too large, a failed write.
            TypeError: key, value or a header has a type that is not taken.
        """
        cdef TopicQueues queues
        cdef PartitionQueue queue
        cdef BatchBuilder builder
        cdef const uint8_t *key_data = NULL
        cdef const uint8_t *value_data = NULL
        cdef Py_ssize_t key_size = -1, value_size = -1
        cdef size_t bound
        if on_delivery is None:
            on_delivery = callback if callback is not None else self.default_callback
        if headers or on_delivery is not None or self.custom_partitioner is not None:
            self.put_slowly(topic, value, key, partition, on_delivery, timestamp, headers)
            return
        if PyBytes_CheckExact(value):
            value_data = <const uint8_t *>PyBytes_AS_STRING(value)
            value_size = PyBytes_GET_SIZE(value)
        elif value is not None:
            self.put_slowly(topic, value, key, partition, None, timestamp, None)
            return
        if PyBytes_CheckExact(key):
            key_data = <const uint8_t *>PyBytes_AS_STRING(key)
            key_size = PyBytes_GET_SIZE(key)
        elif key is not None:
            self.put_slowly(topic, value, key, partition, None, timestamp, None)
            return
        if topic is self.last_topic and self.fork_count == fork_count():
            queues = self.last_queues
        else:
            queues = self.find_topic(topic)
        if partition == -1:
            partition = 0 if queues.partition_count == 1 else self.choose_partition(
                queues, key_data, key_size)
        elif partition < 0 or partition >= queues.partition_count:
            raise _unknown_partition(queues, partition)
        queue = <PartitionQueue>queues.partitions[partition]
        if self.buffered >= self.max_buffered or self.failure is not None or self.is_gated:
            self.check_limits()
        bound = pl_record_bound(key_size, value_size, 0)
        builder = queue.filling
        while (<int64_t>(builder.size + bound) > self.batch_size
                or builder.record_count >= self.batch_num_messages):
            if self.make_room(queue, bound):
                builder = queue.filling
                break
            builder = queue.filling   # other threads filled it meanwhile
        builder.put(timestamp if timestamp > 0 else pl_wall_clock_coarse_ms(), key_data,
                    <int32_t>key_size, value_data, <int32_t>value_size)
        self.outstanding += 1
        self.buffered += 1
        if builder.record_count == 1 or self.linger_ns == 0:
            self.after_put(queue)

    cdef int check_limits(self) except -1:
        """Raise what a helper could not, and push back on a full queue."""
        if self.failure is not None:
            self._raise_failure()
        if self.is_gated:
            raise KafkaException(KafkaError(
                KafkaError._STATE,
                "a transactional producer produces between begin_transaction() and "
                "commit_transaction() or abort_transaction()"))
        if self.buffered >= self.max_buffered:
            raise BufferError("Local: Queue full")
        return 0

    cdef TopicQueues find_topic(self, object topic):
        if self.fork_count != fork_count():
            self._after_fork()
        if self.is_over:
            raise RuntimeError("Producer has been closed")
        if type(topic) is not str:
            raise TypeError(f"topic must be a str, not {type(topic).__name__}")
        cdef TopicQueues queues = self.topics.get(topic)
        if queues is None:
            queues = TopicQueues(topic, [
                PartitionQueue(topic, number, log, self.codec, self.level)
                for number, log in self._open_topic(topic)
            ])
            # Opening let other threads run: whoever was first has the topic.
            queues = self.topics.setdefault(topic, queues)
        self.last_topic = topic
        self.last_queues = queues
        return queues

    def _reopen(self, PartitionQueue wanted):
        """The topic was deleted. True when it is there anew, with the partition."""
        cdef PartitionQueue queue
        cdef TopicQueues queues = self.topics.get(wanted.topic)
        cdef Log old = wanted.log
        try:
            logs = dict(self._open_topic(wanted.topic))
        except KafkaException:
            return False
        for queue in queues.partitions if queues is not None else (wanted,):
            if queue.partition in logs:
                queue.log = logs[queue.partition]
        return wanted.log is not old

    def _topic_sizes(self):
        """{topic: partition count} of the topics in use."""
        cdef TopicQueues queues
        return {queues.topic: queues.partition_count for queues in self.topics.values()}

    def _grow_topic(self, topic):
        """Take in partitions that were added to a topic."""
        cdef TopicQueues queues = self.topics.get(topic)
        if queues is not None:
            for number, log in self._open_topic(topic)[queues.partition_count:]:
                queues.partitions.append(
                    PartitionQueue(topic, number, log, self.codec, self.level))
            queues.partition_count = len(queues.partitions)

    def _after_fork(self):
        """What the parent had queued is the parent's to send."""
        self.fork_count = fork_count()
        self.topics.clear()
        self.last_topic = None
        self.last_queues = None
        self.unacknowledged.clear()
        self.delivered.clear()
        self.outstanding = self.buffered = 0
        self.failure = None
        self.is_armed = False
        # The id is the parent's to write with.
        self._producer_id = self._producer_epoch = -1
        self.is_transaction_open = False
        self.is_gated = self.is_transactional

    cdef int32_t choose_partition(self, TopicQueues queues, const uint8_t *key,
                                  Py_ssize_t key_size) except -1:
        cdef int32_t partition = pl_partition_for_key(self.partitioner_kind, key, key_size,
                                                      queues.partition_count)
        return partition if partition >= 0 else queues.sticky_partition

    cdef int put_slowly(self, object topic, object value, object key, int32_t partition,
                        object callback, int64_t timestamp_ms, object headers) except -1:
        """produce() for what the fast path leaves out: str, buffers, headers, callbacks."""
        cdef int32_t header_count = 0
        cdef bytes encoded = encode_headers(headers, &header_count) if headers else b""
        cdef bytes key_bytes = as_bytes(key, "key")
        cdef bytes value_bytes = as_bytes(value, "value")
        cdef Py_ssize_t key_size = -1, value_size = -1
        cdef const uint8_t *key_data = NULL
        cdef const uint8_t *value_data = NULL
        cdef TopicQueues queues = self.find_topic(topic)
        cdef PartitionQueue queue
        cdef BatchBuilder builder
        cdef int32_t count
        cdef tuple report
        cdef size_t bound
        if key_bytes is not None:
            key_data = <const uint8_t *>PyBytes_AS_STRING(key_bytes)
            key_size = PyBytes_GET_SIZE(key_bytes)
        if value_bytes is not None:
            value_data = <const uint8_t *>PyBytes_AS_STRING(value_bytes)
            value_size = PyBytes_GET_SIZE(value_bytes)
        if partition == PARTITION_UA:
            if self.custom_partitioner is not None:
                partition = self.custom_partitioner(key_bytes, queues.partition_count)
            else:
                partition = self.choose_partition(queues, key_data, key_size)
        if partition < 0 or partition >= queues.partition_count:
            raise _unknown_partition(queues, partition)
        queue = <PartitionQueue>queues.partitions[partition]
        self.check_limits()
        bound = pl_record_bound(key_size, value_size, len(encoded))
        if timestamp_ms <= 0:
            timestamp_ms = pl_wall_clock_coarse_ms()
        while True:
            while (<int64_t>(queue.filling.size + bound) > self.batch_size
                    or queue.filling.record_count >= self.batch_num_messages):
                if self.make_room(queue, bound):
                    break
            if callback is None:
                break
            # A new object may have the collector of garbage run, and with it other threads, which
            # may send the batch or fill it: then the report is made again.
            builder = queue.filling
            count = builder.record_count
            report = (count, callback, key_bytes, value_bytes, timestamp_ms, headers,
                      pl_clock_ns())
            if queue.reports is None:
                queue.reports = []
            if (queue.filling is builder and builder.record_count == count
                    and queue.reports is not None):
                queue.reports.append(report)
                break
        queue.filling.put_with_headers(timestamp_ms, key_data, <int32_t>key_size, value_data,
                                       <int32_t>value_size, encoded, header_count)
        self.outstanding += 1
        self.buffered += 1
        if queue.filling.record_count == 1 or self.linger_ns == 0:
            self.after_put(queue)
        return 0

    cdef int make_room(self, PartitionQueue queue, size_t bound) except -1:
        """Send the full batch, and refuse a record that no batch could hold.

        Returns 1 when the batch is empty: the record goes in, even one larger than batch.size.
        """
        if <int64_t>bound > self.message_max_bytes + 128:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE,
                                            f"a message of up to {bound} bytes is over "
                                            f"message.max.bytes={self.message_max_bytes}"))
        if queue.filling.record_count:
            self.send(queue)
            if queue.unsent is not None:
                raise BufferError("Local: Queue full (the disk takes no more for now)")
        return queue.filling.record_count == 0

    cdef int after_put(self, PartitionQueue queue) except -1:
        """A batch was begun: send it now, or have the linger clock watched."""
        if self.linger_ns == 0:
            return self.send(queue)
        queue.started_ns = pl_clock_ns()
        if not self.is_armed:
            self.is_armed = True
            self.wake_helper()
        return 0

    # ---- producer id, transactions ----

    def _set_producer(self, int64_t producer_id, int16_t producer_epoch, bint is_transactional):
        """Write as this producer from now on; with a new id or epoch sequences begin at 0.

        Only while nothing is queued. `_add_partition(topic, partition)` of the subclass is called
        before a transaction's first batch goes to a partition.
        """
        cdef PartitionQueue queue
        cdef TopicQueues queues
        if producer_id != self._producer_id or producer_epoch != self._producer_epoch:
            for queues in self.topics.values():
                for queue in queues.partitions:
                    queue.next_sequence = 0
        self._producer_id = producer_id
        self._producer_epoch = producer_epoch
        self.is_transactional = is_transactional
        self.is_gated = is_transactional and not self.is_transaction_open

    def _open_transaction(self):
        """What is produced from now on belongs to one transaction."""
        cdef PartitionQueue queue
        cdef TopicQueues queues
        for queues in self.topics.values():
            for queue in queues.partitions:
                queue.is_in_transaction = False
        self.is_transaction_open = True
        self.is_gated = False

    def _close_transaction(self):
        """produce() is refused until the next one is opened."""
        self.is_transaction_open = False
        self.is_gated = self.is_transactional

    def _add_partition(self, topic, partition):
        """For a subclass: the transaction reaches a partition. KafkaException fails the batch."""

    # ---- send ----

    cdef int send(self, PartitionQueue queue) except -1:
        """Append what is queued. A batch that the disk refuses for now stays queued."""
        cdef BatchBuilder builder
        cdef list reports
        with queue.lock:
            if queue.unsent is not None and not self._send_unsent(queue):
                return 0
            if queue.filling.record_count == 0:
                return 0
            refusal = None
            if self.is_transactional and not queue.is_in_transaction:
                try:   # before the batch is taken: a Ctrl-C in here leaves it queued
                    self._add_partition(queue.topic, queue.partition)
                    queue.is_in_transaction = True
                except Exception as error:
                    refusal = error
            builder = queue.filling
            if queue.spare is None:
                queue.spare = BatchBuilder(self.codec, self.level)
            queue.filling = queue.spare
            queue.spare = None
            reports = queue.reports
            queue.reports = None
            self._choose_sticky(queue)
            try:
                if refusal is not None:
                    raise refusal
                if self._producer_id >= 0:
                    # Whose it is, and the sequence of its first record.
                    builder.set_producer(self._producer_id, self._producer_epoch,
                                         queue.next_sequence, self.is_transactional)
                builder.seal(0)
            except Exception as error:   # no memory to compress into, say
                if not isinstance(error, KafkaException):
                    error = KafkaException(
                        KafkaError(KafkaError._FAIL, f"cannot build the batch: {error}"))
                self._fail(queue, builder.record_count, reports, error)
                builder.reset()
                queue.spare = builder
                return 0
            queue.unsent = builder
            queue.unsent_reports = reports
            queue.unsent_since_ns = pl_clock_ns()
            self._send_unsent(queue)
        return 0

    def _choose_sticky(self, PartitionQueue queue):
        """Records without a key go elsewhere after each batch."""
        cdef TopicQueues queues = self.topics.get(queue.topic)
        if queues is not None and queues.partition_count > 1 and (
                queues.sticky_partition == queue.partition):
            queues.sticky_partition = pl_random_partition(queues.partition_count)

    def _send_unsent(self, PartitionQueue queue):
        """Append the sealed batch at the queue's head: True when it is out of the way."""
        cdef BatchBuilder builder = queue.unsent
        cdef int64_t base_offset
        cdef int32_t count = builder.record_count
        cdef list reports = queue.unsent_reports
        try:
            try:
                queue.log.check_keys(builder.lacks_key)
                base_offset = queue.log.append_raw(builder.buffer, builder.size, -1)
            except LogClosedError:
                if not self._reopen(queue):
                    raise
                base_offset = queue.log.append_raw(builder.buffer, builder.size, -1)
        except LogError as error:
            is_temporary = isinstance(error, (DiskFullError, LockTimeoutError))
            if is_temporary and pl_clock_ns() - queue.unsent_since_ns < self.message_timeout_ns:
                self._note_trouble(error)
                self.is_armed = True
                self.wake_helper()
                return False
            self._fail(queue, count, reports, from_log_error(error))
            base_offset = -1
        queue.unsent = None
        queue.unsent_reports = None
        builder.reset()
        queue.spare = builder
        if base_offset < 0:
            return True
        # Only now: a batch that was never written leaves its sequences to the next one.
        queue.next_sequence = <int32_t>((<int64_t>queue.next_sequence + count) & 0x7fffffff)
        self.buffered -= count if reports is None else count - len(reports)
        if self.acks == -1:
            self.unacknowledged.append((queue, base_offset + count, base_offset, count, reports))
            self.wake_helper()
        else:
            self._complete(queue, base_offset, count, reports)
        return True

    def _note_trouble(self, error):
        """For a subclass: a batch waits for the disk."""

    def _complete(self, PartitionQueue queue, int64_t base_offset, int64_t count, list reports):
        """`count` records from `base_offset` on are as safe as acks asks."""
        if reports is not None:
            now_ns = pl_clock_ns()
            for delta, callback, key, value, timestamp_ms, headers, begun_ns in reports:
                self.delivered.append((callback, None, Message(
                    queue.topic, queue.partition, base_offset + delta, key, value, headers,
                    None, (1, timestamp_ms), (now_ns - begun_ns) / 1e9)))
            count -= len(reports)
        self.outstanding -= count

    def _fail(self, PartitionQueue queue, int64_t count, list reports, exception,
              bint is_appended=False):
        """`count` records will not be written; or they are, and not known to be durable."""
        error = exception.args[0]
        reported = 0 if reports is None else len(reports)
        if not is_appended:
            self.buffered -= count - reported
        for _, callback, key, value, timestamp_ms, headers, _ in reports or ():
            self.delivered.append((callback, error, Message(
                queue.topic, queue.partition, -1001, key, value, headers, error,
                (1, timestamp_ms))))
        self.outstanding -= count - reported
        if count > reported:
            self.failure = KafkaException(KafkaError(
                error.code(), f"{count - reported} messages for {queue.topic} "
                f"[{queue.partition}] were not written: {error.str()}"))

    def _flush_unacknowledged(self):
        """Make what was appended durable, and complete it: one fdatasync a log."""
        cdef PartitionQueue queue
        ends = {}
        for queue, end_offset, _, _, _ in tuple(self.unacknowledged):
            ends[queue] = max(end_offset, ends.get(queue, 0))
        failed = {}
        for queue, end_offset in ends.items():
            try:
                queue.log.flush_to(end_offset)
            except LogError as error:
                failed[queue] = from_log_error(error)
        for _ in range(len(self.unacknowledged)):
            try:
                entry = self.unacknowledged.popleft()
            except IndexError:
                break   # another thread completed it
            queue, end_offset, base_offset, count, reports = entry
            if queue in failed:
                self._fail(queue, count, reports, failed[queue], True)
            elif end_offset <= ends.get(queue, -1):
                self._complete(queue, base_offset, count, reports)
            else:
                self.unacknowledged.append(entry)

    def _send_due(self):
        """Send the batches whose linger time is over.

        Returns:
            Seconds until the next one is due, None when no batch waits.
        """
        cdef PartitionQueue queue
        cdef TopicQueues queues
        cdef int64_t now_ns = pl_clock_ns(), next_ns = -1, due_ns
        for queues in tuple(self.topics.values()):
            for queue in tuple(queues.partitions):
                if queue.unsent is not None:
                    self.send(queue)
                    if queue.unsent is not None:
                        due_ns = now_ns + UNSENT_RETRY_NS
                        next_ns = due_ns if next_ns < 0 else min(next_ns, due_ns)
                        continue
                if queue.filling.record_count == 0:
                    continue
                due_ns = queue.started_ns + self.linger_ns
                if due_ns <= now_ns:
                    self.send(queue)
                elif next_ns < 0 or due_ns < next_ns:
                    next_ns = due_ns
        if next_ns >= 0:
            self.is_quiet = False
            return (next_ns - now_ns) / 1e9
        if self.is_quiet or self.linger_ns == 0:
            self.is_armed = self.is_quiet = False
            return None
        # Look once more before sleeping for good: a program that flushes by itself, a transaction
        # after the other, need not wake its helper for each.
        self.is_quiet = True
        return self.linger_ns / 1e9

    def _send_all(self):
        """Send everything that is queued, whatever its age."""
        cdef TopicQueues queues
        for queues in tuple(self.topics.values()):
            for queue in tuple(queues.partitions):
                self.send(queue)

    def _purge_queues(self):
        """Drop what is queued and not appended; delivery reports say so. Returns how many."""
        cdef PartitionQueue queue
        cdef TopicQueues queues
        purged = 0
        exception = KafkaException(KafkaError(KafkaError._PURGE_QUEUE))
        for queues in tuple(self.topics.values()):
            for queue in tuple(queues.partitions):
                with queue.lock:
                    for builder, reports in ((queue.unsent, queue.unsent_reports),
                                             (queue.filling, queue.reports)):
                        if builder is None or (<BatchBuilder>builder).record_count == 0:
                            continue
                        count = (<BatchBuilder>builder).record_count
                        self._fail(queue, count, reports, exception)
                        purged += count
                        (<BatchBuilder>builder).reset()
                    queue.unsent = None
                    queue.unsent_reports = queue.reports = None
        self.failure = None   # asked for
        return purged

    def _has_unacknowledged(self):
        """True when appended messages wait for the disk (acks=all)."""
        return bool(self.unacknowledged)

    def _has_delivered(self):
        """True when callbacks wait to be called."""
        return bool(self.delivered)

    def _has_unsent(self):
        """True when the disk refused a batch that is still queued."""
        cdef PartitionQueue queue
        cdef TopicQueues queues
        for queues in self.topics.values():
            for queue in queues.partitions:
                if queue.unsent is not None:
                    return True
        return False

    def _set_failure(self, exception):
        self.failure = exception

    def _raise_failure(self):
        """Raise what went wrong behind the caller's back, once."""
        if self.failure is not None:
            failure = self.failure
            self.failure = None
            raise failure

    def _close_queues(self):
        self.is_over = True
        self.topics.clear()
        self.last_topic = None
        self.last_queues = None

    def _serve_callbacks(self):
        """Call the delivery callbacks that are due. Returns how many."""
        served = 0
        while self.delivered:
            try:
                callback, error, message = self.delivered.popleft()
            except IndexError:
                break
            self.outstanding -= 1
            self.buffered -= 1
            served += 1
            callback(error, message)
        return served


def _unknown_partition(TopicQueues queues, partition):
    return KafkaException(KafkaError(
        KafkaError._UNKNOWN_PARTITION,
        f"topic {queues.topic} has partitions 0 to {queues.partition_count - 1}, not {partition}"))
