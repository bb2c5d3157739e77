"""Producer snapshots and transaction indexes, as kafka-dump-log prints them."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pylog.cli import console

if TYPE_CHECKING:
    from logcore.producer_snapshots import ProducerInfo
    from pylog.cli.dump import DumpOptions


def dump_snapshot(path: Path, options: "DumpOptions") -> list[str]:
    """Print a .snapshot; return what is wrong with it."""
    from logcore import producer_snapshots
    from logcore.errors import LogError

    try:
        producers = producer_snapshots.decode(path.read_bytes())
    except LogError as exc:
        return [f"{path}: {exc}"]
    for info in producers:
        if options.json_output:
            console.out(json.dumps(dataclasses.asdict(info)))
        else:
            console.out(_line(info))
    return []


def _line(info: "ProducerInfo") -> str:
    first = info.transaction_first_offset
    open_from = f"OptionalLong[{first}]" if first >= 0 else "OptionalLong.empty"
    line = (
        f"producerId: {info.producer_id} producerEpoch: {info.producer_epoch} "
        f"coordinatorEpoch: {info.coordinator_epoch} "
        f"currentTxnFirstOffset: {open_from} lastTimestamp: {info.last_timestamp_ms}"
    )
    if info.last_sequence < 0:
        return line
    return (
        f"{line} firstSequence: {(info.last_sequence - info.offset_delta) & 0x7FFFFFFF} "
        f"lastSequence: {info.last_sequence} lastOffset: {info.last_offset} "
        f"offsetDelta: {info.offset_delta} timestamp: {info.last_timestamp_ms}"
    )


def dump_transaction_index(path: Path, options: "DumpOptions") -> list[str]:
    """Print a .txnindex; return what is wrong with it."""
    from logcore import transaction_index
    from logcore.errors import LogError

    try:
        entries = transaction_index.read(str(path))
    except LogError as exc:
        return [str(exc)]
    for producer_id, first_offset, last_offset, last_stable_offset in entries:
        if options.json_output:
            console.out(
                json.dumps(
                    {
                        "producer_id": producer_id,
                        "first_offset": first_offset,
                        "last_offset": last_offset,
                        "last_stable_offset": last_stable_offset,
                    }
                )
            )
        else:
            console.out(
                f"version: 0 producerId: {producer_id} firstOffset: {first_offset} "
                f"lastOffset: {last_offset} lastStableOffset: {last_stable_offset}"
            )
    rest = path.stat().st_size % transaction_index.ENTRY_SIZE
    return [f"{path}: {rest} bytes at its end are no whole entry"] if rest else []
