"""OffsetTable: what the records of `__consumer_offsets` amount to, batch by batch in log order.

A later record of a key replaces an earlier one, and one without value deletes it. The offsets of a
transaction wait for its marker: a commit makes them count, unless the partition's offset was
written later than they were; an abort drops them. No files, no locks, no clock.

Source: Kafka OffsetMetadataManager.replay, replayEndTransactionMarker.
"""

from collections.abc import Iterable
from typing import NamedTuple

from logcore.batch import BatchView, Record, control_type
from logcore.errors import CorruptRecordError, UnsupportedFormatError
from pylog.group.records import (
    ConsumerGroupKey,
    GroupKey,
    GroupMetadata,
    Key,
    OffsetAndMetadata,
    OffsetKey,
    OtherKey,
    decode_consumer_group_value,
    decode_group_value,
    decode_key,
    decode_offset_value,
)

Partition = tuple[str, int]


class _Stored(NamedTuple):
    value: OffsetAndMetadata
    log_offset: int


class OffsetTable:
    """The offsets and members of all groups of one partition of `__consumer_offsets`."""

    def __init__(self) -> None:
        self._offsets: dict[str, dict[Partition, _Stored]] = {}
        self._metadata: dict[str, GroupMetadata] = {}
        self._consumer_epochs: dict[str, int] = {}
        self._pending: dict[int, dict[OffsetKey, _Stored]] = {}
        self._keys: dict[bytes, Key | OtherKey] = {}
        # Records not looked into yet. Of a log that is read from its start, most are replaced by
        # later ones, so that only the last of each key is.
        self._fresh: dict[bytes, Record] = {}

    # ---- in ----

    def apply(self, batch: BatchView) -> None:
        """Take in the next batch of the log.

        Raises:
            CorruptRecordError: a record is not of this topic; the table is of no use any more.
            UnsupportedFormatError: a newer version wrote it.
        """
        if batch.is_control:
            self.settle()
            kind = control_type(batch)
            if kind is not None:
                self._end_transaction(batch.producer_id, kind == "commit")
            return
        is_plain = not batch.is_transactional
        if not is_plain:
            self.settle()
        for record in batch.records():
            key = record.key
            if key is None:
                raise _misplaced(record, "a record of __consumer_offsets without key")
            if is_plain and record.value is not None:
                self._fresh[key] = record
            else:
                self._fresh.pop(key, None)
                self._take(key, record, batch.producer_id if batch.is_transactional else None)

    def settle(self) -> None:
        """Look into the records that were put off. Raises as `apply` does."""
        fresh, self._fresh = self._fresh, {}
        for key, record in fresh.items():
            self._take(key, record, None)

    def _take(self, raw_key: bytes, record: Record, producer_id: int | None) -> None:
        try:
            key = self._keys.get(raw_key)
            if key is None:
                key = self._keys[raw_key] = decode_key(raw_key)
            if isinstance(key, OffsetKey):
                self._take_offset(key, record, producer_id)
            elif isinstance(key, GroupKey):
                if record.value is None:
                    self._metadata.pop(key.group, None)
                else:
                    self._metadata[key.group] = decode_group_value(record.value)
            elif isinstance(key, ConsumerGroupKey):
                if record.value is None:
                    self._consumer_epochs.pop(key.group, None)
                else:
                    epoch = decode_consumer_group_value(record.value)
                    self._consumer_epochs[key.group] = epoch
        except CorruptRecordError as error:
            raise _misplaced(record, str(error)) from None
        except UnsupportedFormatError as error:
            raise UnsupportedFormatError(f"offset {record.offset}: {error}") from None

    def _take_offset(self, key: OffsetKey, record: Record, producer_id: int | None) -> None:
        if record.value is None:
            self._drop(key)
            for pending in self._pending.values():
                pending.pop(key, None)
            return
        stored = _Stored(decode_offset_value(record.value), record.offset)
        if producer_id is None:
            self._offsets.setdefault(key.group, {})[key.topic, key.partition] = stored
        else:
            self._pending.setdefault(producer_id, {})[key] = stored

    def _drop(self, key: OffsetKey) -> None:
        offsets = self._offsets.get(key.group, {})
        offsets.pop((key.topic, key.partition), None)
        if not offsets:
            self._offsets.pop(key.group, None)

    def _end_transaction(self, producer_id: int, is_commit: bool) -> None:
        pending = self._pending.pop(producer_id, {})
        if not is_commit:
            return
        for key, stored in pending.items():
            offsets = self._offsets.setdefault(key.group, {})
            partition = (key.topic, key.partition)
            known = offsets.get(partition)
            if known is None or stored.log_offset > known.log_offset:
                offsets[partition] = stored

    # ---- out ----

    def offsets(self, group: str) -> dict[Partition, OffsetAndMetadata]:
        """The offsets of a group that count."""
        return {
            partition: stored.value for partition, stored in self._offsets.get(group, {}).items()
        }

    def pending(self, group: str) -> set[Partition]:
        """Partitions of a group whose offset a transaction that is not over would set."""
        return {
            (key.topic, key.partition)
            for offsets in self._pending.values()
            for key in offsets
            if key.group == group
        }

    def metadata(self, group: str) -> GroupMetadata | None:
        """The members of a group in their last generation that was written."""
        return self._metadata.get(group)

    def consumer_epoch(self, group: str) -> int | None:
        """The epoch of a group of the newer consumer protocol, None when it is none."""
        return self._consumer_epochs.get(group)

    def groups(self) -> Iterable[str]:
        """Groups of which something is known."""
        pending = {key.group for offsets in self._pending.values() for key in offsets}
        return {*self._offsets, *self._metadata, *self._consumer_epochs, *pending}


def _misplaced(record: Record, reason: str) -> CorruptRecordError:
    return CorruptRecordError(reason, offset=record.offset)
