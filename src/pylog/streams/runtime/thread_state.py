"""States of stream threads and of instances, and which may follow which.

Source: Kafka StreamThread.State, KafkaStreams.State.
"""

from enum import Enum


class ThreadState(Enum):
    """What a stream thread is at."""

    CREATED = "CREATED"
    STARTING = "STARTING"
    PARTITIONS_REVOKED = "PARTITIONS_REVOKED"
    PARTITIONS_ASSIGNED = "PARTITIONS_ASSIGNED"
    RUNNING = "RUNNING"
    PENDING_SHUTDOWN = "PENDING_SHUTDOWN"
    DEAD = "DEAD"


class State(Enum):
    """What an instance is at."""

    CREATED = "CREATED"
    REBALANCING = "REBALANCING"
    RUNNING = "RUNNING"
    PENDING_SHUTDOWN = "PENDING_SHUTDOWN"
    NOT_RUNNING = "NOT_RUNNING"
    PENDING_ERROR = "PENDING_ERROR"
    ERROR = "ERROR"

    @property
    def is_running_or_rebalancing(self) -> bool:
        """Whether threads are at work."""
        return self in (State.RUNNING, State.REBALANCING)

    @property
    def has_completed_shutdown(self) -> bool:
        """Whether it has ended for good."""
        return self in (State.NOT_RUNNING, State.ERROR)

    def may_become(self, other: "State") -> bool:
        """Whether `other` may follow."""
        return other in _NEXT[self]


_NEXT = {
    State.CREATED: {State.REBALANCING, State.PENDING_SHUTDOWN, State.PENDING_ERROR},
    State.REBALANCING: {State.RUNNING, State.PENDING_SHUTDOWN, State.PENDING_ERROR},
    State.RUNNING: {State.REBALANCING, State.PENDING_SHUTDOWN, State.PENDING_ERROR},
    State.PENDING_SHUTDOWN: {State.NOT_RUNNING},
    State.NOT_RUNNING: set(),
    State.PENDING_ERROR: {State.ERROR},
    State.ERROR: set(),
}
