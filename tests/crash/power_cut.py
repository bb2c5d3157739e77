"""What a disk may hold after a power cut, from a trace of what a program did to its files.

The trace (faults.c) is replayed on a model of a disk that promises no more than POSIX does: bytes
are there once their file was synced, names once their folder was. Of the rest any part may be
there: any subset of the 512-byte sectors (a missing one holds what was there before, or zeros), a
longer file without its bytes, a rename or a new name that did not happen, in order or not.
Source: ALICE (OSDI '14), SQLite's crash tests (method).
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the trace: write, create, truncate, sync, rename, link, unlink, mkdir, note."""

    kind: str
    path: str
    other: str
    number: int
    data: bytes


def read_trace(path: Path, folder: Path) -> Iterator[Step]:
    """The steps, with paths relative to the folder; "" is the folder itself."""
    trace = path.read_bytes()
    prefix = len(os.path.realpath(folder)) + 1
    at = 0
    while at < len(trace):
        end = trace.index(b"\n", at)
        kind, *numbers = trace[at:end].split()
        sizes = [int(number) for number in numbers]
        at = end + 1
        name, other = trace[at : at + sizes[0]], trace[at + sizes[0] : at + sizes[0] + sizes[1]]
        at += sizes[0] + sizes[1]
        data = trace[at : at + sizes[3]]
        at += sizes[3]
        yield Step(kind.decode(), name.decode()[prefix:], other.decode()[prefix:], sizes[2], data)


@dataclass(eq=False, slots=True)
class File:
    """Bytes on the disk, and the writes and truncations (size, None) that are not there yet."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """Everything is on the disk."""
        for position, data in self.pending:
            self.durable = _applied(self.durable, position, data)
        self.pending.clear()

    def after_cut(self, chance: random.Random) -> bytes:
        """What may be found: each sector, and the size, as at some moment since the last sync."""
        count = len(self.pending)
        share = chance.choice([0.0, 0.1, 0.5, 0.9, 1.0])

        def moment() -> int:
            return (
                count if chance.random() < share else chance.choice([0, chance.randint(0, count)])
            )

        size = len(self.durable)
        for position, data in self.pending[: moment()]:
            size = position if data is None else max(size, position + len(data))
        content = self.durable[:size].ljust(size, b"\0")
        for begin in range(0, size, SECTOR_BYTES):
            end = min(begin + SECTOR_BYTES, size)
            for position, data in self.pending[: moment()]:
                if data is None:
                    first = min(max(begin, position), end)
                    content[first:end] = bytes(end - first)
                elif position < end and position + len(data) > begin:
                    first, last = max(begin, position), min(end, position + len(data))
                    content[first:last] = data[first - position : last - position]
        return bytes(content)


def _applied(content: bytearray, position: int, data: bytes | None) -> bytearray:
    if len(content) < position:
        content.extend(bytes(position - len(content)))
    if data is None:
        return content[:position]
    content[position : position + len(data)] = data
    return content


class Disk:
    """The folder as the program sees it, and as the disk has it."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.folders: set[str] = set()
        self.durable_files: dict[str, File] = {}
        self.durable_folders: set[str] = set()
        self.pending: list[tuple[str, str, str, File | None]] = []

    def do(self, step: Step) -> None:
        """Follow the program one step."""
        if step.kind == "w":
            self._file(step.path).pending.append((step.number, step.data))
        elif step.kind == "t":
            self._file(step.path).pending.append((step.number, None))
        elif step.kind == "c":
            file = self.files[step.path] = File()
            self.pending.append(("add", "", step.path, file))
        elif step.kind == "m":
            self.folders.add(step.path)
            self.pending.append(("mkdir", "", step.path, None))
        elif step.kind in "rl":
            file = self.files[step.path]
            if step.kind == "r":
                del self.files[step.path]
            self.files[step.other] = file
            self.pending.append(("add", step.path if step.kind == "r" else "", step.other, file))
        elif step.kind == "u":
            if self.files.pop(step.path, None) is None:
                self.folders.discard(step.path)
            self.pending.append(("remove", step.path, "", None))
        elif step.kind == "s":
            self._sync(step.path)

    def _file(self, path: str) -> File:
        return self.files.get(path) or File()  # one that was unlinked and is still open

    def _sync(self, path: str) -> None:
        if path in self.files:
            self.files[path].sync()
            return
        kept = []
        for change in self.pending:
            if path in {os.path.dirname(name) for name in change[1:3] if name}:
                _rename(change, self.durable_files, self.durable_folders)
            else:
                kept.append(change)
        self.pending = kept

    def after_cut(self, chance: random.Random) -> tuple[set[str], dict[str, bytes]]:
        """Folders, and files by name, as they may be found."""
        files, folders = dict(self.durable_files), set(self.durable_folders)
        share = chance.choice([0.0, 0.5, 1.0])
        is_in_order = chance.random() < 0.5
        for change in self.pending:
            if chance.random() < share:
                _rename(change, files, folders)
            elif is_in_order:
                break
        found = {
            name: file.after_cut(chance)
            for name, file in files.items()
            if all(str(parent) in folders for parent in list(Path(name).parents)[:-1])
        }
        return folders, found


def _rename(
    change: tuple[str, str, str, File | None], files: dict[str, File], folders: set[str]
) -> None:
    kind, old, new, file = change
    if kind == "mkdir":
        folders.add(new)
        return
    if old:
        files.pop(old, None)
        folders.discard(old)
    if file is not None:
        files[new] = file


def build(root: Path, folders: set[str], files: dict[str, bytes]) -> None:
    """Make it so under `root`."""
    for folder in sorted(folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / name).write_bytes(content)
