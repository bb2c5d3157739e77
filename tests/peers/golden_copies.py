"""Copies of the golden partitions, to be opened and written to."""

import shutil
from pathlib import Path

GOLDEN_DIR = Path(__file__).resolve().parents[1] / "golden"


class GoldenCopies:
    """Copies tests/golden/<name>/<name>-0 into one folder, by name."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __call__(self, name: str) -> Path:
        source = GOLDEN_DIR / name / f"{name}-0"
        return Path(shutil.copytree(source, self._target / source.name))
