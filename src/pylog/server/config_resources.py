"""Resources that have configs, as the five APIs of configs name them."""

from collections.abc import Callable

from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.internal_topics import is_internal
from pylog.server import config_changes, config_entries
from pylog.server.broker import Broker
from pylog.server.config_changes import ALL_BROKERS, ConfigChanges
from pylog.server.config_entries import ConfigResourceType, Entry
from pylog.server.request import Operation, RequestContext, ResourceType

__all__ = ["ConfigResourceType", "change", "check_kind", "describe", "is_allowed", "refusal_code"]


def check_kind(kind: int) -> ConfigResourceType:
    """Read the number of a kind of resource.

    Raises:
        KafkaException: INVALID_REQUEST, for one that has no configs.
    """
    if kind in ConfigResourceType._value2member_map_ and kind != ConfigResourceType.UNKNOWN:
        return ConfigResourceType(kind)
    refuse(KafkaError.INVALID_REQUEST, f"Unsupported resource type: {kind}")


def is_allowed(
    context: RequestContext, kind: ConfigResourceType, name: str, operation: Operation
) -> bool:
    """Whether the client may describe or alter configs of a resource."""
    if kind == ConfigResourceType.TOPIC:
        return context.authorize(operation, ResourceType.TOPIC, name)
    if kind == ConfigResourceType.GROUP:
        return context.authorize(operation, ResourceType.GROUP, name)
    return context.authorize(operation, ResourceType.CLUSTER)


def refusal_code(kind: ConfigResourceType) -> int:
    """The error code of what a client may not do with a resource."""
    if kind == ConfigResourceType.TOPIC:
        return KafkaError.TOPIC_AUTHORIZATION_FAILED
    if kind == ConfigResourceType.GROUP:
        return KafkaError.GROUP_AUTHORIZATION_FAILED
    return KafkaError.CLUSTER_AUTHORIZATION_FAILED


def describe(broker: Broker, kind: ConfigResourceType, name: str) -> list[Entry]:
    """Every config of a resource.

    Raises:
        KafkaException: there is no such resource.
    """
    if kind == ConfigResourceType.TOPIC:
        return config_entries.describe_topic(broker.log_dir.topic(name), broker.config)
    if kind == ConfigResourceType.BROKER:
        if name == ALL_BROKERS:
            changed = broker.kept_configs.get(ConfigResourceType.BROKER, ALL_BROKERS)
            return config_entries.describe_all_brokers(changed)
        node_id = _check_node(broker, name, "or empty string, ")
        return config_entries.describe_broker(broker.config, broker.config_overrides(node_id))
    if kind == ConfigResourceType.BROKER_LOGGER:
        _check_node(broker, name, "")
        return config_entries.describe_loggers()
    if kind == ConfigResourceType.GROUP:
        if not name:
            refuse(KafkaError.INVALID_REQUEST, "Group name must not be empty")
        changed = broker.kept_configs.get(ConfigResourceType.GROUP, name)
        return config_entries.describe_group(changed, broker.config)
    if not name:
        refuse(KafkaError.INVALID_REQUEST, "Client metrics subscription name must not be empty")
    return []


def change(
    broker: Broker,
    kind: ConfigResourceType,
    name: str,
    changes: ConfigChanges,
    *,
    validate_only: bool,
    is_whole: bool,
) -> Callable[[], None] | None:
    """Change configs of a resource. Waits for the disk.

    Args:
        broker: the server.
        kind: of the resource.
        name: of the resource.
        changes: what to change.
        validate_only: only say whether it could be.
        is_whole: what is not named is taken back, as AlterConfigs does.

    Returns:
        What the loop has to do for it to count, or None.

    Raises:
        KafkaException: why it cannot be.
    """
    if kind == ConfigResourceType.TOPIC:
        config_changes.change_topic(
            broker, name, changes, validate_only=validate_only, is_whole=is_whole
        )
    elif kind == ConfigResourceType.GROUP:
        config_changes.change_group(
            broker, name, changes, validate_only=validate_only, is_whole=is_whole
        )
    elif kind == ConfigResourceType.BROKER:
        if name != ALL_BROKERS:
            _check_node(broker, name, "")
        return config_changes.change_broker(
            broker, name, changes, validate_only=validate_only, is_whole=is_whole
        )
    elif kind == ConfigResourceType.BROKER_LOGGER and not is_whole:
        _check_node(broker, name, "")
        config_changes.check_changes(changes)
        config_changes.change_loggers(changes, validate_only=validate_only)
    else:
        refuse(KafkaError.INVALID_REQUEST, f"Unsupported resource type: {kind.name}")
    return None


def _check_node(broker: Broker, name: str, or_what: str) -> int:
    """The node that a name stands for."""
    try:
        node_id = int(name)
    except ValueError:
        refuse(KafkaError.INVALID_REQUEST, f"Broker id must be an integer, but it is: {name}")
    if node_id not in broker.node_ids:
        refuse(
            KafkaError.INVALID_REQUEST,
            f"Unexpected broker id, expected {broker.node_ids[0]} {or_what}but received {name}",
        )
    return node_id


def topic_names(broker: Broker) -> list[str]:
    """All topics, the folder's own first."""
    return sorted(broker.topics(), key=lambda name: (not is_internal(name), name))
