"""What the tests of the storage core share: batches, reading all of a log, faking a reboot."""

import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from logcore.batch import BatchBuilder, Record, crc32c
from logcore.log import Log

TIME_MS = 1_700_000_000_000
HEADER = struct.Struct(">qiibIhiqqqhii")
BOOT_ID_POSITION = 0x10  # in .state, see c/shared.h


def make_batch(
    values: Iterable[bytes | None],
    *,
    codec: int = 0,
    timestamp_ms: int = TIME_MS,
    key: bytes | None = None,
    headers: list[tuple[str, bytes | None]] | None = None,
) -> bytes:
    builder = BatchBuilder(codec)
    for value in values:
        builder.append(timestamp_ms, key, value, headers)
    return builder.build()


def with_header(batch: bytes, **fields: int) -> bytes:
    """`batch` with other header fields and the CRC that fits them."""
    names = ["base_offset", "batch_length", "leader_epoch", "magic", "crc", "attributes"]
    names += ["last_offset_delta", "base_timestamp_ms", "max_timestamp_ms", "producer_id"]
    names += ["producer_epoch", "base_sequence", "record_count"]
    values = dict(zip(names, HEADER.unpack_from(batch), strict=True)) | fields
    changed = HEADER.pack(*values.values()) + batch[HEADER.size :]
    if "crc" in fields:
        return changed
    return changed[:17] + crc32c(changed[21:]).to_bytes(4, "big") + changed[21:]


def append_values(log: Log, *values: bytes) -> int:
    return log.append(make_batch(values))


def read_values(log: Log, offset: int | None = None) -> list[bytes]:
    start = log.log_start_offset if offset is None else offset
    return [record.value for record in log.reader(start)]


def told(record: Record) -> tuple[object, ...]:
    return (record.offset, record.timestamp_ms, record.key, record.value, record.headers)


def log_file(folder: Path, base_offset: int = 0, suffix: str = ".log") -> Path:
    return folder / f"{base_offset:020d}{suffix}"


def fake_reboot(folder: Path) -> None:
    """Make the shared page one of another boot: what was not on the disk is not counted on."""
    with open(folder / ".state", "r+b") as file:
        file.seek(BOOT_ID_POSITION)
        file.write(bytes(16))


def seeded_random(name: str) -> random.Random:
    """A random generator whose seed is printed, and taken from PYLOG_TEST_SEED to replay."""
    seed = int(os.environ.get("PYLOG_TEST_SEED", "0")) or random.SystemRandom().getrandbits(48)
    print(f"{name}: PYLOG_TEST_SEED={seed}")  # noqa: T201
    return random.Random(seed)


def start_program(code: str, *arguments: object, **named: object) -> subprocess.Popen[str]:
    """Run Python code in another process; it reads sys.argv and talks over stdin and stdout."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **named,  # type: ignore[call-overload]
    )


def read_line(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def end_program(program: subprocess.Popen[str]) -> None:
    """End a program that the test started, and its pipes."""
    program.kill()
    program.communicate()
