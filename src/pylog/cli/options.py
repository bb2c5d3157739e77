"""Options that several commands share: the folder, the topic, `name=value` pairs."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from pylog.cli import DEFAULT_FOLDER as DEFAULT_FOLDER
from pylog.cli.failures import CommandError

FOLDER_HELP = "Folder of the log; else $PYLOG_DIR, else ./pylog-data."


def resolve_folder(context: typer.Context, value: str) -> str:
    """Return the folder meant: the nearest --dir, else $PYLOG_DIR, else ./pylog-data."""
    level: Any = context
    while not value and level is not None:
        value = level.params.get("folder") or ""
        level = level.parent
    return str(value) or os.environ.get("PYLOG_DIR", "") or DEFAULT_FOLDER


FolderOption = Annotated[
    str,
    typer.Option(
        "--dir", metavar="DIR", help=FOLDER_HELP, callback=resolve_folder, show_default=False
    ),
]

PropertiesOption = Annotated[
    list[str] | None,
    typer.Option(
        "-X",
        metavar="NAME=VALUE",
        help="Client configuration property, by its Kafka name; may be repeated.",
        show_default=False,
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def print_version(value: bool) -> None:
    """Answer --version, before anything else is looked at."""
    if value:
        from pylog.cli import console

        console.out(f"pylog {installed_version()}")
        raise typer.Exit


def global_options(
    folder: Annotated[
        str, typer.Option("--dir", metavar="DIR", help=FOLDER_HELP, show_default=False)
    ] = "",
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Options before the command; the folder is picked up by `resolve_folder`."""


def installed_version() -> str:
    """Return the version of the installed distribution."""
    from importlib import metadata

    try:
        return metadata.version("pylog-stream")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def require_folder(folder: str) -> Path:
    """Return `folder` if it exists; a command that only reads must not create one.

    Raises:
        CommandError: there is no such folder, or it is a file.
    """
    path = Path(folder)
    try:
        if path.is_dir():
            return path
        exists = path.exists()
    except ValueError as exc:
        raise CommandError(f"--dir {folder!r} is not a path: {exc}", exit_code=2) from exc
    if exists:
        raise CommandError(f"{folder} is a file, not the folder of a log")
    raise CommandError(
        f"{folder}: no such folder; name the folder of the log with --dir or PYLOG_DIR"
    )


def is_writable(folder: str) -> bool:
    """Return whether `folder` can be written to, or made; a snapshot or read-only mount cannot."""
    path = Path(folder).absolute()
    while not path.exists():
        path = path.parent
    return os.access(path, os.W_OK)


def parse_pairs(pairs: Iterable[str] | None, option: str) -> dict[str, str]:
    """Return `name=value` words as a dict; the last of equal names wins.

    Raises:
        typer.BadParameter: a word without `=` or without a name.

    >>> parse_pairs(["retention.ms=1", "a=b=c"], "-c")
    {'retention.ms': '1', 'a': 'b=c'}
    """
    properties: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{pair!r} is not of the form NAME=VALUE", param_hint=option)
        properties[name.strip()] = value.strip()
    return properties


def one_topic(argument: str | None, option: str | None) -> str:
    """Return the topic given as a word or, as kcat has it, with -t.

    Raises:
        typer.BadParameter: neither, or two different ones.
    """
    if argument and option and argument != option:
        raise typer.BadParameter(f"two topics given: {argument} and {option}", param_hint="TOPIC")
    topic = argument or option
    if not topic:
        raise typer.BadParameter("name a topic", param_hint="TOPIC")
    return topic
