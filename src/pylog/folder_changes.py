"""FolderChanges: how topics come and go on the disk, one change at a time, whoever dies when.

    <folder>/.lock                   flock: one process at a time changes the set of topics
    <folder>/.topics/<topic>         one topic that is there
    <folder>/.pending/<uuid>         a topic that is being made, grown or deleted
    <folder>/.deleted/<uuid>         partitions on their way out

A topic is there from the moment its file is renamed into `.topics`, after its partitions were made;
it is gone from the moment its file is renamed out, before they go. What a file of `.pending` names
and `.topics` does not is the work of a process that died: the next one that changes something
clears it away, and nothing else: a partition's folder whose topic id is another is never touched.
"""

import contextlib
import fcntl
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from logcore import layout, partition_metadata
from logcore.errors import LockTimeoutError, LogError, UnsupportedFormatError
from logcore.log import Log
from pylog.errors import KafkaError
from pylog.folder_configs import log_config
from pylog.folder_errors import refuse
from pylog.folder_files import (
    PENDING_DIR,
    TopicMetadata,
    TopicTable,
    read_topic,
    sync_folder,
    write_properties,
    write_topic,
)

DELETED_DIR = ".deleted"
LOCK_FILE = ".lock"


class FolderChanges:
    """The only writer of a folder's topics. Everything but `has_leftovers` is done in `exclusive`.

    Args:
        path: of the folder.
        table: of its topics; refreshed before anything is cleared away.
        options: for logcore.Log.
    """

    def __init__(self, path: str, table: TopicTable, options: dict[str, Any]):
        self.path = path
        self._table = table
        self._options = options
        self._thread_lock = threading.Lock()
        self._lock_fd = -1

    def forget_parent(self) -> None:
        """In a forked child: give up a lock that the parent's descriptor holds."""
        self._thread_lock = threading.Lock()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def has_leftovers(self) -> bool:
        """Whether a topic is being changed, by a living process or a dead one."""
        return bool(_names(os.path.join(self.path, PENDING_DIR)))

    @contextlib.contextmanager
    def exclusive(self, timeout_ms: int) -> Iterator[None]:
        """One process and thread at a time; leftovers are cleared away first.

        Raises:
            LockTimeoutError: another one took longer than `timeout_ms`.
        """
        with self._thread_lock:
            self._lock_fd = lock_file(os.path.join(self.path, LOCK_FILE), timeout_ms)
            try:
                for name in (PENDING_DIR, DELETED_DIR):
                    os.makedirs(os.path.join(self.path, name), mode=0o700, exist_ok=True)
                self._sweep()
                yield
            finally:
                fd, self._lock_fd = self._lock_fd, -1
                # Said aloud: a child that was forked meanwhile may have a copy of the descriptor.
                fcntl.flock(fd, fcntl.LOCK_UN)
                os.close(fd)
        deleted = os.path.join(self.path, DELETED_DIR)
        for name in _names(deleted):
            shutil.rmtree(os.path.join(deleted, name), ignore_errors=True)

    def make(self, metadata: TopicMetadata, first: int) -> None:
        """Make partitions from `first` on, and then the topic as `metadata` says; or nothing."""
        paths = [
            self.partition_path(metadata.name, number)
            for number in range(first, metadata.partitions)
        ]
        for path in paths:
            if os.path.lexists(path):
                refuse(
                    KafkaError._FS,
                    f"{path} is in the way: it belongs to no topic of this folder; move it away",
                )
        pending = self._pending_path()
        write_topic(pending, metadata)
        try:
            sync_folder(os.path.dirname(pending))
            config = log_config(metadata)
            for path in paths:
                # Closed at once: thousands of partitions do not fit a process's descriptors.
                Log(path, config, topic_id=metadata.topic_id, **self._options).close()
            self._publish(pending, metadata.name)
        except BaseException:
            with contextlib.suppress(OSError):
                self._sweep()
            raise

    def remove(self, metadata: TopicMetadata) -> None:
        """Delete a topic."""
        pending = self._pending_path()
        os.rename(self._topic_path(metadata.name), pending)
        sync_folder(os.path.dirname(pending))
        sync_folder(self._table.folder)
        self._remove_partitions(metadata, 0)
        os.unlink(pending)

    def replace(self, metadata: TopicMetadata) -> None:
        """Give a topic that is there other configs."""
        pending = self._pending_path()
        write_topic(pending, metadata)
        self._publish(pending, metadata.name)

    def replace_meta(self, properties: dict[str, str]) -> None:
        """Write pylog.meta anew."""
        pending = self._pending_path()
        write_properties(pending, properties)
        os.rename(pending, os.path.join(self.path, layout.META_FILE))
        sync_folder(self.path)

    def partition_path(self, topic: str, partition: int) -> str:
        """A partition's folder."""
        return os.path.join(self.path, layout.partition_dir_name(topic, partition))

    def _topic_path(self, name: str) -> str:
        return os.path.join(self._table.folder, name)

    def _pending_path(self) -> str:
        return os.path.join(self.path, PENDING_DIR, uuid.uuid4().hex)

    def _publish(self, pending: str, name: str) -> None:
        os.makedirs(self._table.folder, mode=0o700, exist_ok=True)
        os.rename(pending, self._topic_path(name))
        sync_folder(self._table.folder)
        sync_folder(self.path)

    def _sweep(self) -> None:
        """Clear away what a process that died half-way was making or deleting."""
        folder = os.path.join(self.path, PENDING_DIR)
        for name in _names(folder):
            path = os.path.join(folder, name)
            with contextlib.suppress(UnsupportedFormatError):  # not written to its end
                pending = read_topic(path)
                self._remove_partitions(pending, self._published_partitions(pending))
            os.unlink(path)

    def _published_partitions(self, pending: TopicMetadata) -> int:
        """How many partitions of a pending topic are there for good."""
        try:
            known = read_topic(self._topic_path(pending.name))
        except FileNotFoundError:
            return 0
        return known.partitions if known.topic_id == pending.topic_id else 0

    def _remove_partitions(self, metadata: TopicMetadata, first: int) -> None:
        """Take away the partitions of a topic, from number `first` on, whoever has them open."""
        for number in range(first, metadata.partitions):
            path = self.partition_path(metadata.name, number)
            if not _belongs(path, metadata.topic_id):
                continue
            with contextlib.suppress(LogError, OSError):  # who cannot open it cannot append to it
                log = Log(path, create=False, **self._options)
                try:
                    log.mark_deleted()
                finally:
                    log.close()
            try:
                os.rename(path, os.path.join(self.path, DELETED_DIR, uuid.uuid4().hex))
            except OSError:  # no room for a name
                shutil.rmtree(path, ignore_errors=True)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _belongs(path: str, topic_id: uuid.UUID) -> bool:
    """Whether a partition's folder is of a topic: by its id, or by holding nothing at all yet."""
    metadata_path = os.path.join(path, layout.PARTITION_METADATA_FILE)
    try:
        return partition_metadata.read(metadata_path) == topic_id
    except (FileNotFoundError, NotADirectoryError):
        begun = os.path.basename(metadata_path) + layout.TEMPORARY_SUFFIX
        return os.path.isdir(path) and set(_names(path)) <= {begun}
    except LogError:
        return False  # damaged metadata: whose it is cannot be told. Other errors are the caller's


def lock_file(path: str, timeout_ms: int) -> int:
    """Take the lock that a file stands for: the descriptor that holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline_s = time.monotonic() + timeout_ms / 1000
    pause_s = 0.0005
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    owner = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                    raise LockTimeoutError(
                        f"{path}: held for {timeout_ms / 1000:g} s by process {owner}, which is "
                        "alive; it may be stopped"
                    ) from None
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 0.05)
        with contextlib.suppress(OSError):  # for messages only
            os.pwrite(fd, f"{os.getpid():<20}".encode(), 0)
    except BaseException:
        os.close(fd)
        raise
    return fd
