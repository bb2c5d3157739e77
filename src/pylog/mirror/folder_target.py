"""FolderTarget: writes into a folder, each record once, whatever is killed when.

A target partition belongs to the mirror alone, so its end says how far the copy is: with the syncs,
the end is the position in the source. Before a record is appended whose offset the syncs do not
imply, the new sync is on the disk; the records then follow at exactly the offset that it promised
(expected_offset), or not at all. No transaction is needed, and no marker takes an offset: a source
without gaps has the same offsets at the target.
"""

from collections.abc import Sequence

import pylog.embed
from logcore.batch import BatchBuilder
from logcore.codecs import CODEC_IDS
from logcore.errors import LogError
from logcore.log import Log
from pylog.errors import KafkaError, from_log_error
from pylog.message import Message
from pylog.mirror import offset_syncs
from pylog.mirror.chunks import Chunk, offset_of
from pylog.mirror.offset_syncs import OffsetSyncs, Sync
from pylog.mirror.places import Partition, Place, refuse

_BATCH_BYTES = 512 << 10


class FolderTarget:
    """The writing end of a mirror into a folder."""

    def __init__(self, place: Place, source_id: str, compression: str = "none") -> None:
        self.place = place
        self._syncs_name = offset_syncs.topic_name(source_id)
        self._codec = CODEC_IDS[compression]
        self._folder = pylog.embed.open(place.name, acks="all")
        self.syncs: OffsetSyncs = offset_syncs.read(place, source_id)

    def end_offset(self, place: Partition) -> int:
        """Offset that the next record of a partition gets."""
        return self._folder.topic(place[0]).end_offset(place[1])

    def position(self, place: Partition) -> int | None:
        """Source offset to go on at; None for a partition of which nothing was copied.

        Raises:
            KafkaException: _CONFLICT when records are there that this mirror did not write.
        """
        end_offset = self.end_offset(place)
        position = self.syncs.upstream(place, end_offset)
        if position is None and end_offset > 0:
            raise refuse(_foreign(self.place, place), KafkaError._CONFLICT)
        return position

    def last_message(self, place: Partition) -> Message | None:
        """The last record of a partition, if it is still there."""
        topic = self._folder.topic(place[0])
        if topic.end_offset(place[1]) == topic.start_offset(place[1]):
            return None
        return next(iter(topic.read(place[1], -1)), None)

    def write(self, chunks: Sequence[Chunk]) -> None:
        """Append what was read."""
        for chunk in chunks:
            end_offset = self.end_offset(chunk.place)
            copied = [
                (offset_of(message), end_offset + index)
                for index, message in enumerate(chunk.messages)
            ]
            self._record(chunk.place, self.syncs.needed(chunk.place, chunk.position, copied))
            self._append(chunk, end_offset)

    def _record(self, place: Partition, syncs: list[Sync]) -> None:
        if not syncs:
            return
        topic = self._folder.topic(self._syncs_name, configs=offset_syncs.CONFIGS)
        pairs = offset_syncs.records(place, syncs)
        topic.append_many([(key, value) for key, value in pairs], partition=0)
        for sync in syncs:
            self.syncs.add(place, sync)

    def _append(self, chunk: Chunk, end_offset: int) -> None:
        log = self._folder.topic(chunk.place[0]).log(chunk.place[1])
        builder = BatchBuilder(self._codec)
        size_bytes = 0
        for message in chunk.messages:
            key, value = message.key(), message.value()
            size_bytes += len(key or b"") + len(value or b"")
            builder.append(message.timestamp()[1], key, value, message.headers() or ())
            if size_bytes >= _BATCH_BYTES:
                end_offset = self._append_batch(log, builder, end_offset, chunk.place)
                size_bytes = 0
        if len(builder):
            self._append_batch(log, builder, end_offset, chunk.place)

    def _append_batch(
        self, log: Log, builder: BatchBuilder, end_offset: int, place: Partition
    ) -> int:
        count = len(builder)
        try:
            log.append(bytes(builder.build()), end_offset)
        except LogError as error:
            exception = from_log_error(error)
            if exception.args[0].code() == KafkaError._CONFLICT:
                raise refuse(_foreign(self.place, place), KafkaError._CONFLICT) from error
            raise exception from error
        return end_offset + count

    def flush(self) -> None:
        """Make what was written durable."""
        self._folder.flush()

    def close(self) -> None:
        """Give up the folder."""
        self._folder.close()


def _foreign(target: Place, place: Partition) -> str:
    return (
        f"{target.name}: {place[0]} [{place[1]}] has records that this mirror did not write; "
        "mirror into a topic that nobody else writes to, or delete it first"
    )
