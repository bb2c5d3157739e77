"""Which batches of aborted transactions, and which markers, a cleaning may drop.

One tracker goes with one pass over the log, in offset order. An aborted transaction is known by the
ranges that the transaction indexes name; its batches are dropped. A marker may go only once a pass
met no batch of its transaction any more: a reader that begins in the middle needs it until then.

Source: Kafka CleanedTransactionMetadata.
"""

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from logcore import transaction_index

ABORT, COMMIT = 0, 1  # types of control records; all others are kept


class AbortedRange(NamedTuple):
    """One aborted transaction.

    Attributes:
        first_offset: of its first record.
        producer_id: whose it was.
        last_offset: of its marker.
        last_stable_offset: once it had ended.
    """

    first_offset: int
    producer_id: int
    last_offset: int
    last_stable_offset: int


def read_aborted(folder: str, bases: Iterable[int]) -> list[AbortedRange]:
    """The aborted transactions whose markers stand in these segments.

    Args:
        folder: of the partition.
        bases: base offsets, ascending. A marker may stand far behind the records: to clean a part
            of the log, ask for all segments from that part on.
    """
    aborted = []
    for base_offset in bases:
        entries = transaction_index.read(transaction_index.path_of(folder, base_offset))
        for producer_id, first_offset, last_offset, stable in entries:
            aborted.append(AbortedRange(first_offset, producer_id, last_offset, stable))
    return aborted


def encode_aborted(aborted: Iterable[AbortedRange]) -> bytes:
    """The bytes of a .txnindex, in the order of the markers."""
    return transaction_index.encode(
        [(each.producer_id, each.first_offset, *each[2:]) for each in aborted]
    )


class CleanedTransactions:
    """Follows the transactions of one pass.

    Args:
        aborted: the aborted transactions of the whole range that will be passed over.
    """

    def __init__(self, aborted: Iterable[AbortedRange] = ()) -> None:
        self._coming = sorted(aborted)
        heapq.heapify(self._coming)
        self._aborted: dict[int, AbortedRange] = {}
        self._with_batches: set[int] = set()  # producers whose aborted transaction had a batch
        self._committed: set[int] = set()
        self.kept: list[AbortedRange] = []
        """Aborted transactions whose marker stays: what the cleaned `.txnindex` holds."""

    def on_batch(self, producer_id: int, last_offset: int, *, is_transactional: bool) -> bool:
        """A batch of records went by: True when it is of an aborted transaction."""
        self._begin(last_offset)
        if not is_transactional:
            return False
        if producer_id in self._aborted:
            self._with_batches.add(producer_id)
            return True
        self._committed.add(producer_id)
        return False

    def on_marker(self, producer_id: int, last_offset: int, control_type: int | None) -> bool:
        """A control batch went by, None for one without a record: True when it may go."""
        self._begin(last_offset)
        if control_type is None:
            return True
        if control_type == ABORT:
            aborted = self._aborted.pop(producer_id, None)
            had_batches = producer_id in self._with_batches
            self._with_batches.discard(producer_id)
            if aborted is not None and had_batches:
                self.kept.append(aborted)
                return False
            return True
        if control_type == COMMIT:
            had_batches = producer_id in self._committed
            self._committed.discard(producer_id)
            self._aborted.pop(producer_id, None)  # over before this pass began
            return not had_batches
        return False

    def _begin(self, offset: int) -> None:
        """Aborted transactions that begin up to `offset` are under way."""
        while self._coming and self._coming[0].first_offset <= offset:
            aborted = heapq.heappop(self._coming)
            self._aborted.setdefault(aborted.producer_id, aborted)
