"""Aggregates in sliding windows: cases of Kafka's test, and against a model.

tests/streams/cases/sliding-windows.json has inputs and outputs of Kafka's
KStreamSlidingWindowAggregateTest.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.processors.harness import EMIT_AT_ONCE, Harness, add, plain, with_old

from pylog.streams import serdes
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.sliding_window_aggregate import KStreamSlidingWindowAggregateSupplier
from pylog.streams.state import stores
from pylog.streams.window import Window, Windowed
from pylog.streams.windows import EmitStrategy, SlidingWindows

UPDATE = EmitStrategy.on_window_update()
CLOSE = EmitStrategy.on_window_close()
CASES = json.loads((Path(__file__).parent.parent / "cases" / "sliding-windows.json").read_text())
LONG = 1_000_000_000


def _store(windows: SlidingWindows, value_serde: Any = serdes.string) -> Any:
    difference_ms = windows.time_difference_ms
    supplier = stores.in_memory_window_store(
        "windows", 2 * difference_ms + windows.grace_ms, difference_ms
    )
    return stores.timestamped_window_store_builder(supplier, serdes.string, value_serde)


def _supplier(
    windows: SlidingWindows, strategy: EmitStrategy = UPDATE
) -> KStreamSlidingWindowAggregateSupplier:
    return KStreamSlidingWindowAggregateSupplier(windows, "windows", strategy, lambda: "0", add)


def _harness(windows: SlidingWindows, strategy: EmitStrategy = UPDATE) -> Harness:
    return Harness(_supplier(windows, strategy), _store(windows), settings=EMIT_AT_ONCE)


def _windows(difference_ms: int, grace_ms: int) -> SlidingWindows:
    return SlidingWindows.of_time_difference_and_grace(difference_ms, grace_ms)


def _reduce(key: str, value: str, aggregate: str | None) -> str:
    return value if aggregate is None else f"{aggregate}+{value}"


@pytest.mark.parametrize("mode", ["update", "close"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_case(case: dict[str, Any], mode: str) -> None:
    windows = _windows(case["difference_ms"], case["grace_ms"][mode])
    supplier = _supplier(windows, UPDATE if mode == "update" else CLOSE)
    if case["reduces"]:
        supplier.initializer, supplier.aggregator = lambda: None, _reduce
    harness = Harness(supplier, _store(windows), settings=EMIT_AT_ONCE)
    output = plain(harness.pipe_all(*case["input"]))
    assert sorted(output) == sorted(tuple(record) for record in case[mode])


def test_updates_come_in_the_order_of_kafka() -> None:
    harness = _harness(_windows(10, 100))
    assert plain(harness.pipe_all(("A", "1", 10), ("A", "1", 15))) == [
        ("[A@0/10]", "0+1", 10),
        # The right window of the record before, then the left one of the new record.
        ("[A@11/21]", "0+1", 15),
        ("[A@5/15]", "0+1+1", 15),
    ]
    # Existing windows newest first, then the left window, then the right one.
    assert plain(harness.pipe("A", "2", 12)) == [
        ("[A@11/21]", "0+1+2", 15),
        ("[A@5/15]", "0+1+1+2", 15),
        ("[A@2/12]", "0+1+2", 12),
        ("[A@13/23]", "0+1", 15),
    ]


@pytest.mark.parametrize("strategy", [UPDATE, CLOSE])
def test_records_later_than_the_grace_period_are_dropped(strategy: EmitStrategy) -> None:
    harness = _harness(_windows(10, 90), strategy)
    times = [200, 100, 101, 102, 103, 104, 105, 15, 300, 400]
    output = plain(harness.pipe_all(*(("k", str(time), time) for time in times)))
    assert harness.drops == {"late": 7}
    if strategy is UPDATE:
        assert output == [
            ("[k@190/200]", "0+200", 200),
            ("[k@290/300]", "0+300", 300),
            ("[k@390/400]", "0+400", 400),
        ]
    else:
        assert output == [("[k@190/200]", "0+200", 200), ("[k@290/300]", "0+300", 300)]


@pytest.mark.parametrize(
    ("key", "value", "reason"), [(None, "1", "null key"), ("A", None, "null value")]
)
def test_a_record_without_key_or_value_is_dropped(key: Any, value: Any, reason: str) -> None:
    harness = _harness(_windows(10, 100))
    assert harness.pipe(key, value, 0) == []
    assert harness.drops == {reason: 1}


def test_old_values_are_sent_on_request() -> None:
    windows = _windows(10, 100)
    supplier = _supplier(windows)
    supplier.enable_sending_old_values()
    harness = Harness(supplier, _store(windows))
    assert with_old(harness.pipe_all(("A", "1", 10), ("A", "2", 10))) == [
        ("[A@0/10]", "0+1", "0", 10),
        ("[A@0/10]", "0+1+2", "0+1", 10),
    ]


def test_an_aggregate_that_is_changed_in_place_does_not_reach_other_windows() -> None:
    def append(key: str, value: str, aggregate: list[str]) -> list[str]:
        aggregate.append(value)
        return aggregate

    windows = _windows(10, 100)
    supplier = KStreamSlidingWindowAggregateSupplier(windows, "windows", UPDATE, list, append)
    supplier.enable_sending_old_values()
    harness = Harness(supplier, _store(windows, serdes.json))
    harness.pipe_all(("A", "1", 10), ("A", "2", 15))
    assert with_old(harness.pipe("A", "3", 12)) == [
        ("[A@11/21]", ["2", "3"], ["2"], 15),
        ("[A@5/15]", ["1", "2", "3"], ["1", "2"], 15),
        ("[A@2/12]", ["1", "3"], ["1"], 12),
        ("[A@13/23]", ["2"], None, 15),
    ]


def test_the_view_reads_windows_by_key_and_start() -> None:
    windows = _windows(10, 100)
    supplier = _supplier(windows)
    harness = Harness(supplier, _store(windows))
    harness.pipe("A", "1", 12)
    getter = supplier.view()()
    getter.init(ProcessorContext(harness.node))
    found = getter.get(Windowed("A", Window(2, 12)))
    assert found is not None
    assert (found.value, found.timestamp) == ("0+1", 12)
    getter.close()


def test_after_a_restart_emission_goes_on_where_it_was() -> None:
    windows = _windows(10, 0)
    harness = _harness(windows, CLOSE)
    harness.pipe_all(("A", "1", 10), ("A", "2", 15))
    assert harness.task.processor_metadata == {"windows": 15}
    harness.start(_supplier(windows, CLOSE))
    assert plain(harness.pipe("A", "3", 16)) == [("[A@5/15]", "0+1+2", 15)]


def _model(times: list[int], difference_ms: int) -> dict[int, list[int]]:
    """By window start, which records (by index) are in the window, in the order they came."""
    starts = set()
    for time in times:
        starts.add(max(0, time - difference_ms))
        starts.add(time + 1)
    windows = {
        start: [at for at, time in enumerate(times) if start <= time <= start + difference_ms]
        for start in starts
    }
    return {start: records for start, records in windows.items() if records}


@given(
    times=st.lists(st.integers(0, 60), min_size=1, max_size=25),
    difference_ms=st.integers(0, 20),
)
def test_windows_hold_what_a_model_says(times: list[int], difference_ms: int) -> None:
    harness = _harness(_windows(difference_ms, LONG))
    last: dict[int, tuple[set[str], int]] = {}
    for at, time in enumerate(times):
        for record in harness.pipe("k", str(at), time):
            values = set(record.value.new_value.split("+")[1:])
            last[record.key.window.start_ms] = (values, record.timestamp)
    expected = {
        start: ({str(at) for at in records}, max(times[at] for at in records))
        for start, records in _model(times, difference_ms).items()
    }
    assert last == expected
    with harness.store("windows").fetch("k", 0, LONG) as stored:
        assert {
            start: (set(v.value.split("+")[1:]), v.timestamp) for start, v in stored
        } == expected


@given(
    times=st.lists(st.integers(0, 60), min_size=1, max_size=25).map(sorted),
    difference_ms=st.integers(1, 20),
    grace_ms=st.integers(0, 10),
)
def test_records_in_order_are_emitted_once_on_close(
    times: list[int], difference_ms: int, grace_ms: int
) -> None:
    # The end of a record in time is far, but not so far that windows leave the store unemitted.
    harness = _harness(_windows(difference_ms, grace_ms), CLOSE)
    output = harness.pipe_all(*(("k", str(at), time) for at, time in enumerate(times)))
    closed = {
        record.key.window.start_ms: set(record.value.new_value.split("+")[1:]) for record in output
    }
    assert len(closed) == len(output)
    model = _model(times, difference_ms)
    for start, values in closed.items():
        assert start + difference_ms < times[-1] - grace_ms
        assert values == {str(at) for at in model[start]}
