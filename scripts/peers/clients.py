"""Clients of other makers that the Kafka listener is proven with, as their makers publish them.

Nothing of it is needed to use pylog. `fetch` has the package managers lay each client into the
git-ignored folder .peers/clients, at the versions that the files of clients/ name, and builds what
needs a compiler. clients/README.md says what each program does.

    python scripts/peers/clients.py fetch [NAME ...]          # all that this machine can build
    python scripts/peers/clients.py work NAME BOOTSTRAP TOPIC COUNT
    python scripts/peers/clients.py suite SUITE BOOTSTRAP [TEST ...]

Names are python, frameworks, node, go, librdkafka, java and connect, and suite_ with confluent_go,
kafka_python, rust, sarama or watermill. Only the standard library is
used.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import kafka

import streams

SOURCES_DIR = kafka.SCRIPTS_DIR / "clients"
CLIENTS_DIR = kafka.PEERS_DIR / "clients"
PYTHON = CLIENTS_DIR / "python" / "bin" / "python"
LIBRDKAFKA_PACKAGE = "@confluentinc/kafka-javascript@1.10.1"  # carries librdkafka with its tests
LIBRDKAFKA_DIR = CLIENTS_DIR / "librdkafka" / "package" / "deps" / "librdkafka"
FETCH_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Toolchain:
    """What fetches clients of one kind.

    Attributes:
        name: of its folders.
        needs: programs that must be there.
        packages: the Debian packages that have them, for the message when one is not.
        make: fills a fresh folder.
    """

    name: str
    needs: tuple[str, ...]
    packages: str
    make: Callable[[Path], None]

    @property
    def folder(self) -> Path:
        """Where it is laid."""
        return CLIENTS_DIR / self.name

    @property
    def _stamp_path(self) -> Path:
        return self.folder / "stamp"

    def _wanted_stamp(self) -> str:
        digest = hashlib.sha256(f"{LIBRDKAFKA_PACKAGE} {kafka.kafka_version()}".encode())
        for path in sorted((SOURCES_DIR / self.name).rglob("*")):
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def find_missing(self) -> str | None:
        """Return what this machine lacks for it, as one line, or None."""
        absent = [program for program in self.needs if shutil.which(program) is None]
        if not absent or self.is_fetched():
            return None
        return f"the {self.name} clients need {' and '.join(absent)} (Debian: {self.packages})"

    def is_fetched(self) -> bool:
        """Return True when its folder is there and belongs to this tree."""
        path = self._stamp_path
        return path.is_file() and path.read_text() == self._wanted_stamp()

    def fetch(self) -> Path:
        """Lay the clients, once; return the folder.

        Raises:
            kafka.PeerMissingError: a program is absent.
            kafka.PeerFailedError: a package manager or a compiler failed.
        """
        if self.is_fetched():
            return self.folder
        missing = self.find_missing()
        if missing:
            raise kafka.PeerMissingError(missing)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.make(self.folder)
        self._stamp_path.write_text(self._wanted_stamp())
        return self.folder


def _run(command: Sequence[str | os.PathLike[str]], folder: Path) -> None:
    """Run `command` in `folder`, after whatever else the machine has to do."""
    words = ["nice", "-n", "10", *map(os.fspath, command)]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise kafka.PeerFailedError(f"{' '.join(words[3:6])} failed in {folder}:\n{tail}")


def _make_python(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    _run(
        [PYTHON, "-m", "pip", "install", "-q", "-r", SOURCES_DIR / "python/requirements.txt"],
        folder,
    )


def _make_frameworks(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    requirements = SOURCES_DIR / "frameworks" / "requirements.txt"
    _run(["bin/python", "-m", "pip", "install", "-q", "-r", requirements], folder)


def _make_node(folder: Path) -> None:
    shutil.copy(SOURCES_DIR / "node" / "package.json", folder)
    _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], folder)


def _make_go(folder: Path) -> None:
    shutil.copytree(SOURCES_DIR / "go", folder, dirs_exist_ok=True)
    _run(["go", "build", "-p", "1", "-o", "bin/", "./franz_work", "./sarama_work"], folder)
    test = ["go", "test", "-p", "1", "-c", "-o", "bin/kgo.test", "github.com/twmb/franz-go/pkg/kgo"]
    _run(test, folder)


def _make_librdkafka(folder: Path) -> None:
    _run(["npm", "pack", LIBRDKAFKA_PACKAGE, "--silent"], folder)
    (archive,) = folder.glob("*.tgz")
    _run(["tar", "xzf", archive, "package/deps/librdkafka"], folder)
    _run(["./configure", "--disable-curl", "--disable-sasl"], LIBRDKAFKA_DIR)
    _run(["make", "libs"], LIBRDKAFKA_DIR)
    _run(["make", "-C", "tests", "build"], LIBRDKAFKA_DIR)


def _make_kafka_python_suite(folder: Path) -> None:
    """Its sdist has the integration tests, but not what they import to start a broker."""
    sources = SOURCES_DIR / "suite_kafka_python"
    venv.create(folder, with_pip=True)
    pip = ["bin/python", "-m", "pip", "-q"]
    versions = os.fspath(sources / "requirements.txt")
    _run([*pip, "install", "-r", versions], folder)
    _run(
        [*pip, "download", "--no-deps", "--no-binary", ":all:", "-c", versions, "kafka-python"],
        folder,
    )
    (archive,) = folder.glob("kafka_python-*.tar.gz")
    _run(["tar", "xzf", archive], folder)
    (tests,) = folder.glob("kafka_python-*/test")
    (tests / "__init__.py").touch()
    shutil.copy(sources / "service.py", tests)


def _make_go_suite(folder: Path, package: str, program: str, tags: str = "") -> None:
    """Build the tests of a package at the version that go.mod says."""
    shutil.copytree(SOURCES_DIR / folder.name, folder, dirs_exist_ok=True)
    test = ["go", "test", "-p", "1", "-c", "-tags", tags, "-o", f"bin/{program}", package]
    _run(test, folder)


def _make_sarama_suite(folder: Path) -> None:
    _make_go_suite(folder, "github.com/IBM/sarama", "sarama.test", "functional")
    proxy = "github.com/Shopify/toxiproxy/v2/cmd/server"
    _run(["go", "build", "-p", "1", "-o", "bin/toxiproxy", proxy], folder)


def _make_confluent_go_suite(folder: Path) -> None:
    _make_go_suite(folder, "github.com/confluentinc/confluent-kafka-go/v2/kafka", "kafka.test")


def _make_watermill_suite(folder: Path) -> None:
    _make_go_suite(folder, "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka", "kafka.test")


def _make_rust_suite(folder: Path) -> None:
    """The crate as published, tests and all, beside what it needs."""
    shutil.copytree(SOURCES_DIR / folder.name, folder, dirs_exist_ok=True)
    _run(["cargo", "vendor", "--quiet", "--locked", "vendor"], folder)
    shutil.copytree(folder / "vendor" / "rdkafka", folder / "suite")
    shutil.rmtree(folder / "vendor")
    test = ["cargo", "test", "--quiet", "--no-run", "-j1", "--test", "*"]
    _run(test, folder / "suite")


def _make_java(folder: Path) -> None:
    streams.fetch()
    sources = sorted((SOURCES_DIR / "java").glob("*.java"))
    _run(["javac", "-cp", f"{streams.LIBS_DIR}/*", "-d", folder, *sources], folder)


def _make_connect(folder: Path) -> None:
    command = ["mvn", "-q", "-B", "-f", SOURCES_DIR / "connect" / "pom.xml"]
    command += [f"-Dkafka.version={kafka.kafka_version()}", "dependency:copy-dependencies"]
    _run([*command, "-DincludeScope=runtime", f"-DoutputDirectory={folder / 'libs'}"], folder)


TOOLCHAINS = {
    toolchain.name: toolchain
    for toolchain in (
        Toolchain("python", (), "python3-venv", _make_python),
        Toolchain("frameworks", (), "python3-venv", _make_frameworks),
        Toolchain("node", ("node", "npm"), "nodejs npm", _make_node),
        Toolchain("go", ("go",), "golang", _make_go),
        Toolchain(
            "librdkafka", ("npm", "tar", "gcc", "g++", "make"), "npm g++ make", _make_librdkafka
        ),
        Toolchain("suite_kafka_python", ("tar",), "python3-venv tar", _make_kafka_python_suite),
        Toolchain("suite_sarama", ("go",), "golang", _make_sarama_suite),
        Toolchain("suite_confluent_go", ("go", "gcc"), "golang gcc", _make_confluent_go_suite),
        Toolchain("suite_watermill", ("go",), "golang", _make_watermill_suite),
        Toolchain(
            "suite_rust", ("cargo", "gcc", "g++", "make"), "cargo g++ make", _make_rust_suite
        ),
        Toolchain("connect", ("java", "mvn"), "openjdk-17-jdk-headless maven", _make_connect),
        Toolchain("java", ("java", "javac", "mvn"), "openjdk-17-jdk-headless maven", _make_java),
    )
}


def work_command(name: str) -> tuple[str, list[str]]:
    """Return the toolchain and the beginning of the command of a program of clients/."""
    if name in ("confluent", "kafka_python", "aiokafka"):
        script = SOURCES_DIR / "python" / f"{name}_work.py"
        return "python", [os.fspath(PYTHON), os.fspath(script)]
    if name in ("quixstreams", "faststream"):
        script = SOURCES_DIR / "frameworks" / f"{name}_work.py"
        return "frameworks", ["bin/python", os.fspath(script)]
    if name == "kafkajs":
        return "node", ["node", os.fspath(SOURCES_DIR / "node" / "kafkajs_work.mjs")]
    if name in ("franz", "sarama"):
        return "go", [os.fspath(CLIENTS_DIR / "go" / "bin" / f"{name}_work")]
    if name == "java":
        return "java", java_command("JavaWork")
    raise kafka.PeerMissingError(f"no client program is called {name}")


def run_work(
    name: str,
    *arguments: str,
    security: Mapping[str, object] | None = None,
    timeout_s: float = kafka.TOOL_TIMEOUT_S,
) -> dict[str, object]:
    """Run a client program of clients/; return the line of what it saw.

    Args:
        name: of the program.
        *arguments: of its command line.
        security: how to connect, by the names of clients/README.md; else what
            PYLOG_PEER_SECURITY says.
        timeout_s: how long it may take.

    Raises:
        kafka.PeerFailedError: it failed; the text ends with what it printed.
    """
    toolchain, command = work_command(name)
    environment = dict(os.environ)
    if security is not None:
        environment["PYLOG_PEER_SECURITY"] = json.dumps(security)
    done = subprocess.run(
        [*command, *arguments],
        cwd=CLIENTS_DIR / toolchain,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise kafka.PeerFailedError(f"{name} ended with status {done.returncode}:\n{tail}")
    seen: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return seen


def java_command(main_class: str, *arguments: str) -> list[str]:
    """Return the command that runs a class of clients/java."""
    classes = os.fspath(CLIENTS_DIR / "java")
    command = streams.java_command(main_class, *arguments)
    place = command.index("-cp") + 1
    command[place] = f"{classes}:{command[place]}"
    return command


def connect_command(program: str, *arguments: str) -> list[str]:
    """Return the command that runs ConnectStandalone or ConnectDistributed."""
    return [
        *("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        *("-cp", os.fspath(CLIENTS_DIR / "connect" / "libs" / "*")),
        f"org.apache.kafka.connect.cli.{program}",
        *arguments,
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands of the module's docstring; return the exit status."""
    parser = argparse.ArgumentParser(description="Clients that the Kafka listener is proven with.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="lay and build the clients, each once")
    fetch.add_argument("names", nargs="*", metavar="NAME", choices=[*TOOLCHAINS, []])
    work = commands.add_parser("work", help="run a client program against a server")
    work.add_argument("name")
    work.add_argument("arguments", nargs=argparse.REMAINDER)
    suite = commands.add_parser("suite", help="run a client's own test suite against a server")
    suite.add_argument("name", help="kgo, librdkafka, or what follows suite_ in a name")
    suite.add_argument("bootstrap")
    suite.add_argument("tests", nargs="*", metavar="TEST")
    options = parser.parse_args(arguments)
    try:
        if options.command == "fetch":
            return _fetch_all(options.names or list(TOOLCHAINS))
        if options.command == "work":
            seen = run_work(options.name, *options.arguments)
            sys.stdout.write(json.dumps(seen) + "\n")
            return 0
        import client_suites

        results = client_suites.run(options.name, options.bootstrap, options.tests)
        sys.stdout.write("".join(f"{state:8} {name}\n" for name, state in results.items()))
        return int("failed" in results.values())
    except (kafka.PeerMissingError, kafka.PeerFailedError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _fetch_all(names: Sequence[str]) -> int:
    """Fetch each; a toolchain that is absent is told and does not fail."""
    for name in names:
        missing = TOOLCHAINS[name].find_missing()
        if missing:
            sys.stdout.write(f"{name}: skipped, {missing}\n")
        else:
            sys.stdout.write(f"{name}: {TOOLCHAINS[name].fetch()}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
