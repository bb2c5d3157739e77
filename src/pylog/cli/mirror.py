"""`pylog mirror`: topics from a folder to a cluster, back, or to another folder."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from pylog.cli import console, options
from pylog.cli.failures import CommandError

if TYPE_CHECKING:
    from pylog.mirror import Place

_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def mirror(
    source: Annotated[
        str, typer.Option("--from", metavar="DIR|HOST:PORT", help="Where the topics are.")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="DIR|HOST:PORT", help="Where they are copied to.")
    ],
    topics: Annotated[
        str,
        typer.Option("--topics", metavar="NAMES", help="Names and ^patterns, separated by commas."),
    ],
    groups: Annotated[
        str,
        typer.Option(
            "--groups",
            metavar="NAMES",
            help="Consumer groups whose offsets go along: ids and ^patterns.",
            show_default=False,
        ),
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    codec: Annotated[
        str, typer.Option("-z", metavar="CODEC", help=f"Compression: {', '.join(_CODECS)}.")
    ] = "none",
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "-X",
            metavar="NAME=VALUE",
            help="Property of librdkafka for a cluster; from.NAME or to.NAME for one of two.",
            show_default=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", help="No notes and no bar on stderr.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Copy topics with keys, headers, timestamps and partitions.

    It may be stopped at any moment and run again: it goes on where it was, without loss and without
    duplicates. Offsets of groups are translated to the target's.
    """
    from pylog.mirror import Mirror

    if codec not in _CODECS:
        raise typer.BadParameter(f"{codec!r} is none of {', '.join(_CODECS)}", param_hint="-z")
    given = options.parse_pairs(properties, "-X")
    places = [_place(source, "from.", given), _place(target, "to.", given)]
    if not places[0].is_cluster:
        options.require_folder(source)
    note = _silent if quiet else console.note
    with console.progress("mirroring", None if follow else 0, quiet=quiet) as bar:
        run = Mirror(
            places[0],
            places[1],
            _words(topics, "--topics"),
            _words(groups, "--groups") if groups else (),
            compression=codec,
            on_plan=_silent_int if follow else bar.extend,
            on_records=bar.advance,
            on_note=note,
        )
        outcome = run.run(follow)
    if as_json:
        console.out_json(vars(outcome))
    else:
        moved = f", {outcome.group_offsets} group offsets" if groups else ""
        note(f"{console.count_text(outcome.records)} records of {outcome.topics} topics{moved}")


def _silent(_: str) -> None:
    pass


def _silent_int(_: int) -> None:
    pass


def _place(text: str, prefix: str, given: dict[str, str]) -> "Place":
    from pylog.mirror import Place

    own = {
        name.removeprefix(prefix): value
        for name, value in given.items()
        if name.startswith(prefix) or not name.startswith(("from.", "to."))
    }
    if not text:
        raise CommandError(f"--{prefix[:-1]} is empty", exit_code=2)
    return Place.parse(text, own)


def _words(text: str, option: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise typer.BadParameter("name at least one", param_hint=option)
    for word in words:
        try:
            re.compile(word)
        except re.error as error:
            raise typer.BadParameter(
                f"{word!r} is not a pattern: {error}", param_hint=option
            ) from error
    return words
