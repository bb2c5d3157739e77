"""`<offset>.snapshot`: what was known of the producers when the log ended at `offset`.

    byte 0..1   version  int16, 1
    byte 2..5   crc      uint32, CRC-32C of byte 6 to the end
    byte 6..9   count    int32
    byte 10..   count times 46 bytes:
        byte  0..7   producer_id               int64
        byte  8..9   producer_epoch            int16
        byte 10..13  last_sequence             int32   -1 none
        byte 14..21  last_offset               int64   of the last batch, -1 none
        byte 22..25  offset_delta              int32   last offset - first offset of that batch
        byte 26..33  last_timestamp_ms         int64
        byte 34..37  coordinator_epoch         int32   -1 no marker yet
        byte 38..45  transaction_first_offset  int64   -1 none open

All big-endian. A snapshot saves reading headers, nothing more: one that is damaged is passed over,
and the log is read from an older one or from its start. Source: Kafka ProducerStateManager.
"""

import contextlib
import logging
import os
import struct
from dataclasses import dataclass

from logcore import layout
from logcore.batch import crc32c
from logcore.errors import CorruptRecordError

VERSION = 1
KEPT_SNAPSHOTS = 2
_HEAD = struct.Struct(">hIi")
_ENTRY = struct.Struct(">qhiqiqiq")
_COUNT_AT = 6

_log = logging.getLogger("logcore.producers")


@dataclass(frozen=True, slots=True)
class ProducerInfo:
    """What a partition knows of one producer id.

    Attributes:
        producer_id: of the producer.
        producer_epoch: its newest.
        last_sequence: of its last record, -1 when it wrote none in this epoch.
        last_offset: of that record, -1 for none.
        offset_delta: records in its last batch, less one.
        last_timestamp_ms: of its last batch.
        coordinator_epoch: of its last marker, -1 for none.
        transaction_first_offset: where its open transaction begins, -1 when none is open.
    """

    producer_id: int
    producer_epoch: int
    last_sequence: int = -1
    last_offset: int = -1
    offset_delta: int = 0
    last_timestamp_ms: int = -1
    coordinator_epoch: int = -1
    transaction_first_offset: int = -1


def encode(producers: list[ProducerInfo]) -> bytes:
    """The bytes of a snapshot file."""
    body = len(producers).to_bytes(4, "big") + b"".join(
        _ENTRY.pack(
            info.producer_id,
            info.producer_epoch,
            info.last_sequence,
            info.last_offset,
            info.offset_delta,
            info.last_timestamp_ms,
            info.coordinator_epoch,
            info.transaction_first_offset,
        )
        for info in producers
    )
    return struct.pack(">hI", VERSION, crc32c(body)) + body


def decode(data: bytes) -> list[ProducerInfo]:
    """The producers of a snapshot file.

    Raises:
        CorruptRecordError: it is not one, or not whole.
    """
    if len(data) < _HEAD.size:
        raise CorruptRecordError(f"a producer snapshot of {len(data)} bytes")
    version, crc, count = _HEAD.unpack_from(data)
    if version != VERSION:
        raise CorruptRecordError(f"a producer snapshot of version {version}")
    if crc != crc32c(data[_COUNT_AT:]):
        raise CorruptRecordError("the CRC-32C of a producer snapshot does not match")
    if count < 0 or _HEAD.size + count * _ENTRY.size != len(data):
        raise CorruptRecordError(f"a producer snapshot claims {count} producers")
    return [ProducerInfo(*fields) for fields in _ENTRY.iter_unpack(data[_HEAD.size :])]


def _offsets(folder: str) -> list[int]:
    """Offsets of the snapshots in a partition's folder, newest first."""
    names = map(layout.parse_segment_file_name, os.listdir(folder))
    return sorted(
        (name[0] for name in names if name and name[1] == layout.SNAPSHOT_SUFFIX), reverse=True
    )


def _path(folder: str, offset: int) -> str:
    return os.path.join(folder, layout.segment_file_name(offset, layout.SNAPSHOT_SUFFIX))


def read_newest(folder: str, log_end_offset: int) -> tuple[int, list[ProducerInfo]]:
    """The newest sound snapshot that does not reach beyond the log's end.

    Returns:
        (its offset, its producers); (0, []) where there is none.
    """
    for offset in _offsets(folder):
        if offset > log_end_offset:
            continue
        try:
            with open(_path(folder, offset), "rb") as file:
                return offset, decode(file.read())
        except FileNotFoundError:
            continue
        except CorruptRecordError as error:
            _log.warning("%s: passed over: %s", _path(folder, offset), error)
    return 0, []


def write(folder: str, offset: int, producers: list[ProducerInfo]) -> bool:
    """Write a snapshot and drop all but the newest two: False where the disk does not take it.

    Not synced: its checksum tells a torn one.
    """
    path = _path(folder, offset)
    partial = f"{path}.{os.getpid()}{layout.TEMPORARY_SUFFIX}"  # processes may write it at once
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(partial, flags, 0o600), "wb") as file:
            file.write(encode(producers))
        os.replace(partial, path)
    except OSError as error:
        _log.warning("%s: no snapshot of the producers: %s", path, error.strerror)
        with contextlib.suppress(OSError):
            os.unlink(partial)
        return False
    for older in _offsets(folder)[KEPT_SNAPSHOTS:]:
        with contextlib.suppress(OSError):
            os.unlink(_path(folder, older))
    return True


def delete_above(folder: str, log_end_offset: int) -> None:
    """Drop the snapshots of a log that was cut at `log_end_offset`."""
    for offset in _offsets(folder):
        if offset > log_end_offset:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_path(folder, offset))
