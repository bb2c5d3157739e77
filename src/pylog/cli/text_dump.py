"""The text files of a partition: leader epochs, topic id, the checksums of a sealed segment."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pylog.cli import console
from pylog.cli.log_dump import base_offset_of

if TYPE_CHECKING:
    from pylog.cli.dump import DumpOptions

_TEXT_BYTES_MAX = 1 << 20


def dump_leader_epochs(path: Path, options: "DumpOptions") -> list[str]:
    """Print a leader-epoch-checkpoint; return what is wrong with it."""
    from logcore import leader_epochs
    from logcore.errors import LogError

    try:
        entries = leader_epochs.read(str(path))
    except (LogError, ValueError) as exc:
        return [f"{path}: {exc}"]
    for epoch, start_offset in entries:
        if options.json_output:
            console.out(json.dumps({"epoch": epoch, "start_offset": start_offset}))
        else:
            console.out(f"epoch: {epoch} startOffset: {start_offset}")
    return []


def dump_text(path: Path, options: "DumpOptions") -> list[str]:
    """Print a small text file of `name: value` or `name=value` lines; return what is wrong."""
    data = path.read_bytes()
    if len(data) > _TEXT_BYTES_MAX:
        return [f"{path}: {len(data)} bytes are too many for this kind of file"]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return [f"{path}: not a text file"]
    if options.json_output:
        console.out(json.dumps({"file": str(path), "lines": text.splitlines()}))
        return []
    for line in text.splitlines():
        console.out(line if line.isprintable() else ascii(line))
    return []


def dump_sum(path: Path, options: "DumpOptions") -> list[str]:
    """Print the checksums of a sealed segment and compare the .log beside them."""
    from logcore import seal
    from logcore.errors import LogError

    problems = dump_text(path, options)
    if problems:
        return problems
    if not path.with_suffix(".log").exists():
        return [f"{path}: the segment it belongs to is not beside it"]
    try:
        seal.verify(str(path.parent), base_offset_of(path))
    except LogError as exc:
        return [str(exc)]
    if not options.json_output:
        console.out("The .log beside it matches.")
    return []
