"""The test suites that clients carry, run against a server: kgo's of franz-go, and librdkafka's.

Their own flags choose the tests that need a broker; what each makes of it comes back as a state:
`passed`, `failed` or `skipped`. Every test prints to LOG_DIR, one file a suite.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import clients
import kafka

TIMEOUT_S = 1800
PATIENCE = "test.timeout.multiplier=3"  # of librdkafka's tests: some start Java four times
LOG_DIR = clients.CLIENTS_DIR / "logs"

# Scripts of a Kafka distribution that librdkafka's tests call, and the classes behind them.
KAFKA_SCRIPTS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-run-class.sh": "",
}
_KGO_RESULT = re.compile(r"^--- (PASS|FAIL|SKIP): (\w+)", re.MULTILINE)
_RDKAFKA_RESULT = re.compile(r'"name": "(\w+)", "state": "(\w+)"')
_STATES = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
_STATES |= {"PASSED": "passed", "FAILED": "failed", "SKIPPED": "skipped"}


def run(name: str, bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run a suite, or the named tests of it; return each test's state.

    Raises:
        kafka.PeerMissingError: its toolchain is absent.
        kafka.PeerFailedError: it ended without results.
    """
    LOG_DIR.mkdir(parents=True, exist_ok=True)
    runners: dict[str, Callable[[str, Sequence[str]], dict[str, str]]]
    runners = {"kgo": run_kgo, "librdkafka": run_librdkafka}
    results = runners[name](bootstrap, tests)
    if not results:
        raise kafka.PeerFailedError(f"{name} told no results: see {LOG_DIR / name}.log")
    return results


def _kgo_folder() -> Path:
    command = ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/twmb/franz-go"]
    found = subprocess.run(
        command, cwd=clients.CLIENTS_DIR / "go", capture_output=True, text=True, check=True
    )
    return Path(found.stdout.strip()) / "pkg" / "kgo"


def run_kgo(bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run kgo's tests; all of them, unless some are named."""
    clients.TOOLCHAINS["go"].fetch()
    command = [os.fspath(clients.CLIENTS_DIR / "go" / "bin" / "kgo.test"), "-test.v"]
    command += ["-test.timeout", f"{TIMEOUT_S}s"]
    if tests:
        command += ["-test.run", f"^({'|'.join(tests)})$"]
    settings = {"KGO_SEEDS": bootstrap, "KGO_TEST_RF": "1", "KGO_LOG_LEVEL": "none"}
    settings |= {"KGO_TEST_RECORDS": os.environ.get("KGO_TEST_RECORDS", "10000")}
    output = _run(command, settings, _kgo_folder(), "kgo")
    return {name: _STATES[state] for state, name in _KGO_RESULT.findall(output)}


def _kafka_distribution(tests_dir: Path, folder: Path) -> None:
    """Lay what looks like a Kafka distribution over our jars, and compile the tests' Java."""
    (folder / "bin").mkdir(parents=True)
    (folder / "libs").symlink_to(kafka.fetch())
    for script, main_class in KAFKA_SCRIPTS.items():
        path = folder / "bin" / script
        path.write_text(
            "#!/bin/sh\n"
            f"exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
            f' -cp "$CLASSPATH:{folder}/libs/*" {main_class} "$@"\n'
        )
        path.chmod(0o755)
    sources = sorted(map(os.fspath, (tests_dir / "java").glob("*.java")))
    command = ["javac", "-nowarn", "-cp", f"{folder}/libs/*", "-d", os.fspath(tests_dir / "java")]
    kafka.run_program([*command, *sources], name="javac")


def run_librdkafka(bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run librdkafka's tests; all that need a broker, unless some are named by number."""
    clients.TOOLCHAINS["librdkafka"].fetch()
    folder = clients.LIBRDKAFKA_DIR / "tests"
    results: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "test.conf"
        config.write_text(f"bootstrap.servers={bootstrap}\ntest.topic.random=true\n{PATIENCE}\n")
        report = Path(scratch) / "report.json"
        settings = {
            "LD_LIBRARY_PATH": "../src:../src-cpp",
            "RDKAFKA_TEST_CONF": os.fspath(config),
            "TEST_REPORT": os.fspath(report),
            "TEST_KAFKA_VERSION": kafka.kafka_version(),
        }
        if shutil.which("javac") is not None:
            distribution = Path(scratch) / "kafka"
            _kafka_distribution(folder, distribution)
            settings |= {"KAFKA_PATH": os.fspath(distribution), "BROKERS": bootstrap}
        flags = ["-Q", "-E", "-L", "-K"]
        runs: list[tuple[list[str], dict[str, str]]] = [(["-p4", *flags], {})]
        if tests:
            runs = [(["-p1", *flags], {"TESTS": test}) for test in tests]
        for words, more in runs:
            report.unlink(missing_ok=True)
            _run(["./test-runner", *words], settings | more, folder, "librdkafka")
            text = report.read_text() if report.exists() else ""
            for name, state in _RDKAFKA_RESULT.findall(text):
                if state in _STATES and (state != "SKIPPED" or not tests):
                    results[name] = _STATES[state]
    return results


def _run(command: Sequence[str], settings: dict[str, str], folder: Path, name: str) -> str:
    """Run a suite; return what it printed, which is also left in LOG_DIR."""
    path = LOG_DIR / f"{name}.log"
    path.unlink(missing_ok=True)  # another run's file stays its own
    with path.open("w+", errors="replace") as log:
        try:
            subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            log.write(f"\nstopped after {TIMEOUT_S} s\n")
        log.seek(0)
        return log.read()
