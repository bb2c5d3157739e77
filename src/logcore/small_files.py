"""Small text files that are read whole and replaced whole, never changed in place.

A replacement is written beside the file as `<name>.tmp`, synced, renamed over it, and the folder
is synced: after a crash there is the old text or the new, and once replace returned, the new.

Source: Kafka CheckpointFile.write, Utils.atomicMoveWithFallback.
"""

import contextlib
import os

from logcore import layout
from logcore.errors import CorruptRecordError

MAX_TEXT_BYTES = 16 * 1024 * 1024


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of an ASCII file.

    Raises:
        CorruptRecordError: it is not ASCII, or larger than any file of ours.
        OSError: it cannot be read; FileNotFoundError when there is none.
    """
    with open(path, "rb") as file:
        data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise CorruptRecordError(f"more than {MAX_TEXT_BYTES} bytes of text", path=path)
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise CorruptRecordError("not a text file", path=path, position=error.start) from None


def replace_text(path: str | os.PathLike[str], text: str) -> None:
    """Put `text` in the place of what the file holds, durably.

    One writer at a time: the caller holds the partition.

    Raises:
        OSError: nothing was replaced, unless it is the folder that could not be synced.
    """
    temporary = f"{path}{layout.TEMPORARY_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(text.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
