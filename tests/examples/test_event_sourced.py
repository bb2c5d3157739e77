"""examples/event_sourced.py: the rule of the account holds whoever writes at the same time."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import pylog

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CHANGES = 150

RACER = """
import sys
sys.path.insert(0, sys.argv[1])
import pylog
from event_sourced import Account, NotEnoughMoneyError

with pylog.open(sys.argv[2], acks=1) as log:
    account = Account(log.topic("accounts"), "shared")
    print("ready", flush=True)
    sys.stdin.readline()
    refused = 0
    for _ in range(int(sys.argv[3])):
        account.deposit(3)
        try:
            account.withdraw(5)
        except NotEnoughMoneyError:
            refused += 1
    print(refused, account.conflicts, flush=True)
"""


@pytest.fixture
def event_sourced() -> ModuleType:
    spec = importlib.util.spec_from_file_location("event_sourced", EXAMPLES / "event_sourced.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[pylog.Topic]:
    with pylog.open(tmp_path / "log", acks=1) as log:
        yield log.topic("accounts")


def events_of(topic: pylog.Topic) -> list[dict[str, object]]:
    return [json.loads(message.value()) for message in topic.read()]


def test_the_example_refuses_to_overdraw(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "event_sourced.py", tmp_path / "log"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["refused: alice holds 70, not 100", "alice holds 70"]


def test_who_loses_the_race_decides_again(event_sourced: ModuleType, topic: pylog.Topic) -> None:
    mine = event_sourced.Account(topic, "shared")
    theirs = event_sourced.Account(topic, "shared")
    mine.deposit(10)

    class Interrupted(event_sourced.Account):  # type: ignore[misc, name-defined]
        def refresh(self) -> None:
            super().refresh()
            if self.conflicts == 0:
                theirs.withdraw(8)  # between the decision and the append

    slow = Interrupted(topic, "shared")
    with pytest.raises(event_sourced.NotEnoughMoneyError):
        slow.withdraw(5)
    assert slow.conflicts == 1
    assert [event["type"] for event in events_of(topic)] == ["deposited", "withdrawn"]


def test_another_account_in_the_partition_costs_a_try_and_nothing_else(
    event_sourced: ModuleType, topic: pylog.Topic
) -> None:
    other = event_sourced.Account(topic, "other")
    mine = event_sourced.Account(topic, "mine")
    mine.deposit(10)
    other.deposit(1)
    mine.withdraw(4)
    mine.refresh()
    other.refresh()
    assert (mine.balance, other.balance) == (6, 1)


def test_two_processes_that_race_never_overdraw(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    words = [sys.executable, "-c", RACER, str(EXAMPLES), str(folder), str(CHANGES)]
    racers = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline().strip() == "ready"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.communicate()[0].split() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    refused = sum(int(answer[0]) for answer in answers)

    with pylog.open(folder) as log:
        events = events_of(log.topic("accounts"))
    balance = 0
    for event in events:
        balance += {"deposited": 1, "withdrawn": -1}[str(event["type"])] * int(str(event["amount"]))
        assert balance >= 0, "a withdrawal was decided on an old state"
    counts = {
        kind: sum(event["type"] == kind for event in events) for kind in ("deposited", "withdrawn")
    }
    assert counts == {"deposited": 2 * CHANGES, "withdrawn": 2 * CHANGES - refused}
