"""What a transactional id may do next: one pure step at a time.

    state                                what happens             next state
    Empty, CompleteCommit, CompleteAbort initialize               Empty
                                         add_partitions           Ongoing
                                         end(abort)               PrepareAbort
    Ongoing                              add_partitions           Ongoing
                                         end(commit)              PrepareCommit
                                         end(abort), fence        PrepareAbort
    PrepareCommit                        complete                 CompleteCommit
    PrepareAbort                         complete                 CompleteAbort

A step takes a TransactionMetadata and what happened, times and new ids included, and returns the
next one, or raises KafkaException with the code that Kafka's coordinator answers. Files, clocks and
locks are the caller's. Whatever ends a transaction raises the producer epoch by one (KIP-890): the
markers carry the raised epoch, so a batch of the ended transaction that comes late is refused. Only
clients of a server that know nothing of this keep their epoch when they end their own
(`end_classic`): the server holds back what comes late.

PrepareEpochFence, which Kafka never writes either, is passed through in one step (`fence`).

Source: Kafka TransactionMetadata, TransactionState, TransactionCoordinator.
"""

import enum
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

from pylog.errors import KafkaError, KafkaException

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_TIMESTAMP = -1
MAX_PRODUCER_EPOCH = 32767
TRANSACTION_VERSION = 2  # KIP-890, part 2: each end raises the epoch
CLASSIC_TRANSACTION_VERSION = 0  # and before

MAX_TIMEOUT_MS = 15 * 60 * 1000  # Kafka's transaction.max.timeout.ms
EXPIRATION_MS = 7 * 24 * 60 * 60 * 1000  # Kafka's transactional.id.expiration.ms

Partition = tuple[str, int]


class TransactionState(enum.IntEnum):
    """States with Kafka's numbers; `title` is Kafka's name for people."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def title(self) -> str:
        """Kafka's spelling: `PrepareCommit`."""
        return "".join(word.capitalize() for word in self.name.split("_"))


PREPARED = frozenset({TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT})
RESTING = frozenset(
    {TransactionState.EMPTY, TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT}
)


class TransactionMetadata(NamedTuple):
    """All that is known of a transactional id.

    Attributes:
        transactional_id: the application's name for its producer.
        producer_id: in use now; unique in the folder.
        producer_epoch: -1 before the first initialize. In a Prepare state, the markers' epoch.
        timeout_ms: how long a transaction may stay open.
        state: see TransactionState.
        partitions: (topic, partition) that the open transaction wrote to, or is ending in.
        start_timestamp_ms: when the transaction was begun, -1 in state Empty.
        last_update_timestamp_ms: of the last step.
        previous_producer_id: the producer id before the last step.
        next_producer_id: in a Prepare state whose epoch is the last one: the id to go on with.
        last_producer_epoch: that a client may repeat a request with; not written to the log.
        client_transaction_version: 2: the client takes its next epoch from the end's answer. In a
            Prepare state: whether the epoch has been raised.
        is_remote: the producer is a client of a server, and may live when the server does not: only
            its timeout ends its transaction. Not a field of Kafka's.
    """

    transactional_id: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    state: TransactionState = TransactionState.EMPTY
    partitions: frozenset[Partition] = frozenset()
    start_timestamp_ms: int = NO_TIMESTAMP
    last_update_timestamp_ms: int = NO_TIMESTAMP
    previous_producer_id: int = NO_PRODUCER_ID
    next_producer_id: int = NO_PRODUCER_ID
    last_producer_epoch: int = NO_PRODUCER_EPOCH
    client_transaction_version: int = TRANSACTION_VERSION
    is_remote: bool = False

    @property
    def is_epoch_exhausted(self) -> bool:
        """Whether the producer id has no epoch left to give out: one is kept for fencing."""
        return self.producer_epoch >= MAX_PRODUCER_EPOCH - 1

    @property
    def is_open(self) -> bool:
        """Whether the transaction is not over: it holds readers back."""
        return self.state == TransactionState.ONGOING or self.state in PREPARED

    @property
    def batch_epoch(self) -> int:
        """The epoch of the batches of the open transaction."""
        is_raised = self.state in PREPARED and self.client_transaction_version
        return self.producer_epoch - 1 if is_raised else self.producer_epoch


def _refuse(code: int, message: str) -> NoReturn:
    raise KafkaException(KafkaError(code, message))


def _describe(metadata: TransactionMetadata) -> str:
    return f"transactional.id {metadata.transactional_id!r} is in state {metadata.state.title}"


# ---- a producer comes up ------------------------------------------------------------------------


def create(transactional_id: str, producer_id: int, timeout_ms: int) -> TransactionMetadata:
    """Return the metadata of a transactional id that is seen for the first time.

    Args:
        transactional_id: not empty.
        producer_id: a fresh one.
        timeout_ms: 1 to MAX_TIMEOUT_MS.
    """
    return TransactionMetadata(transactional_id, producer_id, NO_PRODUCER_EPOCH, timeout_ms)


def check_initialize(
    transactional_id: str, timeout_ms: int, max_timeout_ms: int = MAX_TIMEOUT_MS
) -> None:
    """Check what a producer comes up with.

    Raises:
        KafkaException: INVALID_REQUEST (an empty id), INVALID_TRANSACTION_TIMEOUT.
    """
    if not transactional_id:
        _refuse(KafkaError.INVALID_REQUEST, "transactional.id must not be empty")
    if not 0 < timeout_ms <= max_timeout_ms:
        _refuse(
            KafkaError.INVALID_TRANSACTION_TIMEOUT,
            f"transaction.timeout.ms={timeout_ms} is not within 1 and the maximum allowed, "
            f"{max_timeout_ms}",
        )


def needs_producer_id(
    metadata: TransactionMetadata, expected: tuple[int, int] | None = None
) -> bool:
    """Return whether `initialize` must be given a new producer id: the epochs are used up."""
    return metadata.is_epoch_exhausted and (
        expected is None or expected[1] == metadata.producer_epoch
    )


def initialize(
    metadata: TransactionMetadata,
    timeout_ms: int,
    now_ms: int,
    new_producer_id: int = NO_PRODUCER_ID,
    expected: tuple[int, int] | None = None,
    is_remote: bool = False,
) -> TransactionMetadata:
    """A producer comes up: it gets an epoch of its own, and those before it are fenced.

    Args:
        metadata: in a resting state. An open transaction is to be fenced and completed first.
        timeout_ms: of its transactions.
        now_ms: time since 1970.
        new_producer_id: given, the producer goes on with this id and epoch 0.
        expected: (producer_id, producer_epoch) of a producer that goes on after an error.
        is_remote: it is a client of a server.

    Raises:
        KafkaException: CONCURRENT_TRANSACTIONS (the one before is not over), PRODUCER_FENCED (not
            the producer that was expected).

    Source: TransactionCoordinator.prepareInitProducerIdTransit.
    """
    if metadata.state not in RESTING:
        _refuse(KafkaError.CONCURRENT_TRANSACTIONS, f"{_describe(metadata)}: try again")
    bumped = metadata.producer_epoch + 1
    producer_id, epoch, last_epoch = metadata.producer_id, bumped, NO_PRODUCER_EPOCH
    check_expected(metadata, expected)
    if new_producer_id != NO_PRODUCER_ID:
        producer_id, epoch = new_producer_id, 0
        if expected is not None:
            last_epoch = metadata.producer_epoch
    elif expected is not None:
        if expected[1] in (metadata.producer_epoch, NO_PRODUCER_EPOCH):
            last_epoch = metadata.producer_epoch
        else:  # a repeated request: the epoch was raised for it already
            epoch, last_epoch = metadata.producer_epoch, metadata.last_producer_epoch
    assert epoch < MAX_PRODUCER_EPOCH, "the caller gives a new producer id"
    return metadata._replace(
        producer_id=producer_id,
        producer_epoch=epoch,
        last_producer_epoch=last_epoch,
        previous_producer_id=metadata.producer_id,
        timeout_ms=timeout_ms,
        state=TransactionState.EMPTY,
        partitions=frozenset(),
        start_timestamp_ms=NO_TIMESTAMP,
        last_update_timestamp_ms=now_ms,
        is_remote=is_remote,
    )


def check_expected(metadata: TransactionMetadata, expected: tuple[int, int] | None) -> None:
    """Check that a producer that goes on after an error is the one that came up last.

    Raises:
        KafkaException: PRODUCER_FENCED.
    """
    if expected is None or metadata.producer_epoch == NO_PRODUCER_EPOCH:
        return
    producer_id, epoch = expected
    is_known = producer_id == metadata.producer_id or (
        producer_id == metadata.previous_producer_id and epoch >= MAX_PRODUCER_EPOCH - 1
    )
    is_current = epoch in (metadata.producer_epoch, metadata.last_producer_epoch)
    if not is_known or not is_current:
        _refuse_fenced(metadata, producer_id, epoch)


def fence(
    metadata: TransactionMetadata, now_ms: int, next_producer_id: int = NO_PRODUCER_ID
) -> TransactionMetadata:
    """Take an open transaction from its producer: it is to be aborted under a raised epoch.

    The producer, if it lives, may still learn of the abort by asking for it: `end(is_commit=False)`
    with its epoch is answered as done, until another producer comes up.

    Source: TransactionMetadata.prepareFenceProducerEpoch, then prepareAbortOrCommit.
    """
    assert metadata.state == TransactionState.ONGOING, metadata
    return _prepare(metadata, False, now_ms, next_producer_id)


# ---- a transaction ------------------------------------------------------------------------------


def check_producer(metadata: TransactionMetadata | None, producer_id: int, epoch: int) -> None:
    """Check that a request is of the producer that came up last.

    Raises:
        KafkaException: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED.
    """
    if metadata is None or metadata.producer_id != producer_id:
        _refuse_mapping(metadata, producer_id)
    if metadata.producer_epoch != epoch:
        _refuse_fenced(metadata, producer_id, epoch)


def add_partitions(
    metadata: TransactionMetadata,
    producer_id: int,
    epoch: int,
    partitions: Iterable[Partition],
    now_ms: int,
    client_transaction_version: int = TRANSACTION_VERSION,
) -> TransactionMetadata:
    """Take partitions into the transaction, and begin one if none is open.

    Returns:
        `metadata` itself when they all belong to it already.

    Raises:
        KafkaException: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS (the
            one before is still being ended).

    Source: TransactionCoordinator.handleAddPartitionsToTransaction.
    """
    check_producer(metadata, producer_id, epoch)
    if metadata.state in PREPARED:
        _refuse(KafkaError.CONCURRENT_TRANSACTIONS, f"{_describe(metadata)}: try again")
    is_begun = metadata.state == TransactionState.ONGOING
    grown = metadata.partitions.union(partitions)
    if is_begun and len(grown) == len(metadata.partitions):
        return metadata
    return metadata._replace(
        previous_producer_id=metadata.producer_id,
        state=TransactionState.ONGOING,
        partitions=grown,
        start_timestamp_ms=metadata.start_timestamp_ms if is_begun else now_ms,
        last_update_timestamp_ms=now_ms,
        client_transaction_version=client_transaction_version,
    )


def end(
    metadata: TransactionMetadata,
    producer_id: int,
    epoch: int,
    is_commit: bool,
    now_ms: int,
    next_producer_id: int = NO_PRODUCER_ID,
) -> TransactionMetadata:
    """Decide a transaction: from here on it is committed, or aborted.

    Args:
        metadata: as it is.
        producer_id: of the producer that asks.
        epoch: of its open transaction.
        is_commit: True to commit.
        now_ms: time since 1970.
        next_producer_id: given when `metadata.is_epoch_exhausted`: the id to go on with.

    Returns:
        The metadata in state PrepareCommit or PrepareAbort, to be completed; or `metadata` itself,
        complete, when this very end was answered before.

    Raises:
        KafkaException: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_TXN_STATE,
            CONCURRENT_TRANSACTIONS (it is decided so, and being completed).

    Source: TransactionCoordinator.endTransaction, and its table of retries.
    """
    has_rotated = (
        metadata.previous_producer_id == producer_id
        and epoch == MAX_PRODUCER_EPOCH - 1
        and metadata.producer_epoch == 0
    )
    is_repeated = has_rotated or metadata.producer_epoch == epoch + 1
    is_current = metadata.producer_epoch == epoch
    state = metadata.state
    if metadata.producer_id != producer_id and not has_rotated:
        _refuse_mapping(metadata, producer_id)
    is_over = state in PREPARED or state in RESTING and state != TransactionState.EMPTY
    if not (is_current and state not in PREPARED) and not (is_repeated and is_over):
        _refuse_fenced(metadata, producer_id, epoch)
    if state == TransactionState.ONGOING:
        return _prepare(metadata, is_commit, now_ms, next_producer_id)
    if state in RESTING and not (is_repeated and not is_current) and not is_commit:
        # nothing was written: the epoch is raised all the same
        return _prepare(metadata, False, now_ms, next_producer_id)
    if state not in RESTING or (is_repeated and not is_current):
        return _end_again(metadata, is_commit)
    _refuse_end(metadata, is_commit)


def end_classic(
    metadata: TransactionMetadata, producer_id: int, epoch: int, is_commit: bool, now_ms: int
) -> TransactionMetadata:
    """As `end`, for a client that goes on with the epoch it has.

    Raises:
        KafkaException: as `end` does, and INVALID_TXN_STATE also for an abort of nothing.
    """
    check_producer(metadata, producer_id, epoch)
    if metadata.state != TransactionState.ONGOING:
        return _end_again(metadata, is_commit)
    return metadata._replace(
        last_producer_epoch=NO_PRODUCER_EPOCH,
        previous_producer_id=metadata.producer_id,
        state=TransactionState.PREPARE_COMMIT if is_commit else TransactionState.PREPARE_ABORT,
        last_update_timestamp_ms=now_ms,
        client_transaction_version=CLASSIC_TRANSACTION_VERSION,
    )


def _end_again(metadata: TransactionMetadata, is_commit: bool) -> TransactionMetadata:
    """Answer an end that has been decided before."""
    state = metadata.state
    if state in PREPARED and (state == TransactionState.PREPARE_COMMIT) == is_commit:
        _refuse(KafkaError.CONCURRENT_TRANSACTIONS, f"{_describe(metadata)}: try again")
    done = TransactionState.COMPLETE_COMMIT if is_commit else TransactionState.COMPLETE_ABORT
    if state != done:
        _refuse_end(metadata, is_commit)
    return metadata


def _refuse_end(metadata: TransactionMetadata, is_commit: bool) -> NoReturn:
    _refuse(
        KafkaError.INVALID_TXN_STATE,
        f"{_describe(metadata)}: it cannot be {'committed' if is_commit else 'aborted'}",
    )


def _prepare(
    metadata: TransactionMetadata, is_commit: bool, now_ms: int, next_producer_id: int
) -> TransactionMetadata:
    assert metadata.is_epoch_exhausted == (next_producer_id != NO_PRODUCER_ID)
    is_begun = metadata.state == TransactionState.ONGOING
    return metadata._replace(
        producer_epoch=metadata.producer_epoch + 1,
        last_producer_epoch=metadata.producer_epoch,
        previous_producer_id=metadata.producer_id,
        next_producer_id=next_producer_id,
        state=TransactionState.PREPARE_COMMIT if is_commit else TransactionState.PREPARE_ABORT,
        start_timestamp_ms=metadata.start_timestamp_ms if is_begun else now_ms,
        last_update_timestamp_ms=now_ms,
        client_transaction_version=TRANSACTION_VERSION,
    )


def complete(metadata: TransactionMetadata, now_ms: int) -> TransactionMetadata:
    """The markers are in every partition: the transaction is over.

    Source: TransactionMetadata.prepareComplete.
    """
    assert metadata.state in PREPARED, metadata
    is_commit = metadata.state == TransactionState.PREPARE_COMMIT
    has_next = metadata.next_producer_id != NO_PRODUCER_ID
    return metadata._replace(
        producer_id=metadata.next_producer_id if has_next else metadata.producer_id,
        producer_epoch=0 if has_next else metadata.producer_epoch,
        previous_producer_id=metadata.producer_id,
        next_producer_id=NO_PRODUCER_ID,
        state=TransactionState.COMPLETE_COMMIT if is_commit else TransactionState.COMPLETE_ABORT,
        partitions=frozenset(),
        last_update_timestamp_ms=now_ms,
    )


def has_timed_out(metadata: TransactionMetadata, now_ms: int) -> bool:
    """Return whether an open transaction is older than its producer's timeout."""
    age_ms = now_ms - metadata.start_timestamp_ms
    return metadata.state == TransactionState.ONGOING and age_ms >= metadata.timeout_ms


def has_expired(metadata: TransactionMetadata, now_ms: int) -> bool:
    """Return whether a transactional id has not been used for so long that it may be forgotten."""
    age_ms = now_ms - metadata.last_update_timestamp_ms
    return metadata.state in RESTING and age_ms >= EXPIRATION_MS


def _refuse_mapping(metadata: TransactionMetadata | None, producer_id: int) -> NoReturn:
    known = "is not known" if metadata is None else f"has producer id {metadata.producer_id} now"
    name = "the transactional.id" if metadata is None else repr(metadata.transactional_id)
    _refuse(
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        f"{name} {known}, not {producer_id}: call init_transactions on a new producer",
    )


def _refuse_fenced(metadata: TransactionMetadata, producer_id: int, epoch: int) -> NoReturn:
    _refuse(
        KafkaError.PRODUCER_FENCED,
        f"producer {producer_id} with epoch {epoch} was fenced: transactional.id "
        f"{metadata.transactional_id!r} has epoch {metadata.producer_epoch} now, because another "
        "producer took it, or because the transaction timed out",
    )
