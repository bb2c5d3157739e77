"""Kinds of config: a name with a type, a default and a range, and how its value is read.

Values arrive as text (a file, a command line, an admin request) or as Python values, and leave as
text. The rules and the words of a refusal are Kafka's.

Source: Kafka 4.3 ConfigDef.parseType, ConfigDef.Range, ThrottledReplicaListValidator.
"""

import enum
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

ConfigValue: TypeAlias = bool | int | float | str | tuple[str, ...] | None

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1


class ConfigError(ValueError):
    """A config that is unknown or whose value is not allowed.

    Attributes:
        name: the config's dotted name as it was given.
        value: the value as it was given; None when the name is unknown.
        reason: what is wrong.
        suggestion: the known name nearest to an unknown one, or None.
    """

    def __init__(
        self, name: str, value: object = None, reason: str = "", suggestion: str | None = None
    ) -> None:
        super().__init__(name, value, reason, suggestion)
        self.name = name
        self.value = value
        self.reason = reason
        self.suggestion = suggestion

    def __str__(self) -> str:
        if self.reason:
            return f"Invalid value {self.value} for configuration {self.name}: {self.reason}"
        hint = f'. Did you mean "{self.suggestion}"?' if self.suggestion else ""
        return f"Unknown topic config name: {self.name}{hint}"


class ConfigType(enum.Enum):
    """Kafka's config types, as describe_configs reports them."""

    BOOLEAN = "BOOLEAN"
    INT = "INT"
    LONG = "LONG"
    DOUBLE = "DOUBLE"
    STRING = "STRING"
    LIST = "LIST"


Validator: TypeAlias = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class ConfigDef:
    """One config.

    Attributes:
        name: Kafka's dotted name.
        type: how its text is read.
        default: value when it is not set.
        doc: one line.
        valid_values: its range in words, "" when anything of the type will do.
        validator: returns what is wrong with a value of the type, or None.
        is_internal: for tests, not shown to users.
    """

    name: str
    type: ConfigType
    default: ConfigValue
    doc: str
    valid_values: str = ""
    validator: Validator | None = None
    is_internal: bool = False

    @property
    def field_name(self) -> str:
        """Name of the field of LogConfig: `segment.bytes` is `segment_bytes`."""
        return self.name.replace(".", "_")

    def parse(self, value: object) -> ConfigValue:
        """Return `value`, text or Python, as this config's type.

        Raises:
            ConfigError: it is not of the type, or not in the allowed range.
        """
        if value is None and self.default is None:
            return None
        parsed = _PARSERS[self.type](self, value)
        fault = self.validator(parsed) if self.validator else None
        if fault is not None:
            raise ConfigError(self.name, value, fault)
        return parsed

    def format(self, value: ConfigValue) -> str:
        """Return `value` as Kafka writes it: `true`, `0.5`, `compact,delete`."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            return ",".join(value)
        return "" if value is None else str(value)


# ---- reading ------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[+-]?[0-9]+")
_THROTTLED_REPLICA = re.compile(r"[0-9]+:[0-9]+")


def _parse_boolean(config: ConfigDef, value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    if text not in ("true", "false"):
        raise ConfigError(config.name, value, "Expected value to be either true or false")
    return text == "true"


def _parse_integer(config: ConfigDef, value: object) -> int:
    limit = INT_MAX if config.type is ConfigType.INT else LONG_MAX
    number = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and len(value) < 64 and _INTEGER.fullmatch(value.strip()):
        number = int(value)
    if number is None or not -limit - 1 <= number <= limit:
        raise ConfigError(config.name, value, f"Not a number of type {config.type.value}")
    return number


def _parse_double(config: ConfigDef, value: object) -> float:
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not math.isfinite(number):
        raise ConfigError(config.name, value, "Not a number of type DOUBLE")
    return number


def _parse_string(config: ConfigDef, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(config.name, value, "Expected value to be a string")
    return value.strip()


def _parse_list(config: ConfigDef, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        parts = value.split(",") if value.strip() else []
    elif isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        parts = list(value)
    else:
        raise ConfigError(config.name, value, "Expected a comma-separated list")
    items = tuple(dict.fromkeys(part.strip() for part in parts))
    if "" in items:
        raise ConfigError(config.name, value, "Values must not be empty")
    return items


_PARSERS: dict[ConfigType, Callable[[ConfigDef, object], ConfigValue]] = {
    ConfigType.BOOLEAN: _parse_boolean,
    ConfigType.INT: _parse_integer,
    ConfigType.LONG: _parse_integer,
    ConfigType.DOUBLE: _parse_double,
    ConfigType.STRING: _parse_string,
    ConfigType.LIST: _parse_list,
}


# ---- ranges: (in words, check) ------------------------------------------------------------------

Range: TypeAlias = tuple[str, Validator]


def at_least(low: float) -> Range:
    """Numbers from `low` up."""
    return f"[{low},...]", lambda value: None if value >= low else f"Value must be at least {low}"


def between(low: float, high: float) -> Range:
    """Numbers from `low` to `high`, both allowed."""

    def check(value: float) -> str | None:
        if value < low:
            return f"Value must be at least {low}"
        return f"Value must be no more than {high}" if value > high else None

    return f"[{low},...,{high}]", check


def between_or(low: int, high: int, other: int) -> Range:
    """Numbers from `low` to `high`, and `other`."""

    def check(value: int) -> str | None:
        if value == other or low <= value <= high:
            return None
        return f"Value must be between {low} and {high} or equal to {other}"

    return f"[{low},...,{high}] or {other}", check


def one_of(*names: str) -> Range:
    """One of `names`, or a list of them."""

    def check(value: str | tuple[str, ...]) -> str | None:
        chosen = (value,) if isinstance(value, str) else value
        if all(name in names for name in chosen):
            return None
        return f"String must be one of: {', '.join(names)}"

    return f"[{', '.join(names)}]", check


def throttled_replicas() -> Range:
    """`*`, or pairs of partition and broker."""
    pattern = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."

    def check(value: tuple[str, ...]) -> str | None:
        if value == ("*",) or all(map(_THROTTLED_REPLICA.fullmatch, value)):
            return None
        return f"must be the literal '*' or a list of replicas in the following format: {pattern}"

    return pattern, check


def not_true(reason: str) -> Range:
    """False alone, and why."""
    return "[false]", lambda value: reason if value else None
