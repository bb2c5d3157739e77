"""What AdminClient's calls on transactions take and answer, with the names of Kafka's Java admin.

confluent_kafka has no such calls; the attributes are those of the Java classes, in snake_case.

Source: Kafka TransactionListing, TransactionDescription, ProducerState, AbortTransactionSpec.
"""

import enum
from dataclasses import dataclass

from pylog.admin_types import Node
from pylog.txn.states import TransactionState as _State
from pylog.types import TopicPartition


class TransactionState(enum.Enum):
    """How a transactional id stands; the value is Kafka's spelling."""

    EMPTY = "Empty"
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"
    PREPARE_EPOCH_FENCE = "PrepareEpochFence"
    UNKNOWN = "Unknown"

    @classmethod
    def of(cls, state: _State) -> "TransactionState":
        """The state of the coordinator's state."""
        return cls.__members__.get(state.name, cls.UNKNOWN)


@dataclass(frozen=True, slots=True)
class TransactionListing:
    """A transactional id in the list of all.

    Attributes:
        transactional_id: of the producer.
        producer_id: that it writes with.
        state: see TransactionState.
    """

    transactional_id: str
    producer_id: int
    state: TransactionState


@dataclass(frozen=True, slots=True)
class TransactionDescription:
    """A transactional id.

    Attributes:
        coordinator: the folder, as a node.
        state: see TransactionState.
        producer_id: that it writes with.
        producer_epoch: likewise.
        transaction_timeout_ms: how long a transaction may stay open.
        transaction_start_time_ms: when the open or last one was begun, None when there was none.
        topic_partitions: that the open one wrote to.
    """

    coordinator: Node
    state: TransactionState
    producer_id: int
    producer_epoch: int
    transaction_timeout_ms: int
    transaction_start_time_ms: int | None
    topic_partitions: list[TopicPartition]


@dataclass(frozen=True, slots=True)
class ProducerState:
    """What a partition remembers of a producer id.

    Attributes:
        producer_id: of the producer.
        producer_epoch: that wrote last.
        last_sequence: of its last record, -1 after a marker.
        last_timestamp: of its last batch, ms since 1970.
        coordinator_epoch: of its last marker, None without one.
        current_transaction_start_offset: of its open transaction, None without one.
    """

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp: int
    coordinator_epoch: int | None
    current_transaction_start_offset: int | None


@dataclass(frozen=True, slots=True)
class AbortTransactionSpec:
    """A transaction that hangs in one partition.

    Attributes:
        topic_partition: where.
        producer_id: whose.
        producer_epoch: that it wrote with.
        coordinator_epoch: not below that of the producer's last marker there; 0 in a folder.
    """

    topic_partition: TopicPartition
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int = 0


@dataclass(frozen=True, slots=True)
class ProducerIdAndEpoch:
    """A producer's identity.

    Attributes:
        producer_id: of the producer.
        epoch: of the producer.
    """

    producer_id: int
    epoch: int
