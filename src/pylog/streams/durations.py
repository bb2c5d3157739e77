"""One way to say how long: int ms, a timedelta, or text like "10s"."""

import re
from datetime import timedelta

Duration = int | str | timedelta

# Java's Long.MAX_VALUE: "for ever" in Kafka's formats and configurations.
MAX_MS = 2**63 - 1

_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)\s*")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def to_ms(duration: Duration, name: str = "duration") -> int:
    """Turn a duration into milliseconds.

    Args:
        duration: int ms, a timedelta, or a number and a unit: "500ms", "10s", "1m", "1.5h", "2d".
        name: what it is for, for the error.

    Returns:
        Milliseconds; what is finer is cut off, as Kafka does. May be negative.

    Raises:
        TypeError: it is something else.
        ValueError: the text is no duration, or it is longer than 2**63 - 1 ms.
    """
    if isinstance(duration, bool):
        raise TypeError(f"{name} is int ms, a timedelta or text like '10s', not {duration!r}")
    if isinstance(duration, int):
        milliseconds = duration
    elif isinstance(duration, timedelta):
        milliseconds = duration // timedelta(milliseconds=1)
    elif isinstance(duration, str):
        milliseconds = _parse(duration, name)
    else:
        raise TypeError(f"{name} is int ms, a timedelta or text like '10s', not {duration!r}")
    if abs(milliseconds) > MAX_MS:
        raise ValueError(f"{name} is longer than {MAX_MS} ms: {duration!r}")
    return milliseconds


def _parse(text: str, name: str) -> int:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{name} is a number and one of ms, s, m, h, d, as in '500ms' or '10s', not {text!r}"
        )
    number, unit = match.groups()
    if "." in number:
        return int(float(number) * _UNIT_MS[unit])
    return int(number) * _UNIT_MS[unit]
