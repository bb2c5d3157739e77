"""An embedded event log with Kafka's data model, files and client API: no broker, a folder.

`Producer`, `Consumer` and `AdminClient` are confluent_kafka's, over `log.dir` where those have
`bootstrap.servers`; with `bootstrap.servers` they are a cluster's (pylog.remote). `pylog.open` is
the short way for programs that embed the log. The storage core is logcore; ARCHITECTURE.md draws
the whole.

What is named here is imported when it is first used: a server starts without the clients, and a
producer without the consumer's groups.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pylog.admin import (
        AdminClient,
        ConsumerGroupState,
        ConsumerGroupTopicPartitions,
        ConsumerGroupType,
    )
    from pylog.consumer import Consumer
    from pylog.embed import EventLog, Topic, open  # noqa: A004 - pylog.open, as in shelve.open
    from pylog.errors import KafkaError, KafkaException
    from pylog.message import Message
    from pylog.producer import Producer
    from pylog.types import (
        OFFSET_BEGINNING,
        OFFSET_END,
        OFFSET_INVALID,
        OFFSET_STORED,
        OFFSET_TAIL,
        TIMESTAMP_CREATE_TIME,
        TIMESTAMP_LOG_APPEND_TIME,
        TIMESTAMP_NOT_AVAILABLE,
        TopicPartition,
    )

__version__ = "0.1.0"

__all__ = [
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "OFFSET_INVALID",
    "OFFSET_STORED",
    "OFFSET_TAIL",
    "TIMESTAMP_CREATE_TIME",
    "TIMESTAMP_LOG_APPEND_TIME",
    "TIMESTAMP_NOT_AVAILABLE",
    "AdminClient",
    "Consumer",
    "ConsumerGroupState",
    "ConsumerGroupTopicPartitions",
    "ConsumerGroupType",
    "EventLog",
    "KafkaError",
    "KafkaException",
    "Message",
    "Producer",
    "Topic",
    "TopicPartition",
    "open",
]

_MODULES = {
    "AdminClient": "admin",
    "Consumer": "consumer",
    "ConsumerGroupState": "admin",
    "ConsumerGroupTopicPartitions": "admin",
    "ConsumerGroupType": "admin",
    "EventLog": "embed",
    "KafkaError": "errors",
    "KafkaException": "errors",
    "Message": "message",
    "Producer": "producer",
    "Topic": "embed",
    "open": "embed",
}
# Modules that a program may name without having imported them.
_NAMED = frozenset(
    {"admin", "config", "consumer", "embed", "errors", "log_dir", "message", "producer", "types"}
)


def __getattr__(name: str) -> Any:
    """Import what is used for the first time."""
    if name in _NAMED:
        return import_module(f"{__name__}.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'types')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
