"""What groups of the consumer protocol work on: members, what they say, and what they see.

See consumer_group.py for the states.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

JOINING_EPOCH = 0
LEAVING_EPOCH = -1
LEAVING_STATIC_EPOCH = -2
NO_DEADLINE_MS = -1

TopicIdPartition = tuple[str, int]
"""A topic's id as hex digits, and a partition."""


class Topics(Protocol):
    """What topics there are, as the member that speaks may see them."""

    def find(self, name: str) -> tuple[str, int] | None:
        """The id and the partition count of a topic, None when there is none."""

    def match(self, regex: str) -> tuple[str, ...]:
        """Names of the topics that an expression matches as a whole, in order."""


class ConsumerGroupState(StrEnum):
    """Where a group stands, in Kafka's words."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"


class MemberState(StrEnum):
    """Where a member stands on its way to the target."""

    STABLE = "stable"
    UNREVOKED = "unrevoked"
    UNRELEASED = "unreleased"


@dataclass(slots=True)
class ConsumerMember:
    """One member.

    Attributes:
        topics, regex: what it subscribes to; either may be empty.
        assignor: that it would like the server to use, "" for any.
        epoch: that it has reached; LEAVING_STATIC_EPOCH while a static member is away.
        previous_epoch: the one before, for when the answer with the new one was lost.
        assigned: what it may read, with the epoch in which it got it.
        revoking: what it was told to give up, and has not.
        revoke_deadline_ms: until when it has to.
        last_heard_ms: when it last gave a sign of life.
    """

    member_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = -1
    topics: tuple[str, ...] = ()
    regex: str = ""
    assignor: str = ""
    epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    assigned: dict[TopicIdPartition, int] = field(default_factory=dict)
    revoking: dict[TopicIdPartition, int] = field(default_factory=dict)
    revoke_deadline_ms: int = NO_DEADLINE_MS
    last_heard_ms: int = 0


@dataclass(frozen=True, slots=True)
class ConsumerHeartbeat:
    """What a member says. None is for what has not changed.

    Attributes:
        epoch: JOINING_EPOCH to join, or to join again with empty hands.
        owned: what it reads now.
    """

    member_id: str
    epoch: int
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = -1
    topics: tuple[str, ...] | None = None
    regex: str | None = None
    assignor: str | None = None
    owned: frozenset[TopicIdPartition] | None = None
