"""StateDirectory: where an instance keeps what it has on disk.

    <state.dir>/<application.id>/
        .lock                             held while the instance runs
        kafka-streams-process-metadata    {"processId": uuid}: who this instance is
        topology.json                     the stores and changelogs that the state belongs to
        global/                           global stores
        <task id>/<store>/                a store of a task

One process at a time: instances of one application on one machine each have a state.dir of their
own. Within the process a task's folder belongs to one thread at a time; who comes second waits.

Source: Kafka StateDirectory.
"""

import fcntl
import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pylog.streams.errors import StateDirectoryLockedError, StreamsError
from pylog.streams.runtime.task_id import TaskId

LOCK_NAME = ".lock"
PROCESS_NAME = "kafka-streams-process-metadata"
TOPOLOGY_NAME = "topology.json"
GLOBAL_NAME = "global"
_DYING_S = 1.0


class StateDirectory:
    """The folder of one instance.

    Args:
        state_dir: `state.dir`.
        application_id: `application.id`.
        is_needed: there are stores on disk: without the folder the instance cannot run.
    """

    def __init__(self, state_dir: str | os.PathLike[str], application_id: str, is_needed: bool):
        self.path = Path(state_dir) / application_id
        self.is_needed = is_needed
        self._lock_fd = -1
        self._owners: dict[TaskId, int] = {}
        self._changed = threading.Condition()

    # ---- the instance ----

    @property
    def is_open(self) -> bool:
        """Whether this instance holds the folder."""
        return self._lock_fd >= 0

    def open(self) -> uuid.UUID:
        """Take the folder and say who this instance is.

        Returns:
            The process id: the one of the last time, or a fresh one.

        Raises:
            StateDirectoryLockedError: another instance has it, and there are stores on disk.
            StreamsError: it cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o750)
            lock_fd = os.open(self.path / LOCK_NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
        except OSError as error:
            if not self.is_needed:
                return uuid.uuid4()
            raise StreamsError(f"state.dir: cannot make {self.path}: {error.strerror}") from error
        if not _lock(lock_fd, _DYING_S if self.is_needed else 0):
            os.close(lock_fd)
            if not self.is_needed:
                return uuid.uuid4()  # it has nothing on disk, and may run beside the other one
            raise StateDirectoryLockedError(
                f"state directory {self.path} is in use by another instance of this application: "
                "give each instance on a machine its own state.dir"
            )
        self._lock_fd = lock_fd
        try:
            return self._process_id()
        except OSError as error:
            self.close()
            raise StreamsError(f"state.dir: cannot write {self.path}: {error.strerror}") from error

    def _process_id(self) -> uuid.UUID:
        known = self._read_json(PROCESS_NAME)
        try:
            return uuid.UUID(known["processId"])
        except (KeyError, ValueError, TypeError):
            process_id = uuid.uuid4()
            self._write_json(PROCESS_NAME, {"processId": str(process_id)})
            return process_id

    def close(self) -> None:
        """Let the folder go. Idempotent."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    # ---- small files ----

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.path / name).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        """Replace a file as a whole, whoever dies when."""
        fresh = self.path / f"{name}.tmp"
        with fresh.open("w") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path / name)

    def read_topology(self) -> dict[str, Any]:
        """What `write_topology` wrote, {} when nothing was."""
        return self._read_json(TOPOLOGY_NAME)

    def write_topology(self, content: dict[str, Any]) -> None:
        """Note what the state here belongs to."""
        if self.is_open:
            self._write_json(TOPOLOGY_NAME, content)

    # ---- tasks ----

    def take(self, task_id: TaskId, timeout_s: float = 0.0) -> bool:
        """Make the calling thread the owner of a task's folder.

        Returns:
            False when another thread still has it after `timeout_s`.
        """
        own = threading.get_ident()
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while self._owners.get(task_id, own) != own:
                if not self._changed.wait(max(0.0, deadline_s - time.monotonic())):
                    return False
            self._owners[task_id] = own
        return True

    def _take_unowned(self, task_id: TaskId) -> bool:
        """Take a folder that nobody has; one that the calling thread has is at work."""
        with self._changed:
            return task_id not in self._owners and self.take(task_id)

    def give_back(self, task_id: TaskId) -> None:
        """The calling thread is done with a task's folder."""
        with self._changed:
            if self._owners.get(task_id) == threading.get_ident():
                del self._owners[task_id]
                self._changed.notify_all()

    def task_path(self, task_id: TaskId) -> Path | None:
        """The folder of a task, made when stores need one; None where there is no folder at all."""
        return self._folder(str(task_id))

    def global_path(self) -> Path | None:
        """The folder of the global stores."""
        return self._folder(GLOBAL_NAME)

    def _folder(self, name: str) -> Path | None:
        if not self.is_open:
            return None
        path = self.path / name
        if self.is_needed:
            try:
                path.mkdir(exist_ok=True, mode=0o750)
            except OSError as error:
                raise StreamsError(f"state.dir: cannot make {path}: {error.strerror}") from error
        return path

    def tasks_on_disk(self) -> Iterator[tuple[TaskId, Path]]:
        """Tasks that have a folder here."""
        if not self.path.is_dir():
            return
        for path in sorted(self.path.iterdir()):
            if path.is_dir() and path.name != GLOBAL_NAME:
                try:
                    task_id = TaskId.parse(path.name)
                except StreamsError:
                    continue
                yield task_id, path

    def wipe_store(self, name: str) -> None:
        """Delete what all tasks have of a store, and of a global store of this name."""
        for folder in self.path.iterdir() if self.is_open else ():
            if folder.is_dir():
                shutil.rmtree(folder / name, ignore_errors=True)

    def clean_removed_tasks(self, delay_ms: int, now_s: float | None = None) -> list[TaskId]:
        """Delete the folders that no thread owns and that nobody wrote to for `delay_ms`."""
        now_s = time.time() if now_s is None else now_s
        removed = []
        for task_id, path in list(self.tasks_on_disk()):
            if self._take_unowned(task_id):
                try:
                    if now_s - _last_change_s(path) > delay_ms / 1000:
                        shutil.rmtree(path, ignore_errors=True)
                        removed.append(task_id)
                finally:
                    self.give_back(task_id)
        return removed

    def clean(self) -> None:
        """Delete all state.

        Raises:
            StateDirectoryLockedError: an instance uses it.
        """
        if not self.path.is_dir():
            return
        self.is_needed = True
        was_open = self.is_open
        if not was_open:
            self.open()
        try:
            for path in list(self.path.iterdir()):
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name not in (LOCK_NAME, PROCESS_NAME):
                    path.unlink()
        finally:
            if not was_open:
                self.close()


def _lock(lock_fd: int, patience_s: float) -> bool:
    """Lock a file; who is being killed still has it for a moment."""
    deadline_s = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() >= deadline_s:
                return False
        time.sleep(0.01)


def _last_change_s(path: Path) -> float:
    newest = path.stat().st_mtime
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                newest = max(newest, os.stat(os.path.join(folder, name)).st_mtime)
            except FileNotFoundError:
                continue
    return newest
