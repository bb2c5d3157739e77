"""Aggregates in sessions: cases of Kafka's test, and against a model.

The cases are those of KStreamSessionWindowAggregateProcessorTest, in words of our own.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.processors.harness import EMIT_AT_ONCE, Harness, plain, with_old

from pylog.streams import serdes
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.session_window_aggregate import KStreamSessionWindowAggregateSupplier
from pylog.streams.state import stores
from pylog.streams.window import SessionWindow, Windowed
from pylog.streams.windows import EmitStrategy, SessionWindows

UPDATE = EmitStrategy.on_window_update()
CLOSE = EmitStrategy.on_window_close()
GAP = 300_000  # ms


def _supplier(
    windows: SessionWindows, strategy: EmitStrategy = UPDATE
) -> KStreamSessionWindowAggregateSupplier:
    return KStreamSessionWindowAggregateSupplier(
        windows,
        "sessions",
        strategy,
        lambda: 0,
        lambda key, value, count: count + 1,
        lambda key, one, other: one + other,
    )


def _store(windows: SessionWindows, value_serde: Any = serdes.long) -> Any:
    retention_ms = 3 * windows.inactivity_gap_ms + windows.grace_ms
    supplier = stores.in_memory_session_store("sessions", retention_ms)
    return stores.session_store_builder(supplier, serdes.string, value_serde)


def _harness(windows: SessionWindows | None = None, strategy: EmitStrategy = UPDATE) -> Harness:
    if windows is None:
        windows = SessionWindows.of_inactivity_gap_with_no_grace(GAP)
    return Harness(_supplier(windows, strategy), _store(windows), settings=EMIT_AT_ONCE)


def _sessions(harness: Harness, key: str, earliest_end: int, latest_start: int) -> list[Any]:
    found = harness.store("sessions").find_sessions(key, earliest_end, latest_start)
    return [(str(session), value) for session, value in found]


BOTH = pytest.mark.parametrize("strategy", [UPDATE, CLOSE], ids=["update", "close"])


@BOTH
def test_records_within_the_gap_are_one_session(strategy: EmitStrategy) -> None:
    harness = _harness(strategy=strategy)
    harness.pipe_all(("john", "first", 0), ("john", "second", 500))
    assert _sessions(harness, "john", 0, 2000) == [("[john@0/500]", 2)]


@BOTH
def test_a_record_between_two_sessions_merges_them(strategy: EmitStrategy) -> None:
    harness = _harness(strategy=strategy)
    harness.pipe("mel", "first", 0)
    assert _sessions(harness, "mel", 0, 0) == [("[mel@0/0]", 1)]
    harness.pipe("mel", "second", GAP + 1)
    assert len(_sessions(harness, "mel", 0, GAP + 1)) == 2
    harness.pipe("mel", "third", GAP // 2)
    assert _sessions(harness, "mel", 0, GAP + 1) == [(f"[mel@0/{GAP + 1}]", 3)]


@BOTH
def test_a_record_of_the_same_time_is_in_the_same_session(strategy: EmitStrategy) -> None:
    harness = _harness(strategy=strategy)
    harness.pipe_all(("mel", "first", 0), ("mel", "second", 0))
    assert _sessions(harness, "mel", 0, 0) == [("[mel@0/0]", 2)]


@BOTH
def test_records_further_apart_than_the_gap_are_sessions_of_their_own(
    strategy: EmitStrategy,
) -> None:
    harness = _harness(strategy=strategy)
    second, third = GAP + 1, 2 * (GAP + 1)
    times = [0, second, second, third, third, third]
    output = plain(harness.pipe_all(*(("mel", "x", time) for time in times)))
    final = [("[mel@0/0]", 1, 0), (f"[mel@{second}/{second}]", 2, second)]
    if strategy is CLOSE:
        assert output == final
    else:
        last = {key: (key, value, time) for key, value, time in output}
        assert list(last.values()) == [*final, (f"[mel@{third}/{third}]", 3, third)]


def test_merged_sessions_are_gone_from_the_store() -> None:
    harness = _harness()
    harness.pipe("a", "1", 0)
    assert _sessions(harness, "a", 0, 0) == [("[a@0/0]", 1)]
    harness.pipe("a", "2", 100)
    assert _sessions(harness, "a", 0, 100) == [("[a@0/100]", 2)]


MANY = [
    *((key, "1", 0) for key in "abcd"),
    ("d", "2", GAP // 2),
    *((key, "2", GAP + 1) for key in "ab"),
    *((key, "3", GAP + 1 + GAP // 2) for key in "ac"),
]


def test_sessions_of_many_keys_are_merged() -> None:
    late = GAP + 1 + GAP // 2
    last = {key: (value, time) for key, value, time in plain(_harness().pipe_all(*MANY))}
    assert {key: found for key, found in last.items() if found[0] is not None} == {
        "[a@0/0]": (1, 0),
        "[b@0/0]": (1, 0),
        "[c@0/0]": (1, 0),
        f"[d@0/{GAP // 2}]": (2, GAP // 2),
        f"[b@{GAP + 1}/{GAP + 1}]": (1, GAP + 1),
        f"[a@{GAP + 1}/{late}]": (2, late),
        f"[c@{late}/{late}]": (1, late),
    }


def test_sessions_that_close_are_emitted_by_end_and_key() -> None:
    assert plain(_harness(strategy=CLOSE).pipe_all(*MANY)) == [
        ("[a@0/0]", 1, 0),
        ("[b@0/0]", 1, 0),
        ("[c@0/0]", 1, 0),
        (f"[d@0/{GAP // 2}]", 2, GAP // 2),
    ]


def test_the_view_reads_exactly_one_session() -> None:
    windows = SessionWindows.of_inactivity_gap_with_no_grace(GAP)
    supplier = _supplier(windows)
    harness = Harness(supplier, _store(windows))
    harness.pipe_all(("a", "1", 0), ("a", "1", GAP + 1), ("a", "2", GAP + 1))
    getter = supplier.view()()
    getter.init(ProcessorContext(harness.node))
    for start_ms, end_ms, count in ((0, 0, 1), (GAP + 1, GAP + 1, 2)):
        found = getter.get(Windowed("a", SessionWindow(start_ms, end_ms)))
        assert found is not None
        assert (found.value, found.timestamp) == (count, end_ms)
    assert getter.get(Windowed("a", SessionWindow(0, 1))) is None


def test_merged_sessions_are_deleted_downstream_before_the_new_one_is_there() -> None:
    assert plain(_harness().pipe_all(("a", "1", 0), ("a", "1", 5))) == [
        ("[a@0/0]", 1, 0),
        ("[a@0/0]", None, 0),
        ("[a@0/5]", 2, 5),
    ]


def test_old_values_are_those_of_the_deleted_sessions() -> None:
    windows = SessionWindows.of_inactivity_gap_with_no_grace(GAP)
    supplier = _supplier(windows)
    supplier.enable_sending_old_values()
    harness = Harness(supplier, _store(windows))
    assert with_old(harness.pipe_all(("a", "1", 0), ("a", "1", 5))) == [
        ("[a@0/0]", 1, None, 0),
        ("[a@0/0]", None, 1, 0),
        ("[a@0/5]", 2, None, 5),
    ]


def test_a_merger_that_changes_its_arguments_does_not_change_old_values() -> None:
    def append(key: str, value: str, aggregate: list[str]) -> list[str]:
        aggregate.append(value)
        return aggregate

    def merge(key: str, one: list[str], other: list[str]) -> list[str]:
        other[:0] = one
        return other

    windows = SessionWindows.of_inactivity_gap_with_no_grace(GAP)
    supplier = KStreamSessionWindowAggregateSupplier(
        windows, "sessions", UPDATE, list, append, merge
    )
    supplier.enable_sending_old_values()
    harness = Harness(supplier, _store(windows, serdes.json))
    harness.pipe("a", "1", 0)
    assert with_old(harness.pipe("a", "2", 5)) == [
        ("[a@0/0]", None, ["1"], 0),
        ("[a@0/5]", ["1", "2"], None, 5),
    ]


def test_a_record_without_key_is_dropped() -> None:
    harness = _harness()
    assert harness.pipe(None, "1", 0) == []
    assert harness.drops == {"null key": 1}


def test_a_record_without_value_is_in_a_session() -> None:
    assert plain(_harness().pipe("a", None, 0)) == [("[a@0/0]", 1, 0)]


@pytest.mark.parametrize(("grace_ms", "in_time"), [(0, 10), (1, 11)])
def test_a_session_is_closed_when_gap_and_grace_have_passed_its_end(
    grace_ms: int, in_time: int
) -> None:
    harness = _harness(SessionWindows.of_inactivity_gap_and_grace(10, grace_ms))
    harness.pipe("dummy", "x", in_time)
    assert plain(harness.pipe("a", "on time", 0)) == [("[a@0/0]", 1, 0)]
    harness.pipe("dummy", "x", in_time + 1)
    assert harness.pipe("b", "late", 0) == []
    assert harness.drops == {"late": 1}


def test_a_late_record_that_joins_an_open_session_is_not_late() -> None:
    harness = _harness(SessionWindows.of_inactivity_gap_with_no_grace(10))
    harness.pipe_all(("a", "1", 15), ("other", "1", 20))
    assert plain(harness.pipe("a", "2", 6)) == [("[a@15/15]", None, 15), ("[a@6/15]", 2, 15)]


def test_updates_have_no_headers_and_final_results_those_of_the_record_that_closes() -> None:
    (update,) = _harness().pipe("a", "1", 0, [("h", b"0")])
    assert update.headers == []
    harness = _harness(strategy=CLOSE)
    harness.pipe("a", "1", 0, [("h", b"0")])
    (final,) = harness.pipe("b", "1", GAP + 1, [("h", b"1")])
    assert final.headers == [("h", b"1")]


def test_after_a_restart_emission_goes_on_where_it_was() -> None:
    windows = SessionWindows.of_inactivity_gap_with_no_grace(10)
    harness = _harness(windows, CLOSE)
    assert plain(harness.pipe_all(("a", "1", 0), ("b", "1", 11))) == [("[a@0/0]", 1, 0)]
    harness.start(_supplier(windows, CLOSE))
    assert plain(harness.pipe("c", "1", 22)) == [("[b@11/11]", 1, 11)]


def _model(times: list[int], gap_ms: int) -> dict[tuple[int, int], int]:
    """Sessions as (first, last) and how many records are in each."""
    sessions: list[list[int]] = []
    for time in sorted(times):
        if sessions and time - sessions[-1][-1] <= gap_ms:
            sessions[-1].append(time)
        else:
            sessions.append([time])
    return {(session[0], session[-1]): len(session) for session in sessions}


@given(
    records=st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 60)), min_size=1, max_size=30
    ),
    gap_ms=st.integers(1, 15),
)
def test_sessions_are_what_a_model_says(records: list[tuple[str, int]], gap_ms: int) -> None:
    windows = SessionWindows.of_inactivity_gap_and_grace(gap_ms, 1_000_000)
    harness = _harness(windows)
    table: dict[str, int] = {}
    for key, time in records:
        for record in harness.pipe(key, "x", time):
            if record.value.new_value is None:
                del table[str(record.key)]
            else:
                table[str(record.key)] = record.value.new_value
    expected = {
        f"[{key}@{first}/{last}]": count
        for key in {key for key, _ in records}
        for (first, last), count in _model([t for k, t in records if k == key], gap_ms).items()
    }
    assert table == expected
    stored = {s: v for key in "ab" for s, v in _sessions(harness, key, 0, 1_000_000)}
    assert stored == expected


@given(
    times=st.lists(st.integers(0, 60), min_size=1, max_size=30),
    gap_ms=st.integers(1, 15),
    grace_ms=st.integers(0, 10),
)
def test_every_record_is_counted_in_a_session_or_dropped_as_late(
    times: list[int], gap_ms: int, grace_ms: int
) -> None:
    windows = SessionWindows.of_inactivity_gap_and_grace(gap_ms, grace_ms)
    harness, twin = _harness(windows), _harness(windows, CLOSE)
    table: dict[str, int] = {}
    for time in times:
        for record in harness.pipe("k", "x", time):
            if record.value.new_value is None:
                table.pop(str(record.key))
            else:
                table[str(record.key)] = record.value.new_value
    assert sum(table.values()) + harness.drops.get("late", 0) == len(times)
    final = plain(twin.pipe_all(*(("k", "x", time) for time in times)))
    assert len({key for key, _, _ in final}) == len(final)
    for key, value, time in final:
        # A session that was emitted may still be merged, since the gap reaches beyond its close.
        assert table.get(key, value) == value
        assert time < max(times) - grace_ms - gap_ms
