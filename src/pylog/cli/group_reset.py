"""Where `pylog groups reset-offsets` sets a group's offsets to.

Kafka's rules: offsets outside of a partition become its first or last one; a time after the last
record becomes the end; a shift needs a committed offset. Source: Kafka OffsetsUtils.
"""

import datetime
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from pylog.cli import console
from pylog.cli.failures import CommandError
from pylog.cli.offsets import OFFSET_MAX

if TYPE_CHECKING:
    from logcore.log import Log

Partition = tuple[str, int]

_DURATION = re.compile(
    r"([+-])?P(?:([+-]?\d+)D)?(?:T(?:([+-]?\d+)H)?(?:([+-]?\d+)M)?(?:([+-]?\d+(?:\.\d{0,9})?)S)?)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to: a kind, and its number: an offset, a shift, or a time in ms."""

    kind: str
    number: int = 0


def parse_target(
    to_earliest: bool, to_latest: bool, to_current: bool, to_offset: int | None,
    shift_by: int | None, to_datetime: str | None, by_duration: str | None,
) -> Target:  # fmt: skip
    """The one target that was given.

    Raises:
        typer.BadParameter: none, several, or one that cannot be read.
    """
    given: dict[str, Callable[[], Target]] = {}
    if to_earliest:
        given["--to-earliest"] = lambda: Target("earliest")
    if to_latest:
        given["--to-latest"] = lambda: Target("latest")
    if to_current:
        given["--to-current"] = lambda: Target("current")
    if to_offset is not None:
        given["--to-offset"] = lambda: Target("offset", to_offset)
    if shift_by is not None:
        given["--shift-by"] = lambda: Target("shift", shift_by)
    if to_datetime is not None:
        given["--to-datetime"] = lambda: Target("timestamp", parse_datetime(to_datetime))
    if by_duration is not None:
        given["--by-duration"] = lambda: Target(
            "timestamp", time.time_ns() // 1_000_000 - parse_duration(by_duration)
        )
    if len(given) != 1:
        what = " and ".join(given) if given else "none of them"
        raise typer.BadParameter(
            "say where to with one of --to-earliest, --to-latest, --to-current, --to-offset, "
            f"--shift-by, --to-datetime, --by-duration; {what} was given",
            param_hint="reset-offsets",
        )
    (parse,) = given.values()
    return parse()


def parse_datetime(word: str) -> int:
    """Milliseconds since 1970 of YYYY-MM-DDTHH:MM[:SS[.sss]][zone]; UTC where no zone is given.

    >>> parse_datetime("1970-01-01T00:00:01.500"), parse_datetime("1970-01-01T01:00:00+01:00")
    (1500, 0)
    """
    try:
        if "T" not in word.upper():
            raise ValueError("there is no T between date and time")
        moment = datetime.datetime.fromisoformat(word)
    except ValueError as error:
        raise typer.BadParameter(
            f"{word!r} is not of the form YYYY-MM-DDTHH:MM:SS.sss, with or without a zone: {error}",
            param_hint="--to-datetime",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    since = moment - datetime.datetime.fromtimestamp(0, datetime.UTC)
    return since // datetime.timedelta(milliseconds=1)


def parse_duration(word: str) -> int:
    """Milliseconds of an ISO 8601 duration, as Java's Duration.parse reads it.

    >>> parse_duration("P1DT2H"), parse_duration("PT0.25S"), parse_duration("-PT1M")
    (93600000, 250, -60000)
    """
    match = _DURATION.fullmatch(word)
    parts = match.groups() if match else ()
    if not match or not any(parts[1:]) or word.upper().endswith("T"):
        raise typer.BadParameter(
            f"{word!r} is not a duration such as P7D, PT1H30M or P1DT12H",
            param_hint="--by-duration",
        )
    sign, days, hours, minutes, seconds = parts
    milliseconds = round(float(seconds or 0) * 1000)
    milliseconds += 1000 * (
        86400 * int(days or 0) + 3600 * int(hours or 0) + 60 * int(minutes or 0)
    )
    return -milliseconds if sign == "-" else milliseconds


def new_offsets(
    logs: Mapping[Partition, "Log"], committed: Mapping[Partition, int], target: Target
) -> dict[Partition, int]:
    """The new offset of each partition.

    Raises:
        CommandError: a shift where nothing is committed.
    """
    return {
        partition: _new_offset(partition, logs[partition], committed.get(partition), target)
        for partition in sorted(logs)
    }


def _new_offset(partition: Partition, log: "Log", committed: int | None, target: Target) -> int:
    if target.kind == "earliest":
        return log.log_start_offset
    if target.kind == "latest":
        return log.log_end_offset
    if target.kind == "current":
        return log.log_end_offset if committed is None else committed
    if target.kind == "timestamp":
        found = log.offset_for_timestamp(target.number)
        return log.log_end_offset if found is None else found[0]
    if target.kind == "offset":
        return _within(partition, log, target.number)
    if committed is None:
        raise CommandError(
            f"{partition[0]} [{partition[1]}]: cannot be shifted: the group has no offset there"
        )
    return _within(partition, log, min(committed + target.number, OFFSET_MAX))


def _within(partition: Partition, log: "Log", offset: int) -> int:
    name = f"{partition[0]} [{partition[1]}]"
    first, last = log.log_start_offset, log.log_end_offset
    if offset > last:
        console.note(f"% {name}: offset {offset} is higher than the last one; set to {last}")
        return last
    if offset < first:
        console.note(f"% {name}: offset {offset} is lower than the first one; set to {first}")
        return first
    return offset
