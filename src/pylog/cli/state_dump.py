"""The `.state` page and the `.recovery` marks of a partition, field by field.

The places of the fields are those of logcore/c/shared.h; the page is native-endian.
"""

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pylog.cli import console

if TYPE_CHECKING:
    from pylog.cli.dump import DumpOptions

PHASES = {0: "empty", 1: "recovering", 2: "ready", 3: "poisoned"}

_STATE_BYTES = 16384
_MAGIC = b"pylogst\0"
_BYTE_ORDER_MARK = 0x01020304
_HEAD = struct.Struct("=8sII16sQQI")  # magic, version, byte order, boot, device, inode, phase
_LOCK_AT = 0x40
_LOCK_WAITERS_AT = 0x80
_SEQ_AT = 0xC0
_COMMIT_AT = 0x100
_COMMIT_BYTES = 192
_FLUSH_AT = 0x280
_FLUSH = struct.Struct("=Q4qII")  # lock, durable offset, segment and position, synced, error, slot
_WAKE_AT = 0x2C0
_FLUSH_WAKE_AT = 0x300
_SLOT_GENERATION_AT = 0x400
_SLOT_AT = 0x1000
_SLOT = struct.Struct("=qq")
_SLOT_COUNT = 768


def dump_state(path: Path, options: "DumpOptions") -> list[str]:
    """Print a `.state` page; return what is wrong with it."""
    data = path.read_bytes()
    if len(data) < _STATE_BYTES:
        return [f"{path}: {len(data)} bytes, a state page has {_STATE_BYTES}"]
    if data[:8] != _MAGIC:
        if data.count(0) == len(data):
            console.out(f"{path} is empty.")
            return []
        return [f"{path}: not a state page: it does not begin with {_MAGIC!r}"]
    fields = read_state(data)
    _print_fields(fields, options)
    problems = []
    if fields["byte_order"] != "native":
        problems.append(f"{path}: written by a machine of the other byte order")
    elif not fields["commit_is_valid"]:
        problems.append(f"{path}: the CRC-32C of the commit record does not match")
    return problems


def read_state(data: bytes) -> dict[str, Any]:
    """Return the fields of a page by name; nothing in it is believed or checked but the CRC."""
    from logcore.batch import crc32c
    from logcore.shared import COMMIT_FIELDS

    _magic, version, byte_order, boot_id, device, inode, phase = _HEAD.unpack_from(data)
    (lock,) = struct.unpack_from("=Q", data, _LOCK_AT)
    (seq,) = struct.unpack_from("=Q", data, _SEQ_AT)
    commit_at = _COMMIT_AT + (seq & 1) * _COMMIT_BYTES
    commit = data[commit_at : commit_at + _COMMIT_BYTES]
    (crc,) = struct.unpack_from("=Q", commit, _COMMIT_BYTES - 8)
    values = struct.unpack_from(f"={len(COMMIT_FIELDS)}q", commit)
    flush = _FLUSH.unpack_from(data, _FLUSH_AT)
    wake, sleepers = struct.unpack_from("=II", data, _WAKE_AT)
    flush_wake, flush_waiters = struct.unpack_from("=II", data, _FLUSH_WAKE_AT)
    return {
        "version": version,
        "byte_order": "native" if byte_order == _BYTE_ORDER_MARK else "foreign",
        "boot_id": boot_id.hex(),
        "device": device,
        "inode": inode,
        "phase": PHASES.get(phase, str(phase)),
        "lock": _owner(lock),
        "lock_waiters": struct.unpack_from("=I", data, _LOCK_WAITERS_AT)[0],
        "seq": seq,
        "commit_is_valid": crc32c(commit[:-8]) == crc,
        "commit": dict(zip(COMMIT_FIELDS, values, strict=True)),
        "flush_lock": _owner(flush[0]),
        "durable_offset": flush[1],
        "durable_segment_base_offset": flush[2],
        "durable_position": flush[3],
        "synced_segment_base_offset": flush[4],
        "io_error": flush[5],
        "wake": wake,
        "sleepers": sleepers,
        "flush_wake": flush_wake,
        "flush_waiters": flush_waiters,
        "slots": _slots(data),
    }


def dump_recovery(path: Path, options: "DumpOptions") -> list[str]:
    """Print both marks of a `.recovery` file; return what is wrong with it."""
    from logcore import recovery_mark

    data = path.read_bytes()
    size = recovery_mark.SLOT_SIZE
    valid = 0
    for number in range(2):
        slot = data[number * size : (number + 1) * size]
        decoded = recovery_mark._decode(slot)
        valid += decoded is not None
        if decoded is not None:
            _print_fields({"slot": number, "sequence": decoded[0], "commit": decoded[1]}, options)
        elif slot.strip(b"\0"):
            # One torn slot is lawful: that is what the other one is for.
            _print_fields({"slot": number, "is_valid": False}, options)
    return [] if valid else [f"{path}: holds no valid recovery mark"]


def _slots(data: bytes) -> list[dict[str, int]]:
    slots = []
    for number in range(_SLOT_COUNT):
        (generation,) = struct.unpack_from("=I", data, _SLOT_GENERATION_AT + number * 4)
        if generation:
            process_id, start_time_ms = _SLOT.unpack_from(data, _SLOT_AT + number * _SLOT.size)
            slots.append(
                {
                    "slot": number,
                    "generation": generation,
                    "process_id": process_id,
                    "start_time_ms": start_time_ms,
                }
            )
    return slots


def _owner(lock: int) -> str:
    if lock == 0:
        return "free"
    return f"slot {(lock & 0xFFFFFFFF) - 1}, generation {lock >> 32}"


def _print_fields(fields: dict[str, Any], options: "DumpOptions") -> None:
    if options.json_output:
        console.out(json.dumps(fields))
        return
    for name, value in fields.items():
        if isinstance(value, dict):
            for inner, inner_value in value.items():
                console.out(f"{name}.{inner}: {inner_value}")
        elif isinstance(value, list):
            for item in value:
                console.out(" ".join(f"{key}: {item[key]}" for key in item))
        else:
            console.out(f"{name}: {_plain(value)}")


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
