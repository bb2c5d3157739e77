"""`pylog serve`: a folder as a Kafka for every client on the wire.

It reads its options with argparse: typer takes longer to load than a server to start.
"""

import argparse
import contextlib
import os
import resource
from collections.abc import Sequence
from typing import NoReturn

from pylog.cli import DEFAULT_FOLDER, console
from pylog.cli.failures import CommandError

MEMORY = ":memory:"
"""What pylog.testing takes for a folder that nobody sees; not a name for one here."""

SHORT_HELP = "A folder as a Kafka, for every client on the wire."


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (see: pylog serve --help)", exit_code=2)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = _Parser(
        prog="pylog serve",
        description="Serve a folder to Kafka clients until Ctrl-C. Programs that embed the log may "
        "use it at the same time. One server a folder.",
        epilog="Example: pylog serve ./data --listen 127.0.0.1:9092",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("folder", nargs="?", default="", metavar="DIR", help="Folder of the log; else --dir's.")
    add(
        "--dir", default="", metavar="DIR", help="The same; else log.dirs, $PYLOG_DIR, ./pylog-data"
    )
    add(
        "--listen",
        action="append",
        metavar="[PROTOCOL://]HOST:PORT",
        help="Where to listen, 127.0.0.1:9092 if nothing is said; port 0 takes a free one.",
    )
    add("--port", type=int, help="Short for --listen 127.0.0.1:PORT.")
    add(
        "--advertised",
        action="append",
        metavar="[PROTOCOL://]HOST[:PORT]",
        help="What clients are told to connect to, where that is another address.",
    )
    add("--brokers", type=int, default=1, metavar="N", help="How many virtual brokers to be; 1.")
    add("--props", default="", metavar="FILE", help="A Kafka server.properties.")
    add(
        "--override",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="A property over those of the file; may be repeated.",
    )
    add("--insecure", action="store_true", help="Serve whoever can connect, on any address.")
    add("--metrics", default="", metavar="HOST:PORT", help="Where Prometheus finds metrics.")
    add("--log-format", choices=("text", "json"), default="text", help="Of stderr; text.")
    add(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="From where on events are logged; warning.",
    )
    add("-q", "--quiet", action="store_true", help="No line on stdout when it is ready.")
    return parser


def serve(arguments: Sequence[str], folder: str = "") -> None:
    """Run the command until SIGTERM, SIGINT or SIGHUP.

    Args:
        arguments: words after `serve`.
        folder: of the log, if they name none.
    """
    given = build_parser().parse_args(arguments)

    from logcore.config_def import ConfigError
    from pylog.server import listener, logs
    from pylog.server.config import ServerConfig, read_properties_file
    from pylog.server.listener_config import MAX_PORT

    logs.configure(as_json=given.log_format == "json", level=given.log_level)
    if given.port is not None and not 0 <= given.port <= MAX_PORT:
        raise CommandError(f"--port {given.port}: ports go from 0 to {MAX_PORT}", exit_code=2)
    listen = [
        *(given.listen or []),
        *([f"127.0.0.1:{given.port}"] if given.port is not None else []),
    ]
    try:
        properties = read_properties_file(given.props) if given.props else {}
        config = ServerConfig(
            properties | _parse_pairs(given.override),
            listen=listen,
            advertised=given.advertised or (),
            node_count=given.brokers,
            is_insecure=given.insecure,
            metrics_address=given.metrics or None,
        )
        path = (
            given.folder
            or given.dir
            or folder
            or config.folder
            or os.environ.get("PYLOG_DIR")
            or DEFAULT_FOLDER
        )
    except ConfigError as error:
        raise CommandError(str(error), exit_code=2) from error
    if path == MEMORY:
        raise CommandError(
            f"{MEMORY} is for pylog.testing.Server; pylog serve needs a folder, which may be of a "
            "file system in memory, such as one in /dev/shm",
            exit_code=2,
        )

    def on_ready(ready: listener.Listener) -> None:
        if not given.quiet:
            addresses = ",".join(f"{host}:{number}" for host, number in ready.addresses)
            console.out(f"Serving {path} on {addresses}; Ctrl-C ends it.")
            console.flush()

    _raise_file_limit()
    listener.serve(path, config, on_ready)


def _raise_file_limit() -> None:
    """Have as many files open as the process may: what Java does for Kafka by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # the kernel's own limit may be lower
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _parse_pairs(words: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise CommandError(f"--override {word!r} is not NAME=VALUE", exit_code=2)
        pairs[name.strip()] = value.strip()
    return pairs
