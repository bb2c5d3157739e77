"""TransactionLog: what the log of __transaction_state says, followed as others write to it.

Every process that has to do with transactions reads the log from its start once, and then what was
added; a record replaces what was known of its transactional id. Only a holder of the coordinator's
lock appends, after it has read everything. Not safe for several threads: the caller locks.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logcore.batch import BatchBuilder, Record
from logcore.errors import LogClosedError, LogError, OffsetOutOfRangeError
from logcore.log import Log
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.internal_topics import TRANSACTIONS_TOPIC, open_partition, partition_of
from pylog.txn.records import STATE_AT, decode_key, decode_value, encode_key, encode_value
from pylog.txn.states import TransactionMetadata, TransactionState

if TYPE_CHECKING:
    from pylog.log_dir import LogDir

_EMPTY = TransactionState.EMPTY.to_bytes(1, "big")

Entry = tuple[str, TransactionMetadata | None]


class TransactionLog:
    """The transactional ids of a folder.

    Attributes:
        transactions: how each transactional id stands, as far as the log was read.
        open_ids: those whose transaction is not over.
    """

    def __init__(self) -> None:
        self._logs: list[Log] = []
        self._positions: list[int] = []
        self._builder = BatchBuilder()
        self.transactions: dict[str, TransactionMetadata] = {}
        self.open_ids: set[str] = set()
        # Partition and offset of the last record of each id that says that a producer came up.
        self._initialized: dict[str, tuple[int, int]] = {}

    def open(self, log_dir: "LogDir", *, create: bool) -> bool:
        """Open the topic's partitions: False where there is no topic, and none is to be made.

        Args:
            log_dir: the folder.
            create: make the topic if there is none.

        Raises:
            KafkaException: what making or opening them raised.
        """
        for log in self._logs:
            if log.is_closed:
                break
        else:
            if self._logs:
                return True
        if create:
            open_partition(log_dir, TRANSACTIONS_TOPIC, "")
        try:
            self._logs = log_dir.partitions(TRANSACTIONS_TOPIC)
        except KafkaException as error:
            if error.args[0] != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            self._logs = []
        self._positions = [log.log_start_offset for log in self._logs]
        self.transactions.clear()
        self.open_ids.clear()
        self._initialized.clear()
        return bool(self._logs)

    def catch_up(self) -> None:
        """Read what was added.

        Raises:
            KafkaException: a partition cannot be read, or holds what is no transaction record.
        """
        for partition, log in enumerate(self._logs):
            if log.log_end_offset > self._positions[partition]:
                self._catch_up_with(partition, log)

    def _catch_up_with(self, partition: int, log: Log) -> None:
        """Decode only the last record of each id: the log is long, and all of it is read once."""
        newest: dict[bytes | None, Record] = {}
        came_up: dict[bytes | None, int] = {}
        with self._reading():
            reader = log.reader(self._positions[partition])
            for record in reader:
                newest[record.key] = record
                if record.value is not None and record.value[STATE_AT : STATE_AT + 1] == _EMPTY:
                    came_up[record.key] = record.offset
        for key, record in newest.items():
            entry = _decode(record)
            if entry is not None:
                transactional_id, metadata = entry
                self._take_in(transactional_id, metadata)
                if key in came_up and metadata is not None:
                    self._initialized[transactional_id] = (partition, came_up[key])
        self._positions[partition] = reader.next_offset

    def history(self) -> Iterator[Entry]:
        """Every record that is still in the log, the oldest of each partition first."""
        for log in self._logs:
            with self._reading():
                for record in log.reader(log.log_start_offset):
                    entry = _decode(record)
                    if entry is not None:
                        yield entry

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except LogError as error:
            if isinstance(error, OffsetOutOfRangeError | LogClosedError):
                self._logs = []  # shortened or deleted behind our back: to be opened anew
            raise from_log_error(error) from error

    def append(self, transactional_id: str, metadata: TransactionMetadata | None) -> None:
        """Write how a transactional id stands now; None: it has expired. With the mutex held.

        Raises:
            KafkaException: it was not written.
        """
        partition = self._partition_of(transactional_id)
        value = None if metadata is None else encode_value(metadata)
        timestamp_ms = (
            time.time_ns() // 1_000_000 if metadata is None else metadata.last_update_timestamp_ms
        )
        self._builder.append(timestamp_ms, encode_key(transactional_id), value)
        try:
            offset = self._logs[partition].append(
                self._builder.build(), expected_offset=self._positions[partition]
            )
        except LogError as error:
            if isinstance(error, LogClosedError):  # deleted: to be opened anew
                self._logs = []
            raise from_log_error(error) from error
        self._positions[partition] = offset + 1
        self._take_in(transactional_id, metadata)
        if metadata is not None and metadata.state == TransactionState.EMPTY:
            self._initialized[transactional_id] = (partition, offset)

    def flush(self, transactional_id: str) -> None:
        """Make what was written of a transactional id durable.

        Raises:
            KafkaException: the disk does not take it. What was decided may be lost, or not.
        """
        try:
            self._logs[self._partition_of(transactional_id)].flush()
        except LogError as error:
            raise from_log_error(error) from error

    def end_offsets(self) -> list[int]:
        """How far each partition was read."""
        return list(self._positions)

    def was_initialized_since(self, transactional_id: str, offsets: list[int]) -> bool:
        """Whether a producer came up with a transactional id at or after `offsets`."""
        partition, offset = self._initialized.get(transactional_id, (0, -1))
        return partition >= len(offsets) or offset >= offsets[partition]

    def _partition_of(self, transactional_id: str) -> int:
        count = len(self._logs)
        return 0 if count == 1 else partition_of(transactional_id, count)

    def _take_in(self, transactional_id: str, metadata: TransactionMetadata | None) -> None:
        if metadata is None:
            self.transactions.pop(transactional_id, None)
            self._initialized.pop(transactional_id, None)
            self.open_ids.discard(transactional_id)
            return
        self.transactions[transactional_id] = metadata
        if metadata.is_open:
            self.open_ids.add(transactional_id)
        else:
            self.open_ids.discard(transactional_id)


def _decode(record: Record) -> Entry | None:
    try:
        transactional_id = decode_key(record.key or b"")
        if transactional_id is None:
            return None
        metadata = None if record.value is None else decode_value(transactional_id, record.value)
        return transactional_id, metadata
    except LogError as error:
        known = from_log_error(error).args[0]
        raise KafkaException(
            KafkaError(
                known.code(),
                f"{TRANSACTIONS_TOPIC} offset {record.offset}: {error}. Look at the folder with "
                "`pylog doctor`; put the files back from a copy",
            )
        ) from error
