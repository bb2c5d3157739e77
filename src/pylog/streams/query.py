"""Interactive queries, version 2: what is asked of the stores of an application, and the answer.

    request = StateQueryRequest("counts", KeyQuery("alice"), position_bound=PositionBound(...))
    result = streams.query(request).only_partition_result

A query goes to the partitions of a store that this instance has; each answers for itself.

Source: Kafka's package streams.query (KIP-796, KIP-805, KIP-960, KIP-968, KIP-969).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pylog.streams.durations import MAX_MS
from pylog.streams.errors import StreamsError

Positions = Mapping[str, Mapping[int, int]]


class FailureReason(Enum):
    """Why a partition gave no answer."""

    UNKNOWN_QUERY_TYPE = "unknown_query_type"
    NOT_ACTIVE = "not_active"
    NOT_UP_TO_BOUND = "not_up_to_bound"
    NOT_PRESENT = "not_present"
    DOES_NOT_EXIST = "does_not_exist"
    STORE_EXCEPTION = "store_exception"


@dataclass(frozen=True)
class PositionBound:
    """How far a store must have come to answer: nothing, or these offsets of its input topics.

    To read what was written: the offset that the producer reported, by topic and partition.

    Attributes:
        offsets: by topic and partition, of records that must be in the answer.
    """

    offsets: Positions = field(default_factory=dict)

    def is_met_by(self, position: Positions) -> bool:
        """Whether a store at this position may answer."""
        return all(
            position.get(topic, {}).get(partition, -1) >= offset
            for topic, partitions in self.offsets.items()
            for partition, offset in partitions.items()
        )

    def within(self, partitions: Mapping[str, set[int]]) -> "PositionBound":
        """The part of it that concerns these partitions."""
        return PositionBound(
            {
                topic: {number: offset for number, offset in wanted.items()
                        if number in partitions.get(topic, ())}
                for topic, wanted in self.offsets.items()
            }
        )  # fmt: skip


# ---- queries ----


@dataclass(frozen=True)
class KeyQuery:
    """The value of a key in a key-value store; without its timestamp."""

    key: Any


@dataclass(frozen=True)
class TimestampedKeyQuery:
    """The value of a key in a timestamped key-value store, as ValueAndTimestamp."""

    key: Any


@dataclass(frozen=True)
class RangeQuery:
    """The entries of a key-value store from a key to another, both included; None for no bound."""

    from_key: Any = None
    to_key: Any = None
    is_descending: bool = False


@dataclass(frozen=True)
class TimestampedRangeQuery:
    """A RangeQuery whose values are ValueAndTimestamp."""

    from_key: Any = None
    to_key: Any = None
    is_descending: bool = False


@dataclass(frozen=True)
class WindowKeyQuery:
    """The windows of a key that start in a time: (start, value) of each."""

    key: Any
    time_from_ms: int
    time_to_ms: int


@dataclass(frozen=True)
class WindowRangeQuery:
    """Windows of all keys that start in a time; or, of a session store, all sessions of a key."""

    key: Any = None
    time_from_ms: int | None = None
    time_to_ms: int | None = None


@dataclass(frozen=True)
class VersionedKeyQuery:
    """The version of a key that was valid at a time, the latest without one."""

    key: Any
    as_of_ms: int | None = None


@dataclass(frozen=True)
class MultiVersionedKeyQuery:
    """The versions of a key that were valid at some time between two, the latest first."""

    key: Any
    from_ms: int = 0
    to_ms: int = MAX_MS
    is_ascending: bool = False


Query = (
    KeyQuery
    | TimestampedKeyQuery
    | RangeQuery
    | TimestampedRangeQuery
    | WindowKeyQuery
    | WindowRangeQuery
    | VersionedKeyQuery
    | MultiVersionedKeyQuery
)


# ---- request and answer ----


@dataclass(frozen=True)
class StateQueryRequest:
    """A query and where it goes.

    Attributes:
        store_name: of the store.
        query: what is asked.
        partitions: None for all that are here.
        position_bound: how far a store must have come.
        require_active: only the active task answers, not a standby or one that is restored.
    """

    store_name: str
    query: Any
    partitions: frozenset[int] | None = None
    position_bound: PositionBound = field(default_factory=PositionBound)
    require_active: bool = False


@dataclass(frozen=True)
class QueryResult:
    """The answer of one partition.

    Attributes:
        result: what was asked for; an iterator for ranges.
        position: of the store when it answered.
        failure_reason: None for an answer.
        failure_message: what went wrong.
    """

    result: Any = None
    position: Positions = field(default_factory=dict)
    failure_reason: FailureReason | None = None
    failure_message: str = ""

    @property
    def is_success(self) -> bool:
        """Whether it is an answer."""
        return self.failure_reason is None

    @property
    def is_failure(self) -> bool:
        """Whether it is none."""
        return self.failure_reason is not None


@dataclass(frozen=True)
class StateQueryResult:
    """The answers by partition; `global_result` of a global store."""

    partition_results: Mapping[int, QueryResult] = field(default_factory=dict)
    global_result: QueryResult | None = None

    @property
    def only_partition_result(self) -> QueryResult | None:
        """The one answer there is, None for none.

        Raises:
            StreamsError: several partitions answered.
        """
        found = [
            each
            for each in self.partition_results.values()
            if each.is_failure or each.result is not None
        ]
        if len(found) > 1:
            raise StreamsError(f"{len(found)} partitions answered; see partition_results")
        return found[0] if found else None

    @property
    def position(self) -> dict[str, dict[int, int]]:
        """How far the stores that answered had come, all together."""
        merged: dict[str, dict[int, int]] = {}
        for each in self.partition_results.values():
            for topic, partitions in each.position.items():
                own = merged.setdefault(topic, {})
                for partition, offset in partitions.items():
                    own[partition] = max(offset, own.get(partition, offset))
        return merged
