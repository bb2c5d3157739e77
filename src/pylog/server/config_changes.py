"""Changes of configs: what a request says, checked; what was changed while a server ran, kept.

    <folder>/.server.configs       TYPE/NAME/CONFIG=VALUE, the name percent-encoded

Topics keep their own configs (LogDir). In that file are those of the brokers, one by one and all
together, and those of groups.

Source: Kafka ConfigAdminManager, ConfigurationControlManager.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from logcore.config import TOPIC_CONFIGS
from logcore.config_def import ConfigError, ConfigType
from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.server.config import broker_configs
from pylog.server.config_entries import (
    GROUP_CONFIGS,
    LEVELS,
    ROOT_LOGGER,
    ConfigResourceType,
    known_loggers,
)
from pylog.server.kept_file import KeptFile
from pylog.server.topic_defaults import topic_defaults

if TYPE_CHECKING:
    from pylog.server.broker import Broker

ALL_BROKERS = ""

Values = Mapping[str, str | None]
"""New values by name; None takes one back to its default."""


class Change(IntEnum):
    """What is to be done with a config."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


ConfigChanges = Sequence[tuple[str, int, str | None]]
"""Names, what is to be done (Change), and with which value."""


class KeptConfigs:
    """The configs of brokers and groups that were changed while a server ran.

    Args:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        self._found: dict[tuple[int, str], dict[str, str]] = {}
        self._file = KeptFile(path, self._take)

    def _take(self, table: Mapping[str, str]) -> None:
        found: dict[tuple[int, str], dict[str, str]] = {}
        for key, value in table.items():
            kind, _, rest = key.partition("/")
            name, slash, config_name = rest.partition("/")
            if kind.isdigit() and slash:
                found.setdefault((int(kind), unquote(name)), {})[config_name] = value
        self._found = found

    def refresh(self) -> bool:
        """Take up what another process has changed: True if one has."""
        return self._file.refresh()

    def get(self, kind: ConfigResourceType, name: str) -> Mapping[str, str]:
        """What was changed of a resource."""
        return self._found.get((kind, name), {})

    def names(self, kind: ConfigResourceType) -> list[str]:
        """The resources of a kind of which something was changed."""
        return sorted(name for known, name in self._found if known == kind)

    def change(
        self,
        kind: ConfigResourceType,
        name: str,
        change: Callable[[Mapping[str, str]], Mapping[str, str]],
        *,
        validate_only: bool,
    ) -> None:
        """Change what is kept of a resource. Waits for the disk.

        Args:
            kind: of the resource.
            name: of the resource.
            change: from what is kept of it now to what is to be; nobody else changes it meanwhile.
            validate_only: only let `change` say whether it could be.

        Raises:
            KafkaException: what `change` raises; then nothing has changed.
            OSError: it cannot be kept; likewise.
        """
        stem = f"{int(kind)}/{quote(name, safe='')}/"

        def edit(table: dict[str, str]) -> bool:
            current = {
                key.removeprefix(stem): value
                for key, value in table.items()
                if key.startswith(stem)
            }
            wanted = change(current)
            if validate_only or wanted == current:
                return False
            for key in current:
                del table[f"{stem}{key}"]
            table.update({f"{stem}{key}": value for key, value in wanted.items()})
            return True

        self._file.change(edit)


def check_changes(changes: ConfigChanges) -> None:
    """Refuse changes that make no sense together.

    Raises:
        KafkaException: INVALID_REQUEST.
    """
    names = [name for name, _, _ in changes]
    if len(set(names)) != len(names):
        refuse(KafkaError.INVALID_REQUEST, "Error due to duplicate config keys")
    nulls = [name for name, change, value in changes if change != Change.DELETE and value is None]
    if nulls:
        refuse(
            KafkaError.INVALID_REQUEST, f"Null value not supported for : {','.join(sorted(nulls))}"
        )
    for name, change, value in changes:
        if not Change.SET <= change <= Change.SUBTRACT:
            refuse(KafkaError.INVALID_REQUEST, f"Unknown operation {change} for {name}")
        if "=" in name or any(character < " " for character in f"{name}{value}"):
            refuse(
                KafkaError.INVALID_CONFIG, f"{name!r}: a line break or an equals sign in a config"
            )


def apply(
    current: Callable[[str], str | None], is_list: Callable[[str], bool], changes: ConfigChanges
) -> Values:
    """What changes amount to.

    Args:
        current: the value of a config now.
        is_list: whether a config is a list.
        changes: checked.

    Raises:
        KafkaException: INVALID_CONFIG, for an APPEND to what is no list.
    """
    values: dict[str, str | None] = {}
    for name, change, value in changes:
        if change == Change.SET:
            values[name] = value
        elif change == Change.DELETE:
            values[name] = None
        else:
            word = Change(change).name
            if not is_list(name):
                refuse(
                    KafkaError.INVALID_CONFIG,
                    f"Can't {word} to key {name} because its type is not LIST.",
                )
            members = _split(current(name) or "")
            named = _split(value or "")
            if change == Change.APPEND:
                members += [member for member in named if member not in members]
            else:
                members = [member for member in members if member not in named]
            values[name] = ",".join(members)
    return values


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def all_of(known: Mapping[str, str], changes: ConfigChanges) -> ConfigChanges:
    """Changes that set these and take back all others, as AlterConfigs wants it."""
    named = {name for name, _, _ in changes}
    return [
        *changes,
        *((name, int(Change.DELETE), None) for name in known if name not in named),
    ]


# ---- topics ----


def change_topic(
    broker: "Broker", name: str, changes: ConfigChanges, *, validate_only: bool, is_whole: bool
) -> None:
    """Change configs of a topic. Waits for the disk.

    Args:
        broker: whose topic it is.
        name: of the topic.
        changes: what to change.
        validate_only: only say whether it could be.
        is_whole: what is not named is taken back.

    Raises:
        KafkaException: UNKNOWN_TOPIC_OR_PART, INVALID_CONFIG, INVALID_REQUEST.
    """
    if not name:
        refuse(KafkaError.INVALID_REQUEST, "Default topic resources are not allowed.")
    check_changes(changes)
    defaults = topic_defaults(broker.config)

    def change(current: Mapping[str, str]) -> Values:
        wanted = all_of(current, changes) if is_whole else changes
        values = apply(lambda key: _topic_value(current, key), _is_topic_list, wanted)
        for key in values:
            if key not in TOPIC_CONFIGS and key not in current and values[key] is not None:
                refuse(KafkaError.INVALID_CONFIG, f"Unknown topic config name: {key}")
        return {
            key: defaults.get(key) if value is None else value
            for key, value in values.items()
            if value is not None or key in current
        }

    if name not in broker.log_dir.topic_table():
        broker.log_dir.topic(name)  # says what is wrong with it
    broker.log_dir.alter_configs(name, change, validate_only=validate_only)


def _topic_value(current: Mapping[str, str], name: str) -> str | None:
    definition = TOPIC_CONFIGS.get(name)
    if name in current or definition is None:
        return current.get(name)
    return definition.format(definition.default)


def _is_topic_list(name: str) -> bool:
    return name in TOPIC_CONFIGS and TOPIC_CONFIGS[name].type == ConfigType.LIST


# ---- brokers, groups ----


def change_broker(
    broker: "Broker", name: str, changes: ConfigChanges, *, validate_only: bool, is_whole: bool
) -> Callable[[], None] | None:
    """Change configs of the server. Waits for the disk.

    Args:
        broker: the server.
        name: of one of its nodes, or ALL_BROKERS. The nodes are one process: each change is felt
            by all of them.
        changes: what to change.
        validate_only: only say whether it could be.
        is_whole: what is not named is taken back.

    Returns:
        What the loop has to do for it to count.

    Raises:
        KafkaException: INVALID_REQUEST, INVALID_CONFIG.
    """
    check_changes(changes)
    known = broker_configs()
    fixed = sorted(key for key, _, _ in changes if key in known and not known[key].is_dynamic)
    if fixed:
        refuse(
            KafkaError.INVALID_REQUEST,
            f"Cannot update these configs dynamically: [{', '.join(fixed)}]",
        )

    def change(current: Mapping[str, str]) -> Mapping[str, str]:
        kept = _merge(
            current,
            apply(
                lambda key: current.get(key) or broker.config.text(key),
                lambda key: key in known and known[key].kind == "list",
                all_of(current, changes) if is_whole else changes,
            ),
        )
        try:
            for key, value in kept.items():
                if key in known:
                    known[key].definition.parse(value)
        except ConfigError as error:
            refuse(KafkaError.INVALID_REQUEST, str(error))
        return kept

    broker.kept_configs.change(ConfigResourceType.BROKER, name, change, validate_only=validate_only)
    return None if validate_only else broker.take_kept_configs


def change_group(
    broker: "Broker", name: str, changes: ConfigChanges, *, validate_only: bool, is_whole: bool
) -> None:
    """Change configs of a group; the arguments are those of `change_broker`. Waits for the disk.

    Raises:
        KafkaException: INVALID_REQUEST, INVALID_CONFIG.
    """
    if not name:
        refuse(KafkaError.INVALID_REQUEST, "Default group resources are not allowed.")
    check_changes(changes)

    def change(current: Mapping[str, str]) -> Mapping[str, str]:
        wanted = all_of(current, changes) if is_whole else changes
        kept = _merge(current, apply(current.get, lambda key: False, wanted))
        for key, value in kept.items():
            _check_group_config(broker, key, value)
        return kept

    broker.kept_configs.change(ConfigResourceType.GROUP, name, change, validate_only=validate_only)


def _check_group_config(broker: "Broker", key: str, value: str) -> None:
    if key not in GROUP_CONFIGS:
        refuse(KafkaError.INVALID_CONFIG, f"Unknown group config name: {key}")
    try:
        number = int(value)
    except ValueError:
        number = -1
        refuse(
            KafkaError.INVALID_CONFIG,
            f"Invalid value {value} for configuration {key}: Not a number of type INT",
        )
    stem = GROUP_CONFIGS[key].removeprefix("group.consumer.")
    least, most = f"group.consumer.min.{stem}", f"group.consumer.max.{stem}"
    if number < broker.config.integer(least):
        refuse(KafkaError.INVALID_CONFIG, f"{key} must be greater than or equal to {least}")
    if number > broker.config.integer(most):
        refuse(KafkaError.INVALID_CONFIG, f"{key} must be less than or equal to {most}")


def _merge(current: Mapping[str, str], values: Values) -> dict[str, str]:
    merged = {**current, **values}
    return {key: value for key, value in merged.items() if value is not None}


# ---- loggers ----


def change_loggers(changes: ConfigChanges, *, validate_only: bool) -> None:
    """Set levels of loggers; they are the process's, and forgotten with it.

    Raises:
        KafkaException: INVALID_CONFIG, INVALID_REQUEST.
    """
    for name, change, value in changes:
        if name not in known_loggers():
            refuse(KafkaError.INVALID_CONFIG, f"Logger {name} does not exist!")
        if change == Change.SET and value not in LEVELS:
            refuse(
                KafkaError.INVALID_CONFIG,
                f"Cannot set the log level of {name} to {value} as it is not a supported log "
                f"level. Valid log levels are {', '.join(sorted(LEVELS))}",
            )
        if change not in (Change.SET, Change.DELETE):
            refuse(KafkaError.INVALID_REQUEST, "A level is set or deleted")
        if change == Change.DELETE and name == ROOT_LOGGER:
            refuse(KafkaError.INVALID_REQUEST, "The log level of the root cannot be deleted")
    if validate_only:
        return
    for name, change, value in changes:
        logger = logging.getLogger(None if name == ROOT_LOGGER else name)
        level = LEVELS[value] if change == Change.SET and value else logging.NOTSET
        logger.setLevel(level)
