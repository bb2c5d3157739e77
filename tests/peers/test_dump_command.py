"""`pylog dump` prints what Kafka's DumpLogSegments prints, line by line."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from golden_copies import GOLDEN_DIR, GoldenCopies

pytestmark = pytest.mark.peer

NAMES = sorted(path.name for path in GOLDEN_DIR.iterdir() if path.is_dir())
# Those whose data is text. Control characters are printed as \xNN, and by Kafka as they are.
TEXT_NAMES = {"rolled-by-time", "rolled-by-index", "transactions", "compacted"}


def run_ours(paths: list[Path], *options: str) -> str:
    command = [sys.executable, "-m", "pylog", "dump", *options, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_theirs(kafka: ModuleType, paths: list[Path], *options: str) -> str:
    files = ",".join(map(str, paths))
    tool = "org.apache.kafka.tools.DumpLogSegments"
    output: str = kafka.run_java(tool, "--files", files, *options)
    return output


@pytest.mark.parametrize("name", NAMES)
def test_logs_are_printed_as_kafka_prints_them(
    kafka: ModuleType, golden_copy: GoldenCopies, name: str
) -> None:
    paths = sorted(golden_copy(name).glob("*.log"))
    each_way: list[tuple[str, ...]] = [(), ("--deep-iteration",)]
    if name in TEXT_NAMES:
        each_way.append(("--deep-iteration", "--print-data-log"))
    for options in each_way:
        ours = run_ours(paths, *options)
        assert ours.splitlines() == run_theirs(kafka, paths, *options).splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_indexes_are_printed_as_kafka_prints_them(
    kafka: ModuleType, golden_copy: GoldenCopies, name: str
) -> None:
    path = golden_copy(name)
    suffixes = (".index", ".timeindex", ".txnindex", ".snapshot")
    paths = sorted(each for each in path.iterdir() if each.suffix in suffixes)
    for options in ((), ("--verify-index-only",), ("--index-sanity-check",)):
        ours = run_ours(paths, *options)
        assert ours.splitlines() == run_theirs(kafka, paths, *options).splitlines()
