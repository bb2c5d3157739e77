"""A workload that meets errors at every step, and the check of what must be left of it.

The value of each record tells its offset, so that what is read shows by itself what is missing,
doubled or out of order. What the log acknowledged goes to a file outside its folder, which a
killed process leaves behind.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from partitions import batch, forget_boot, value_at, values

from logcore import Log, LogConfig
from logcore.errors import LogError

CONFIG = LogConfig(index_interval_bytes=100)
OPEN_ATTEMPTS = 8


class Acknowledged:
    """How many records the log said yes to; they are the first ones."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)

    def add(self, end_offset: int) -> None:
        """Everything below an offset was acknowledged."""
        os.write(self._fd, b"%20d\n" % end_offset)

    def close(self) -> None:
        """Leave the file."""
        os.close(self._fd)

    @property
    def end_offset(self) -> int:
        """Below it everything was acknowledged."""
        lines = Path(self.path).read_bytes().split()
        return int(lines[-1]) if lines else 0


class Workload:
    """Appends, flushes, rolls, marks, deletes, seals; closes and opens in this boot and another."""

    def __init__(self, path: str, acknowledged: Acknowledged):
        self.path = path
        self.acknowledged = acknowledged
        self.errors: list[str] = []
        self.log: Log | None = None

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Do something that may fail, with a typed error that leaves the log as it was."""
        end_offset = self.log.log_end_offset if self.log is not None else None
        try:
            return action()
        except LogError as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            if self.log is not None:
                assert self.log.log_end_offset == end_offset, "an append that failed moved the end"
            return None

    def append(self, count: int, size: int = 40) -> None:
        """One batch."""
        log = self.log
        assert log is not None
        begin = log.log_end_offset
        data = batch(*(value_at(begin + n, size) for n in range(count)))
        if self.attempt(lambda: log.append(data)) is not None:
            assert log.log_end_offset == begin + count
            self.acknowledged.add(begin + count)

    def open(self) -> None:
        """Open the log, again and again while the disk refuses."""
        for _ in range(OPEN_ATTEMPTS):
            self.log = self.attempt(lambda: Log(self.path, CONFIG))
            if self.log is not None:
                return
        raise AssertionError(f"cannot open any more: {self.errors}")

    def close(self) -> None:
        """Close the log with a mark, as LogDir does."""
        log = self.log
        assert log is not None
        self.attempt(log.write_recovery_mark)
        self.log = None
        log.close()

    def run(self) -> None:
        """All of it: some hundred system calls."""
        self.open()
        for count in (1, 2, 3):
            self.append(count)
        self._attempt("flush")
        for _ in range(3):
            self.append(2, 300)
            self._attempt("roll")
            self.append(1)
        self._attempt("write_recovery_mark")
        self._attempt("seal_checksums")
        self.append(1)
        self._attempt("flush")
        self.close()
        self.open()
        self.append(2)
        self._attempt("roll")
        self.append(1)
        self.attempt(lambda: self.log is not None and self.log.delete_records(7))
        self.close()
        with contextlib.suppress(OSError):  # the test's own call failed: in this boot, then
            forget_boot(self.path)
        self.open()
        self.append(2)
        self._attempt("apply_retention")
        self._attempt("flush")
        self.close()

    def _attempt(self, name: str) -> None:
        self.attempt(getattr(self.log, name))


def check(path: str, acknowledged: int) -> None:
    """What must hold of a partition, whatever happened to its writers."""
    with Log(path, CONFIG) as log:
        begin, end = log.log_start_offset, log.log_end_offset
        assert end >= acknowledged, f"{acknowledged} records were acknowledged, {end} are left"
        assert begin <= 7, "more was deleted than asked for"
        assert values(log) == [_value(value, n) for n, value in enumerate(values(log), begin)]
        for offset in range(begin, end):
            assert next(iter(log.reader(offset))).offset == offset
        assert log.append(batch(value_at(end))) == end
        assert log.flush() == end + 1
        log.roll()
        assert log.append(batch(value_at(end + 1))) == end + 1
        values(log)
        log.write_recovery_mark()
    forget_boot(path)
    with Log(path, CONFIG) as log:
        assert log.log_start_offset == begin
        assert log.log_end_offset == end + 2, "another boot lost what was durable"
        assert len(values(log)) == end + 2 - begin


def _value(value: bytes | None, offset: int) -> bytes:
    return value_at(offset, len(value or b""))
