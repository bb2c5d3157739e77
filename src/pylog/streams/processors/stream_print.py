"""What KStream.print puts into a topology: a line for each record."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from pylog.streams.record import Record


class PrintSupplier:
    """Makes the printers of a step; each task has one.

    Args:
        file: a path that each printer opens and empties, an open file, or None for standard
            output as it is when a record comes.
        label: stands before each record.
        mapper: of key and value, gives the rest of the line; None for "key, value".
    """

    def __init__(
        self,
        file: str | Path | TextIO | None,
        label: str,
        mapper: Callable[[Any, Any], str] | None,
    ):
        self.file = file
        self.label = label
        self.mapper = mapper

    def __call__(self) -> "_Printer":
        """A new printer."""
        return _Printer(self)


class _Printer:
    def __init__(self, supplier: PrintSupplier):
        self._label = supplier.label
        self._mapper = supplier.mapper
        self._file = supplier.file
        self._own_file: TextIO | None = None

    def functions(self) -> tuple[Any, ...]:
        return () if self._mapper is None else (self._mapper,)

    def init(self, context: Any) -> None:
        if isinstance(self._file, str | Path):
            self._own_file = Path(self._file).open("w", encoding="utf-8")  # noqa: SIM115

    def process(self, record: Record) -> None:
        if self._mapper is None:
            text = f"{record.key}, {record.value}"
        else:
            text = self._mapper(record.key, record.value)
        line = f"[{self._label}]: {text}\n"
        if self._own_file is not None:
            self._own_file.write(line)
            return
        shared = sys.stdout if self._file is None else self._file
        assert not isinstance(shared, str | Path), "a path is opened by init"
        shared.write(line)
        shared.flush()

    def close(self) -> None:
        if self._own_file is not None:
            self._own_file.close()
