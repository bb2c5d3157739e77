"""Groups as somebody sees them who takes no part: no lock is taken, and nothing changes."""

import contextlib
import os
import time

from logcore.shared import boot_id
from pylog import byte_locks
from pylog.group import state_file
from pylog.group.group_types import NO_SLOT
from pylog.group.shared_group import (
    BEATS_BYTES,
    BEATS_SUFFIX,
    FIRST_BEAT_WORD,
    FIRST_SLOT_BYTE,
    GROUPS_DIR,
    LOCK_SUFFIX,
    SERVER_SILENCE_MS,
    SERVER_WORD,
    STATE_SUFFIX,
    stem_of,
)
from pylog.group.states import Group
from pylog.log_dir import LogDir
from pylog.private_files import close_private, fork_count, open_private


def peek(log_dir: LogDir, group_id: str) -> Group | None:
    """A group's state as it stands, without those who are dead; None when there is none.

    For descriptions. Works on a read-only folder.
    """
    path = os.path.join(log_dir.path, GROUPS_DIR, stem_of(group_id))
    try:
        with open(path + STATE_SUFFIX, "rb") as file:
            group = state_file.decode(file.read(), boot_id(), group_id)
        if group is None:
            return None
        fd = open_private(path + LOCK_SUFFIX, os.O_RDONLY)
    except OSError:
        return None
    opened_at = fork_count()
    try:
        _drop_dead(group, fd, _read_words(path + BEATS_SUFFIX))
    finally:
        close_private(fd, opened_at)
    return group


def _drop_dead(group: Group, fd: int, beats: list[int]) -> None:
    now_ms = time.monotonic_ns() // 1_000_000

    def heard_ms(word: int) -> int:
        return beats[word] // 1_000_000 if word < len(beats) else now_ms

    server_ms = heard_ms(SERVER_WORD)
    if now_ms - server_ms <= SERVER_SILENCE_MS:
        server_ms = now_ms
    for member in list(group.members.values()):
        if member.slot == NO_SLOT:
            is_dead = now_ms - server_ms > member.session_timeout_ms
        elif member.instance_id is None:
            is_dead = not byte_locks.is_locked(fd, FIRST_SLOT_BYTE + member.slot)
        else:
            last_ms = heard_ms(FIRST_BEAT_WORD + member.slot)
            is_dead = now_ms - last_ms > member.session_timeout_ms
        member.last_heard_ms = now_ms
        if is_dead:
            group.leave(member.member_id, member.instance_id, now_ms)
    if group.consumer is not None:
        for client in group.consumer.members.values():
            client.last_heard_ms = server_ms
        group.consumer.expire(now_ms)


def _read_words(path: str) -> list[int]:
    """The heartbeats as they are now; none where there is no file."""
    try:
        with open(path, "rb") as file:
            data = file.read(BEATS_BYTES)
    except OSError:
        return []
    return list(memoryview(data[: len(data) // 8 * 8]).cast("q"))


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
