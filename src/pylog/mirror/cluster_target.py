"""ClusterTarget: writes into a cluster; records and their syncs are one transaction.

The last sync of a partition is written behind its records: it names the source offset to go on at.
A transaction that a killed mirror left open is aborted by the next one, which has the same
transactional.id; a mirror that still runs is fenced by it.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from pylog.errors import KafkaError, KafkaException
from pylog.message import Message
from pylog.mirror import offset_syncs
from pylog.mirror.chunks import Chunk, offset_of
from pylog.mirror.offset_syncs import OffsetSyncs, Sync
from pylog.mirror.places import TIMEOUT_S, Partition, Place, refuse
from pylog.producer import Producer

_ATTEMPTS = 5


def _ignore(_: KafkaError) -> None:
    pass


class ClusterTarget:
    """The writing end of a mirror into a cluster."""

    def __init__(self, place: Place, source_id: str, compression: str = "none") -> None:
        self.place = place
        self._syncs_name = offset_syncs.topic_name(source_id)
        self._producer: Any = Producer(
            {
                "linger.ms": 20,
                "queue.buffering.max.messages": 1_000_000,
                "compression.type": compression,
                "error_cb": _ignore,  # what is fatal comes out of the commit
                **place.config,
                "transactional.id": f"pylog-mirror-{source_id}",
            }
        )
        # First, so that what a killed mirror left open is decided before its syncs are read.
        self._producer.init_transactions(TIMEOUT_S)
        self.syncs: OffsetSyncs = offset_syncs.read(place, source_id)

    def position(self, place: Partition) -> int | None:
        """Source offset to go on at; None for a partition of which nothing was copied."""
        last = self.syncs.last(place)
        return None if last is None else last[0]

    def last_message(self, place: Partition) -> Message | None:
        """None: the syncs say it all."""
        return None

    def write(self, chunks: Sequence[Chunk]) -> None:
        """Write what was read, in one transaction."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._write(chunks)
                return
            except KafkaException as error:
                told = error.args[0]
                if not told.txn_requires_abort() or attempt == _ATTEMPTS:
                    raise
                self._patiently(self._producer.abort_transaction)

    def _write(self, chunks: Sequence[Chunk]) -> None:
        self._producer.begin_transaction()
        offsets = [self._produce(chunk) for chunk in chunks]
        left = self._producer.flush(TIMEOUT_S * 4)
        failed = next((each for found in offsets for each in found if each is None), None)
        if left or failed is not None or any(-1 in found for found in offsets):
            self._raise_transaction_error()
        new: list[tuple[Partition, list[Sync]]] = []
        for chunk, targets in zip(chunks, offsets, strict=True):
            copied = list(zip(map(offset_of, chunk.messages), targets, strict=True))
            syncs = self.syncs.needed(chunk.place, chunk.position, copied)
            new.append((chunk.place, [*syncs, (chunk.next_position, targets[-1] + 1)]))
        for place, syncs in new:
            for key, value in offset_syncs.records(place, syncs):
                self._producer.produce(self._syncs_name, value, key, partition=0)
        self._patiently(self._producer.commit_transaction)
        for place, syncs in new:
            for sync in syncs:
                self.syncs.add(place, sync)

    def _produce(self, chunk: Chunk) -> list[int]:
        """Queue a chunk; return the offsets that its records get, known after a flush."""
        topic, partition = chunk.place
        offsets = [-1] * len(chunk.messages)
        for index, message in enumerate(chunk.messages):
            given: dict[str, Any] = {"timestamp": message.timestamp()[1]}
            if message.headers():
                given["headers"] = message.headers()
            report = _noting(offsets, index)
            while True:
                try:
                    self._producer.produce(
                        topic, message.value(), message.key(), partition, report, **given
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
        return offsets

    def _raise_transaction_error(self) -> None:
        """Say why records did not arrive: the commit knows."""
        self._producer.commit_transaction(TIMEOUT_S)
        raise refuse(f"{self.place.name}: records were not delivered", KafkaError._MSG_TIMED_OUT)

    def _patiently(self, call: Callable[[float], None]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                call(TIMEOUT_S)
                return
            except KafkaException as error:
                if not error.args[0].retriable() or attempt == _ATTEMPTS:
                    raise

    def flush(self) -> None:
        """Nothing: a committed transaction is there."""

    def close(self) -> None:
        """Let go of the cluster."""
        with contextlib.suppress(KafkaException):  # what it says was said before
            self._producer.purge()
            self._producer.close(TIMEOUT_S)


def _noting(offsets: list[int], index: int) -> Callable[[KafkaError | None, Message], None]:
    def report(error: KafkaError | None, message: Message) -> None:
        if error is None:
            offsets[index] = offset_of(message)

    return report
