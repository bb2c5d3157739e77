"""Topic configuration: Kafka 4's topic config names, types, defaults and ranges.

One table: the fields of LogConfig. A config `segment.bytes` is the field `segment_bytes`, and
TOPIC_CONFIGS is read off the fields.

A log in a folder has one replica and no tiered storage, so some configs mean nothing here. They
are taken and kept, so that a topic's configuration can be carried to and from a cluster, with one
exception: `remote.storage.enable=true`, which would promise storage that is not there.

Source: Kafka 4.3 LogConfig, TopicConfig.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from logcore import codecs
from logcore.config_def import (
    LONG_MAX,
    ConfigDef,
    ConfigError,
    ConfigType,
    ConfigValue,
    Range,
    at_least,
    between,
    between_or,
    not_true,
    one_of,
    throttled_replicas,
)

__all__ = ["TOPIC_CONFIGS", "ConfigDef", "ConfigError", "ConfigType", "LogConfig"]

DAY_MS = 24 * 60 * 60 * 1000


def _config(
    name: str,
    kind: ConfigType,
    default: ConfigValue,
    doc: str,
    allowed: Range | None = None,
    is_internal: bool = False,
) -> Any:
    words, check = allowed or ("", None)
    definition = ConfigDef(name, kind, default, doc, words, check, is_internal)
    return field(default=default, metadata={"definition": definition})


_BOOLEAN, _INT, _LONG = ConfigType.BOOLEAN, ConfigType.INT, ConfigType.LONG
_DOUBLE, _STRING, _LIST = ConfigType.DOUBLE, ConfigType.STRING, ConfigType.LIST


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """Configuration of one topic's logs; immutable, checked when made.

    Raises:
        ConfigError: a value is of the wrong type or out of range.

    >>> config = LogConfig(retention_ms=60_000, cleanup_policy="compact,delete")
    >>> config.is_compacted, config.is_deleted, config.segment_bytes
    (True, True, 1073741824)
    """

    cleanup_policy: tuple[str, ...] = _config(
        "cleanup.policy",
        _LIST,
        ("delete",),
        "What happens to old segments: delete, compact, both, or (empty) nothing.",
        one_of("compact", "delete"),
    )
    compression_gzip_level: int = _config(
        "compression.gzip.level",
        _INT,
        -1,
        "Level when compression.type is gzip.",
        between_or(1, 9, -1),
    )
    compression_lz4_level: int = _config(
        "compression.lz4.level",
        _INT,
        9,
        "Level when compression.type is lz4; 9 is the fast compressor.",
        between(1, 17),
    )
    compression_type: str = _config(
        "compression.type",
        _STRING,
        "producer",
        "Codec on disk; producer keeps the one a batch came with.",
        one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
    )
    compression_zstd_level: int = _config(
        "compression.zstd.level",
        _INT,
        3,
        "Level when compression.type is zstd.",
        between(-131072, 22),
    )
    delete_retention_ms: int = _config(
        "delete.retention.ms", _LONG, DAY_MS, "How long compaction keeps a tombstone.", at_least(0)
    )
    file_delete_delay_ms: int = _config(
        "file.delete.delay.ms",
        _LONG,
        60_000,
        "How long a deleted segment's files stay.",
        at_least(0),
    )
    flush_messages: int = _config(
        "flush.messages", _LONG, LONG_MAX, "Flush to disk after this many records.", at_least(1)
    )
    flush_ms: int = _config(
        "flush.ms", _LONG, LONG_MAX, "Flush to disk after this time.", at_least(0)
    )
    follower_replication_throttled_replicas: tuple[str, ...] = _config(
        "follower.replication.throttled.replicas",
        _LIST,
        (),
        "Of no effect: there is one replica.",
        throttled_replicas(),
    )
    index_interval_bytes: int = _config(
        "index.interval.bytes", _INT, 4096, "Bytes between index entries.", at_least(0)
    )
    internal_segment_bytes: int | None = _config(
        "internal.segment.bytes",
        _INT,
        None,
        "Overrides segment.bytes with any size, for tests.",
        at_least(1),
        is_internal=True,
    )
    leader_replication_throttled_replicas: tuple[str, ...] = _config(
        "leader.replication.throttled.replicas",
        _LIST,
        (),
        "Of no effect: there is one replica.",
        throttled_replicas(),
    )
    local_retention_bytes: int = _config(
        "local.retention.bytes", _LONG, -2, "Of no effect without tiered storage.", at_least(-2)
    )
    local_retention_ms: int = _config(
        "local.retention.ms", _LONG, -2, "Of no effect without tiered storage.", at_least(-2)
    )
    max_compaction_lag_ms: int = _config(
        "max.compaction.lag.ms",
        _LONG,
        LONG_MAX,
        "A record is compacted at the latest after this time.",
        at_least(1),
    )
    max_message_bytes: int = _config(
        "max.message.bytes", _INT, 1024 * 1024 + 12, "Largest batch, as compressed.", at_least(0)
    )
    message_timestamp_after_max_ms: int = _config(
        "message.timestamp.after.max.ms",
        _LONG,
        60 * 60 * 1000,
        "How far a CreateTime may be ahead of the clock.",
        at_least(0),
    )
    message_timestamp_before_max_ms: int = _config(
        "message.timestamp.before.max.ms",
        _LONG,
        LONG_MAX,
        "How far a CreateTime may be behind the clock.",
        at_least(0),
    )
    message_timestamp_type: str = _config(
        "message.timestamp.type",
        _STRING,
        "CreateTime",
        "Whose clock stamps records: the producer's or the log's.",
        one_of("CreateTime", "LogAppendTime"),
    )
    min_cleanable_dirty_ratio: float = _config(
        "min.cleanable.dirty.ratio",
        _DOUBLE,
        0.5,
        "Compact when this share of the log is not yet compacted.",
        between(0, 1),
    )
    min_compaction_lag_ms: int = _config(
        "min.compaction.lag.ms",
        _LONG,
        0,
        "A record is not compacted before this time.",
        at_least(0),
    )
    min_insync_replicas: int = _config(
        "min.insync.replicas", _INT, 1, "Replicas that acks=all waits for.", at_least(1)
    )
    preallocate: bool = _config(
        "preallocate", _BOOLEAN, False, "Create segments at their full size."
    )
    remote_log_copy_disable: bool = _config(
        "remote.log.copy.disable", _BOOLEAN, False, "Of no effect without tiered storage."
    )
    remote_log_delete_on_disable: bool = _config(
        "remote.log.delete.on.disable", _BOOLEAN, False, "Of no effect without tiered storage."
    )
    remote_storage_enable: bool = _config(
        "remote.storage.enable",
        _BOOLEAN,
        False,
        "Tiered storage, which a log in a folder does not have.",
        not_true("A log in a folder has no tiered storage"),
    )
    retention_bytes: int = _config(
        "retention.bytes", _LONG, -1, "Largest size of a partition; -1 is without limit."
    )
    retention_ms: int = _config(
        "retention.ms",
        _LONG,
        7 * DAY_MS,
        "How long records are kept; -1 is without limit.",
        at_least(-1),
    )
    segment_bytes: int = _config(
        "segment.bytes",
        _INT,
        1024 * 1024 * 1024,
        "Size at which a segment is rolled.",
        at_least(1024 * 1024),
    )
    segment_index_bytes: int = _config(
        "segment.index.bytes",
        _INT,
        10 * 1024 * 1024,
        "Size of an index at which its segment is rolled.",
        at_least(4),
    )
    segment_jitter_ms: int = _config(
        "segment.jitter.ms", _LONG, 0, "Largest random time taken off segment.ms.", at_least(0)
    )
    segment_ms: int = _config(
        "segment.ms", _LONG, 7 * DAY_MS, "Time after which a segment is rolled.", at_least(1)
    )
    unclean_leader_election_enable: bool = _config(
        "unclean.leader.election.enable", _BOOLEAN, False, "Of no effect: there is one replica."
    )

    def __post_init__(self) -> None:
        for definition in TOPIC_CONFIGS.values():
            value = getattr(self, definition.field_name)
            object.__setattr__(self, definition.field_name, definition.parse(value))
        if self.min_compaction_lag_ms > self.max_compaction_lag_ms:
            raise ConfigError(
                "min.compaction.lag.ms",
                self.min_compaction_lag_ms,
                f"Value must be no more than max.compaction.lag.ms ({self.max_compaction_lag_ms})",
            )

    @classmethod
    def from_properties(cls, properties: Mapping[str, object]) -> "LogConfig":
        """Return the configuration with `properties` over the defaults.

        Args:
            properties: values, text or Python, by dotted name.

        Raises:
            ConfigError: a name is unknown (it names the nearest known one), or a value is wrong.

        >>> LogConfig.from_properties({"retention.msec": "1"})
        Traceback (most recent call last):
        logcore.config_def.ConfigError: Unknown topic config name: retention.msec. \
Did you mean "retention.ms"?
        """
        for name in properties:
            if name not in TOPIC_CONFIGS:
                raise ConfigError(str(name), suggestion=_nearest_name(str(name)))
        values: dict[str, Any] = {name.replace(".", "_"): properties[name] for name in properties}
        return cls(**values)

    def to_properties(self) -> dict[str, str]:
        """Return every config as text by dotted name; an internal one only when it is set."""
        return {
            name: definition.format(getattr(self, definition.field_name))
            for name, definition in TOPIC_CONFIGS.items()
            if not definition.is_internal or getattr(self, definition.field_name) is not None
        }

    @property
    def is_compacted(self) -> bool:
        """Whether cleanup.policy has compact."""
        return "compact" in self.cleanup_policy

    @property
    def is_deleted(self) -> bool:
        """Whether cleanup.policy has delete, so that retention by size and time applies."""
        return "delete" in self.cleanup_policy

    @property
    def segment_size_bytes(self) -> int:
        """Size at which a segment is rolled, with internal.segment.bytes over segment.bytes."""
        internal = self.internal_segment_bytes
        return self.segment_bytes if internal is None else internal

    @property
    def max_segment_ms(self) -> int:
        """segment.ms, no longer than compaction may wait. Source: Kafka LogConfig.maxSegmentMs."""
        if self.is_compacted:
            return min(self.segment_ms, self.max_compaction_lag_ms)
        return self.segment_ms

    @property
    def compression_codec(self) -> int | None:
        """Codec to store with, or None to keep the producer's."""
        if self.compression_type == "producer":
            return None
        return codecs.CODEC_IDS.get(self.compression_type, codecs.NONE)

    @property
    def compression_level(self) -> int | None:
        """Level for compression_codec as codecs.compress takes it, None for its default."""
        if self.compression_type == "gzip":
            return None if self.compression_gzip_level == -1 else self.compression_gzip_level
        if self.compression_type == "lz4":
            # Java's 9 stands for its fast compressor; the format's own scale ends at 12.
            level = self.compression_lz4_level
            return None if level == 9 else min(level, 12)
        return self.compression_zstd_level if self.compression_type == "zstd" else None


TOPIC_CONFIGS: dict[str, ConfigDef] = {
    item.metadata["definition"].name: item.metadata["definition"] for item in fields(LogConfig)
}


def _nearest_name(name: str) -> str | None:
    import difflib  # only a mistake needs it

    public = [known for known, definition in TOPIC_CONFIGS.items() if not definition.is_internal]
    spelled = name.strip().lower().replace("_", ".")
    return next(iter(difflib.get_close_matches(spelled, public, n=1)), None)
