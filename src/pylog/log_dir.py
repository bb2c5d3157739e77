"""LogDir: a folder of topics, each a set of partitions.

    <folder>/pylog.meta              format version, cluster id, defaults; text, `key=value`
    <folder>/.pylog.state            the bell (WakeWord) that rings with each append and change
    <folder>/.topics/<topic>         one topic: id, partition count, configs; text, `key=value`
    <folder>/<topic>-<partition>/    a partition: logcore.Log

A topic exists from the moment its file is renamed into place, after its partitions; it is gone from
the moment the file is unlinked, before them. One LogDir a process and folder, shared by its clients.
"""

import contextlib
import fcntl
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from logcore import layout
from logcore.config import ConfigError, LogConfig
from logcore.errors import (
    LogClosedError,
    LogError,
    ReadOnlyError,
    UnsupportedFileSystemError,
    UnsupportedFormatError,
    error_from_errno,
)
from logcore.file_system import network_file_system
from logcore.log import Log
from logcore.partition_metadata import decode_uuid, encode_uuid
from logcore.shared import WakeWord
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.housekeeper import Housekeeper

FORMAT_VERSION = 1
TOPICS_DIR = ".topics"
LOCK_FILE = ".lock"
MAX_PARTITIONS = 20_000

_open_dirs: dict[tuple[str, bool], "LogDir"] = {}
_open_dirs_lock = threading.RLock()


@dataclass(frozen=True, slots=True)
class TopicMetadata:
    """What is known of a topic.

    Attributes:
        name: of the topic.
        topic_id: made when the topic was created; another one after it was deleted and made anew.
        partitions: how many.
        configs: Kafka's topic configs that were set for it, as text.
    """

    name: str
    topic_id: uuid.UUID
    partitions: int
    configs: Mapping[str, str] = field(default_factory=dict)


class LogDir:
    """A folder of topics. Use `LogDir.open`; `close` gives one use back."""

    def __init__(self, path: str, *, create: bool, read_only: bool, options: dict[str, Any]):
        self.path = path
        self.is_read_only = read_only
        self._options = options
        self._uses = 0
        self._process_id = os.getpid()
        self._lock = threading.RLock()
        self._logs: dict[tuple[str, int], Log] = {}
        self._topics: dict[str, TopicMetadata] = {}
        self._topics_stamp: object = None
        self.meta = _open_meta(path, create=create and not read_only)
        self.notify: WakeWord | None = None
        self._housekeeper: Housekeeper | None = None
        if not read_only:
            self.notify = WakeWord(os.path.join(path, layout.DIR_STATE_FILE))
            self._housekeeper = Housekeeper(self)

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], create: bool = True, read_only: bool = False,
        **options: Any,
    ) -> "LogDir":  # fmt: skip
        """Open a folder, or take part in it where this process has it open.

        Args:
            path: of the folder; made when missing.
            create: False raises KafkaException where there is none.
            read_only: look only; works on a read-only file system.
            options: for logcore.Log: recovery, lock_timeout_ms, allow_network_file_system.

        Raises:
            KafkaException: not ours, a newer format, not writable, on a network file system.
        """
        try:
            real_path = os.path.realpath(os.fspath(path))
        except TypeError as error:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, str(error))) from None
        key = (real_path, read_only)
        with _open_dirs_lock:
            log_dir = _open_dirs.get(key)
            if log_dir is None or log_dir._process_id != os.getpid():
                try:
                    log_dir = cls(real_path, create=create, read_only=read_only, options=options)
                except (LogError, OSError) as error:
                    raise from_log_error(_as_log_error(error, real_path)) from error
                _open_dirs[key] = log_dir
            log_dir._uses += 1
            return log_dir

    def close(self) -> None:
        """Give one use back; the last one closes the partitions, durable, with a recovery mark."""
        with _open_dirs_lock:
            self._uses -= 1
            if self._uses > 0:
                return
            if _open_dirs.get((self.path, self.is_read_only)) is self:
                del _open_dirs[(self.path, self.is_read_only)]
            if self._housekeeper is not None and self._process_id == os.getpid():
                self._housekeeper.stop()
            logs = list(self._logs.values())
            self._logs.clear()
        first: LogError | None = None
        for log in logs:
            try:
                if not self.is_read_only:
                    log.write_recovery_mark()
            except LogClosedError:
                pass  # deleted meanwhile
            except LogError as error:
                first = first or error
            finally:
                log.close()
        if first is not None:
            raise from_log_error(first) from first

    def __enter__(self) -> "LogDir":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def cluster_id(self) -> str:
        """Made when the folder was."""
        return self.meta.get("cluster.id", "")

    # ---- topics ----

    def topics(self) -> dict[str, TopicMetadata]:
        """Metadata of every topic, by name, as it is now."""
        folder = os.path.join(self.path, TOPICS_DIR)
        with self._lock:
            try:
                status = os.stat(folder)
            except FileNotFoundError:
                return {}
            # A rename or unlink in the folder changes its mtime; the inode counter of a file that
            # was replaced within one tick differs too, so names are listed with their inodes.
            stamp = (
                status.st_mtime_ns,
                tuple(sorted((entry.name, entry.inode()) for entry in os.scandir(folder))),
            )
            if stamp != self._topics_stamp:
                self._topics = {topic.name: topic for topic in _read_topics(folder)}
                self._topics_stamp = stamp
                self._forget_deleted()
            return dict(self._topics)

    def topic(self, name: str) -> TopicMetadata:
        """Metadata of one topic.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART, or _INVALID_ARG for a name that is none.
        """
        _check_name(name)
        known = self.topics().get(name)
        if known is None:
            raise KafkaException(
                KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"no topic {name!r} in {self.path}")
            )
        return known

    def _forget_deleted(self) -> None:
        """Close the partitions of topics that are gone or were made anew, and reconfigure."""
        for (name, partition), log in list(self._logs.items()):
            known = self._topics.get(name)
            if known is None or partition >= known.partitions:
                del self._logs[(name, partition)]
            else:
                config = LogConfig.from_properties(known.configs)
                if config != log.config:
                    log.reconfigure(config)

    def create_topic(
        self, name: str, partitions: int = 1, configs: Mapping[str, Any] | None = None
    ) -> TopicMetadata:
        """Make a topic.

        Raises:
            KafkaException: TOPIC_ALREADY_EXISTS, TOPIC_EXCEPTION (name), INVALID_PARTITIONS,
                INVALID_CONFIG, POLICY_VIOLATION (a name that another topic could be taken for).
        """
        _check_name(name)
        if not 1 <= partitions <= MAX_PARTITIONS:
            raise KafkaException(
                KafkaError(
                    KafkaError.INVALID_PARTITIONS,
                    f"a topic has 1 to {MAX_PARTITIONS} partitions, not {partitions}",
                )
            )
        properties = _check_configs(configs or {})
        with self._exclusive():
            topics = self.topics()
            if name in topics:
                raise KafkaException(
                    KafkaError(KafkaError.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
                )
            twin = layout.find_topic_twin(name, topics)
            if twin is not None:
                raise KafkaException(
                    KafkaError(
                        KafkaError.TOPIC_EXCEPTION,
                        f"Topic '{name}' collides with existing topic '{twin}': they differ only "
                        "in case, or in '.' against '_'",
                    )
                )
            metadata = TopicMetadata(name, uuid.uuid4(), partitions, properties)
            self._make_partitions(metadata, 0)
            self._write_topic(metadata)
        return metadata

    def _make_partitions(self, metadata: TopicMetadata, first: int) -> None:
        config = LogConfig.from_properties(metadata.configs)
        for partition in range(first, metadata.partitions):
            folder = self._partition_path(metadata.name, partition)
            if os.path.exists(folder):
                # Of a topic whose creation or deletion died half-way: nobody can have it open.
                self._discard(folder)
            log = Log(folder, config, notify=self.notify, topic_id=metadata.topic_id,
                      **self._options)  # fmt: skip
            self._logs[(metadata.name, partition)] = log

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its records. Programs that have it open get errors from then on.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART.
        """
        with self._exclusive():
            metadata = self.topic(name)
            for partition in range(metadata.partitions):
                self.partition(name, partition).mark_deleted()
            os.unlink(os.path.join(self.path, TOPICS_DIR, name))
            _sync_folder(os.path.join(self.path, TOPICS_DIR))
            self.topics()
            for partition in range(metadata.partitions):
                self._logs.pop((name, partition), None)
                self._discard(self._partition_path(name, partition))
        self._ring()

    def _discard(self, folder: str) -> None:
        """Rename a partition's folder, so that its name is free at once, and remove it."""
        target = f"{folder}.{uuid.uuid4().hex}-delete"
        with contextlib.suppress(FileNotFoundError):
            os.rename(folder, target)
            shutil.rmtree(target, ignore_errors=True)

    def create_partitions(self, name: str, total: int) -> None:
        """Add partitions to a topic, up to `total`.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART, INVALID_PARTITIONS (fewer than there are).
        """
        with self._exclusive():
            metadata = self.topic(name)
            if not metadata.partitions < total <= MAX_PARTITIONS:
                raise KafkaException(
                    KafkaError(
                        KafkaError.INVALID_PARTITIONS,
                        f"Topic currently has {metadata.partitions} partitions, which is higher "
                        f"than or equal to the requested {total}, or that is over {MAX_PARTITIONS}",
                    )
                )
            grown = TopicMetadata(name, metadata.topic_id, total, metadata.configs)
            self._make_partitions(grown, metadata.partitions)
            self._write_topic(grown)

    def alter_configs(self, name: str, configs: Mapping[str, Any | None]) -> None:
        """Set topic configs; None returns one to its default. The others stay.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART, INVALID_CONFIG.
        """
        with self._exclusive():
            metadata = self.topic(name)
            merged: dict[str, Any] = {**metadata.configs}
            for key, value in configs.items():
                if value is None:
                    merged.pop(key, None)
                else:
                    merged[key] = value
            properties = _check_configs(merged)
            self._write_topic(
                TopicMetadata(name, metadata.topic_id, metadata.partitions, properties)
            )

    def _write_topic(self, metadata: TopicMetadata) -> None:
        folder = os.path.join(self.path, TOPICS_DIR)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        properties = {
            "version": str(FORMAT_VERSION),
            "topic.id": encode_uuid(metadata.topic_id),
            "partitions": str(metadata.partitions),
            **{f"config.{key}": value for key, value in metadata.configs.items()},
        }
        _write_properties(os.path.join(folder, metadata.name), properties)
        self.topics()
        self._ring()

    def _ring(self) -> None:
        if self.notify is not None:
            self.notify.ring()

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One process at a time changes the set of topics."""
        if self.is_read_only:
            raise from_log_error(ReadOnlyError(f"{self.path}: opened for reading only"))
        path = os.path.join(self.path, LOCK_FILE)
        try:
            with self._lock:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX)
                    yield
                finally:
                    os.close(fd)
        except (LogError, OSError) as error:
            raise from_log_error(_as_log_error(error, self.path)) from error

    # ---- partitions ----

    def partition(self, topic: str, partition: int) -> Log:
        """The Log of a partition, opened at its first use.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART, or what opening it raised.
        """
        log = self._logs.get((topic, partition))
        if log is not None and not log.is_closed:
            return log
        with self._lock:
            metadata = self.topic(topic)
            if not 0 <= partition < metadata.partitions:
                raise KafkaException(
                    KafkaError(
                        KafkaError._UNKNOWN_PARTITION,
                        f"topic {topic} has partitions 0 to {metadata.partitions - 1}, "
                        f"not {partition}",
                    )
                )
            log = self._logs.get((topic, partition))
            if log is None or log.is_closed:
                log = self._open_partition(metadata, partition)
                self._logs[(topic, partition)] = log
            return log

    def _open_partition(self, metadata: TopicMetadata, partition: int) -> Log:
        try:
            return Log(
                self._partition_path(metadata.name, partition),
                LogConfig.from_properties(metadata.configs),
                read_only=self.is_read_only, create=False, notify=self.notify,
                topic_id=metadata.topic_id, **self._options,
            )  # fmt: skip
        except (LogError, OSError) as error:
            raise from_log_error(_as_log_error(error, self.path)) from error

    def partitions(self, topic: str) -> list[Log]:
        """The Logs of all partitions of a topic, by number."""
        return [self.partition(topic, number) for number in range(self.topic(topic).partitions)]

    def open_logs(self) -> list[Log]:
        """The Logs that this process has open now."""
        return list(self._logs.values())

    def _partition_path(self, topic: str, partition: int) -> str:
        return os.path.join(self.path, layout.partition_dir_name(topic, partition))


def _check_name(name: str) -> None:
    try:
        layout.validate_topic_name(name)
    except (TypeError, ValueError) as error:
        raise KafkaException(KafkaError(KafkaError.TOPIC_EXCEPTION, str(error))) from None


def _check_configs(configs: Mapping[str, Any]) -> dict[str, str]:
    """The configs that were set, validated, as text."""
    try:
        canonical = LogConfig.from_properties(dict(configs)).to_properties()
    except ConfigError as error:
        raise KafkaException(KafkaError(KafkaError.INVALID_CONFIG, str(error))) from None
    return {key: canonical[key] for key in configs}


def _as_log_error(error: LogError | OSError, path: str) -> LogError:
    if isinstance(error, LogError):
        return error
    if isinstance(error, FileNotFoundError) and not error.filename:
        return UnsupportedFormatError(str(error))
    return error_from_errno(error.errno or 0, "use", error.filename or path)


def _open_meta(path: str, *, create: bool) -> dict[str, str]:
    """Check that the folder is ours, or make it so. Returns its properties."""
    meta_path = os.path.join(path, layout.META_FILE)
    if create and not os.path.exists(meta_path):
        _make_folder(path, meta_path)
    if not os.path.isdir(path):
        what = "not a folder" if os.path.exists(path) else "no such folder"
        raise UnsupportedFormatError(f"{path}: {what}")
    if not os.path.exists(meta_path):
        raise UnsupportedFormatError(f"{path}: not a pylog folder: it has no {layout.META_FILE}")
    meta = _read_properties(meta_path)
    version = meta.get("version", "")
    if not version.isdigit():
        raise UnsupportedFormatError(f"{meta_path}: damaged: it names no version")
    if int(version) > FORMAT_VERSION:
        raise UnsupportedFormatError(
            f"{path}: has format version {version}, this pylog reads up to {FORMAT_VERSION}: "
            "install a newer pylog-stream"
        )
    return meta


def _make_folder(path: str, meta_path: str) -> None:
    if os.path.exists(path) and not os.path.isdir(path):
        raise UnsupportedFormatError(f"{path}: not a folder")
    os.makedirs(path, mode=0o700, exist_ok=True)
    kind = network_file_system(path)
    if kind:
        raise UnsupportedFileSystemError(
            f"{path}: on a network file system ({kind}), where processes of several machines do "
            "not see each other's locks: use a local disk"
        )
    strangers = [name for name in os.listdir(path) if not name.startswith(layout.META_FILE)]
    if strangers:
        if os.path.exists(meta_path):
            return  # another process made it meanwhile
        raise UnsupportedFormatError(
            f"{path}: not a pylog folder: it holds {sorted(strangers)[0]!r}; choose an empty or "
            "new folder"
        )
    properties = {
        "version": str(FORMAT_VERSION),
        "cluster.id": encode_uuid(uuid.uuid4()),
    }
    _write_properties(meta_path, properties, overwrite=False)


def _write_properties(path: str, properties: Mapping[str, str], overwrite: bool = True) -> None:
    """Write `key=value` lines beside the file, sync, and rename or link into place."""
    temporary = f"{path}.{os.getpid()}.{threading.get_ident()}.tmp"
    if not overwrite or path.endswith(layout.META_FILE):
        pass
    else:
        # outside the folder of topics, whose every entry is a topic
        temporary = os.path.join(
            os.path.dirname(os.path.dirname(path)), os.path.basename(temporary)
        )
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(f"{key}={value}\n" for key, value in properties.items())
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(temporary, path)
        else:
            with contextlib.suppress(FileExistsError):  # another process was first: its file counts
                os.link(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync_folder(os.path.dirname(path))


def _read_properties(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        pairs = (line.rstrip("\n").partition("=") for line in file if "=" in line)
        return {key: value for key, _, value in pairs}


def _read_topics(folder: str) -> Iterator[TopicMetadata]:
    for name in sorted(os.listdir(folder)):
        try:
            layout.validate_topic_name(name)
            properties = _read_properties(os.path.join(folder, name))
            yield TopicMetadata(
                name,
                decode_uuid(properties["topic.id"]),
                int(properties["partitions"]),
                {
                    key.removeprefix("config."): value
                    for key, value in properties.items()
                    if key.startswith("config.")
                },
            )
        except FileNotFoundError:
            continue  # deleted meanwhile
        except (KeyError, ValueError) as error:
            raise UnsupportedFormatError(
                f"{os.path.join(folder, name)}: not a topic's file ({error})"
            ) from None


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
