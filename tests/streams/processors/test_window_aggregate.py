"""Aggregates in time windows. Cases of Kafka's KStreamWindowAggregateTest, in words of our own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.processors.harness import EMIT_AT_ONCE, Harness, add, plain, with_old

from pylog.streams import serdes
from pylog.streams.processors.window_aggregate import (
    KStreamWindowAggregateSupplier,
    KStreamWindowCountSupplier,
)
from pylog.streams.state import stores
from pylog.streams.window import Window, Windowed
from pylog.streams.windows import EmitStrategy, TimeWindows, UnlimitedWindows

UPDATE = EmitStrategy.on_window_update()
CLOSE = EmitStrategy.on_window_close()
DAY = 86_400_000


def _store(windows: Any, value_serde: Any = serdes.string, retention_ms: int = DAY) -> Any:
    retention_ms = max(retention_ms, windows.size_ms)
    supplier = stores.in_memory_window_store("windows", retention_ms, windows.size_ms)
    return stores.timestamped_window_store_builder(supplier, serdes.string, value_serde)


def _supplier(windows: Any, strategy: EmitStrategy = UPDATE) -> KStreamWindowAggregateSupplier:
    return KStreamWindowAggregateSupplier(windows, "windows", strategy, lambda: "0", add)


def _harness(windows: Any, strategy: EmitStrategy = UPDATE, interval_ms: int = 0) -> Harness:
    settings = {name: interval_ms for name in EMIT_AT_ONCE}
    return Harness(_supplier(windows, strategy), _store(windows), settings=settings)


def _hopping(grace_ms: int) -> TimeWindows:
    return TimeWindows.of_size_and_grace(10, grace_ms).advance_by(5)


# Input and what an update of hopping windows of 10 by 5 forwards for it.
BASIC: list[tuple[tuple[str, str, int], list[tuple[str, str, int]]]] = [
    (("A", "1", 0), [("[A@0/10]", "0+1", 0)]),
    (("B", "2", 1), [("[B@0/10]", "0+2", 1)]),
    (("C", "3", 2), [("[C@0/10]", "0+3", 2)]),
    (("D", "4", 3), [("[D@0/10]", "0+4", 3)]),
    (("A", "1", 4), [("[A@0/10]", "0+1+1", 4)]),
    (("A", "1", 5), [("[A@0/10]", "0+1+1+1", 5), ("[A@5/15]", "0+1", 5)]),
    (("B", "2", 6), [("[B@0/10]", "0+2+2", 6), ("[B@5/15]", "0+2", 6)]),
    (("D", "4", 7), [("[D@0/10]", "0+4+4", 7), ("[D@5/15]", "0+4", 7)]),
    (("B", "2", 8), [("[B@0/10]", "0+2+2+2", 8), ("[B@5/15]", "0+2+2", 8)]),
    (("C", "3", 9), [("[C@0/10]", "0+3+3", 9), ("[C@5/15]", "0+3", 9)]),
    (("A", "1", 10), [("[A@5/15]", "0+1+1", 10), ("[A@10/20]", "0+1", 10)]),
    (("B", "2", 11), [("[B@5/15]", "0+2+2+2", 11), ("[B@10/20]", "0+2", 11)]),
    (("D", "4", 12), [("[D@5/15]", "0+4+4", 12), ("[D@10/20]", "0+4", 12)]),
    (("B", "2", 13), [("[B@5/15]", "0+2+2+2+2", 13), ("[B@10/20]", "0+2+2", 13)]),
    (("C", "3", 14), [("[C@5/15]", "0+3+3", 14), ("[C@10/20]", "0+3", 14)]),
    # Out of order: the time of the aggregate stays that of its newest record.
    (("B", "1", 3), [("[B@0/10]", "0+2+2+2+1", 8)]),
    (("B", "2", 2), [("[B@0/10]", "0+2+2+2+1+2", 8)]),
    (("B", "3", 9), [("[B@0/10]", "0+2+2+2+1+2+3", 9), ("[B@5/15]", "0+2+2+2+2+3", 13)]),
]


def test_a_record_updates_each_of_its_windows() -> None:
    harness = _harness(_hopping(100))
    for record, expected in BASIC:
        assert plain(harness.pipe(*record)) == expected
    assert harness.drops == {}


def test_nothing_is_emitted_on_close_while_the_grace_period_lasts() -> None:
    harness = _harness(_hopping(100), CLOSE)
    assert harness.pipe_all(*(record for record, _ in BASIC)) == []


def test_a_record_without_key_is_dropped() -> None:
    harness = _harness(_hopping(0))
    assert harness.pipe(None, "1", 0) == []
    assert harness.drops == {"null key": 1}


def test_a_record_without_value_is_aggregated() -> None:
    harness = _harness(_hopping(0))
    assert plain(harness.pipe("A", None, 0)) == [("[A@0/10]", "0+None", 0)]


LATE = [("k", "100", 100), *(("k", str(time), time) for time in (0, 1, 2, 3, 4, 5, 6, 105, 106))]


def test_a_record_is_dropped_from_closed_windows_and_added_to_open_ones() -> None:
    harness = _harness(_hopping(90))
    assert plain(harness.pipe_all(*LATE)) == [
        ("[k@95/105]", "0+100", 100),
        ("[k@100/110]", "0+100", 100),
        ("[k@5/15]", "0+5", 5),
        ("[k@5/15]", "0+5+6", 6),
        ("[k@100/110]", "0+100+105", 105),
        ("[k@105/115]", "0+105", 105),
        ("[k@100/110]", "0+100+105+106", 106),
        ("[k@105/115]", "0+105+106", 106),
    ]
    assert harness.drops == {"late": 7}


def test_windows_that_close_are_emitted_once() -> None:
    harness = _harness(_hopping(90), CLOSE)
    assert plain(harness.pipe_all(*LATE)) == [("[k@5/15]", "0+5+6", 6)]
    assert harness.drops == {"late": 7}


@pytest.mark.parametrize("strategy", [UPDATE, CLOSE])
def test_records_later_than_the_grace_period_are_dropped(strategy: EmitStrategy) -> None:
    harness = _harness(TimeWindows.of_size_and_grace(10, 90), strategy)
    output = harness.pipe("k", "100", 200)
    for time in (100, 101, 102, 103, 104, 105, 6):
        output += harness.pipe("k", "late", time)
    assert plain(output) == ([] if strategy is CLOSE else [("[k@200/210]", "0+100", 200)])
    assert harness.drops == {"late": 7}


def test_a_window_is_closed_when_stream_time_reaches_its_end_and_grace() -> None:
    harness = _harness(TimeWindows.of_size_and_grace(10, 5))
    harness.pipe_all(("k", "a", 14), ("other", "b", 14))
    assert plain(harness.pipe("k", "in time", 9)) == [("[k@0/10]", "0+in time", 9)]
    harness.pipe("k", "c", 15)
    assert harness.pipe("k", "late", 9) == []


def test_emission_waits_until_new_windows_close() -> None:
    harness = _harness(_hopping(5), CLOSE)
    assert plain(harness.pipe_all(("A", "1", 0), ("B", "2", 5), ("C", "3", 15))) == [
        ("[A@0/10]", "0+1", 0),
        ("[B@0/10]", "0+2", 5),
    ]
    # Stream time does not move, or not far enough.
    assert harness.pipe("D", "4", 15) == []
    assert harness.pipe("E", "5", 19) == []
    assert plain(harness.pipe("F", "6", 20)) == [("[B@5/15]", "0+2", 5)]


def test_closed_windows_are_emitted_by_time_and_key() -> None:
    harness = _harness(_hopping(5), CLOSE)
    records = [("A", "1", 0), ("A", "1", 5), ("B", "2", 10), ("C", "3", 15), ("D", "4", 20)]
    assert plain(harness.pipe_all(*records)) == [
        ("[A@0/10]", "0+1+1", 5),
        ("[A@5/15]", "0+1", 5),
        ("[B@5/15]", "0+2", 10),
    ]


def test_emission_is_throttled_by_the_clock() -> None:
    harness = _harness(_hopping(5), CLOSE, interval_ms=1000)
    records = [("A", "1", 0), ("A", "1", 5), ("B", "2", 10), ("C", "3", 15)]
    assert harness.pipe_all(*records) == []
    harness.now_ms = 10_000
    assert plain(harness.pipe("D", "4", 20)) == [
        ("[A@0/10]", "0+1+1", 5),
        ("[A@5/15]", "0+1", 5),
        ("[B@5/15]", "0+2", 10),
    ]
    harness.now_ms = 10_100
    assert harness.pipe("E", "5", 40) == []


def test_after_a_restart_emission_goes_on_where_it_was() -> None:
    harness = _harness(_hopping(5), CLOSE)
    harness.pipe_all(("A", "1", 0), ("B", "2", 5), ("C", "3", 15))
    assert harness.task.processor_metadata == {"windows": 10}
    harness.start(_supplier(_hopping(5), CLOSE))
    assert plain(harness.pipe("D", "4", 25)) == [
        ("[B@5/15]", "0+2", 5),
        ("[C@10/20]", "0+3", 15),
    ]


def test_what_is_emitted_on_close_has_the_headers_of_the_record_that_closes() -> None:
    harness = _harness(TimeWindows.of_size_with_no_grace(10), CLOSE)
    harness.pipe("A", "1", 0, [("h", b"0")])
    (record,) = harness.pipe("A", "1", 10, [("h", b"10")])
    assert (record.headers, record.timestamp) == ([("h", b"10")], 0)


def test_unlimited_windows_cannot_emit_on_close() -> None:
    with pytest.raises(ValueError, match="not UnlimitedWindows"):
        _supplier(UnlimitedWindows.of(), CLOSE)


def test_an_unlimited_window_takes_all_records_from_its_start_on() -> None:
    harness = _harness(UnlimitedWindows.of().start_on(5))
    records = [("A", "1", 4), ("A", "2", 5), ("A", "3", 1_000_000), ("A", "4", 5)]
    end = 2**63 - 1
    assert plain(harness.pipe_all(*records)) == [
        (f"[A@5/{end}]", "0+2", 5),
        (f"[A@5/{end}]", "0+2+3", 1_000_000),
        (f"[A@5/{end}]", "0+2+3+4", 1_000_000),
    ]


def test_old_values_are_sent_on_request_and_begin_with_the_initial_one() -> None:
    windows = TimeWindows.of_size_with_no_grace(10)
    supplier = _supplier(windows)
    assert supplier.enable_sending_old_values(True)
    harness = Harness(supplier, _store(windows))
    assert with_old(harness.pipe_all(("A", "1", 0), ("A", "2", 1))) == [
        ("[A@0/10]", "0+1", "0", 0),
        ("[A@0/10]", "0+1+2", "0+1", 1),
    ]


def test_an_aggregate_that_is_changed_in_place_does_not_change_the_old_value() -> None:
    def append(key: str, value: str, aggregate: list[str]) -> list[str]:
        aggregate.append(value)
        return aggregate

    windows = TimeWindows.of_size_with_no_grace(10)
    supplier = KStreamWindowAggregateSupplier(windows, "windows", UPDATE, list, append)
    supplier.enable_sending_old_values()
    harness = Harness(supplier, _store(windows, serdes.json))
    assert with_old(harness.pipe_all(("A", "1", 0), ("A", "2", 1))) == [
        ("[A@0/10]", ["1"], [], 0),
        ("[A@0/10]", ["1", "2"], ["1"], 1),
    ]


def test_an_aggregate_of_none_deletes_the_window() -> None:
    windows = TimeWindows.of_size_with_no_grace(10)
    supplier = KStreamWindowAggregateSupplier(
        windows, "windows", UPDATE, lambda: "0", lambda key, value, aggregate: value
    )
    harness = Harness(supplier, _store(windows))
    assert plain(harness.pipe_all(("A", "1", 0), ("A", None, 1))) == [
        ("[A@0/10]", "1", 0),
        ("[A@0/10]", None, 1),
    ]
    assert harness.store("windows").fetch_at("A", 0) is None


@pytest.mark.parametrize("value_serde", [serdes.long, serdes.json, serdes.int])
def test_counts_are_of_all_records_whatever_their_serde(value_serde: Any) -> None:
    windows = TimeWindows.of_size_with_no_grace(10)
    supplier = KStreamWindowCountSupplier(windows, "windows", UPDATE)
    supplier.enable_sending_old_values()
    harness = Harness(supplier, _store(windows, value_serde))
    records = [("A", "x", 5), ("A", None, 3), ("B", "x", 6), ("A", "x", 12), (None, "x", 13)]
    assert with_old(harness.pipe_all(*records)) == [
        ("[A@0/10]", 1, 0, 5),
        ("[A@0/10]", 2, 1, 5),
        ("[B@0/10]", 1, 0, 6),
        ("[A@10/20]", 1, 0, 12),
    ]


def test_times_near_the_end_of_all_times_have_windows() -> None:
    harness = _harness(TimeWindows.of_size_with_no_grace(10).advance_by(3))
    last = 2**63 - 1
    ends = [record.key.window.end_ms for record in harness.pipe("A", "1", last - 1)]
    assert (len(ends), ends[-1]) == (4, last)


def test_the_view_reads_windows_by_key_and_start() -> None:
    windows = TimeWindows.of_size_with_no_grace(10)
    supplier = _supplier(windows)
    harness = Harness(supplier, _store(windows))
    harness.pipe("A", "1", 12)
    view = supplier.view()
    assert view.store_names == ("windows",)
    getter = view()
    getter.init(_context(harness))
    assert not getter.is_versioned
    found = getter.get(Windowed("A", Window(10, 20)))
    assert found is not None
    assert (found.value, found.timestamp) == ("0+1", 12)
    assert getter.get(Windowed("A", Window(0, 10))) is None


@given(
    records=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 80)), min_size=1, max_size=30),
    size_ms=st.integers(1, 20),
    hops=st.integers(1, 20),
    grace_ms=st.integers(0, 10),
)
def test_windows_hold_what_a_model_says(
    records: list[tuple[str, int]], size_ms: int, hops: int, grace_ms: int
) -> None:
    advance_ms = max(1, size_ms // hops)
    windows = TimeWindows.of_size_and_grace(size_ms, grace_ms).advance_by(advance_ms)
    model: dict[tuple[str, int], list[int]] = {}
    late, stream_time = 0, 0
    for at, (key, time) in enumerate(records):
        stream_time = max(stream_time, time)
        for start in range(0, time + 1, advance_ms):
            if start + size_ms <= time:
                continue
            if start + size_ms > stream_time - grace_ms:
                model.setdefault((key, start), []).append(at)
            else:
                late += 1
    inputs = [(key, str(at), time) for at, (key, time) in enumerate(records)]
    expected = {
        f"[{key}@{start}/{start + size_ms}]": (
            "+".join(["0", *map(str, found)]),
            max(records[at][1] for at in found),
        )
        for (key, start), found in model.items()
    }

    harness = _harness(windows)
    updated = {key: (value, time) for key, value, time in plain(harness.pipe_all(*inputs))}
    assert updated == expected
    assert harness.drops.get("late", 0) == late

    closed = plain(_harness(windows, CLOSE).pipe_all(*inputs))
    assert len({key for key, _, _ in closed}) == len(closed)
    assert {key: (value, time) for key, value, time in closed} == {
        key: found
        for key, found in expected.items()
        if int(key.rstrip("]").rpartition("/")[2]) <= stream_time - grace_ms
    }


def test_the_functions_of_the_program_can_be_named() -> None:
    node = _supplier(_hopping(0))()
    assert node.functions()[1] is add


def _context(harness: Harness) -> Any:
    from pylog.streams.node import ProcessorContext

    return ProcessorContext(harness.node)
