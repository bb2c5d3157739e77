"""TransactionCoordinator: decides on a folder's transactions, while it holds the lock.

A commit, step by step, and what a crash after each leaves (docs/adr/0017):

    1  the transaction's batches are in the partitions, durable with acks=all        -> aborted
    2  PrepareCommit is in __transaction_state: decided; durable with acks=all       -> committed
    3  a marker is in each partition, with the producer's raised epoch               -> committed
    4  CompleteCommit is in __transaction_state: over

Whoever holds the lock next ends what a dead producer left: what was decided is rolled forward, what
was not is aborted. So does who finds that a living producer's transaction is past its timeout. The
decision is made durable before somebody else's markers follow from it.

After a crash of the machine a marker may be lost that CompleteCommit tells of. Then a partition has
an open transaction that the log says is over, and its end is looked up (`end_hanging`).
A transactional id of an earlier boot goes on with a new producer id: how far its epochs had come,
partitions may know and the log not.

Source: Kafka TransactionCoordinator, TransactionStateManager, and KIP-890.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from logcore.errors import LogClosedError, LogError, ReadOnlyError
from logcore.log import Log
from logcore.shared import boot_id
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.folder_errors import refuse
from pylog.txn import states
from pylog.txn.coordinator_lock import DEFAULT_TIMEOUT_S, CoordinatorLock, refuse_forked
from pylog.txn.markers import EndOlder, write_marker, write_markers
from pylog.txn.producer_ids import ProducerIds
from pylog.txn.states import (
    MAX_PRODUCER_EPOCH,
    MAX_TIMEOUT_MS,
    NO_PRODUCER_ID,
    PREPARED,
    TRANSACTION_VERSION,
    Partition,
    TransactionMetadata,
    TransactionState,
)
from pylog.txn.transaction_log import TransactionLog

if TYPE_CHECKING:
    from pylog.log_dir import LogDir

_EXPIRATION_INTERVAL_MS = 60_000


class TransactionCoordinator:
    """The transactions of one folder. Use `TransactionCoordinator.of`; safe for several threads.

    Args:
        log_dir: the folder.
        clock_ms: time since 1970.
    """

    def __init__(
        self, log_dir: "LogDir", clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._log_dir = log_dir
        self._clock_ms = clock_ms
        self._log = TransactionLog()
        self._ids = log_dir.attached(ProducerIds)
        self._lock = CoordinatorLock(log_dir.path)
        self._is_lock_open = False
        self._boot_offsets: list[int] = []
        self._expiration_due_ms = 0
        log_dir.on_close.append(self.close)

    @classmethod
    def of(cls, log_dir: "LogDir") -> "TransactionCoordinator":
        """The one of a LogDir."""
        return log_dir.attached(cls)

    @property
    def is_of_parent(self) -> bool:
        """Whether it was made before a fork, by the parent."""
        return self._lock.is_of_parent

    def close(self) -> None:
        """Give up the lock, and with it every proof of life."""
        self._lock.close()
        self._is_lock_open = False

    # ---- what producers ask for ----

    def init_producer_id(
        self,
        transactional_id: str,
        timeout_ms: int,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        *,
        expected: tuple[int, int] | None = None,
        is_remote: bool = False,
        max_timeout_ms: int = MAX_TIMEOUT_MS,
    ) -> tuple[int, int]:
        """A producer comes up: those before it are fenced, what they left open is ended.

        Args:
            transactional_id: of the producer.
            timeout_ms: how long its transactions may stay open.
            timeout_s: how long to wait for the folder's lock.
            expected: (producer_id, producer_epoch) of a producer that goes on after an error.
            is_remote: it is a client of a server: this process does not vouch for its life.
            max_timeout_ms: the longest timeout that is taken.

        Returns:
            (producer_id, producer_epoch) to write with.

        Raises:
            KafkaException: INVALID_TRANSACTION_TIMEOUT, PRODUCER_FENCED (not the one expected), or
                what writing the log raised.
        """
        states.check_initialize(transactional_id, timeout_ms, max_timeout_ms)
        with self._deciding(timeout_s, create=True):
            metadata = self._log.transactions.get(transactional_id)
            if metadata is not None:
                states.check_expected(metadata, expected)
            if metadata is not None and metadata.is_open:
                metadata = self._finish(metadata)
            new_id = NO_PRODUCER_ID
            if metadata is None:
                metadata = states.create(transactional_id, self._ids.take(), timeout_ms)
            elif states.needs_producer_id(metadata) or self._is_of_earlier_boot(transactional_id):
                new_id = self._ids.take()
            metadata = states.initialize(
                metadata, timeout_ms, self._clock_ms(), new_id, expected, is_remote
            )
            if not is_remote:
                self._lock.claim(metadata.producer_id, metadata.producer_epoch)
            self._write(metadata)
        return metadata.producer_id, metadata.producer_epoch

    def add_partitions(
        self,
        transactional_id: str,
        producer_id: int,
        epoch: int,
        partitions: Iterable[Partition],
        client_transaction_version: int = TRANSACTION_VERSION,
    ) -> None:
        """Take partitions into the open transaction; the first begins it.

        Raises:
            KafkaException: PRODUCER_FENCED, INVALID_PRODUCER_ID_MAPPING, CONCURRENT_TRANSACTIONS,
                or what writing the log raised.
        """
        with self._deciding():
            metadata = self._known(transactional_id, producer_id)
            grown = states.add_partitions(
                metadata,
                producer_id,
                epoch,
                partitions,
                self._clock_ms(),
                client_transaction_version,
            )
            if grown is not metadata:
                self._write(grown)

    def end(
        self,
        transactional_id: str,
        producer_id: int,
        epoch: int,
        is_commit: bool,
        *,
        is_durable: bool,
        raises_epoch: bool = True,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> tuple[int, int]:
        """Commit or abort the open transaction. May be called again after an error.

        Args:
            transactional_id: of the producer.
            producer_id: of the producer.
            epoch: that it wrote with.
            is_commit: False aborts.
            is_durable: the decision is on the disk before a marker follows from it.
            raises_epoch: False for a client of a server that keeps its epoch.
            timeout_s: how long to wait for the folder's lock.

        Returns:
            (producer_id, producer_epoch) of the next transaction.

        Raises:
            KafkaException: PRODUCER_FENCED, INVALID_PRODUCER_ID_MAPPING, INVALID_TXN_STATE (it was
                aborted after its timeout), or what writing the log raised.
        """
        identity = (producer_id, epoch)
        with self._deciding(timeout_s):
            metadata = self._decide(transactional_id, identity, is_commit, raises_epoch)
            if metadata.is_open and not is_durable:
                metadata = self._complete(metadata)
        if metadata.is_open:
            self._log.flush(transactional_id)
            with self._deciding(timeout_s):
                metadata = self._known(transactional_id, producer_id)
                if metadata.state in PREPARED and metadata.batch_epoch == epoch:
                    metadata = self._complete(metadata)
                else:  # somebody did it for us, if nobody came up in our place
                    metadata = self._decide(transactional_id, identity, is_commit, raises_epoch)
        if metadata.is_remote:
            return metadata.producer_id, metadata.producer_epoch
        if not self._lock.has(metadata.producer_id, metadata.producer_epoch):
            self._lock.claim(metadata.producer_id, metadata.producer_epoch)
        self._lock.release(*identity)
        return metadata.producer_id, metadata.producer_epoch

    def _decide(
        self,
        transactional_id: str,
        identity: tuple[int, int],
        is_commit: bool,
        raises_epoch: bool,
    ) -> TransactionMetadata:
        """The transaction in a Prepare state, or complete when its end is asked for again."""
        metadata = self._known(transactional_id, identity[0])
        now_ms = self._clock_ms()
        next_id = NO_PRODUCER_ID
        if raises_epoch and metadata.is_epoch_exhausted and metadata.state not in PREPARED:
            next_id = self._ids.take()
        try:
            if raises_epoch:
                decided = states.end(metadata, *identity, is_commit, now_ms, next_id)
            else:
                decided = states.end_classic(metadata, *identity, is_commit, now_ms)
        except KafkaException as error:
            if error.args[0] != KafkaError.CONCURRENT_TRANSACTIONS:
                raise
            return metadata  # decided so before: go on
        if decided is not metadata:
            if not decided.is_remote:  # alive under the new epoch before anybody can see it
                self._lock.claim(decided.producer_id, decided.producer_epoch)
            self._write(decided)
        return decided

    def was_ended_for(self, transactional_id: str, producer_id: int, epoch: int) -> bool:
        """Whether the producer's transaction was aborted after its timeout, and nobody came since.

        Then it may ask for the abort itself, and go on; otherwise another producer took its place.
        """
        with self._deciding():
            metadata = self._log.transactions.get(transactional_id)
            if metadata is None:
                return False
            aborts = (TransactionState.PREPARE_ABORT, TransactionState.COMPLETE_ABORT)
            is_next = (metadata.producer_id, metadata.producer_epoch) == (producer_id, epoch + 1)
            has_rotated = metadata.previous_producer_id == producer_id and (
                epoch == MAX_PRODUCER_EPOCH - 1 and metadata.producer_epoch == 0
            )
            return metadata.state in aborts and (is_next or has_rotated)

    def release(self, producer_id: int, epoch: int) -> None:
        """The producer with this identity is closed. Idempotent."""
        self._lock.release(producer_id, epoch)

    # ---- what others left ----

    def complete_abandoned(self) -> None:
        """End what dead producers left, and what is past its timeout; forget expired ids.

        Called by each process's housekeeper, every second. Does nothing, and takes no lock, where
        there is nothing to do.

        Raises:
            KafkaException: something could not be ended; the next call tries again.
        """
        with self._lock.threads:
            if not self._open(create=False):
                return
            self._log.catch_up()
            now_ms = self._clock_ms()
            is_due = any(self._is_abandoned(id_, now_ms) for id_ in self._log.open_ids)
            if now_ms >= self._expiration_due_ms:
                self._expiration_due_ms = now_ms + _EXPIRATION_INTERVAL_MS
                known = self._log.transactions.values()
                is_due |= any(states.has_expired(metadata, now_ms) for metadata in known)
        if is_due:
            with self._deciding():
                for transactional_id in sorted(self._log.open_ids):
                    if self._is_abandoned(transactional_id, now_ms):
                        self._finish(self._log.transactions[transactional_id])
                self._forget_expired(now_ms)

    def _is_abandoned(self, transactional_id: str, now_ms: int) -> bool:
        metadata = self._log.transactions[transactional_id]
        if metadata.is_remote and metadata.state == TransactionState.ONGOING:
            return states.has_timed_out(metadata, now_ms)
        if not self._lock.is_alive(metadata.producer_id, metadata.producer_epoch):
            return True
        if metadata.state in PREPARED:  # alive, and stuck half-way
            return now_ms - metadata.last_update_timestamp_ms >= metadata.timeout_ms
        return states.has_timed_out(metadata, now_ms)

    def _forget_expired(self, now_ms: int) -> None:
        for transactional_id, metadata in list(self._log.transactions.items()):
            if states.has_expired(metadata, now_ms) and not self._lock.is_alive(
                metadata.producer_id, metadata.producer_epoch
            ):
                self._log.append(transactional_id, None)

    def end_hanging(self, logs: Iterable[tuple[Partition, Log]]) -> None:
        """End open transactions in partitions of which the log says that they are over.

        After a crash of the machine: a marker was lost, or the log's record of a transaction that
        was never decided. The end is what the log has of it, and an abort where it has nothing.
        A producer id that this folder never gave out is left alone: `pylog transactions abort`.

        Raises:
            KafkaException: something could not be ended; the next call tries again.
        """
        for partition, log in logs:
            try:
                if log.last_stable_offset < log.log_end_offset and self._hanging(partition, log):
                    with self._deciding():
                        for producer_id, epoch in self._hanging(partition, log):
                            self._end_one(log, producer_id, epoch)
            except LogClosedError:
                pass  # closed or deleted meanwhile
            except LogError as error:
                raise from_log_error(error) from error

    def _hanging(self, partition: Partition, log: Log) -> list[tuple[int, int]]:
        """(producer_id, epoch) of transactions that are open in a partition, and nowhere else."""
        found = [
            (info.producer_id, info.producer_epoch)
            for info in log.producers()
            if info.transaction_first_offset >= 0
        ]
        with self._lock.threads:  # after looking at the partition: it is told of before it begins
            if not found or not self._open(create=False):
                return []
            self._log.catch_up()
            known = {
                (metadata.producer_id, metadata.batch_epoch)
                for metadata in self._log.transactions.values()
                if metadata.is_open and partition in metadata.partitions
            }
        return [
            identity
            for identity in found
            if identity not in known and self._ids.was_given_out(identity[0])
        ]

    def _end_one(self, log: Log, producer_id: int, epoch: int) -> None:
        is_commit = False
        for _, metadata in self._log.history():
            if metadata is not None and (producer_id, epoch + 1) == (
                metadata.producer_id,
                metadata.producer_epoch,
            ):
                # Where a client keeps its epoch, it is another transaction's, with its marker.
                is_commit |= metadata.client_transaction_version > 0 and metadata.state in (
                    TransactionState.PREPARE_COMMIT,
                    TransactionState.COMPLETE_COMMIT,
                )
        raised = min(epoch + 1, MAX_PRODUCER_EPOCH)
        write_marker(log, producer_id, raised, is_commit, self._clock_ms())

    # ---- to look at ----

    def transactions(self) -> dict[str, TransactionMetadata]:
        """How each transactional id stands now; empty where there never was one.

        Raises:
            KafkaException: the log cannot be read.
        """
        with self._lock.threads:
            if not self._open(create=False):
                return {}
            self._log.catch_up()
            return dict(self._log.transactions)

    def find(self, transactional_id: str) -> TransactionMetadata | None:
        """How one transactional id stands now, None for one that is not known. Raises as above."""
        with self._lock.threads:
            if not self._open(create=False):
                return None
            self._log.catch_up()
            return self._log.transactions.get(transactional_id)

    def now_ms(self) -> int:
        """The time by which transactions are late."""
        return self._clock_ms()

    def is_alive(self, metadata: TransactionMetadata) -> bool:
        """Whether the producer of a transactional id lives."""
        with self._lock.threads:
            self._open(create=False)
            return self._is_lock_open and self._lock.is_alive(
                metadata.producer_id, metadata.producer_epoch
            )

    def fence(self, transactional_id: str) -> tuple[int, int]:
        """Take a transactional id from its producer, if there is one; its transaction is aborted.

        Returns:
            (producer_id, producer_epoch) that nobody has.
        """
        identity = self.init_producer_id(transactional_id, timeout_ms=1)
        self.release(*identity)
        return identity

    def write_abort_marker(self, log: Log, producer_id: int, epoch: int) -> None:
        """Abort a transaction in one partition, whatever the log says of it."""
        with self._deciding():
            write_marker(log, producer_id, epoch, False, self._clock_ms())

    # ---- steps ----

    @contextlib.contextmanager
    def _deciding(
        self, timeout_s: float = DEFAULT_TIMEOUT_S, *, create: bool = False
    ) -> Iterator[None]:
        """Hold the lock, with everything read that others decided."""
        if self._lock.is_of_parent:
            refuse_forked()
        if self._log_dir.is_read_only:
            raise from_log_error(ReadOnlyError(f"{self._log_dir.path}: opened for reading only"))
        with self._lock.threads:
            if not self._open(create=create):
                refuse(KafkaError.INVALID_PRODUCER_ID_MAPPING, "there are no transactional ids")
            self._lock.take(timeout_s)
            try:
                self._log.catch_up()
                yield
            finally:
                self._lock.give()

    def _open(self, *, create: bool) -> bool:
        """Open what is not open yet: False where the folder has no transactions."""
        if not self._log.open(self._log_dir, create=create):
            return False
        if not self._is_lock_open and not self._log_dir.is_read_only:
            self._lock.open()
            self._is_lock_open = True
            self._lock.take()
            try:
                self._log.catch_up()
                self._note_boot()
            finally:
                self._lock.give()
        return True

    def _note_boot(self) -> None:
        """Find out, or be the first to note, how far the log came in earlier boots."""
        boot = boot_id().hex()
        with contextlib.suppress(ValueError, KeyError, TypeError):
            note = json.loads(self._lock.read_text())
            if note["boot_id"] == boot:
                self._boot_offsets = [int(offset) for offset in note["end_offsets"]]
                return
        self._boot_offsets = self._log.end_offsets()
        note = {"boot_id": boot, "end_offsets": self._boot_offsets}
        self._lock.write_text(json.dumps(note))

    def _is_of_earlier_boot(self, transactional_id: str) -> bool:
        return not self._log.was_initialized_since(transactional_id, self._boot_offsets)

    def _known(self, transactional_id: str, producer_id: int) -> TransactionMetadata:
        metadata = self._log.transactions.get(transactional_id)
        if metadata is None:
            states.check_producer(None, producer_id, 0)
            raise AssertionError
        return metadata

    def _finish(self, metadata: TransactionMetadata) -> TransactionMetadata:
        """End what its producer did not: forward when it was decided, back when not."""
        if metadata.state == TransactionState.ONGOING:
            next_id = self._ids.take() if metadata.is_epoch_exhausted else NO_PRODUCER_ID
            metadata = states.fence(metadata, self._clock_ms(), next_id)
            self._write(metadata)
        self._log.flush(metadata.transactional_id)
        return self._complete(metadata, self._end_one)

    def _complete(
        self, metadata: TransactionMetadata, end_older: EndOlder | None = None
    ) -> TransactionMetadata:
        write_markers(self._log_dir, metadata, end_older)
        done = states.complete(metadata, self._clock_ms())
        is_own = self._lock.has(metadata.producer_id, metadata.producer_epoch)
        has_rotated = done.producer_id != metadata.producer_id
        if is_own and has_rotated:
            self._lock.claim(done.producer_id, done.producer_epoch)
        self._write(done)
        if is_own and has_rotated:
            self._lock.release(metadata.producer_id, metadata.producer_epoch)
        return done

    def _write(self, metadata: TransactionMetadata) -> None:
        self._log.append(metadata.transactional_id, metadata)
