"""What the runtime insists on in the configurations of its clients, over what the program set.

Source: Kafka StreamsConfig.getMainConsumerConfigs and its like.
"""

from typing import Any

from pylog.streams.config import StreamsConfig

DEFAULT_POLL_RECORDS = 1000


def main_consumer(config: StreamsConfig, thread_name: str, number: int) -> dict[str, Any]:
    """Of the consumer that shares source topics with the group.

    Args:
        config: of the application.
        thread_name: of the stream thread, which names its clients.
        number: of the thread.
    """
    conf = config.client_config("main.consumer")
    conf.pop("max.poll.records", None)
    conf.update(
        {
            "group.id": config.application_id,
            "client.id": f"{thread_name}-consumer",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            # The runtime says where each partition begins; later trouble is its own to see.
            "auto.offset.reset": "error",
            "partition.assignment.strategy": "cooperative-sticky",
        }
    )
    if config.is_exactly_once:
        conf["isolation.level"] = "read_committed"
    if conf.get("group.instance.id"):
        conf["group.instance.id"] = f"{conf['group.instance.id']}-{number}"
    return conf


def poll_records(config: StreamsConfig) -> int:
    """How many records the thread takes from its consumer at once."""
    return int(config.client_config("main.consumer").get("max.poll.records", DEFAULT_POLL_RECORDS))


def changelog_consumer(config: StreamsConfig, client_id: str, kind: str) -> dict[str, Any]:
    """Of a consumer that reads changelogs or global topics, outside the group.

    Args:
        config: of the application.
        client_id: its own.
        kind: "restore.consumer" or "global.consumer".
    """
    conf = config.client_config(kind)
    conf.pop("max.poll.records", None)
    conf.pop("group.instance.id", None)
    conf.update(
        {
            "group.id": config.application_id,  # to ask for committed offsets; it never joins
            "client.id": client_id,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
        }
    )
    return conf


def producer(config: StreamsConfig, thread_name: str, transactional_id: str) -> dict[str, Any]:
    """Of a stream thread's producer; `transactional_id` is used for exactly_once_v2 alone."""
    conf = config.client_config("producer")
    conf["client.id"] = f"{thread_name}-producer"
    # A changelog that was deleted must not come back empty; what sinks write to is made before.
    conf["allow.auto.create.topics"] = False
    if config.is_exactly_once:
        conf["transactional.id"] = transactional_id
        conf["enable.idempotence"] = True
    return conf


def admin(config: StreamsConfig, client_id: str) -> dict[str, Any]:
    """Of the instance's admin client."""
    return {**config.client_config("admin"), "client.id": f"{client_id}-admin"}
