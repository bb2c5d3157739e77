"""The test suites that clients carry, run against a server; those in Go are in go_suites.py.

Their own flags choose the tests that need a broker; what each makes of it comes back as a state:
`passed`, `failed` or `skipped`. Every test prints to LOG_DIR, one file a suite.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import clients
import go_suites
import kafka
from suite_process import LOG_DIR, STATES, run_logged

PATIENCE = "test.timeout.multiplier=3"  # of librdkafka's tests: some start Java four times

# Scripts of a Kafka distribution that librdkafka's tests call, and the classes behind them.
KAFKA_SCRIPTS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-run-class.sh": "",
}
_RDKAFKA_RESULT = re.compile(r'"name": "(\w+)", "state": "(\w+)"')
_PYTEST_RESULT = re.compile(r"^\S+::(\S+) (PASSED|FAILED|SKIPPED|ERROR)", re.MULTILINE)
_CARGO_LINE = re.compile(r"^ +Running tests/(\w+)\.rs|^test (\S+) \.\.\. (\w+)$", re.MULTILINE)


def run(name: str, bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run a suite of SUITES, or the named tests of it; return each test's state.

    Raises:
        kafka.PeerMissingError: there is no such suite, or its toolchain is absent.
        kafka.PeerFailedError: it ended without results.
    """
    if name not in SUITES:
        raise kafka.PeerMissingError(f"no suite is called {name}; there are {', '.join(SUITES)}")
    results = SUITES[name](bootstrap, tests)
    if not results:
        raise kafka.PeerFailedError(f"{name} told no results: see {LOG_DIR / name}.log")
    return results


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
            run_logged(["./test-runner", *words], settings | more, folder, "librdkafka")
            text = report.read_text() if report.exists() else ""
            for name, state in _RDKAFKA_RESULT.findall(text):
                if state in STATES and (state != "SKIPPED" or not tests):
                    results[name] = STATES[state]
    return results


def run_kafka_python(bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run kafka-python's integration tests, but for those that start a broker of their own."""
    folder = clients.TOOLCHAINS["suite_kafka_python"].fetch()
    settings = {
        "KAFKA_URI": f"kafka://{bootstrap}",
        "KAFKA_VERSION": kafka.kafka_version(),
        "KAFKA_ROOT": os.fspath(folder),  # it has to be a folder; nothing is looked for in it
    }
    command = [
        os.fspath(folder / "bin" / "python"),
        "-m",
        "pytest",
        "-vv",
        "-p",
        "no:cacheprovider",
    ]
    command += ["test/integration", "--ignore", "test/integration/test_ssl_integration.py"]
    if tests:
        command += ["-k", " or ".join(tests)]
    (sources,) = folder.glob("kafka_python-*/")
    output = run_logged(command, settings, sources, "kafka_python")
    return {name: STATES[state] for name, state in _PYTEST_RESULT.findall(output)}


def run_rust(bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run rust-rdkafka's tests; all that are in files of their own, unless some are named.

    Some of them look for the server at localhost:9092, whatever they are told.
    """
    folder = clients.TOOLCHAINS["suite_rust"].fetch() / "suite"
    settings = {"KAFKA_HOST": bootstrap, "RUST_LOG": "off"}
    settings |= {"KAFKA_VERSION": kafka.kafka_version()}
    command = ["cargo", "test", "--offline", "--no-fail-fast", "--test", "*", "--"]
    output = run_logged([*command, "--test-threads=4", *tests], settings, folder, "rust")
    results, file = {}, ""
    for in_file, name, state in _CARGO_LINE.findall(output):
        if in_file:
            file = in_file
        elif state in STATES:
            results[f"{file}::{name}"] = STATES[state]
    return results


SUITES: dict[str, Callable[[str, Sequence[str]], dict[str, str]]] = {
    "kgo": go_suites.run_kgo,
    "librdkafka": run_librdkafka,
    "confluent_go": go_suites.run_confluent_go,
    "kafka_python": run_kafka_python,
    "rust": run_rust,
    "sarama": go_suites.run_sarama,
    "watermill": go_suites.run_watermill,
}
