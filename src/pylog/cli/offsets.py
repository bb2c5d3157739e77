"""`-o` of `pylog consume`: where to start and where to stop, in kcat's words.

beginning | end | N | -N (from the end) | s@MS (start at a time) | e@MS (stop before a time)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import typer

OFFSET_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """What the `-o` options ask for.

    Args:
        kind: how `value` is meant; "beginning" and "end" have none.
        value: an offset, a count back from the end, or a time in ms.
        stop_timestamp_ms: messages from this time on are not wanted; None for no stop.
    """

    kind: Literal["beginning", "end", "offset", "tail", "timestamp"] = "beginning"
    value: int = 0
    stop_timestamp_ms: int | None = None


def parse_offsets(words: Iterable[str] | None) -> OffsetRange:
    """Return the range that the `-o` words describe; without any, everything.

    Raises:
        typer.BadParameter: a word that is none of the forms, or is out of range.

    >>> parse_offsets(["-5"])
    OffsetRange(kind='tail', value=5, stop_timestamp_ms=None)
    >>> parse_offsets(["s@1000", "e@2000"])
    OffsetRange(kind='timestamp', value=1000, stop_timestamp_ms=2000)
    """
    kind: Literal["beginning", "end", "offset", "tail", "timestamp"] = "beginning"
    value = 0
    stop_timestamp_ms: int | None = None
    for word in words or ():
        if word in ("beginning", "earliest", "smallest"):
            kind, value = "beginning", 0
        elif word in ("end", "latest", "largest"):
            kind, value = "end", 0
        elif word == "stored":
            raise _bad(
                word, "is for consumer groups: pylog cat -G GROUP TOPIC goes on where its group is"
            )
        elif word.startswith("s@"):
            kind, value = "timestamp", _whole_number(word, word[2:])
        elif word.startswith("e@"):
            stop_timestamp_ms = _whole_number(word, word[2:])
        elif word.startswith("-"):
            kind, value = "tail", _whole_number(word, word[1:])
        else:
            kind, value = "offset", _whole_number(word, word)
    return OffsetRange(kind, value, stop_timestamp_ms)


def _whole_number(word: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise _bad(word, "is not one of: beginning, end, N, -N, s@MS, e@MS")
    number = int(digits) if len(digits) <= 20 else OFFSET_MAX + 1
    if number > OFFSET_MAX:
        raise _bad(word, f"is more than {OFFSET_MAX}")
    return number


def _bad(word: str, reason: str) -> typer.BadParameter:
    return typer.BadParameter(f"{word} {reason}", param_hint="-o")
