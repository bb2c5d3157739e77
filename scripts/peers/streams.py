"""The real Kafka Streams that pylog.streams is compared with: its jars, and programs over them.

Nothing of it is needed to use pylog. `fetch` copies the jars named in streams/pom.xml (Maven
Central) and the compiled programs of streams/java into the git-ignored folder .peers/streams; after
that `run_java` works without a network. Their version is Kafka's, which kafka.py's pom.xml names.

    python scripts/peers/streams.py fetch
    python scripts/peers/streams.py describe FILE.json NAME   # Topology#describe of a script
    python scripts/peers/streams.py oracle FILE.json < cases.jsonl
    python scripts/peers/streams.py run FILE.json NAME BOOTSTRAP APPLICATION_ID COUNT STATE_DIR

FILE.json holds scripts as tests/golden/streams/README.md describes them.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import kafka

SOURCES_DIR = kafka.SCRIPTS_DIR / "streams"
LIBS_DIR = kafka.PEERS_DIR / "streams" / "libs"
CLASSES_DIR = kafka.PEERS_DIR / "streams" / "classes"
STAMP_PATH = kafka.PEERS_DIR / "streams" / "stamp"

PROGRAMS = {"describe": "Describe", "oracle": "Oracle", "run": "RunStreams"}


def _java_paths() -> list[Path]:
    return sorted((SOURCES_DIR / "java").glob("*.java"))


def _stamp_of(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256(kafka.kafka_version().encode())
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _wanted_stamp() -> str:
    """Return digests of what the jars are made from and of what the classes are made from."""
    return f"{_stamp_of([SOURCES_DIR / 'pom.xml'])} {_stamp_of(_java_paths())}"


def is_fetched() -> bool:
    """Return True when the jars and the compiled programs are there and belong to this tree."""
    return STAMP_PATH.is_file() and STAMP_PATH.read_text() == _wanted_stamp()


def fetch() -> Path:
    """Copy Kafka Streams' jars and compile streams/java, each when needed; return the jars' folder.

    Raises:
        kafka.PeerMissingError: java, javac or mvn is absent.
        kafka.PeerFailedError: mvn or javac failed.
    """
    if is_fetched():
        return LIBS_DIR
    missing = kafka.find_missing(("java", "javac", "mvn"))
    if missing:
        raise kafka.PeerMissingError(missing)
    found = STAMP_PATH.read_text() if STAMP_PATH.is_file() else ""
    STAMP_PATH.unlink(missing_ok=True)
    if found.split()[:1] != _wanted_stamp().split()[:1]:
        _copy_jars()
    shutil.rmtree(CLASSES_DIR, ignore_errors=True)
    CLASSES_DIR.mkdir(parents=True)
    command = ["javac", "-nowarn", "-Xlint:-unchecked", "-Xlint:-deprecation"]
    command += ["-cp", f"{LIBS_DIR}/*", "-d", str(CLASSES_DIR)]
    kafka.run_program([*command, *map(str, _java_paths())], name="javac")
    STAMP_PATH.write_text(_wanted_stamp())
    return LIBS_DIR


def _copy_jars() -> None:
    shutil.rmtree(LIBS_DIR, ignore_errors=True)
    LIBS_DIR.mkdir(parents=True)
    command = ["mvn", "-q", "-B", "-f", str(SOURCES_DIR / "pom.xml")]
    command += [f"-Dkafka.version={kafka.kafka_version()}", "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={LIBS_DIR}"]
    kafka.run_program(command, name="mvn")


def java_command(main_class: str, *arguments: str | os.PathLike[str]) -> list[str]:
    """Return the command that runs a class of the jars or of streams/java.

    Raises:
        kafka.PeerMissingError: java is absent or the jars are not fetched.
    """
    missing = kafka.find_missing(("java",))
    if missing:
        raise kafka.PeerMissingError(missing)
    if not is_fetched():
        raise kafka.PeerMissingError(
            "Kafka Streams' jars are not here yet: python scripts/peers/streams.py fetch"
        )
    return [
        *("java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8"),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        *("-cp", f"{CLASSES_DIR}:{LIBS_DIR}/*", main_class),
        *map(os.fspath, arguments),
    ]


def run_java(main_class: str, *arguments: str | os.PathLike[str], stdin: str | None = None) -> str:
    """Run a class of the jars or of streams/java to its end and return its standard output.

    Raises:
        kafka.PeerFailedError: it ended with another status than 0.
    """
    return kafka.run_program(java_command(main_class, *arguments), name=main_class, stdin=stdin)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands of the module's docstring; return the exit status."""
    parser = argparse.ArgumentParser(description="The real Kafka Streams behind the goldens.")
    parser.add_argument("command", choices=["fetch", *PROGRAMS])
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    try:
        if options.command == "fetch":
            sys.stdout.write(f"Kafka Streams {kafka.kafka_version()}: {fetch()}\n")
            return 0
        command = java_command(PROGRAMS[options.command], *options.arguments)
    except (kafka.PeerMissingError, kafka.PeerFailedError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
