"""The processes of a mixed run that are clients of the server: confluent_kafka, and Java.

The embedded ones are those of tests/model. All write the same histories.
"""

import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

import confluent_kafka
from tests.model.history import SUFFIX, Kind, make_source
from tests.model.layout import (
    COPY_KEYS,
    EVENT_KEYS,
    EVENTS,
    KEYS,
    PARTITIONS,
    make_value,
    read_value,
)
from tests.model.worker import Words, Worker

TRANSACTION_TIMEOUT_MS = 3000
SESSION_TIMEOUT_MS = 3000
POLL_S = 0.1
FLUSH_S = 30.0
READ_S = 60.0
HANG_S = 4  # longer than a transaction may last
_METADATA_HEAD = struct.Struct("<7si")  # "CGMDv2:", the generation or the member's epoch
_STATE = confluent_kafka.KafkaError._STATE
# Another has the transactional.id, or the transaction was ended for it: the process ends.
FENCED = {
    confluent_kafka.KafkaError._FENCED,
    confluent_kafka.KafkaError.PRODUCER_FENCED,
    confluent_kafka.KafkaError.INVALID_PRODUCER_EPOCH,
}
# An instance after a server's kill, a member after its session: it joins anew by itself.
REJOINS = {
    confluent_kafka.KafkaError.UNKNOWN_MEMBER_ID,
    confluent_kafka.KafkaError.ILLEGAL_GENERATION,
    confluent_kafka.KafkaError.REBALANCE_IN_PROGRESS,
    confluent_kafka.KafkaError._ASSIGNMENT_LOST,
}

Entries = list[tuple[int, int, int, int]]


class PacedWorker(Worker):
    """A worker that rests between its turns: nine of them share the machine with the server."""

    def __init__(self, folder: str, journal: Any, seed: str):
        super().__init__(folder, journal, Words(memoryview(bytearray(24)).cast("Q"), 0), seed)

    def turn(self, phase: str = "idle") -> None:
        """Rest after what was done."""
        if phase == "idle":
            self.think(0.03)


def _place(key: int, offset: int = confluent_kafka.OFFSET_INVALID) -> Any:
    topic, number = PARTITIONS[key]
    return confluent_kafka.TopicPartition(topic, number, offset)


def _code(error: BaseException) -> int:
    return int(error.args[0].code())


class WireMember:
    """One membership of a group that the server serves, written down.

    Args:
        worker: whose.
        bootstrap: of the server.
        group: its id.
        protocol: classic or consumer.
        commits: whether it commits what it read; else transactions do.
    """

    def __init__(
        self, worker: Worker, bootstrap: str, group: str, protocol: str, commits: bool = True
    ):
        self._worker, self._journal = worker, worker.journal
        self._positions: dict[int, int | None] = {}  # of what it owns
        self._committed: dict[int, int] = {}
        self._commits = commits
        self._batch: Entries = []
        self._unwritten: Entries = []
        conf: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "group.protocol": protocol,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "reconnect.backoff.max.ms": 200,
            "fetch.wait.max.ms": 100,
            "log_level": 2,
        }
        if protocol == "classic":
            conf["session.timeout.ms"] = SESSION_TIMEOUT_MS
            conf["heartbeat.interval.ms"] = SESSION_TIMEOUT_MS // 6
            conf["partition.assignment.strategy"] = worker.chance.choice([
                "range,roundrobin", "roundrobin,range"
            ])  # fmt: skip
        self.consumer = confluent_kafka.Consumer(conf)
        self.consumer.subscribe(
            [EVENTS], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def _generation(self) -> int:
        packed = self.consumer.consumer_group_metadata()
        head, generation = _METADATA_HEAD.unpack_from(packed)
        assert head == b"CGMDv2:", packed
        return max(0, generation)

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        self._write_polled()
        generation = self._generation()
        keys = [KEYS[found.topic, found.partition] for found in partitions]
        self._journal.ok(Kind.OWN, [(key, 0, generation, -1) for key in keys])
        self._positions.update(dict.fromkeys(keys))

    def _revoked(self, consumer: Any, partitions: list[Any]) -> None:
        self._write_polled()
        if self._commits and self._worker.chooses(0.5):
            self.commit()
        self._lost(consumer, partitions)

    def _lost(self, consumer: Any, partitions: list[Any]) -> None:
        self._write_polled()
        keys = [KEYS[found.topic, found.partition] for found in partitions]
        for key in keys:
            self._positions.pop(key, None)
            self._committed.pop(key, None)
        self._batch = [entry for entry in self._batch if entry[0] not in keys]
        self._journal.ok(Kind.DISOWN, [(key, 0, 0, -1) for key in keys])

    def read(self) -> Entries:
        """Read some records, as history entries, of partitions that it still owns afterwards."""
        self._batch = []
        wanted = self._worker.chance.randrange(1, 80)
        deadline_s = time.monotonic() + POLL_S
        while len(self._batch) < wanted:
            # One by one: so it is known which came before a partition was given or taken.
            message = self.consumer.poll(max(0.0, deadline_s - time.monotonic()))
            if message is None:
                break
            error = message.error()
            if error is not None:
                if error.retriable() or error.code() in REJOINS:
                    continue
                raise confluent_kafka.KafkaException(error)
            key = KEYS[message.topic(), message.partition()]
            entry = (key, *read_value(message.value()), message.offset())
            self._batch.append(entry)
            self._unwritten.append(entry)
            self._positions[key] = message.offset() + 1
        self._write_polled()
        return self._batch

    def _write_polled(self) -> None:
        entries, self._unwritten = self._unwritten, []
        if entries:
            self._journal.ok(Kind.POLL, entries)

    @property
    def offsets(self) -> dict[int, int]:
        """Where it is in what it owns and has read of."""
        return {key: at for key, at in self._positions.items() if at is not None}

    def commit(self) -> None:
        """Commit what was read; what becomes of it is unknown unless it went well."""
        generation, offsets = self._generation(), self.offsets
        if offsets == self._committed or not offsets:
            return
        entries = [(key, 0, generation, offset) for key, offset in offsets.items()]
        operation = self._journal.invoke(Kind.COMMIT, entries)
        try:
            told = self.consumer.commit(
                offsets=[_place(key, at) for key, at in offsets.items()], asynchronous=False
            )
        except confluent_kafka.KafkaException as exception:
            self._journal.info(Kind.COMMIT, _code(exception), operation)
            return
        failed = [at.error for at in told if at.error is not None]
        if failed:
            self._journal.info(Kind.COMMIT, failed[0].code(), operation)
            return
        self._journal.ok(Kind.COMMIT, entries, operation)
        self._committed = offsets

    def ask_committed(self) -> dict[int, int] | None:
        """What the group has committed of what this member owns; None when it was not told."""
        operation = self._journal.invoke(Kind.COMMITTED)
        try:
            told = self.consumer.committed([_place(key) for key in self._positions], 10)
        except confluent_kafka.KafkaException as exception:
            self._journal.fail(Kind.COMMITTED, _code(exception), operation=operation)
            return None
        if any(at.error is not None for at in told):
            self._journal.fail(Kind.COMMITTED, 0, operation=operation)
            return None
        found = {KEYS[at.topic, at.partition]: max(at.offset, -1) for at in told}
        self._journal.ok(
            Kind.COMMITTED, [(key, 0, 0, offset) for key, offset in found.items()], operation
        )
        return found

    def rewind(self) -> bool:
        """Go on where the group has committed; False when nobody says where that is."""
        found = self.ask_committed()
        if found is None:
            return False
        try:
            for key, offset in found.items():
                self.consumer.seek(_place(key, max(offset, 0)))
                self._positions[key] = None
        except confluent_kafka.KafkaException as exception:
            if not (exception.args[0].retriable() or _code(exception) == _STATE):
                raise
            return False  # one that was given and is not read yet, as the server is away
        self._journal.ok(Kind.SEEK, [(key, 0, 0, max(at, 0)) for key, at in found.items()])
        return True


def belong_on_the_wire(worker: Worker, bootstrap: str, group: str, protocol: str) -> None:
    """Read events as a member and commit now and then; at least once."""
    member = WireMember(worker, bootstrap, group, protocol)
    while not worker.chooses(0.003):
        entries = member.read()
        if not entries or worker.chooses(0.5):
            member.commit()
        if worker.chooses(0.2):
            member.ask_committed()
        worker.turn()
    member.commit()
    member.consumer.close()
    worker.journal.ok(Kind.END)


class NothingToAbortError(Exception):
    """The requests that began a transaction went down with the server.

    The client counts them as sent and asks for an abort; a coordinator, Kafka's too, then answers
    INVALID_TXN_STATE, which is fatal to librdkafka: the process ends.
    """


class WireTransactions:
    """Transactions of a producer on the wire, written down.

    Args:
        worker: whose.
        bootstrap: of the server.
        transactional_id: of the producer.
    """

    def __init__(self, worker: Worker, bootstrap: str, transactional_id: str):
        self._journal = worker.journal
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "linger.ms": worker.chance.choice([0, 1, 5]),
            "reconnect.backoff.max.ms": 200,
            "log_level": 2,
        })  # fmt: skip
        self._txn = 0
        self._sent = 0
        self._delivered: Entries = []
        operation = self._journal.invoke(Kind.INIT_TXN)
        self._retried(self.producer.init_transactions, FLUSH_S)
        self._journal.ok(Kind.INIT_TXN, operation=operation)

    @staticmethod
    def _retried(call: Any, *arguments: Any) -> None:
        while True:
            try:
                call(*arguments)
                return
            except confluent_kafka.KafkaException as exception:
                sys.stderr.write(f"{call.__name__}: {exception}\n")
                sys.stderr.flush()
                if not exception.args[0].retriable():
                    raise

    def begin(self) -> None:
        """Begin the next one."""
        self.producer.begin_transaction()
        self._txn += 1
        self._journal.ok(Kind.BEGIN, txn=self._txn)

    def send(self, keys: list[int], sources: list[int]) -> None:
        """Send a record to each of these partitions, made of these inputs."""
        process, first = self._journal.process, self._sent
        self._sent += len(keys)
        entries = [
            (key, process, first + n, source)
            for n, (key, source) in enumerate(zip(keys, sources, strict=True))
        ]
        self._journal.invoke(Kind.PRODUCE, entries, txn=self._txn)
        for key, _, number, _ in entries:
            topic, partition = PARTITIONS[key]
            value = make_value(process, number)
            self.producer.produce(topic, value, partition=partition, on_delivery=self._note)

    def _note(self, error: Any, message: Any) -> None:
        if error is None:
            process, number = read_value(message.value())
            key = KEYS[message.topic(), message.partition()]
            self._delivered.append((key, process, number, message.offset()))

    def _write_results(self) -> None:
        self.producer.poll(0)
        told, self._delivered = self._delivered, []
        if told:
            self._journal.ok(Kind.PRODUCE, told, txn=self._txn)

    def send_offsets(self, member: WireMember, offsets: dict[int, int]) -> None:
        """Add the offsets of what was processed."""
        entries = [(key, 0, 0, offset) for key, offset in offsets.items()]
        operation = self._journal.invoke(Kind.SEND_OFFSETS, entries, txn=self._txn)
        places = [_place(key, offset) for key, offset in offsets.items()]
        # librdkafka (2.16) may never return from this when its coordinator has gone, whatever the
        # timeout: its issues 5456 and 5511. The process dies then, as its user would have it.
        signal.alarm(HANG_S)
        self._retried(
            self.producer.send_offsets_to_transaction,
            places,
            member.consumer.consumer_group_metadata(),
            FLUSH_S,
        )
        signal.alarm(0)
        self._journal.ok(Kind.SEND_OFFSETS, entries, operation, self._txn)

    def commit(self) -> None:
        """Commit it."""
        operation = self._journal.invoke(Kind.COMMIT_TXN, txn=self._txn)
        try:
            self._retried(self.producer.commit_transaction, FLUSH_S)
        except confluent_kafka.KafkaException as exception:
            error = exception.args[0]
            if error.txn_requires_abort():
                self._journal.fail(
                    Kind.COMMIT_TXN, error.code(), operation=operation, txn=self._txn
                )
            else:  # who has taken the id may have completed it
                self._journal.info(Kind.COMMIT_TXN, error.code(), operation, self._txn)
            raise
        self._write_results()
        self._journal.ok(Kind.COMMIT_TXN, (), operation, self._txn)

    def abort(self) -> None:
        """Abort it.

        Raises:
            NothingToAbortError: the coordinator knows of no transaction.
        """
        operation = self._journal.invoke(Kind.ABORT_TXN, txn=self._txn)
        try:
            self._retried(self.producer.abort_transaction, FLUSH_S)
        except confluent_kafka.KafkaException as exception:
            if _code(exception) == confluent_kafka.KafkaError.INVALID_TXN_STATE:
                raise NothingToAbortError from exception
            raise
        self._write_results()
        self._journal.ok(Kind.ABORT_TXN, (), operation, self._txn)


def copy_on_the_wire(
    worker: Worker, bootstrap: str, transactional_id: str, group: str, protocol: str
) -> None:
    """Read events as a member and write one copy of each, its offset in the same transaction."""
    try:
        transactions = WireTransactions(worker, bootstrap, transactional_id)
        member = WireMember(worker, bootstrap, group, protocol, commits=False)
        while True:
            entries = member.read()
            if entries and not _copy(worker, transactions, member, entries):
                while not member.rewind():
                    worker.turn()
            worker.turn()
    except confluent_kafka.KafkaException as exception:
        code = _code(exception)
        if code not in FENCED:
            raise
        worker.journal.fail(Kind.END, code)
    except NothingToAbortError:
        worker.journal.fail(Kind.END, confluent_kafka.KafkaError.INVALID_TXN_STATE)


def _copy(
    worker: Worker, transactions: WireTransactions, member: WireMember, entries: Entries
) -> bool:
    transactions.begin()
    try:
        transactions.send(
            [worker.chance.choice(COPY_KEYS) for _ in entries],
            [make_source(key, offset) for key, _, _, offset in entries],
        )
        transactions.send_offsets(member, {key: offset + 1 for key, _, _, offset in entries})
        if not worker.chooses(0.15):
            transactions.commit()
            return True
    except confluent_kafka.KafkaException as exception:
        if not exception.args[0].txn_requires_abort():
            raise
    transactions.abort()
    return False


def write_in_java(worker: Worker, command: list[str], bootstrap: str, notes: str) -> None:
    """Become the Java program, which goes on with this process's history."""
    process = worker.journal.process
    (history,) = Path(notes).glob(f"{process:06d}-*{SUFFIX}")
    seed = str(worker.chance.getrandbits(32))
    worker.journal.close()
    arguments = [bootstrap, str(history), str(process), seed, "java", EVENTS]
    command = [*command, *arguments, str(len(EVENT_KEYS))]
    os.execvp(command[0], command)


def read_on_the_wire(bootstrap: str, journal: Any, isolation: str) -> None:
    """Read all partitions from the beginning to the end, as the embedded final reading does."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "none",
        "isolation.level": isolation,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
        "log_level": 2,
    })  # fmt: skip
    unfinished = set(range(len(PARTITIONS)))
    journal.ok(Kind.ASSIGN, [(key, 0, 0, 0) for key in unfinished])
    consumer.assign([_place(key, 0) for key in unfinished])
    deadline_s = time.monotonic() + READ_S
    while unfinished:
        assert time.monotonic() < deadline_s, f"{unfinished} do not end as {isolation}"
        entries: Entries = []
        for message in consumer.consume(1000, POLL_S):
            error = message.error()
            key = KEYS[message.topic(), message.partition()]
            if error is None:
                entries.append((key, *read_value(message.value()), message.offset()))
            elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                unfinished.discard(key)
            else:
                raise confluent_kafka.KafkaException(error)
        journal.ok(Kind.POLL, entries)
    consumer.close()
