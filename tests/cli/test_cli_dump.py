"""`pylog dump` prints what DumpLogSegments prints, of Kafka's files and of ours."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cli_program import Cli, failure_line

GOLDEN = Path(__file__).parents[1] / "golden"
PARTITIONS = sorted(path for path in GOLDEN.glob("*/*-0") if path.is_dir())
FIRST = "00000000000000000000"


def fields(line: str) -> dict[str, str]:
    """`name: value` words of a line; a value has no blank."""
    return dict(re.findall(r"(\w+): (\S+)", line))


def expected(partition: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((partition.parent / "expected.json").read_text())
    return loaded


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda path: path.name)
def test_batches_of_a_real_kafka_have_the_fields_that_kafka_reads(cli: Cli, partition: Path):
    wanted = expected(partition)["batches"]
    seen = []
    for log in sorted(partition.glob("*.log")):
        outcome = cli.ok("dump", log)
        assert outcome.lines[0] == f"Dumping {log}"
        assert outcome.lines[1] == f"Log starting offset: {int(log.stem)}"
        seen += [(log.name, fields(line)) for line in outcome.lines[2:]]
    assert len(seen) == len(wanted)
    for (name, batch), want in zip(seen, wanted, strict=True):
        assert name == want["file"]
        assert int(batch["baseOffset"]) == want["base_offset"]
        assert int(batch["lastOffset"]) == want["last_offset"]
        assert int(batch["position"]) == want["position"]
        assert batch["isvalid"] == "true"


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda path: path.name)
def test_records_of_a_real_kafka_are_all_there(cli: Cli, partition: Path):
    dumped = []
    for log in sorted(partition.glob("*.log")):
        for line in cli.ok("dump", log, "--print-data-log", "--json").lines:
            batch = json.loads(line)
            assert batch["is_valid"]
            if not batch["is_control"]:
                dumped += batch["records"]
    wanted = expected(partition)["records"]
    assert [record["offset"] for record in dumped] == [record["offset"] for record in wanted]
    for record, want in zip(dumped, wanted, strict=True):
        key = want["key"]
        assert record["key_size"] == (-1 if key is None else len(bytes.fromhex(key)))
        assert len(record["headers"]) == len(want["headers"])


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda path: path.name)
def test_index_entries_of_a_real_kafka_are_those_that_kafka_reads(cli: Cli, partition: Path):
    wanted = expected(partition)["index_entries"]
    for index in sorted([*partition.glob("*.index"), *partition.glob("*.timeindex")]):
        outcome = cli.ok("dump", index)
        lines = [line for line in outcome.lines[1:] if not line.endswith("is empty.")]
        entries = [[int(number) for number in re.findall(r": (-?\d+)", line)] for line in lines]
        assert entries == wanted.get(index.name, []), index


def test_a_records_line_is_kafkas(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", "-K:", "-H", "h=1", "-H", "i", stdin="key:value\n")
    cli.ok("produce", "t", "-Z", stdin="\n")
    log = cli.folder / "t-0" / f"{FIRST}.log"
    lines = cli.ok("dump", log, "--print-data-log").lines
    assert re.fullmatch(
        r"baseOffset: 0 lastOffset: 0 count: 1 baseSequence: -1 lastSequence: -1 producerId: -1 "
        r"producerEpoch: -1 partitionLeaderEpoch: \d+ isTransactional: false isControl: false "
        r"deleteHorizonMs: OptionalLong.empty position: 0 CreateTime: \d+ size: \d+ magic: 2 "
        r"compresscodec: none crc: \d+ isvalid: true",
        lines[2],
    )
    assert re.fullmatch(
        r"\| offset: 0 CreateTime: \d+ keySize: 3 valueSize: 5 sequence: -1 headerKeys: \[h,i\] "
        r"key: key payload: value",
        lines[3],
    )
    assert re.fullmatch(
        r"\| offset: 1 CreateTime: \d+ keySize: -1 valueSize: -1 sequence: -1 headerKeys: \[\]",
        lines[5],
    )
    assert cli.ok("dump", log, "--skip-record-metadata").lines[3] == "| key: key payload: value"
    assert len(cli.ok("dump", log, "--deep-iteration").lines) == 6
    assert len(cli.ok("dump", log).lines) == 4


def test_a_value_with_control_characters_stays_on_its_line(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", "-D", ";", stdin="a\n\x1b[31mb")
    log = cli.folder / "t-0" / f"{FIRST}.log"
    lines = cli.ok("dump", log, "--print-data-log").lines
    assert len(lines) == 4
    assert lines[3].endswith(r"payload: a\n\x1b[31mb")


def test_several_files_and_kafkas_files_option(numbers: Cli):
    partition = numbers.folder / "numbers-0"
    log, index = partition / f"{FIRST}.log", partition / f"{FIRST}.index"
    both = numbers.ok("dump", log, index).out
    assert both.count("Dumping ") == 2
    assert numbers.ok("dump", "--files", f"{log},{index}").out == both


def test_a_flipped_bit_is_seen_and_the_rest_printed(cli: Cli):
    cli.ok("topics", "create", "t")
    for value in ("first", "second", "third"):
        cli.ok("produce", "t", stdin=value)
    log = cli.folder / "t-0" / f"{FIRST}.log"
    data = bytearray(log.read_bytes())
    place = data.index(b"second")
    data[place] ^= 1
    copy = cli.cwd / f"{FIRST}.log"
    copy.write_bytes(data)
    outcome = cli("dump", copy, "--print-data-log")
    assert "CRC-32C does not match" in failure_line(outcome)
    assert [fields(line)["isvalid"] for line in outcome.lines if "isvalid" in line] == [
        "true",
        "false",
        "true",
    ]
    assert "payload: third" in outcome.out


def test_garbage_is_a_clear_error(cli: Cli):
    for name, content in (
        (f"{FIRST}.log", b"This is no log at all. " * 100),
        (f"{FIRST}.log", b"\xff" * 1000),
        (f"{FIRST}.log", b"\x7f"),
        (".state", b"\xff" * 16384),
        (".state", b"short"),
        (".recovery", b"\xff" * 1024),
        ("leader-epoch-checkpoint", b"\xff\xfe"),
        ("leader-epoch-checkpoint", b"0\n5\n1 2\n"),
        ("partition.metadata", b"\xff\xfe"),
        (f"{FIRST}.sum", b"\xff"),
    ):
        path = cli.cwd / name
        path.write_bytes(content)
        for option in ((), ("--json",)):
            assert name in failure_line(cli("dump", path, *option)), (name, content)
        path.unlink()


def test_a_truncated_log_names_what_is_left_over(numbers: Cli):
    log = numbers.folder / "numbers-0" / f"{FIRST}.log"
    copy = numbers.cwd / log.name
    copy.write_bytes(log.read_bytes()[:-3])
    outcome = numbers("dump", copy)
    assert "are left" in failure_line(outcome)
    assert re.search(rf"Found \d+ invalid bytes at the end of {log.name}", outcome.out)


def test_reserved_zeros_are_no_damage(numbers: Cli):
    log = numbers.folder / "numbers-0" / f"{FIRST}.log"
    copy = numbers.cwd / log.name
    copy.write_bytes(log.read_bytes() + bytes(5000))
    assert f"Found 5000 invalid bytes at the end of {log.name}" in numbers.ok("dump", copy).out


def test_an_index_that_lies_is_caught(cli: Cli):
    partition = GOLDEN / "rolled-by-time" / "rolled-by-time-0"
    for name in (f"{FIRST}.log", f"{FIRST}.index", f"{FIRST}.timeindex"):
        (cli.cwd / name).write_bytes((partition / name).read_bytes())
    index, time_index = cli.cwd / f"{FIRST}.index", cli.cwd / f"{FIRST}.timeindex"
    assert cli.ok("dump", index, "--verify-index-only").lines == [f"Dumping {index}"]
    assert "passed sanity check" in cli.ok("dump", time_index, "--index-sanity-check").out
    data = bytearray(index.read_bytes())
    data[7] ^= 1
    index.write_bytes(data)
    assert "no batch begins" in cli.fails("dump", index)
    data = bytearray(time_index.read_bytes())
    time_index.write_bytes(data[:-1])
    assert "not whole entries" in cli.fails("dump", time_index)
    data[7] ^= 1
    time_index.write_bytes(data)
    assert "index timestamp" in cli.fails("dump", time_index)
    data[19] ^= 64
    time_index.write_bytes(data)
    outcome = cli("dump", time_index)
    assert failure_line(outcome).endswith("problems, see above")
    assert sum("index timestamp" in note for note in outcome.notes) == 2


def test_the_state_page_says_what_the_log_says(numbers: Cli):
    state = numbers.folder / "numbers-0" / ".state"
    lines = dict(
        line.split(": ", 1) for line in numbers.ok("dump", state).lines[1:] if ": " in line
    )
    assert lines["phase"] == "ready"
    assert lines["lock"] == "free"
    assert lines["commit_is_valid"] == "true"
    assert lines["commit.log_end_offset"] == "10"
    size = (numbers.folder / "numbers-0" / f"{FIRST}.log").stat().st_size
    assert lines["commit.end_position"] == str(size)
    as_json = numbers.ok("dump", state, "--json").json
    assert as_json["commit"]["log_end_offset"] == 10
    assert as_json["durable_offset"] == 10


def test_the_other_files_of_a_partition(numbers: Cli):
    partition = numbers.folder / "numbers-0"
    for path in sorted(partition.iterdir()):
        if path.is_file():
            outcome = numbers.ok("dump", path)
            assert outcome.lines[0] == f"Dumping {path}"
    assert "topic_id: " in numbers.ok("dump", partition / "partition.metadata").out
    numbers.ok("dump", numbers.folder / "pylog.meta")


def test_what_cannot_be_dumped_is_said(cli: Cli):
    (cli.cwd / "holiday.jpg").write_bytes(b"")
    (cli.cwd / "x.log").write_bytes(b"")
    assert "not a kind of file" in cli.fails("dump", "holiday.jpg")
    assert "begins with its first offset" in cli.fails("dump", "x.log")
    assert "No such file" in cli.fails("dump", f"{FIRST}.log")
    assert "is a folder" in cli.fails("dump", ".")


def test_max_bytes_stops_early(cli: Cli):
    log = GOLDEN / "none" / "none-0" / f"{FIRST}.log"
    lines = cli.ok("dump", log, "--max-bytes", "1").lines
    assert lines[1:] == ["Log starting offset: 0"]


def test_producers_and_aborted_transactions_of_a_real_kafka_are_printed_as_it_prints_them(cli: Cli):
    folder = GOLDEN / "transactions" / "transactions-0"
    snapshot, index = folder / f"{2:020}.snapshot", folder / f"{2:020}.txnindex"
    assert cli.ok("dump", snapshot, folder / f"{15:020}.snapshot", index).lines == [
        f"Dumping {snapshot}",
        "producerId: 5 producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: "
        "OptionalLong[0] lastTimestamp: 1700000000001 firstSequence: 0 lastSequence: 1 "
        "lastOffset: 1 offsetDelta: 1 timestamp: 1700000000001",
        f"Dumping {folder / f'{15:020}.snapshot'}",
        "producerId: 5 producerEpoch: 5 coordinatorEpoch: 0 currentTxnFirstOffset: "
        "OptionalLong.empty lastTimestamp: 1795370422422",
        f"Dumping {index}",
        "version: 0 producerId: 5 firstOffset: 3 lastOffset: 5 lastStableOffset: 6",
        "version: 0 producerId: 5 firstOffset: 9 lastOffset: 11 lastStableOffset: 12",
        "version: 0 producerId: 5 firstOffset: 12 lastOffset: 14 lastStableOffset: 15",
    ]
    entries = [json.loads(line) for line in cli.ok("dump", "--json", index).lines]
    assert [entry["last_stable_offset"] for entry in entries] == [6, 12, 15]


@pytest.mark.parametrize("suffix", [".snapshot", ".txnindex"])
def test_a_damaged_file_about_producers_is_said(cli: Cli, tmp_path: Path, suffix: str):
    path = tmp_path / f"{2:020}{suffix}"
    data = (GOLDEN / "transactions" / "transactions-0" / path.name).read_bytes()
    for damaged in (data[:-1], b"\xff" * len(data)):
        path.write_bytes(damaged)
        assert str(path) in failure_line(cli("dump", path))
