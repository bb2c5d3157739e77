"""Suites of clients in Go: kgo of franz-go, sarama, confluent-kafka-go, watermill-kafka."""

import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import clients
import kafka
from suite_process import LOG_DIR, STATES, TIMEOUT_S, run_logged

_RESULT = re.compile(r"^(?: {4})?--- (PASS|FAIL|SKIP): ([\w/]+) ", re.MULTILINE)
_TEST = re.compile(r"^func (Test\w+)\(t \*testing\.T\)", re.MULTILINE)


def _folder_of(toolchain: str, module: str, package: str) -> Path:
    """Where a package's sources and test data are; what it is tested from."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", module]
    found = subprocess.run(
        command, cwd=clients.CLIENTS_DIR / toolchain, capture_output=True, text=True, check=True
    )
    return Path(found.stdout.strip()) / package


def _program(toolchain: str, name: str) -> str:
    return os.fspath(clients.CLIENTS_DIR / toolchain / "bin" / name)


def _words(program: str, tests: Sequence[str]) -> list[str]:
    """The command of a test program, for the named tests; a test in another is OUTER/INNER."""
    words = [program, "-test.v", "-test.timeout", f"{TIMEOUT_S}s"]
    if not tests:
        return words
    outer = {test.partition("/")[0] for test in tests}
    inner = {test.partition("/")[2] for test in tests} - {""}
    patterns = [f"^({'|'.join(sorted(names))})$" for names in (outer, inner) if names]
    return [*words, "-test.run", "/".join(patterns)]


def _states(output: str, is_deep: bool = False) -> dict[str, str]:
    """States of the tests, and of the tests in them when `is_deep`."""
    found = {name: STATES[state] for state, name in _RESULT.findall(output)}
    return {name: state for name, state in found.items() if is_deep or "/" not in name}


def run_kgo(bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run kgo's tests; all of them, unless some are named."""
    clients.TOOLCHAINS["go"].fetch()
    settings = {"KGO_SEEDS": bootstrap, "KGO_TEST_RF": "1", "KGO_LOG_LEVEL": "none"}
    settings |= {"KGO_TEST_RECORDS": os.environ.get("KGO_TEST_RECORDS", "10000")}
    folder = _folder_of("go", "github.com/twmb/franz-go", "pkg/kgo")
    return _states(run_logged(_words(_program("go", "kgo.test"), tests), settings, folder, "kgo"))


# ---- confluent-kafka-go ----

SASL_ADDRESS = "127.0.0.1:29391"
"""Where its tests look for a listener with SASL, which knows testuser by PLAIN."""

WITH_A_BROKER = ("TestIntegration", "TestTransactionalProducer", "TestTransactionalSendOffsets")


def run_confluent_go(bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run confluent-kafka-go's integration tests; those of SASL when SASL_ADDRESS answers."""
    clients.TOOLCHAINS["suite_confluent_go"].fetch()
    config: dict[str, object] = {"Brokers": bootstrap, "Config": ["api.version.request=true"]}
    config |= {"TopicName": "go-suite", "GroupID": "go-suite"}
    config |= {"PerfMsgCount": 10_000, "PerfMsgSize": 100}
    if _answers(SASL_ADDRESS):
        config |= {"BrokersSasl": SASL_ADDRESS, "SaslMechanism": "PLAIN"}
        config |= {"SaslUsername": "testuser", "SaslPassword": "testpass"}
    command = _words(_program("suite_confluent_go", "kafka.test"), tests or WITH_A_BROKER)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "testconf.json").write_text(json.dumps(config))
        output = run_logged(command, {}, Path(folder), "confluent_go")
    states = _states(output, is_deep=True)
    return {name: state for name, state in states.items() if name != "TestIntegration"}


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5):
        return True
    return False


# ---- watermill-kafka ----


def run_watermill(bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run watermill-kafka's tests, which are those of every Pub/Sub of watermill."""
    clients.TOOLCHAINS["suite_watermill"].fetch()
    module = "github.com/ThreeDotsLabs/watermill-kafka/v3"
    command = [*_words(_program("suite_watermill", "kafka.test"), tests), "-test.short"]
    settings = {"WATERMILL_TEST_KAFKA_BROKERS": bootstrap}
    folder = _folder_of("suite_watermill", module, "pkg/kafka")
    return _states(run_logged(command, settings, folder, "watermill"), is_deep=True)


# ---- sarama ----

PROXY_PORTS = range(29091, 29096)
"""Of the proxies in front of the five nodes, which its tests cut; nodes have to advertise them."""

SARAMA_TEST_TIMEOUT_S = 240


def run_sarama(bootstrap: str, tests: Sequence[str] = ()) -> dict[str, str]:
    """Run sarama's functional tests, each in a process of its own: a panic ends only one.

    Args:
        bootstrap: five nodes, numbered 1 to 5, that advertise PROXY_PORTS of 127.0.0.1.
        tests: of them; all when none are named.

    Raises:
        kafka.PeerFailedError: there are not five nodes.
    """
    clients.TOOLCHAINS["suite_sarama"].fetch()
    nodes = bootstrap.split(",")
    if len(nodes) != len(PROXY_PORTS):
        raise kafka.PeerFailedError(f"sarama's suite needs 5 nodes, not {bootstrap}")
    folder = _folder_of("suite_sarama", "github.com/IBM/sarama", "")
    sources = [path.read_text() for path in sorted(folder.glob("functional_*_test.go"))]
    results = {}
    with _proxies(nodes) as address:
        settings = {"TOXIPROXY_ADDR": address, "KAFKA_VERSION": kafka.kafka_version()}
        for test in tests or _TEST.findall("\n".join(sources)):
            command = _words(_program("suite_sarama", "sarama.test"), [test])
            output = run_logged(command, settings, folder, f"sarama-{test}", SARAMA_TEST_TIMEOUT_S)
            results[test] = _states(output).get(test, "failed")
    return results


@contextlib.contextmanager
def _proxies(nodes: Sequence[str]) -> Iterator[str]:
    """Run toxiproxy with a proxy for each node; yield the address of its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    LOG_DIR.mkdir(parents=True, exist_ok=True)
    with (LOG_DIR / "sarama-toxiproxy.log").open("w") as log:
        process = subprocess.Popen(
            [_program("suite_sarama", "toxiproxy"), "-port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            deadline_s = time.monotonic() + 20
            while not _answers(f"127.0.0.1:{port}"):
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise kafka.PeerFailedError(f"toxiproxy did not start: see {log.name}")
                time.sleep(0.02)
            for number, (node, proxy) in enumerate(zip(nodes, PROXY_PORTS, strict=True), 1):
                listen = f"127.0.0.1:{proxy}"
                wanted = {"name": f"kafka{number}", "listen": listen, "upstream": node}
                body = json.dumps({**wanted, "enabled": True}).encode()
                urllib.request.urlopen(
                    urllib.request.Request(f"{address}/proxies", body, method="POST"), timeout=20
                ).close()
            yield address
        finally:
            process.terminate()
            process.wait()
