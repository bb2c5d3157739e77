"""The functions of topologies in scripts; their names are those of the Java program."""

from typing import Any

from pylog.streams.keyed_function import with_key
from pylog.streams.window import Windowed


def _java(value: Any) -> str:
    return "null" if value is None else str(value)


def _text(value: Any) -> str | None:
    if isinstance(value, Windowed):
        return f"{_text(value.key)}@{value.window.start_ms}/{value.window.end_ms}"
    return None if value is None else str(value)


def text(key: Any, value: Any) -> tuple[str | None, str | None]:
    return _text(key), _text(value)


def textKey(key: Any, value: Any) -> str | None:  # noqa: N802
    return _text(key)


def append(key: Any, value: Any, aggregate: Any) -> str:
    return f"{_java(aggregate)}+{_java(value)}"


def remove(key: Any, value: Any, aggregate: Any) -> str:
    return f"{_java(aggregate)}-{_java(value)}"


def appendValue(aggregate: Any, value: Any) -> str:  # noqa: N802
    return f"{_java(aggregate)}+{_java(value)}"


def removeValue(aggregate: Any, value: Any) -> str:  # noqa: N802
    return f"{_java(aggregate)}-{_java(value)}"


def zero() -> str:
    return "0"


def bars(key: Any, left: Any, right: Any) -> str:
    return f"{_java(left)}|{_java(right)}"


def pair(left: Any, right: Any) -> str:
    return f"({_java(left)},{_java(right)})"


pairWithKey = with_key(lambda key, left, right: f"{_java(key)}:{pair(left, right)}")  # noqa: N816


def exclaim(value: Any) -> Any:
    return f"{_java(value)}!"


keyed = with_key(lambda key, value: f"{_java(key)}:{_java(value)}")


def twice(value: Any) -> list[str]:
    return [] if value is None else [f"{value}a", f"{value}b"]


def fan(key: Any, value: Any) -> list[tuple[Any, str]]:
    return [] if value is None else [(key, f"{value}a"), (fk(value), f"{value}b")]


def fk(*arguments: Any) -> str | None:
    value = arguments[-1]
    return None if value is None else chr(65 + ord(value[-1]) % 3)


def byFk(key: Any, value: Any) -> tuple[Any, Any]:  # noqa: N802
    return fk(value), value


def swap(key: Any, value: Any) -> tuple[Any, str]:
    return fk(value), f"{_java(value)}/{_java(key)}"


def keyOf(key: Any, value: Any) -> Any:  # noqa: N802
    return key


def lastEven(key: Any, value: Any) -> bool:  # noqa: N802
    return value is not None and ord(value[-1]) % 2 == 0


def lastThird(key: Any, value: Any) -> bool:  # noqa: N802
    return value is not None and ord(value[-1]) % 3 == 0


def isNull(key: Any, value: Any) -> bool:  # noqa: N802
    return value is None


def ignore(key: Any, value: Any) -> None:
    pass


def evenTopic(key: Any, value: Any, context: Any) -> str:  # noqa: N802
    return "out-even" if lastEven(key, value) else "out"


def firstPartition(topic: str, key: Any, value: Any, count: int) -> int:  # noqa: N802
    return 0
