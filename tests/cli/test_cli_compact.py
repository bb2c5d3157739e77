"""`pylog compact` keeps the last record of each key, and says what it did."""

import pytest
from cli_program import Cli


@pytest.fixture
def table(cli: Cli) -> Cli:
    """Topic `t`: keys 0 to 99, written thirty times; the end is not sealed."""
    cli.ok("topics", "create", "t", "-c", "cleanup.policy=compact", "-c", "segment.bytes=1048576")
    turns = [
        "".join(f"k{key} {turn}-{key}-{'x' * 900}\n" for key in range(100)) for turn in range(30)
    ]
    cli.ok("produce", "t", "-K ", stdin="".join(turns))
    return cli


def values(cli: Cli) -> dict[str, str]:
    """The table that the topic is."""
    lines = cli.ok("consume", "t", "-e", "-o", "beginning", "-f", "%k %s\n").lines
    return dict(line.split(" ", 1) for line in lines)


def test_the_table_stays_and_the_log_shrinks(table: Cli) -> None:
    before = values(table)
    outcome = table.ok("compact", "t")
    assert "t-0" in outcome.out and "ok" in outcome.out
    assert values(table) == before
    (partition,) = table.ok("doctor", "--deep", "--json").json["partitions"]
    assert partition["problems"] == []
    assert partition["records"] < 3000 * 0.6
    table.ok("compact", "--roll")
    assert values(table) == before
    assert "nothing to clean" in table.ok("compact").out


def test_a_dry_run_changes_nothing(table: Cli) -> None:
    before = {path: path.read_bytes() for path in (table.folder / "t-0").glob("*.log")}
    assert "yes" in table.ok("compact", "t", "--dry-run").out
    (row,) = table.ok("compact", "--dry-run", "--json").json
    assert row["is_due"] and row["dirty_bytes"] > 1_000_000 and row["clean_bytes"] == 0
    assert before == {path: path.read_bytes() for path in (table.folder / "t-0").glob("*.log")}


def test_the_answer_as_json(table: Cli) -> None:
    (row,) = table.ok("compact", "--json").json
    assert row["name"] == "t-0"
    assert row["bytes_after"] < row["bytes_before"]
    assert row["records_after"] == row["key_count"] == 100
    (row,) = table.ok("compact", "--all", "--json").json
    assert row["records_before"] == row["records_after"] == 100
    assert table.ok("compact", "--json").json == [{"name": "t-0"}]


def test_topics_that_cannot_be_compacted_are_named(table: Cli) -> None:
    table.ok("topics", "create", "plain")
    assert "pylog topics alter plain -c cleanup.policy=compact" in table.fails("compact", "plain")
    assert "does not exist" in table.fails("compact", "nope")


def test_without_compacted_topics_it_says_so(cli: Cli) -> None:
    cli.ok("topics", "create", "plain")
    assert "No topic is compacted" in cli.ok("compact").out


def test_a_damaged_segment_stops_it_and_is_left_as_it_is(table: Cli) -> None:
    path = sorted((table.folder / "t-0").glob("*.log"))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    message = table.fails("compact", "t")
    assert "t-0" in message and "CRC" in message
    assert path.read_bytes() == data
    assert not list((table.folder / "t-0").glob("*.cleaned"))
