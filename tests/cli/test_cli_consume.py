"""`pylog consume` prints what kcat -C would print."""

import json
import time

import pytest
from cli_program import TIMEOUT_S, Cli, interrupt, wait_for


def values(first: int, end: int) -> list[str]:
    return [f"v{n}" for n in range(first, end)]


def test_everything_from_the_beginning(numbers: Cli):
    assert numbers.consumed("numbers") == values(0, 10)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("beginning", values(0, 10)),
        ("earliest", values(0, 10)),
        ("end", []),
        ("0", values(0, 10)),
        ("7", values(7, 10)),
        ("10", []),
        ("-3", values(7, 10)),
        ("-10", values(0, 10)),
        ("-99", values(0, 10)),
        ("s@0", values(0, 10)),
        ("s@99999999999999", []),
    ],
)
def test_where_to_start(numbers: Cli, offset: str, expected: list[str]):
    assert numbers.consumed("numbers", "-o", offset) == expected


@pytest.mark.parametrize("offset", ["11", "9223372036854775807"])
def test_an_offset_that_is_not_there_names_what_is(numbers: Cli, offset: str):
    line = numbers.fails("consume", "numbers", "-o", offset, "-e")
    assert f"offset {offset} is not in partition 0 of numbers" in line
    assert "10" in line


def test_times_bound_what_is_read(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", stdin="a\nb\n")
    # The next message must carry a later timestamp: wait for the clock, nothing else.
    last_ms = int(cli.consumed("t", "-f", r"%T\n")[-1])
    wait_for(lambda: time.time() * 1000 > last_ms + 10, "a later tick of the clock")
    cli.ok("produce", "t", stdin="c\n")
    (third_ms,) = cli.consumed("t", "-f", r"%T\n", "-o", "2")
    assert cli.consumed("t", "-o", f"s@{third_ms}") == ["c"]
    outcome = cli.ok("consume", "t", "-o", f"e@{third_ms}")
    assert outcome.lines == ["a", "b"]
    assert outcome.err == "% Reached stop timestamp for topic t [0] at offset 2: exiting\n"


def test_count_stops_exactly(numbers: Cli):
    assert numbers.ok("consume", "numbers", "-c", "3").lines == values(0, 3)
    assert numbers.ok("consume", "numbers", "-c", "10").lines == values(0, 10)


def test_the_end_is_said_on_stderr(numbers: Cli):
    outcome = numbers.ok("consume", "numbers", "-e")
    assert outcome.err == "% Reached end of topic numbers [0] at offset 10: exiting\n"
    assert numbers.ok("consume", "numbers", "-e", "-q").err == ""


def test_all_partitions_are_read_to_their_end(cli: Cli):
    cli.ok("topics", "create", "t", "--partitions", "3")
    for partition in range(2):
        cli.ok("produce", "t", "-p", partition, stdin=f"p{partition}a\np{partition}b\n")
    assert sorted(cli.consumed("t")) == ["p0a", "p0b", "p1a", "p1b"]
    notes = cli.ok("consume", "t", "-e").notes
    assert len(notes) == 3
    assert [note.endswith(": exiting") for note in notes] == [False, False, True]


def test_some_partitions_only(cli: Cli):
    cli.ok("topics", "create", "t", "--partitions", "3")
    for partition in range(3):
        cli.ok("produce", "t", "-p", partition, stdin=f"p{partition}\n")
    assert cli.consumed("t", "-p", "1") == ["p1"]
    assert sorted(cli.consumed("t", "-p", "0", "-p", "2")) == ["p0", "p2"]
    assert "has no partition 3" in cli.fails("consume", "t", "-p", "3")


def test_every_field_of_a_format(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", "-K:", "-H", "a=1", "-H", "b", stdin="key:value\n")
    before = r"%t,%p,%o,%k,%K,%s,%S,%h,%%,\t,\x41\n"
    assert cli.consumed("t", "-f", before) == ["t,0,0,key,3,value,5,a=1,b=NULL,%,\t,A"]
    (timestamp,) = cli.consumed("t", "-f", r"%T\n")
    assert abs(int(timestamp) - time.time() * 1000) < 600_000
    binary = cli.ok("consume", "t", "-e", "-q", "-f", "%R%s").out_bytes
    assert binary == b"\x00\x00\x00\x05value"


def test_null_is_told_from_empty(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", "-Z", stdin="\n")
    cli.ok("produce", "t", "-K:", stdin=":\n")
    assert cli.consumed("t", "-f", r"%K %S\n") == ["-1 -1", "0 0"]
    assert cli.consumed("t", "-Z", "-f", r"[%k] [%s]\n") == ["[NULL] [NULL]", "[] []"]
    assert cli.ok("consume", "t", "-e", "-q", "-f", "%R").out_bytes == b"\xff" * 4 + b"\0" * 4


def test_key_and_offset_before_the_value(numbers: Cli):
    assert numbers.ok("consume", "numbers", "-c1", "-K:").out == "k0:v0\n"
    assert numbers.ok("consume", "numbers", "-c1", "-K:", "-O").out == "0:k0:v0\n"
    assert numbers.ok("consume", "numbers", "-c2", "-D", ";").out == "v0;v1;"


def test_json_is_kcats_envelope(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", "-K:", "-H", "a=1", "-H", "b", stdin="k:v\n")
    (line,) = cli.ok("consume", "t", "-J", "-e", "-q").lines
    envelope = json.loads(line)
    assert envelope.pop("ts") > 0
    assert list(envelope) == [
        "topic",
        "partition",
        "offset",
        "tstype",
        "broker",
        "headers",
        "key",
        "payload",
    ]
    assert envelope["headers"] == ["a", "1", "b", None]
    assert (envelope["key"], envelope["payload"], envelope["tstype"]) == ("k", "v", "create")
    assert cli.ok("consume", "t", "--json", "-e", "-q").lines == [line]


def test_json_keeps_bytes_that_are_no_text(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", stdin=b"\xff\xfe\n")
    envelope = json.loads(cli.ok("consume", "t", "-J", "-e", "-q").out)
    assert envelope["key"] is None
    assert envelope["payload"] == {"base64": "//4="}


def test_without_e_it_follows_the_topic(numbers: Cli):
    reader = numbers.start("consume", "numbers", "-o", "end")
    assert reader.stderr is not None
    assert reader.stdout is not None
    assert reader.stderr.readline() == b"% Reached end of topic numbers [0] at offset 10\n"
    for number in range(3):
        numbers.ok("produce", "numbers", "-q", stdin=f"new {number}\n")
        assert reader.stdout.readline() == b"new %d\n" % number
    assert interrupt(reader).exit_code == 130


def test_it_ends_by_itself_after_the_count_while_following(numbers: Cli):
    reader = numbers.start("consume", "numbers", "-o", "end", "-c", "2")
    assert reader.stderr is not None
    reader.stderr.readline()
    numbers.ok("produce", "numbers", stdin="a\nb\nc\n")
    out, _err = reader.communicate(timeout=TIMEOUT_S)
    assert (reader.returncode, out) == (0, b"a\nb\n")


def test_an_unknown_topic_names_the_nearest(numbers: Cli):
    assert "did you mean numbers?" in numbers.fails("consume", "number")
    assert "does not exist" in numbers.fails("consume", "zzz")
    assert "does not exist" in numbers.fails("consume", "../numbers")


def test_an_unknown_property_names_the_nearest(numbers: Cli):
    line = numbers.fails("consume", "numbers", "-X", "fetch.min.byte=5")
    assert "fetch.min.bytes" in line


def test_reading_changes_nothing_in_the_log(numbers: Cli):
    before = {path.name: path.read_bytes() for path in (numbers.folder / "numbers-0").glob("*.log")}
    numbers.consumed("numbers")
    for name, content in before.items():
        assert (numbers.folder / "numbers-0" / name).read_bytes() == content
