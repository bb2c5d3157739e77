"""A .log file in the words of Kafka's DumpLogSegments.

Source: Kafka tools DumpLogSegments (its output, line by line).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pylog.cli import console
from pylog.cli.failures import CommandError
from pylog.cli.format_string import json_text
from pylog.cli.segment_walk import SegmentWalk, WalkedBatch

if TYPE_CHECKING:
    from logcore.batch import BatchView, Record
    from pylog.cli.dump import DumpOptions

CODEC_NAMES = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_DELETE_HORIZON_BIT = 1 << 6
_SEQUENCE_MODULUS = 1 << 31
_CONTROL_TYPES = {0: "ABORT", 1: "COMMIT"}


def dump_log(path: Path, options: "DumpOptions") -> list[str]:
    """Print a .log file; return what is wrong with it."""
    base_offset = base_offset_of(path)
    if not options.json_output:
        console.out(f"Log starting offset: {base_offset}")
    problems: list[str] = []
    previous_offset = -1
    with SegmentWalk(path, options.max_bytes) as walk:
        for walked in walk:
            if not walked.is_valid:
                problems.append(f"{path}: batch at byte {walked.position}: {walked.reason}")
            records: list[Record] | None = None
            if options.deep_iteration:
                records, problem = _records(path, walked)
                if problem:
                    problems.append(problem)
            _print_batch(walked, records, options)
            previous_offset = _note_gaps(path, previous_offset, records or [])
        if walk.trailing_bytes and options.max_bytes is None:
            _report_trailing(walk, problems, options)
    return problems


def base_offset_of(path: Path) -> int:
    """Return the first offset of a segment, which is in its file's name.

    Raises:
        CommandError: the name is not that of a segment file.
    """
    stem = path.name.split(".")[0]
    if not (stem.isascii() and stem.isdigit()) or len(stem) > 20:
        raise CommandError(
            f"{path}: the name of a segment file begins with its first offset, such as "
            f"00000000000000000000{path.suffix}"
        )
    return int(stem)


def batch_line(walked: WalkedBatch) -> str:
    """Return the line that DumpLogSegments prints for a batch."""
    view = walked.view
    return (
        f"baseOffset: {view.base_offset} lastOffset: {view.last_offset} "
        f"count: {view.record_count} baseSequence: {view.base_sequence} "
        f"lastSequence: {_last_sequence(view)} producerId: {view.producer_id} "
        f"producerEpoch: {view.producer_epoch} partitionLeaderEpoch: {view.leader_epoch} "
        f"isTransactional: {_bool(view.is_transactional)} isControl: {_bool(view.is_control)} "
        f"deleteHorizonMs: {_delete_horizon(view)} position: {walked.position} "
        f"{_timestamp_type(view)}: {view.max_timestamp_ms} size: {view.size_bytes} "
        f"magic: {view.magic} compresscodec: {CODEC_NAMES.get(view.codec, 'unknown')} "
        f"crc: {view.crc} isvalid: {_bool(walked.is_valid)}"
    )


def record_line(view: "BatchView", record: "Record", options: "DumpOptions") -> str:
    """Return the line that DumpLogSegments prints for a record."""
    words: list[str] = []
    if not options.skip_record_metadata:
        keys = ",".join(name for name, _value in record.headers)
        words.append(
            f"offset: {record.offset} {_timestamp_type(view)}: {record.timestamp_ms} "
            f"keySize: {_size(record.key)} valueSize: {_size(record.value)} "
            f"sequence: {_sequence(view, record)} headerKeys: [{keys}]"
        )
        if view.is_control:
            words.append(_control_text(record))
    if options.print_data_log and not view.is_control:
        if record.key is not None:
            words.append(f"key: {_text(record.key)}")
        if record.value is not None:
            words.append(f"payload: {_text(record.value)}")
    return f"| {' '.join(words)}" if words else ""


def _records(path: Path, walked: WalkedBatch) -> tuple[list["Record"], str]:
    from logcore.errors import LogError

    if not walked.is_valid:
        return [], ""
    try:
        return walked.view.records(), ""
    except LogError as exc:
        return [], f"{path}: batch at byte {walked.position}: {exc}"


def _print_batch(
    walked: WalkedBatch, records: list["Record"] | None, options: "DumpOptions"
) -> None:
    if options.json_output:
        import json

        console.out(json.dumps(_batch_json(walked, records, options), ensure_ascii=False))
        return
    console.out(batch_line(walked))
    for record in records or ():
        console.out(record_line(walked.view, record, options))


def _note_gaps(path: Path, previous_offset: int, records: list["Record"]) -> int:
    """Say where offsets are missing, which compaction makes too; return the last offset."""
    for record in records:
        if record.offset != previous_offset + 1 and previous_offset >= 0:
            console.note(
                f"{path}: non-consecutive offsets: {previous_offset} is followed by {record.offset}"
            )
        previous_offset = record.offset
    return previous_offset


def _report_trailing(walk: SegmentWalk, problems: list[str], options: "DumpOptions") -> None:
    if not options.json_output:
        console.out(f"Found {walk.trailing_bytes} invalid bytes at the end of {walk.path.name}")
    if not walk.is_trailing_zero():
        problems.append(
            f"{walk.path}: {walk.trailing_bytes} bytes from byte {walk.position} on are no "
            f"batches: {walk.stop_reason}"
        )


def _batch_json(
    walked: WalkedBatch, records: list["Record"] | None, options: "DumpOptions"
) -> dict[str, Any]:
    view = walked.view
    batch: dict[str, Any] = {
        "base_offset": view.base_offset,
        "last_offset": view.last_offset,
        "count": view.record_count,
        "base_sequence": view.base_sequence,
        "producer_id": view.producer_id,
        "producer_epoch": view.producer_epoch,
        "leader_epoch": view.leader_epoch,
        "is_transactional": view.is_transactional,
        "is_control": view.is_control,
        "position": walked.position,
        "timestamp_type": _timestamp_type(view),
        "base_timestamp_ms": view.base_timestamp_ms,
        "max_timestamp_ms": view.max_timestamp_ms,
        "size_bytes": view.size_bytes,
        "magic": view.magic,
        "codec": CODEC_NAMES.get(view.codec, "unknown"),
        "crc": view.crc,
        "is_valid": walked.is_valid,
    }
    if records is not None:
        batch["records"] = [_record_json(record, options) for record in records]
    return batch


def _record_json(record: "Record", options: "DumpOptions") -> dict[str, Any]:
    described: dict[str, Any] = {
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key_size": _size(record.key),
        "value_size": _size(record.value),
        "headers": [[name, json_text(value)] for name, value in record.headers],
    }
    if options.print_data_log:
        described["key"] = json_text(record.key)
        described["value"] = json_text(record.value)
    return described


def _control_text(record: "Record") -> str:
    """Return what DumpLogSegments says of the end of a transaction."""
    key, value = record.key or b"", record.value or b""
    type_id = int.from_bytes(key[2:4], "big", signed=True) if len(key) >= 4 else -1
    name = _CONTROL_TYPES.get(type_id)
    if name is None or len(value) < 6:
        return f"controlType: UNKNOWN({type_id})"
    coordinator_epoch = int.from_bytes(value[2:6], "big", signed=True)
    return f"endTxnMarker: {name} coordinatorEpoch: {coordinator_epoch}"


def _text(data: bytes) -> str:
    """Return bytes as Java's StringDecoder shows them, on one line."""
    text = data.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _timestamp_type(view: "BatchView") -> str:
    return "LogAppendTime" if view.is_log_append_time else "CreateTime"


def _delete_horizon(view: "BatchView") -> str:
    if view.attributes & _DELETE_HORIZON_BIT:
        return f"OptionalLong[{view.base_timestamp_ms}]"
    return "OptionalLong.empty"


def _last_sequence(view: "BatchView") -> int:
    if view.base_sequence < 0:
        return -1
    return int((view.base_sequence + view.last_offset_delta) % _SEQUENCE_MODULUS)


def _sequence(view: "BatchView", record: "Record") -> int:
    if view.base_sequence < 0:
        return -1
    return int((view.base_sequence + record.offset - view.base_offset) % _SEQUENCE_MODULUS)


def _size(data: bytes | None) -> int:
    return -1 if data is None else len(data)


def _bool(value: bool) -> str:
    return "true" if value else "false"
