"""Workers that compact the topics that groups and transactions are kept in, while they are used."""

from tests.model.history import Kind
from tests.model.worker import Worker

from logcore import compaction
from logcore.log import Log
from pylog.internal_topics import INTERNAL_TOPICS, open_partition
from pylog.log_dir import LogDir

# So that there is something to clean: small segments, and nothing is too young.
CONFIGS = {
    "internal.segment.bytes": "20000",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": "100",
}


def configure(log_dir: LogDir) -> None:
    """Make the topics, so that they are compacted during the run."""
    for topic in sorted(INTERNAL_TOPICS):
        open_partition(log_dir, topic, "")
        log_dir.alter_configs(topic, CONFIGS)


def clean(worker: Worker) -> None:
    """Roll and compact for ever."""
    with LogDir.open(worker.folder) as log_dir:
        logs = [log for topic in sorted(INTERNAL_TOPICS) for log in log_dir.partitions(topic)]
        while True:
            worker.think(0.1)
            log = worker.chance.choice(logs)
            if worker.chooses(0.3):
                log.roll()
            worker.dawdle("clean")
            _compact(worker, log)
            worker.turn()


def _compact(worker: Worker, log: Log) -> None:
    if not log.try_cleaning():
        return
    try:
        if compaction.compact(log) is not None:
            worker.journal.ok(Kind.CLEAN)
    finally:
        log.end_cleaning()
