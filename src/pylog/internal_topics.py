"""Topics that the folder writes itself: how far groups have come, and what transactions decided.

They are made when they are first written to, with Kafka's topic configs and one partition each
(docs/adr/0016), and are read like any other; a Producer may not write to them.

Source: Kafka Topic.INTERNAL_TOPICS, GroupCoordinatorService.groupMetadataTopicConfigs,
TransactionStateManager.transactionTopicConfigs.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from logcore.log import Log
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import refuse

if TYPE_CHECKING:
    from pylog.log_dir import LogDir

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
PARTITIONS = 1

_SEGMENT_BYTES = str(100 << 20)
_CONFIGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        OFFSETS_TOPIC: {
            "cleanup.policy": "compact",
            "compression.type": "producer",
            "segment.bytes": _SEGMENT_BYTES,
        },
        TRANSACTIONS_TOPIC: {
            "cleanup.policy": "compact",
            "compression.type": "uncompressed",
            # A decision stays for as long as a marker that follows from it may not be on the disk.
            "min.compaction.lag.ms": "3600000",
            "min.insync.replicas": "1",
            "segment.bytes": _SEGMENT_BYTES,
            "unclean.leader.election.enable": "false",
        },
    }
)
INTERNAL_TOPICS = frozenset(_CONFIGS)


def is_internal(topic: str) -> bool:
    """Whether a topic is the folder's own."""
    return topic in INTERNAL_TOPICS


def internal_configs(topic: str) -> Mapping[str, str]:
    """The configs that a topic of the folder's own is made with."""
    return _CONFIGS[topic]


def refuse_internal(topic: str) -> None:
    """Refuse to write a user's records to a topic of the folder's own.

    Raises:
        KafkaException: TOPIC_EXCEPTION, as a broker refuses it.
    """
    if topic in INTERNAL_TOPICS:
        refuse(KafkaError.TOPIC_EXCEPTION, f"Cannot append to internal topic {topic}")


def partition_of(key: str, count: int) -> int:
    """The partition of `count` that the records of a group or transactional id go to.

    Source: Kafka GroupCoordinatorService.partitionFor: Utils.abs of Java's String.hashCode.

    >>> partition_of("my-group", 50), partition_of("", 50)
    (12, 0)
    """
    if count == 1:
        return 0
    code = 0
    encoded = key.encode("utf-16-be", "surrogatepass")
    for position in range(0, len(encoded), 2):
        code = (31 * code + (encoded[position] << 8 | encoded[position + 1])) & 0xFFFF_FFFF
    signed = code - (1 << 32) if code >= 1 << 31 else code
    return 0 if signed == -(1 << 31) else abs(signed) % count


def find_partition(log_dir: "LogDir", topic: str, key: str) -> Log | None:
    """The Log that holds the records of `key`, None while the topic is not made.

    Raises:
        KafkaException: what opening it raised.
    """
    try:
        count = log_dir.topic(topic).partitions
        return log_dir.partition(topic, partition_of(key, count))
    except KafkaException as error:
        if error.args[0] == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise


def open_partition(log_dir: "LogDir", topic: str, key: str) -> Log:
    """The Log that holds the records of `key`; the topic is made at its first use.

    Raises:
        KafkaException: what making or opening it raised.
    """
    while True:
        log = find_partition(log_dir, topic, key)
        if log is not None:
            return log
        try:
            log_dir.create_topic(topic, PARTITIONS, _CONFIGS[topic])
        except KafkaException as error:
            # Another process made it; then it is there to be found.
            if error.args[0] != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
