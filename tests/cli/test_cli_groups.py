"""`pylog groups` lists, describes, resets and deletes, in the words of kafka-consumer-groups."""

import contextlib
import io
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_program import Cli, Outcome, failure_line

import pylog
from pylog.cli import main
from pylog.cli.group_report import assignment_text
from pylog.cli.group_reset import parse_datetime, parse_duration
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.log_dir import LogDir


class InProcess:
    """The program on a folder, run in this process: one of its own takes longer to start."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(self, *words: str) -> Outcome:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
        handler = signal.getsignal(signal.SIGINT)
        kept, (sys.stdout, sys.stderr) = (sys.stdout, sys.stderr), streams
        try:
            exit_code = main.main(["--dir", str(self.folder), *words])
        finally:
            sys.stdout, sys.stderr = kept
            signal.signal(signal.SIGINT, handler)
        out, err = (stream.buffer.getvalue() for stream in streams if not stream.flush())
        outcome = Outcome(exit_code, out, err.decode())
        assert "Traceback" not in outcome.err
        return outcome

    def ok(self, *words: str) -> Outcome:
        outcome = self(*words)
        assert outcome.exit_code == 0, outcome
        return outcome

    def fails(self, *words: str, code: int = 1) -> str:
        return failure_line(self(*words), code)


@pytest.fixture
def shop(tmp_path: Path) -> InProcess:
    """The program on a folder with t-0 (10 records), t-1 (empty), u-0 (3), and group g on t."""
    program = InProcess(tmp_path / "log")
    with pylog.open(program.folder) as log:
        log.topic("t", partitions=2).append_many([b"%d" % n for n in range(10)], partition=0)
        log.topic("u").append_many([b"a", b"b", b"c"])
    commit(program, "g", {("t", 0): 4, ("t", 1): 0})
    return program


@pytest.fixture
def bare(tmp_path: Path) -> InProcess:
    """The program on a folder that is not there."""
    return InProcess(tmp_path / "log")


def commit(cli: InProcess, group: str, offsets: dict[tuple[str, int], int]) -> None:
    with LogDir.open(cli.folder) as log_dir:
        values = {place: OffsetAndMetadata(offset) for place, offset in offsets.items()}
        GroupOffsets.of(log_dir).commit(group, values)


def committed(cli: InProcess, group: str) -> dict[tuple[str, int], int]:
    with LogDir.open(cli.folder) as log_dir:
        found = GroupOffsets.of(log_dir).committed(group)
    return {place: value.offset for place, value in found.items()}


@contextlib.contextmanager
def live_member(cli: InProcess, group: str, topic: str) -> Iterator[None]:
    """A Consumer of the group that has its partitions."""
    conf = {
        "log.dir": str(cli.folder), "group.id": group, "client.id": "billing",
        "enable.auto.commit": False,
    }  # fmt: skip
    consumer = pylog.Consumer(conf)
    try:
        consumer.subscribe([topic])
        deadline_s = time.monotonic() + 30
        while not consumer.assignment():
            consumer.poll(0.01)
            assert time.monotonic() < deadline_s
        yield
    finally:
        consumer.close()


def table(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


# ---- list ----


def test_groups_are_listed_in_order(shop: InProcess):
    commit(shop, "a", {("u", 0): 1})
    assert shop.ok("groups", "list").lines == ["a", "g"]
    assert shop.ok("groups", "list", "--json").json == [
        {"group": "a", "state": "Empty"},
        {"group": "g", "state": "Empty"},
    ]


def test_groups_are_listed_with_and_by_their_states(shop: InProcess):
    with live_member(shop, "live", "u"):
        assert table(shop.ok("groups", "list", "--state").lines) == [
            ["GROUP", "STATE"], ["g", "Empty"], ["live", "Stable"],
        ]  # fmt: skip
        assert table(shop.ok("groups", "list", "--only", "stable,dead").lines)[1:] == [
            ["live", "Stable"]
        ]
    assert "PreparingRebalance" in shop.fails("groups", "list", "--only", "sleepy", code=2)


def test_a_folder_without_groups_has_none(bare: InProcess):
    pylog.open(bare.folder).close()
    assert bare.ok("groups", "list").out == ""
    assert bare.ok("groups", "describe", "--all-groups").out == ""
    assert bare.ok("groups", "delete", "--all-groups").out == ""


def test_a_folder_that_is_not_there_is_not_made(bare: InProcess):
    for words in (["list"], ["describe", "g"], ["delete", "g"]):
        assert "no such folder" in bare.fails("groups", *words)
    assert not bare.folder.exists()


def test_the_program_has_the_command(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("groups", "reset-offsets", "g", "--topic", "t", "--to-earliest", "--execute")
    assert cli.ok("groups", "list").lines == ["g"]


# ---- describe ----


def test_describe_has_kafkas_columns(shop: InProcess):
    outcome = shop.ok("groups", "describe", "g")
    assert outcome.lines[0] == (
        "GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG"
        "             CONSUMER-ID     HOST            CLIENT-ID"
    )
    assert table(outcome.lines[1:]) == [
        ["g", "t", "0", "4", "10", "6", "-", "-", "-"],
        ["g", "t", "1", "0", "0", "0", "-", "-", "-"],
    ]
    assert outcome.notes == ["% group g has no members now"]


def test_describe_names_the_members_of_partitions(shop: InProcess):
    with live_member(shop, "live", "u"):
        (row,) = table(shop.ok("groups", "describe", "live").lines[1:])
        assert row[:3] == ["live", "u", "0"]
        assert row[3:6] == ["-", "3", "-"]
        assert row[6].startswith("billing-")
        assert row[8] == "billing"
        commit_free = shop.ok("groups", "describe", "--group", "live")
        assert commit_free.notes == []


def test_describe_shows_members_and_what_they_have(shop: InProcess):
    with live_member(shop, "live", "t"):
        head, row = table(shop.ok("groups", "describe", "live", "--members").lines)
        assert head == ["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS"]
        assert (row[0], row[3], row[4]) == ("live", "billing", "2")
        head, row = table(shop.ok("groups", "describe", "live", "--members", "--verbose").lines)
        assert (head[-1], row[-1]) == ("CURRENT-ASSIGNMENT", "t:0,1")


def test_describe_shows_the_state(shop: InProcess):
    with live_member(shop, "live", "t"):
        head, row = shop.ok("groups", "describe", "live", "--state").lines
    columns = ("GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS")
    starts = [head.index(column) for column in columns]
    assert (starts[0], starts[1], starts[4] - starts[3]) == (0, 16, 21)
    assert row.split()[:1] == ["live"]
    assert row.split()[2:] == ["(0)", "range", "Stable", "1"]


def test_describe_as_json_has_it_all(shop: InProcess):
    with live_member(shop, "live", "u"):
        empty, live = shop.ok("groups", "describe", "--all-groups", "--json").json
    assert empty["group"] == "g"
    assert (empty["state"], empty["assignment_strategy"], empty["members"]) == ("Empty", None, [])
    assert empty["offsets"][0] == {
        "topic": "t", "partition": 0, "current_offset": 4, "log_end_offset": 10, "lag": 6,
        "consumer_id": None, "host": None, "client_id": None,
    }  # fmt: skip
    (member,) = live["members"]
    assert member["client_id"] == "billing"
    assert member["assignment"] == [{"topic": "u", "partition": 0}]
    assert live["offsets"][0]["consumer_id"] == member["consumer_id"]
    assert live["offsets"][0]["lag"] is None


def test_all_groups_are_described_apart(shop: InProcess):
    commit(shop, "a", {("u", 0): 1})
    lines = shop.ok("groups", "describe", "--all-groups").lines
    assert [line.split()[0] for line in lines if line] == ["GROUP", "a", "GROUP", "g", "g"]
    assert lines[2] == ""


def test_a_long_name_widens_its_column(shop: InProcess):
    name = "a-group-with-quite-a-long-name"
    commit(shop, name, {("t", 0): 1})
    head, row = shop.ok("groups", "describe", name).lines
    assert head.index("TOPIC") == row.index(" t ") + 1 == len(name) + 1


def test_the_markers_of_transactions_are_no_lag(shop: InProcess):
    from logcore.batch import BatchBuilder

    with LogDir.open(shop.folder) as log_dir:
        log = log_dir.partition("u", 0)
        builder = BatchBuilder()
        builder.append(1000, None, b"in a transaction")
        builder.set_producer(1, 0, 0, True)
        log.append(builder.build())
        log.append_marker(1, 0, True)
    commit(shop, "reader", {("u", 0): 4})
    (row,) = table(shop.ok("groups", "describe", "reader").lines[1:])
    assert row[3:6] == ["4", "5", "0"]


def test_a_group_that_is_not_there_is_an_error_with_its_nearest(shop: InProcess):
    commit(shop, "billing", {("t", 0): 1})
    assert "did you mean billing?" in shop.fails("groups", "describe", "biling")
    assert "pylog groups list" in shop.fails("groups", "describe", "xyz")


@pytest.mark.parametrize("words", [[], ["g", "--all-groups"], ["g", "--members", "--state"]])
def test_describe_wants_groups_and_one_view(shop: InProcess, words: list[str]):
    shop.fails("groups", "describe", *words, code=2)


# ---- reset-offsets ----


def test_without_execute_nothing_is_set(shop: InProcess):
    for words in ([], ["--dry-run"]):
        outcome = shop.ok("groups", "reset-offsets", "g", "--topic", "t", "--to-latest", *words)
        assert table(outcome.lines) == [
            ["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"], ["g", "t", "0", "10"],
            ["g", "t", "1", "0"],
        ]  # fmt: skip
        assert "--execute" in outcome.notes[-1]
    assert committed(shop, "g") == {("t", 0): 4, ("t", 1): 0}


@pytest.mark.parametrize(
    ("words", "expected", "note"),
    [
        (["--to-earliest"], 0, ""),
        (["--to-latest"], 10, ""),
        (["--to-current"], 4, ""),
        (["--to-offset", "7"], 7, ""),
        (["--to-offset", "3000"], 10, "offset 3000 is higher than the last one; set to 10"),
        (["--to-offset", "-3"], 0, "offset -3 is lower than the first one; set to 0"),
        (["--shift-by", "2"], 6, ""),
        (["--shift-by", "-3"], 1, ""),
        (["--shift-by", "-100"], 0, "offset -96 is lower than the first one; set to 0"),
        (["--shift-by", "9223372036854775807"], 10, "set to 10"),
        (["--to-datetime", "2020-01-01T00:00:00.000"], 0, ""),
        (["--to-datetime", "2999-01-01T00:00:00Z"], 10, ""),
        (["--by-duration", "P1D"], 0, ""),
        (["--by-duration", "PT0S"], 10, ""),
    ],
)
def test_offsets_are_reset(shop: InProcess, words: list[str], expected: int, note: str):
    outcome = shop.ok("groups", "reset-offsets", "g", "--topic", "t:0", *words, "--execute")
    assert table(outcome.lines)[1:] == [["g", "t", "0", str(expected)]]
    assert [line for line in outcome.notes if note not in line] == []
    assert bool(outcome.notes) == bool(note)
    assert committed(shop, "g") == {("t", 0): expected, ("t", 1): 0}


def test_all_topics_are_those_that_the_group_has_offsets_for(shop: InProcess):
    commit(shop, "h", {("t", 0): 1, ("u", 0): 1})
    words = ("--all-topics", "--to-latest", "--execute", "--json")
    assert shop.ok("groups", "reset-offsets", "g", "--group", "h", *words).json == [
        {"group": "g", "topic": "t", "partition": 0, "new_offset": 10},
        {"group": "g", "topic": "t", "partition": 1, "new_offset": 0},
        {"group": "h", "topic": "t", "partition": 0, "new_offset": 10},
        {"group": "h", "topic": "u", "partition": 0, "new_offset": 3},
    ]
    assert committed(shop, "h") == {("t", 0): 10, ("u", 0): 3}


def test_a_group_may_be_made_by_setting_its_offsets(shop: InProcess):
    words = ("--topic", "t:0,1", "--topic", "u", "--to-earliest", "--execute")
    shop.ok("groups", "reset-offsets", "new", *words)
    assert committed(shop, "new") == {("t", 0): 0, ("t", 1): 0, ("u", 0): 0}


def test_where_nothing_is_committed_current_is_the_end_and_nothing_can_be_shifted(shop: InProcess):
    words = ("reset-offsets", "g", "--topic", "u")
    assert table(shop.ok("groups", *words, "--to-current").lines)[1:] == [["g", "u", "0", "3"]]
    assert "cannot be shifted" in shop.fails("groups", *words, "--shift-by", "1")


def test_offsets_of_a_group_with_members_are_not_reset(shop: InProcess):
    with live_member(shop, "g", "t"):
        for words in ([], ["--execute"]):
            message = shop.fails(
                "groups", "reset-offsets", "g", "--topic", "t", "--to-latest", *words
            )
            assert re.search(r"group g is \w+: .* 1 member", message)
    assert committed(shop, "g")[("t", 0)] == 4


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["g", "--topic", "t"], "--to-earliest"),
        (["g", "--topic", "t", "--to-earliest", "--to-latest"], "--to-latest was given"),
        (["g", "--to-latest"], "--all-topics"),
        (["g", "--topic", "t", "--all-topics", "--to-latest"], "--all-topics"),
        (["--topic", "t", "--to-latest"], "--all-groups"),
        (["g", "--topic", "t", "--to-latest", "--dry-run", "--execute"], "not both"),
        (["g", "--topic", "t:x", "--to-latest"], "TOPIC[:P,P]"),
        (["g", "--topic", "t:", "--to-latest"], "TOPIC[:P,P]"),
        (["g", "--topic", "t", "--to-datetime", "yesterday"], "YYYY"),
        (["g", "--topic", "t", "--to-datetime", "2020-01-01"], "no T"),
        (["g", "--topic", "t", "--by-duration", "1 day"], "P7D"),
        (["g", "--topic", "t", "--to-offset", "x"], "--to-offset"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(shop: InProcess, words: list[str], text: str):
    assert text in shop.fails("groups", "reset-offsets", *words, code=2)


def test_partitions_that_are_not_there_are_named(shop: InProcess):
    words = ("groups", "reset-offsets", "g", "--to-latest", "--topic")
    assert "partitions 0 to 1, not 7" in shop.fails(*words, "t:7")
    assert "did you mean t?" in shop.fails(*words, "tt")


# ---- delete ----


def test_groups_are_deleted_with_their_offsets(shop: InProcess):
    commit(shop, "h", {("u", 0): 1})
    assert shop.ok("groups", "delete", "g").lines == ["Deleted group g."]
    assert shop.ok("groups", "list").lines == ["h"]
    assert shop.ok("groups", "delete", "--all-groups").lines == ["Deleted group h."]
    assert shop.ok("groups", "list").out == ""


def test_what_cannot_be_deleted_is_said_and_the_rest_is_done(shop: InProcess):
    with live_member(shop, "live", "u"):
        outcome = shop("groups", "delete", "nope", "g", "live")
    assert (outcome.exit_code, outcome.lines) == (1, ["Deleted group g."])
    assert "GROUP_ID_NOT_FOUND" in outcome.err
    assert "NON_EMPTY_GROUP" in outcome.err


def test_offsets_are_deleted_by_topic(shop: InProcess):
    outcome = shop.ok("groups", "delete-offsets", "g", "--topic", "t:1")
    assert table(outcome.lines) == [["TOPIC", "PARTITION", "STATUS"], ["t", "1", "Successful"]]
    assert committed(shop, "g") == {("t", 0): 4}


def test_offsets_of_what_members_read_are_kept(shop: InProcess):
    with live_member(shop, "g", "t"):
        outcome = shop("groups", "delete-offsets", "--group", "g", "--topic", "t")
    assert outcome.exit_code == 1
    assert outcome.lines[1].split()[2] == "Error:"
    assert "2 of 2 offsets of group g are kept" in outcome.err
    assert committed(shop, "g")[("t", 0)] == 4


def test_deleting_offsets_names_one_group_and_topics(shop: InProcess):
    shop.fails("groups", "delete-offsets", "g", code=2)
    shop.fails("groups", "delete-offsets", "--topic", "t", code=2)
    assert "does not exist" in shop.fails("groups", "delete-offsets", "nope", "--topic", "t")


def test_a_damaged_topic_of_offsets_is_one_line_that_says_what_to_do(shop: InProcess):
    path = next(shop.folder.glob("__consumer_offsets-0/*.log"))
    data = bytearray(path.read_bytes())
    data[75] ^= 1
    path.write_bytes(data)
    for words in (["list"], ["describe", "g"], ["delete", "g"]):
        message = shop.fails("groups", *words)
        assert "pylog doctor" in message
        assert "__consumer_offsets-0" in message


# ---- words ----


@pytest.mark.parametrize(
    ("word", "milliseconds"),
    [
        ("P7D", 7 * 86_400_000), ("PT1H30M", 5_400_000), ("p1dt1s", 86_401_000),
        ("PT0.5S", 500), ("-PT1M", -60_000), ("PT-1M", -60_000),
    ],
)  # fmt: skip
def test_durations_are_javas(word: str, milliseconds: int):
    assert parse_duration(word) == milliseconds


@pytest.mark.parametrize("word", ["", "P", "PT", "P1DT", "1D", "P1H", "PT1D", "P1Y", "PT1.5H"])
def test_what_is_no_duration_is_refused(word: str):
    with pytest.raises(Exception, match="is not a duration"):
        parse_duration(word)


def test_a_time_without_zone_is_utc():
    assert parse_datetime("2026-01-02T03:04:05.678") == 1767323045678
    assert parse_datetime("2026-01-02T04:04:05.678+01:00") == 1767323045678
    assert parse_datetime("2026-01-02T03:04:05.678Z") == 1767323045678


def test_an_assignment_is_one_word():
    assert assignment_text([]) == ""
    assert assignment_text([("u", 3), ("t", 10), ("t", 2)]) == "t:2,10;u:3"
