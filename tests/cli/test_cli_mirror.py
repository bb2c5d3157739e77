"""`pylog mirror` between folders: kills at any moment, following, what it says."""

from pathlib import Path

import pytest
from cli_program import Cli, failure_line, interrupt, run_many, seeded_random, wait_for

import pylog

RECORDS = 60_000
PARTITIONS = 2


@pytest.fixture
def target(cli: Cli) -> Path:
    return cli.cwd / "target"


def mirror_words(cli: Cli, target: Path, *more: str) -> list[str]:
    return ["mirror", "--from", str(cli.folder), "--to", str(target), "--topics", "t", *more]


def fill_with_gaps(folder: Path) -> None:
    """Write transactions, of which each third is aborted: the offsets of the rest have gaps."""
    config = {"log.dir": str(folder), "transactional.id": "x", "acks": "all"}
    with pylog.AdminClient({"log.dir": str(folder)}) as admin:
        topic = pylog.admin.NewTopic("t", PARTITIONS, config={"retention.ms": "-1"})
        admin.create_topics([topic])["t"].result()
    with pylog.Producer(config) as producer:
        producer.init_transactions()
        for first in range(0, RECORDS, 2000):
            producer.begin_transaction()
            for number in range(first, first + 2000):
                producer.produce("t", b"value-%d" % number, key=b"%d" % number)
            producer.abort_transaction() if first % 3 == 0 else producer.commit_transaction()


def values(folder: Path) -> list[list[bytes]]:
    config = {"log.dir": str(folder), "group.id": "g", "enable.partition.eof": True}
    found: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    with pylog.Consumer(config) as consumer:
        for partition in range(PARTITIONS):
            consumer.assign([pylog.TopicPartition("t", partition, pylog.OFFSET_BEGINNING)])
            while (message := consumer.poll(10)) is not None and message.error() is None:
                found[partition].append(message.value())
    return found


def test_a_killed_mirror_goes_on_without_loss_and_without_duplicates(cli: Cli, target: Path):
    random_source = seeded_random()
    fill_with_gaps(cli.folder)
    expected = values(cli.folder)
    logs = [target / f"t-{number}" / f"{0:020d}.log" for number in range(PARTITIONS)]

    def size_bytes() -> int:
        return sum(log.stat().st_size for log in logs if log.exists())

    killed = 0
    for _ in range(4):
        running = cli.start(*mirror_words(cli, target, "-q"))
        wanted_bytes = size_bytes() + random_source.randrange(1, 250_000)
        wait_for(
            lambda: size_bytes() >= wanted_bytes or running.poll() is not None,  # noqa: B023
            "so much was copied",
        )
        if running.poll() is None:
            running.kill()
            killed += 1
        running.communicate()
    assert killed >= 2
    outcome = cli.bare(*mirror_words(cli, target, "--json"))
    assert outcome.exit_code == 0, outcome
    assert values(target) == expected
    assert cli.bare(*mirror_words(cli, target, "--json")).json["records"] == 0
    assert values(target) == expected
    assert cli.bare("--dir", target, "doctor", "--deep").exit_code == 0


def test_follow_copies_what_comes_until_ctrl_c(cli: Cli, target: Path):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", stdin="a\nb\n")
    running = cli.start(*mirror_words(cli, target, "--follow"))

    def copied(count: int) -> bool:
        if not (target / "t-0").exists():
            return False
        with pylog.open(target) as log:
            return log.topic("t").end_offset() == count

    wait_for(lambda: copied(2), "the first two are copied")
    cli.ok("produce", "t", stdin="c\n")
    wait_for(lambda: copied(3), "the third is copied")
    assert interrupt(running).exit_code == 130
    assert cli.bare("--dir", target, "consume", "t", "-e", "-q").lines == ["a", "b", "c"]


def test_it_says_what_it_did(numbers: Cli, target: Path):
    words = ["mirror", "--from", numbers.folder, "--to", target, "--topics", "^num"]
    outcome = numbers.bare(*words, "--groups", "g")
    assert (outcome.exit_code, outcome.out, outcome.notes) == (
        (0, "", ["10 records of 1 topics, 0 group offsets"])
    )
    assert numbers.bare(*words, "--json").json == {"topics": 1, "records": 0, "group_offsets": 0}
    assert numbers.bare(*words, "-q").notes == []


def test_a_mistake_is_one_line(numbers: Cli, target: Path):
    given = {"--from": str(numbers.folder), "--to": str(target), "--topics": "numbers"}
    mistakes = [
        ({"--from": "nowhere"}, 1, "nowhere: no such folder"),
        ({"--topics": "x"}, 1, "no topic x"),
        ({"--topics": ","}, 2, "name at least one"),
        ({"--topics": "^("}, 2, "is not a pattern"),
        ({"--to": ""}, 2, "--to is empty"),
        ({"-z": "rar"}, 2, "'rar' is none of none, gzip"),
        ({"--to": str(numbers.folder)}, 1, "one and the same place"),
    ]
    commands = [
        ["mirror", *(word for pair in {**given, **changes}.items() for word in pair)]
        for changes, *_ in mistakes
    ]
    for outcome, (_, exit_code, words) in zip(run_many(commands), mistakes, strict=True):
        assert words in failure_line(outcome, exit_code)
