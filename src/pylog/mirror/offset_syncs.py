"""OffsetSyncs: which offset of a source is which offset of its copy.

Kept at the target in a topic of one partition, `mm2-offset-syncs.<id of the source>.internal`, in
the records of Kafka's MirrorMaker 2:

    key     int16 size, topic (UTF-8); int32 partition
    value   int64 upstream offset; int64 downstream offset

A sync (u, d) says: up to the next sync the record at source offset u + n is at target offset d + n.
So one is needed only where the distance changes: at a gap in the source (compaction, the marker of
a transaction), after a marker at the target. Both offsets rise from sync to sync; one that does not
starts anew, and what is above it no longer counts.

Source: OffsetSync of Kafka's connect/mirror.
"""

import bisect
import struct
import time
from collections.abc import Iterable, Sequence

from pylog.errors import KafkaError
from pylog.message import Message
from pylog.mirror.places import TIMEOUT_S, Partition, Place, refuse
from pylog.types import OFFSET_BEGINNING, TopicPartition

_VALUE = struct.Struct(">qq")
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")

# Syncs of this time are all kept, so that groups that are not further behind can be translated.
CONFIGS = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(7 * 86_400_000)}

Sync = tuple[int, int]


def topic_name(source_id: str) -> str:
    """Return the name of the topic for one source."""
    return f"mm2-offset-syncs.{source_id}.internal"


def encode(place: Partition, sync: Sync) -> tuple[bytes, bytes]:
    """Return a record's key and value.

    >>> encode(("t", 1), (5, 7))[0].hex(" ")
    '00 01 74 00 00 00 01'
    """
    name = place[0].encode()
    return _INT16.pack(len(name)) + name + _INT32.pack(place[1]), _VALUE.pack(*sync)


def decode(key: bytes | None, value: bytes | None) -> tuple[Partition, Sync]:
    """Return what a record says.

    Raises:
        ValueError: it is none of these records.
    """
    try:
        (size,) = _INT16.unpack_from(key or b"")
        (partition,) = _INT32.unpack((key or b"")[2 + size :])
        upstream, downstream = _VALUE.unpack(value or b"")
        return ((key or b"")[2 : 2 + size].decode(), partition), (upstream, downstream)
    except struct.error as error:
        raise ValueError(f"not an offset sync: {error}") from error


class OffsetSyncs:
    """The syncs of all partitions, in memory."""

    def __init__(self) -> None:
        self._syncs: dict[Partition, list[Sync]] = {}

    def add(self, place: Partition, sync: Sync) -> None:
        """Take in a sync that was recorded."""
        syncs = self._syncs.setdefault(place, [])
        while syncs and (syncs[-1][0] >= sync[0] or syncs[-1][1] > sync[1]):
            syncs.pop()
        syncs.append(sync)

    def last(self, place: Partition) -> Sync | None:
        """The newest sync of a partition."""
        syncs = self._syncs.get(place)
        return syncs[-1] if syncs else None

    def upstream(self, place: Partition, downstream: int) -> int | None:
        """Source offset of the record that belongs at a target offset; None before all syncs."""
        syncs = self._syncs.get(place, [])
        index = bisect.bisect_right(syncs, downstream, key=lambda sync: sync[1]) - 1
        return None if index < 0 else syncs[index][0] + downstream - syncs[index][1]

    def downstream(self, place: Partition, upstream: int) -> int | None:
        """Target offset to go on at for a reader that is at a source offset; None before all."""
        syncs = self._syncs.get(place, [])
        index = bisect.bisect_right(syncs, upstream, key=lambda sync: sync[0]) - 1
        if index < 0:
            return None
        found = syncs[index][1] + upstream - syncs[index][0]
        return found if index + 1 == len(syncs) else min(found, syncs[index + 1][1])

    def needed(self, place: Partition, position: int, copied: Sequence[Sync]) -> list[Sync]:
        """The syncs that must be recorded for records that are copied.

        Args:
            place: topic and partition at both ends.
            position: where the source was read from: nothing is between it and the first record.
            copied: (source offset, target offset) of each, at least one.
        """
        needed: list[Sync] = []
        last = self.last(place)
        for sync in ((position, copied[0][1]), *copied):
            if last is None or sync[0] - last[0] != sync[1] - last[1]:
                needed.append(sync)
                last = sync
        return needed


def read(target: Place, source_id: str) -> OffsetSyncs:
    """Return what is recorded at the target about a source; nothing where the topic is missing."""
    syncs = OffsetSyncs()
    name = topic_name(source_id)
    with target.open_consumer() as consumer:
        if consumer.list_topics(name, timeout=TIMEOUT_S).topics[name].error is not None:
            return syncs
        consumer.assign([TopicPartition(name, 0, OFFSET_BEGINNING)])
        heard_s = time.monotonic()
        while time.monotonic() < heard_s + TIMEOUT_S:
            for message in consumer.consume(1000, 0.1):
                heard_s = time.monotonic()
                error = message.error()
                if error is None:
                    _take_in(syncs, message, f"{target.name}: {name}")
                elif error.code() == KafkaError._PARTITION_EOF:
                    return syncs
                elif not error.retriable():
                    raise refuse(f"{target.name}: {name}: {error.str()}", error.code())
    raise refuse(f"{target.name}: {name} cannot be read", KafkaError._TIMED_OUT)


def _take_in(syncs: OffsetSyncs, message: Message, name: str) -> None:
    try:
        syncs.add(*decode(message.key(), message.value()))
    except ValueError as error:
        raise refuse(f"{name} [0] {message.offset()}: {error}", KafkaError._BAD_MSG) from error


def records(place: Partition, syncs: Iterable[Sync]) -> list[tuple[bytes, bytes]]:
    """Return (key, value) of each sync."""
    return [encode(place, sync) for sync in syncs]
