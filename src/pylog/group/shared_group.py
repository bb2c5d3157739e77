"""SharedGroup: a group's state as the processes of a folder share it, and who of them is alive.

```
<folder>/.groups/            0700; disposable while no member lives
    <stem>.lock              byte 0: the group's mutex; byte 1000 + slot: a member's proof of life
    <stem>.state             the group (state_file.py), replaced whole with the mutex held
    <stem>.bell              logcore.shared.WakeWord: rings with every change of the state
    <stem>.beats             mapped words of 8 bytes, native order:
        0                    process id of who took the mutex last
        8 + slot             the member's last sign of life, CLOCK_MONOTONIC ns
```
The stem is the group id, percent-encoded, or its SHA-256 where that is long. Locks are OFD locks:
the kernel drops them when the process that holds them dies, however it dies. A member holds its
byte through an open file of its own, so that threads of one process are members as processes are.

A member that stops in the middle of a change (SIGSTOP) keeps the mutex: nobody can know what it
would still write.
"""

import contextlib
import hashlib
import mmap
import os
import threading
import time
from collections.abc import Iterator
from urllib.parse import quote

from logcore.shared import WakeWord, boot_id
from pylog import byte_locks
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import as_kafka_exception, refuse
from pylog.group import group_record, state_file
from pylog.group.group_types import MAX_MEMBERS, NO_SLOT, GroupError, Member
from pylog.group.offsets import GroupOffsets
from pylog.group.states import Group
from pylog.log_dir import LogDir
from pylog.private_files import close_private, fork_count, open_private

GROUPS_DIR = ".groups"
LOCK_SUFFIX = ".lock"
STATE_SUFFIX = ".state"
BELL_SUFFIX = ".bell"
BEATS_SUFFIX = ".beats"

_MUTEX_BYTE = 0
_FIRST_SLOT_BYTE = 1000
_HOLDER_WORD = 0
_FIRST_BEAT_WORD = 8
_BEATS_BYTES = 8 * (_FIRST_BEAT_WORD + MAX_MEMBERS)
_MAX_STEM_LENGTH = 200
_MUTEX_TIMEOUT_S = 30.0

_open_groups: dict[tuple[str, str], "SharedGroup"] = {}
_open_groups_lock = threading.RLock()


def stem_of(group_id: str) -> str:
    """What the names of a group's files begin with.

    >>> stem_of("orders/eu")
    'orders%2Feu'
    """
    quoted = quote(group_id, safe="")
    if len(quoted) <= _MAX_STEM_LENGTH:
        return quoted
    return "%sha256-" + hashlib.sha256(group_id.encode()).hexdigest()


class Place:
    """A member's proof of life: a locked byte, and a word for its heartbeats."""

    def __init__(self, fd: int, slot: int, beats: memoryview):
        self.slot = slot
        self._fd = fd
        self._beats = beats
        self._fork_count = fork_count()

    def beat(self) -> None:
        """Give a sign of life."""
        self._beats[_FIRST_BEAT_WORD + self.slot] = time.monotonic_ns()

    def last_beat_ms(self) -> int:
        """When the last one was."""
        return int(self._beats[_FIRST_BEAT_WORD + self.slot]) // 1_000_000

    def close(self) -> None:
        """Give the place up. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            close_private(fd, self._fork_count)


class SharedGroup:
    """One group of a folder. Use `SharedGroup.open`; `close` gives one use back."""

    def __init__(self, log_dir: LogDir, group_id: str):
        self.group_id = group_id
        self._folder = os.path.join(log_dir.path, GROUPS_DIR)
        self._path = os.path.join(self._folder, stem_of(group_id))
        self._key = (log_dir.path, group_id)
        self._log_dir = log_dir
        self._uses = 0
        self._fork_count = fork_count()
        self._boot = boot_id()
        self._thread_lock = threading.Lock()
        self._fd = -1
        self._cached: tuple[bytes | None, Group] = (None, Group(group_id))
        self._open_files()

    @classmethod
    def open(cls, log_dir: LogDir, group_id: str) -> "SharedGroup":
        """Take part in a group's state, one handle a process, folder and group.

        Raises:
            KafkaException: INVALID_GROUP_ID for an empty name, _READ_ONLY for a folder that is
                opened for reading only, or what the operating system refused.
        """
        if not group_id:
            refuse(KafkaError.INVALID_GROUP_ID, "the group id is empty")
        if log_dir.is_read_only:
            refuse(
                KafkaError._READ_ONLY,
                f"{log_dir.path} is opened read-only, and a group keeps its members and offsets in "
                "the folder: open it without read.only, or use assign()",
            )
        with _open_groups_lock:
            shared = _open_groups.get((log_dir.path, group_id))
            if shared is None:
                try:
                    shared = cls(log_dir, group_id)
                except OSError as error:
                    raise as_kafka_exception(error, log_dir.path, is_opening=True) from error
                _open_groups[shared._key] = shared
            shared._uses += 1
            return shared

    def close(self) -> None:
        """Give one use back."""
        with _open_groups_lock:
            self._uses -= 1
            if self._uses > 0:
                return
            if _open_groups.get(self._key) is self:
                del _open_groups[self._key]
        with self._thread_lock:
            self._close_file()

    def _open_files(self) -> None:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._fd = open_private(self._path + LOCK_SUFFIX, os.O_RDWR | os.O_CREAT)
        self._inode = os.fstat(self._fd).st_ino
        self.bell = WakeWord(self._path + BELL_SUFFIX)
        self._beats = _map_words(self._path + BEATS_SUFFIX)

    def _close_file(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            close_private(fd, self._fork_count)

    # ---- the state ----

    @contextlib.contextmanager
    def locked(self) -> Iterator[Group]:
        """The group, with its mutex held; what is changed is stored, unless an exception leaves.

        Raises:
            KafkaException: _TIMED_OUT when another process, alive, keeps the mutex; _STATE in a
                forked child.
        """
        with self._mutex():
            before = self._read()
            group = self._decode(before)
            standing = group_record.standing_of(group)
            yield group
            after = state_file.encode(group, self._boot)
            if after != before:
                self._store(after)
                self.bell.ring()
                group_record.write_if_due(self._log_dir, group, standing)

    @contextlib.contextmanager
    def held(self) -> Iterator[Group]:
        """The group, with its mutex held, to look at: nobody can change it meanwhile."""
        with self._mutex():
            yield self.look()

    @contextlib.contextmanager
    def _mutex(self) -> Iterator[None]:
        if self._fork_count != fork_count():
            refuse(
                KafkaError._STATE,
                f"this membership of group {self.group_id} belongs to the parent process; make a "
                "Consumer in the child",
            )
        with self._thread_lock:
            try:
                try:  # before it is taken: Ctrl-C may come as soon as it is
                    self._take_mutex()
                    yield
                finally:
                    if self._fd >= 0:
                        byte_locks.unlock(self._fd, _MUTEX_BYTE)
            except OSError as error:
                raise as_kafka_exception(error, self._path) from error

    def _take_mutex(self) -> None:
        if self._fd < 0:
            refuse(KafkaError._STATE, f"group {self.group_id} was closed")
        while byte_locks.lock_within(self._fd, _MUTEX_BYTE, _MUTEX_TIMEOUT_S):
            if self._is_in_place():
                self._beats[_HOLDER_WORD] = os.getpid()
                return
            # The folder was removed under us: its members are strangers to the new one.
            self._close_file()
            self._open_files()
        raise KafkaException(
            KafkaError(
                KafkaError._TIMED_OUT,
                f"group {self.group_id}: its state is held for {_MUTEX_TIMEOUT_S:g} s by "
                f"process {self._beats[_HOLDER_WORD]}, which is alive; it may be stopped",
                retriable=True,
            )
        )

    def _is_in_place(self) -> bool:
        try:
            return os.stat(self._path + LOCK_SUFFIX).st_ino == self._inode
        except FileNotFoundError:
            return False

    def look(self) -> Group:
        """The group as it stands now, not to be changed. Takes no lock."""
        data = self._read()
        known, group = self._cached
        if data != known:
            group = self._decode(data)
            self._cached = data, group
        return group

    def _read(self) -> bytes:
        try:
            with open(self._path + STATE_SUFFIX, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def _decode(self, data: bytes) -> Group:
        found = state_file.decode(data, self._boot, self.group_id)
        return found if found is not None else Group(self.group_id, generation=self._recorded())

    def _store(self, data: bytes) -> None:
        temporary = self._path + STATE_SUFFIX + ".tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        os.replace(temporary, self._path + STATE_SUFFIX)

    def forget(self) -> None:
        """Remove the state: the group begins anew. While it is `held`, and has no members."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path + STATE_SUFFIX)

    def _recorded(self) -> int:
        """The generation that was recorded last, for when the state is gone."""
        with contextlib.suppress(KafkaException):
            known = GroupOffsets.of(self._log_dir).group_metadata(self.group_id)
            if known is not None:
                return max(known.generation, 0)
        return 0

    # ---- who is alive ----

    def claim_place(self, group: Group) -> Place:
        """A place that no member of `group` has, nor any living one. With the mutex held.

        Raises:
            GroupError: GROUP_MAX_SIZE_REACHED.
        """
        taken = {member.slot for member in group.members.values()}
        fd = open_private(self._path + LOCK_SUFFIX, os.O_RDWR)
        for slot in range(MAX_MEMBERS):
            if slot not in taken and byte_locks.try_lock(fd, _FIRST_SLOT_BYTE + slot):
                place = Place(fd, slot, self._beats)
                place.beat()
                return place
        close_private(fd, self._fork_count)
        raise GroupError(
            KafkaError.GROUP_MAX_SIZE_REACHED, f"a group has at most {MAX_MEMBERS} members"
        )

    def reap(self, group: Group, now_ms: int) -> bool:
        """Put out who is dead, silent or late: True when somebody was. With the mutex held.

        A static member keeps its place for its session, dead or not: that is what it is for.
        """
        heard = self._take_in_beats(group, now_ms)
        dead = [member for member in heard if self._is_dead(member)]
        for member in dead:
            group.leave(member.member_id, member.instance_id, now_ms)
        return bool(group.expire(now_ms)) or bool(dead)

    def has_work(self, now_ms: int) -> bool:
        """Whether `reap` would do something. Takes no lock."""
        group = self.look()
        heard = self._take_in_beats(group, now_ms)
        deadline_ms = group.next_deadline_ms()
        return 0 <= deadline_ms <= now_ms or any(self._is_dead(member) for member in heard)

    def _take_in_beats(self, group: Group, now_ms: int) -> list[Member]:
        """The members that have a place; of one without, who serves it says when it is gone."""
        for member in group.members.values():
            if member.slot == NO_SLOT:
                member.last_heard_ms = now_ms
            else:
                member.last_heard_ms = self._beats[_FIRST_BEAT_WORD + member.slot] // 1_000_000
                member.has_synced = True  # it reads its assignment here, as long as it lives
        return [member for member in group.members.values() if member.slot != NO_SLOT]

    def _is_dead(self, member: Member) -> bool:
        return member.instance_id is None and not byte_locks.is_locked(
            self._fd, _FIRST_SLOT_BYTE + member.slot
        )


def peek(log_dir: LogDir, group_id: str) -> Group | None:
    """A group's state as it stands, without those who are dead; None when there is none.

    Takes no lock and changes nothing: for descriptions. Works on a read-only folder.
    """
    path = os.path.join(log_dir.path, GROUPS_DIR, stem_of(group_id))
    try:
        with open(path + STATE_SUFFIX, "rb") as file:
            group = state_file.decode(file.read(), boot_id(), group_id)
        fd = open_private(path + LOCK_SUFFIX, os.O_RDONLY)
    except OSError:
        return None
    opened_at = fork_count()
    try:
        now_ms = time.monotonic_ns() // 1_000_000
        beats = _read_words(path + BEATS_SUFFIX)
        for member in list(group.members.values()) if group is not None else ():
            member.last_heard_ms = now_ms
            place = _FIRST_BEAT_WORD + member.slot
            if (
                group is not None
                and member.instance_id is not None
                and member.slot != NO_SLOT
                and place < len(beats)
                and now_ms - beats[place] // 1_000_000 > member.session_timeout_ms
            ):
                group.leave(member.member_id, member.instance_id, now_ms)
                continue
            if (
                group is not None
                and member.slot != NO_SLOT
                and member.instance_id is None
                and not byte_locks.is_locked(fd, _FIRST_SLOT_BYTE + member.slot)
            ):
                group.leave(member.member_id, None, now_ms)
    finally:
        close_private(fd, opened_at)
    return group


def list_groups(log_dir: LogDir) -> list[str]:
    """Ids of the groups that have a state in this folder, with members or without."""
    folder = os.path.join(log_dir.path, GROUPS_DIR)
    found = []
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    for name in names:
        if name.endswith(STATE_SUFFIX):
            with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as file:
                group_id = state_file.group_id_of(file.read())
                if group_id is not None and stem_of(group_id) + STATE_SUFFIX == name:
                    found.append(group_id)
    return sorted(found)


def _read_words(path: str) -> list[int]:
    """The heartbeats as they are now; none where there is no file."""
    try:
        with open(path, "rb") as file:
            data = file.read(_BEATS_BYTES)
    except OSError:
        return []
    return list(memoryview(data[: len(data) // 8 * 8]).cast("q"))


def _map_words(path: str) -> memoryview:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # Written, not truncated to size, and only what is missing: a store meets no full disk.
        while (size := os.fstat(fd).st_size) < _BEATS_BYTES:
            os.pwrite(fd, bytes(_BEATS_BYTES - size), size)
        return memoryview(mmap.mmap(fd, _BEATS_BYTES)).cast("q")
    finally:
        os.close(fd)


def _forget_parent() -> None:
    """In a forked child: the groups are the parent's."""
    global _open_groups_lock
    _open_groups_lock = threading.RLock()
    _open_groups.clear()


os.register_at_fork(after_in_child=_forget_parent)
