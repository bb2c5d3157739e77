"""Ctrl-C at any moment: exit code 130, no traceback, nothing acknowledged is lost."""

import re
import signal
import subprocess
import time

import pytest
from cli_program import PROGRAM, TIMEOUT_S, Cli, environment, interrupt, seeded_random, wait_for


def end_offset(cli: Cli, topic: str) -> int:
    (described,) = cli.ok("topics", "describe", topic, "--json").json
    return sum(partition["log_end_offset"] for partition in described["partitions"])


def test_produce_keeps_what_it_acknowledged(cli: Cli):
    cli.ok("topics", "create", "t")
    writer = cli.start("produce", "t", "-v")
    assert writer.stdin is not None
    assert writer.stderr is not None
    sent = [b"line %d" % number for number in range(100)]
    writer.stdin.write(b"\n".join(sent) + b"\n")
    writer.stdin.flush()
    delivered = [writer.stderr.readline() for _ in sent]
    assert all(b"Message delivered" in line for line in delivered)
    outcome = interrupt(writer)
    assert outcome.exit_code == 130
    assert outcome.err == "% 100 messages sent to t\n"
    assert cli.consumed("t") == [line.decode() for line in sent]
    cli.ok("doctor")


def test_consume_ends_after_a_whole_message(numbers: Cli):
    reader = numbers.start("consume", "numbers")
    assert reader.stderr is not None
    reader.stderr.readline()  # it has reached the end
    outcome = interrupt(reader)
    assert outcome.exit_code == 130
    assert outcome.lines == [f"v{n}" for n in range(10)]


def test_perf_produce_says_what_was_stored_so_far(cli: Cli):
    cli.ok("topics", "create", "t")
    log = cli.folder / "t-0" / "00000000000000000000.log"
    writer = cli.start(
        *("perf", "produce", "--topic", "t", "--num-records", "1000000000"),
        *("--producer-props", "acks=1"),
    )
    wait_for(lambda: log.stat().st_size > 1_000_000, "a megabyte was written")
    outcome = interrupt(writer)
    assert outcome.exit_code == 130
    match = re.match(r"(\d+) records sent, ", outcome.lines[0])
    assert match
    # Those of the chunk that was under way may be stored too, but none that was counted is missing.
    assert int(match[1]) <= end_offset(cli, "t") <= int(match[1]) + 1000
    cli.ok("doctor", "--deep")


def test_perf_consume_and_follow_end_at_once(cli: Cli):
    cli.ok("perf", "produce", "--num-records", "1000")
    reader = cli.start("perf", "consume", "--from-latest", "--timeout", "600000")
    follower = cli.start("perf", "follow", "--num-records", "100000000")
    wait_for(lambda: end_offset(cli, "perf") > 1000, "the follower's producer wrote")
    for process in (follower, reader):
        started_s = time.monotonic()
        assert interrupt(process).exit_code == 130
        assert time.monotonic() - started_s < 30
    cli.ok("doctor")


@pytest.mark.parametrize(
    "words",
    [
        ["topics", "create", "new", "--if-not-exists"],
        ["produce", "numbers"],
        ["consume", "numbers"],
        ["doctor"],
        ["perf", "produce", "--num-records", "100000000"],
        ["perf", "consume", "--topic", "numbers", "--from-latest"],
    ],
    ids=" ".join,
)
def test_at_any_moment_there_is_no_traceback_of_ours(numbers: Cli, words: list[str]):
    """Interrupted after a random while, from the interpreter's start to the work itself."""
    chance = seeded_random()
    for _ in range(6):
        process = subprocess.Popen(
            [*PROGRAM, "--dir", str(numbers.folder), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.0, 0.02))
        delay_s = chance.uniform(0.0, 0.6)
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=TIMEOUT_S)
        if b"Traceback" in err:
            # Before main() nobody can catch it: Python itself was still importing.
            is_in_main = b"cli/main.py" in err and b", in main\n" in err
            assert not is_in_main, (delay_s, err.decode())
        else:
            assert process.returncode in (0, 130, -signal.SIGINT), (delay_s, err)
    numbers.ok("doctor", "--deep")
    assert numbers.consumed("numbers", "-c", "10") == [f"v{n}" for n in range(10)]
