"""The `.sum` file of a sealed segment: finds any flipped bit, those outside the CRCs among them.

Written once, when a segment is sealed; text, one `name value` a line:

    version 1
    size <bytes of the .log>
    xxh3_64 <16 hex digits, over the whole file>
    crc32c <8 hex digits> ...      one for each 64 KiB, so that damage can be placed

A record batch's CRC does not cover its first 21 bytes; this does.
"""

import contextlib
import os

import xxhash

from logcore import layout
from logcore.batch import crc32c
from logcore.errors import CorruptRecordError, error_from_errno

BLOCK_BYTES = 64 << 10
VERSION = 1


def _sums(path: str) -> tuple[int, str, list[str]]:
    """(size, xxh3_64 in hex, crc32c of each block in hex) of a file."""
    whole = xxhash.xxh3_64()
    blocks = []
    size = 0
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(64 * BLOCK_BYTES):
            whole.update(chunk)
            view = memoryview(chunk)
            blocks += [
                f"{crc32c(view[at : at + BLOCK_BYTES]):08x}"
                for at in range(0, len(chunk), BLOCK_BYTES)
            ]
            size += len(chunk)
    return size, whole.hexdigest(), blocks


def write(folder: str, base_offset: int) -> None:
    """Write the .sum of a sealed segment: to a temporary file, synced, renamed."""
    path = os.path.join(folder, layout.segment_file_name(base_offset, layout.CHECKSUM_SUFFIX))
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        size, digest, blocks = _sums(
            os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
        )
        try:
            with open(temporary, "w") as file:
                file.write(f"version {VERSION}\nsize {size}\nxxh3_64 {digest}\n")
                file.write("crc32c " + " ".join(blocks) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except FileNotFoundError:
        raise  # deleted by retention meanwhile
    except OSError as error:
        raise error_from_errno(error.errno or 0, "write", path) from error


def write_missing(folder: str, sealed_bases: list[int]) -> int:
    """Write the .sum files that are missing. Returns how many."""
    written = 0
    for base_offset in sealed_bases:
        name = layout.segment_file_name(base_offset, layout.CHECKSUM_SUFFIX)
        if not os.path.exists(os.path.join(folder, name)):
            with contextlib.suppress(FileNotFoundError):  # deleted by retention meanwhile
                write(folder, base_offset)
                written += 1
    return written


def verify(folder: str, base_offset: int) -> bool:
    """Compare a sealed segment with its .sum: True, or False when it has none.

    Raises:
        CorruptRecordError: the file is not what was sealed, with the first bad block's position.
    """
    path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
    name = layout.segment_file_name(base_offset, layout.CHECKSUM_SUFFIX)
    try:
        with open(os.path.join(folder, name), encoding="ascii", errors="replace") as file:
            fields = dict(line.rstrip("\n").partition(" ")[::2] for line in file)
    except FileNotFoundError:
        return False
    size, digest, blocks = _sums(path)
    if (fields.get("size"), fields.get("xxh3_64")) == (str(size), digest):
        return True
    expected = fields.get("crc32c", "").split()
    bad = next(
        (
            i
            for i, (found, wanted) in enumerate(zip(blocks, expected, strict=False))
            if found != wanted
        ),
        min(len(blocks), len(expected)),
    )
    raise CorruptRecordError(
        f"not the file that was sealed ({fields.get('size')} bytes then, {size} now); the first "
        f"difference is in the 64 KiB at byte {bad * BLOCK_BYTES}",
        path=path,
        position=bad * BLOCK_BYTES,
    )
