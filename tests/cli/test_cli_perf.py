"""`pylog perf` takes the flags of Kafka's perf tools and prints their summary lines."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from cli_program import Cli

PRODUCER_LINE = re.compile(
    r"(\d+) records sent, (\d+\.\d+) records/sec \((\d+\.\d+) MB/sec\), (\d+\.\d+) ms avg latency, "
    r"(\d+\.\d+) ms max latency, (\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th, (\d+) ms 99\.9th\."
)


def test_produce_prints_kafkas_line_and_stores_all(cli: Cli):
    outcome = cli.ok(
        *("perf", "produce", "--topic", "t", "--num-records", "5000", "--record-size", "50"),
        *("--throughput", "-1", "--producer-props", "acks=1", "linger.ms=0"),
    )
    match = PRODUCER_LINE.fullmatch(outcome.lines[0])
    assert match
    assert match[1] == "5000"
    assert "% created topic t in" in outcome.err
    sizes = cli.consumed("t", "-f", r"%S %K\n")
    assert sizes == ["50 -1"] * 5000


def test_produce_with_keys_into_several_partitions(cli: Cli):
    cli.ok("perf", "produce", "--num-records", "1000", "--key-size", "8", "--partitions", "3")
    assert set(cli.consumed("perf", "-f", r"%K %S\n")) == {"8 100"}
    assert len(cli.ok("topics", "describe", "perf").lines) == 4


def test_produce_takes_payloads_from_a_file_or_counts(cli: Cli):
    (cli.cwd / "payloads").write_text("one\ntwo\n")
    cli.ok("perf", "produce", "--num-records", "4", "--payload-file", "payloads")
    assert cli.consumed("perf") == ["one", "two", "one", "two"]
    cli.ok("perf", "produce", "--topic", "n", "--num-records", "3", "--payload-monotonic")
    assert cli.consumed("n") == ["0", "1", "2"]
    (cli.cwd / "empty").write_text("\n\n")
    assert "holds no payload" in cli.fails("perf", "produce", "--payload-file", "empty")
    assert "missing" in cli.fails("perf", "produce", "--payload-file", "missing")


def test_throughput_is_a_limit(cli: Cli):
    report = cli.ok(
        *("perf", "produce", "--num-records", "500", "--throughput", "1000", "--json")
    ).json
    assert report["records"] == 500
    assert report["seconds"] >= 0.49
    assert report["records_per_s"] <= 1020


def test_json_holds_the_figures_with_their_units(cli: Cli):
    report = cli.ok("perf", "produce", "--num-records", "2000", "--json", "--print-metrics").json
    assert report["test"] == "produce"
    assert report["records"] == 2000
    assert report["payload_bytes"] == 200_000
    assert report["records_per_s"] == pytest.approx(2000 / report["seconds"])
    assert set(report["latency_us"]) == {"avg", "max", "p50", "p95", "p99", "p99_9"}
    assert report["metrics"]["process-resident-bytes-max"] > 1_000_000
    assert report["machine"]["cpu_count"] >= 1


def test_svg_is_a_picture_of_the_figures(cli: Cli):
    cli.ok("perf", "produce", "--num-records", "1000", "--svg", "out.svg")
    text = (cli.cwd / "out.svg").read_text()
    ElementTree.fromstring(text)
    assert "records/s" in text
    line = cli.fails("perf", "produce", "--num-records", "10", "--svg", "no/such/folder.svg")
    assert "no/such/folder.svg" in line


@pytest.mark.parametrize(
    "way", [(), ("--poll",), ("--columns",)], ids=["consume", "poll", "columns"]
)
def test_consume_counts_every_record_and_byte(cli: Cli, way: tuple[str, ...]):
    cli.ok(*("perf", "produce", "--num-records", "3000", "--key-size", "8", "--partitions", "2"))
    report = cli.ok("perf", "consume", *way, "--json").json
    assert report["records"] == 3000
    assert report["payload_bytes"] == 3000 * 108
    header, line = cli.ok("perf", "consume", *way).lines[:2]
    assert header.startswith("start.time, end.time, data.consumed.in.MB, MB.sec, ")
    assert len(line.split(", ")) == len(header.split(", ")) == 10
    assert line.split(", ")[4] == "3000"


def test_consume_stops_at_the_count_or_says_that_too_little_came(cli: Cli):
    cli.ok("perf", "produce", "--num-records", "3000")
    assert cli.ok("perf", "consume", "--messages", "1234", "--json").json["records"] == 1234
    outcome = cli.ok("perf", "consume", "--messages", "5000", "--timeout", "50", "--json")
    assert outcome.json["records"] == 3000
    assert "WARNING" in outcome.err


def test_consume_needs_the_topic(cli: Cli):
    cli.ok("topics", "create", "t")
    assert "does not exist" in cli.fails("perf", "consume", "--topic", "nope")


@pytest.mark.parametrize("busy", [(), ("--busy-poll",)], ids=["sleeping", "busy"])
def test_follow_measures_every_record_between_two_processes(cli: Cli, busy: tuple[str, ...]):
    report = cli.ok(
        *("perf", "follow", "--num-records", "1000", "--throughput", "5000", "--json"), *busy
    ).json
    assert report["records"] == 1000
    assert 0 < report["latency_us"]["p50"] <= report["latency_us"]["max"]
    assert report["seconds"] > 0.15


def test_follow_again_measures_only_the_new_records(cli: Cli):
    for _ in range(2):
        outcome = cli.ok("perf", "follow", "--num-records", "200", "--throughput", "-1")
        assert outcome.lines[0].startswith("200 records followed, ")


def test_an_unknown_property_names_the_nearest(cli: Cli):
    assert "batch.size" in cli.fails("perf", "produce", "--producer-props", "batch.sise=5")
