"""What an application says of itself: instances, threads, tasks, and how far stores are behind.

Source: Kafka StreamsMetadata, KeyQueryMetadata, ThreadMetadata, TaskMetadata, LagInfo.
"""

from dataclasses import dataclass
from typing import Any

NOT_AVAILABLE_PARTITION = -1


@dataclass(frozen=True, order=True)
class HostInfo:
    """An instance of the application.

    Attributes:
        client_id: what names of its threads begin with; unique.
        host: the machine, as the group knows it.
    """

    client_id: str
    host: str = ""

    @property
    def is_available(self) -> bool:
        """Whether it is known; it is not while the group rebalances."""
        return bool(self.client_id)


UNAVAILABLE = HostInfo("")


@dataclass(frozen=True)
class KeyQueryMetadata:
    """Where a key is.

    Attributes:
        active_host: the instance that has its task.
        standby_hosts: instances that have a copy.
        partition: of the store.
    """

    active_host: HostInfo
    standby_hosts: frozenset[HostInfo]
    partition: int

    @property
    def is_available(self) -> bool:
        """Whether somebody has the key now."""
        return self.active_host.is_available


@dataclass(frozen=True)
class StreamsMetadata:
    """What an instance has.

    Attributes:
        host_info: which one.
        state_store_names: stores of its tasks, global ones too.
        topic_partitions: what its tasks read.
        standby_state_store_names: stores that it keeps copies of.
        standby_topic_partitions: what the tasks read that it keeps copies for.
    """

    host_info: HostInfo
    state_store_names: frozenset[str]
    topic_partitions: frozenset[tuple[str, int]]
    standby_state_store_names: frozenset[str]
    standby_topic_partitions: frozenset[tuple[str, int]]


@dataclass(frozen=True)
class TaskMetadata:
    """A task of a thread of this instance.

    Attributes:
        task_id: which one.
        topic_partitions: what it reads.
        committed_offsets: next offset to read, as committed.
        is_running: it processes; else its stores are restored.
    """

    task_id: Any
    topic_partitions: frozenset[tuple[str, int]]
    committed_offsets: dict[tuple[str, int], int]
    is_running: bool


@dataclass(frozen=True)
class ThreadMetadata:
    """A thread of this instance.

    Attributes:
        thread_name: its name.
        thread_state: ThreadState's name.
        active_tasks: tasks that it processes or restores.
        standby_tasks: tasks whose stores it keeps copies of.
        consumer_client_id: of its main consumer.
        restore_consumer_client_id: of the one for changelogs.
        producer_client_id: of its producer.
        admin_client_id: of the instance's admin client.
    """

    thread_name: str
    thread_state: str
    active_tasks: tuple[TaskMetadata, ...]
    standby_tasks: tuple[TaskMetadata, ...]
    consumer_client_id: str
    restore_consumer_client_id: str
    producer_client_id: str
    admin_client_id: str


@dataclass(frozen=True)
class LagInfo:
    """How far a store of this instance is behind its changelog.

    Attributes:
        current_offset_position: where it is.
        end_offset_position: where the changelog ends.
        offset_lag: the difference.
    """

    current_offset_position: int
    end_offset_position: int
    offset_lag: int
