"""An embedded event log with Kafka's data model, files and client API: no broker, a folder.

`Producer`, `Consumer` and `AdminClient` are confluent_kafka's, over `log.dir` where those have
`bootstrap.servers`; with `bootstrap.servers` they are a cluster's (pylog.remote). `pylog.open` is
the short way for programs that embed the log. The storage core is logcore; ARCHITECTURE.md draws
the whole.
"""

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
