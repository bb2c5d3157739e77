"""examples/logging_handler.py, run as its readers run it."""

import json
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pylog

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LINES = 200

WRITER = """
import logging, sys
sys.path.insert(0, sys.argv[1])
from logging_handler import TopicHandler

logger = logging.getLogger(sys.argv[3])
logger.addHandler(TopicHandler(sys.argv[2]))
logger.setLevel(logging.INFO)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[4])):
    logger.info("line %d", number)
print("logged", flush=True)
sys.stdin.readline()
"""


def start_writer(folder: Path, name: str, lines: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WRITER, str(EXAMPLES), str(folder), name, str(lines)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(writer: subprocess.Popen[str], word: str) -> None:
    assert writer.stdin is not None
    writer.stdin.write(word + "\n")
    writer.stdin.flush()


def heard(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    return writer.stdout.readline().strip()


def lines_by_logger(folder: Path) -> dict[str, list[str]]:
    found = defaultdict(list)
    with pylog.open(folder) as log:
        for message in log.topic("logs").read():
            found[message.key().decode()].append(json.loads(message.value())["message"])
    return found


def test_the_example_prints_what_it_logged(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "logging_handler.py", tmp_path / "log"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "0 shop.checkout INFO order 17 was placed",
        "1 shop.checkout WARNING card of order 17 was declined",
        "2 shop.checkout ERROR order 18 failed",
    ]


def test_processes_that_log_at_once_lose_no_line_and_keep_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    names = ["first", "second", "third"]
    writers = [start_writer(folder, name, LINES) for name in names]
    assert [heard(writer) for writer in writers] == ["ready"] * 3
    for writer in writers:
        say(writer, "go")
    assert [heard(writer) for writer in writers] == ["logged"] * 3
    for writer in writers:
        writer.communicate("end\n")
        assert writer.returncode == 0
    expected = [f"line {number}" for number in range(LINES)]
    assert lines_by_logger(folder) == dict.fromkeys(names, expected)


def test_lines_survive_the_killing_of_the_process_that_logged_them(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    writer = start_writer(folder, "doomed", LINES)
    assert heard(writer) == "ready"
    say(writer, "go")
    assert heard(writer) == "logged"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert lines_by_logger(folder) == {"doomed": [f"line {number}" for number in range(LINES)]}
