"""Aggregates over stores with caches: updates of a key are merged until the cache is flushed."""

from typing import Any

from tests.streams.processors.harness import EMIT_AT_ONCE, Harness, add, plain, with_old

from pylog.streams import serdes
from pylog.streams.processors.aggregate import KStreamAggregateSupplier, KStreamCountSupplier
from pylog.streams.processors.session_window_aggregate import KStreamSessionWindowAggregateSupplier
from pylog.streams.processors.sliding_window_aggregate import KStreamSlidingWindowAggregateSupplier
from pylog.streams.processors.table_aggregate import KTableAggregateSupplier
from pylog.streams.processors.window_aggregate import KStreamWindowCountSupplier
from pylog.streams.record import Change
from pylog.streams.state import stores
from pylog.streams.windows import EmitStrategy, SessionWindows, SlidingWindows, TimeWindows

UPDATE = EmitStrategy.on_window_update()
MEGABYTE = 1 << 20


def _key_value(value_serde: Any) -> Any:
    supplier = stores.in_memory_key_value_store("store")
    builder = stores.timestamped_key_value_store_builder(supplier, serdes.string, value_serde)
    return builder.with_caching_enabled()


def _windows(size_ms: int, value_serde: Any) -> Any:
    supplier = stores.in_memory_window_store("store", 1_000_000, size_ms)
    builder = stores.timestamped_window_store_builder(supplier, serdes.string, value_serde)
    return builder.with_caching_enabled()


def _cached(supplier: Any, builder: Any) -> Harness:
    return Harness(supplier, builder, settings=EMIT_AT_ONCE, cache_bytes=MEGABYTE)


def test_of_many_updates_of_a_key_only_the_last_goes_on_at_a_flush() -> None:
    harness = _cached(KStreamCountSupplier("store"), _key_value(serdes.long))
    assert harness.pipe_all(("b", "x", 3), ("a", "x", 9), ("b", "x", 5), ("b", "x", 4)) == []
    assert sorted(plain(harness.flush())) == [("a", 1, 9), ("b", 3, 5)]
    assert harness.flush() == []


def test_the_old_value_is_the_one_of_the_flush_before() -> None:
    supplier = KStreamAggregateSupplier("store", lambda: "0", add)
    supplier.enable_sending_old_values()
    harness = _cached(supplier, _key_value(serdes.string))
    harness.pipe_all(("a", "1", 0), ("a", "2", 1))
    # What was never told has no old value; without a cache it were the initial one.
    assert with_old(harness.flush()) == [("a", "0+1+2", None, 1)]
    harness.pipe_all(("a", "3", 0), ("a", "4", 2))
    assert with_old(harness.flush()) == [("a", "0+1+2+3+4", "0+1+2", 2)]


def test_records_have_the_headers_and_metadata_of_the_last_update() -> None:
    harness = _cached(KStreamCountSupplier("store"), _key_value(serdes.long))
    harness.pipe("a", "x", 0, [("h", b"0")])
    harness.pipe("a", "x", 1, [("h", b"1")])
    harness.pipe("b", "x", 2, [("h", b"2")])
    by_key = dict(zip([r.key for r in harness.flush()], harness.output.metadata, strict=True))
    assert {key: metadata.offset for key, metadata in by_key.items()} == {"a": 1, "b": 2}
    assert [r.headers for r in harness.output.records if r.key == "a"] == [[("h", b"1")]]


def test_a_small_cache_lets_the_oldest_go_at_once() -> None:
    harness = Harness(KStreamCountSupplier("store"), _key_value(serdes.long), cache_bytes=0)
    assert plain(harness.pipe_all(("a", "x", 0), ("a", "x", 1))) == [("a", 1, 0), ("a", 2, 1)]


def test_windows_are_cached() -> None:
    windows = TimeWindows.of_size_with_no_grace(10)
    supplier = KStreamWindowCountSupplier(windows, "store", UPDATE)
    harness = _cached(supplier, _windows(10, serdes.long))
    assert harness.pipe_all(("a", "x", 3), ("a", "x", 5), ("a", "x", 12)) == []
    assert sorted(plain(harness.flush())) == [("[a@0/10]", 2, 5), ("[a@10/20]", 1, 12)]


def test_windows_that_are_emitted_on_close_do_not_follow_the_cache() -> None:
    windows = TimeWindows.of_size_with_no_grace(10)
    supplier = KStreamWindowCountSupplier(windows, "store", EmitStrategy.on_window_close())
    harness = _cached(supplier, _windows(10, serdes.long))
    assert harness.pipe_all(("a", "x", 3), ("a", "x", 5)) == []
    assert harness.flush() == []
    assert plain(harness.pipe("a", "x", 12)) == [("[a@0/10]", 2, 5)]


def test_sliding_windows_are_cached() -> None:
    windows = SlidingWindows.of_time_difference_and_grace(10, 1000)
    supplier = KStreamSlidingWindowAggregateSupplier(windows, "store", UPDATE, lambda: "0", add)
    harness = _cached(supplier, _windows(10, serdes.string))
    assert harness.pipe_all(("a", "1", 10), ("a", "2", 15), ("a", "3", 10)) == []
    assert sorted(plain(harness.flush())) == [
        ("[a@0/10]", "0+1+3", 10),
        ("[a@11/21]", "0+2", 15),
        ("[a@5/15]", "0+1+2+3", 15),
    ]


def test_of_cached_sessions_the_merged_are_deleted_only_if_they_were_told() -> None:
    windows = SessionWindows.of_inactivity_gap_and_grace(10, 1000)
    builder = stores.session_store_builder(
        stores.in_memory_session_store("store", 10_000), serdes.string, serdes.long
    ).with_caching_enabled()
    supplier = KStreamSessionWindowAggregateSupplier(
        windows,
        "store",
        UPDATE,
        lambda: 0,
        lambda key, value, count: count + 1,
        lambda key, one, other: one + other,
    )
    harness = _cached(supplier, builder)
    assert harness.pipe_all(("a", "x", 0), ("a", "x", 5)) == []
    told = [record for record in plain(harness.flush()) if record[1] is not None]
    assert told == [("[a@0/5]", 2, 5)]
    harness.pipe("a", "x", 9)
    assert sorted(plain(harness.flush()), key=str) == [("[a@0/5]", None, 5), ("[a@0/9]", 3, 9)]


def test_aggregates_of_tables_are_cached() -> None:
    supplier = KTableAggregateSupplier("store", lambda: "0", add, lambda k, v, a: f"{a}-{v}")
    harness = _cached(supplier, _key_value(serdes.string))
    records = [("a", Change("1", None), 3), ("a", Change("2", "1"), 2)]
    assert harness.pipe_all(*records) == []
    assert plain(harness.flush()) == [("a", "0+1-1+2", 3)]
