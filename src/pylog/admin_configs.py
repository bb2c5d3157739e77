"""Configs as AdminClient describes and edits them."""

from collections.abc import Mapping
from typing import Any

from logcore.config import TOPIC_CONFIGS, ConfigType, LogConfig
from pylog.admin_types import AlterConfigOpType, ConfigEntry, ConfigSource
from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.folder_files import FOLDER_CONFIGS


def apply_entries(current: Mapping[str, str], entries: list[ConfigEntry]) -> dict[str, Any]:
    """What incremental entries make of the configs that are set.

    Source: Kafka ConfigAdminManager.prepareIncrementalConfigs.
    """
    changed: dict[str, Any] = {}
    for entry in entries:
        if entry.name in changed:
            refuse(KafkaError.INVALID_REQUEST, f"more than one change of {entry.name}")
        if entry.incremental_operation == AlterConfigOpType.DELETE:
            changed[entry.name] = None
        elif entry.incremental_operation == AlterConfigOpType.SET:
            changed[entry.name] = entry.value
        else:
            changed[entry.name] = _edit_list(current, entry)
    return changed


def _edit_list(current: Mapping[str, str], entry: ConfigEntry) -> str:
    definition = TOPIC_CONFIGS.get(entry.name)
    if definition is None or definition.type != ConfigType.LIST:
        refuse(
            KafkaError.INVALID_CONFIG,
            f"{entry.name} is not a list: it takes no APPEND and no SUBTRACT",
        )
    text = current.get(entry.name, definition.format(definition.default))
    members = [member for member in text.split(",") if member]
    named = [member.strip() for member in str(entry.value).split(",") if member.strip()]
    if entry.incremental_operation == AlterConfigOpType.APPEND:
        members += [member for member in named if member not in members]
    else:
        members = [member for member in members if member not in named]
    return ",".join(members)


def describe_topic(configs: Mapping[str, str]) -> dict[str, ConfigEntry]:
    """Every config of a topic, by name, from those that were set for it."""
    defaults = LogConfig().to_properties()
    return {
        name: _entry(
            name, configs.get(name, defaults.get(name)), defaults.get(name), name in configs,
            ConfigSource.DYNAMIC_TOPIC_CONFIG,
        )
        for name in sorted({*defaults, *configs})
    }  # fmt: skip


def describe_folder(name: str, value: str) -> ConfigEntry:
    """One config of the folder."""
    default = FOLDER_CONFIGS.get(name)
    if default is None:
        source = ConfigSource.STATIC_BROKER_CONFIG.value
        return ConfigEntry(name, value, source=source, is_read_only=True)
    return _entry(name, value, default, value != default, ConfigSource.DYNAMIC_BROKER_CONFIG)


def _entry(
    name: str, value: str | None, default: str | None, is_set: bool, source: ConfigSource
) -> ConfigEntry:
    """An entry as a broker answers it, with what its value could come from."""
    synonyms = {}
    if default is not None:
        synonyms[name] = ConfigEntry(
            name, default, source=ConfigSource.DEFAULT_CONFIG.value, is_default=True,
            is_synonym=True,
        )  # fmt: skip
    if is_set:
        synonyms[name] = ConfigEntry(name, value, source=source.value, is_synonym=True)
    return ConfigEntry(
        name,
        value,
        source=source.value if is_set else ConfigSource.DEFAULT_CONFIG.value,
        is_default=not is_set,
        synonyms=synonyms,
    )
