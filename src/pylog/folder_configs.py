"""Configs of topics and of the folder: checked, merged, as text."""

from collections.abc import Mapping
from typing import Any

from logcore.config import TOPIC_CONFIGS, ConfigError, LogConfig
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import refuse
from pylog.folder_files import FOLDER_CONFIGS, MAX_PARTITIONS, TopicMetadata


def log_config(metadata: TopicMetadata) -> LogConfig:
    """The configuration of a topic's logs, without configs that only a newer version knows."""
    known = {key: value for key, value in metadata.configs.items() if key in TOPIC_CONFIGS}
    return LogConfig.from_properties(known)


def merge_configs(current: Mapping[str, str], changed: Mapping[str, Any]) -> dict[str, str]:
    """The configs that are set after a change, validated, as text."""
    merged = {key: value for key, value in {**current, **changed}.items() if value is not None}
    strangers = {key: merged[key] for key in current if key in merged and key not in TOPIC_CONFIGS}
    try:
        LogConfig.from_properties(
            {key: value for key, value in changed.items() if value is not None}
            | dict.fromkeys((key for key in changed if key not in TOPIC_CONFIGS), "")
        )
        asked = {key: value for key, value in merged.items() if key not in strangers}
        canonical = LogConfig.from_properties(asked).to_properties()
    except ConfigError as error:
        raise KafkaException(KafkaError(KafkaError.INVALID_CONFIG, str(error))) from None
    return {key: strangers.get(key) or canonical[key] for key in merged}


def check_folder_config(name: str, value: object) -> str:
    """A config of the folder as text.

    Raises:
        KafkaException: INVALID_CONFIG.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    if name == "num.partitions":
        if text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PARTITIONS:
            return text
        refuse(KafkaError.INVALID_CONFIG, f"{name} is 1 to {MAX_PARTITIONS}, not {value!r}")
    if name == "auto.create.topics.enable":
        if text.lower() in ("true", "false"):
            return text.lower()
        refuse(KafkaError.INVALID_CONFIG, f"{name} is true or false, not {value!r}")
    known = ", ".join(FOLDER_CONFIGS)
    refuse(KafkaError.INVALID_CONFIG, f"Unknown config of a folder: {name}. It has {known}")
