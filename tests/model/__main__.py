"""A run by hand: `python -m tests.model --operations 100000 --seed 7`."""

import argparse
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.model.run import fresh_folder, run
from tests.model.verdict import describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return 1 when something was found; its folder is then kept."""
    parser = argparse.ArgumentParser(prog="tests.model", description=__doc__)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="of a run that is to be repeated")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    options = parser.parse_args(arguments)
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    folder = fresh_folder()
    _say(f"PYLOG_MODEL_SEED={seed} PYLOG_MODEL_OPERATIONS={options.operations} in {folder}")
    try:
        report = run(folder, seed, options.operations)
    except BaseException:
        _say(_faults(folder))
        raise
    _say("\n".join(report.lines()))
    if report.anomalies:
        _say(describe(report.anomalies))
        return 1
    if not options.keep:
        shutil.rmtree(folder)
    return 0


def _faults(folder: Path) -> str:
    """What workers said when they failed."""
    return "\n".join(
        f"{path}:\n{path.read_text()}" for path in sorted((folder / "notes").glob("*.fault"))
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
