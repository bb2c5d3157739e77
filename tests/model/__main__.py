"""The history checker by hand: `python -m tests.model --operations 100000 --seed 7`.

A run is a dozen processes on one folder: producers, transactional writers, readers, members of a
group, read-process-write copiers of another, and one who compacts what groups and transactions are
kept in. They are killed, stopped, and usurped while stopped. Each writes down what it begins and
what it was told (history.py); when all are dead the log is read once more, and all of it is checked
(verdict.py): for what Jepsen looks for in Kafka, and for each input having one output.

An operation is a record handed to produce(), a record that a poll returned, or one other call; each
kind is counted in the report. More than a million are several runs, each in a new folder, with the
seeds that follow.

Source: jepsen.tests.kafka for the names and meanings of anomalies.
"""

import argparse
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.model.run import fresh_folder, run
from tests.model.verdict import describe

MAX_OPERATIONS = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return 1 when something was found; its folder is then kept."""
    parser = argparse.ArgumentParser(
        prog="tests.model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="of a run that is to be repeated")
    parser.add_argument("--dir", type=Path, help="where the folders are made (in memory)")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    options = parser.parse_args(arguments)
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    left = options.operations
    while left > 0:
        folder = fresh_folder(options.dir)
        if not _run_one(folder, seed, min(left, MAX_OPERATIONS), options.keep):
            return 1
        left -= MAX_OPERATIONS
        seed += 1
    return 0


def _run_one(folder: Path, seed: int, operations: int, keeps: bool) -> bool:
    _say(f"PYLOG_MODEL_SEED={seed} PYLOG_MODEL_OPERATIONS={operations} in {folder}")
    report = run(folder, seed, operations)
    _say("\n".join(report.lines()))
    if report.anomalies:
        _say(describe(report.anomalies))
        return False
    if not keeps:
        shutil.rmtree(folder)
    return True


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
