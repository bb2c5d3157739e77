"""Consumer: confluent_kafka's consumer over a folder.

Reading stands in fetcher.pyx; this module resolves where to begin and what is assigned. What a
group has to do with it is in group/subscriber.py.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from logcore.errors import LogError, OffsetOutOfRangeError
from logcore.log import Log
from pylog import config as client_config
from pylog import remote
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.fetcher import Fetcher, PartitionFetch
from pylog.group.commits import ConsumerGroupMetadata
from pylog.group.subscriber import Subscriber
from pylog.log_dir import LogDir
from pylog.message import Message
from pylog.metadata import ClusterMetadata, describe_cluster
from pylog.types import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    OFFSET_TAIL_BASE,
    TopicPartition,
)

RebalanceCallback = Callable[["Consumer", list[TopicPartition]], Any]


class Consumer(Fetcher):
    """Reads messages from partitions of a folder.

    A drop-in for confluent_kafka.Consumer: the same configuration, with `log.dir` (a folder) where
    it had `bootstrap.servers`; with `bootstrap.servers` it is a cluster's, see pylog.remote. One
    thread at a time. A context manager.

    Args:
        conf: configuration; keyword arguments work too. `busy.poll` (bool) spins for new messages
            instead of sleeping: a few microseconds of latency for a processor.

    Raises:
        KafkaException: _INVALID_ARG for a configuration that is none.
    """

    def __init__(self, conf: Mapping[str, Any] | None = None, /, **kwargs: Any):
        if remote.connect(self, "consumer", {**(conf or {}), **kwargs}):
            return
        self._config = client_config.parse("consumer", {**(conf or {}), **kwargs})
        self._reset_policy = self._config["auto.offset.reset"]
        self._is_read_committed = self._config["isolation.level"] == "read_committed"
        self._is_closed = False
        self._log_dir = LogDir.open(
            client_config.resolve_log_dir(self._config),
            read_only=self._config["read.only"],
        )
        self._configure_fetcher(
            reports_end=self._config["enable.partition.eof"],
            is_busy_polling=self._config["busy.poll"],
            stores_offsets=self._config["enable.auto.offset.store"],
            wake_word=self._log_dir.notify,
        )
        self._group = Subscriber(self, self._log_dir, self._config)

    # ---- assignment ----

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions from now on, and no others.

        Args:
            partitions: with the offset to begin at: a number, OFFSET_BEGINNING, OFFSET_END,
                OFFSET_TAIL(n); without one, or with OFFSET_STORED, what the group has committed,
                and `auto.offset.reset` where that is nothing.

        Raises:
            KafkaException: a topic or partition that is not there.
        """
        self._check_open()
        self._group.check_assign(is_incremental=False)
        self._replace_fetches([])
        self._replace_fetches([self._make_fetch(wanted) for wanted in partitions])

    def _replace_fetches(self, fetches: list[PartitionFetch]) -> None:
        """Read these from now on; of those that go, what is stored is committed."""
        kept = set(map(id, fetches))
        dropped = [fetch for fetch in self._fetches if id(fetch) not in kept]
        if dropped:
            self._group.before_drop(dropped)
        self._set_fetches(fetches)
        if fetches:
            self._group.offsets.start_timer()

    def _make_fetch(self, wanted: TopicPartition) -> PartitionFetch:
        if not isinstance(wanted, TopicPartition):
            raise TypeError(f"expected a TopicPartition, not {type(wanted).__name__}")
        log = self._log_dir.partition(wanted.topic, wanted.partition)
        fetch = PartitionFetch(wanted.topic, wanted.partition, log, wanted.offset)
        # Now, so that OFFSET_END means the end as it is here; trouble is an event for poll().
        with contextlib.suppress(LogError, KafkaException):
            self._resolve(fetch)
        return fetch

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions too."""
        self._check_open()
        self._group.check_assign(is_incremental=True)
        for wanted in partitions:
            if self._find(wanted) is not None:
                raise KafkaException(
                    KafkaError(
                        KafkaError._CONFLICT,
                        f"{wanted.topic} [{wanted.partition}] is already assigned",
                    )
                )
        added = [self._make_fetch(wanted) for wanted in partitions]
        self._replace_fetches([*self._fetches, *added])

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading these partitions."""
        self._check_open()
        self._group.check_assign(is_incremental=True)
        gone = [self._require(wanted) for wanted in partitions]
        self._replace_fetches([fetch for fetch in self._fetches if fetch not in gone])

    def unassign(self) -> None:
        """Read nothing."""
        self._check_open()
        self._group.check_assign(is_incremental=False)
        self._replace_fetches([])

    def assignment(self) -> list[TopicPartition]:
        """What is assigned now."""
        self._check_open()
        return [
            TopicPartition(fetch.topic, fetch.partition, fetch.start_offset)
            for fetch in self._fetches
        ]

    def _find(self, wanted: TopicPartition) -> PartitionFetch | None:
        for fetch in self._fetches:
            if (fetch.topic, fetch.partition) == (wanted.topic, wanted.partition):
                found: PartitionFetch = fetch
                return found
        return None

    def _require(self, wanted: TopicPartition) -> PartitionFetch:
        fetch = self._find(wanted)
        if fetch is None:
            raise KafkaException(
                KafkaError(
                    KafkaError._UNKNOWN_PARTITION,
                    f"{wanted.topic} [{wanted.partition}] is not assigned",
                )
            )
        return fetch

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Hand out no messages of these partitions until `resume`."""
        for fetch in [self._require(wanted) for wanted in partitions]:
            fetch.is_paused = True

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Go on with these partitions, where they stood."""
        for fetch in [self._require(wanted) for wanted in partitions]:
            fetch.is_paused = False

    def seek(self, partition: TopicPartition) -> None:
        """Go on with an assigned partition at `partition.offset`."""
        self._check_open()
        self._require(partition).seek(partition.offset)

    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Offset of the next message of each; OFFSET_INVALID where nothing was read yet."""
        found = []
        for wanted in partitions:
            fetch = self._find(wanted)
            offset = fetch.position if fetch is not None else None
            found.append(
                TopicPartition(
                    wanted.topic, wanted.partition, OFFSET_INVALID if offset is None else offset
                )
            )
        return found

    # ---- where to begin ----

    def _resolve(self, fetch: PartitionFetch) -> None:
        """Begin a partition where its start offset, or the reset policy, says."""
        log = self._log_dir.partition(fetch.topic, fetch.partition)
        if log is not fetch.log:
            fetch.reopen(log, OFFSET_INVALID)
        offset = fetch.start_offset
        if offset in (OFFSET_INVALID, OFFSET_STORED):
            try:
                stored = self._group.offsets.start_offset(fetch.topic, fetch.partition)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNSTABLE_OFFSET_COMMIT:
                    raise
                return  # the reader comes when the transaction has ended
            offset = self._reset_offset(fetch) if stored is None else stored
        if offset == OFFSET_BEGINNING:
            offset = log.log_start_offset
        elif offset == OFFSET_END:
            offset = self._end_offset(log)
        elif offset <= OFFSET_TAIL_BASE:
            offset = max(log.log_start_offset, self._end_offset(log) - (OFFSET_TAIL_BASE - offset))
        elif offset < 0:
            raise KafkaException(
                KafkaError(KafkaError._INVALID_ARG, f"offset {offset} means nothing")
            )
        fetch.begin(offset, read_committed=self._is_read_committed)

    def _end_offset(self, log: Log) -> int:
        """Up to where this consumer may read now."""
        return log.last_stable_offset if self._is_read_committed else log.high_watermark

    def _reset_offset(self, fetch: PartitionFetch) -> int:
        if self._reset_policy == "earliest":
            return OFFSET_BEGINNING
        if self._reset_policy == "latest":
            return OFFSET_END
        raise KafkaException(
            KafkaError(
                KafkaError._AUTO_OFFSET_RESET,
                f"{fetch.topic} [{fetch.partition}]: no offset to begin at, and "
                "auto.offset.reset=error",
            )
        )

    def _out_of_range(self, fetch: PartitionFetch, error: OffsetOutOfRangeError) -> bool:
        """An offset that the log does not hold (any more): True when the policy moved it."""
        try:
            fetch.seek(self._reset_offset(fetch))
        except KafkaException:
            self._events.append(
                Message(
                    fetch.topic,
                    fetch.partition,
                    error=KafkaError(KafkaError._AUTO_OFFSET_RESET, str(error)),
                )
            )
            return False
        return True

    # ---- look ----

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float | None = None, cached: bool = False
    ) -> tuple[int, int]:
        """(log start offset, high watermark) of a partition.

        With isolation.level=read_committed the last stable offset stands for the high watermark.
        """
        self._check_open()
        log = self._log_dir.partition(partition.topic, partition.partition)
        try:
            return log.log_start_offset, self._end_offset(log)
        except LogError as error:
            raise from_log_error(error) from error

    def offsets_for_times(
        self, partitions: Sequence[TopicPartition], timeout: float | None = None
    ) -> list[TopicPartition]:
        """First offset whose timestamp is at or after each `offset`, taken as ms since 1970.

        OFFSET_END where every message is older.
        """
        self._check_open()
        found = []
        for wanted in partitions:
            log = self._log_dir.partition(wanted.topic, wanted.partition)
            try:
                hit = log.offset_for_timestamp(wanted.offset)
            except LogError as error:
                raise from_log_error(error) from error
            found.append(
                TopicPartition(
                    wanted.topic,
                    wanted.partition,
                    OFFSET_END if hit is None or hit[0] >= self._end_offset(log) else hit[0],
                )
            )
        return found

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Metadata of the folder's topics, or of one; an unknown one carries an error."""
        self._check_open()
        return describe_cluster(self._log_dir, topic)

    def cluster_id(self, timeout: float = -1) -> str:
        """The folder's id."""
        self._check_open()
        return self._log_dir.cluster_id

    def memberid(self) -> str | None:
        """The id in the group, None before this consumer joined it."""
        self._check_open()
        return self._group.member_id()

    def set_sasl_credentials(self, username: str, password: str) -> None:
        """Accepted: a folder asks for none."""

    # ---- iteration, life ----

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        """The next message, for ever: `for message in consumer`.

        Raises:
            KafkaException: an event that is an error, other than the end of a partition.
        """
        while True:
            if self._is_closed:
                raise StopIteration
            message: Message | None = self.poll()
            if message is None:
                continue
            error = message.error()
            if error is None:
                return message
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("Consumer closed")

    def close(self) -> None:
        """Revoke what the group assigned, commit what is stored, leave, and give up the folder.

        Idempotent. `on_revoke` is called, and `on_commit` for what is committed.
        """
        if self._is_closed:
            return
        try:
            self._group.close()
        finally:
            self._is_closed = True
            self._close_fetcher()
            self._log_dir.close()

    def __enter__(self) -> "Consumer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # ---- groups ----

    def subscribe(
        self,
        topics: Sequence[str],
        on_assign: RebalanceCallback | None = None,
        on_revoke: RebalanceCallback | None = None,
        on_lost: RebalanceCallback | None = None,
    ) -> None:
        """Share these topics with the other members of `group.id`. Replaces a subscription.

        Partitions are handed out in poll() and consume(), which call the callbacks.

        Args:
            topics: a list of names; one that begins with ^ is a regular expression, looked at
                again each second.
            on_assign: called as `on_assign(consumer, partitions)`; it may call assign (or
                incremental_assign, with cooperative-sticky) with other offsets.
            on_revoke: called before partitions go; it may commit.
            on_lost: called when they are gone already, and commits fail; without it on_revoke is.

        Raises:
            KafkaException: _UNKNOWN_GROUP without group.id, _INVALID_ARG, _READ_ONLY.
            RuntimeError: the consumer is closed.
        """
        self._check_open()
        callbacks = {"on_assign": on_assign, "on_revoke": on_revoke, "on_lost": on_lost}
        self._group.subscribe(topics, callbacks)

    def unsubscribe(self) -> None:
        """Give up what the group assigned (on_revoke is called), and leave it."""
        self._check_open()
        if self._group.is_subscribed:
            self._group.unsubscribe()
        else:
            self.unassign()

    def _attend(self) -> None:
        self._group.serve(self)

    def commit(
        self,
        message: Message | None = None,
        offsets: Sequence[TopicPartition] | None = None,
        asynchronous: bool = True,
    ) -> list[TopicPartition] | None:
        """Commit a message's offset + 1, a list of offsets, or what is stored of what is assigned.

        Committed means appended to `__consumer_offsets`, in the page cache: it survives the death
        of this program, and is on the disk within a second.

        Args:
            message: one that was consumed.
            offsets: next offset to read, for each partition.
            asynchronous: report to `on_commit`, in a later poll(), and return None.

        Returns:
            What was committed, an error at each partition that failed.

        Raises:
            KafkaException: _NO_OFFSET when there is nothing to commit; ILLEGAL_GENERATION,
                UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID from a member that was put out;
                REBALANCE_IN_PROGRESS; UNKNOWN_TOPIC_OR_PART; _UNKNOWN_GROUP without group.id.
            RuntimeError: the consumer is closed.
        """
        self._check_open()
        return self._group.offsets.commit(message, offsets, asynchronous)

    def store_offsets(
        self,
        message: Message | None = None,
        offsets: Sequence[TopicPartition] | None = None,
    ) -> None:
        """Set what is committed next, by enable.auto.commit or commit() without arguments.

        Args:
            message: its offset + 1 is stored.
            offsets: next offset to read, for each partition.

        Raises:
            KafkaException: _INVALID_ARG unless enable.auto.offset.store is false, _STATE when no
                partition is assigned.
            RuntimeError: the consumer is closed.
        """
        self._check_open()
        self._group.offsets.store_offsets(message, offsets)

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float | None = None
    ) -> list[TopicPartition]:
        """What the group has committed for each; OFFSET_INVALID where it has nothing.

        Args:
            partitions: of any topics.
            timeout: seconds to wait for transactions that hold these offsets.

        Raises:
            KafkaException: _UNKNOWN_GROUP without group.id, _TIMED_OUT.
            RuntimeError: the consumer is closed.
        """
        self._check_open()
        return self._group.offsets.committed(partitions, timeout)

    def consumer_group_metadata(self) -> ConsumerGroupMetadata:
        """Who this consumer is in its group, for Producer.send_offsets_to_transaction."""
        self._check_open()
        return self._group.metadata()
