"""Producer ids: numbers that no two producers of a folder have, whatever crashes when.

    <folder>/.producer-ids     {"version":1,"broker":0,"block_start":"1000","block_end":"1999"}

A process takes a block of BLOCK_SIZE ids and gives them out from memory. The file names the block
that was taken last; it is on the disk before the first id of the block is used, so an id is never
given out again: what a process did not use of its block is lost. The text is that of Kafka's
producer id blocks. Blocks are taken one process at a time, under the folder's lock.

Source: Kafka RPCProducerIdManager, ProducerIdsBlock, ProducerIdBlockZNode.
"""

import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING, NoReturn

from logcore import small_files
from logcore.errors import CorruptRecordError, LogError
from pylog.errors import KafkaError
from pylog.folder_changes import LOCK_FILE, lock_file
from pylog.folder_errors import as_kafka_exception, refuse

if TYPE_CHECKING:
    from pylog.log_dir import LogDir

PRODUCER_IDS_FILE = ".producer-ids"
BLOCK_SIZE = 1000
_LOCK_TIMEOUT_MS = 30_000
_VERSION = 1


class ProducerIds:
    """Gives out producer ids of one folder. Use `log_dir.attached(ProducerIds)`. Thread-safe."""

    def __init__(self, log_dir: "LogDir") -> None:
        self._folder = log_dir.path
        self._path = os.path.join(log_dir.path, PRODUCER_IDS_FILE)
        self._lock = threading.Lock()
        self._process_id = os.getpid()
        self._next = self._end = 0

    def take(self) -> int:
        """Return an id that nobody has and nobody will get.

        Raises:
            KafkaException: the disk is full or fails, the file is damaged, or another process
                holds the folder's lock.
        """
        with self._lock:
            if self._process_id != os.getpid():  # a forked child: the block is its parent's
                self._process_id = os.getpid()
                self._next = self._end = 0
            if self._next == self._end:
                self._take_block()
            self._next += 1
            return self._next - 1

    def was_given_out(self, producer_id: int) -> bool:
        """Return whether an id is of a block that some process of this folder took."""
        try:
            return 0 <= producer_id < self._read_end()
        except (LogError, OSError) as error:
            raise as_kafka_exception(error, self._folder) from error

    def _take_block(self) -> None:
        try:
            fd = lock_file(os.path.join(self._folder, LOCK_FILE), _LOCK_TIMEOUT_MS)
            try:
                start = self._read_end()
                block = {
                    "version": _VERSION,
                    "broker": 0,
                    "block_start": str(start),
                    "block_end": str(start + BLOCK_SIZE - 1),
                }
                small_files.replace_text(self._path, json.dumps(block, separators=(",", ":")))
            finally:
                # Said aloud: a child that was forked meanwhile may have a copy of the descriptor.
                fcntl.flock(fd, fcntl.LOCK_UN)
                os.close(fd)
        except (LogError, OSError) as error:
            raise as_kafka_exception(error, self._folder) from error
        self._next, self._end = start, start + BLOCK_SIZE

    def _read_end(self) -> int:
        """First id that no block holds."""
        try:
            text = small_files.read_text(self._path)
        except FileNotFoundError:
            return 0
        except CorruptRecordError as error:
            _refuse_damaged(self._path, str(error))
        try:
            block = json.loads(text)
            version, end = block["version"], int(block["block_end"]) + 1
        except (ValueError, KeyError, TypeError):
            _refuse_damaged(self._path, "not a producer id block")
        if version != _VERSION or end < 1:
            _refuse_damaged(self._path, f"version {version}, end {end}")
        return end


def _refuse_damaged(path: str, fault: str) -> NoReturn:
    refuse(
        KafkaError._BAD_MSG,
        f"{path}: {fault}; no id may be given out twice: write into block_end a number that is "
        'above every producer id in the folder, as {"version":1,"broker":0,"block_start":"0",'
        '"block_end":"999999"}',
    )
