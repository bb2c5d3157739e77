"""Workers that write in transactions, and those that read, process and write."""

from collections.abc import Callable

from tests.model.history import Kind, make_source
from tests.model.layout import COPY_KEYS, EVENT_KEYS, partition
from tests.model.members import Member
from tests.model.worker import Sender, Worker

import pylog
from pylog import KafkaError, KafkaException

# Another has the transactional.id, or this one's transaction was ended for it: the process ends.
FENCED = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}
TRANSACTION_TIMEOUT_MS = 2000


class Transactions:
    """Transactions of one producer, written down.

    Args:
        worker: whose.
        transactional_id: of the producer.
    """

    def __init__(self, worker: Worker, transactional_id: str):
        chance = worker.chance
        self._worker, self._journal = worker, worker.journal
        self.producer = pylog.Producer({
            "log.dir": worker.folder,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "acks": "all",
            "linger.ms": chance.choice([0, 1, 5]),
            "batch.size": chance.choice([500, 16384]),
        })  # fmt: skip
        self.sender = Sender(worker, self.producer)
        self._number = 0

    def init(self) -> None:
        """Take the transactional.id."""
        operation = self._journal.invoke(Kind.INIT_TXN)
        self.producer.init_transactions()
        self._journal.ok(Kind.INIT_TXN, operation=operation)

    def begin(self) -> None:
        """Begin the next one."""
        self.producer.begin_transaction()
        self._number += 1
        self.sender.txn = self._number
        self._journal.ok(Kind.BEGIN, txn=self._number)

    def send_offsets(self, member: Member, offsets: dict[int, int]) -> None:
        """Add the offsets of what was processed."""
        entries = [(key, 0, 0, offset) for key, offset in offsets.items()]
        operation = self._journal.invoke(Kind.SEND_OFFSETS, entries, txn=self._number)
        try:
            self.producer.send_offsets_to_transaction(
                [partition(key, offset) for key, offset in offsets.items()],
                member.consumer.consumer_group_metadata(),
            )
        except KafkaException as exception:
            code = exception.args[0].code()
            self._journal.fail(Kind.SEND_OFFSETS, code, operation=operation, txn=self._number)
            raise
        self._journal.ok(Kind.SEND_OFFSETS, entries, operation, self._number)

    def commit(self) -> None:
        """Commit it."""
        operation = self._journal.invoke(Kind.COMMIT_TXN, txn=self._number)
        self._worker.dawdle("end-transaction")
        try:
            self.producer.commit_transaction()
        except KafkaException as exception:
            error = exception.args[0]
            if error.txn_requires_abort():
                write = self._journal.fail
                write(Kind.COMMIT_TXN, error.code(), operation=operation, txn=self._number)
            else:  # who has taken the id may have completed it
                self._journal.info(Kind.COMMIT_TXN, error.code(), operation, self._number)
            raise
        self.sender.write_results()
        self._journal.ok(Kind.COMMIT_TXN, (), operation, self._number)

    def abort(self) -> None:
        """Abort it."""
        operation = self._journal.invoke(Kind.ABORT_TXN, txn=self._number)
        self._worker.dawdle("end-transaction")
        self.producer.abort_transaction()
        self.sender.write_results()
        self._journal.ok(Kind.ABORT_TXN, (), operation, self._number)

    def run(self, work: Callable[[], None]) -> bool:
        """Do something in a transaction and end it, well or not.

        Returns:
            Whether it was committed.

        Raises:
            KafkaException: when the producer is fenced, or for what must not happen.
        """
        self.begin()
        try:
            try:
                work()
            except KafkaException as exception:
                if exception.args[0].code() != KafkaError._STATE:
                    raise
                self.commit()  # which says why nothing more was taken
                raise AssertionError("committed after a record was refused") from exception
            if not self._worker.chooses(0.15):
                self.commit()
                return True
        except KafkaException as exception:
            if not exception.args[0].txn_requires_abort():
                raise
        self.abort()
        return False


def write(worker: Worker, transactional_id: str) -> None:
    """Write transactions of events until fenced."""
    chance = worker.chance
    transactions = Transactions(worker, transactional_id)

    def work() -> None:
        for _ in range(chance.randrange(1, 4)):
            keys = chance.sample(EVENT_KEYS, chance.randrange(1, len(EVENT_KEYS) + 1))
            sender = transactions.sender
            sender.send([chance.choice(keys) for _ in range(chance.randrange(1, 8))])
            sender.settle(flush=worker.chooses(0.2))
            worker.turn("send")

    try:
        transactions.init()
        while True:
            transactions.run(work)
            worker.turn()
    except KafkaException as exception:
        _end_when_fenced(worker, exception)


def copy(worker: Worker, transactional_id: str, group: str, strategy: str) -> None:
    """Read events as a member of a group, and write one copy of each, exactly once."""
    chance = worker.chance
    transactions = Transactions(worker, transactional_id)
    member = Member(worker, group, "read_committed", strategy)

    def work() -> None:
        keys = [chance.choice(COPY_KEYS) for _ in entries]
        sources = [make_source(entry[0], entry[3]) for entry in entries]
        transactions.sender.send(keys, sources)
        if worker.chooses(0.2):
            transactions.sender.settle(flush=worker.chooses(0.5))
        transactions.send_offsets(member, {entry[0]: entry[3] + 1 for entry in entries})

    try:
        transactions.init()
        while True:
            entries = member.read()
            if entries and not transactions.run(work):
                member.rewind()
            worker.turn()
    except KafkaException as exception:
        _end_when_fenced(worker, exception)


def _end_when_fenced(worker: Worker, exception: KafkaException) -> None:
    if exception.args[0].code() not in FENCED:
        raise exception
    worker.journal.ok(Kind.END)
    worker.turn()
