"""Workers that only read, partitions that they chose themselves."""

from tests.model.history import Journal, Kind
from tests.model.layout import PARTITIONS, partition
from tests.model.worker import Worker, entries_of

import pylog
from pylog import KafkaError

# How far back from the end a reader begins, at most.
_BACK = 100
_FINAL_BATCH = 5000
_FINAL_WAIT_S = 30.0


def read(worker: Worker, isolation: str) -> None:
    """Read for ever, here and there."""
    chance = worker.chance
    consumer = pylog.Consumer({
        "log.dir": worker.folder,
        "group.id": "none",
        "isolation.level": isolation,
        "enable.auto.commit": False,
    })  # fmt: skip
    while True:
        _assign(worker, consumer)
        while not worker.chooses(0.01):
            worker.turn("read")
            messages = consumer.consume(chance.randrange(1, 60), 0.05)
            if messages:
                worker.journal.ok(Kind.POLL, entries_of(messages))
            worker.think(0.002)
            if worker.chooses(0.03):
                _pause_some(worker, consumer)


def _assign(worker: Worker, consumer: pylog.Consumer) -> None:
    chance = worker.chance
    keys = chance.sample(range(len(PARTITIONS)), chance.randrange(1, len(PARTITIONS) + 1))
    wanted = []
    for key in keys:
        low, high = consumer.get_watermark_offsets(partition(key))
        wanted.append((key, max(low, high - chance.randrange(_BACK))))
    consumer.assign([partition(key, offset) for key, offset in wanted])
    worker.journal.ok(Kind.ASSIGN, [(key, 0, 0, offset) for key, offset in wanted])


def _pause_some(worker: Worker, consumer: pylog.Consumer) -> None:
    assigned = consumer.assignment()
    paused = worker.chance.sample(assigned, worker.chance.randrange(len(assigned)))
    consumer.pause(paused)
    consumer.resume([found for found in assigned if found not in paused])


def read_all(folder: str, journal: Journal, isolation: str) -> None:
    """The final reading: every partition from its beginning to its end."""
    consumer = pylog.Consumer({
        "log.dir": folder,
        "group.id": "none",
        "isolation.level": isolation,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    })  # fmt: skip
    for key in range(len(PARTITIONS)):
        consumer.assign([partition(key, 0)])
        is_end = False
        while not is_end:
            messages: list[pylog.Message] = []
            while len(messages) < _FINAL_BATCH and not is_end:
                message = consumer.poll(_FINAL_WAIT_S)
                assert message is not None, f"{PARTITIONS[key]} does not end as {isolation}"
                error = message.error()
                is_end = error is not None and error.code() == KafkaError._PARTITION_EOF
                if not is_end:
                    messages.append(message)
            journal.ok(Kind.POLL, entries_of(messages))
    consumer.close()
