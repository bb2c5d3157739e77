"""The batches of a .log file one after the other, good or bad; for `dump` and `doctor`.

Unlike the readers of `logcore` this walk goes on after a wrong checksum, and says where and why it
has to stop. It reads with pread into private memory and never writes; the file may be in use.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from logcore.batch import BatchView

HEADER_BYTES = 61
_PREFIX_BYTES = 12
_WINDOW_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class WalkedBatch:
    """One batch and where it stands.

    Args:
        position: byte in the file.
        view: its header's fields and, on demand, its records.
        reason: why it is not valid; empty when it is.
    """

    position: int
    view: "BatchView"
    reason: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether the CRC-32C fits and the header makes sense."""
        return not self.reason


class SegmentWalk:
    """Walks a .log file; afterwards tells what was left over.

    Args:
        path: the file.
        end_position: bytes that are in the log; None for the whole file.
    """

    def __init__(self, path: Path, end_position: int | None = None) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        size_bytes = os.fstat(self._fd).st_size
        self.end_position = size_bytes if end_position is None else min(end_position, size_bytes)
        self.position = 0
        self.stop_reason = ""
        self._window = memoryview(b"")
        self._window_position = 0

    def __enter__(self) -> Self:
        """Return the walk."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        os.close(self._fd)

    def __iter__(self) -> Iterator[WalkedBatch]:
        """Yield each batch up to the first whose length cannot be believed."""
        while self.position < self.end_position:
            walked = self._read_batch()
            if walked is None:
                return
            self.position += walked.view.size_bytes
            yield walked

    @property
    def trailing_bytes(self) -> int:
        """Bytes after the last batch that was understood."""
        return self.end_position - self.position

    def is_trailing_zero(self) -> bool:
        """Return whether all of these bytes are zero: reserved space, not damage."""
        position = self.position
        while position < self.end_position:
            data = os.pread(self._fd, min(_WINDOW_BYTES, self.end_position - position), position)
            if not data or data.count(0) != len(data):
                return False
            position += len(data)
        return True

    def _read_batch(self) -> WalkedBatch | None:
        from logcore.batch import BatchView
        from logcore.errors import CorruptRecordError

        left = self.end_position - self.position
        header = self._read(min(left, HEADER_BYTES))
        if len(header) < HEADER_BYTES:
            self.stop_reason = f"{left} bytes are too few for a batch header"
            return None
        size_bytes = _PREFIX_BYTES + int.from_bytes(header[8:12], "big", signed=True)
        if not HEADER_BYTES <= size_bytes <= left:
            self.stop_reason = (
                f"the header claims a batch of {size_bytes} bytes where {left} are left"
            )
            return None
        data = self._read(size_bytes)
        try:
            return WalkedBatch(self.position, BatchView(data))
        except CorruptRecordError as exc:
            reason = str(exc)
        try:
            return WalkedBatch(self.position, BatchView(data, check=False), reason)
        except CorruptRecordError:
            self.stop_reason = reason
            return None

    def _read(self, size_bytes: int) -> memoryview:
        """Return the bytes at the present position, fewer at the end of the file."""
        start = self.position - self._window_position
        if start + size_bytes > len(self._window):
            # A new buffer each time: batches handed out go on looking at the old one.
            wanted = min(max(size_bytes, _WINDOW_BYTES), self.end_position - self.position)
            self._window = memoryview(os.pread(self._fd, wanted, self.position))
            self._window_position = self.position
            start = 0
        return self._window[start : start + size_bytes]
