"""Frames from what a socket receives, in pieces of any size, into memory that is used again."""

import random
import struct
from collections.abc import Iterator

import pytest
from tests.wire.random_messages import seeded_random

from pylog.wire import Frame, FrameReader, WireError

LIMIT = 100 << 20
FIRST_CHUNK_BYTES = 64 << 10
TRUSTED_BYTES = 1 << 20


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">i", len(message)) + message for message in messages)


def receive(reader: FrameReader, data: bytes) -> None:
    """Put data where the socket would."""
    with memoryview(reader.get_buffer(-1)) as room:
        assert len(data) <= len(room)
        room[: len(data)] = data
    reader.buffer_updated(len(data))


def frames_of(reader: FrameReader) -> Iterator[Frame]:
    while (frame := reader.next_frame()) is not None:
        yield frame


def received(reader: FrameReader, data: bytes, piece: int | random.Random) -> list[bytes]:
    """Receive data in pieces; return the frames as they become complete."""
    found = []
    rest = memoryview(data)
    while rest:
        size = piece if isinstance(piece, int) else piece.randrange(1, 100_000)
        with memoryview(reader.get_buffer(-1)) as room:
            size = min(size, len(room), len(rest))
            assert size > 0
            room[:size] = rest[:size]
        reader.buffer_updated(size)
        rest = rest[size:]
        found += [bytes(frame) for frame in frames_of(reader)]
    return found


@pytest.mark.parametrize("piece", [1, 2, 3, 4, 5, 7, 1000])
def test_frames_are_cut_from_pieces_of_any_size(piece: int):
    messages = [b"", b"a", b"bc" * 100, b"", b"d" * 5000]
    assert received(FrameReader(LIMIT), framed(*messages), piece) == messages


def test_frames_around_the_sizes_of_memory_are_whole():
    source = seeded_random("frames")
    sizes = [
        edge + step
        for edge in (4096, FIRST_CHUNK_BYTES, TRUSTED_BYTES, 3 * TRUSTED_BYTES)
        for step in (-5, -4, -1, 0, 1)
    ]
    messages = [source.randbytes(size) for size in sizes + source.choices(range(200), k=200)]
    source.shuffle(messages)
    reader = FrameReader(LIMIT)
    assert received(reader, framed(*messages), source) == messages
    assert reader.pending_bytes == 0


def test_a_large_frame_is_received_in_one_piece_once_it_is_known():
    reader = FrameReader(LIMIT)
    receive(reader, struct.pack(">i", 500_000))
    assert len(reader.get_buffer(-1)) >= 500_000


def test_memory_follows_what_came_in_not_what_a_frame_says():
    reader = FrameReader(LIMIT)
    receive(reader, struct.pack(">i", LIMIT))
    assert len(reader.get_buffer(-1)) > 0
    assert reader.held_bytes <= TRUSTED_BYTES
    while reader.pending_bytes < 5 * TRUSTED_BYTES:
        size = len(reader.get_buffer(-1))
        reader.buffer_updated(size)
        assert reader.held_bytes <= max(2 * reader.pending_bytes, TRUSTED_BYTES)
    assert reader.next_frame() is None


@pytest.mark.parametrize("size", [-1, -(1 << 31), 1001, (1 << 31) - 1])
def test_a_frame_of_a_wrong_size_is_refused(size: int):
    reader = FrameReader(1000)
    receive(reader, struct.pack(">i", size))
    with pytest.raises(WireError, match=f"a frame of {size} bytes, at most 1000 are taken"):
        reader.next_frame()
    with pytest.raises(WireError, match="a frame of"):
        reader.get_buffer()


def test_the_frame_before_one_of_a_wrong_size_is_there():
    reader = FrameReader(1000)
    receive(reader, framed(b"first") + struct.pack(">i", -1))
    frame = reader.next_frame()
    assert frame is not None
    assert bytes(frame) == b"first"
    with pytest.raises(WireError):
        reader.next_frame()


def test_memory_is_used_again_when_nobody_holds_a_frame():
    reader = FrameReader(LIMIT)
    for _ in range(1000):
        assert received(reader, framed(b"x" * 60_000), 60_004) == [b"x" * 60_000]
    assert reader.held_bytes == FIRST_CHUNK_BYTES


def test_behind_a_frame_of_some_size_there_is_room_for_others():
    reader = FrameReader(LIMIT)
    assert received(reader, framed(b"x" * 70_000), 70_004) == [b"x" * 70_000]
    assert len(memoryview(reader.get_buffer())) >= 4 * 70_004
    assert received(reader, framed(b"y" * 70_000) * 4, 4 * 70_004) == [b"y" * 70_000] * 4


def test_a_frame_that_is_held_keeps_its_bytes():
    reader = FrameReader(LIMIT)
    held = []
    for number in range(300):
        receive(reader, framed(bytes([number % 256]) * 1000))
        held += [memoryview(frame)[500:600] for frame in frames_of(reader)]
    assert [bytes(each) for each in held] == [bytes([n % 256]) * 100 for n in range(300)]
    assert reader.held_bytes <= 2 * FIRST_CHUNK_BYTES


def test_a_frame_that_is_held_outlives_its_reader():
    reader = FrameReader(LIMIT)
    receive(reader, framed(b"abc"))
    frame = reader.next_frame()
    del reader
    assert frame is not None
    assert bytes(frame) == b"abc"


def test_a_frame_cannot_be_written_to():
    reader = FrameReader(LIMIT)
    receive(reader, framed(b"abc"))
    frame = reader.next_frame()
    assert frame is not None
    assert len(frame) == 3
    with memoryview(frame) as view, pytest.raises(TypeError):
        view[0] = 1


def test_a_connection_that_rests_gives_its_memory_back():
    reader = FrameReader(LIMIT)
    assert reader.held_bytes == 0
    reader.trim()
    received(reader, framed(b"x" * 500_000), 100_000)
    assert reader.held_bytes >= 500_000
    reader.trim()
    assert reader.held_bytes == 0
    assert received(reader, framed(b"again"), 2) == [b"again"]


def test_giving_memory_back_keeps_what_has_begun():
    reader = FrameReader(LIMIT)
    received(reader, framed(b"x" * 500_000), 100_000)
    message = b"y" * 1000
    receive(reader, framed(message)[:600])
    reader.trim()
    assert reader.held_bytes == FIRST_CHUNK_BYTES
    assert reader.pending_bytes == 600
    assert received(reader, framed(message)[600:], 100) == [message]


@pytest.mark.parametrize("received_bytes", [-1, FIRST_CHUNK_BYTES + 1])
def test_more_than_there_was_room_for_cannot_have_come(received_bytes: int):
    reader = FrameReader(LIMIT)
    with pytest.raises(ValueError, match="were not received"):
        reader.buffer_updated(1)
    reader.get_buffer()
    with pytest.raises(ValueError, match="were not received"):
        reader.buffer_updated(received_bytes)
