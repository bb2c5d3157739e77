"""Fetcher: the consumer's hot path, from a partition's bytes to Message objects.

Each assigned partition has a LogReader, which holds a checked private copy of the next batches; a
message is made from it without a system call. Partitions take turns a batch at a time. When all
are at their end the caller sleeps on the partition's futex, or on the folder's bell for several.
"""

from collections import deque

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint32_t
from posix.unistd cimport usleep

from logcore._c cimport (
    PL_LOG_APPEND_TIME_BIT, pl_bell_load, pl_clock_ns, pl_record, pl_record_timestamp,
)
from logcore.batch cimport decode_headers
from logcore.log cimport Log
from logcore.reader cimport LogReader
from logcore.shared cimport WakeWord
from pylog.message cimport Message

from logcore.errors import LogClosedError, LogError, OffsetOutOfRangeError, error_from_errno
from pylog.errors import KafkaError, KafkaException, from_log_error

cdef int64_t OFFSET_INVALID = -1001
cdef int64_t SLEEP_SLICE_NS = 50_000_000
cdef int64_t ERROR_BACKOFF_NS = 500_000_000
cdef int64_t NOT_YET_NS = 10_000_000
cdef int64_t SPIN_NS = 20_000


@cython.final
cdef class PartitionFetch:
    """One assigned partition: where its consumer stands."""

    def __cinit__(self, str topic, int32_t partition, Log log, int64_t start_offset):
        self.topic = topic
        self.partition = partition
        self.log = log
        self.start_offset = start_offset
        self.stored_offset = OFFSET_INVALID
        self.end_reported_at = -1

    @property
    def position(self):
        """Offset of the next message, None until one was handed out."""
        return self.reader.next_offset if self.has_begun and self.reader is not None else None

    def seek(self, int64_t start_offset):
        """Begin elsewhere: an offset, or a sentinel that the consumer resolves."""
        self.start_offset = start_offset
        self.reader = None
        self.has_begun = False
        self.retry_at_ns = 0
        self.end_reported_at = -1

    def reopen(self, Log log, int64_t start_offset):
        """The topic was deleted and made anew: read the new one."""
        self.log = log
        self.seek(start_offset)

    def begin(self, int64_t offset, *, bint read_committed=True):
        """Read from `offset` on.

        Args:
            offset: first wanted.
            read_committed: only what no transaction can take back.

        Raises:
            OffsetOutOfRangeError: the log does not reach there.
        """
        self.reader = LogReader(self.log, offset, read_committed=read_committed)

    cdef Message next_message(self):
        """The next message, None at the log end."""
        cdef pl_record raw
        cdef int64_t offset
        cdef LogReader reader = self.reader
        cdef Message message
        if not reader.next_record(&raw, &offset):
            return None
        message = Message.__new__(Message)
        message._topic = self.topic
        message._partition = self.partition
        message._offset = offset
        message._timestamp_ms = pl_record_timestamp(&reader.batch, &raw)
        message._timestamp_type = 2 if reader.batch.attributes & PL_LOG_APPEND_TIME_BIT else 1
        message._leader_epoch = reader.batch.leader_epoch
        if raw.key_size >= 0:
            message._key = PyBytes_FromStringAndSize(<const char *>raw.key, raw.key_size)
        if raw.value_size >= 0:
            message._value = PyBytes_FromStringAndSize(<const char *>raw.value, raw.value_size)
        if raw.header_count:
            message._headers = decode_headers(raw.headers, reader.record_cursor, raw.header_count)
        return message


cdef class Fetcher:
    """Base of Consumer. Subclasses give `_resolve(fetch)`, which calls `fetch.begin`."""

    def __cinit__(self, *args, **kwargs):
        self._fetches = []
        self._events = deque()

    def _configure_fetcher(self, *, reports_end, is_busy_polling, stores_offsets, wake_word,
                           raises_errors=False):
        self.reports_end = reports_end
        self.is_busy_polling = is_busy_polling
        self.stores_offsets = stores_offsets
        self.wake_word = wake_word
        self.raises_errors = raises_errors

    def _set_fetches(self, list fetches):
        self._fetches = fetches
        self.turn = -1
        self.current = None

    def _close_fetcher(self):
        self.is_closed = True
        self._fetches = []
        self.current = None

    def _before_wait(self):
        """For a subclass: work to do when there is nothing to read. True ends the wait."""
        return False

    def _attend(self):
        """For a subclass: `_needs_attention` was set, and the caller is in poll() or consume()."""
        self._needs_attention = False

    @property
    def _poll_count(self):
        """Rises while somebody is in poll() or consume(): how another thread sees that."""
        return self.poll_count

    # ---- take ----

    def poll(self, timeout=None):
        """The next message or event, None when the time is over.

        Args:
            timeout: seconds to wait, None or -1 for ever.

        Raises:
            RuntimeError: the consumer is closed.
        """
        cdef int64_t deadline_ns
        cdef uint32_t seen
        cdef Message message
        self.poll_count += 1
        message = self.take()
        if message is not None:
            return message
        deadline_ns = _deadline_ns(timeout)
        while True:
            self.poll_count += 1
            if self._before_wait():
                return None
            seen = self.glance()
            message = self.take()
            if message is not None or not self.wait(deadline_ns, seen):
                return message

    def consume(self, Py_ssize_t num_messages=1, timeout=-1):
        """Up to `num_messages` messages and events as a list; fewer when the time is over.

        Args:
            num_messages: at most so many, 1 to 1,000,000.
            timeout: seconds to wait for them all, -1 for ever.
        """
        cdef list messages = []
        cdef Message message
        cdef int64_t deadline_ns = 0
        cdef uint32_t seen
        if not 0 <= num_messages <= 1_000_000:
            raise ValueError("num_messages must be between 0 and 1000000 (1M)")
        self.poll_count += 1
        while len(messages) < num_messages:
            if self._needs_attention and messages:
                break   # first these are the caller's to work on: a rebalance may take them away
            message = self.take()
            if message is not None:
                messages.append(message)
                continue
            if deadline_ns == 0:
                deadline_ns = _deadline_ns(timeout)
            self.poll_count += 1
            if self._before_wait():
                break
            seen = self.glance()
            message = self.take()
            if message is not None:
                messages.append(message)
            elif not self.wait(deadline_ns, seen):
                break
        return messages

    cdef Message take(self):
        """A message that is there now, or None."""
        cdef PartitionFetch fetch
        cdef Message message
        cdef Py_ssize_t _i, count
        fetch = self.current
        if (fetch is not None and not self._needs_attention and not fetch.is_paused
                and fetch.reader is not None and fetch.reader.records_left > 0):
            return self.take_from(fetch)   # go on with the batch that is open
        if self.is_closed:
            raise RuntimeError("Consumer closed")
        if self._needs_attention:
            self._attend()
        if self._events:
            return self._events.popleft()
        count = len(self._fetches)
        for _i in range(count):
            self.turn = (self.turn + 1) % count
            fetch = <PartitionFetch>self._fetches[self.turn]
            if fetch.is_paused:
                continue
            if fetch.retry_at_ns and pl_clock_ns() < fetch.retry_at_ns:
                continue
            message = self.take_from(fetch)
            if message is not None:
                return message
        self.current = None
        return self._events.popleft() if self._events else None

    cdef Message take_from(self, PartitionFetch fetch):
        cdef Message message
        try:
            if fetch.reader is None:
                self._resolve(fetch)
                if fetch.reader is None:   # not yet
                    fetch.retry_at_ns = pl_clock_ns() + NOT_YET_NS
                    return None
            message = fetch.next_message()
        except OffsetOutOfRangeError as error:
            fetch.retry_at_ns = pl_clock_ns() + ERROR_BACKOFF_NS
            self.current = None
            if self._out_of_range(fetch, error):
                fetch.retry_at_ns = 0
            return None
        except (LogError, OSError, KafkaException) as error:
            if self.raises_errors:
                raise self._as_exception(fetch, error) from error
            fetch.retry_at_ns = pl_clock_ns() + ERROR_BACKOFF_NS
            self.current = None
            message = self._error_message(fetch, error)
            if isinstance(error, LogClosedError):
                fetch.reader = None   # deleted: look again whether the topic is there
            return message
        if message is None:
            if self.reports_end and fetch.end_reported_at != fetch.reader.next_offset:
                fetch.end_reported_at = fetch.reader.next_offset
                return Message(
                    fetch.topic, fetch.partition, fetch.reader.next_offset,
                    error=KafkaError(
                        KafkaError._PARTITION_EOF,
                        f"Fetch from broker reached end of partition at offset "
                        f"{fetch.reader.next_offset}"),
                    timestamp=(0, -1))
            return None
        self.current = fetch
        fetch.has_begun = True
        if self.stores_offsets:
            fetch.stored_offset = fetch.reader.next_offset
        return message

    def _as_exception(self, PartitionFetch fetch, error):
        if isinstance(error, OSError):
            error = error_from_errno(error.errno or 0, "read", fetch.log.path)
        return from_log_error(error) if isinstance(error, LogError) else error

    def _error_message(self, PartitionFetch fetch, error):
        error = self._as_exception(fetch, error).args[0]
        offset = OFFSET_INVALID if fetch.reader is None else fetch.reader.next_offset
        return Message(fetch.topic, fetch.partition, offset, error=error, timestamp=(0, -1))

    # ---- wait ----

    cdef uint32_t glance(self) noexcept:
        """What `wait` compares with: taken before looking at the partitions."""
        return 0 if self.wake_word is None else pl_bell_load((<WakeWord>self.wake_word).bell)

    cdef int wait(self, int64_t deadline_ns, uint32_t seen) except -1:
        """Sleep until something may have come: 1, or 0 when the time is over."""
        cdef int64_t left_ns = deadline_ns - pl_clock_ns()
        cdef int64_t spin_ns = SPIN_NS
        cdef PartitionFetch fetch
        if left_ns <= 0:
            return 0
        left_ns = min(left_ns, SLEEP_SLICE_NS)
        if len(self._fetches) == 1 and not self._waits_on_bell:
            fetch = <PartitionFetch>self._fetches[0]
            if fetch.reader is not None and not fetch.is_paused and not fetch.retry_at_ns:
                if self.is_busy_polling:
                    spin_ns = left_ns
                fetch.log.wait_for_publish(fetch.reader.seq, spin_ns, left_ns)
                return 1
        if self.wake_word is None:   # a read-only folder has no bell that could be heard
            with nogil:
                usleep(1000)
            PyErr_CheckSignals()
        elif self.is_busy_polling and self._fetches:
            self._spin(seen, deadline_ns)
        else:
            self.wake_word.wait(seen, left_ns / 1e9)
        return 1

    cdef int _spin(self, uint32_t seen, int64_t deadline_ns) except -1:
        """Look at the folder's bell until it rings, or for a while."""
        cdef WakeWord bell = self.wake_word
        cdef int64_t until_ns = min(deadline_ns, pl_clock_ns() + SLEEP_SLICE_NS)
        with nogil:
            while pl_bell_load(bell.bell) == seen and pl_clock_ns() < until_ns:
                pass
        PyErr_CheckSignals()
        return 0


cdef int64_t _deadline_ns(timeout) except -1:
    cdef int64_t now_ns = pl_clock_ns()
    if timeout is None or timeout < 0:
        return now_ns + (<int64_t>1 << 61)
    return now_ns + <int64_t>(min(timeout, 1e9) * 1e9)
