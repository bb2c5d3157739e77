"""TransactionAdmin: AdminClient's calls on transactions, as those of Kafka's Java admin.

How a transactional id stands is in `__transaction_state`, what a partition knows of a producer in
the partition. What changes something is done under the coordinator's lock (txn/coordinator.py).
"""

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from logcore.log import Log
from pylog.admin_arguments import take_options
from pylog.admin_base import AdminBase
from pylog.admin_transaction_types import (
    AbortTransactionSpec,
    ProducerIdAndEpoch,
    ProducerState,
    TransactionDescription,
    TransactionListing,
    TransactionState,
)
from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.txn.coordinator import TransactionCoordinator
from pylog.txn.states import NO_TIMESTAMP, TransactionMetadata
from pylog.types import TopicPartition


class TransactionAdmin(AdminBase):
    """Lists, describes, fences and aborts transactions, and what partitions know of producers."""

    @property
    def _coordinator(self) -> TransactionCoordinator:
        return TransactionCoordinator.of(self._log_dir)

    def list_transactions(self, **options: Any) -> "Future[list[TransactionListing]]":
        """List the transactional ids of the folder.

        Args:
            options: states (TransactionState or its words), producer_ids, duration_ms (only those
                whose transaction is open for longer): only these; request_timeout.

        Returns:
            A future of TransactionListing, by transactional id.
        """
        take_options(options, "states", "producer_ids", "duration_ms")
        states = {_state_of(state) for state in options.get("states") or ()}
        producer_ids = set(options.get("producer_ids") or ())
        duration_ms = options.get("duration_ms", -1)

        def is_wanted(metadata: TransactionMetadata, now_ms: int) -> bool:
            age_ms = now_ms - metadata.start_timestamp_ms if metadata.is_open else -1
            return (
                (not states or TransactionState.of(metadata.state) in states)
                and (not producer_ids or metadata.producer_id in producer_ids)
                and (duration_ms < 0 or age_ms > duration_ms)
            )

        def list_all(_: None) -> list[TransactionListing]:
            known = self._coordinator.transactions()
            now_ms = self._coordinator.now_ms()
            return [
                TransactionListing(name, metadata.producer_id, TransactionState.of(metadata.state))
                for name, metadata in sorted(known.items())
                if is_wanted(metadata, now_ms)
            ]

        return self._each([None], lambda key: key, list_all)[None]

    def describe_transactions(
        self, transactional_ids: Iterable[str], **options: Any
    ) -> dict[str, "Future[TransactionDescription]"]:
        """Describe transactional ids.

        Args:
            transactional_ids: which.
            options: request_timeout.

        Returns:
            Futures by id, of TransactionDescription. TRANSACTIONAL_ID_NOT_FOUND.
        """
        take_options(options)

        def describe(transactional_id: str) -> TransactionDescription:
            metadata = self._metadata(transactional_id)
            start_ms = metadata.start_timestamp_ms
            return TransactionDescription(
                self._node(),
                TransactionState.of(metadata.state),
                metadata.producer_id,
                metadata.producer_epoch,
                metadata.timeout_ms,
                None if start_ms == NO_TIMESTAMP else start_ms,
                [TopicPartition(*partition) for partition in sorted(metadata.partitions)],
            )

        return self._each(_require_ids(transactional_ids), lambda name: name, describe)

    def describe_producers(
        self, partitions: Iterable[TopicPartition], **options: Any
    ) -> dict[TopicPartition, "Future[list[ProducerState]]"]:
        """Describe the producers that wrote to partitions of late.

        Args:
            partitions: topic and number; offsets do not matter.
            options: broker_id, request_timeout: accepted.

        Returns:
            Futures by partition, of ProducerStates by producer id. UNKNOWN_TOPIC_OR_PART.
        """
        take_options(options, "broker_id")

        def describe(partition: TopicPartition) -> list[ProducerState]:
            return [
                ProducerState(
                    info.producer_id,
                    info.producer_epoch,
                    info.last_sequence,
                    info.last_timestamp_ms,
                    None if info.coordinator_epoch < 0 else info.coordinator_epoch,
                    None if info.transaction_first_offset < 0 else info.transaction_first_offset,
                )
                for info in sorted(self._log(partition).producers(), key=lambda i: i.producer_id)
            ]

        return self._each(partitions, lambda partition: partition, describe)

    def abort_transaction(self, spec: AbortTransactionSpec, **options: Any) -> "Future[None]":
        """Abort a transaction in one partition, whatever its coordinator says of it.

        For what hangs: where `pylog transactions find-hanging` names one. A transaction whose
        producer lives is torn by this: use force_terminate_transaction.

        Args:
            spec: which.
            options: request_timeout.

        Returns:
            A future of None. INVALID_PRODUCER_EPOCH: the producer has written with a newer epoch.
        """
        take_options(options)

        def abort(spec: AbortTransactionSpec) -> None:
            self._coordinator.write_abort_marker(
                self._log(spec.topic_partition), spec.producer_id, spec.producer_epoch
            )

        return self._each([spec], lambda _: None, abort)[None]

    def fence_producers(
        self, transactional_ids: Iterable[str], **options: Any
    ) -> dict[str, "Future[ProducerIdAndEpoch]"]:
        """Take transactional ids from their producers: their transactions are aborted.

        Args:
            transactional_ids: which; one that is not known is made.
            options: request_timeout.

        Returns:
            Futures by id, of the ProducerIdAndEpoch that nobody has.
        """
        take_options(options)

        def fence(transactional_id: str) -> ProducerIdAndEpoch:
            return ProducerIdAndEpoch(*self._coordinator.fence(transactional_id))

        return self._each(_require_ids(transactional_ids), lambda name: name, fence)

    def force_terminate_transaction(self, transactional_id: str, **options: Any) -> "Future[None]":
        """Abort the open transaction of a transactional id in all its partitions, and fence it.

        Args:
            transactional_id: which.
            options: request_timeout.

        Returns:
            A future of None. TRANSACTIONAL_ID_NOT_FOUND.
        """
        take_options(options)

        def terminate(transactional_id: str) -> None:
            self._metadata(transactional_id)
            self._coordinator.fence(transactional_id)

        (name,) = _require_ids([transactional_id])
        return self._each([name], lambda name: name, terminate)[name]

    def _metadata(self, transactional_id: str) -> TransactionMetadata:
        metadata = self._coordinator.transactions().get(transactional_id)
        if metadata is None:
            refuse(
                KafkaError.TRANSACTIONAL_ID_NOT_FOUND,
                f"no transactional.id {transactional_id!r} in {self._log_dir.path}",
            )
        return metadata

    def _log(self, partition: TopicPartition) -> Log:
        return self._log_dir.partition(partition.topic, partition.partition)


def _state_of(state: "TransactionState | str") -> TransactionState:
    if isinstance(state, TransactionState):
        return state
    for known in TransactionState:
        if state in (known.value, known.name):
            return known
    raise ValueError(f"there is no transaction state {state!r}")


def _require_ids(transactional_ids: Iterable[str]) -> list[str]:
    if isinstance(transactional_ids, str):
        raise TypeError("expected a list of transactional ids, not one")
    ids = list(transactional_ids)
    if not all(isinstance(name, str) and name for name in ids):
        raise TypeError("a transactional id is a text that is not empty")
    return ids
