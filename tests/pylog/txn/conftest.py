"""Fixtures of the transaction tests; the modules beside this file are importable from them."""

import sys
from pathlib import Path

import pytest

from pylog.log_dir import LogDir

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "data")


@pytest.fixture
def log_dir(folder):
    """A folder with the topic `t` of three partitions."""
    with LogDir.open(folder) as log_dir:
        log_dir.create_topic("t", 3)
        yield log_dir
