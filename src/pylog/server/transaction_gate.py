"""TransactionGate: which partitions take batches of which transactions.

A batch of a transaction must not come into a log after the transaction has ended, nor into one that
its end does not know of: nobody would ever end it there. A client that keeps its epoch cannot be
told from itself one transaction later, so the server remembers what the coordinator was told, and
asks it where it does not.

    Produce ---> verified before? ---> append
                      | no
                 a thread: ask the coordinator (or tell it, from Produce 12 on), then append

    EndTxn  ---> close: nothing goes through any more; what is being appended is waited for; decide;
                 open: for the next transaction, of which nothing is verified

Source: Kafka AddPartitionsToTxnManager, VerificationStateEntry (KIP-890).
"""

import threading
from asyncio import Future
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import refuse
from pylog.server.produced_batch import ProducedBatch
from pylog.txn.coordinator import TransactionCoordinator
from pylog.txn.states import TransactionState

if TYPE_CHECKING:
    from pylog.server.broker import Broker

Partition = tuple[str, int]
Identity = tuple[str, int, int]  # transactional id, producer id, epoch

FIRST_PRODUCE_WITH_ABORTABLE = 11
FIRST_PRODUCE_THAT_ADDS = 12


class _Entry:
    """What is verified of one producer."""

    __slots__ = ("appends", "epoch", "partitions")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.partitions: set[Partition] = set()
        self.appends: set[Future[Any]] = set()  # that are under way in threads


class TransactionGate:
    """The gate of one server. What says nothing else is for the loop's thread.

    Args:
        broker: whose.
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._entries: dict[int, _Entry] = {}  # by producer id
        self._closed: Counter[int] = Counter()  # those that are being ended
        self.offset_commits = threading.Lock()  # held while a group's offsets are appended

    def find_check(
        self, transactional_id: str | None, version: int, partition: Partition, batch: ProducedBatch
    ) -> Callable[[], None] | None:
        """What has to be done in a thread before a batch of a transaction is appended.

        Args:
            transactional_id: of the request.
            version: of Produce.
            partition: that the batch is for.
            batch: transactional.

        Returns:
            None for nothing.

        Raises:
            KafkaException: TRANSACTIONAL_ID_AUTHORIZATION_FAILED without a transactional id; the
                transaction is just being ended.
        """
        if transactional_id is None:
            refuse(
                KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                "a transactional batch in a request without a transactional id",
            )
        if batch.producer_id in self._closed:
            ending = KafkaError(
                KafkaError.CONCURRENT_TRANSACTIONS, "the transaction is being ended"
            )
            _refuse_batch(KafkaException(ending), version)
        entry = self._entries.get(batch.producer_id)
        if (
            entry is not None
            and entry.epoch == batch.producer_epoch
            and partition in entry.partitions
        ):
            return None
        identity = (transactional_id, batch.producer_id, batch.producer_epoch)
        return partial(self.admit, identity, partition, version >= FIRST_PRODUCE_THAT_ADDS, version)

    def admit(self, identity: Identity, partition: Partition, is_added: bool, version: int) -> None:
        """Ask the coordinator, or tell it. In a thread.

        Args:
            identity: of the producer.
            partition: to be written to.
            is_added: the transaction takes the partition in; else it must have it.
            version: of Produce, whose clients know different errors.

        Raises:
            KafkaException: the transaction does not have the partition, or is another one's.
        """
        _, producer_id, epoch = identity
        try:
            if is_added:
                self._broker.transactions.add_partitions(*identity, [partition])
            else:
                check_is_open(self._broker.transactions, identity, partition)
        except KafkaException as error:
            _refuse_batch(error, version)
        self.note(producer_id, epoch, [partition])

    def note(self, producer_id: int, epoch: int, partitions: list[Partition]) -> None:
        """Take note that a transaction has partitions. In any thread."""
        entry = self._entries.get(producer_id)
        if entry is None or entry.epoch != epoch:
            entry = self._entries[producer_id] = _Entry(epoch)
        entry.partitions.update(partitions)

    def note_append(self, producer_id: int, epoch: int, append: "Future[Any]") -> None:
        """Take note of an append that is under way."""
        entry = self._entries.get(producer_id)
        if entry is None or entry.epoch != epoch:
            entry = self._entries[producer_id] = _Entry(epoch)
        entry.appends.add(append)
        append.add_done_callback(entry.appends.discard)

    def close(self, producer_id: int) -> "list[Future[Any]]":
        """Let nothing of a producer through, until `open`.

        Returns:
            The appends that are under way.
        """
        self._closed[producer_id] += 1
        entry = self._entries.get(producer_id)
        return [] if entry is None else list(entry.appends)

    def open(self, producer_id: int) -> None:
        """Let through what belongs to the next transaction: nothing is verified of it."""
        self._closed[producer_id] -= 1
        if not self._closed[producer_id]:
            del self._closed[producer_id]
        self._entries.pop(producer_id, None)

    def forget(self, producer_id: int) -> None:
        """Ask again about a producer."""
        self._entries.pop(producer_id, None)


def check_is_open(
    coordinator: TransactionCoordinator, identity: Identity, partition: Partition
) -> None:
    """Check that a producer's transaction is open and has a partition.

    Raises:
        KafkaException: INVALID_TXN_STATE, PRODUCER_FENCED, INVALID_PRODUCER_ID_MAPPING.
    """
    transactional_id, producer_id, epoch = identity
    metadata = coordinator.find(transactional_id)
    if metadata is None or metadata.producer_id != producer_id:
        refuse(
            KafkaError.INVALID_PRODUCER_ID_MAPPING,
            f"transactional.id {transactional_id!r} does not have producer id {producer_id}",
        )
    if metadata.producer_epoch != epoch:
        refuse(
            KafkaError.PRODUCER_FENCED,
            f"producer {producer_id} with epoch {epoch} was fenced: its epoch is "
            f"{metadata.producer_epoch} now",
        )
    if metadata.state != TransactionState.ONGOING or partition not in metadata.partitions:
        refuse(
            KafkaError.INVALID_TXN_STATE,
            f"{partition[0]} [{partition[1]}] was not added to the transaction of "
            f"{transactional_id!r}, which is in state {metadata.state.title}",
        )


def _refuse_batch(error: KafkaException, version: int) -> NoReturn:
    """What clients of Produce make something of. Source: Kafka AddPartitionsToTxnHandler."""
    known: KafkaError = error.args[0]
    code = known.code()
    if code == KafkaError.PRODUCER_FENCED:
        code = KafkaError.INVALID_PRODUCER_EPOCH
    elif code == KafkaError.INVALID_TXN_STATE and version >= FIRST_PRODUCE_WITH_ABORTABLE:
        code = KafkaError.TRANSACTION_ABORTABLE
    elif code == KafkaError.CONCURRENT_TRANSACTIONS and version < FIRST_PRODUCE_THAT_ADDS:
        code = KafkaError.NOT_ENOUGH_REPLICAS
    elif code == KafkaError._TIMED_OUT:
        code = KafkaError.COORDINATOR_NOT_AVAILABLE
    raise KafkaException(KafkaError(code, known.str())) from error
