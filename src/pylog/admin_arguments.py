"""What AdminClient's calls are given, checked: what is raised by the call, not by its futures.

Which error for which mistake is confluent_kafka's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pylog.admin_types import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    IsolationLevel,
    NewTopic,
    OffsetSpec,
    TopicCollection,
)
from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.metadata import BROKER_ID
from pylog.types import TopicPartition

_MAX_TIMEOUT_S = 3600
_FLAGS = frozenset({"include_authorized_operations", "require_stable"})


def take_options(options: Mapping[str, Any], *known: str) -> None:
    """Check a call's keyword arguments: `request_timeout`, and those it knows.

    Raises:
        TypeError: an option that it does not know, or of a wrong type.
        ValueError: a timeout out of range.
    """
    for name, value in options.items():
        if name != "request_timeout" and name not in known:
            raise TypeError(f"{name!r} is an invalid keyword argument for this function")
        if name.endswith("_timeout"):
            _check_timeout(name, value)
        elif name in _FLAGS and not isinstance(value, bool):
            raise TypeError(f"Expected {name} to be bool type, not {type(value).__name__}")
        elif name == "isolation_level" and not isinstance(value, IsolationLevel):
            raise TypeError("isolation_level argument should be an IsolationLevel")


def _check_timeout(name: str, seconds: object) -> None:
    if not isinstance(seconds, int | float):
        raise TypeError(f"must be real number, not {type(seconds).__name__}")
    if not (0 <= seconds <= _MAX_TIMEOUT_S or seconds == -1):
        raise ValueError(
            f'Invalid value type for "{name}": expecting seconds in range 0..{_MAX_TIMEOUT_S}'
        )


def require_collection(topics: object) -> None:
    """A TopicCollection of names."""
    if not isinstance(topics, TopicCollection):
        raise TypeError("Expected input to be instance of TopicCollection")
    for name in topics.topic_names:
        if not isinstance(name, str):
            raise TypeError(f"Expected list of topics strings, not {type(name).__name__}")


def require_partitions(request: object) -> None:
    """A list of TopicPartition with partitions."""
    if not isinstance(request, list):
        raise TypeError(f"Expected Request to be a list, got '{type(request).__name__}' ")
    for wanted in request:
        if not isinstance(wanted, TopicPartition):
            raise TypeError(
                "Element of the request list must be of type 'TopicPartition' got "
                f"'{type(wanted).__name__}' "
            )
        if wanted.partition < 0:
            raise ValueError("'partition' cannot be negative")


def require_specs(request: object) -> None:
    """A dict of OffsetSpec by TopicPartition."""
    if not isinstance(request, dict):
        raise TypeError(
            "Expected topic_partition_offsets to be dict of [TopicPartitions,OffsetSpec] for "
            "list offsets request"
        )
    for wanted, spec in request.items():
        if not isinstance(wanted, TopicPartition):
            raise TypeError("partition must be a TopicPartition")
        if not isinstance(spec, OffsetSpec):
            raise TypeError("Value must be a OffsetSpec")
        if wanted.partition < 0:
            raise ValueError("partition index must be non-negative")


def require_items(items: object, kind: type) -> None:
    """A list of one kind, not empty."""
    if not isinstance(items, list):
        raise TypeError(f"expected a list of {kind.__name__}, not {type(items).__name__}")
    if not items:
        raise ValueError(f"Expected non-empty list of {kind.__name__} objects")
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(f"expected a list of {kind.__name__}, not of {type(item).__name__}")


def check_new_topic(wanted: NewTopic) -> None:
    """What can be said of a new topic before it is tried."""
    if wanted.num_partitions < -1:
        raise ValueError(
            f"Invalid NewTopic({wanted.topic}): num_partitions out of expected range 1..100000 or "
            "-1 for broker default"
        )
    if wanted.replica_assignment is not None:
        if wanted.replication_factor != -1:
            raise ValueError("replication_factor and replica_assignment are mutually exclusive")
        if wanted.num_partitions not in (-1, len(wanted.replica_assignment)):
            raise ValueError("replica_assignment must be for every partition")
    if wanted.config is not None and not isinstance(wanted.config, Mapping):
        raise TypeError("config must be a dict of str to str")


def check_assignment(assignment: Sequence[Sequence[int]]) -> None:
    """Replicas by hand: only the folder can hold one."""
    if any(list(replicas) != [BROKER_ID] for replicas in assignment):
        refuse(
            KafkaError.INVALID_REPLICA_ASSIGNMENT,
            f"a partition's one replica is [{BROKER_ID}], the folder",
        )


def check_incremental(resource: ConfigResource) -> None:
    """Entries that say what to do."""
    entries = resource.incremental_configs
    if not entries:
        raise ValueError(
            "expected non-empty list of ConfigEntry to alter incrementally in "
            "incremental_configs field"
        )
    for index, entry in enumerate(entries):
        if not isinstance(entry, ConfigEntry):
            raise TypeError(
                f"expected ConfigEntry type in incremental_configs field, index {index}"
            )
        if not isinstance(entry.incremental_operation, AlterConfigOpType):
            raise TypeError(f"{entry.name}: incremental_operation must be an AlterConfigOpType")
        is_delete = entry.incremental_operation == AlterConfigOpType.DELETE
        if not is_delete and not isinstance(entry.value, str):
            kind = type(entry.value).__name__
            raise TypeError(f"Expected .value to be str type, not {kind}")
