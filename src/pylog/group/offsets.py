"""GroupOffsets: how far groups have come, in `__consumer_offsets`, for every process of a folder.

Written by appending, read by following: each process keeps a table of what the topic amounts to and
takes in, at each question, what was appended since the last one. A commit is one batch, so it is
there whole or not at all, whoever dies. It is in the page cache when `commit` returns and on the
disk within a second, or when the topic is flushed (docs/adr/0016).

Who may commit for a group is for the group to say (group/states.py); here nobody is asked.

Source: Kafka OffsetMetadataManager, GroupCoordinatorRecordHelpers.
"""

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from logcore.batch import BatchBuilder, iter_batches
from logcore.errors import (
    CorruptRecordError,
    LogClosedError,
    LogError,
    OffsetOutOfRangeError,
    UnsupportedFormatError,
)
from logcore.log import Log
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.folder_errors import as_kafka_exception, refuse
from pylog.group import records
from pylog.group.offset_table import OffsetTable, Partition
from pylog.group.records import GroupMetadata, OffsetAndMetadata
from pylog.internal_topics import OFFSETS_TOPIC, find_partition, open_partition
from pylog.log_dir import LogDir
from pylog.record_fields import MAX_STRING_BYTES

__all__ = ["MAX_METADATA_CHARACTERS", "GroupOffsets", "OffsetAndMetadata", "offset_refusal"]

MAX_METADATA_CHARACTERS = 4096  # Kafka's offset.metadata.max.bytes, which counts Java's characters

_READ_BYTES = 1 << 20
_ATTEMPTS = 5  # against a topic that is deleted while it is used

_all_offsets: "weakref.WeakSet[GroupOffsets]" = weakref.WeakSet()


class _Follower:
    """One partition of the topic and what it amounts to."""

    def __init__(self, log: Log):
        self.log = log
        self.table = OffsetTable()
        self.position_offset = log.log_start_offset
        self.caught_up_s = time.time()

    def is_stale(self) -> bool:
        """Whether compaction may have taken a deletion away that was not seen."""
        idle_ms = (time.time() - self.caught_up_s) * 1000
        is_late = idle_ms < 0 or idle_ms * 2 > self.log.config.delete_retention_ms
        return is_late and self.log.log_end_offset > self.position_offset

    def catch_up(self) -> None:
        """Take in what was appended since the last time."""
        while self.position_offset < self.log.log_end_offset:
            data = self.log.read(self.position_offset, _READ_BYTES)
            if not data:
                break
            for batch in iter_batches(data, check=False):  # the log's reader has checked it
                if batch.last_offset >= self.position_offset:
                    self.table.apply(batch)
                    self.position_offset = batch.next_offset
        self.table.settle()
        self.caught_up_s = time.time()


class GroupOffsets:
    """The offsets of all groups of a folder. Use `GroupOffsets.of`. Safe for several threads."""

    def __init__(self, log_dir: LogDir):
        self._log_dir = log_dir
        self._lock = threading.Lock()
        self._followers: dict[str, _Follower] = {}
        _all_offsets.add(self)

    @classmethod
    def of(cls, log_dir: LogDir) -> "GroupOffsets":
        """The one of a folder that this process has open."""
        return log_dir.attached(cls)

    def _forget_parent(self) -> None:
        self._lock = threading.Lock()
        self._followers = {}

    # ---- write ----

    def commit(
        self,
        group: str,
        offsets: Mapping[Partition, OffsetAndMetadata],
        producer: tuple[int, int, int] | None = None,
    ) -> None:
        """Write offsets of a group, all or none.

        Args:
            group: its id.
            offsets: by topic and partition; a commit time of -1 becomes now, and a topic id that
                is not given is looked up.
            producer: (producer id, epoch, sequence of the first offset): they belong to that
                producer's transaction, and count when it commits.

        Raises:
            KafkaException: INVALID_GROUP_ID, OFFSET_METADATA_TOO_LARGE, _INVALID_ARG for an offset
                below 0, MSG_SIZE_TOO_LARGE, or what appending raised.
        """
        now_ms = time.time_ns() // 1_000_000
        topics = self._log_dir.topics()
        pairs: list[tuple[bytes, bytes | None]] = []
        for (topic, partition), value in offsets.items():
            error = offset_refusal(topic, partition, value)
            if error is not None:
                raise KafkaException(error)
            if value.commit_timestamp_ms < 0:
                value = replace(value, commit_timestamp_ms=now_ms)
            if value.topic_id is None and topic in topics:
                value = replace(value, topic_id=topics[topic].topic_id)
            key = _encode_key(group, topic, partition)
            pairs.append((key, records.encode_offset_value(value)))
        self._append(group, pairs, now_ms, producer)

    def delete_offsets(self, group: str, partitions: Iterable[Partition]) -> None:
        """Forget the offsets of a group in some partitions, those of open transactions too.

        Raises:
            KafkaException: what appending raised.
        """
        pairs: list[tuple[bytes, bytes | None]] = [
            (_encode_key(group, topic, number), None) for topic, number in partitions
        ]
        self._append(group, pairs, time.time_ns() // 1_000_000)

    def delete_group(self, group: str) -> None:
        """Forget a group: its offsets and its members.

        Raises:
            KafkaException: what appending raised.
        """
        with self._table(group) as table:
            known = {*table.offsets(group), *table.pending(group)}
        pairs: list[tuple[bytes, bytes | None]] = [
            (_encode_key(group, topic, number), None) for topic, number in sorted(known)
        ]
        pairs.append((records.encode_group_key(group), None))
        pairs.append((records.encode_consumer_group_key(group), None))
        self._append(group, pairs, time.time_ns() // 1_000_000)

    def write_group(self, group: str, metadata: GroupMetadata) -> None:
        """Write the members of a group in a generation; it is of the older protocol from now on.

        Raises:
            KafkaException: INVALID_GROUP_ID, MSG_SIZE_TOO_LARGE, or what appending raised.
        """
        _check_group(group)
        try:
            value = records.encode_group_value(metadata)
        except ValueError as error:
            refuse(KafkaError._INVALID_ARG, f"group {group}: {error}")
        pairs: list[tuple[bytes, bytes | None]] = [(records.encode_group_key(group), value)]
        if self.consumer_epoch(group) is not None:
            pairs.append((records.encode_consumer_group_key(group), None))
        self._append(group, pairs, time.time_ns() // 1_000_000)

    def write_consumer_group(self, group: str, epoch: int) -> None:
        """Write the epoch of a group, which is of the newer consumer protocol from now on.

        Raises:
            KafkaException: INVALID_GROUP_ID, or what appending raised.
        """
        _check_group(group)
        value = records.encode_consumer_group_value(epoch)
        pairs: list[tuple[bytes, bytes | None]] = [
            (records.encode_consumer_group_key(group), value)
        ]
        if self.group_metadata(group) is not None:
            pairs.append((records.encode_group_key(group), None))
        self._append(group, pairs, time.time_ns() // 1_000_000)

    def _append(
        self,
        group: str,
        pairs: list[tuple[bytes, bytes | None]],
        now_ms: int,
        producer: tuple[int, int, int] | None = None,
    ) -> None:
        if not pairs:
            return
        builder = BatchBuilder()
        for key, value in pairs:
            builder.append(now_ms, key, value)
        if producer is not None:
            builder.set_producer(*producer, True)
        batch = builder.build()
        for attempt in range(_ATTEMPTS):
            log = open_partition(self._log_dir, OFFSETS_TOPIC, group)
            try:
                log.append(batch)
                return
            except LogClosedError as error:
                if attempt == _ATTEMPTS - 1:
                    raise from_log_error(error) from error
            except (LogError, OSError) as error:
                raise as_kafka_exception(error, log.path) from error

    # ---- read ----

    def committed(self, group: str) -> dict[Partition, OffsetAndMetadata]:
        """The offsets of a group, without those that an open transaction would set.

        What was committed for a topic that is gone, or was made anew since, is left out.

        Raises:
            KafkaException: the topic cannot be read, or is damaged: _BAD_MSG.
        """
        with self._table(group) as table:
            offsets = table.offsets(group)
        return self._without_strangers(offsets)

    def stored(self, group: str) -> dict[Partition, OffsetAndMetadata]:
        """The same with those of topics that are gone. Raises as above."""
        with self._table(group) as table:
            return table.offsets(group)

    def pending(self, group: str) -> set[Partition]:
        """Partitions whose offset a transaction that is not over would set. Raises as above."""
        with self._table(group) as table:
            return table.pending(group)

    def group_metadata(self, group: str) -> GroupMetadata | None:
        """What was last written by `write_group`, or by Kafka. Raises as `committed`."""
        with self._table(group) as table:
            return table.metadata(group)

    def consumer_epoch(self, group: str) -> int | None:
        """What was last written by `write_consumer_group`. Raises as `committed`."""
        with self._table(group) as table:
            return table.consumer_epoch(group)

    def backlog(self, group: str) -> int:
        """How many records there are to take in before something of a group can be told."""
        log = find_partition(self._log_dir, OFFSETS_TOPIC, group)
        if log is None:
            return 0
        follower = self._followers.get(log.path)
        if follower is None or follower.log is not log:
            return log.log_end_offset - log.log_start_offset
        return log.log_end_offset - follower.position_offset

    def groups(self) -> list[str]:
        """Every group of which something is known, in order. Raises as `committed`."""
        found: set[str] = set()
        known = self._log_dir.topics().get(OFFSETS_TOPIC)
        for number in range(0 if known is None else known.partitions):
            log = self._log_dir.partition(OFFSETS_TOPIC, number)
            with self._following(log) as table:
                found.update(table.groups())
        return sorted(found)

    def _without_strangers(
        self, offsets: dict[Partition, OffsetAndMetadata]
    ) -> dict[Partition, OffsetAndMetadata]:
        if not offsets:
            return offsets
        topics = self._log_dir.topics()
        return {
            partition: value
            for partition, value in offsets.items()
            if value.topic_id is None
            or ((known := topics.get(partition[0])) and known.topic_id == value.topic_id)
        }

    @contextlib.contextmanager
    def _table(self, group: str) -> Iterator[OffsetTable]:
        log = find_partition(self._log_dir, OFFSETS_TOPIC, group)
        if log is None:
            yield OffsetTable()
            return
        with self._following(log) as table:
            yield table

    @contextlib.contextmanager
    def _following(self, log: Log) -> Iterator[OffsetTable]:
        """The table of a partition as of now, while nobody else looks at it."""
        with self._lock:
            try:
                follower = self._followers.get(log.path)
                if follower is None or follower.log is not log or follower.is_stale():
                    follower = _Follower(log)
                # Kept only when all went well: a table that is half right gives wrong offsets.
                self._followers.pop(log.path, None)
                try:
                    follower.catch_up()
                except OffsetOutOfRangeError:  # the log was shortened behind our back
                    follower = _Follower(log)
                    follower.catch_up()
                self._followers[log.path] = follower
            except (CorruptRecordError, UnsupportedFormatError) as error:
                raise _as_damaged(error, log) from error
            except (LogError, OSError) as error:
                raise as_kafka_exception(error, log.path) from error
            yield follower.table


def _as_damaged(error: LogError, log: Log) -> KafkaException:
    known = from_log_error(error).args[0]
    return KafkaException(
        KafkaError(
            known.code(),
            f"{log.path}: the offsets of groups cannot be read: {error}. Look at the folder with "
            f"`pylog doctor`; put the files back from a copy, or delete the topic {OFFSETS_TOPIC}: "
            "then all groups begin anew",
        )
    )


def _check_group(group: str) -> None:
    if not isinstance(group, str) or not group or len(group.encode()) > MAX_STRING_BYTES:
        refuse(
            KafkaError.INVALID_GROUP_ID,
            f"a group id is a text of 1 to {MAX_STRING_BYTES} bytes, not {group!r:.80}",
        )


def _encode_key(group: str, topic: str, partition: int) -> bytes:
    _check_group(group)
    if not 0 <= partition < 1 << 31:
        refuse(KafkaError._INVALID_ARG, f"{topic}: no partition has the number {partition}")
    return records.encode_offset_key(group, topic, partition)


def offset_refusal(topic: str, partition: int, value: OffsetAndMetadata) -> KafkaError | None:
    """Why an offset cannot be committed, whoever commits it; None when it can."""
    if not 0 <= value.offset < 1 << 63:
        return KafkaError(
            KafkaError._INVALID_ARG,
            f"{topic}-{partition}: {value.offset} cannot be committed: it is no offset",
        )
    length = len(value.metadata.encode("utf-16-le", "surrogatepass")) // 2
    if length > MAX_METADATA_CHARACTERS:
        return KafkaError(
            KafkaError.OFFSET_METADATA_TOO_LARGE,
            f"{topic}-{partition}: metadata of {length} characters, where "
            f"{MAX_METADATA_CHARACTERS} is the most",
        )
    return None


def _forget_parents() -> None:
    for offsets in list(_all_offsets):
        offsets._forget_parent()


os.register_at_fork(after_in_child=_forget_parents)
