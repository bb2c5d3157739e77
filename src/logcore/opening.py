"""Opening a partition: make or check its folder, then join those who have it open.

Who comes first and finds the shared page of this boot true continues at once (O(1), whatever was
killed); any other page is disposed of and the log recovered from its files.
"""

import fcntl
import os
import stat
import uuid
from typing import TYPE_CHECKING

from logcore import (
    cleaner_checkpoint,
    layout,
    partition_metadata,
    recovery,
    segment_swap,
    segments,
    transaction_index,
)
from logcore.config import LogConfig
from logcore.errors import (
    UnsupportedFileSystemError,
    UnsupportedFormatError,
    error_from_errno,
)
from logcore.file_system import network_file_system
from logcore.recovery import Recovered

if TYPE_CHECKING:
    from logcore.shared import SharedState

_RECOVERING, _READY, _POISONED = 1, 2, 3  # c/shared.h


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
    try:
        _check_file_system(path, allow_network_file_system)
        if create:
            os.makedirs(path, mode=0o700, exist_ok=True)
        _check_folder(path, create=create, topic_id=topic_id)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise error_from_errno(error.errno or 0, "create" if create else "open", path) from error


def _check_file_system(path: str, allow_network_file_system: bool) -> None:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    kind = network_file_system(path)
    if kind and not allow_network_file_system:
        raise UnsupportedFileSystemError(
            f"{path}: on a network file system ({kind}), where processes of several machines do "
            "not see each other's locks. Use a local disk, or pass allow_network_file_system=True "
            "if only this machine opens it"
        )


def _check_folder(path: str, *, create: bool, topic_id: uuid.UUID | None) -> None:
    """Refuse a folder that is not a partition; make an empty one a partition."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if create:
            fcntl.flock(fd, fcntl.LOCK_EX)  # two programs may make it at once
        names = os.listdir(path)
        metadata = os.path.join(path, layout.PARTITION_METADATA_FILE)
        if layout.PARTITION_METADATA_FILE in names:
            partition_metadata.read(metadata)
            return
        strangers = [name for name in names if not layout.is_partition_file_name(name)]
        if strangers:
            raise UnsupportedFormatError(
                f"{path}: not a partition: it holds {sorted(strangers)[0]!r}, which is not ours"
            )
        if not create:
            if not segments.list_bases(path):
                raise FileNotFoundError(f"{path}: no partition there")
            return
        # Before the first data, so that a partition with records always says whose they are.
        partition_metadata.write(metadata, topic_id if topic_id is not None else uuid.uuid4())
        os.fsync(fd)
        _sync_folder(os.path.dirname(path))
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def attach(shared: "SharedState", folder: str, config: LogConfig, mode: str) -> Recovered | None:
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
    was_swapped = segment_swap.finish(folder)
    if shared.is_of_this_boot() and shared.phase == _READY:
        commit = shared.commit()
        commit["segment_list_generation"] += was_swapped
        durable_offset, durable_base, durable_position = shared.durable()
        if _cut_unpublished(folder, commit):
            shared.publish_ready(commit, durable_offset, durable_base, durable_position)
            return None
    recovered = recovery.recover(folder, config, mode, is_cache_trusted=shared.phase != _POISONED)
    commit = recovered.commit
    cleaner_checkpoint.limit(folder, commit["segment_base_offset"])
    shared.publish_ready(
        commit, commit["log_end_offset"], commit["segment_base_offset"], commit["end_position"]
    )
    return recovered


def _cut_unpublished(folder: str, commit: dict[str, int]) -> bool:
    """Cut what killed processes wrote and did not publish.

    O(1) in the size of the log. False when the files are not those that the page speaks of: bytes
    are missing, or there is more than one writer can leave behind it. Then nothing was cut.
    """
    base_offset = commit["segment_base_offset"]
    sizes = {}
    for suffix, field in (
        (layout.LOG_SUFFIX, "end_position"),
        (layout.INDEX_SUFFIX, "offset_index_size"),
        (layout.TIME_INDEX_SUFFIX, "time_index_size"),
    ):
        path = os.path.join(folder, layout.segment_file_name(base_offset, suffix))
        size = os.stat(path).st_size if os.path.exists(path) else -1
        if size < commit[field] and (size >= 0 or commit[field] > 0 or suffix == layout.LOG_SUFFIX):
            return False
        if size > commit[field]:
            sizes[path] = commit[field]
    log_path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
    if log_path in sizes and not _is_one_batch(log_path, commit["end_position"]):
        return False
    later = [base for base in segments.list_bases(folder) if base > base_offset]
    leftover = os.path.join(
        folder, layout.segment_file_name(commit["log_end_offset"], layout.LOG_SUFFIX)
    )
    # A roll that died before its publish left an empty segment at the log end.
    if later and (later != [commit["log_end_offset"]] or os.stat(leftover).st_size > 0):
        return False
    if commit["producer_batch_count"] > 0:
        if not transaction_index.are_sound(folder):
            return False
        transaction_index.cut(folder, base_offset, commit["log_end_offset"])
    for path, size in sizes.items():
        os.truncate(path, size)
    for base in later:
        for suffix in layout.SEGMENT_SUFFIXES:
            path = os.path.join(folder, layout.segment_file_name(base, suffix))
            if os.path.exists(path):
                os.unlink(path)
    return True


def _is_one_batch(path: str, position: int) -> bool:
    """Whether the file from `position` on is a batch or the beginning of one."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size - position
        file.seek(position)
        head = file.read(12)
    return len(head) < 12 or size <= 12 + int.from_bytes(head[8:12], "big")


def look(folder: str, config: LogConfig) -> dict[str, int]:
    """Where a log at rest ends, for a read-only open."""
    try:
        return recovery.look(folder, config)
    except OSError as error:
        raise error_from_errno(error.errno or 0, "read", folder) from error
