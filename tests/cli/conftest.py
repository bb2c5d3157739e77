from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_program import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """The program on a folder that does not exist yet."""
    program = Cli(tmp_path / "log", tmp_path)
    yield program
    program.end_all()


@pytest.fixture
def numbers(cli: Cli) -> Cli:
    """The program on a folder with topic `numbers`: 0 to 9 in one partition, key and value."""
    cli.ok("topics", "create", "numbers")
    cli.ok("produce", "numbers", "-K:", stdin="".join(f"k{n}:v{n}\n" for n in range(10)))
    return cli
