"""What the commands print with: lines, notes, tables, progress, numbers for people.

stdout carries the answer, stderr everything else. Without a terminal there are no colours and no
progress bars, and tables keep their full width. rich is imported at the first table or bar.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

PIPE_WIDTH = 200
"""Columns for a table nobody's window limits."""


def out(line: str = "") -> None:
    """Print a line on stdout."""
    sys.stdout.write(line + "\n")


def flush() -> None:
    """Let what was printed be seen now, where stdout is a pipe."""
    sys.stdout.flush()


def out_json(value: Any) -> None:
    """Print `value` as JSON on stdout, indented for a terminal and on one line for a program."""
    indent = 2 if is_terminal(sys.stdout) else None
    out(json.dumps(value, indent=indent, ensure_ascii=False))


def note(line: str) -> None:
    """Print a remark on stderr; it must never be the reason that a command fails."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def is_terminal(stream: Any) -> bool:
    """Return whether `stream` is a terminal; a closed one is not."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    numbers: Sequence[int] = (),
    styles: Mapping[int, str] | None = None,
) -> None:
    """Print a table on stdout.

    Args:
        columns: headings.
        rows: cells as plain text; nothing in them is taken for markup.
        title: a line above the table.
        numbers: indexes of the columns to align right.
        styles: rich style of a row, by its index, seen on a terminal only.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        grid.add_column(
            Text(column),
            justify="right" if index in numbers else "left",
            no_wrap=index in numbers,
            overflow="fold",
        )
    for index, row in enumerate(rows):
        grid.add_row(*(Text(cell) for cell in row), style=(styles or {}).get(index))
    width = None if is_terminal(sys.stdout) else PIPE_WIDTH
    sys.stdout.flush()
    terminal = Console(file=sys.stdout, width=width, highlight=False)
    if width is None:
        terminal.print(grid)
        return
    # rich pads every line to the column widths; a program that reads us should not see that.
    with terminal.capture() as captured:
        terminal.print(grid)
    for line in captured.get().splitlines():
        out(line.rstrip())


class Progress(Protocol):
    """What a long command tells about how far it is."""

    def advance(self, count: float) -> None:
        """Say that `count` more are done."""

    def extend(self, count: float) -> None:
        """Say that `count` more are to be done."""

    def describe(self, text: str) -> None:
        """Replace the words beside the bar."""


class _Silence:
    def advance(self, count: float) -> None:
        pass

    def extend(self, count: float) -> None:
        pass

    def describe(self, text: str) -> None:
        pass


class _Bar:
    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task

    def advance(self, count: float) -> None:
        self._bar.advance(self._task, count)

    def extend(self, count: float) -> None:
        (task,) = (task for task in self._bar.tasks if task.id == self._task)
        self._bar.update(self._task, total=(task.total or 0) + count)

    def describe(self, text: str) -> None:
        self._bar.update(self._task, description=text)


@contextmanager
def progress(text: str, total: float | None, *, quiet: bool = False) -> Iterator[Progress]:
    """Show a bar on stderr while the body runs, if stderr is a terminal.

    Args:
        text: words left of the bar.
        total: steps in all; None when nobody knows, then it only shows that something happens.
        quiet: no bar in any case.
    """
    if quiet or not is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
        yield _Silence()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    bar = RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # The answer goes to stdout untouched, whatever the bar does on stderr.
        redirect_stdout=False,
    )
    with bar:
        yield _Bar(bar, bar.add_task(text, total=total))


def terminal_width() -> int:
    """Return the width of the window in columns."""
    return shutil.get_terminal_size((80, 24)).columns


def count_text(number: float) -> str:
    """Return a whole number with separators.

    >>> count_text(336776)
    '336,776'
    """
    return f"{round(number):,}"


def bytes_text(size_bytes: float) -> str:
    """Return a size with three digits and a binary unit.

    >>> bytes_text(512), bytes_text(1536), bytes_text(5_242_880)
    ('512 B', '1.50 KiB', '5.00 MiB')
    """
    if size_bytes < 1024:
        return f"{round(size_bytes)} B"
    for unit in ("KiB", "MiB", "GiB"):
        size_bytes /= 1024
        if size_bytes < 1024:
            return f"{size_bytes:.{2 if size_bytes < 10 else 1 if size_bytes < 100 else 0}f} {unit}"
    return f"{size_bytes / 1024:.2f} TiB"


def rate_text(per_second: float, unit: str = "records/s") -> str:
    """Return a rate with three digits.

    >>> rate_text(5_123_456), rate_text(87_654), rate_text(12.3)
    ('5.12 M records/s', '87.7 k records/s', '12.3 records/s')
    """
    for step, letter in ((1e9, "G "), (1e6, "M "), (1e3, "k ")):
        if per_second >= step:
            value = per_second / step
            digits = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{digits}f} {letter}{unit}"
    return f"{per_second:.{1 if per_second < 100 else 0}f} {unit}"


def folder_size_bytes(path: str | os.PathLike[str]) -> int:
    """Return the disk space of all files below `path`; files that vanish meanwhile count 0.

    Blocks are counted, not lengths: a reserved but unwritten tail is space too, a hole is not.
    """
    total = 0
    for parent, _folders, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except OSError:
                continue
    return total
