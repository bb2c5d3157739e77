"""The processor of suppress. Cases of Kafka's KTableSuppressProcessorTest, in words of our own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.processors.harness import Harness

from pylog.streams import serdes
from pylog.streams.errors import StreamsError
from pylog.streams.processors.suppress import KTableSuppressProcessor
from pylog.streams.record import Change, Record
from pylog.streams.state.suppress_buffer import SuppressBufferBuilder
from pylog.streams.suppressed import BufferConfig, Suppressed
from pylog.streams.window import SessionWindow, Window, Windowed

ANY = Change(7, 14)
DELETED = Change(None, 5)
UNBOUNDED = BufferConfig.unbounded()
DAYS = 100 * 86_400_000


def _harness(suppressed: Suppressed, key_serde: Any = serdes.string) -> Harness:
    builder = SuppressBufferBuilder("buffer", key_serde, serdes.long)
    return Harness(lambda: KTableSuppressProcessor(suppressed, "buffer"), builder)


def _final(grace_ms: int) -> Suppressed:
    return Suppressed.until_window_closes().with_grace(grace_ms)


def _windowed(start_ms: int, end_ms: int, key: str = "hey") -> Windowed:
    return Windowed(key, Window(start_ms, end_ms))


TIME_WINDOWED = serdes.time_windowed(serdes.string, 100)
SESSION_WINDOWED = serdes.session_windowed(serdes.string)


@pytest.mark.parametrize(
    ("key", "key_serde"), [("hey", serdes.string), (_windowed(0, 100), TIME_WINDOWED)]
)
def test_a_limit_of_no_time_holds_nothing_back(key: Any, key_serde: Any) -> None:
    harness = _harness(Suppressed.until_time_limit(0, UNBOUNDED), key_serde)
    assert harness.pipe(key, ANY, 5) == [Record(key, ANY, 5)]


def test_an_update_is_held_back_until_stream_time_has_passed_the_limit() -> None:
    harness = _harness(Suppressed.until_time_limit(1, UNBOUNDED))
    held = Change(None, 1)
    assert harness.pipe("hey", held, 0) == []
    assert harness.pipe("tick", Change(None, None), 1) == [Record("hey", held, 0)]


def test_a_final_result_waits_for_the_grace_period_after_the_end_of_its_window() -> None:
    harness = _harness(_final(1), serdes.time_windowed(serdes.string, 1))
    assert harness.pipe(_windowed(99, 100), ANY, 99) == []
    # Stream time is at the end of the window, but not of its grace period.
    assert harness.pipe(_windowed(100, 101, "b"), ANY, 100) == []
    assert harness.pipe(_windowed(101, 102, "c"), ANY, 101) == [Record(_windowed(99, 100), ANY, 99)]


def test_a_final_result_without_grace_still_waits_for_the_end_of_its_window() -> None:
    harness = _harness(_final(0), TIME_WINDOWED)
    assert harness.pipe(_windowed(0, 100), ANY, 5) == []
    assert harness.pipe(_windowed(100, 200, "other"), ANY, 100) == [
        Record(_windowed(0, 100), ANY, 5)
    ]


def test_a_final_result_at_the_end_of_its_window_goes_on_at_once() -> None:
    harness = _harness(_final(0), TIME_WINDOWED)
    assert harness.pipe(_windowed(0, 100), ANY, 100) == [Record(_windowed(0, 100), ANY, 100)]


def test_final_results_need_no_deletions() -> None:
    harness = _harness(_final(0), TIME_WINDOWED)
    assert harness.pipe(_windowed(0, 100), DELETED, 100) == []
    harness = _harness(_final(0), SESSION_WINDOWED)
    assert harness.pipe(Windowed("hey", SessionWindow(0, 0)), DELETED, 100) == []


@pytest.mark.parametrize(
    ("key", "key_serde"),
    [
        ("hey", serdes.string),
        (_windowed(0, 100), TIME_WINDOWED),
        (Windowed("hey", SessionWindow(0, 0)), SESSION_WINDOWED),
    ],
)
def test_other_deletions_go_on_with_their_headers(key: Any, key_serde: Any) -> None:
    suppressed = Suppressed.until_time_limit(0, BufferConfig.of_max_records(0))
    headers = [("k", b"v")]
    (record,) = _harness(suppressed, key_serde).pipe(key, DELETED, 100, headers)
    assert record == Record(key, DELETED, 100, headers)


FULL = [BufferConfig.of_max_records(1), BufferConfig.of_max_bytes(60)]


@pytest.mark.parametrize("buffer", FULL, ids=["records", "bytes"])
def test_a_full_buffer_lets_the_oldest_go(buffer: BufferConfig) -> None:
    harness = _harness(Suppressed.until_time_limit(DAYS, buffer))
    assert harness.pipe("hey", DELETED, 100) == []
    assert harness.pipe("other", DELETED, 101) == [Record("hey", DELETED, 100)]


@pytest.mark.parametrize("buffer", FULL, ids=["records", "bytes"])
def test_a_full_buffer_shuts_down_where_that_is_asked_for(buffer: BufferConfig) -> None:
    harness = _harness(Suppressed.until_time_limit(DAYS, buffer.shut_down_when_full()))
    harness.pipe("hey", DELETED, 100)
    with pytest.raises(StreamsError, match="node: the buffer is full, with 2 of"):
        harness.pipe("other", DELETED, 100)


def test_what_is_emitted_has_the_metadata_of_its_own_record() -> None:
    harness = _harness(Suppressed.until_time_limit(1, UNBOUNDED))
    harness.pipe("a", ANY, 0)
    harness.pipe("b", ANY, 1, [("h", b"1")])
    (metadata,) = harness.output.metadata
    assert (metadata.topic, metadata.partition, metadata.offset) == ("topic", 0, 0)
    # The task is at the record that it works on again.
    assert (harness.task.offset, harness.task.headers) == (1, [("h", b"1")])


def test_only_the_newest_update_of_a_key_goes_on_at_the_time_of_the_first() -> None:
    harness = _harness(Suppressed.until_time_limit(2, UNBOUNDED))
    harness.pipe_all(("a", Change(1, None), 0), ("a", Change(2, 1), 1))
    assert harness.pipe("b", ANY, 2) == [Record("a", Change(2, 1), 1)]


def test_a_buffer_survives_a_restart_by_its_changelog() -> None:
    suppressed = Suppressed.until_time_limit(2, UNBOUNDED)
    harness = _harness(suppressed)
    harness.pipe_all(("a", Change(1, None), 0), ("b", Change(1, None), 1))
    harness.store("buffer").flush()
    again = _harness(suppressed)
    again.store("buffer").restore_batch(
        [(key, value, time, headers) for _, key, value, headers, time, _ in harness.changelog]
    )
    assert again.pipe("c", ANY, 3) == [
        Record("a", Change(1, None), 0),
        Record("b", Change(1, None), 1),
    ]


@given(
    updates=st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 30), st.none() | st.integers(0, 9))
    ),
    wait_ms=st.integers(0, 10),
    max_records=st.integers(1, 5),
)
def test_what_goes_on_is_what_a_model_says(
    updates: list[tuple[str, int, int | None]], wait_ms: int, max_records: int
) -> None:
    harness = _harness(
        Suppressed.until_time_limit(wait_ms, BufferConfig.of_max_records(max_records))
    )
    held: dict[str, tuple[int, int | None, int]] = {}  # by key: place, value, time
    stream_time = 0
    for key, time, value in updates:
        stream_time = max(stream_time, time)
        place = held[key][0] if key in held else time
        held[key] = (place, value, time)
        expected = []
        for first in sorted(held, key=lambda key: (held[key][0], key)):
            if held[first][0] <= stream_time - wait_ms or len(held) > max_records:
                _, newest, at = held.pop(first)
                expected.append((first, newest, at))
        output = harness.pipe(key, Change(value, None), time)
        assert [(r.key, r.value.new_value, r.timestamp) for r in output] == expected
