"""Reads what DumpLogSegments prints; a line it does not know is a complaint."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BATCH = re.compile(
    r"baseOffset: (?P<base_offset>\d+) lastOffset: (?P<last_offset>\d+) count: (?P<count>\d+) "
    r"baseSequence: (?P<base_sequence>-?\d+) lastSequence: -?\d+ "
    r"producerId: (?P<producer_id>-?\d+) "
    r"producerEpoch: (?P<producer_epoch>-?\d+) partitionLeaderEpoch: (?P<leader_epoch>-?\d+) "
    r"isTransactional: (?:true|false) isControl: (?P<is_control>true|false) "
    r"deleteHorizonMs: \S+ position: (?P<position>\d+) "
    r"(?P<timestamp_type>CreateTime|LogAppendTime): (?P<max_timestamp_ms>-?\d+) "
    r"size: (?P<size_bytes>\d+) magic: 2 compresscodec: (?P<compression>\w+) crc: (?P<crc>\d+) "
    r"isvalid: true"
)
_RECORD = re.compile(
    r"\| offset: (?P<offset>\d+) (?:CreateTime|LogAppendTime): (?P<timestamp_ms>-?\d+) "
    r"keySize: (?P<key_size>-?\d+) valueSize: (?P<value_size>-?\d+) sequence: -?\d+ "
    r"headerKeys: \[(?P<header_names>.*?)\]"
    r"(?: key: 0x(?P<key>[0-9a-f]*))?(?: payload: 0x(?P<value>[0-9a-f]*))?"
    r"(?: endTxnMarker: (?:COMMIT|ABORT) coordinatorEpoch: \d+)?"
)
_HARMLESS = re.compile(
    r"Log starting offset: \d+|.* is empty\.|.* passed sanity check\."
    r"|version: 0 producerId: .*|producerId: .*"
)
_DUMPING = re.compile(r"Dumping (?P<path>.*)")
_INDEX_ENTRY = re.compile(r"offset: (-?\d+) position: (-?\d+)")
_TIME_INDEX_ENTRY = re.compile(r"timestamp: (-?\d+) offset: (-?\d+)")
_GAPS_IN = re.compile(r"Non-consecutive offsets in (?P<path>.*)")


@dataclass
class SegmentDump:
    """What was printed of each file, by file name, and the lines that say something is wrong."""

    batches: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    index_entries: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @property
    def all_records(self) -> list[dict[str, Any]]:
        """Return the records of all files in the order of their offsets."""
        return [record for name in sorted(self.records) for record in self.records[name]]


def _number_fields(match: re.Match[str]) -> dict[str, Any]:
    return {
        name: int(text) if text is not None and re.fullmatch(r"-?\d+", text) else text
        for name, text in match.groupdict().items()
    }


def _record(match: re.Match[str]) -> dict[str, Any]:
    sizes = {"key": int(match["key_size"]), "value": int(match["value_size"])}
    data = {name: match[name] for name in sizes}
    for name, size in sizes.items():
        is_said = data[name] is not None or "endTxnMarker" not in match[0]
        assert not is_said or size == (-1 if data[name] is None else len(data[name]) // 2), match[0]
    return {
        "offset": int(match["offset"]),
        "timestamp_ms": int(match["timestamp_ms"]),
        "header_names": match["header_names"],
        **data,
    }


def parse(text: str) -> SegmentDump:
    """Return everything `text` says, from dump_log_segments with or without print_data.

    DumpLogSegments 4.3.1 says "-1 is followed by <base offset>" of every segment that does not
    start at 0, Kafka's own too; that alone is no complaint.
    """
    dump = SegmentDump()
    name = gaps_in = ""
    for line in text.splitlines():
        if match := _DUMPING.fullmatch(line):
            name = Path(match["path"]).name
            dump.batches[name], dump.records[name], dump.index_entries[name] = [], [], []
        elif match := _BATCH.fullmatch(line):
            dump.batches[name].append(_number_fields(match))
        elif match := _RECORD.fullmatch(line):
            dump.records[name].append(_record(match))
        elif match := _INDEX_ENTRY.fullmatch(line) or _TIME_INDEX_ENTRY.fullmatch(line):
            dump.index_entries[name].append((int(match[1]), int(match[2])))
        elif match := _GAPS_IN.fullmatch(line):
            gaps_in = Path(match["path"]).stem
        elif gaps_in and line == f"  -1 is followed by {int(gaps_in)}":
            continue
        elif not _HARMLESS.fullmatch(line):
            dump.complaints.append(line)
    return dump
