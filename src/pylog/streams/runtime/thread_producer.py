"""ThreadProducer: the producer of one stream thread, with transactions when they are wanted.

    at_least_once     records go out as they come; a commit waits for all of them
    exactly_once_v2   a transaction opens with its first record; a commit puts the offsets of all
                      tasks into it and ends it: state, output and offsets count as one

Errors come out as what they mean for the tasks: TaskMigratedError when somebody else has them by
now, ProductionError when a record could not be written.

Source: Kafka StreamsProducer.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pylog import KafkaError, KafkaException, Producer, TopicPartition
from pylog.streams.errors import ProductionError
from pylog.streams.runtime.production_errors import meaning
from pylog.streams.runtime.record_collector import Outlet
from pylog.streams.runtime.topic_keeper import MAY_BE_GONE

_ABORT_TRIES = 100
_RETRY_S = 0.05


class ThreadProducer:
    """Makes the producer and keeps its transaction.

    Args:
        conf: of the producer; with transactional.id for exactly_once_v2.
        timeout_s: how long a commit that may be tried again is tried again: task.timeout.ms.
        check_topics: raises when a topic that the application needs is gone.
    """

    def __init__(
        self,
        conf: Mapping[str, Any],
        timeout_s: float,
        check_topics: Callable[[], None] = lambda: None,
    ):
        self._conf = dict(conf)
        self._timeout_s = timeout_s
        self._check_topics = check_topics
        self.is_exactly_once = bool(self._conf.get("transactional.id"))
        self._failure: KafkaError | None = None
        self._is_in_transaction = False
        self._producer: Producer | None = None
        self._partition_counts: dict[str, int] = {}
        producer = self._open()
        begin = self._begin if self.is_exactly_once else None
        self.outlet = Outlet(producer.produce, producer.poll, begin)

    def _open(self) -> Producer:
        conf = self._conf
        if conf.get("bootstrap.servers"):
            # librdkafka tells of failures alone, and to this one.
            conf = {**conf, "on_delivery": self._note, "delivery.report.only.error": True}
        producer = Producer(conf)
        try:
            if self.is_exactly_once:
                producer.init_transactions(self._timeout_s)
        except BaseException:
            producer.close(0)
            raise
        self._producer = producer
        return producer

    def _note(self, error: KafkaError | None, _: object) -> None:
        if error is not None and self._failure is None:
            self._failure = error

    @property
    def producer(self) -> Producer:
        """The producer as it is now."""
        assert self._producer is not None
        return self._producer

    # ---- what the collectors ask for ----

    def partition_count(self, topic: str) -> int:
        """How many partitions a topic has."""
        count = self._partition_counts.get(topic)
        if count is None:
            found = self.producer.list_topics(topic, timeout=30).topics.get(topic)
            if found is None or not found.partitions:
                raise ProductionError(f"topic {topic} does not exist: a partitioner needs its size")
            count = self._partition_counts[topic] = len(found.partitions)
        return count

    def _begin(self) -> None:
        with self._translating("begin a transaction"):
            self.producer.begin_transaction()
        self._is_in_transaction = True

    # ---- commit ----

    @property
    def has_transaction(self) -> bool:
        """Whether records were written that no commit covers yet."""
        return self._is_in_transaction

    def send_pending(self) -> None:
        """Hand over what waits for its batch to fill, without waiting for it to be safe."""
        with self._translating("send"):
            self.producer.flush(0)
        self._raise_noted()

    def flush(self) -> None:
        """Wait until all records are as safe as `acks` asks.

        Raises:
            ProductionError: one could not be written.
        """
        with self._translating("write"):
            if self.producer.flush(self._timeout_s):
                self._check_topics()
                raise ProductionError(
                    f"records could not be written within task.timeout.ms={self._timeout_s:.0f} s"
                )
        self._raise_noted()

    def _raise_noted(self) -> None:
        self.outlet.raise_failure()
        if self._failure is not None:
            error, self._failure = self._failure, None
            self._look_for_cause(error)
            raise meaning(error, "write")

    def commit_transaction(self, offsets: Sequence[TopicPartition], group_metadata: object) -> None:
        """Commit what was written since the last time, and these offsets, as one.

        Args:
            offsets: next offsets to read, of all tasks of the thread.
            group_metadata: of the consumer.

        Raises:
            TaskMigratedError: the thread is out of its group, or its producer is fenced.
            ProductionError: a record could not be written.
        """
        if not self._is_in_transaction:
            self._begin()
            self.outlet.needs_begin = False
        deadline_s = time.monotonic() + self._timeout_s
        with self._translating("commit"):
            if offsets:
                _retrying(
                    lambda: self.producer.send_offsets_to_transaction(
                        list(offsets),
                        group_metadata,  # type: ignore[arg-type]
                    ),
                    deadline_s,
                )
            self._raise_noted()
            _retrying(lambda: self.producer.commit_transaction(), deadline_s)
        self._is_in_transaction = False
        self.outlet.needs_begin = True

    def abort(self) -> None:
        """Give up what was written since the last commit; the producer is good for more after it.

        Raises:
            KafkaException: no producer can be made.
        """
        self.outlet.failure = None
        self._failure = None
        if not self.is_exactly_once or not self._is_in_transaction:
            return
        self._is_in_transaction = False
        self.outlet.needs_begin = True
        for _ in range(_ABORT_TRIES):
            try:
                self.producer.abort_transaction()
                return
            except KafkaException as error:
                if not error.args[0].retriable():
                    break
                time.sleep(_RETRY_S)
        self.replace()

    def replace(self) -> None:
        """A new producer in the place of one that is fenced or broken."""
        with contextlib.suppress(KafkaException):
            self.producer.close(0)
        self._failure = None
        self._is_in_transaction = False
        producer = self._open()
        self.outlet.redirect(producer.produce, producer.poll)

    def close(self) -> None:
        """Abort what is open, and let go."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            if self._is_in_transaction:
                with contextlib.suppress(KafkaException):
                    producer.abort_transaction()
        finally:
            with contextlib.suppress(KafkaException):
                producer.close(self._timeout_s)

    @contextlib.contextmanager
    def _translating(self, what: str) -> Any:
        try:
            yield
        except KafkaException as error:
            self._look_for_cause(error.args[0])
            raise meaning(error.args[0], what) from error

    def _look_for_cause(self, error: KafkaError) -> None:
        if error.code() in MAY_BE_GONE:
            self._check_topics()


def _retrying(call: Callable[[], None], deadline_s: float) -> None:
    while True:
        try:
            call()
            return
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline_s:
                raise
        time.sleep(_RETRY_S)
