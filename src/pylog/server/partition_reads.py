"""What one Fetch request reads: each partition as far as the limits of the answer reach.

    limits       fetch.max.bytes and the request's max_bytes for all of it, partition_max_bytes for
                 each; the first batch of the first partition that has one is sent however large
    unit         whole batches, as they stand in the segment's mapping
    read up to   the log's end; with read_committed the last stable offset, and the client is told
                 which transactions of the batches were aborted

Source: Kafka ReplicaManager.readFromLog, UnifiedLog.read.
"""

import os
from collections.abc import Sequence

from logcore.errors import LogError, OffsetOutOfRangeError
from logcore.layout import LEADER_EPOCH_FILE
from logcore.leader_epochs import find_end_offset
from logcore.leader_epochs import read as read_epochs
from logcore.log import Log
from logcore.slices import Slice
from pylog.errors import KafkaError, KafkaException
from pylog.log_dir import TopicMetadata
from pylog.server.fetch_sessions import WantedPartition
from pylog.server.partitions import check_leader_epoch, find_fault, partition_error_of
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire import Buffer
from pylog.wire.messages.api_01_fetch import (
    AbortedTransaction,
    EpochEndOffset,
    LeaderIdAndEpoch,
    PartitionData,
)

READ_COMMITTED = 1
_NOTHING = b""
_FIRST_WITH_LEADER = 16  # with where it is; versions 12 to 15 have no field for that
_ATTEMPTS = 100  # against compactions that come between two looks


class PartitionReads:
    """The partitions of one request, read as often as somebody wants to know.

    Args:
        context: of the request.
        wanted: partitions in their order.
        max_bytes: of all together.
        is_committed: read_committed.
        is_refused: whether the client may read nothing.

    Attributes:
        has_fault: whether reading met an error, the last time.
        byte_count: of the records that were read the last time.
        logs: that were read the last time.
    """

    def __init__(
        self,
        context: RequestContext,
        wanted: Sequence[WantedPartition],
        max_bytes: int,
        *,
        is_committed: bool,
        is_refused: bool,
    ) -> None:
        self._context = context
        self._wanted = wanted
        quotas = context.broker.quotas
        if quotas is not None and quotas.is_active:
            most_bytes = quotas.most_fetch_bytes(context)
            max_bytes = max_bytes if most_bytes is None else min(max_bytes, most_bytes)
        self._max_bytes = max_bytes
        self._is_committed = is_committed
        self._is_refused = is_refused
        self._keeps_mapping = context.connection.sends_in_place
        self.has_fault = False
        self.byte_count = 0
        self.logs: list[Log] = []
        self._seen: set[WantedPartition] = set()

    def find_closed(self) -> list[tuple[str, int]]:
        """Those that this process has yet to open."""
        known_log = self._context.broker.log_dir.known_log
        found = []
        for wanted in self._wanted:
            topic, _ = self._find(wanted)
            if (
                topic is not None
                and not find_fault(self._context, topic, wanted.partition)
                and known_log(topic.name, wanted.partition) is None
            ):
                found.append((topic.name, wanted.partition))
        return found

    def read(self) -> list[tuple[WantedPartition, PartitionData]]:
        """An answer for each partition."""
        self.has_fault = False
        self.byte_count = 0
        self.logs = []
        return [(wanted, self._read_one(wanted)) for wanted in self._wanted]

    def _find(self, wanted: WantedPartition) -> tuple[TopicMetadata | None, int]:
        """The topic, or the code of why it is not read."""
        context = self._context
        topic: TopicMetadata | None
        if isinstance(wanted.topic, bytes):
            topic = context.broker.find_topic_by_id(wanted.topic)
            missing = KafkaError.UNKNOWN_TOPIC_ID
        else:
            topic = context.broker.find_topic(wanted.topic)
            missing = KafkaError.UNKNOWN_TOPIC_OR_PART
        if context.broker.authorizer is not None:
            name = wanted.topic if topic is None else topic.name
            if self._is_refused or (
                isinstance(name, str)
                and not context.authorize(Operation.READ, ResourceType.TOPIC, name)
            ):
                return None, KafkaError.TOPIC_AUTHORIZATION_FAILED
        return topic, KafkaError.NO_ERROR if topic is not None else missing

    def _read_one(self, wanted: WantedPartition) -> PartitionData:
        answer = PartitionData(
            partition_index=wanted.partition, high_watermark=-1, aborted_transactions=None
        )
        answer.records = _NOTHING
        try:
            topic, fault = self._find(wanted)
        except KafkaException as error:  # such as no file to be had
            answer.error_code, _ = partition_error_of(error, self._context.broker.log_dir)
            self.has_fault = True
            return answer
        if topic is not None:
            fault = find_fault(self._context, topic, wanted.partition)
        if topic is None or fault == KafkaError.UNKNOWN_TOPIC_OR_PART:
            answer.error_code = fault
            self.has_fault |= wanted in self._seen  # it was there: deleted while it was waited for
            return answer
        if fault:
            self._refuse(answer, topic, fault)
            return answer
        self._seen.add(wanted)
        log = self._context.broker.log_dir.known_log(topic.name, wanted.partition)
        try:
            if log is None:  # opening it failed: say why
                log = self._context.broker.log_dir.partition(topic.name, wanted.partition)
            self.logs.append(log)
            fault = check_leader_epoch(log, wanted.current_leader_epoch)
            if fault:
                self._refuse(answer, topic, fault)
            else:
                self._read_log(log, wanted, answer)
        except (LogError, KafkaException, OSError) as error:
            code, _ = partition_error_of(error, self._context.broker.log_dir)
            self._refuse(answer, topic, self._find_deletion(wanted, topic) or code)
        return answer

    def _find_deletion(self, wanted: WantedPartition, topic: TopicMetadata) -> int:
        """The code of a topic that was deleted since it was looked for, NO_ERROR if it was not."""
        try:
            topic_now = self._context.broker.topics().get(topic.name)
        except KafkaException:
            return KafkaError.NO_ERROR
        if topic_now is not None and topic_now.topic_id == topic.topic_id:
            return KafkaError.NO_ERROR
        has_id = isinstance(wanted.topic, bytes)
        return KafkaError.UNKNOWN_TOPIC_ID if has_id else KafkaError.UNKNOWN_TOPIC_OR_PART

    def _refuse(self, answer: PartitionData, topic: TopicMetadata, code: int) -> None:
        self.has_fault = True
        answer.error_code = code
        answer.high_watermark = answer.last_stable_offset = answer.log_start_offset = -1
        answer.records = _NOTHING
        answer.aborted_transactions = None
        if self._context.version >= _FIRST_WITH_LEADER and code in (
            KafkaError.NOT_LEADER_FOR_PARTITION,
            KafkaError.FENCED_LEADER_EPOCH,
        ):
            broker = self._context.broker
            answer.current_leader = LeaderIdAndEpoch(
                leader_id=broker.leader_of(topic.name, answer.partition_index),
                leader_epoch=broker.leader_epoch_of(topic.name, answer.partition_index),
            )

    def _read_log(self, log: Log, wanted: WantedPartition, answer: PartitionData) -> None:
        if wanted.last_fetched_epoch >= 0:
            answer.diverging_epoch = _find_divergence(log, wanted)
        found = None
        if answer.diverging_epoch is None:
            found = self._find_slice(log, wanted, answer)
        else:
            self.has_fault = True
        # Behind the records: what is in the answer is below its high watermark.
        answer.high_watermark = log.log_end_offset
        answer.last_stable_offset = log.last_stable_offset
        answer.log_start_offset = log.log_start_offset
        if found is not None:
            self.byte_count += len(found)
            records: Buffer = memoryview(found) if self._keeps_mapping else found.tobytes()
            answer.records = [records]

    def _find_slice(self, log: Log, wanted: WantedPartition, answer: PartitionData) -> Slice | None:
        left = self._max_bytes - self.byte_count
        limit = min(wanted.max_bytes, left)
        is_first = self.byte_count == 0
        if not self._is_committed:
            return log.read_slice(wanted.fetch_offset, limit, at_least_one=is_first)
        for _attempt in range(_ATTEMPTS):
            found = log.read_slice(
                wanted.fetch_offset, limit, log.last_stable_offset, at_least_one=is_first
            )
            answer.aborted_transactions = []
            if found is None or not found.has_transactional:
                return found
            aborted = log.aborted_transactions(wanted.fetch_offset, found.next_offset)
            if log.commit()["segment_list_generation"] == found.segment_list_generation:
                answer.aborted_transactions = [
                    AbortedTransaction(producer_id=producer_id, first_offset=first_offset)
                    for producer_id, first_offset, _ in aborted
                ]
                return found
        raise KafkaException(
            KafkaError(KafkaError.KAFKA_STORAGE_ERROR, f"{log.path}: its segments never rest")
        )


def _find_divergence(log: Log, wanted: WantedPartition) -> EpochEndOffset | None:
    """Where a client's log and ours part, None while they are the same.

    Source: Kafka Partition.fetchRecords, UnifiedLog.endOffsetForEpoch.
    """
    epoch, end_offset = end_of_epoch(log, wanted.last_fetched_epoch)
    if epoch < 0 or end_offset < 0:
        raise OffsetOutOfRangeError(
            f"{log.path}: nothing is known of leader epoch {wanted.last_fetched_epoch}"
        )
    if epoch < wanted.last_fetched_epoch or end_offset < wanted.fetch_offset:
        return EpochEndOffset(epoch=epoch, end_offset=end_offset)
    return None


def epoch_of(log: Log, offset: int) -> int:
    """The leader epoch that a record was, or is going to be, written in.

    Source: Kafka LeaderEpochFileCache.epochForOffset.
    """
    if log.leader_epoch == 0 or offset >= log.log_end_offset:
        return log.leader_epoch
    entries = read_epochs(os.path.join(log.path, LEADER_EPOCH_FILE))
    return max((epoch for epoch, start_offset in entries if start_offset <= offset), default=-1)


def end_of_epoch(log: Log, epoch: int) -> tuple[int, int]:
    """The largest leader epoch up to one, and where it ends; -1 and -1 where there is none."""
    path = os.path.join(log.path, LEADER_EPOCH_FILE)
    return find_end_offset(path, epoch, log.leader_epoch, log.log_end_offset)
