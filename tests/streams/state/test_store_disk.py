"""Stores on disk: what is there after a commit, a crash, damage, and for other threads."""

import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.streams.state.store_task import StoreTask, opened

from pylog.streams import serdes
from pylog.streams.errors import (
    InvalidStateStoreError,
    StateDirectoryLockedError,
    StateStoreError,
    StreamsConfigError,
)
from pylog.streams.state import disk, stores
from pylog.streams.window import SessionWindow, Windowed

fork = multiprocessing.get_context("fork")


@pytest.fixture
def task(tmp_path: Path) -> Iterator[StoreTask]:
    yield from opened(tmp_path)


def values(task: StoreTask, name: str = "values") -> Any:
    supplier = stores.persistent_key_value_store(name)
    return task.open(stores.key_value_store_builder(supplier, serdes.string, serdes.string))


def windows(task: StoreTask, **settings: Any) -> Any:
    supplier = stores.persistent_window_store("windows", 600_000, 10, **settings)
    return task.open(stores.window_store_builder(supplier, serdes.string, serdes.string))


def reopened(store: Any, task: StoreTask) -> Any:
    store.close()
    store.init(task.context)
    return store


def in_child(work: Callable[[], None]) -> int:
    """Run something in another process and return its exit code."""
    process = fork.Process(target=work)
    process.start()
    process.join(30)
    assert process.exitcode is not None
    return process.exitcode


def test_commit_keeps_data_offset_and_position(task: StoreTask) -> None:
    store = values(task)
    before = store.committed_offset
    task.at(5, offset=7)
    store.put("a", "A")
    store.commit(42)
    assert before is None
    reopened(store, task)
    assert (store.get("a"), store.committed_offset) == ("A", 42)
    assert store.position == {"input": {0: 7}}
    store.commit(None)
    assert reopened(store, task).committed_offset is None


def test_close_drops_what_was_not_committed(task: StoreTask) -> None:
    store = values(task)
    store.put("a", "A")
    store.put("b", "B")
    store.commit(1)
    store.put("a", "new")
    store.delete("b")
    store.put("c", "C")
    reopened(store, task)
    assert list(store.all()) == [("a", "A"), ("b", "B")]
    assert store.committed_offset == 1


def test_killed_process_leaves_the_last_commit(task: StoreTask, tmp_path: Path) -> None:
    def work() -> None:
        store = values(StoreTask(tmp_path))
        for number in range(60_000):  # more than is held back in memory
            store.put(str(number), "committed")
        store.commit(60_000)
        for number in range(60_000):
            store.put(str(number), "lost")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(work) == -signal.SIGKILL
    store = values(task)
    assert store.committed_offset == 60_000
    assert {store.get(str(number)) for number in range(60_000)} == {"committed"}
    store.put("a", "A")
    store.commit(60_001)


def test_windows_and_their_stream_time_survive(task: StoreTask) -> None:
    store = windows(task, retain_duplicates=True)
    store.put("a", "one", 0)
    store.put("a", "two", 700_000)
    store.commit(2)
    reopened(store, task)
    # Stream time is what it was: the first window is past its retention still.
    assert [value for _, value in store.all()] == ["two"]
    store.put("a", "three", 700_000)
    assert list(store.fetch("a", 0, 700_000)) == [(700_000, "two"), (700_000, "three")]


def test_sessions_and_versions_survive(task: StoreTask) -> None:
    sessions = task.open(
        stores.session_store_builder(
            stores.persistent_session_store("sessions", "1h", is_time_ordered=True),
            serdes.string,
            serdes.string,
        )
    )
    versions = task.open(
        stores.versioned_key_value_store_builder(
            stores.persistent_versioned_key_value_store("versions", "1h"),
            serdes.string,
            serdes.string,
        )
    )
    key = Windowed("a", SessionWindow(1, 5))
    sessions.put(key, "s")
    for time in (10, 30, 20):
        versions.put("k", str(time), time)
    for store in (sessions, versions):
        store.commit(3)
        reopened(store, task)
    assert list(sessions.find_sessions_by_end(0, 9)) == list(sessions.fetch("a")) == [(key, "s")]
    assert [version.value for version in versions.get_range("k", 0, 99)] == ["10", "20", "30"]


def test_much_is_written_out_before_the_commit(task: StoreTask) -> None:
    store = values(task)
    for number in range(100_000):
        store.put(f"{number:06}", "v" * 50)
    assert store.memory_bytes < 30_000_000
    assert store.get("000001") == "v" * 50
    assert len(list(store.range("000100", "099899"))) == 99_800
    store.commit(1)
    assert len(list(reopened(store, task).all())) == 100_000


def test_temporary_folder_goes_with_the_store(task: StoreTask) -> None:
    task.context.state_dir = None
    store = values(task)
    store.put("a", "A")
    store.commit(1)
    folder = Path(store.folder)
    assert folder.is_dir()
    store.close()
    assert not folder.exists()


def test_second_opener_is_refused(task: StoreTask, tmp_path: Path) -> None:
    values(task)
    with pytest.raises(StateDirectoryLockedError, match="store 'values' in .* is open already"):
        values(StoreTask(tmp_path))

    def work() -> None:
        try:
            values(StoreTask(tmp_path))
        except StateDirectoryLockedError:
            os._exit(7)

    # The child has the parent's lock by inheritance until it closes it, so it is another one's.
    assert in_child(work) == 7


def test_rows_of_another_kind_of_store_are_refused(task: StoreTask) -> None:
    values(task, "windows").close()
    with pytest.raises(StateStoreError, match="rows of another store: 'key-value store"):
        windows(task)


def test_rows_of_other_segments_are_refused(task: StoreTask) -> None:
    windows(task).close()
    with pytest.raises(StateStoreError, match="'window store, segments of 300000 ms"):
        windows(task, segment_interval="1m")
    windows(task)


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_damage_is_reported(task: StoreTask, tmp_path: Path, damage: str) -> None:
    store = values(task)
    for number in range(1000):
        store.put(str(number), "v" * 100)
    store.commit(1)
    store.close()
    data = tmp_path / "values" / "data.mdb"
    size = data.stat().st_size
    if damage == "cut":
        os.truncate(data, size // 2)
    elif damage == "garbage":
        data.write_bytes(b"\xff" * size)
    else:
        data.write_bytes(b"x")
    with pytest.raises(StateStoreError, match=r"store 'values' in .*(damaged|cannot open)"):
        store.init(task.context)


def test_folder_that_cannot_be_made_is_reported(task: StoreTask, tmp_path: Path) -> None:
    (tmp_path / "values").write_text("a file")
    with pytest.raises(StateStoreError, match="store 'values' in .* cannot be opened"):
        values(task)


def test_map_grows_from_commit_to_commit(task: StoreTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "MAP_BYTES", 1 << 20)
    monkeypatch.setattr(disk, "MAP_BYTES_LEAST", 1 << 20)
    store = values(task)
    for commit in range(20):
        for number in range(1000):
            store.put(f"{commit}-{number}", "v" * 200)
        store.commit(commit)
    assert len(reopened(store, task)) == 20_000


def test_full_map_is_reported(task: StoreTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "MAP_BYTES", 1 << 20)
    monkeypatch.setattr(disk, "MAP_BYTES_LEAST", 1 << 20)
    store = values(task)
    store.put("kept", "v")
    store.commit(1)
    for number in range(10_000):
        store.put(str(number), "v" * 200)
    with pytest.raises(StateStoreError, match="store 'values' in .* is full"):
        store.commit(2)
    assert list(reopened(store, task).all()) == [("kept", "v")]
    assert store.committed_offset == 1


def test_full_disk_is_reported(tmp_path: Path) -> None:
    def work() -> None:
        store = values(StoreTask(tmp_path))
        store.put("kept", "v")
        store.commit(1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        for number in range(20_000):
            store.put(str(number), "v" * 200)
        try:
            store.commit(2)
        except StateStoreError as error:
            os._exit(7 if "cannot write" in str(error) else 8)

    assert in_child(work) == 7
    task = StoreTask(tmp_path)
    assert list(values(task).all()) == [("kept", "v")]
    task.close()


def test_little_address_space_gives_a_smaller_map(tmp_path: Path) -> None:
    def work() -> None:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 32), resource.RLIM_INFINITY))
        store = values(StoreTask(tmp_path))
        store.put("a", "A")
        store.commit(1)
        os._exit(7)

    assert in_child(work) == 7


def test_other_threads_read_what_was_written_last(task: StoreTask) -> None:
    store = values(task)
    numbers = [f"{number:03}" for number in range(200)]
    for number in numbers:
        store.put(number, "0")
    is_done = threading.Event()
    failures: list[Any] = []

    def read() -> None:
        seen = dict.fromkeys(numbers, 0)
        try:
            while not is_done.is_set():
                for number in numbers[::17]:
                    value = int(store.get(number))
                    assert value >= seen[number]
                    seen[number] = value
                found = [key for key, _ in store.range("050", "149")]
                assert found == numbers[50:150]
        except BaseException as error:
            failures.append(error)
            raise

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(1, 60):
        for number in numbers:
            store.put(number, str(turn))
        if turn % 3 == 0:
            store.commit(turn)
    is_done.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_caches_do_not_see_stale_values_after_commits(task: StoreTask) -> None:
    store = values(task)
    for turn in range(6):
        store.put("a", f"a{turn}")
        store.commit(turn)
        store.put("b", f"b{turn}")
        store.delete("c")
        store.commit(turn)
        assert (store.get("a"), store.get("b"), store.get("c")) == (f"a{turn}", f"b{turn}", None)
        store.put("c", "c")
        assert [value for _, value in store.all()] == [f"a{turn}", f"b{turn}", "c"]


def test_commit_of_nothing_new_writes_nothing(task: StoreTask, tmp_path: Path) -> None:
    store = values(task)
    store.put("a", "A")
    store.commit(1)
    data = (tmp_path / "values" / "data.mdb").read_bytes()
    store.commit(1)
    assert (tmp_path / "values" / "data.mdb").read_bytes() == data
    store.commit(2)
    assert reopened(store, task).committed_offset == 2


def test_missing_lmdb_is_a_configuration_error(
    task: StoreTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(StreamsConfigError, match=r"stores on disk need lmdb: pip install"):
        values(task)


def test_queries_of_a_closed_store_are_refused(task: StoreTask) -> None:
    store = values(task)
    store.put("a", "A")
    store.commit(1)
    entries = store.all()
    store.close()
    with pytest.raises(InvalidStateStoreError, match="store 'values' is closed"):
        next(entries)
