"""Definitions of windows, durations, Materialized and Suppressed.

Cases of Kafka Streams' TimeWindowsTest, SlidingWindowsTest, SessionWindowsTest, JoinWindowsTest,
UnlimitedWindowsTest, MaterializedTest and SuppressedTest, in our words.
"""

from datetime import timedelta
from typing import Any

import pytest

from pylog.streams import serdes
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.durations import MAX_MS, to_ms
from pylog.streams.errors import TopologyError
from pylog.streams.state import stores
from pylog.streams.suppressed import BufferConfig, Suppressed
from pylog.streams.window import SessionWindow, Window, Windowed
from pylog.streams.windows import (
    EmitStrategy,
    JoinWindows,
    SessionWindows,
    SlidingWindows,
    TimeWindows,
    UnlimitedWindows,
)


@pytest.mark.parametrize(
    ("duration", "milliseconds"),
    [
        (0, 0),
        (-3, -3),
        (timedelta(seconds=1.5), 1_500),
        (timedelta(microseconds=1_999), 1),
        ("500ms", 500),
        ("10s", 10_000),
        ("1m", 60_000),
        ("2min", 120_000),
        ("1.5h", 5_400_000),
        (" 2 d ", 172_800_000),
        (MAX_MS, MAX_MS),
    ],
)
def test_a_duration_is_a_number_of_ms_a_timedelta_or_text(duration: Any, milliseconds: int):
    assert to_ms(duration) == milliseconds


@pytest.mark.parametrize("text", ["", "10", "s", "10 years", "-1s", "1s2"])
def test_other_text_is_no_duration(text: str):
    with pytest.raises(ValueError, match="grace is a number and one of ms, s, m, h, d"):
        to_ms(text, "grace")


@pytest.mark.parametrize("duration", [None, True, 1.5, [1]])
def test_other_things_are_no_duration(duration: Any):
    with pytest.raises(TypeError, match="size is int ms, a timedelta or text"):
        to_ms(duration, "size")


def test_a_duration_has_to_fit_64_bits():
    with pytest.raises(ValueError, match="longer than"):
        to_ms(MAX_MS + 1)


# Windows as such.


def test_windows_are_equal_by_their_bounds_and_sort_by_them():
    assert Window(1, 3) == Window(1, 3) == SessionWindow(1, 3)
    assert Window(1, 3) != Window(1, 4)
    assert sorted([Window(2, 3), Window(1, 4), Window(1, 3)]) == [
        Window(1, 3),
        Window(1, 4),
        Window(2, 3),
    ]
    assert Window(1, 3) <= Window(1, 3) < Window(1, 4) <= Window(2, 3)
    assert {Window(1, 3): "a"}[Window(1, 3)] == "a"
    assert tuple(Window(1, 3)) == (1, 3)


def test_a_window_does_not_start_before_0_nor_end_before_it_starts():
    with pytest.raises(ValueError, match="before 0: -1"):
        Window(-1, 3)
    with pytest.raises(ValueError, match="3 to 2"):
        Window(3, 2)


@pytest.mark.parametrize(
    ("other", "half_open", "closed"),
    [
        ((0, 25), False, False),
        ((0, 50), False, True),
        ((0, 51), True, True),
        ((60, 70), True, True),
        ((99, 200), True, True),
        ((100, 200), False, True),
        ((101, 200), False, False),
    ],
)
def test_windows_overlap_if_a_time_is_in_both(
    other: tuple[int, int], half_open: bool, closed: bool
):
    assert Window(50, 100).overlaps(Window(*other)) == half_open
    assert SessionWindow(50, 100).overlaps(SessionWindow(*other)) == closed


def test_a_windowed_key_is_equal_by_key_and_window_and_printed_as_by_kafka():
    windowed = Windowed("a", Window(1, 3))
    assert windowed == Windowed("a", Window(1, 3))
    assert windowed != Windowed("b", Window(1, 3))
    assert windowed != Windowed("a", Window(2, 3))
    assert {windowed: 1}[Windowed("a", Window(1, 3))] == 1
    assert (str(windowed), repr(windowed)) == ("[a@1/3]", "['a'@1/3]")


# Time windows.


def starts(windows: TimeWindows, timestamp: int) -> list[int]:
    found = windows.windows_for(timestamp)
    assert all(window.start_ms == start for start, window in found.items())
    assert all(window.end_ms == start + windows.size_ms for start, window in found.items())
    return list(found)


def test_tumbling_windows_do_not_overlap():
    windows = TimeWindows.of_size_with_no_grace(12)
    assert starts(windows, 11) == [0]
    assert starts(windows, 12) == [12]
    assert starts(windows, 21) == [12]


def test_hopping_windows_overlap_and_begin_at_multiples_of_their_advance():
    windows = TimeWindows.of_size_with_no_grace(12).advance_by(5)
    assert starts(windows, 21) == [10, 15, 20]
    assert starts(windows, 3) == [0]
    assert starts(TimeWindows.of_size_with_no_grace(12).advance_by(5), 12) == [5, 10]
    assert starts(TimeWindows.of_size_with_no_grace(3).advance_by(2), 1000) == [998, 1000]


def test_time_windows_keep_size_advance_and_grace():
    windows = TimeWindows.of_size_and_grace("10s", "1s").advance_by("5s")
    assert (windows.size_ms, windows.advance_ms, windows.grace_ms) == (10_000, 5_000, 1_000)
    assert TimeWindows.of_size_with_no_grace(3).grace_ms == 0


@pytest.mark.parametrize("size", [0, -1])
def test_the_size_of_time_windows_is_above_0(size: int):
    with pytest.raises(ValueError, match=f"larger than 0: {size} ms"):
        TimeWindows.of_size_with_no_grace(size)


@pytest.mark.parametrize("advance", [-1, 0, 11])
def test_the_advance_of_time_windows_is_above_0_and_not_above_their_size(advance: int):
    with pytest.raises(ValueError, match=f"not by {advance} ms"):
        TimeWindows.of_size_with_no_grace(10).advance_by(advance)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TimeWindows.of_size_and_grace(3, -1),
        lambda: SlidingWindows.of_time_difference_and_grace(3, -1),
        lambda: SessionWindows.of_inactivity_gap_and_grace(3, -1),
        lambda: JoinWindows.of_time_difference_and_grace(3, -1),
    ],
)
def test_a_grace_period_is_not_negative(make: Any):
    with pytest.raises(ValueError, match="not negative: -1 ms"):
        make()


def test_windows_are_equal_by_what_they_are():
    assert TimeWindows.of_size_and_grace(3, 1) == TimeWindows.of_size_and_grace("3ms", 1)
    assert TimeWindows.of_size_and_grace(3, 1) != TimeWindows.of_size_and_grace(3, 2)
    assert hash(SessionWindows.of_inactivity_gap_with_no_grace(3)) == hash(
        SessionWindows.of_inactivity_gap_with_no_grace(3)
    )


# The others.


def test_a_sliding_difference_may_be_0_but_not_negative():
    windows = SlidingWindows.of_time_difference_and_grace(0, "1s")
    assert (windows.time_difference_ms, windows.grace_ms) == (0, 1_000)
    with pytest.raises(ValueError, match="not negative: -1 ms"):
        SlidingWindows.of_time_difference_with_no_grace(-1)


@pytest.mark.parametrize("gap", [0, -1])
def test_the_gap_of_sessions_is_above_0(gap: int):
    with pytest.raises(ValueError, match=f"larger than 0: {gap} ms"):
        SessionWindows.of_inactivity_gap_with_no_grace(gap)


def test_unlimited_windows_begin_once_and_never_end():
    windows = UnlimitedWindows.of().start_on(10)
    assert windows.windows_for(9) == {}
    assert windows.windows_for(10) == {10: Window(10, MAX_MS)}
    assert (windows.size_ms, windows.grace_ms) == (MAX_MS, 0)
    with pytest.raises(ValueError, match="before 0: -1"):
        UnlimitedWindows.of().start_on(-1)


def test_bounds_of_join_windows_may_be_negative_but_not_their_size():
    windows = JoinWindows.of_time_difference_with_no_grace(5)
    assert (windows.before_ms, windows.after_ms, windows.size_ms) == (5, 5, 10)
    assert windows.before(0).after(7) == JoinWindows(0, 7, 0)
    assert windows.after(-5).size_ms == 0
    assert windows.before(-5).size_ms == 0
    with pytest.raises(ValueError, match=r"5 \+ -6 ms"):
        windows.after(-6)
    with pytest.raises(ValueError, match=r"-6 \+ 5 ms"):
        windows.before(-6)


def test_bounds_of_join_windows_keep_the_grace():
    windows = JoinWindows.of_time_difference_and_grace(5, 3).before(1).after(2)
    assert windows == JoinWindows(1, 2, 3)


def test_there_are_two_emit_strategies():
    assert not EmitStrategy.on_window_update().emits_on_window_close
    assert EmitStrategy.on_window_close().emits_on_window_close


# Materialized.


def test_materialized_is_not_changed_but_made_anew():
    plain = Materialized.as_("store")
    other = (
        plain.with_key_serde(serdes.string)
        .with_value_serde(serdes.long)
        .with_caching_disabled()
        .with_logging_enabled({"segment.bytes": "1"})
        .with_retention("1h")
        .with_store_type("in_memory")
    )
    assert plain == Materialized("store")
    assert other.store_name == "store"
    assert (other.key_serde, other.value_serde) == (serdes.string, serdes.long)
    assert (other.caching_enabled, other.logging_enabled) == (False, True)
    assert (other.log_config, other.retention_ms) == ({"segment.bytes": "1"}, 3_600_000)
    assert other.with_caching_enabled().with_logging_disabled().log_config == {}


def test_materialized_takes_the_name_of_its_supplier():
    supplier = stores.in_memory_key_value_store("supplied")
    assert Materialized.as_(supplier).store_name == "supplied"
    assert not Materialized.as_(supplier).is_versioned
    versioned = stores.persistent_versioned_key_value_store("versions", 10)
    assert Materialized.as_(versioned).is_versioned


def test_materialized_refuses_what_makes_no_sense():
    supplier = stores.in_memory_key_value_store("supplied")
    with pytest.raises(TopologyError, match="no space|unlike 'a name'"):
        Materialized.as_("a name")
    with pytest.raises(ValueError, match="'supplied'; 'other' beside it"):
        Materialized("other", supplier=supplier)
    with pytest.raises(ValueError, match="store type beside a store supplier"):
        Materialized.as_(supplier).with_store_type("in_memory")
    with pytest.raises(ValueError, match="store_type is one of"):
        Materialized("store", store_type="somewhere")
    with pytest.raises(ValueError, match="a retention is not negative"):
        Materialized("store", retention=-1)
    with pytest.raises(TypeError, match="a store supplier has a name, unlike 7"):
        Materialized.as_(7)


# Suppressed.


def test_a_buffer_that_is_bounded_emits_early_unless_told_to_stop():
    unbounded = BufferConfig.unbounded()
    assert not unbounded.emits_early_when_full
    bounded = BufferConfig.of_max_records(2).with_max_bytes(4)
    assert bounded == BufferConfig(2, 4, True)
    assert BufferConfig.of_max_bytes(4).with_max_records(2) == bounded
    assert bounded.shut_down_when_full() == BufferConfig(2, 4, False)
    assert bounded.shut_down_when_full().emit_early_when_full() == bounded
    assert bounded.with_no_bound() == unbounded
    with pytest.raises(ValueError, match="not negative"):
        BufferConfig.of_max_records(-1)


def test_a_buffer_has_a_changelog_unless_told_otherwise():
    assert BufferConfig.unbounded().log_config == {}
    configured = BufferConfig.unbounded().with_logging_enabled({"retention.ms": "7"})
    assert configured.log_config == {"retention.ms": "7"}
    assert configured.logging_enabled
    assert not configured.with_logging_disabled().logging_enabled


def test_suppression_of_windows_waits_for_a_grace_that_is_known_later():
    final = Suppressed.until_window_closes(name="final")
    assert (final.wait_ms, final.is_final, final.name) == (None, True, "final")
    assert final.with_grace(5).wait_ms == 5
    assert final.with_name("other").name == "other"


def test_suppression_by_time_waits_as_long_as_it_is_told():
    held = Suppressed.until_time_limit("1m", BufferConfig.of_max_records(1))
    assert (held.wait_ms, held.is_final, held.name) == (60_000, False, None)
    with pytest.raises(ValueError, match="a time limit is not negative"):
        Suppressed.until_time_limit(-1, BufferConfig.unbounded())
    with pytest.raises(TypeError, match="the buffer is a BufferConfig, not 7"):
        Suppressed.until_time_limit(1, 7)  # type: ignore[arg-type]
