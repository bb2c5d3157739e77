"""What all workers have: chance, a journal, and words that the nemesis reads."""

import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.model.history import Journal, Kind
from tests.model.layout import KEYS, make_value, partition, read_value

from pylog import KafkaError, KafkaException, Message, Producer

# What says for certain that a record was not written; all else may have happened.
CERTAIN = {
    KafkaError._PURGE_QUEUE,
    KafkaError.INVALID_TXN_STATE,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError._STATE,
}

PHASES = ("idle", "send", "read", "commit", "end-transaction", "clean")
"""Where a worker is; the nemesis aims at some of them."""


class Words:
    """Three words of shared memory for each process: what it tells the nemesis.

    Args:
        memory: for all processes, 8-byte words.
        process: whose.
    """

    COUNT = 3

    def __init__(self, memory: memoryview, process: int):
        self._words = memory
        self._index = self.COUNT * process

    def tell(self, operations: int, phase: str) -> None:
        """How many operations have been done, and what comes next."""
        self._words[self._index] = operations
        self._words[self._index + 1] = PHASES.index(phase)
        self._words[self._index + 2] += 1

    @property
    def operations(self) -> int:
        """How many operations have been done."""
        return self._words[self._index]

    @property
    def phase(self) -> str:
        """What comes next."""
        return PHASES[self._words[self._index + 1]]

    @property
    def turns(self) -> int:
        """Rises as long as the process gets anywhere."""
        return self._words[self._index + 2]


class Worker:
    """One process of a run.

    Args:
        folder: of the log.
        journal: of this process.
        words: of this process.
        seed: of its chance.
    """

    def __init__(self, folder: str, journal: Journal, words: Words, seed: str):
        self.folder = folder
        self.journal = journal
        self.words = words
        self.chance = random.Random(seed)

    def turn(self, phase: str = "idle") -> None:
        """Tell how far it is; called between operations."""
        self.words.tell(self.journal.operations, phase)

    def dawdle(self, phase: str) -> None:
        """Tell what comes next, and now and then leave the nemesis time to come before it."""
        self.turn(phase)
        if self.chooses(0.2):
            self.think(0.005)

    def think(self, mean_s: float) -> None:
        """Do nothing for a while, so that those with dearer operations get their share."""
        time.sleep(self.chance.expovariate(1 / mean_s))

    def chooses(self, share: float) -> bool:
        """True in that share of all cases."""
        return self.chance.random() < share


class Sender:
    """Sends records with a producer and writes down what becomes of each."""

    def __init__(self, worker: Worker, producer: Producer):
        self.producer = producer
        self.txn = 0
        self._worker = worker
        self._journal = worker.journal
        self._number = 0
        self._delivered: list[tuple[int, int, int, int]] = []
        self._failed: list[tuple[int, int, int, int, int]] = []

    def send(self, keys: Sequence[int], sources: Sequence[int] | None = None) -> None:
        """Send one record to each of these partitions.

        Args:
            keys: one for each record.
            sources: of each record, as history.make_source.

        Raises:
            KafkaException: what the first one was refused for; those after it are not sent.
        """
        process, first = self._journal.process, self._number
        marks = sources or [-1] * len(keys)
        self._number += len(keys)
        self._journal.invoke(
            Kind.PRODUCE,
            [
                (key, process, first + n, mark)
                for n, (key, mark) in enumerate(zip(keys, marks, strict=True))
            ],
            txn=self.txn,
            count=len(keys),
        )
        self._worker.turn("send")
        for n, key in enumerate(keys):
            to = partition(key)
            try:
                self.producer.produce(
                    to.topic,
                    make_value(process, first + n),
                    partition=to.partition,
                    on_delivery=self._note,
                )
            except KafkaException as exception:
                left = [(at, process, first + n + m, -1) for m, at in enumerate(keys[n:])]
                code = exception.args[0].code()
                self._journal.fail(Kind.PRODUCE, code, left, txn=self.txn)
                raise

    def settle(self, flush: bool) -> None:
        """Serve callbacks, after all is delivered when `flush`, and write their results."""
        try:
            if flush:
                self.producer.flush()
            else:
                self.producer.poll(0)
        finally:
            self.write_results()

    def write_results(self) -> None:
        """Write what the callbacks have told."""
        if self._delivered:
            self._journal.ok(Kind.PRODUCE, self._delivered, txn=self.txn)
            self._delivered = []
        for code, *entry in self._failed:
            if code in CERTAIN:
                self._journal.fail(Kind.PRODUCE, code, [tuple(entry)], txn=self.txn)
        self._failed = []

    def _note(self, error: KafkaError | None, message: Message) -> None:
        process, number = read_value(message.value() or b"")
        key = KEYS[message.topic() or "", message.partition() or 0]
        if error is None:
            self._delivered.append((key, process, number, message.offset() or 0))
        else:
            self._failed.append((error.code(), key, process, number, -1))


def entries_of(messages: Iterable[Message]) -> list[tuple[int, int, int, int]]:
    """What a poll saw."""
    found = []
    for message in messages:
        error = message.error()
        if error is not None:
            raise KafkaException(error)
        process, number = read_value(message.value() or b"")
        key = KEYS[message.topic() or "", message.partition() or 0]
        found.append((key, process, number, message.offset() or 0))
    return found


def open_journal(notes: str | Path, process: int, role: str, **facts: Any) -> Journal:
    """The journal of a process that starts."""
    return Journal(notes, process, role, **facts)
