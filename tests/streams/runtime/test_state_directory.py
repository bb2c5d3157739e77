"""The state directory, after Kafka's StateDirectoryTest."""

import json
import os
import threading
from pathlib import Path

import pytest

from pylog.streams.errors import StateDirectoryLockedError, StreamsError
from pylog.streams.runtime.state_directory import LOCK_NAME, PROCESS_NAME, StateDirectory
from pylog.streams.runtime.task_id import TaskId

TASK = TaskId(0, 1)


def test_who_the_instance_is_stays(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path, "app", True)
    first = directory.open()
    directory.close()
    assert StateDirectory(tmp_path, "app", True).open() == first
    assert json.loads((tmp_path / "app" / PROCESS_NAME).read_text()) == {"processId": str(first)}


def test_a_broken_process_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / PROCESS_NAME).write_text("{")
    directory = StateDirectory(tmp_path, "app", True)
    first = directory.open()
    directory.close()
    assert StateDirectory(tmp_path, "app", True).open() == first


def test_a_second_instance_is_refused_where_stores_are_on_disk(tmp_path: Path) -> None:
    one, other = (StateDirectory(tmp_path, "app", True) for _ in range(2))
    one.open()
    with pytest.raises(StateDirectoryLockedError, match=str(tmp_path / "app")):
        other.open()
    one.close()
    other.open()
    other.close()


def test_without_stores_on_disk_a_second_instance_goes_without(tmp_path: Path) -> None:
    one, other = (StateDirectory(tmp_path, "app", False) for _ in range(2))
    assert one.open() != other.open()
    assert one.task_path(TASK) is not None
    assert other.task_path(TASK) is None
    one.close()


def test_a_place_that_cannot_be_written_matters_only_to_stores_on_disk(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StreamsError, match="cannot make"):
        StateDirectory(blocked, "app", True).open()
    StateDirectory(blocked, "app", False).open()


def test_a_task_belongs_to_one_thread_at_a_time(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path, "app", True)
    directory.open()
    assert directory.take(TASK)
    assert directory.take(TASK)  # again, by the same thread
    results: list[bool] = []

    def take(timeout_s: float) -> None:
        results.append(directory.take(TASK, timeout_s))

    other = threading.Thread(target=take, args=(0,))
    other.start()
    other.join()
    assert results == [False]
    waiting = threading.Thread(target=take, args=(20,))
    waiting.start()
    directory.give_back(TASK)
    waiting.join()
    assert results == [False, True]
    directory.give_back(TASK)  # of the other thread: not ours to give
    assert not directory.take(TASK)
    directory.close()


def test_folders_of_tasks_are_made_and_found(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path, "app", True)
    directory.open()
    path = directory.task_path(TASK)
    assert path == tmp_path / "app" / "0_1"
    assert path.is_dir()
    (tmp_path / "app" / "no-task").mkdir()
    assert [task_id for task_id, _ in directory.tasks_on_disk()] == [TASK]
    directory.close()


def test_folders_that_nobody_wrote_to_for_long_are_removed(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path, "app", True)
    directory.open()
    old, fresh, owned = TaskId(0, 0), TaskId(0, 1), TaskId(0, 2)
    for task_id in (old, fresh, owned):
        path = directory.task_path(task_id)
        assert path is not None
        (path / "data").write_text("x")
        age_s = 0 if task_id == fresh else 1000
        for each in (path / "data", path):
            os.utime(each, (each.stat().st_atime - age_s, each.stat().st_mtime - age_s))
    thread = threading.Thread(target=directory.take, args=(owned,))
    thread.start()
    thread.join()
    assert directory.clean_removed_tasks(600_000) == [old]
    assert [task_id for task_id, _ in directory.tasks_on_disk()] == [fresh, owned]
    directory.close()


def test_cleaning_up_leaves_who_the_instance_is(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path, "app", True)
    first = directory.open()
    directory.task_path(TASK)
    directory.write_topology({"store": {}})
    directory.close()
    directory.clean()
    assert sorted(os.listdir(tmp_path / "app")) == sorted([LOCK_NAME, PROCESS_NAME])
    assert directory.open() == first
    assert directory.read_topology() == {}
    directory.close()


def test_a_directory_in_use_is_not_cleaned(tmp_path: Path) -> None:
    one = StateDirectory(tmp_path, "app", True)
    one.open()
    with pytest.raises(StateDirectoryLockedError):
        StateDirectory(tmp_path, "app", False).clean()
    one.close()


def test_nothing_to_clean_is_no_error(tmp_path: Path) -> None:
    StateDirectory(tmp_path / "nowhere", "app", True).clean()


def test_a_folder_that_is_at_work_is_not_cleaned_up(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path, "app", True)
    directory.open()
    directory.take(TASK)
    folder = directory.task_path(TASK)
    assert folder is not None
    much_later_s = folder.stat().st_mtime + 1000
    assert directory.clean_removed_tasks(10, much_later_s) == []
    assert folder.is_dir()
    others: list[bool] = []
    other = threading.Thread(target=lambda: others.append(directory.take(TASK)))
    other.start()
    other.join()
    assert others == [False]
    directory.give_back(TASK)
    assert directory.clean_removed_tasks(10, much_later_s) == [TASK]
    directory.close()
