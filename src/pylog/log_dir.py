"""LogDir: a folder of topics, each a set of partitions.

    <folder>/pylog.meta              format version, cluster id, defaults (folder_files.py)
    <folder>/.pylog.state            the bell (WakeWord) that rings with each append and change
    <folder>/.topics/<topic>         one topic: id, partition count, configs (folder_changes.py)
    <folder>/<topic>-<partition>/    a partition: logcore.Log

One LogDir a process, folder and set of options, shared by its clients.
"""

import atexit
import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from logcore import layout, partition_metadata
from logcore.config import ConfigError
from logcore.errors import LogClosedError, LogError, ReadOnlyError
from logcore.log import DEFAULT_LOCK_TIMEOUT_MS, Log
from logcore.opening import check_recovery_mode
from logcore.shared import WakeWord
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.folder_changes import FolderChanges
from pylog.folder_configs import check_folder_config, log_config, merge_configs
from pylog.folder_errors import as_kafka_exception, refuse
from pylog.folder_files import (
    FOLDER_CONFIGS,
    MAX_PARTITIONS,
    TOPICS_DIR,
    TopicMetadata,
    TopicTable,
    open_meta,
    read_meta,
)
from pylog.housekeeper import Housekeeper

__all__ = ["LogDir", "TopicMetadata"]

_OPTIONS = {
    "recovery": "strict",
    "lock_timeout_ms": DEFAULT_LOCK_TIMEOUT_MS,
    "allow_network_file_system": False,
}

_Attached = TypeVar("_Attached")

ConfigChange = Callable[[Mapping[str, str]], Mapping[str, Any]]

_open_dirs: dict[tuple[Any, ...], "LogDir"] = {}
_open_dirs_lock = threading.RLock()


class LogDir:
    """A folder of topics. Use `LogDir.open`; `close` gives one use back."""

    def __init__(self, path: str, *, create: bool, read_only: bool, options: dict[str, Any]):
        self.path = path
        self.is_read_only = read_only
        self._options = options
        self._key: tuple[Any, ...] = ()
        self._uses = 0
        self._lock = threading.RLock()  # taken after that of FolderChanges
        self._logs: dict[tuple[str, int], tuple[uuid.UUID, Log]] = {}
        self._attached: dict[Any, Any] = {}
        self._table = TopicTable(os.path.join(path, TOPICS_DIR))
        self._changes = FolderChanges(path, self._table, options)
        self._housekeeper: Housekeeper | None = None
        self.on_close: list[Callable[[], None]] = []  # what others keep open of this folder
        self.meta = open_meta(
            path,
            create=create and not read_only,
            allow_network_file_system=options["allow_network_file_system"],
        )
        self.notify: WakeWord | None = None
        if not read_only:
            self.notify = WakeWord(os.path.join(path, layout.DIR_STATE_FILE))
            if self._changes.has_leftovers():
                # Taking the lock clears away. Who has it is at work, or clears away itself.
                with contextlib.suppress(LogError, OSError), self._changes.exclusive(timeout_ms=0):
                    pass

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
            real_path = os.path.realpath(os.fsdecode(path)) if path else ""
            check_recovery_mode(options.get("recovery", "strict"))
        except (TypeError, ValueError) as error:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, str(error))) from None
        except OSError as error:
            raise as_kafka_exception(error, os.fsdecode(path)) from error
        if not real_path:
            refuse(KafkaError._INVALID_ARG, "the folder's path is empty")
        options = {**_OPTIONS, **options}
        key = (real_path, read_only, *options.values())
        with _open_dirs_lock:
            log_dir = _open_dirs.get(key)
            if log_dir is None:
                try:
                    log_dir = cls(real_path, create=create, read_only=read_only, options=options)
                except (LogError, OSError) as error:
                    raise as_kafka_exception(error, real_path, is_opening=True) from error
                log_dir._key = key
                _open_dirs[key] = log_dir
            log_dir._uses += 1
            return log_dir

    def close(self) -> None:
        """Give one use back; the last one closes the partitions, durable, with a recovery mark."""
        with _open_dirs_lock:
            if self._uses > 0:
                self._uses -= 1
            if self._uses > 0 or _open_dirs.get(self._key) is not self:
                return
            del _open_dirs[self._key]
        self._stop_housekeeper()
        for close in self.on_close:
            close()
        with self._lock:
            logs = self.open_logs()
            self._logs.clear()
        self._close_logs(logs)

    def _close_logs(self, logs: list[Log]) -> None:
        first: LogError | None = None
        for log in sorted(logs, key=_is_durable):
            try:
                if not self.is_read_only:
                    log.write_recovery_mark()
            except LogClosedError:
                pass  # deleted meanwhile
            except LogError as error:
                if not _is_durable(log):  # else the older mark will do
                    first = first or error
            finally:
                log.close()
        if first is not None:
            raise as_kafka_exception(first, self.path) from first

    def __enter__(self) -> "LogDir":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether the last use was given back."""
        return bool(self._key) and _open_dirs.get(self._key) is not self

    def _check_open(self) -> None:
        if self.is_closed:
            refuse(KafkaError._STATE, f"{self.path} was closed")

    def _stop_housekeeper(self) -> None:
        with self._lock:
            housekeeper, self._housekeeper = self._housekeeper, None
        if housekeeper is not None:
            housekeeper.stop()

    def _forget_parent(self) -> None:
        """In a forked child: locks, threads and open partitions are the parent's."""
        self._lock = threading.RLock()
        self._housekeeper = None
        self.on_close = []
        self._logs = {}
        self._attached = {}
        self._changes.forget_parent()

    def attached(self, kind: Callable[["LogDir"], _Attached]) -> _Attached:
        """The one object of a kind that goes with this folder, made at its first use.

        Args:
            kind: makes it; a forked child makes its own.
        """
        with self._lock:
            known: _Attached | None = self._attached.get(kind)
            if known is None:
                known = self._attached[kind] = kind(self)
            return known

    @property
    def cluster_id(self) -> str:
        """Made when the folder was."""
        return self.meta["cluster.id"]

    @property
    def creates_topics(self) -> bool:
        """Whether producing to an unknown topic makes it: `auto.create.topics.enable`."""
        return self.folder_configs()["auto.create.topics.enable"].lower() == "true"

    @property
    def default_partitions(self) -> int:
        """Partitions of a topic that is made without saying how many: `num.partitions`."""
        return int(self.folder_configs()["num.partitions"])

    def folder_configs(self) -> dict[str, str]:
        """The folder's own configs, as they are now."""
        with self._translating():
            meta = read_meta(self.path)
        return {key: meta.get(key, default) for key, default in FOLDER_CONFIGS.items()}

    # ---- topics ----

    def topics(self) -> dict[str, TopicMetadata]:
        """Metadata of every topic, by name, as it is now."""
        with self._lock:
            self.refresh()
            return dict(self._table.topics)

    def topic_table(self) -> Mapping[str, TopicMetadata]:
        """As `topics`, not to be changed: the same object as long as nothing did.

        It does not wait: while another thread opens a partition, which may take a recovery, what
        other processes changed is noticed later. What this process changed is always there.
        """
        if self._lock.acquire(blocking=False):
            try:
                self.refresh()
            finally:
                self._lock.release()
        return self._table.topics

    @property
    def known_topics(self) -> Mapping[str, TopicMetadata]:
        """As `topic_table`, as of the last time that this process looked."""
        return self._table.topics

    def topic(self, name: str) -> TopicMetadata:
        """Metadata of one topic, as it is now.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART, or TOPIC_EXCEPTION for a name that is none.
        """
        with self._lock:
            self.refresh()
            known = self._table.topics.get(name) if isinstance(name, str) else None
            if known is not None:
                return known
            if name in self._table.faults:
                raise from_log_error(self._table.faults[name])
        _check_name(name)
        refuse(KafkaError.UNKNOWN_TOPIC_OR_PART, f"no topic {name!r} in {self.path}")

    def refresh(self) -> None:
        """Notice what other processes changed: one stat(2) when they changed nothing.

        The partitions of topics that are gone, or were made anew, are let go of; those of topics
        with other configs take them.
        """
        self._check_open()
        with self._lock:
            try:
                if not self._table.refresh():
                    return
            except OSError as error:
                raise as_kafka_exception(error, self.path) from error
            for (name, partition), (topic_id, log) in list(self._logs.items()):
                known = self._table.topics.get(name)
                if known is None or known.topic_id != topic_id or partition >= known.partitions:
                    del self._logs[(name, partition)]
                    continue
                with contextlib.suppress(ConfigError):
                    config = log_config(known)
                    if config != log.config:
                        log.reconfigure(config)

    def create_topic(
        self, name: str, partitions: int | None = None, configs: Mapping[str, Any] | None = None,
        *, replication_factor: int = 1, validate_only: bool = False,
    ) -> TopicMetadata:  # fmt: skip
        """Make a topic.

        Args:
            name: as Kafka allows.
            partitions: how many; None for the folder's `num.partitions`.
            configs: Kafka's topic configs.
            replication_factor: what clients of a server are told; there is one copy.
            validate_only: only say whether it could be made.

        Raises:
            KafkaException: TOPIC_ALREADY_EXISTS, TOPIC_EXCEPTION (a name that is none, or that
                another topic could be taken for), INVALID_PARTITIONS, INVALID_CONFIG.
        """
        _check_name(name)
        if partitions is None:
            partitions = self.default_partitions
        if not 1 <= partitions <= MAX_PARTITIONS:
            refuse(
                KafkaError.INVALID_PARTITIONS,
                f"a topic has 1 to {MAX_PARTITIONS} partitions, not {partitions}",
            )
        merged = merge_configs({}, configs or {})
        metadata = TopicMetadata(name, uuid.uuid4(), partitions, merged, replication_factor)
        with self._exclusive():
            known = {**self.topics(), **self._table.faults}
            if name in known:
                refuse(KafkaError.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
            twin = layout.find_topic_twin(name, known)
            if twin is not None:
                refuse(
                    KafkaError.TOPIC_EXCEPTION,
                    f"Topic '{name}' collides with existing topic '{twin}': they differ only in "
                    "case, or in '.' against '_'",
                )
            if not validate_only:
                self._changes.make(metadata, 0)
        return metadata

    def create_partitions(self, name: str, total: int, *, validate_only: bool = False) -> None:
        """Add partitions to a topic, up to `total`.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART, INVALID_PARTITIONS (no more than there are).
        """
        with self._exclusive():
            metadata = self.topic(name)
            if total <= metadata.partitions:
                refuse(
                    KafkaError.INVALID_PARTITIONS,
                    f"Topic '{name}' currently has {metadata.partitions} partitions, {total} would "
                    "not be an increase.",
                )
            if total > MAX_PARTITIONS:
                refuse(
                    KafkaError.INVALID_PARTITIONS,
                    f"a topic has 1 to {MAX_PARTITIONS} partitions, not {total}",
                )
            if not validate_only:
                self._changes.make(replace(metadata, partitions=total), metadata.partitions)

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its records. Programs that have it open get errors from then on.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART.
        """
        with self._exclusive():
            self._changes.remove(self.topic(name))

    def alter_configs(
        self, name: str, change: Mapping[str, Any] | ConfigChange, *, validate_only: bool = False
    ) -> None:
        """Set topic configs; None returns one to its default. The others stay.

        Args:
            name: of the topic.
            change: configs by name; or a function that is given those set now, and answers so
                while nobody else changes them.
            validate_only: only say whether they could be set.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART, INVALID_CONFIG.
        """
        with self._exclusive():
            metadata = self.topic(name)
            changed = change(metadata.configs) if callable(change) else change
            configs = merge_configs(metadata.configs, changed)
            if not validate_only and configs != metadata.configs:
                self._changes.replace(replace(metadata, configs=configs))

    def alter_folder_configs(
        self, change: Mapping[str, Any] | ConfigChange, *, validate_only: bool = False
    ) -> None:
        """Set configs of the folder: auto.create.topics.enable, num.partitions. None: default.

        Raises:
            KafkaException: INVALID_CONFIG.
        """
        with self._exclusive():
            changed = change(self.folder_configs()) if callable(change) else change
            configs = {
                key: check_folder_config(key, FOLDER_CONFIGS.get(key) if value is None else value)
                for key, value in changed.items()
            }
            if not validate_only:
                self._changes.replace_meta({**read_meta(self.path), **configs})

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One process and thread at a time changes the folder; all of them hear of it."""
        self._check_open()
        if self.is_read_only:
            raise from_log_error(ReadOnlyError(f"{self.path}: opened for reading only"))
        with self._translating():
            with self._changes.exclusive(self._options["lock_timeout_ms"]):
                yield
            self.refresh()
            if self.notify is not None:
                self.notify.ring()

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (LogError, OSError) as error:
            raise as_kafka_exception(error, self.path) from error

    # ---- partitions ----

    def partition(self, topic: str, partition: int) -> Log:
        """The Log of a partition, opened at its first use.

        Raises:
            KafkaException: UNKNOWN_TOPIC_OR_PART, _UNKNOWN_PARTITION, or what opening it raised.
        """
        with self._lock:
            metadata = self.topic(topic)
            if not 0 <= partition < metadata.partitions:
                refuse(
                    KafkaError._UNKNOWN_PARTITION,
                    f"topic {topic} has partitions 0 to {metadata.partitions - 1}, not {partition}",
                )
            known = self._logs.get((topic, partition))
            if known is not None and not known[1].is_closed:
                return known[1]
            with self._translating():
                log = self._open_partition(metadata, partition)
            self._logs[(topic, partition)] = (metadata.topic_id, log)
            if self._housekeeper is None and not self.is_read_only:
                self._housekeeper = Housekeeper(self)
            return log

    def _open_partition(self, metadata: TopicMetadata, partition: int) -> Log:
        path = self._changes.partition_path(metadata.name, partition)
        try:
            config = log_config(metadata)
        except ConfigError as error:
            raise from_log_error(error) from error
        try:
            found_id = partition_metadata.read(os.path.join(path, layout.PARTITION_METADATA_FILE))
            if found_id == metadata.topic_id:
                return Log(
                    path, config, read_only=self.is_read_only, create=False, notify=self.notify,
                    **self._options,
                )  # fmt: skip
            fault = "belongs to another topic of that name"
        except FileNotFoundError:
            fault = "is missing"
        if self.topic(metadata.name).topic_id != metadata.topic_id:
            return self.partition(metadata.name, partition)  # made anew meanwhile
        refuse(
            KafkaError.KAFKA_STORAGE_ERROR,
            f"{path} {fault}: put it back, or delete the topic and create it anew",
        )

    def partitions(self, topic: str) -> list[Log]:
        """The Logs of all partitions of a topic, by number."""
        return [self.partition(topic, number) for number in range(self.topic(topic).partitions)]

    def open_logs(self) -> list[Log]:
        """The Logs that this process has open now."""
        return [log for _, log in list(self._logs.values())]

    def known_log(self, topic: str, partition: int) -> Log | None:
        """The Log of a partition if this process has it open; it may have been deleted since."""
        known = self._logs.get((topic, partition))
        return known[1] if known is not None and not known[1].is_closed else None

    def open_partitions(self) -> list[tuple[tuple[str, int], Log]]:
        """(topic, partition) and Log of what this process has open now."""
        return [(name, log) for name, (_, log) in list(self._logs.items())]


def _is_durable(log: Log) -> bool:
    try:
        return log.durable_offset >= log.log_end_offset
    except LogError:
        return True  # closed: nothing to lose


def _check_name(name: str) -> None:
    try:
        layout.validate_topic_name(name)
    except (TypeError, ValueError) as error:
        raise KafkaException(KafkaError(KafkaError.TOPIC_EXCEPTION, str(error))) from None


def _forget_parent() -> None:
    global _open_dirs_lock
    _open_dirs_lock = threading.RLock()
    for log_dir in _open_dirs.values():
        log_dir._forget_parent()


def _leave() -> None:
    """At the interpreter's exit: no thread may run on; what is durable is marked as such.

    Logs that clients still hold go with them: a Producer may flush later than this.
    """
    for log_dir in list(_open_dirs.values()):
        log_dir._stop_housekeeper()
        if not log_dir.is_read_only:
            for log in log_dir.open_logs():
                with contextlib.suppress(LogError, OSError):
                    log.write_recovery_mark()
        log_dir._logs.clear()


os.register_at_fork(after_in_child=_forget_parent)
atexit.register(_leave)
