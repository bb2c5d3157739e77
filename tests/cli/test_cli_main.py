"""What holds for every command: help, exit codes, one-line errors, streams, the folder."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_program import PROGRAM, Cli, Outcome, environment, failure_line, run_many

COMMANDS = [
    ["demo"],
    ["produce"],
    ["consume"],
    ["dump"],
    ["doctor"],
    ["topics"],
    ["topics", "create"],
    ["topics", "list"],
    ["topics", "describe"],
    ["topics", "alter"],
    ["topics", "delete"],
    ["perf"],
    ["perf", "produce"],
    ["perf", "consume"],
    ["perf", "follow"],
]


def test_help_of_every_command_goes_to_stdout(cli: Cli):
    commands = [[], *COMMANDS]
    outcomes = run_many([*([*words, "--help"] for words in commands)])
    for words, outcome in zip(commands, outcomes, strict=True):
        assert outcome.exit_code == 0, words
        assert outcome.out.startswith(f"Usage: {' '.join(['pylog', *words])} ")
        assert outcome.err == ""
        assert "\\b" not in outcome.out


def test_without_a_word_it_prints_the_help(cli: Cli):
    assert cli.bare().out == cli.bare("--help").out


def test_version_is_one_line(cli: Cli):
    outcome = cli.bare("--version")
    assert outcome.exit_code == 0
    assert len(outcome.lines) == 1
    assert outcome.out.startswith("pylog ")


def test_help_imports_nothing_slow():
    program = (
        "import sys; from pylog.cli.main import main; main(['--help']); "
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    slow = {"numpy", "rich", "cramjam", "pandas", "xxhash", "pydantic", "multiprocessing"}
    assert slow.isdisjoint(done.stderr.split())


USAGE_ERRORS = [
    (["nope"], "No such command"),
    (["--nope"], "No such option"),
    (["consume"], "name a topic"),
    (["consume", "a", "b"], "unexpected extra argument"),
    (["consume", "a", "-o"], "requires an argument"),
    (["consume", "a", "-o", "yesterday"], "is not one of: beginning, end"),
    (["consume", "a", "-o", "stored"], "consumer groups"),
    (["consume", "a", "-o", "99999999999999999999"], "is more than"),
    (["consume", "a", "-c", "0"], "-c"),
    (["consume", "a", "-f", "%z"], "%z is not a field"),
    (["consume", "a", "-f", "100%"], "lone %"),
    (["consume", "a", "-f", "%s", "-J"], "exclude each other"),
    (["consume", "a", "-X", "fetch"], "NAME=VALUE"),
    (["produce", "a", "-D", ""], "must not be empty"),
    (["produce", "a", "-H", "=v"], "no name"),
    (["produce", "a", "-l"], "at least one file"),
    (["produce", "a", "-p", "-2"], "-p"),
    (["topics"], "Missing command"),
    (["topics", "create"], "Missing argument"),
    (["topics", "create", "a", "--partitions", "0"], "--partitions"),
    (["topics", "create", "a", "-c", "retention.ms"], "NAME=VALUE"),
    (["topics", "alter", "a"], "nothing to change"),
    (["dump"], "name a file"),
    (["perf", "produce", "--record-size", "5", "--payload-monotonic"], "exclude each other"),
    (["perf", "consume", "--poll", "--columns"], "exclude each other"),
    (["perf", "follow", "--record-size", "7"], "--record-size"),
]


def test_a_wrong_command_line_is_one_line_and_exit_code_2():
    outcomes = run_many([words for words, _part in USAGE_ERRORS])
    for (words, part), outcome in zip(USAGE_ERRORS, outcomes, strict=True):
        line = failure_line(outcome, exit_code=2)
        assert part in line, words
        assert "--help" in line, words


READERS = [
    ["topics", "list"],
    ["topics", "describe"],
    ["topics", "delete", "a"],
    ["topics", "alter", "a", "--partitions", "2"],
    ["consume", "a"],
    ["produce", "a"],
    ["doctor"],
    ["perf", "consume"],
]
MAKERS = [["topics", "create", "a"], ["perf", "produce"], ["perf", "follow"]]


def run_on(cli: Cli, commands: list[list[str]]) -> Iterator[tuple[list[str], Outcome]]:
    """Run each command on the folder of `cli`, all in one process."""
    outcomes = run_many([["--dir", str(cli.folder), *words] for words in commands])
    return zip(commands, outcomes, strict=True)


def test_a_missing_folder_is_said_and_not_created(cli: Cli):
    for words, outcome in run_on(cli, READERS):
        assert "no such folder" in failure_line(outcome), words
    assert not cli.folder.exists()


def test_a_file_in_place_of_the_folder_is_said_and_left_alone(cli: Cli):
    cli.folder.write_text("mine")
    for words, outcome in run_on(cli, READERS + MAKERS):
        assert str(cli.folder) in failure_line(outcome), words
    assert cli.folder.read_text() == "mine"


def test_a_folder_of_somebody_else_is_refused_and_left_alone(cli: Cli):
    cli.folder.mkdir()
    (cli.folder / "thesis.txt").write_text("mine")
    for words, outcome in run_on(cli, READERS + MAKERS):
        assert str(cli.folder) in failure_line(outcome), words
    assert [path.name for path in cli.folder.iterdir()] == ["thesis.txt"]


def test_the_folder_may_stand_before_or_after_the_command_or_in_the_environment(cli: Cli):
    cli.ok("topics", "create", "a")
    assert cli.bare("topics", "list", "--dir", cli.folder).lines == ["a"]
    assert cli.bare("topics", "list", env={"PYLOG_DIR": str(cli.folder)}).lines == ["a"]
    nearest = cli.bare("--dir", "elsewhere", "topics", "list", "--dir", cli.folder)
    assert nearest.lines == ["a"]
    assert "elsewhere" in failure_line(
        cli.bare("--dir", "elsewhere", "topics", "list", env={"PYLOG_DIR": str(cli.folder)})
    )


def test_without_a_folder_it_is_pylog_data_here(cli: Cli):
    assert cli.bare("topics", "create", "a").exit_code == 0
    assert (cli.cwd / "pylog-data").is_dir()


def test_head_ends_a_command_quietly(numbers: Cli):
    done = subprocess.run(
        f"{' '.join(PROGRAM)} --dir {numbers.folder} consume numbers -e -q "
        "| { head -c 3; }; echo ${PIPESTATUS[0]}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout == "v0\n0\n"
    assert done.stderr == ""


def test_head_1_of_a_large_topic_stops_the_reader(cli: Cli):
    cli.ok("topics", "create", "large")
    cli.ok("produce", "large", stdin=b"x" * 99 + b"\n" + b"y" * 99_999 + b"\n" * 100_000)
    done = subprocess.run(
        f"{' '.join(PROGRAM)} --dir {cli.folder} consume large | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        timeout=60,
    )
    assert done.stdout == "x" * 99 + "\n"
    assert done.stderr == ""


def test_a_full_disk_behind_stdout_is_an_error(numbers: Cli):
    with open("/dev/full", "wb") as full:
        outcome = numbers("consume", "numbers", "-e", "-q", stdout=full)
    assert "No space left on device" in failure_line(outcome)


def test_a_closed_stdout_is_no_traceback(numbers: Cli):
    done = subprocess.run(
        f"{' '.join(PROGRAM)} --dir {numbers.folder} topics list >&-",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert "Traceback" not in done.stderr


def test_what_the_terminal_cannot_show_comes_out_escaped(cli: Cli):
    cli.ok("topics", "create", "a")
    cli.ok("produce", "a", stdin="h\u00e9\n")
    outcome = cli("topics", "describe", "\u00e9", env={"PYTHONIOENCODING": "ascii"})
    assert "\\xe9" in failure_line(outcome)


def test_debug_shows_the_traceback_before_the_line(cli: Cli):
    done = subprocess.run(
        [*PROGRAM, "--dir", str(cli.folder), "topics", "list"],
        env=environment({"PYLOG_DEBUG": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("pylog: ")


def test_no_colours_without_a_terminal(numbers: Cli):
    for words in (["doctor"], ["topics", "describe"], ["--help"]):
        assert "\x1b" not in numbers.ok(*words).out


def test_on_a_terminal_everything_works_too(numbers: Cli):
    """`script` gives the program a terminal for all three streams."""
    for words in ("doctor", "topics describe numbers", "consume numbers -e", "--help"):
        done = subprocess.run(
            ["script", "-qec", f"{' '.join(PROGRAM)} --dir {numbers.folder} {words}", "/dev/null"],
            capture_output=True,
            text=True,
            env=environment({"TERM": "xterm"}),
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout
        assert "Traceback" not in done.stdout


def test_json_of_every_command_is_json(numbers: Cli, tmp_path: Path):
    for words in (
        ["topics", "list", "--json"],
        ["topics", "describe", "--json"],
        ["doctor", "--json"],
        ["perf", "produce", "--num-records", "10", "--json"],
        ["perf", "consume", "--json"],
    ):
        json.loads(numbers.ok(*words).out)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can bind-mount read-only")
def test_a_folder_that_cannot_be_written_can_be_read(numbers: Cli):
    """In a mount namespace of its own, the folder is read-only even for root."""
    script = f"""
        mount --bind {numbers.folder} {numbers.folder}
        mount -o remount,bind,ro {numbers.folder}
        run() {{ {" ".join(PROGRAM)} --dir {numbers.folder} "$@"; echo "exit $?"; }}
        run topics list
        run consume numbers -e -q -c 2
        run doctor
        echo x | run produce numbers
        run topics create other
        run topics delete numbers
    """
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert "Traceback" not in done.stderr, done.stderr
    out = done.stdout.splitlines()
    assert out[:5] == ["numbers", "exit 0", "v0", "v1", "exit 0"], done
    assert [line for line in out if line.startswith("exit")] == ["exit 0"] * 3 + ["exit 1"] * 3
    assert len(done.stderr.splitlines()) == 3, done.stderr
