"""The settings of config_table.py as objects, each of which reads its value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pylog.streams import config_table, serdes
from pylog.streams.durations import MAX_MS, to_ms
from pylog.streams.error_handlers import as_handler
from pylog.streams.errors import StreamsConfigError
from pylog.streams.serde import Serde

_BOOLS = {"true": True, "false": False}
_NO_OPTIMIZATION = "none"
_ALL_OPTIMIZATIONS = "all"


@dataclass(frozen=True, slots=True)
class Setting:
    """One property.

    Attributes:
        name: dotted.
        kind: how its value is read.
        default: typed, None where there is none.
        allowed: range `low..high` or comma-separated words, "" when anything will do.
    """

    name: str
    kind: str
    default: Any
    allowed: str

    def parse(self, value: Any) -> Any:
        """Return a value as this property's type.

        Raises:
            StreamsConfigError: it is none.
        """
        return _PARSERS[self.kind](self, value)

    def refuse(self, value: Any, wanted: str) -> StreamsConfigError:
        """Return the error that says what is wanted."""
        return StreamsConfigError(f"{self.name} is {wanted}, not {value!r}")


def _in_range(setting: Setting, number: int, value: Any) -> int:
    low, high = setting.allowed.split("..")
    if number < int(low) or number > int(high or MAX_MS):
        raise setting.refuse(value, f"{low} to {high}" if high else f"at least {low}")
    return number


def _parse_int(setting: Setting, value: Any) -> int:
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
        return _in_range(setting, int(value), value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise setting.refuse(value, "a whole number")
    return _in_range(setting, value, value)


def _parse_ms(setting: Setting, value: Any) -> int:
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
        return _in_range(setting, int(value), value)
    try:
        duration_ms = to_ms(value, setting.name)
    except (TypeError, ValueError) as error:
        raise StreamsConfigError(str(error)) from None
    return _in_range(setting, duration_ms, value)


def _parse_bool(setting: Setting, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _BOOLS:
        return _BOOLS[value.strip().lower()]
    raise setting.refuse(value, "true or false")


def _parse_str(setting: Setting, value: Any) -> str:
    if hasattr(value, "__fspath__"):
        value = value.__fspath__()
    if not isinstance(value, str):
        raise setting.refuse(value, "text")
    return value


def _parse_enum(setting: Setting, value: Any) -> str:
    allowed = {word.lower(): word for word in setting.allowed.split(",")}
    word = allowed.get(str(value).strip().lower())
    if word is None:
        raise setting.refuse(value, f"one of {setting.allowed.replace(',', ', ')}")
    return config_table.SAME_VALUES.get((setting.name, word), word)


def _parse_optimization(setting: Setting, value: Any) -> frozenset[str]:
    if isinstance(value, frozenset):
        value = ",".join(sorted(value)) or _NO_OPTIMIZATION  # parsed before
    allowed = setting.allowed.split(",")
    words = {word.strip() for word in str(value).split(",")}
    unknown = sorted(words - set(allowed))
    alone = words & {_NO_OPTIMIZATION, _ALL_OPTIMIZATIONS}
    if unknown or (alone and len(words) > 1):
        raise setting.refuse(value, f"none, all, or some of {', '.join(allowed[2:])}")
    if _NO_OPTIMIZATION in words:
        return frozenset()
    return frozenset(allowed[2:] if _ALL_OPTIMIZATIONS in words else words)


def _last_name(value: str) -> str:
    """The last part of a Java class's name: of org...Serdes$StringSerde, StringSerde."""
    return value.strip().rsplit(".", 1)[-1].rsplit("$", 1)[-1]


def _parse_serde(setting: Setting, value: Any) -> Serde:
    serde = value
    if isinstance(value, str):
        name = _last_name(value)
        name = config_table.JAVA_SERDES.get(name, name)
        serde = None if name.startswith("_") else getattr(serdes, name, None)
    elif isinstance(value, type) and issubclass(value, Serde):
        serde = value()
    if not isinstance(serde, Serde):
        raise setting.refuse(value, "a Serde, such as serdes.string, or the name of one")
    return serde


def _parse_extractor(setting: Setting, value: Any) -> Any:
    if isinstance(value, str):
        from pylog.streams import timestamp_extractors  # they are nodes of the engine

        value = getattr(timestamp_extractors, _last_name(value), value)
    if isinstance(value, type):
        value = value()
    if not callable(value) and not hasattr(value, "extract"):
        raise setting.refuse(value, "a timestamp extractor, or the name of one")
    return value


def _parse_handler(setting: Setting, value: Any) -> Any:
    if isinstance(value, str):
        name = _last_name(value)
        value = config_table.JAVA_HANDLERS.get(name, name)
    return as_handler(value, setting.name)


def _parse_wrapper(setting: Setting, value: Any) -> Any:
    wrapper = getattr(value, "wrap", value)
    if not callable(wrapper):
        raise setting.refuse(value, "a function of a node's name and its process function")
    return wrapper


_PARSERS: dict[str, Callable[[Setting, Any], Any]] = {
    "bool": _parse_bool,
    "enum": _parse_enum,
    "extractor": _parse_extractor,
    "handler": _parse_handler,
    "int": _parse_int,
    "ms": _parse_ms,
    "optimization": _parse_optimization,
    "serde": _parse_serde,
    "str": _parse_str,
    "wrapper": _parse_wrapper,
}


def _read_table(text: str) -> dict[str, Setting]:
    table = {}
    for row in text.strip().splitlines():
        name, kind, default, allowed = row.split()
        setting = Setting(name, kind, None, "" if allowed == "-" else allowed)
        if default != "-":
            setting = Setting(name, kind, setting.parse(default), setting.allowed)
        table[name] = setting
    return table


SETTINGS = _read_table(config_table.SETTINGS)
