"""Opening a partition: make or check its folder, then join those who have it open.

Who comes first and finds the shared page of this boot true continues at once (O(1), whatever was
killed); any other page is disposed of and the log recovered from its files.
"""

import os
import stat
import uuid
from typing import TYPE_CHECKING

from logcore import layout, partition_metadata, recovery, segments
from logcore.config import LogConfig
from logcore.errors import (
    LogIOError,
    UnsupportedFileSystemError,
    UnsupportedFormatError,
    error_from_errno,
)
from logcore.file_system import network_file_system
from logcore.recovery import Recovered

if TYPE_CHECKING:
    from logcore.shared import SharedState

_READY = 2


def check_recovery_mode(mode: str) -> str:
    """The mode, if it is one."""
    if mode not in recovery.MODES:
        raise ValueError(f"recovery is one of {', '.join(recovery.MODES)}, not {mode!r}")
    return mode


def prepare_folder(
    path: str, *, create: bool, topic_id: uuid.UUID | None, allow_network_file_system: bool
) -> None:
    """Make the partition's folder and metadata if they are missing; refuse what is not ours.

    Raises:
        FileNotFoundError: nothing there, and `create` is False.
        UnsupportedFormatError: a folder that holds something else.
        UnsupportedFileSystemError: on a network file system, where locks and mappings are not
            shared between machines.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if not create:
            raise FileNotFoundError(f"{path}: no partition there") from None
    except OSError as error:
        raise error_from_errno(error.errno or 0, "open", path) from error
    else:
        if not stat.S_ISDIR(status.st_mode):
            raise UnsupportedFormatError(f"{path}: not a folder")
    if create:
        _create(path, topic_id)
    kind = network_file_system(path)
    if kind and not allow_network_file_system:
        raise UnsupportedFileSystemError(
            f"{path}: on a network file system ({kind}), where processes of several machines do "
            "not see each other's locks. Use a local disk, or pass allow_network_file_system=True "
            "if only this machine opens it"
        )


def _create(path: str, topic_id: uuid.UUID | None) -> None:
    metadata = os.path.join(path, layout.PARTITION_METADATA_FILE)
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        names = os.listdir(path)
        if layout.PARTITION_METADATA_FILE in names:
            partition_metadata.read(metadata)
            return
        strangers = [name for name in names if not layout.is_partition_file_name(name)]
        if strangers:
            raise UnsupportedFormatError(
                f"{path}: not a partition: it holds {sorted(strangers)[0]!r}, which is not ours"
            )
        # Before the first data, so that a partition with records always says whose they are.
        partition_metadata.write(metadata, topic_id if topic_id is not None else uuid.uuid4())
        _sync_folder(path)
        _sync_folder(os.path.dirname(path))
    except OSError as error:
        raise error_from_errno(error.errno or 0, "create", path) from error


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def attach(
    shared: "SharedState", folder: str, config: LogConfig, mode: str
) -> Recovered | None:
    """Join the partition. Returns what recovery did, None when there was nothing to do."""
    try:
        recovered = None
        if shared.open_exclusive_or_shared():
            recovered = _make_true(shared, folder, config, mode)
            shared.downgrade()
        shared.claim_slot()
        return recovered
    except OSError as error:
        raise error_from_errno(error.errno or 0, "open", folder) from error


def _make_true(
    shared: "SharedState", folder: str, config: LogConfig, mode: str
) -> Recovered | None:
    if shared.is_of_this_boot() and shared.phase == _READY:
        commit = shared.commit()
        durable_offset, durable_base, durable_position = shared.durable()
        if _cut_unpublished(folder, commit):
            shared.publish_ready(commit, durable_offset, durable_base, durable_position)
            return None
    recovered = recovery.recover(folder, config, mode)
    commit = recovered.commit
    shared.publish_ready(
        commit, commit["log_end_offset"], commit["segment_base_offset"], commit["end_position"]
    )
    return recovered


def _cut_unpublished(folder: str, commit: dict[str, int]) -> bool:
    """Cut what killed processes wrote and did not publish: False when bytes are missing instead.

    O(1) in the size of the log: nothing is read.
    """
    base_offset = commit["segment_base_offset"]
    for suffix, field in (
        (layout.LOG_SUFFIX, "end_position"),
        (layout.INDEX_SUFFIX, "offset_index_size"),
        (layout.TIME_INDEX_SUFFIX, "time_index_size"),
    ):
        path = os.path.join(folder, layout.segment_file_name(base_offset, suffix))
        size = os.stat(path).st_size if os.path.exists(path) else -1
        if size < commit[field] and not (size < 0 and commit[field] == 0 and field != "end_position"):
            return False
        if size > commit[field]:
            os.truncate(path, commit[field])
    for base in segments.list_bases(folder):
        if base > base_offset:  # a roll that died before its publish
            for suffix in layout.SEGMENT_SUFFIXES:
                path = os.path.join(folder, layout.segment_file_name(base, suffix))
                if os.path.exists(path):
                    os.unlink(path)
    return True


def look(folder: str, config: LogConfig) -> dict[str, int]:
    """Where a log at rest ends, for a read-only open."""
    try:
        return recovery.look(folder, config)
    except OSError as error:
        if isinstance(error, LogIOError):
            raise
        raise error_from_errno(error.errno or 0, "read", folder) from error
