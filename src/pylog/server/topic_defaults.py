"""What a topic has that was not told: the server's own configs, by the topic's names for them.

A topic that the server makes gets as its own what the server was given another default for, so that
programs that embed the log see it as clients do.

Source: Kafka ServerTopicConfigSynonyms.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from logcore.config import TOPIC_CONFIGS

if TYPE_CHECKING:
    from pylog.server.config import ServerConfig

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000

# A topic's config: the server's names for it, the one that counts most first, and their units.
_SYNONYMS: dict[str, tuple[tuple[str, int], ...]] = {
    "cleanup.policy": (("log.cleanup.policy", 1),),
    "compression.gzip.level": (("compression.gzip.level", 1),),
    "compression.lz4.level": (("compression.lz4.level", 1),),
    "compression.type": (("compression.type", 1),),
    "compression.zstd.level": (("compression.zstd.level", 1),),
    "delete.retention.ms": (("log.cleaner.delete.retention.ms", 1),),
    "file.delete.delay.ms": (("log.segment.delete.delay.ms", 1),),
    "flush.messages": (("log.flush.interval.messages", 1),),
    "flush.ms": (("log.flush.interval.ms", 1),),
    "index.interval.bytes": (("log.index.interval.bytes", 1),),
    "max.compaction.lag.ms": (("log.cleaner.max.compaction.lag.ms", 1),),
    "max.message.bytes": (("message.max.bytes", 1),),
    "message.timestamp.after.max.ms": (("log.message.timestamp.after.max.ms", 1),),
    "message.timestamp.before.max.ms": (("log.message.timestamp.before.max.ms", 1),),
    "message.timestamp.type": (("log.message.timestamp.type", 1),),
    "min.cleanable.dirty.ratio": (("log.cleaner.min.cleanable.ratio", 1),),
    "min.compaction.lag.ms": (("log.cleaner.min.compaction.lag.ms", 1),),
    "min.insync.replicas": (("min.insync.replicas", 1),),
    "preallocate": (("log.preallocate", 1),),
    "retention.bytes": (("log.retention.bytes", 1),),
    "retention.ms": (
        ("log.retention.ms", 1),
        ("log.retention.minutes", _MINUTE_MS),
        ("log.retention.hours", _HOUR_MS),
    ),
    "segment.bytes": (("log.segment.bytes", 1),),
    "segment.index.bytes": (("log.index.size.max.bytes", 1),),
    "segment.jitter.ms": (("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", _HOUR_MS)),
    "segment.ms": (("log.roll.ms", 1), ("log.roll.hours", _HOUR_MS)),
    "unclean.leader.election.enable": (("unclean.leader.election.enable", 1),),
}
SYNONYMS: Mapping[str, tuple[tuple[str, int], ...]] = MappingProxyType(_SYNONYMS)


def topic_defaults(config: "ServerConfig") -> dict[str, str]:
    """The configs that a new topic gets because the server was given them."""
    found = {}
    for topic_name, synonyms in SYNONYMS.items():
        for name, unit in synonyms:
            value = config[name] if config.is_set(name) else None
            if value is None:
                continue
            definition = TOPIC_CONFIGS[topic_name]
            text = config.text(name)
            if unit != 1:
                text = str(int(text) * unit) if int(text) > 0 else text
            if definition.parse(text) != definition.default:
                found[topic_name] = text
            break
    return found
