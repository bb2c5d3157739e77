"""The real Kafka that pylog is compared with: its jars, a one-node broker, its tools.

Nothing of it is needed to use pylog. `fetch` copies the jars named in pom.xml (Maven Central)
and the compiled programs of java/ into the git-ignored folder .peers/kafka; everything after that
works without a network. A broker is one KRaft node on free ports of the loopback interface, in a
temporary folder, ended by the process id that was started.

    python scripts/peers/kafka.py fetch                 # once; what `make peers` does
    python scripts/peers/kafka.py broker                # a broker until Ctrl-C
    python scripts/peers/kafka.py dump FILE.log ...     # DumpLogSegments --deep-iteration
    python scripts/peers/kafka.py tool TopicCommand ... # any class of org.apache.kafka.tools

Only the standard library is used, so that any Python from 3.11 on can run it.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

SCRIPTS_DIR = Path(__file__).resolve().parent
PEERS_DIR = Path(os.environ.get("PYLOG_PEERS_DIR") or SCRIPTS_DIR.parents[1] / ".peers")
LIBS_DIR = PEERS_DIR / "kafka" / "libs"
CLASSES_DIR = PEERS_DIR / "kafka" / "classes"
STAMP_PATH = PEERS_DIR / "kafka" / "stamp"

JAVA_MAJOR_VERSION = 17
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 60
TOOL_TIMEOUT_S = 300
START_ATTEMPTS = 3
LONGEST_LINE = 400  # of an output that an error ends with

CLUSTER_ID = base64.urlsafe_b64encode(b"pylog-peer-kafka").decode().rstrip("=")
# The line that says "Kafka Server started" is an info line of these packages.
LOGGER_SETTINGS = (
    "defaultLogLevel=warn",
    "showDateTime=true",
    "log.kafka.server=info",
    "log.org.apache.kafka.server=info",
)


class PeerMissingError(Exception):
    """The peer cannot be had on this machine; the message is one line that says what to install."""


class PeerFailedError(Exception):
    """The peer was started and failed; the message ends with the tail of its output."""


def kafka_version() -> str:
    """Return the version of Kafka that pom.xml names."""
    pom = xml.etree.ElementTree.parse(SCRIPTS_DIR / "pom.xml")
    version = pom.findtext(".//{*}kafka.version")
    assert version is not None, "pom.xml names no kafka.version"
    return version


def find_missing(programs: Sequence[str] = ("java", "javac")) -> str | None:
    """Return what is absent of `programs` and of java's version, as one line, or None."""
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        return (
            f"Kafka {kafka_version()} needs {' and '.join(absent)}, not found on PATH "
            "(Debian: apt install openjdk-17-jdk-headless maven)"
        )
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if match is None or int(match[1]) < JAVA_MAJOR_VERSION:
        found = match[1] if match else "an unknown version"
        return f"Kafka {kafka_version()} needs java {JAVA_MAJOR_VERSION} or newer, found {found}"
    return None


def _wanted_stamp() -> str:
    """Return a digest of everything `fetch` makes its folder from."""
    digest = hashlib.sha256()
    for path in [SCRIPTS_DIR / "pom.xml", *sorted((SCRIPTS_DIR / "java").glob("*.java"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_fetched() -> bool:
    """Return True when the jars and the compiled programs are there and belong to this tree."""
    return STAMP_PATH.is_file() and STAMP_PATH.read_text() == _wanted_stamp()


def fetch() -> Path:
    """Copy Kafka's jars and compile java/ into .peers/kafka, once; return the folder of jars.

    Raises:
        PeerMissingError: java, javac or mvn is absent.
        PeerFailedError: mvn or javac failed.
    """
    if is_fetched():
        return LIBS_DIR
    missing = find_missing(("java", "javac", "mvn"))
    if missing:
        raise PeerMissingError(missing)
    STAMP_PATH.unlink(missing_ok=True)
    for folder in (LIBS_DIR, CLASSES_DIR):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    run_program(
        ["mvn", "-q", "-B", "-f", str(SCRIPTS_DIR / "pom.xml")]
        + ["dependency:copy-dependencies", "-DincludeScope=runtime"]
        + [f"-DoutputDirectory={LIBS_DIR}"],
        name="mvn",
    )
    sources = [str(path) for path in sorted((SCRIPTS_DIR / "java").glob("*.java"))]
    command = ["javac", "-nowarn", "-cp", f"{LIBS_DIR}/*", "-d", str(CLASSES_DIR), *sources]
    run_program(command, name="javac")
    STAMP_PATH.write_text(_wanted_stamp())
    return LIBS_DIR


def run_program(
    command: Sequence[str],
    *,
    name: str,
    stdin: str | None = None,
    with_errors: bool = False,
    timeout_s: float = TOOL_TIMEOUT_S,
) -> str:
    """Run `command` to its end; return its standard output, followed by its errors if wanted."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-20:]
        tail = "\n".join(line[:LONGEST_LINE] for line in lines)
        raise PeerFailedError(f"{name} ended with status {done.returncode}:\n{tail}")
    return done.stdout + done.stderr if with_errors else done.stdout


# Ours start quickly; Kafka's own, of kafka-run-class.sh, run fast in the end.
QUICK_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
KAFKA_OPTIONS = (
    *("-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
    *("-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"),
)


def _java_command(
    main_class: str, *, heap: str = "512m", options: Sequence[str] = QUICK_OPTIONS
) -> list[str]:
    if shutil.which("java") is None:
        raise PeerMissingError(find_missing(("java",)))
    if not is_fetched():
        raise PeerMissingError("Kafka's jars are not here yet: python scripts/peers/kafka.py fetch")
    return [
        *("java", f"-Xmx{heap}", *options),
        *("-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8"),
        *(f"-Dorg.slf4j.simpleLogger.{setting}" for setting in LOGGER_SETTINGS),
        *("-cp", f"{CLASSES_DIR}:{LIBS_DIR}/*", main_class),
    ]


def run_java(
    main_class: str,
    *arguments: str | os.PathLike[str],
    stdin: str | None = None,
    with_errors: bool = False,
    timeout_s: float = TOOL_TIMEOUT_S,
    java_options: Sequence[str] = QUICK_OPTIONS,
) -> str:
    """Run a class of the jars or of java/ and return its standard output.

    Args:
        main_class: its full name.
        *arguments: of the command line.
        stdin: text for its standard input.
        with_errors: return standard error too, after the output.
        timeout_s: how long it may take.
        java_options: of the virtual machine.

    Raises:
        PeerFailedError: it ended with another status than 0.
    """
    command = [*_java_command(main_class, options=java_options)]
    command += (os.fspath(argument) for argument in arguments)
    options = {"with_errors": with_errors, "timeout_s": timeout_s}
    return run_program(command, name=main_class, stdin=stdin, **options)


def dump_log_segments(
    paths: Iterable[str | os.PathLike[str]],
    deep: bool = True,
    print_data: bool = True,
    options: Sequence[str] = (),
) -> str:
    """Return what Kafka's DumpLogSegments prints for .log, .index, .timeindex and .snapshot files.

    Args:
        paths: files; the tool finds a segment's .log beside its indexes by name.
        deep: look into compressed batches (--deep-iteration).
        print_data: print keys and values too (--print-data-log), each as 0x and hexadecimal.
        options: more options, such as --index-sanity-check or --verify-index-only.
    """
    arguments = ["--files", ",".join(os.fspath(path) for path in paths), *options]
    if deep:
        arguments += ["--deep-iteration"]
    if print_data:
        arguments += ["--print-data-log"]
        arguments += ["--key-decoder-class", "HexDecoder", "--value-decoder-class", "HexDecoder"]
    # It tells some mismatches on standard error, and ends with status 0 all the same.
    return run_java("org.apache.kafka.tools.DumpLogSegments", *arguments, with_errors=True)


def dump_records(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Any], list[Any]]:
    """Return (batches, records) of .log files as Kafka's own record classes read them.

    Every batch's CRC is checked, and that nothing follows the last one. Keys, values and header
    values are in hexadecimal or None; the names of the fields are in java/RecordDump.java.
    """
    batches, records = [], []
    for line in run_java("RecordDump", *paths).splitlines():
        entry = json.loads(line)
        if "batch" in entry:
            batches.append(entry["batch"])
        else:
            records.append(entry["record"])
    return batches, records


def _free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class KafkaBroker:
    """One Kafka broker and controller in a folder of its own; a context manager.

    Leaving the context shuts it down cleanly, as SIGTERM does, and removes the folder if it was
    a temporary one. `stop` and `start` may be called in between, to look at the files of a broker
    at rest; the ports stay the same.

    Args:
        folder: where its configuration, log and data go; a temporary folder when None.
        properties: more lines of server.properties, over the defaults.
        java_options: of the virtual machine.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        properties: Mapping[str, str] | None = None,
        java_options: Sequence[str] = QUICK_OPTIONS,
    ) -> None:
        self._java_options = java_options
        self._owns_folder = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="kafka-broker-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_dir = self.folder / "data"
        self.server_log = self.folder / "server.log"
        self._extra_properties = dict(properties or {})
        self._port: int | None = None
        self._process: subprocess.Popen[str] | None = None
        self._pump: threading.Thread | None = None
        self._is_up = False
        self._up_or_ended = threading.Event()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        """Return host:port of the broker."""
        assert self._port is not None, "the broker was never started"
        return f"127.0.0.1:{self._port}"

    @property
    def process_id(self) -> int | None:
        """Return the process id while the broker runs, else None."""
        return self._process.pid if self._process else None

    def partition_dir(self, topic: str, partition: int = 0) -> Path:
        """Return the folder that holds a partition's files."""
        return self.log_dir / f"{topic}-{partition}"

    def start(self) -> None:
        """Start the broker and return when it is ready.

        Raises:
            PeerMissingError: java is absent or the jars are not fetched.
            PeerFailedError: it ended, or was not ready within START_TIMEOUT_S.
        """
        assert self._process is None, "the broker runs already"
        missing = find_missing(("java",))
        if missing:
            raise PeerMissingError(missing)
        for attempt in range(1, START_ATTEMPTS + 1):
            self._launch()
            if self._up_or_ended.wait(START_TIMEOUT_S) and self._is_up:
                return
            self.stop()
            # Somebody else took a port between our look and the broker's bind: look again.
            if "Address already in use" not in self._log_text() or attempt == START_ATTEMPTS:
                raise PeerFailedError(f"the broker did not start:\n{self._log_tail()}")
            self._port = None

    def stop(self) -> None:
        """Shut the broker down cleanly; kill it when that takes longer than STOP_TIMEOUT_S."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert self._pump is not None
        self._pump.join()

    def kill(self) -> None:
        """End the broker without a chance to shut down, as kill -9 does."""
        assert self._process is not None, "the broker does not run"
        self._process.kill()
        self.stop()

    def close(self) -> None:
        """Stop the broker and remove its folder if it is a temporary one."""
        self.stop()
        if self._owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self) -> None:
        config_path = self.folder / "server.properties"
        if self._port is None:
            self._port, controller_port = _free_ports(2)
            properties = self._default_properties(self._port, controller_port)
            properties.update(self._extra_properties)
            lines = [f"{name}={value}\n" for name, value in properties.items()]
            config_path.write_text("".join(lines))
        if not (self.log_dir / "meta.properties").exists():
            run_java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", config_path)
        self._is_up = False
        self._up_or_ended.clear()
        self._process = subprocess.Popen(
            [
                *_java_command("kafka.Kafka", heap="1g", options=self._java_options),
                str(config_path),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )
        self._pump = threading.Thread(target=self._copy_output, args=(self._process,), daemon=True)
        self._pump.start()

    def _default_properties(self, port: int, controller_port: int) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.log_dir),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
        }

    def _copy_output(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines, self.server_log.open("w") as log:
            for line in lines:
                log.write(line)
                log.flush()
                if "Kafka Server started" in line:
                    self._is_up = True
                    self._up_or_ended.set()
        self._up_or_ended.set()

    def _log_text(self) -> str:
        return self.server_log.read_text() if self.server_log.exists() else ""

    def _log_tail(self) -> str:
        return "\n".join(self._log_text().splitlines()[-20:])


def _run_broker_until_interrupted() -> None:
    def interrupt(*_: object) -> None:
        # The clean shutdown that follows is not to be cut off by a second signal.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    with KafkaBroker() as broker:
        sys.stdout.write(f"{broker.bootstrap_servers} (data: {broker.log_dir})\n")
        sys.stdout.flush()
        signal.pause()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands of the module's docstring; return the exit status."""
    parser = argparse.ArgumentParser(description="The real Kafka that pylog is compared with.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="copy Kafka's jars to .peers/kafka (needs java, javac, mvn)")
    commands.add_parser("broker", help="run a broker in a temporary folder until Ctrl-C")
    dump = commands.add_parser("dump", help="DumpLogSegments of segment files")
    dump.add_argument("paths", nargs="+", metavar="FILE")
    tool = commands.add_parser("tool", help="run a class of org.apache.kafka.tools")
    tool.add_argument("name")
    tool.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    try:
        if options.command == "fetch":
            sys.stdout.write(f"Kafka {kafka_version()}: {fetch()}\n")
        elif options.command == "dump":
            sys.stdout.write(dump_log_segments(options.paths))
        elif options.command == "tool":
            sys.stdout.write(run_java(f"org.apache.kafka.tools.{options.name}", *options.arguments))
        else:
            _run_broker_until_interrupted()
    except (PeerMissingError, PeerFailedError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
