"""What groups work on: members, requests, results, events for the application, errors."""

from dataclasses import dataclass
from enum import StrEnum

from pylog.error_codes import ERROR_CODES, ErrorCodes
from pylog.errors import KafkaError

NO_GENERATION = -1
NO_SLOT = -1
NO_DEADLINE_MS = -1
MAX_MEMBERS = 1000


class GroupState(StrEnum):
    """Where a group stands, in Kafka's words."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class GroupError(Exception):
    """A request that Kafka answers with an error code; the group is as it was.

    Attributes:
        code: of KafkaError.
    """

    def __init__(self, code: int, reason: str):
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def describe(self) -> str:
        """Kafka's words for the code, and the reason."""
        return f"{KafkaError(self.code).str()}: {self.reason}"

    def __str__(self) -> str:
        row = ERROR_CODES.get(self.code)
        return f"{row.name if row else self.code}: {self.reason}"


@dataclass(slots=True)
class Member:
    """One member.

    Attributes:
        protocols: its metadata by the protocol's name, the one it likes best first.
        assignment: what the leader gave it in this generation.
        has_joined: it takes part in the rebalance that is going on.
        has_synced: it asked for its assignment in this generation.
        slot: the place of its proof of life, NO_SLOT when it has none but its heartbeats.
        last_heard_ms: when it last gave a sign of life.
    """

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: dict[str, bytes]
    slot: int = NO_SLOT
    last_heard_ms: int = 0
    assignment: bytes = b""
    has_joined: bool = False
    has_synced: bool = False


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a member joins with.

    Attributes:
        member_id: "" for one that has none yet.
        new_member_id: taken then.
    """

    member_id: str
    new_member_id: str
    protocols: dict[str, bytes]
    instance_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    session_timeout_ms: int = 45_000
    rebalance_timeout_ms: int = 300_000
    protocol_type: str = "consumer"
    slot: int = NO_SLOT


@dataclass(frozen=True, slots=True)
class JoinResult:
    """What a join leads to.

    Attributes:
        members: for the leader alone, who computes the assignment: (member id, instance id,
            metadata) of each. Empty also when the group goes on with the assignment it has.
    """

    generation: int
    protocol: str
    leader: str
    members: tuple[tuple[str, str | None, bytes], ...]


@dataclass(frozen=True, slots=True)
class MemberConfig:
    """What a member is, from the consumer's configuration."""

    strategies: tuple[str, ...]
    instance_id: str | None
    client_id: str
    session_timeout_ms: int
    heartbeat_interval_ms: int
    max_poll_interval_ms: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something for the application.

    Attributes:
        kind: "assign", "revoke", "lost" or "error".
        partitions: (topic, partition) that come, or go.
        is_incremental: the others stay.
        error, topic: of an error.
    """

    kind: str
    partitions: tuple[tuple[str, int], ...] = ()
    is_incremental: bool = False
    error: KafkaError | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who commits: a member in a generation."""

    member_id: str = ""
    generation: int = NO_GENERATION


def new_member(request: JoinRequest, now_ms: int) -> Member:
    """A member as it joins for the first time."""
    return Member(
        member_id=request.new_member_id,
        instance_id=request.instance_id,
        client_id=request.client_id,
        client_host=request.client_host,
        session_timeout_ms=request.session_timeout_ms,
        rebalance_timeout_ms=request.rebalance_timeout_ms,
        protocols=dict(request.protocols),
        slot=request.slot,
        last_heard_ms=now_ms,
    )


def renew_member(member: Member, request: JoinRequest, now_ms: int) -> None:
    """A member joins again, maybe with something new."""
    member.client_id = request.client_id
    member.client_host = request.client_host
    member.session_timeout_ms = request.session_timeout_ms
    member.rebalance_timeout_ms = request.rebalance_timeout_ms
    member.protocols = dict(request.protocols)
    member.slot = request.slot
    member.last_heard_ms = now_ms


def rebalancing() -> GroupError:
    """What a member is told that has to join again."""
    return GroupError(ErrorCodes.REBALANCE_IN_PROGRESS, "the group is rebalancing: join again")
