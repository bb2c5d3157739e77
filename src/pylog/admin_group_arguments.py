"""What AdminClient's calls on groups are given, checked.

Which error for which mistake is confluent_kafka's.
"""

import enum
from typing import Any, TypeVar

from pylog.admin_group_types import ConsumerGroupTopicPartitions
from pylog.types import OFFSET_INVALID, TopicPartition

_Enum = TypeVar("_Enum", bound=enum.Enum)


def require_enums(value: Any, name: str, kind: type[_Enum]) -> set[_Enum]:
    """A set of one enumeration, or None for all: an empty set."""
    if value is None:
        return set()
    if not isinstance(value, set):
        raise TypeError(f"'{name}' must be a set")
    for item in value:
        if not isinstance(item, kind):
            raise TypeError(f"All elements of {name} must be of type {kind.__name__}")
    return value


def require_group_ids(group_ids: object, action: str) -> None:
    """A list of group ids, not empty."""
    if not isinstance(group_ids, list):
        raise TypeError(f"Expected input to be list of group ids to be {action}")
    if not group_ids:
        raise ValueError(f"Expected at least one group to be {action}")
    for group_id in group_ids:
        if not isinstance(group_id, str):
            raise ValueError("Expected list of <class 'str'>")


def check_listed(request: object) -> None:
    """One group, whose offsets are asked for."""
    one = _require_one(request, "listing")
    if one.topic_partitions is None:
        return
    _require_partitions(one.topic_partitions, "'topic_partitions' must be a list or None")
    for wanted in one.topic_partitions:
        if wanted.offset != OFFSET_INVALID:
            raise ValueError("Element of 'topic_partitions' must not have 'offset' value")


def check_altered(request: object) -> None:
    """One group with new offsets."""
    for wanted in _require_partitions_of(_require_one(request, "altering")):
        if wanted.offset < 0:
            raise ValueError(
                "Element of 'topic_partitions' must not have negative value for 'offset' field"
            )


def check_deleted(request: object) -> None:
    """One group with partitions."""
    _require_partitions_of(_require_one(request, "deleting"))


def _require_one(request: object, action: str) -> ConsumerGroupTopicPartitions:
    if request is None:
        raise TypeError("request cannot be None")
    if not isinstance(request, list):
        raise TypeError("request must be a list")
    if len(request) != 1:
        raise ValueError(f"Currently we support {action} offsets for a single consumer group only")
    (one,) = request
    if not isinstance(one, ConsumerGroupTopicPartitions):
        raise TypeError("Expected list of 'ConsumerGroupTopicPartitions'")
    if one.group_id is None:
        raise TypeError("'group_id' cannot be None")
    if not isinstance(one.group_id, str):
        raise TypeError("'group_id' must be a string")
    if not one.group_id:
        raise ValueError("'group_id' cannot be empty")
    return one


def _require_partitions_of(one: ConsumerGroupTopicPartitions) -> list[TopicPartition]:
    if one.topic_partitions is None:
        raise ValueError("'topic_partitions' cannot be null")
    _require_partitions(one.topic_partitions, "'topic_partitions' must be a list")
    return one.topic_partitions


def _require_partitions(partitions: object, reason: str) -> None:
    if not isinstance(partitions, list):
        raise TypeError(reason)
    if not partitions:
        raise ValueError("'topic_partitions' cannot be empty")
    for wanted in partitions:
        if wanted is None:
            raise ValueError("Element of 'topic_partitions' cannot be None")
        if not isinstance(wanted, TopicPartition):
            raise TypeError("Element of 'topic_partitions' must be of type TopicPartition")
        if not wanted.topic:
            raise ValueError(
                "Element of 'topic_partitions' must not have 'topic' attribute as Empty"
            )
        if wanted.partition < 0:
            raise ValueError(
                "Element of 'topic_partitions' must not have negative 'partition' value"
            )
