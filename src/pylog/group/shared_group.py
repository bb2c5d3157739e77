"""SharedGroup: a group's state as the processes of a folder share it, and who of them is alive.

```
<folder>/.groups/            0700; disposable while no member lives
    <stem>.lock              byte 0: the group's mutex; byte 1000 + slot: a member's proof of life
    <stem>.state             the group (state_file.py), replaced whole with the mutex held
    <stem>.bell              logcore.shared.WakeWord: rings with every change of the state
    <stem>.beats             mapped words of 8 bytes, native order:
        0                    process id of who took the mutex last
        1                    the server's last sign of life, where members are its clients
        8 + slot             the member's last sign of life, CLOCK_MONOTONIC ns
```
The stem is the group id, percent-encoded, or its SHA-256 where that is long. Locks are OFD locks:
the kernel drops them when the process that holds them dies, however it dies. A member holds its
byte through an open file of its own, so that threads of one process are members as processes are.
A member without a slot is the client of a server, which hears it and times it; others put it out
only when the server itself was not heard for the member's session.

A member that stops in the middle of a change (SIGSTOP) keeps the mutex: nobody can know what it
would still write.
"""

import contextlib
import hashlib
import mmap
import os
import threading
import time
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from logcore.shared import WakeWord, boot_id
from pylog import byte_locks
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import as_kafka_exception, refuse
from pylog.group import group_record, state_file
from pylog.group.consumer_group import ConsumerGroup
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
FIRST_SLOT_BYTE = 1000
_HOLDER_WORD = 0
SERVER_WORD = 1
FIRST_BEAT_WORD = 8
BEATS_BYTES = 8 * (FIRST_BEAT_WORD + MAX_MEMBERS)
_MAX_STEM_LENGTH = 200
_MUTEX_TIMEOUT_S = 30.0
_MUTEX_GLANCE_S = 0.002
# A server that was not heard for so long hears nobody any more.
SERVER_SILENCE_MS = 5000

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


class GroupBusyError(Exception):
    """Somebody else changes the group at this moment."""


class Place:
    """A member's proof of life: a locked byte, and a word for its heartbeats."""

    def __init__(self, fd: int, slot: int, beats: memoryview):
        self.slot = slot
        self._fd = fd
        self._beats = beats
        self._fork_count = fork_count()

    def beat(self) -> None:
        """Give a sign of life."""
        self._beats[FIRST_BEAT_WORD + self.slot] = time.monotonic_ns()

    def last_beat_ms(self) -> int:
        """When the last one was."""
        return int(self._beats[FIRST_BEAT_WORD + self.slot]) // 1_000_000

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
    def locked(self, *, waits: bool = True) -> Iterator[Group]:
        """The group, with its mutex held; what is changed is stored, unless an exception leaves.

        Args:
            waits: for the mutex to be free; else GroupBusyError when it is not within 2 ms.

        Raises:
            KafkaException: _TIMED_OUT when another process, alive, keeps the mutex; _STATE in a
                forked child.
        """
        with self._mutex(waits=waits):
            before = self._read()
            group = self._decode(before)
            standing = group_record.standing_of(group)
            yield group
            after = state_file.encode(group, self._boot)
            if after != before:
                self._store(after)
                self._cached = after, group
                self.bell.ring()
                group_record.write_if_due(self._log_dir, group, standing)

    @contextlib.contextmanager
    def held(self, *, waits: bool = True) -> Iterator[Group]:
        """The group, with its mutex held, to look at: nobody can change it meanwhile.

        Args:
            waits: as in `locked`.
        """
        with self._mutex(waits=waits):
            yield self.look()

    @contextlib.contextmanager
    def _mutex(self, *, waits: bool) -> Iterator[None]:
        if self._fork_count != fork_count():
            refuse(
                KafkaError._STATE,
                f"this membership of group {self.group_id} belongs to the parent process; make a "
                "Consumer in the child",
            )
        if not self._thread_lock.acquire(timeout=-1 if waits else _MUTEX_GLANCE_S):
            raise GroupBusyError(self.group_id)
        try:
            try:
                try:  # before it is taken: Ctrl-C may come as soon as it is
                    self._take_mutex(waits)
                    yield
                finally:
                    if self._fd >= 0:
                        byte_locks.unlock(self._fd, _MUTEX_BYTE)
            except OSError as error:
                raise as_kafka_exception(error, self._path) from error
        finally:
            self._thread_lock.release()

    def _take_mutex(self, waits: bool) -> None:
        if self._fd < 0:
            refuse(KafkaError._STATE, f"group {self.group_id} was closed")
        timeout_s = _MUTEX_TIMEOUT_S if waits else _MUTEX_GLANCE_S
        while byte_locks.lock_within(self._fd, _MUTEX_BYTE, timeout_s):
            if self._is_in_place():
                self._beats[_HOLDER_WORD] = os.getpid()
                return
            # The folder was removed under us: its members are strangers to the new one.
            self._close_file()
            self._open_files()
        if not waits:
            raise GroupBusyError(self.group_id)
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
        return found if found is not None else self._recorded()

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

    def _recorded(self) -> Group:
        """The group as it was recorded last, without members, for when the state is gone."""
        group = Group(self.group_id)
        with contextlib.suppress(KafkaException):
            offsets = GroupOffsets.of(self._log_dir)
            known = offsets.group_metadata(self.group_id)
            if known is not None:
                group.generation = max(known.generation, 0)
            epoch = offsets.consumer_epoch(self.group_id)
            if epoch is not None:
                group.consumer = ConsumerGroup(epoch=epoch)
        return group

    # ---- who is alive ----

    def claim_place(self, group: Group) -> Place:
        """A place that no member of `group` has, nor any living one. With the mutex held.

        Raises:
            GroupError: GROUP_MAX_SIZE_REACHED.
        """
        taken = {member.slot for member in group.members.values()}
        fd = open_private(self._path + LOCK_SUFFIX, os.O_RDWR)
        for slot in range(MAX_MEMBERS):
            if slot not in taken and byte_locks.try_lock(fd, FIRST_SLOT_BYTE + slot):
                place = Place(fd, slot, self._beats)
                place.beat()
                return place
        close_private(fd, self._fork_count)
        raise GroupError(
            KafkaError.GROUP_MAX_SIZE_REACHED, f"a group has at most {MAX_MEMBERS} members"
        )

    def beat_for_clients(self) -> None:
        """As the server: give a sign of life, for the members that are its clients."""
        self._beats[SERVER_WORD] = time.monotonic_ns()

    def reap(self, group: Group, now_ms: int, heard_ms: Mapping[str, int] | None = None) -> bool:
        """Put out who is dead, silent or late: True when somebody was. With the mutex held.

        A static member keeps its place for its session, dead or not: that is what it is for.

        Args:
            group: as `locked` gives it.
            now_ms: the time.
            heard_ms: when the server heard its clients last, by member id; None for who is no
                server.
        """
        heard = self.take_in_beats(group, now_ms, heard_ms)
        dead = [member for member in heard if self._is_dead(member)]
        for member in dead:
            group.leave(member.member_id, member.instance_id, now_ms)
        return bool(group.expire(now_ms)) or bool(dead)

    def has_work(self, now_ms: int) -> bool:
        """Whether `reap` would do something. Takes no lock."""
        group = self.look()
        heard = self.take_in_beats(group, now_ms, None)
        deadline_ms = group.next_deadline_ms()
        return 0 <= deadline_ms <= now_ms or any(self._is_dead(member) for member in heard)

    def take_in_beats(
        self, group: Group, now_ms: int, heard_ms: Mapping[str, int] | None
    ) -> list[Member]:
        """Note when each member was heard. Returns those that have a place."""
        server_ms = self._beats[SERVER_WORD] // 1_000_000
        if now_ms - server_ms <= SERVER_SILENCE_MS:
            server_ms = now_ms  # it would have put out who is silent
        heard_ms = heard_ms or {}
        for client in () if group.consumer is None else group.consumer.members.values():
            client.last_heard_ms = heard_ms.get(client.member_id, server_ms)
        for member in group.members.values():
            if member.slot == NO_SLOT:
                member.last_heard_ms = heard_ms.get(member.member_id, server_ms)
            else:
                member.last_heard_ms = self._beats[FIRST_BEAT_WORD + member.slot] // 1_000_000
                member.has_synced = True  # it reads its assignment here, as long as it lives
        return [member for member in group.members.values() if member.slot != NO_SLOT]

    def _is_dead(self, member: Member) -> bool:
        return member.instance_id is None and not byte_locks.is_locked(
            self._fd, FIRST_SLOT_BYTE + member.slot
        )


def _map_words(path: str) -> memoryview:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # Written, not truncated to size, and only what is missing: a store meets no full disk.
        while (size := os.fstat(fd).st_size) < BEATS_BYTES:
            os.pwrite(fd, bytes(BEATS_BYTES - size), size)
        return memoryview(mmap.mmap(fd, BEATS_BYTES)).cast("q")
    finally:
        os.close(fd)


def _forget_parent() -> None:
    """In a forked child: the groups are the parent's."""
    global _open_groups_lock
    _open_groups_lock = threading.RLock()
    _open_groups.clear()


os.register_at_fork(after_in_child=_forget_parent)
