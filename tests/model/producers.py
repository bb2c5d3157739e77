"""Workers that only write: plain and idempotent."""

from tests.model.layout import EVENT_KEYS
from tests.model.worker import Sender, Worker

import pylog


def produce(worker: Worker, is_idempotent: bool) -> None:
    """Send records to the events for ever."""
    chance = worker.chance
    config = {
        "log.dir": worker.folder,
        "acks": "all" if is_idempotent else chance.choice([0, 1, "all"]),
        "linger.ms": chance.choice([0, 1, 5]),
        "batch.size": chance.choice([500, 16384]),
        "compression.type": chance.choice(["none", "none", "lz4", "zstd"]),
        "enable.idempotence": is_idempotent,
    }
    sender = Sender(worker, pylog.Producer(config))
    while True:
        keys = chance.sample(EVENT_KEYS, chance.randrange(1, len(EVENT_KEYS) + 1))
        sender.send([chance.choice(keys) for _ in range(chance.randrange(1, 7))])
        sender.settle(flush=worker.chooses(0.3))
        worker.turn()
        worker.think(0.006)
