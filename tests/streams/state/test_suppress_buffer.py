"""The buffer of suppress. Cases of Kafka's TimeOrderedKeyValueBufferTest, in words of our own.

The bytes of the changelog versions 0 to 3 were captured there from releases 2.1 to 2.4.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.streams.processors.harness import a_task

from pylog.streams import serdes
from pylog.streams.errors import SerializationError
from pylog.streams.record import Change, Record, ValueAndTimestamp
from pylog.streams.state.suppress_buffer import Eviction, SuppressBufferBuilder
from pylog.streams.state.suppress_format import (
    BufferValue,
    RecordContext,
    decode_buffer_value,
    encode_buffer_value,
)

MAX = 2**63 - 1


def _context(timestamp: int) -> RecordContext:
    return RecordContext(timestamp, 0, 0, "topic", [])


def _buffer(logged: bool = True) -> Any:
    buffer = SuppressBufferBuilder("buffer", serdes.string, serdes.string).build()
    buffer.changelog_topic = "app-buffer-changelog" if logged else None
    buffer.changelog_partition = 0
    buffer.init(a_task())
    return buffer


def _put(buffer: Any, time: int, timestamp: int, key: str, value: str) -> None:
    buffer.put(time, Record(key, Change(value, None), timestamp), _context(timestamp))


def _evict_all(buffer: Any) -> list[Eviction]:
    evicted: list[Eviction] = []
    buffer.evict_while(lambda: True, evicted.append)
    return evicted


def test_data_leaves_when_evicted() -> None:
    buffer = _buffer()
    _put(buffer, 0, 0, "asdf", "qwer")
    assert len(buffer) == 1
    assert _evict_all(buffer) == [Eviction("asdf", Change("qwer", None), _context(0))]
    assert len(buffer) == 0


def test_eviction_stops_when_no_more_is_wanted() -> None:
    buffer = _buffer()
    _put(buffer, 0, 0, "asdf", "eyt")
    _put(buffer, 1, 0, "zxcv", "rtg")
    evicted: list[Eviction] = []
    buffer.evict_while(lambda: len(buffer) > 1, evicted.append)
    assert len(buffer) == 1
    assert evicted == [Eviction("asdf", Change("eyt", None), _context(0))]


def test_count_is_of_keys_and_size_is_of_the_newest_values() -> None:
    buffer = _buffer()
    _put(buffer, 0, 0, "asdf", "23roni")
    assert (len(buffer), buffer.memory_bytes) == (1, 43)
    _put(buffer, 1, 0, "asdf", "3l")
    assert (len(buffer), buffer.memory_bytes) == (1, 39)
    _put(buffer, 0, 0, "zxcv", "qfowin")
    assert (len(buffer), buffer.memory_bytes) == (2, 82)


def test_minimum_time_is_that_of_the_earliest_key() -> None:
    buffer = _buffer()
    _put(buffer, 1, 0, "asdf", "2093j")
    assert buffer.min_timestamp == 1
    _put(buffer, 0, 0, "zxcv", "3gon4i")
    assert buffer.min_timestamp == 0


def test_a_key_keeps_its_place_when_it_changes() -> None:
    buffer = _buffer()
    _put(buffer, 1, 1, "a", "first")
    _put(buffer, 2, 2, "b", "other")
    _put(buffer, 9, 9, "a", "second")
    assert [(e.key, e.change.new_value) for e in _evict_all(buffer)] == [
        ("a", "second"),
        ("b", "other"),
    ]


def test_keys_of_one_time_leave_in_the_order_of_their_bytes() -> None:
    buffer = _buffer()
    for key in ("b", "é", "a", "c"):
        _put(buffer, 5, 5, key, "v")
    assert [eviction.key for eviction in _evict_all(buffer)] == ["a", "b", "c", "é"]


def test_a_key_is_still_there_while_it_is_emitted() -> None:
    buffer = _buffer()
    _put(buffer, 1, 0, "zxcv", "o23i4")
    assert (len(buffer), buffer.memory_bytes, buffer.min_timestamp) == (1, 42, 1)
    _put(buffer, 0, 0, "asdf", "3ng")
    assert (len(buffer), buffer.memory_bytes, buffer.min_timestamp) == (2, 82, 0)
    seen = []

    def emit(eviction: Eviction) -> None:
        seen.append((eviction.key, len(buffer), buffer.memory_bytes, buffer.min_timestamp))

    buffer.evict_while(lambda: True, emit)
    assert seen == [("asdf", 2, 82, 0), ("zxcv", 1, 42, 1)]
    assert (len(buffer), buffer.memory_bytes, buffer.min_timestamp) == (0, 0, MAX)


def test_what_fails_to_be_emitted_stays() -> None:
    buffer = _buffer()
    _put(buffer, 0, 0, "a", "v")

    def emit(_: Eviction) -> None:
        raise RuntimeError("downstream")

    with pytest.raises(RuntimeError, match="downstream"):
        buffer.evict_while(lambda: True, emit)
    assert [eviction.key for eviction in _evict_all(buffer)] == ["a"]


def test_prior_value_is_the_old_value_of_the_first_change() -> None:
    buffer = _buffer()
    assert buffer.prior_value_for_buffered("A") == (False, None)
    for change in (Change("new", "old"), Change("newer", "new")):
        buffer.put(1, Record("A", change, 0), _context(0))
    buffer.put(1, Record("B", Change("new", None), 0), _context(0))
    assert buffer.prior_value_for_buffered("A") == (True, ValueAndTimestamp("old", -1))
    assert buffer.prior_value_for_buffered("B") == (True, None)


def test_flush_writes_each_key_that_has_changed_once() -> None:
    buffer = _buffer()
    _put(buffer, 2, 0, "asdf", "first")
    _put(buffer, 2, 0, "asdf", "2093j")
    _put(buffer, 1, 1, "zxcv", "3gon4i")
    _put(buffer, 0, 2, "deleteme", "deadbeef")
    buffer.evict_while(lambda: buffer.min_timestamp < 1, lambda _: None)
    buffer.flush()
    sent = {record[1]: record for record in buffer._context.collector.sent}
    assert len(buffer._context.collector.sent) == 3
    topic = "app-buffer-changelog"
    assert sent[b"deleteme"] == (topic, b"deleteme", None, None, 0, 0)
    for key, time, value, timestamp in ((b"asdf", 2, b"2093j", 0), (b"zxcv", 1, b"3gon4i", 1)):
        data, headers = sent[key][2:4]
        assert headers == [("v", b"\x03")]
        assert decode_buffer_value(b"\x03", data, None, _context(0)) == (
            time,
            BufferValue(None, None, value, _context(timestamp)),
        )
    buffer._context.collector.sent.clear()
    buffer.flush()
    assert buffer._context.collector.sent == []


def test_a_buffer_without_changelog_writes_none() -> None:
    buffer = _buffer(logged=False)
    _put(buffer, 2, 0, "asdf", "2093j")
    buffer.flush()
    assert buffer._context.collector.sent == []


# Of each version the changes of "todelete", "asdf" and, twice, "zxcv".
V0 = [
    "0000000000000000FFFFFFFF00000006646F6F6D6564",
    "0000000000000002FFFFFFFF0000000471776572",
    "00000000000000010000000870726576696F757300000005656F34696D",
    "000000000000000100000005656F34696D000000046E657874",
]
V1 = [
    "00000000000000000000000000000000000000000000000000000005746F70696300000000FFFFFFFF0000000E"
    "FFFFFFFF00000006646F6F6D6564",
    "00000000000000020000000000000001000000000000000000000005746F70696300000000FFFFFFFF0000000C"
    "FFFFFFFF0000000471776572",
    "00000000000000010000000000000002000000000000000000000005746F70696300000000FFFFFFFF00000015"
    "0000000870726576696F757300000005336F34696D",
    "00000000000000010000000000000003000000000000000000000005746F70696300000000FFFFFFFF00000011"
    "00000005336F34696D000000046E657874",
]
V2 = [
    "0000000000000000000000000000000000000005746F70696300000000FFFFFFFF0000000EFFFFFFFF00000006"
    "646F6F6D6564FFFFFFFF0000000000000000",
    "0000000000000001000000000000000000000005746F70696300000000FFFFFFFF0000000CFFFFFFFF00000004"
    "71776572FFFFFFFF0000000000000002",
    "0000000000000002000000000000000000000005746F70696300000000FFFFFFFF000000140000000749474E4F"
    "52454400000005336F34696D0000000870726576696F75730000000000000001",
    "0000000000000003000000000000000000000005746F70696300000000FFFFFFFF0000001100000005336F3469"
    "6D000000046E6578740000000870726576696F75730000000000000001",
]
V3 = [
    "0000000000000000000000000000000000000005746F70696300000000FFFFFFFFFFFFFFFFFFFFFFFF00000006"
    "646F6F6D65640000000000000000",
    "0000000000000001000000000000000000000005746F70696300000000FFFFFFFFFFFFFFFFFFFFFFFF00000004"
    "717765720000000000000002",
    "0000000000000002000000000000000000000005746F70696300000000FFFFFFFF0000000870726576696F7573"
    "0000000749474E4F52454400000005336F34696D0000000000000001",
    "0000000000000003000000000000000000000005746F70696300000000FFFFFFFF0000000870726576696F7573"
    "00000005336F34696D000000046E6578740000000000000001",
]


@pytest.mark.parametrize(
    ("version", "data", "sizes", "old", "topic", "offsets"),
    [
        (None, V0, (172, 115), "eo4im", "changelog-topic", (-1, -1)),
        (b"\x01", V1, (142, 95), "3o4im", "topic", (0, 0)),
        (b"\x02", V2, (142, 95), "3o4im", "topic", (0, 0)),
        (b"\x02", V3, (142, 95), "3o4im", "topic", (0, 0)),
        (b"\x03", V3, (142, 95), "3o4im", "topic", (0, 0)),
    ],
    ids=["0", "1", "2", "3 said to be 2", "3"],
)
def test_changelogs_of_all_releases_restore(
    version: bytes | None,
    data: list[str],
    sizes: tuple[int, int],
    old: str,
    topic: str,
    offsets: tuple[int, int],
) -> None:
    buffer = _buffer()
    buffer.changelog_topic = "changelog-topic"
    headers = [] if version is None else [("v", version)]
    keys = (b"todelete", b"asdf", b"zxcv", b"zxcv")
    buffer.restore_batch(
        [
            (key, bytes.fromhex(one), at, headers)
            for at, (key, one) in enumerate(zip(keys, data, strict=True))
        ]
    )
    assert buffer.memory_bytes == sizes[0]
    assert (len(buffer), buffer.min_timestamp) == (3, 0)
    buffer.restore_batch([(b"todelete", None, 3, [])])
    assert (len(buffer), buffer.min_timestamp) == (2, 1)
    assert buffer.memory_bytes == sizes[1]
    assert buffer.prior_value_for_buffered("todelete") == (False, None)
    assert buffer.prior_value_for_buffered("asdf") == (True, None)
    assert buffer.prior_value_for_buffered("zxcv") == (True, ValueAndTimestamp("previous", -1))
    assert _evict_all(buffer) == [
        Eviction("zxcv", Change("next", old), RecordContext(3, offsets[0], 0, topic, [])),
        Eviction("asdf", Change("qwer", None), RecordContext(1, offsets[1], 0, topic, [])),
    ]


@pytest.mark.parametrize("version", [b"\xff", b"\x01", b"\x02", b"\x03", None])
def test_what_is_in_no_format_is_an_error(version: bytes | None) -> None:
    with pytest.raises(SerializationError, match="does not read"):
        decode_buffer_value(version, b"\x00\x00\x00\x01nonsense", None, _context(0))


_data = st.none() | st.binary(max_size=5)
_contexts = st.builds(
    RecordContext,
    st.integers(0, MAX),
    st.integers(-1, MAX),
    st.integers(-1, 2**31 - 1),
    st.none() | st.text("abc", min_size=1, max_size=4),
    st.lists(st.tuples(st.text("xé", max_size=3), _data), max_size=2),
)


@given(value=st.builds(BufferValue, _data, _data, _data, _contexts), time=st.integers(0, MAX))
def test_what_is_written_is_read(value: BufferValue, time: int) -> None:
    data = encode_buffer_value(value, time)
    assert decode_buffer_value(b"\x03", data, None, _context(0)) == (time, value)


@settings(deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.sampled_from(["x", "yy", None]))
    ),
    limit=st.integers(0, 9),
)
def test_a_buffer_restored_from_its_changelog_is_the_same(
    changes: list[tuple[str, int, str | None]], limit: int
) -> None:
    buffer, known = _buffer(), dict[str, str | None]()
    for key, time, value in changes:
        change = Change(value, known.get(key))
        buffer.put(time, Record(key, change, time), _context(time))
        known[key] = value
        buffer.flush()
    buffer.evict_while(lambda: buffer.min_timestamp <= limit, lambda _: None)
    buffer.flush()
    restored = _buffer()
    sent = buffer._context.collector.sent
    restored.restore_batch([(r[1], r[2], r[4], r[3]) for r in sent])
    assert restored.memory_bytes == buffer.memory_bytes
    assert restored.min_timestamp == buffer.min_timestamp
    for key in "abc":
        assert restored.prior_value_for_buffered(key) == buffer.prior_value_for_buffered(key)
    assert _evict_all(restored) == _evict_all(buffer)
