"""Random histories of stores of every kind against plain models, and restored from changelogs."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.streams.state.store_models import (
    KeyValueModel,
    SessionModel,
    VersionedModel,
    WindowModel,
)
from tests.streams.state.store_task import (
    UNCACHED,
    VARIANTS,
    StoreTask,
    of_variant,
    with_layers,
)

from pylog.streams import serdes
from pylog.streams.state import stores
from pylog.streams.window import SessionWindow, Window, Windowed

RETENTION = 20
SEGMENT = 7
LAST = 2**63 - 1

thorough = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# Keys that begin alike, with bytes that lengths and times have too.
KEYS = st.sampled_from([b"", b"\0", b"\0\0", b"\0\0\0\0\0\0\0\1", b"\1", b"a", b"a\0", b"ab", b"b"])
# On disk the number of a duplicate is part of the order: it must not look like more of a key.
PLAIN_KEYS = st.sampled_from([b"\1", b"a", b"ab", b"b"])
VALUES = st.binary(max_size=3) | st.none()
TIMES = st.integers(0, 60)
BOUNDS = st.none() | KEYS
STEPS = ("flush", "commit", "reopen")


def history(*operations: Any) -> Any:
    """Lists of operations, some of which flush, commit and reopen the store."""
    steps = st.tuples(st.sampled_from(STEPS))
    return st.lists(st.one_of(*operations, *operations, steps), max_size=60)


class Run:
    """A store of a variant, and what a history does to it besides."""

    def __init__(self, builder: Callable[[str], Any], variant: str):
        self.folder = tempfile.TemporaryDirectory()
        self.task = StoreTask(Path(self.folder.name), cache_bytes=600)
        self.variant = variant
        self.builder = builder
        self.store = self.task.open(with_layers(variant, builder(variant)))

    def step(self, name: str) -> None:
        if name == "flush":
            self.store.flush()
        elif name == "commit":
            self.store.flush()
            self.store.commit(1)
        elif self.variant.startswith("disk"):
            self.store.flush()
            self.store.commit(2)
            self.store.close()
            self.store.init(self.task.context)

    def restored(self, variant: str) -> Any:
        """Another store, restored from the changelog in two batches."""
        self.store.flush()
        folder = Path(self.folder.name) / "restored"
        task = StoreTask(folder / variant)
        store = task.open(self.builder(variant), is_logged=False)
        records = self.task.changelog.records
        store.restore_batch(records[: len(records) // 2])
        store.restore_batch(records[len(records) // 2 :])
        self.task.stores.append(store)
        return store

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.task.close()
        self.folder.cleanup()


def key_value_builder(variant: str) -> Any:
    make = of_variant(variant, stores.in_memory_key_value_store, stores.persistent_key_value_store)
    return stores.key_value_store_builder(make("store"), serdes.bytes, serdes.bytes)


@pytest.mark.parametrize("variant", VARIANTS)
@thorough
@given(
    operations=history(
        st.tuples(st.just("put"), KEYS, VALUES),
        st.tuples(st.just("put_if_absent"), KEYS, VALUES),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.sampled_from(["range", "reverse_range"]), BOUNDS, BOUNDS),
        st.tuples(st.just("prefix_scan"), KEYS),
    )
)
def test_key_value_store_does_as_a_dict(variant: str, operations: list[Any]) -> None:
    model = KeyValueModel()
    with Run(key_value_builder, variant) as run:
        for name, *arguments in operations:
            if name in STEPS:
                run.step(name)
                continue
            found = getattr(run.store, name)(*arguments)
            if name in ("range", "reverse_range", "prefix_scan"):
                found = list(found)
            assert found == getattr(model, name)(*arguments), name
        entries = model.range(None, None)
        assert list(run.store.all()) == entries
        for copy in UNCACHED:
            assert list(run.restored(copy).all()) == entries


def window_builder(retain_duplicates: bool, is_time_ordered: bool, retention: int) -> Any:
    def builder(variant: str) -> Any:
        make = of_variant(variant, stores.in_memory_window_store, stores.persistent_window_store)
        supplier = make(
            "store",
            retention,
            5,
            retain_duplicates,
            segment_interval=SEGMENT,
            is_time_ordered=is_time_ordered,
        )
        return stores.window_store_builder(supplier, serdes.bytes, serdes.bytes)

    return builder


def window_history(keys: Any) -> Any:
    return history(
        st.tuples(st.just("put"), keys, VALUES, TIMES),
        st.tuples(st.just("put"), keys, VALUES, TIMES),
        st.tuples(st.just("fetch_at"), keys, TIMES),
        st.tuples(st.sampled_from(["fetch", "backward_fetch"]), keys, TIMES, TIMES),
        st.tuples(
            st.sampled_from(["fetch_range", "backward_fetch_range"]),
            *(st.none() | keys, st.none() | keys, TIMES, TIMES),
        ),
    )


@pytest.mark.parametrize("is_time_ordered", [False, True], ids=["by-segment", "by-time"])
@pytest.mark.parametrize("variant", VARIANTS)
@thorough
@given(operations=window_history(KEYS))
def test_window_store_does_as_its_model(
    variant: str, is_time_ordered: bool, operations: list[Any]
) -> None:
    check_windows(variant, False, is_time_ordered, operations)


@pytest.mark.parametrize("is_time_ordered", [False, True], ids=["by-segment", "by-time"])
@pytest.mark.parametrize("variant", UNCACHED)
@thorough
@given(operations=window_history(PLAIN_KEYS))
def test_window_store_of_duplicates_does_as_its_model(
    variant: str, is_time_ordered: bool, operations: list[Any]
) -> None:
    check_windows(variant, True, is_time_ordered, operations)


def check_windows(
    variant: str, retain_duplicates: bool, is_time_ordered: bool, operations: list[Any]
) -> None:
    # A cache shows what is in it, however old.
    retention = 1000 if variant.endswith("cached") else RETENTION
    model = WindowModel(retention, SEGMENT, retain_duplicates, is_time_ordered)
    with Run(window_builder(retain_duplicates, is_time_ordered, retention), variant) as run:
        for name, *arguments in operations:
            if name in STEPS:
                run.step(name)
                continue
            found = getattr(run.store, name)(*arguments)
            if name in ("fetch", "backward_fetch"):
                found = list(found)
            elif name in ("fetch_range", "backward_fetch_range"):
                found = [(key.key, key.window.start_ms, value) for key, value in found]
            if name != "fetch_at" or not retain_duplicates:
                assert found == getattr(model, name)(*arguments), name
        entries = [
            (Windowed(key, Window(start, start + 5)), value)
            for key, start, value in model.fetch_range(None, None, 0, LAST)
        ]
        assert list(run.store.all()) == entries
        assert list(run.store.backward_all()) == entries[::-1]
        for copy in UNCACHED:
            assert list(run.restored(copy).all()) == entries


def session_builder(is_time_ordered: bool, retention: int) -> Any:
    def builder(variant: str) -> Any:
        make = of_variant(variant, stores.in_memory_session_store, stores.persistent_session_store)
        supplier = make(
            "store", retention, segment_interval=SEGMENT, is_time_ordered=is_time_ordered
        )
        return stores.session_store_builder(supplier, serdes.bytes, serdes.bytes)

    return builder


@pytest.mark.parametrize("is_time_ordered", [False, True], ids=["by-segment", "by-time"])
@pytest.mark.parametrize("variant", VARIANTS)
@thorough
@given(
    operations=history(
        st.tuples(st.just("put"), KEYS, TIMES, st.integers(0, 9), VALUES),
        st.tuples(st.just("put"), KEYS, TIMES, st.integers(0, 9), VALUES),
        st.tuples(st.sampled_from(["find_sessions", "backward_find_sessions"]), KEYS, TIMES, TIMES),
        st.tuples(
            st.sampled_from(["find_sessions_range", "backward_find_sessions_range"]),
            *(BOUNDS, BOUNDS, TIMES, TIMES),
        ),
        st.tuples(st.just("find_sessions_by_end"), TIMES, TIMES),
    )
)
def test_session_store_does_as_its_model(
    variant: str, is_time_ordered: bool, operations: list[Any]
) -> None:
    retention = 1000 if variant.endswith("cached") else RETENTION
    model = SessionModel(retention, SEGMENT, is_time_ordered)
    with Run(session_builder(is_time_ordered, retention), variant) as run:
        for name, *arguments in operations:
            if name in STEPS:
                run.step(name)
            elif name == "put":
                key, start, length, value = arguments
                run.store.put(Windowed(key, SessionWindow(start, start + length)), value)
                model.put(key, start, start + length, value)
            else:
                found = getattr(run.store, name)(*arguments)
                entries = [(*windowed, value) for windowed, value in found]
                assert entries == [
                    (key, SessionWindow(start, end), value)
                    for key, start, end, value in getattr(model, name)(*arguments)
                ], name
        entries = [
            (Windowed(key, SessionWindow(start, end)), value)
            for key, start, end, value in model.find_sessions_range(None, None, 0, LAST)
        ]
        assert list(run.store.all()) == entries
        for copy in UNCACHED:
            restored = run.restored(copy)
            assert list(restored.all()) == entries
            by_end = list(run.store.find_sessions_by_end(0, LAST))
            assert list(restored.find_sessions_by_end(0, LAST)) == by_end


def versioned_builder(variant: str) -> Any:
    supplier = of_variant(
        variant,
        stores.in_memory_versioned_key_value_store,
        stores.persistent_versioned_key_value_store,
    )("store", RETENTION, segment_interval=SEGMENT)
    return stores.versioned_key_value_store_builder(supplier, serdes.bytes, serdes.bytes)


@pytest.mark.parametrize("variant", UNCACHED)
@thorough
@given(
    operations=history(
        st.tuples(st.just("put"), KEYS, VALUES, TIMES),
        st.tuples(st.just("put"), KEYS, VALUES, TIMES),
        st.tuples(st.just("delete"), KEYS, TIMES),
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("get_as_of"), KEYS, TIMES),
        st.tuples(st.just("get_range"), KEYS, TIMES, TIMES),
    )
)
def test_versioned_store_does_as_its_model(variant: str, operations: list[Any]) -> None:
    model = VersionedModel(RETENTION, SEGMENT)
    with Run(versioned_builder, variant) as run:
        for name, *arguments in operations:
            if name in STEPS:
                run.step(name)
                continue
            found = getattr(run.store, name)(*arguments)
            if name == "get_range":
                found = list(found)
            assert found == getattr(model, name)(*arguments), name
        for copy in [run.store, *map(run.restored, UNCACHED)]:
            for key in model.versions:
                assert copy.get(key) == model.get(key)
                for time in range(61):
                    assert copy.get_as_of(key, time) == model.get_as_of(key, time)
