"""TaskCollector: what a task writes goes to its stream thread's producer.

    Outlet          one a thread: the producer's produce, and whether a transaction is open
    TaskCollector   one a task: knows the record that the task is at, for the error handler

A record that the producer refuses, or that could not be written later, is the production handler's
to judge: it is left out, replaced by records for the dead-letter topic, or the task fails. What
fails in the background fails the next record or the next commit, whichever is first.
"""

cimport cython
from libc.stdint cimport int64_t

from pylog.streams.collector cimport RecordCollector

from pylog.errors import KafkaException

cdef double ROOM_WAIT_S = 0.05


@cython.final
cdef class Outlet:
    """Where the records of a stream thread go.

    Args:
        produce: Producer.produce.
        poll: Producer.poll: makes room when the queue is full.
        begin: called before the first record of a transaction; None without transactions.
    """

    def __init__(self, produce, poll, begin):
        self.produce = produce
        self.poll = poll
        self.begin = begin
        self.needs_begin = begin is not None

    def redirect(self, produce, poll):
        """Go on with another producer, which has no transaction; for all collectors there are."""
        self.produce = produce
        self.poll = poll
        self.failure = None
        self.needs_begin = self.begin is not None

    def raise_failure(self):
        """Raise what a record that was sent earlier came to."""
        failure = self.failure
        if failure is not None:
            self.failure = None
            raise failure

    cdef int attend(self) except -1:
        self.raise_failure()
        if self.needs_begin:
            self.begin()
            self.needs_begin = False
        return 0


@cython.final
cdef class TaskCollector(RecordCollector):
    """Hands the records of one task to the producer of its thread.

    Args:
        outlet: of the thread.
        count_partitions: topic -> how many partitions it has.
        report_failure: called as (collector, topic, key, value, headers, timestamp, error) for a
            record that was not written; returns when the record may be left out, else raises.
        reports_each: whether a record that fails after it was sent is reported by itself. It
            costs a callback for each record, and only a handler that goes on needs it.
    """

    def __cinit__(self, *args):
        self.writers = {}

    def __init__(self, Outlet outlet, count_partitions, report_failure, bint reports_each):
        self.outlet = outlet
        self.ask_partition_count = count_partitions
        self.report_failure = report_failure
        self.reports_each = reports_each

    def partition_count(self, str topic):
        """How many partitions a topic has, for partitioners."""
        return self.ask_partition_count(topic)

    def send(self, str topic, key, value, headers, int64_t timestamp_ms, int partition):
        """Write a record; see RecordCollector.send."""
        self.put(topic, key, value, headers, timestamp_ms, partition)

    cdef int put(self, str topic, object key, object value, object headers, int64_t timestamp,
                 int partition) except -1:
        cdef Outlet outlet = self.outlet
        cdef object report = None
        if outlet.needs_begin or outlet.failure is not None:
            outlet.attend()
        if self.reports_each:
            report = self._reporter(topic, key, value, headers, timestamp)
        if not headers:
            headers = None
        # The producers' 0 means now; a record of the first millisecond of 1970 moves to the next.
        timestamp = timestamp if timestamp > 0 else 1
        while True:
            try:
                outlet.produce(topic, value, key, partition, None, report, timestamp, headers)
            except BufferError:
                outlet.poll(ROOM_WAIT_S)
                outlet.raise_failure()
                continue
            except KafkaException as error:
                self.report_failure(self, topic, key, value, headers, timestamp, error)
                return 0
            outlet.sent += 1
            return 0

    def _reporter(self, topic, key, value, headers, timestamp):
        """What to call when the record was written, or was not."""
        context = self.context
        origin = None if context is None else (
            context.topic, context.partition, context.offset, context.headers,
            context.record_timestamp)

        def report(error, message):
            if error is None:
                return
            self.origin = origin  # the task has gone on
            try:
                self.report_failure(
                    self, topic, key, value, headers, timestamp, KafkaException(error))
            except Exception as failure:
                if self.outlet.failure is None:
                    self.outlet.failure = failure
            finally:
                self.origin = None
        return report
