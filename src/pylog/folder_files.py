"""The text files of a folder: pylog.meta and one for each topic. `key=value` lines, UTF-8.

    pylog.meta         version, cluster.id, auto.create.topics.enable, num.partitions
    .topics/<topic>    version, topic.name, topic.id, partitions, replication.factor, config.<name>
    .pending/          where they are written

Each is written elsewhere, synced and renamed into its place, so a reader finds an old one or a new
one. Keys that are not known are kept out of the way: a newer version may have written them.
"""

import contextlib
import errno
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from logcore import layout
from logcore.errors import LogError, LogIOError, UnsupportedFileSystemError, UnsupportedFormatError
from logcore.file_system import network_file_system
from logcore.partition_metadata import decode_uuid, encode_uuid

FORMAT_VERSION = 1
FOLDER_CONFIGS = {"auto.create.topics.enable": "true", "num.partitions": "1"}
MAX_PARTITIONS = 20_000

TOPICS_DIR = ".topics"
PENDING_DIR = ".pending"

_HARMLESS = frozenset({"lost+found", PENDING_DIR})
# Trouble of the process, not of the file that it could not read.
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR})
# A file or folder this young may change again within one tick of the clock that stamps it: 10 ms
# at most, but two seconds where file systems keep whole seconds.
_SETTLE_NS = 100_000_000
_COARSE_SETTLE_NS = 2_500_000_000


@dataclass(frozen=True, slots=True)
class TopicMetadata:
    """What is known of a topic.

    Attributes:
        name: of the topic.
        topic_id: made when the topic was created; another one after it was deleted and made anew.
        partitions: how many.
        configs: Kafka's topic configs that were set for it, as text.
        replication_factor: what a client that made it through a server asked for, and is told;
            there is one copy.
    """

    name: str
    topic_id: uuid.UUID
    partitions: int
    configs: Mapping[str, str] = field(default_factory=dict)
    replication_factor: int = 1


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_properties(path: str, properties: Mapping[str, str]) -> None:
    """Write a file of `key=value` lines and sync it; one that cannot be written is removed."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.writelines(f"{key}={value}\n" for key, value in properties.items())
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def read_properties(path: str) -> dict[str, str]:
    """Read a file of `key=value` lines."""
    with open(path, encoding="utf-8", errors="replace") as file:
        pairs = (line.rstrip("\n").partition("=") for line in file if "=" in line)
        return {key: value for key, _, value in pairs}


# ---- pylog.meta ----


def open_meta(path: str, *, create: bool, allow_network_file_system: bool) -> dict[str, str]:
    """Check that a folder is ours, or make it so. Returns the properties of its pylog.meta.

    Raises:
        UnsupportedFormatError: nothing there, not ours, a newer format, damaged.
        LogIOError: not a folder.
        UnsupportedFileSystemError: on a network file system.
    """
    meta_path = os.path.join(path, layout.META_FILE)
    if os.path.lexists(path) and not os.path.isdir(path):
        raise LogIOError(f"{path}: not a folder", errno=errno.ENOTDIR, path=path)
    if create:
        os.makedirs(path, mode=0o700, exist_ok=True)
    elif not os.path.isdir(path):
        raise UnsupportedFormatError(f"{path}: no such folder")
    kind = network_file_system(path)
    if kind and not allow_network_file_system:
        raise UnsupportedFileSystemError(
            f"{path}: on a network file system ({kind}), where processes of several machines do "
            "not see each other's locks. Use a local disk, or pass allow_network_file_system=True "
            "if only this machine opens it"
        )
    if create and not os.path.exists(meta_path):
        _make_meta(path, meta_path)
    return read_meta(path)


def read_meta(path: str) -> dict[str, str]:
    """Read and check a folder's pylog.meta."""
    meta_path = os.path.join(path, layout.META_FILE)
    try:
        meta = read_properties(meta_path)
    except FileNotFoundError:
        raise UnsupportedFormatError(
            f"{path}: not a pylog folder: it has no {layout.META_FILE}"
        ) from None
    _check_version(meta_path, meta)
    if not meta.get("cluster.id"):
        _refuse_meta(meta_path, "it names no cluster.id")
    count = meta.get("num.partitions", "1")
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MAX_PARTITIONS):
        _refuse_meta(meta_path, f"num.partitions={count} is not 1 to {MAX_PARTITIONS}")
    return meta


def _refuse_meta(meta_path: str, reason: str) -> NoReturn:
    raise UnsupportedFormatError(f"{meta_path}: damaged: {reason}")


def _check_version(path: str, properties: Mapping[str, str]) -> None:
    version = properties.get("version", "")
    if not (version.isascii() and version.isdigit()):
        raise UnsupportedFormatError(f"{path}: damaged: it names no version")
    if int(version) > FORMAT_VERSION:
        raise UnsupportedFormatError(
            f"{path}: has format version {version}, this pylog reads up to {FORMAT_VERSION}: "
            "install a newer pylog-stream"
        )


def _make_meta(path: str, meta_path: str) -> None:
    strangers = [name for name in os.listdir(path) if name not in _HARMLESS]
    if strangers and not os.path.exists(meta_path):  # else another process made it meanwhile
        raise UnsupportedFormatError(
            f"{path}: not a pylog folder: it holds {min(strangers)!r}; choose an empty or "
            "new folder"
        )
    properties = {
        "version": str(FORMAT_VERSION),
        "cluster.id": encode_uuid(uuid.uuid4()),
        **FOLDER_CONFIGS,
    }
    # There it is cleared away if this process dies (folder_changes.py).
    os.makedirs(os.path.join(path, PENDING_DIR), mode=0o700, exist_ok=True)
    temporary = os.path.join(path, PENDING_DIR, uuid.uuid4().hex)
    write_properties(temporary, properties)
    # Another process may be first, its file counts; and then it may have cleared away ours.
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        os.link(temporary, meta_path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    sync_folder(path)


# ---- topics ----


def write_topic(path: str, topic: TopicMetadata) -> None:
    """Write a topic's file."""
    properties = {
        "version": str(FORMAT_VERSION),
        "topic.name": topic.name,
        "topic.id": encode_uuid(topic.topic_id),
        "partitions": str(topic.partitions),
        **_replication_factor(topic),
        **{f"config.{key}": value for key, value in topic.configs.items()},
    }
    write_properties(path, properties)


def _replication_factor(topic: TopicMetadata) -> dict[str, str]:
    count = topic.replication_factor
    return {} if count == 1 else {"replication.factor": str(count)}


def read_topic(path: str) -> TopicMetadata:
    """Read a topic's file.

    Raises:
        UnsupportedFormatError: it is none, or a newer version's.
        FileNotFoundError: there is none.
    """
    properties = read_properties(path)
    _check_version(path, properties)
    try:
        topic = TopicMetadata(
            properties["topic.name"],
            decode_uuid(properties["topic.id"]),
            int(properties["partitions"]),
            {
                key.removeprefix("config."): value
                for key, value in properties.items()
                if key.startswith("config.")
            },
            int(properties.get("replication.factor", "1")),
        )
        layout.validate_topic_name(topic.name)
        if not 1 <= topic.partitions <= MAX_PARTITIONS:
            raise ValueError(f"partitions={topic.partitions}")
    except (KeyError, ValueError) as error:
        raise UnsupportedFormatError(f"{path}: not a topic's file ({error})") from None
    return topic


@dataclass(frozen=True, slots=True)
class _Entry:
    stamp: tuple[int, ...]
    is_settled: bool
    topic: TopicMetadata | None
    fault: LogError | None


class TopicTable:
    """The topics of a folder, as its files say. Looking again costs one stat(2) if all is quiet.

    Attributes:
        topics: by name, as of the last `refresh`.
        faults: what is wrong with the files of other topics, by name.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self.topics: dict[str, TopicMetadata] = {}
        self.faults: dict[str, LogError] = {}
        self._entries: dict[str, _Entry] = {}
        self._stamp: tuple[int, ...] = ()
        self._is_settled = False

    def refresh(self) -> bool:
        """Read what changed since the last time: True if anything did."""
        now_ns = time.time_ns()
        try:
            status = os.stat(self.folder)
        except FileNotFoundError:
            had_topics = bool(self.topics)
            self._take({})
            self._is_settled = False
            return had_topics
        stamp = (status.st_ino, status.st_mtime_ns)
        if stamp == self._stamp and self._is_settled:
            return False
        before = self.topics
        self._take(self._scan(now_ns))
        self._stamp = stamp
        self._is_settled = is_settled(status.st_mtime_ns, now_ns)
        return self.topics != before

    def _take(self, entries: dict[str, _Entry]) -> None:
        self._entries = entries
        self.topics = {name: entry.topic for name, entry in entries.items() if entry.topic}
        self.faults = {name: entry.fault for name, entry in entries.items() if entry.fault}

    def _scan(self, now_ns: int) -> dict[str, _Entry]:
        entries = {}
        with os.scandir(self.folder) as found:
            for item in found:
                try:
                    layout.validate_topic_name(item.name)
                    entries[item.name] = self._look(item, now_ns)
                except (ValueError, FileNotFoundError):
                    continue  # a stranger; deleted meanwhile
        return entries

    def _look(self, item: "os.DirEntry[str]", now_ns: int) -> _Entry:
        status = item.stat(follow_symlinks=False)
        stamp = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        known = self._entries.get(item.name)
        if known is not None and known.stamp == stamp and known.is_settled:
            return known
        topic, fault = None, None
        try:
            topic = read_topic(item.path)
            if topic.name != item.name:
                raise UnsupportedFormatError(f"{item.path}: is the file of topic {topic.name}")
        except FileNotFoundError:
            raise
        except (LogError, OSError) as error:
            if getattr(error, "errno", None) in _PASSING:
                raise
            topic = None
            fault = error if isinstance(error, LogError) else UnsupportedFormatError(str(error))
        was_settled = is_settled(max(status.st_mtime_ns, status.st_ctime_ns), now_ns)
        return _Entry(stamp, was_settled, topic, fault)


def is_settled(changed_ns: int, now_ns: int) -> bool:
    """Whether a change after now would bear another time.

    Args:
        changed_ns: the time that a file or folder bears.
        now_ns: of the same clock.
    """
    is_coarse = changed_ns % 1_000_000_000 == 0
    return changed_ns < now_ns - (_COARSE_SETTLE_NS if is_coarse else _SETTLE_NS)
