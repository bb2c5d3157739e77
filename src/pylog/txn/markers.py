"""Ends transactions in the partitions that they wrote to: control batches, and what they end.

A marker carries the epoch that the end raised the producer's to, above that of every batch of the
transaction (KIP-890). So a partition whose producer has that epoch, or a later one, has its marker:
after a crash of the machine, where more of a partition may have survived than of the decision, none
is written twice, and no later transaction is ended by a marker of an earlier one. Nor the other way
round: an earlier one whose marker was lost is ended first, as it was decided.

A client of a server that keeps its epoch (states.end_classic) has markers of its batches' epoch.
Then a partition has the marker when no transaction is open in it; and since epochs do not tell its
transactions apart, markers are made durable before the next one can begin.

Source: Kafka TransactionMarkerChannelManager, ProducerAppendInfo.appendEndTxnMarker.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from logcore.errors import InvalidProducerEpochError, LogClosedError, LogError
from logcore.log import Log
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.txn.states import Partition, TransactionMetadata, TransactionState

if TYPE_CHECKING:
    from pylog.log_dir import LogDir

EndOlder = Callable[[Log, int, int], None]  # (log, producer_id, producer_epoch)

_GONE = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION})


def write_markers(
    log_dir: "LogDir", metadata: TransactionMetadata, end_older: EndOlder | None
) -> None:
    """Write a transaction's end to each of its partitions; one that was deleted is passed over.

    Args:
        log_dir: the folder.
        metadata: in state PrepareCommit or PrepareAbort.
        end_older: for who did not write the transaction itself: look whether a partition has the
            marker already, and end with this an older transaction of the producer that is open
            there, so that our marker does not. None: neither can be.

    Raises:
        KafkaException: a marker could not be written; those before it are. Call again.
    """
    has_raised = metadata.batch_epoch != metadata.producer_epoch
    is_commit = metadata.state == TransactionState.PREPARE_COMMIT
    for partition in sorted(metadata.partitions):
        log = log_dir.known_log(*partition)
        is_written = log is not None and _write_one(log, metadata, is_commit, end_older)
        if not is_written:
            log = find_log(log_dir, partition)
            if log is not None:
                is_written = _write_one(log, metadata, is_commit, end_older)
        if log is not None and is_written and not has_raised:
            _flush(log)


def _flush(log: Log) -> None:
    try:
        log.flush()
    except LogClosedError:
        pass  # deleted meanwhile
    except LogError as error:
        raise from_log_error(error) from error


def _write_one(
    log: Log, metadata: TransactionMetadata, is_commit: bool, end_older: EndOlder | None
) -> bool:
    if end_older is not None:
        for info in log.producers():
            if info.producer_id != metadata.producer_id:
                continue
            is_open = info.transaction_first_offset >= 0
            if info.producer_epoch > metadata.batch_epoch:
                return True
            keeps_epoch = metadata.batch_epoch == metadata.producer_epoch
            if keeps_epoch and info.producer_epoch == metadata.batch_epoch and not is_open:
                return True
            if info.producer_epoch < metadata.batch_epoch and is_open:
                end_older(log, info.producer_id, info.producer_epoch)
    timestamp_ms = metadata.last_update_timestamp_ms
    return write_marker(log, metadata.producer_id, metadata.producer_epoch, is_commit, timestamp_ms)


def write_marker(
    log: Log, producer_id: int, epoch: int, is_commit: bool, timestamp_ms: int
) -> bool:
    """Write one marker. Where the producer's epoch is beyond it, it has been written before.

    Returns:
        False when the partition was deleted.

    Raises:
        KafkaException: it could not be written.
    """
    try:
        log.append_marker(producer_id, epoch, is_commit, timestamp_ms=timestamp_ms)
    except InvalidProducerEpochError:
        pass
    except LogError as error:
        if isinstance(error, LogClosedError) and not log.is_closed:
            return False
        raise from_log_error(error) from error
    return True


def find_log(log_dir: "LogDir", partition: Partition) -> Log | None:
    """The Log of a partition, None when it was deleted."""
    try:
        return log_dir.partition(*partition)
    except KafkaException as error:
        if error.args[0].code() in _GONE:
            return None
        raise
