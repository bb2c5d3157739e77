"""`pylog doctor` finds every kind of damage and never changes a byte."""

import shutil
from pathlib import Path

import pytest
from cli_program import Cli, failure_line, interrupt, seeded_random

GOLDEN = Path(__file__).parents[1] / "golden"
FIRST = "00000000000000000000"


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of every file."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def sealed(cli: Cli) -> Cli:
    """Topic `t` with several segments, indexed and closed."""
    cli.ok("topics", "create", "t", "-c", "segment.bytes=1048576", "-c", "index.interval.bytes=0")
    for number in range(4):
        text = "".join(f"{number} {line} {'x' * 1000}\n" for line in range(800))
        cli.ok("produce", "t", "-K ", "-X", "batch.size=20000", stdin=text)
    assert len(list((cli.folder / "t-0").glob("*.log"))) > 2
    return cli


def flip(path: Path, position: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def test_a_sound_log_is_ok_and_untouched(sealed: Cli):
    before = snapshot(sealed.folder)
    outcome = sealed.ok("doctor")
    assert "t-0" in outcome.out
    assert "ok" in outcome.out
    (partition,) = sealed.ok("doctor", "--deep", "--json").json["partitions"]
    assert partition["records"] == 3200
    assert partition["problems"] == []
    assert partition["segments"] == len(list((sealed.folder / "t-0").glob("*.log")))
    assert partition["index_entries"] > 0
    assert snapshot(sealed.folder) == before


def test_topics_can_be_chosen(sealed: Cli):
    sealed.ok("topics", "create", "other")
    names = [part["name"] for part in sealed.ok("doctor", "--json").json["partitions"]]
    assert names == ["other-0", "t-0"]
    names = [part["name"] for part in sealed.ok("doctor", "other", "--json").json["partitions"]]
    assert names == ["other-0"]
    assert "does not exist" in sealed.fails("doctor", "nope")


@pytest.mark.parametrize("which", [0, -1], ids=["sealed segment", "active segment"])
def test_any_flipped_bit_under_a_checksum_is_found(sealed: Cli, which: int):
    chance = seeded_random()
    log = sorted((sealed.folder / "t-0").glob("*.log"))[which]
    sound = log.read_bytes()
    for _ in range(5):
        position, bit = chance.randrange(len(sound)), chance.randrange(8)
        if position % 21 < 4 and position < 61:
            continue
        flip(log, position, bit)
        before = snapshot(sealed.folder)
        outcome = sealed("doctor")
        if outcome.exit_code == 0:
            # Only the leader epoch stands outside all checks of a segment without .sum.
            assert is_leader_epoch(sound, position), (position, bit)
        else:
            assert "t-0" in failure_line(outcome)
        assert snapshot(sealed.folder) == before
        log.write_bytes(sound)


def is_leader_epoch(data: bytes, position: int) -> bool:
    """Whether a byte of a .log belongs to the leader epoch of a batch."""
    start = 0
    while start < len(data):
        if start + 12 <= position < start + 16:
            return True
        start += 12 + int.from_bytes(data[start + 8 : start + 12], "big")
    return False


def test_a_flipped_bit_in_an_index_is_found(sealed: Cli):
    for suffix in ("index", "timeindex"):
        path = sealed.folder / "t-0" / f"{FIRST}.{suffix}"
        sound = path.read_bytes()
        flip(path, len(sound) // 2, 3)
        assert "t-0" in sealed.fails("doctor")
        path.write_bytes(sound)
    sealed.ok("doctor")


def test_a_truncated_sealed_segment_is_found(sealed: Cli):
    log = sorted((sealed.folder / "t-0").glob("*.log"))[0]
    log.write_bytes(log.read_bytes()[:-10])
    assert "problem" in sealed.fails("doctor")


def test_a_missing_segment_is_found(sealed: Cli):
    logs = sorted((sealed.folder / "t-0").glob("*.log"))
    logs[1].unlink()
    outcome = sealed("doctor")
    assert outcome.exit_code == 1
    assert "the segment before ends at" in outcome.out


def test_a_sum_that_does_not_fit_is_found(sealed: Cli):
    from logcore import seal

    partition = sealed.folder / "t-0"
    seal.write(str(partition), 0)
    assert sealed.ok("doctor", "--json").json["partitions"][0]["sums"] >= 1
    # A bit of the leader epoch: no CRC covers it, the .sum does.
    flip(partition / f"{FIRST}.log", 15)
    outcome = sealed("doctor")
    assert outcome.exit_code == 1
    assert "not the file that was sealed" in outcome.out


def test_other_partitions_are_checked_after_a_bad_one(sealed: Cli):
    sealed.ok("topics", "create", "u")
    sealed.ok("produce", "u", stdin="fine\n")
    flip(sealed.folder / "t-0" / f"{FIRST}.log", 100)
    outcome = sealed("doctor", "--json")
    assert outcome.exit_code == 1
    verdicts = {part["name"]: not part["problems"] for part in outcome.json["partitions"]}
    assert verdicts == {"t-0": False, "u-0": True}
    assert outcome.json["ok"] is False


def test_a_ruined_partition_is_told_in_few_lines(sealed: Cli):
    log = sealed.folder / "t-0" / f"{FIRST}.log"
    log.write_bytes(b"\xff" * log.stat().st_size)
    outcome = sealed("doctor")
    assert outcome.exit_code == 1
    assert len(outcome.lines) < 60


def test_a_log_that_grows_meanwhile_is_ok(cli: Cli):
    cli.ok("topics", "create", "t")
    writer = cli.start(
        *("perf", "produce", "--topic", "t", "--num-records", "100000000"),
        *("--throughput", "20000", "--producer-props", "linger.ms=1"),
    )
    for _ in range(4):
        cli.ok("doctor")
    assert writer.poll() is None
    assert interrupt(writer).exit_code == 130
    cli.ok("doctor", "--deep")


def test_the_partitions_of_a_real_kafka_are_ok(cli: Cli):
    cli.ok("topics", "create", "anything")
    for name in ("none", "gzip", "snappy", "lz4", "zstd", "rolled-by-time", "log-append-time"):
        shutil.copytree(GOLDEN / name / f"{name}-0", cli.folder / f"{name}-0")
    cli.ok("doctor", "--deep")
