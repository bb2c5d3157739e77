"""Every benchmark runs at a tiny size and gives figures; no figure decides anything here."""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def root_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def run_module(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_suite_measures_every_row_and_draws_it(tmp_path: Path):
    from benchmarks.rows import ROWS

    out, svg = tmp_path / "results.json", tmp_path / "results.svg"
    text = run_module(
        "benchmarks.suite", "--records", "20000", "--rounds", "1", "--crash-bytes", "2000000",
        "--value-bytes", "100", "--dir", str(tmp_path), "--out", str(out), "--svg", str(svg),
    )  # fmt: skip
    assert "left out" not in text
    document = json.loads(out.read_text())
    results = {result["row"]: result for result in document["results"]}
    assert set(results) == {row.name for row in ROWS}
    for row in ROWS:
        figure = results[row.name]["figure"]
        assert figure["min"] <= figure["median"] <= figure["max"]
        assert ("met" in results[row.name]) == (row.goal is not None)
    ElementTree.fromstring(svg.read_text())


def test_the_stream_suite_measures_every_row_and_draws_it(tmp_path: Path):
    from benchmarks.stream_rows import STREAMS

    out, svg = tmp_path / "results.json", tmp_path / "results.svg"
    text = run_module(
        "benchmarks.suite", "--streams", "--records", "4000", "--rounds", "1",
        "--dir", str(tmp_path), "--out", str(out), "--svg", str(svg),
    )  # fmt: skip
    assert "left out" not in text
    results = {result["row"]: result for result in json.loads(out.read_text())["results"]}
    assert set(results) == {row.name for row in STREAMS.rows}
    ElementTree.fromstring(svg.read_text())


def test_results_name_neither_the_host_nor_a_path(tmp_path: Path):
    from benchmarks.machine import facts

    text = json.dumps(facts(tmp_path))
    assert os.uname().nodename not in text
    assert "/" not in json.loads(text)["file_system"]
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text


def test_a_quotient_is_taken_within_its_round():
    from benchmarks.rows import ROWS
    from benchmarks.suite import _result_of

    row = next(row for row in ROWS if row.name == "produce")
    samples = {
        "produce": [{"rate": 30.0, "records": 1}, {"rate": 3.0, "records": 1}],
        "raw-write": [{"rate": 10.0, "records": 1}, {"rate": 1.0, "records": 1}],
    }
    result = _result_of(row, 100, samples)
    assert result["ratio"] == {"median": 3.0, "min": 3.0, "max": 3.0}
    assert result["met"] is True


def test_a_goal_is_for_small_values_only_and_missing_it_fails_nothing():
    from benchmarks.rows import ROWS
    from benchmarks.suite import _result_of

    row = next(row for row in ROWS if row.name == "disk")
    figures = {"bytes_per_record": 500.0, "log_bytes_per_record": 490.0}
    assert _result_of(row, 100, {"disk": [figures]})["met"] is False
    assert "met" not in _result_of(row, 1024, {"disk": [figures]})


def test_an_unknown_row_is_refused_with_the_known_ones():
    from benchmarks.rows import LOGS

    with pytest.raises(ValueError, match=r"no row nonsense; there are raw-write, produce"):
        LOGS.choose("produce,nonsense")


def test_the_peers_run_and_absent_ones_are_named(tmp_path: Path):
    from benchmarks.stores import STORES

    out = tmp_path / "peers.json"
    text = run_module(
        "benchmarks.peers", "--records", "2000", "--rounds", "1", "--durable-seconds", "0.01",
        "--value-bytes", "100", "--dir", str(tmp_path), "--out", str(out),
    )  # fmt: skip
    measured = {row["store"] for row in json.loads(out.read_text())["peers"]}
    for store in STORES.values():
        if store.is_available():
            assert store.name in measured, text
        else:
            assert f"left out: {store.name}" in text


def test_single_calls_run_once_each():
    text = run_module(
        "pytest", "-q", "benchmarks/test_calls.py", "--benchmark-disable", "-p", "no:cacheprovider"
    )
    assert "failed" not in text
    assert "passed" in text


def test_instruction_counts_are_printed():
    if shutil.which("valgrind") is None:
        assert "valgrind is not installed" in run_module("benchmarks.instructions")
        return
    text = run_module("benchmarks.instructions", "--loops", "encode", "--records", "4000")
    count = next(line.split()[1] for line in text.splitlines() if line.startswith("encode"))
    assert float(count.replace(",", "")) > 0
