"""pylog's objects to confluent_kafka's and back.

One rule covers most of them: a class of confluent_kafka that has a namesake in pylog has the same
attributes there, so an object is translated attribute by attribute, and an enum by its name. What
has no namesake (access lists, users) stays what it is.
"""

import enum
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import confluent_kafka
import confluent_kafka.admin

import pylog
import pylog.admin
from pylog.admin_types import NewPartitions, NewTopic, OffsetSpec, Uuid
from pylog.errors import KafkaError, KafkaException
from pylog.message import Message, peer_of, wrap_peers
from pylog.types import TopicPartition

Convert = Callable[[Any], Any]
PeerError: type[Exception] = confluent_kafka.KafkaException
_peer_admin: Any = confluent_kafka.admin


# ---- errors -------------------------------------------------------------------------------------


def error_from_peer(theirs: Any) -> KafkaError:
    """Return pylog's KafkaError for confluent_kafka's.

    confluent_kafka says that an error is retriable only where librdkafka said so of that very one;
    elsewhere what Kafka says of the code counts, as on a folder.
    """
    must_stop = theirs.fatal() or theirs.txn_requires_abort()
    return KafkaError(
        theirs.code(),
        theirs.str(),
        fatal=theirs.fatal(),
        retriable=True if theirs.retriable() else False if must_stop else None,
        txn_requires_abort=theirs.txn_requires_abort(),
    )


def exception_from_peer(theirs: BaseException) -> KafkaException:
    """Return pylog's KafkaException for confluent_kafka's, with it as the cause."""
    exception = KafkaException(*(from_peer(argument) for argument in theirs.args))
    exception.__cause__ = theirs
    return exception


# ---- partitions ---------------------------------------------------------------------------------


def _partition_from_peer(theirs: Any) -> TopicPartition:
    partition = TopicPartition(
        theirs.topic, theirs.partition, theirs.offset, theirs.metadata, theirs.leader_epoch
    )
    return partition if theirs.error is None else partition.with_error(from_peer(theirs.error))


def _partition_to_peer(ours: TopicPartition) -> Any:
    place = (ours.topic, ours.partition, ours.offset)
    more: dict[str, Any] = {"metadata": ours.metadata, "leader_epoch": ours.leader_epoch}
    given = {name: value for name, value in more.items() if value is not None}
    return confluent_kafka.TopicPartition(*place, **given)


# ---- admin --------------------------------------------------------------------------------------


def _new_topic_to_peer(ours: NewTopic) -> Any:
    given: dict[str, Any] = {"config": dict(ours.config)} if ours.config else {}
    if ours.replica_assignment is not None:
        given["replica_assignment"] = [list(replicas) for replicas in ours.replica_assignment]
    else:
        given["replication_factor"] = ours.replication_factor
    return _peer_admin.NewTopic(ours.topic, num_partitions=ours.num_partitions, **given)


def _new_partitions_to_peer(ours: NewPartitions) -> Any:
    given: dict[str, Any] = {}
    if ours.replica_assignment is not None:
        given["replica_assignment"] = [list(replicas) for replicas in ours.replica_assignment]
    return _peer_admin.NewPartitions(ours.topic, ours.new_total_count, **given)


def _offset_spec_to_peer(ours: OffsetSpec) -> Any:
    return _peer_admin.OffsetSpec(ours._value)


def _uuid_from_peer(theirs: Any) -> Uuid:
    return Uuid(theirs.get_most_significant_bits(), theirs.get_least_significant_bits())


# ---- both ways ----------------------------------------------------------------------------------


def from_peer(theirs: Any) -> Any:
    """Return pylog's object for one of confluent_kafka's; others as they are."""
    convert = _FROM_PEER.get(type(theirs))
    if convert is None:
        convert = _FROM_PEER[type(theirs)] = _find(theirs, from_peer, _OURS, "confluent_kafka")
    return convert(theirs)


def to_peer(ours: Any) -> Any:
    """Return confluent_kafka's object for one of pylog's; others as they are."""
    convert = _TO_PEER.get(type(ours))
    if convert is None:
        convert = _TO_PEER[type(ours)] = _find(ours, to_peer, _THEIRS, "pylog")
    return convert(ours)


def future_from_peer(theirs: "Future[Any]") -> "Future[Any]":
    """Return a future that is done when `theirs` is, with the same outcome in pylog's types."""
    ours: Future[Any] = Future()
    ours.set_running_or_notify_cancel()

    def finish(done: "Future[Any]") -> None:
        error = done.exception()
        if error is None:
            ours.set_result(from_peer(done.result()))
        else:
            ours.set_exception(from_peer(error))

    theirs.add_done_callback(finish)
    return ours


def _same(value: Any) -> Any:
    return value


def _find(value: Any, convert: Convert, namespaces: tuple[Any, ...], source: str) -> Convert:
    """How objects of a class that no table names are translated."""
    kind = type(value)
    if isinstance(value, Future):
        return future_from_peer
    for known, table in ((TopicPartition, _TO_PEER), (OffsetSpec, _TO_PEER)):
        if convert is to_peer and isinstance(value, known):
            return table[known]
    if not kind.__module__.startswith(source):
        return _same
    target = next((getattr(each, kind.__name__) for each in namespaces
                   if hasattr(each, kind.__name__)), None)  # fmt: skip
    if target is None:
        return _same
    if issubclass(kind, enum.Enum):
        return lambda member: target[member.name]

    def copy(original: Any) -> Any:
        made = object.__new__(target)
        for name, attribute in _attributes(original).items():
            object.__setattr__(made, name, convert(attribute))
        return made

    return copy


def _attributes(value: Any) -> Mapping[str, Any]:
    slots = getattr(type(value), "__slots__", None)
    return {name: getattr(value, name) for name in slots} if slots else vars(value)


def _containers(convert: Convert) -> dict[type, Convert]:
    return {
        list: lambda items: [convert(item) for item in items],
        tuple: lambda items: tuple(convert(item) for item in items),
        set: lambda items: {convert(item) for item in items},
        dict: lambda items: {convert(key): convert(item) for key, item in items.items()},
        **dict.fromkeys((type(None), str, bytes, int, float, bool), _same),
    }


_OURS = (pylog, pylog.admin)
_THEIRS = (confluent_kafka, _peer_admin)

_FROM_PEER: dict[type, Convert] = {
    **_containers(from_peer),
    confluent_kafka.KafkaError: error_from_peer,
    confluent_kafka.KafkaException: exception_from_peer,
    confluent_kafka.TopicPartition: _partition_from_peer,
    confluent_kafka.Message: lambda theirs: wrap_peers([theirs])[0],
    confluent_kafka.Uuid: _uuid_from_peer,
}
_TO_PEER: dict[type, Convert] = {
    **_containers(to_peer),
    TopicPartition: _partition_to_peer,
    NewTopic: _new_topic_to_peer,
    NewPartitions: _new_partitions_to_peer,
    OffsetSpec: _offset_spec_to_peer,
    Message: peer_of,
}
