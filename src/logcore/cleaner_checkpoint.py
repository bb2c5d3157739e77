"""`.cleaner`: up to where a partition was compacted.

Text, replaced whole:

    version 1
    first_dirty_offset <n>

Records below first_dirty_offset were compared with each other by a cleaning. Kafka keeps the same
number for all partitions of a folder in cleaner-offset-checkpoint. The file is a hint: without it
the next cleaning begins at the log's start. Once there, it also says that offsets may be missing,
whatever cleanup.policy says now.
"""

import contextlib
import os

from logcore import layout, small_files
from logcore.config import LogConfig
from logcore.errors import CorruptRecordError

VERSION = 1


def _path(folder: str) -> str:
    return os.path.join(folder, layout.CLEANER_FILE)


def read(folder: str) -> int | None:
    """The first dirty offset, None where there is none or it cannot be understood."""
    try:
        text = small_files.read_text(_path(folder))
    except (OSError, CorruptRecordError):
        return None
    fields = dict(line.partition(" ")[::2] for line in text.splitlines())
    value = fields.get("first_dirty_offset", "")
    if fields.get("version") != str(VERSION) or not value.isdecimal():
        return None
    return int(value)


def write(folder: str, first_dirty_offset: int) -> None:
    """Note how far a cleaning came, durably.

    Raises:
        OSError: the older note still counts.
    """
    small_files.replace_text(
        _path(folder), f"version {VERSION}\nfirst_dirty_offset {first_dirty_offset}\n"
    )


def limit(folder: str, active_base_offset: int) -> None:
    """Begin anew where the log was cut back: what is written there now was never cleaned."""
    first_dirty_offset = read(folder)
    if first_dirty_offset is not None and first_dirty_offset > active_base_offset:
        with contextlib.suppress(OSError):
            write(folder, 0)


def may_have_gaps(folder: str, config: LogConfig) -> bool:
    """Whether offsets may be missing: the log is compacted, or was."""
    return config.is_compacted or os.path.exists(_path(folder))
