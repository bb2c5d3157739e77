"""Chunk: what was read of one partition and is to be written at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pylog.message import Message
from pylog.mirror.places import Partition


@dataclass
class Chunk:
    """Messages of one partition in order.

    Attributes:
        place: topic and partition.
        position: source offset that was to be read next; the first message is at it or above.
        messages: at least one.
    """

    place: Partition
    position: int
    messages: list[Message]

    @property
    def next_position(self) -> int:
        """Source offset to read next."""
        return offset_of(self.messages[-1]) + 1


def offset_of(message: Message) -> int:
    """The offset of a message that was consumed."""
    offset = message.offset()
    assert offset is not None
    return offset


def split(messages: Iterable[Message], positions: dict[Partition, int]) -> Sequence[Chunk]:
    """Return messages by partition, and move `positions` behind them."""
    chunks: dict[Partition, Chunk] = {}
    for message in messages:
        topic, partition = message.topic(), message.partition()
        assert topic is not None and partition is not None
        place = (topic, partition)
        chunk = chunks.get(place)
        if chunk is None:
            chunk = chunks[place] = Chunk(place, positions[place], [])
        chunk.messages.append(message)
    for place, chunk in chunks.items():
        positions[place] = chunk.next_position
    return list(chunks.values())
