"""KeptEpochs: the leader epochs of partitions that are not open here, as their files say.

A client that knows a higher epoch than it is told takes no notice of what else it is told. To open
a partition only to tell its epoch would cost milliseconds; a file that has not changed costs one
stat(2). Where a recovery is due, the epoch rises when the partition is opened.
"""

import os

from logcore import layout
from logcore.errors import LogError
from logcore.leader_epochs import read

MAX_KEPT = 50_000


class KeptEpochs:
    """Leader epochs by partition.

    Args:
        folder: of the log.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._found: dict[tuple[str, int], tuple[tuple[int, ...], int]] = {}

    def of(self, topic: str, partition: int) -> int:
        """The epoch of a partition; 0 where no file says one."""
        name = layout.partition_dir_name(topic, partition)
        path = os.path.join(self._folder, name, layout.LEADER_EPOCH_FILE)
        try:
            status = os.stat(path)
            stamp = status.st_ino, status.st_mtime_ns, status.st_size
            stamp_found, epoch = self._found.get((topic, partition), ((), 0))
            if stamp != stamp_found:
                epoch = max((epoch for epoch, _ in read(path)), default=0)
                if len(self._found) >= MAX_KEPT:
                    self._found.clear()
                self._found[topic, partition] = stamp, epoch
        except (OSError, LogError):
            return 0
        return epoch
