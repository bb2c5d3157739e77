"""Names of files and folders: the only module that makes or parses them.

```
<log dir>/pylog.meta                         format version, cluster id
<log dir>/.pylog.state                       shared page of the whole folder
<log dir>/<topic>-<partition>/
    <20-digit base offset>.log               segment, with its .index .timeindex .txnindex
    <20-digit base offset>.sum               checksums of a sealed segment
    <20-digit offset>.snapshot               producer state
    leader-epoch-checkpoint, partition.metadata
    .state, .recovery, .cleaner, quarantine/
```
A segment file on its way in or out has one more suffix: `.cleaned`, `.swap`, `.deleted`, `.tmp`.
A parser returns None for a name that is not ours: a folder may hold foreign files, and none of
them is ever touched.

Source: Kafka LogFileUtils, UnifiedLog.parseTopicPartitionName, Topic.validate.
"""

import re
from collections.abc import Iterable

LOG_SUFFIX = ".log"
INDEX_SUFFIX = ".index"
TIME_INDEX_SUFFIX = ".timeindex"
TXN_INDEX_SUFFIX = ".txnindex"
SNAPSHOT_SUFFIX = ".snapshot"
CHECKSUM_SUFFIX = ".sum"
SEGMENT_SUFFIXES = (
    LOG_SUFFIX,
    INDEX_SUFFIX,
    TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX,
    SNAPSHOT_SUFFIX,
    CHECKSUM_SUFFIX,
)

CLEANED_SUFFIX = ".cleaned"
SWAP_SUFFIX = ".swap"
DELETED_SUFFIX = ".deleted"
TEMPORARY_SUFFIX = ".tmp"
STAGE_SUFFIXES = (CLEANED_SUFFIX, SWAP_SUFFIX, DELETED_SUFFIX, TEMPORARY_SUFFIX)

STATE_FILE = ".state"
RECOVERY_FILE = ".recovery"
CLEANER_FILE = ".cleaner"
QUARANTINE_DIR = "quarantine"
LEADER_EPOCH_FILE = "leader-epoch-checkpoint"
PARTITION_METADATA_FILE = "partition.metadata"
META_FILE = "pylog.meta"
DIR_STATE_FILE = ".pylog.state"

MAX_OFFSET = 2**63 - 1
MAX_PARTITION = 2**31 - 1
MAX_TOPIC_NAME_LENGTH = 249
_SUFFIX, _STAGE = ("|".join(map(re.escape, group)) for group in (SEGMENT_SUFFIXES, STAGE_SUFFIXES))
_SEGMENT_FILE = re.compile(rf"([0-9]{{20}})((?:{_SUFFIX})(?:{_STAGE})?)")
_TEMPORARY_END = re.compile(r"(?:\.[0-9]+)?\.tmp\Z")
_PARTITION_FILES = frozenset(
    {STATE_FILE, RECOVERY_FILE, CLEANER_FILE, LEADER_EPOCH_FILE, PARTITION_METADATA_FILE}
)
_PARTITION_DIR = re.compile(r"(.+)-(0|[1-9][0-9]{0,9})", re.DOTALL)
_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]+")
_WINDOWS_DEVICES = frozenset(
    ["con", "prn", "aux", "nul"] + [f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)]
)


def segment_file_name(base_offset: int, suffix: str = LOG_SUFFIX) -> str:
    """Return the file name of a segment part.

    Args:
        base_offset: offset of the segment's first record, 0..2^63-1.
        suffix: one of SEGMENT_SUFFIXES, with one of STAGE_SUFFIXES behind it if need be.

    >>> segment_file_name(42, INDEX_SUFFIX)
    '00000000000000000042.index'
    """
    if not 0 <= base_offset <= MAX_OFFSET:
        raise ValueError(f"base_offset {base_offset} is outside 0..{MAX_OFFSET}")
    return f"{base_offset:020d}{suffix}"


def parse_segment_file_name(name: str) -> tuple[int, str] | None:
    """Return (base_offset, suffix) of a segment part, or None for any other name.

    >>> parse_segment_file_name("00000000000000000042.log.deleted")
    (42, '.log.deleted')
    >>> parse_segment_file_name("42.log") is None
    True
    """
    match = _SEGMENT_FILE.fullmatch(name)
    if match is None:
        return None
    base_offset = int(match[1])
    return (base_offset, match[2]) if base_offset <= MAX_OFFSET else None


def is_partition_file_name(name: str) -> bool:
    """Return whether `name` may stand in a partition's folder: ours, Kafka's, or on its way in.

    A file on its way in ends in `.tmp`, or in `.<pid>.tmp` where two processes may write it.

    >>> is_partition_file_name("00000000000000000042.log"), is_partition_file_name("notes.txt")
    (True, False)
    """
    if name == QUARANTINE_DIR or parse_segment_file_name(name) is not None:
        return True
    final_name = _TEMPORARY_END.sub("", name)
    return final_name in _PARTITION_FILES or parse_segment_file_name(final_name) is not None


def partition_dir_name(topic: str, partition: int) -> str:
    """Return the folder name of a partition.

    Raises:
        ValueError: topic is not a topic name, or partition is outside 0..2^31-1.

    >>> partition_dir_name("page-views", 3)
    'page-views-3'
    """
    validate_topic_name(topic)
    if not 0 <= partition <= MAX_PARTITION:
        raise ValueError(f"partition {partition} is outside 0..{MAX_PARTITION}")
    return f"{topic}-{partition}"


def parse_partition_dir_name(name: str) -> tuple[str, int] | None:
    """Return (topic, partition) of a partition's folder, or None for any other name.

    Only the name that partition_dir_name makes is taken, so that no two folders mean the same
    partition: `t-01` is foreign.

    >>> parse_partition_dir_name("page-views-3")
    ('page-views', 3)
    """
    match = _PARTITION_DIR.fullmatch(name)
    if match is None:
        return None
    topic, partition = match[1], int(match[2])
    if partition > MAX_PARTITION or _topic_name_fault(topic) is not None:
        return None
    return topic, partition


def validate_topic_name(name: str) -> None:
    """Raise ValueError unless `name` is a topic name that is safe as a folder name everywhere.

    Kafka's rule (1 to 249 of ASCII letters, digits, `.`, `_`, `-`; not `.` or `..`), which shuts
    out path traversal, and no Windows device name before the first dot.

    Raises:
        TypeError: name is not a str.
        ValueError: with the reason.

    Source: Kafka Topic.validate.
    """
    if not isinstance(name, str):
        raise TypeError(f"topic name must be a str, not {type(name).__name__}")
    fault = _topic_name_fault(name)
    if fault is not None:
        raise ValueError(f"Topic name is invalid: {fault}")


def find_topic_twin(name: str, topics: Iterable[str]) -> str | None:
    """Return the topic that `name` would be confused with, or None.

    Twins differ only in case, or only in `.` against `_`: the first share a folder on a file
    system that ignores case, the second share a metric name.

    >>> find_topic_twin("page.views", ["clicks", "page_views"])
    'page_views'
    """
    folded = _fold_topic_name(name)
    return next((t for t in topics if t != name and _fold_topic_name(t) == folded), None)


def _fold_topic_name(name: str) -> str:
    return name.replace(".", "_").lower()


def _topic_name_fault(name: str) -> str | None:
    if not name:
        return "the empty string is not allowed"
    if name in (".", ".."):
        return f"'{name}' is not allowed"
    if len(name) > MAX_TOPIC_NAME_LENGTH:
        return (
            f"'{name[:32]}...' has {len(name)} characters, "
            f"more than the allowed {MAX_TOPIC_NAME_LENGTH}"
        )
    if _TOPIC_NAME.fullmatch(name) is None:
        return (
            f"{name!r} contains one or more characters other than "
            "ASCII alphanumerics, '.', '_' and '-'"
        )
    if name.split(".", 1)[0].lower() in _WINDOWS_DEVICES:
        return f"'{name}' is the name of a device on Windows"
    return None
