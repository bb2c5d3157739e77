"""TransactionalProducer: what a Producer does with `enable.idempotence` and `transactional.id`.

    phase            left by
    Init             init_transactions -> Ready
    Ready            begin_transaction -> InTransaction
    InTransaction    commit_transaction -> BeginCommit, abort_transaction -> BeginAbort
    BeginCommit      its end -> Ready; after an error that may pass the call is repeated
    BeginAbort       its end -> Ready; likewise
    AbortableError   abort_transaction -> BeginAbort
    FatalError       nothing

The names are librdkafka's, and so are its words: `Operation not valid in state Init`. An error says
what to do: `retriable()`: call again; `txn_requires_abort()`: abort_transaction; `fatal()`: make a
new producer. What decides and what writes stands in coordinator.py.

Source: librdkafka rdkafka_txnmgr.c; confluent_kafka.Producer for the arguments.
"""

from collections.abc import Iterable
from typing import Any, NoReturn

from logcore.errors import LogError
from pylog.accumulator import Accumulator
from pylog.config import ClientConfig
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.group.commits import ConsumerGroupMetadata, commit_in_transaction
from pylog.group.records import OffsetAndMetadata
from pylog.internal_topics import OFFSETS_TOPIC, open_partition, partition_of
from pylog.log_dir import LogDir
from pylog.txn.coordinator import TransactionCoordinator
from pylog.txn.coordinator_lock import DEFAULT_TIMEOUT_S, refuse_forked
from pylog.txn.producer_ids import ProducerIds
from pylog.types import TopicPartition

_INIT, _READY, _IN_TRANSACTION = "Init", "Ready", "InTransaction"
_BEGIN_COMMIT, _BEGIN_ABORT = "BeginCommit", "BeginAbort"
_ABORTABLE, _FATAL = "AbortableError", "FatalError"
_WRITING = frozenset({_IN_TRANSACTION, _BEGIN_COMMIT})

# Another producer took the transactional.id, unless the transaction only came to its timeout.
_FENCED_CODES = frozenset(
    {
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
    }
)


class TransactionalProducer(Accumulator):
    """Base of Producer: its producer id, and the calls of transactions."""

    _log_dir: LogDir
    _errors: list[KafkaError]

    def _identify(self, config: ClientConfig) -> None:
        """Take what the configuration says; the first thing of these that a Producer calls."""
        self._transactional_id: str | None = config["transactional.id"] or None
        self._is_idempotent = bool(config["enable.idempotence"])
        self._transaction_timeout_ms: int = config["transaction.timeout.ms"]
        self._commits_durably = config["acks"] not in (0, 1)
        self._phase = _INIT
        self._trouble: KafkaError | None = None  # why it must be aborted, or is over for good
        self._identity = (-1, -1)
        self._coordinator = TransactionCoordinator.of(self._log_dir)
        self._is_begun = False  # the coordinator knows of the transaction
        self._offset_counts: dict[int, int] = {}  # by partition of __consumer_offsets
        if self._transactional_id is not None:
            self._set_producer(-1, -1, True)
        elif self._is_idempotent:
            self._set_producer(self._log_dir.attached(ProducerIds).take(), 0, False)

    # ---- confluent_kafka's face ----

    def init_transactions(self, timeout: float = -1) -> None:
        """Take the transactional.id: producers that had it are fenced, what they left is ended.

        Args:
            timeout: seconds to wait, -1 for the default of half a minute.

        Raises:
            KafkaException: _NOT_CONFIGURED without transactional.id; _STATE when it was called
                before; INVALID_TRANSACTION_TIMEOUT; or what the disk refuses.
        """
        transactional_id = self._check_phase(_INIT)
        try:
            self._identity = self._coordinator.init_producer_id(
                transactional_id, self._transaction_timeout_ms, _seconds(timeout)
            )
        except KafkaException as error:
            if error.args[0] == KafkaError.INVALID_TRANSACTION_TIMEOUT:
                self._fail_for_good(error.args[0].code(), error.args[0].str())
                raise self._exception() from error
            raise
        self._set_producer(*self._identity, True)
        self._phase = _READY

    def begin_transaction(self) -> None:
        """Begin a transaction: what is produced from now on is committed or aborted as one.

        Raises:
            KafkaException: _STATE before init_transactions, and while another one is open.
        """
        self._check_phase(_READY)
        self._is_begun = False
        self._offset_counts.clear()
        self._phase = _IN_TRANSACTION
        self._open_transaction()

    def send_offsets_to_transaction(
        self,
        positions: Iterable[TopicPartition],
        group_metadata: ConsumerGroupMetadata,
        timeout: float = -1,
    ) -> None:
        """Commit a consumer's offsets with the transaction: they count when it does.

        Args:
            positions: next offsets to read; logical ones, as OFFSET_INVALID, are passed over.
            group_metadata: of `consumer.consumer_group_metadata()`.
            timeout: accepted.

        Raises:
            KafkaException: the consumer is no longer in its group (UNKNOWN_MEMBER_ID,
                ILLEGAL_GENERATION, FENCED_INSTANCE_ID: abort), or what the disk refuses.
            TypeError: group_metadata is of something else.
        """
        self._check_phase(_IN_TRANSACTION)
        if not isinstance(group_metadata, ConsumerGroupMetadata):
            raise TypeError(
                "group_metadata is what consumer.consumer_group_metadata() returns, not "
                f"{type(group_metadata).__name__}"
            )
        offsets = {
            (position.topic, position.partition): OffsetAndMetadata(
                position.offset,
                -1 if position.leader_epoch is None else position.leader_epoch,
                position.metadata or "",
            )
            for position in positions
            if position.offset >= 0
        }
        if not offsets:
            return
        open_partition(self._log_dir, OFFSETS_TOPIC, group_metadata.group_id)
        partition = partition_of(
            group_metadata.group_id, self._log_dir.topic(OFFSETS_TOPIC).partitions
        )
        self._add_partition(OFFSETS_TOPIC, partition)
        sequence = self._offset_counts.setdefault(partition, 0)
        stamp = (*self._identity, sequence)
        try:
            commit_in_transaction(self._log_dir, group_metadata, offsets, stamp)
        except KafkaException as error:
            self._note_failure(error)
            raise self._exception() from error
        self._offset_counts[partition] = sequence + len(offsets)

    def commit_transaction(self, timeout: float = -1) -> None:
        """Send what is queued, and commit: all of the transaction counts, whoever crashes when.

        Delivery callbacks are called from here.

        Args:
            timeout: seconds, -1 for as long as it takes.

        Raises:
            KafkaException: `retriable()`: call again; `txn_requires_abort()`: a message could not
                be written, or the transaction timed out: abort_transaction(); `fatal()`: another
                producer has the transactional.id.
        """
        self._check_phase(_IN_TRANSACTION, _BEGIN_COMMIT)
        self._phase = _BEGIN_COMMIT
        self._close_transaction()
        try:
            left = self.flush(timeout)
            if self._phase == _BEGIN_COMMIT and self._commits_durably:
                self._flush_offsets()
        except KafkaException as error:
            if self._phase != _BEGIN_COMMIT:
                raise self._exception() from error
            raise
        if self._phase != _BEGIN_COMMIT:
            raise self._exception()
        if left:
            _refuse_late()
        self._end(True, timeout)

    def abort_transaction(self, timeout: float = -1) -> None:
        """Drop what is queued, and abort: nothing of the transaction counts.

        Args:
            timeout: seconds, -1 for as long as it takes.

        Raises:
            KafkaException: `retriable()`: call again; `fatal()`: another producer has the
                transactional.id, and has aborted the transaction.
        """
        self._check_phase(_IN_TRANSACTION, _ABORTABLE, _BEGIN_ABORT)
        self._phase = _BEGIN_ABORT
        self._close_transaction()
        self._purge_queues()
        while len(self):
            try:
                if self.flush(timeout):
                    _refuse_late()
            except KafkaException as error:
                if error.args[0] == KafkaError._TIMED_OUT:
                    raise
        self._end(False, timeout)

    def flush(self, timeout: float | None = -1) -> int:
        """Given by Producer."""
        raise NotImplementedError

    # ---- what the accumulator asks for ----

    def _add_partition(self, topic: str, partition: int) -> None:
        """Before the transaction's first batch goes to a partition."""
        if self._phase not in _WRITING or self._transactional_id is None:
            raise self._exception()
        try:
            self._coordinator.add_partitions(
                self._transactional_id, *self._identity, [(topic, partition)]
            )
        except KafkaException as error:
            self._note_failure(error)
            raise self._exception() from error
        self._is_begun = True

    def _fail(
        self,
        queue: Any,
        count: int,
        reports: list[Any] | None,
        exception: KafkaException,
        is_appended: bool = False,
    ) -> None:
        """A batch will not be written: what it belongs to must not be committed."""
        if self._transactional_id is not None:
            self._note_failure(exception)
            if self._phase == _FATAL:
                exception = self._exception()
        super()._fail(queue, count, reports, exception, is_appended)

    def _after_fork(self) -> None:
        super()._after_fork()
        if self._transactional_id is not None:
            self._phase = _FATAL
            self._trouble = KafkaError(
                KafkaError._STATE,
                "this producer belongs to the parent process; make a Producer in the child",
                fatal=True,
            )
        elif self._is_idempotent:
            self._set_producer(self._log_dir.attached(ProducerIds).take(), 0, False)

    # ---- steps ----

    def _end(self, is_commit: bool, timeout: float) -> None:
        assert self._transactional_id is not None
        if self._is_begun:
            try:
                self._identity = self._coordinator.end(
                    self._transactional_id,
                    *self._identity,
                    is_commit,
                    is_durable=is_commit and self._commits_durably,
                    timeout_s=_seconds(timeout),
                )
            except KafkaException as error:
                if error.args[0].retriable():
                    raise
                self._note_failure(error, is_ending=True)
                raise self._exception() from error
            self._set_producer(*self._identity, True)
        self._is_begun = False
        self._trouble = None
        self._phase = _READY

    def _flush_offsets(self) -> None:
        for partition in self._offset_counts:
            try:
                self._log_dir.partition(OFFSETS_TOPIC, partition).flush()
            except LogError as error:
                self._note_failure(from_log_error(error))
                raise self._exception() from error

    def _leave_transactions(self) -> None:
        """The producer is being closed: abort what is open, and let the others know."""
        if self._transactional_id is None or self._coordinator.is_of_parent:
            return
        try:
            if self._phase in _WRITING or self._phase in (_ABORTABLE, _BEGIN_ABORT):
                if self._phase == _BEGIN_COMMIT:
                    self._phase = _ABORTABLE
                self.abort_transaction()
        except KafkaException:
            pass  # whoever holds the folder next ends it: this producer is dead
        finally:
            self._phase = _FATAL
            self._trouble = KafkaError(KafkaError._STATE, "the producer is closed")
            if self._identity[0] >= 0:
                self._coordinator.release(*self._identity)

    def _note_failure(self, exception: KafkaException, is_ending: bool = False) -> None:
        """What it means for the transaction: to be aborted, or that this producer is out."""
        error = exception.args[0]
        if self._phase not in _WRITING and not is_ending:
            return
        code = error.code()
        if code in _FENCED_CODES and not self._may_abort():
            self._fail_for_good(KafkaError._FENCED, error.str())
        elif is_ending and code not in _FENCED_CODES and code != KafkaError.INVALID_TXN_STATE:
            self._fail_for_good(code, error.str())
        else:
            self._phase = _ABORTABLE
            self._trouble = KafkaError(code, error.str(), txn_requires_abort=True)
        self._close_transaction()

    def _may_abort(self) -> bool:
        assert self._transactional_id is not None
        try:
            return self._coordinator.was_ended_for(self._transactional_id, *self._identity)
        except KafkaException:
            return True  # the abort will tell

    def _fail_for_good(self, code: int, reason: str) -> None:
        self._phase = _FATAL
        self._trouble = KafkaError(code, reason, fatal=True)
        self._errors.append(self._trouble)

    def _check_phase(self, *phases: str) -> str:
        """The transactional.id, when the call is in its place."""
        if self._transactional_id is None:
            raise KafkaException(
                KafkaError(
                    KafkaError._NOT_CONFIGURED,
                    "The Transactional API requires transactional.id to be configured",
                )
            )
        if self._coordinator.is_of_parent:
            refuse_forked()
        if self._phase not in phases:
            raise self._exception()
        return self._transactional_id

    def _exception(self) -> KafkaException:
        if self._trouble is not None:
            return KafkaException(self._trouble)
        return KafkaException(
            KafkaError(KafkaError._STATE, f"Operation not valid in state {self._phase}")
        )


def _seconds(timeout: float | None) -> float:
    return DEFAULT_TIMEOUT_S if timeout is None or timeout < 0 else timeout


def _refuse_late() -> NoReturn:
    raise KafkaException(
        KafkaError(
            KafkaError._TIMED_OUT,
            "Timed out waiting for operation to finish, retry call to resume",
            retriable=True,
        )
    )
