"""GroupView: which instance has which task, as the group sees it, and who keeps copies.

Members say who they are by their client.id, which begins with the instance's. Who keeps standbys
is not negotiated: every instance works it out from the same description of the group, by hashing,
so that all come to the same result and little moves when an instance comes or goes. While a
rebalance goes on they may differ for a moment, which costs a copy more or less and no data:
standbys only read.

Source: of the hashing, Thaler and Ravishankar, rendezvous hashing.
"""

import hashlib
import re
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pylog import ConsumerGroupState, KafkaException
from pylog.streams.metadata import HostInfo
from pylog.streams.runtime.task_id import TaskId

if TYPE_CHECKING:
    from pylog.streams.runtime.instance import Instance

_MEMBER = re.compile(r"(.*)-StreamThread-\d+-consumer")
_FRESH_S = 1.0
_FRESH_ON_CLUSTER_S = 5.0


class GroupView:
    """The group, looked at now and then.

    Args:
        instance: what threads share.
    """

    def __init__(self, instance: "Instance"):
        self._instance = instance
        self._lock = threading.Lock()
        self._owners: dict[TaskId, HostInfo] = {}
        self._hosts: dict[str, HostInfo] = {}
        self._looked_s = float("-inf")
        self._fresh_s = _FRESH_ON_CLUSTER_S if instance.config.is_on_cluster else _FRESH_S

    def look(self, *, max_age_s: float | None = None) -> None:
        """Describe the group anew, unless that was done just now."""
        with self._lock:
            age_s = time.monotonic() - self._looked_s
            if age_s < (self._fresh_s if max_age_s is None else max_age_s):
                return
            self._looked_s = time.monotonic()
            self._describe()

    def _describe(self) -> None:
        application_id = self._instance.application_id
        try:
            described = self._instance.admin.describe_consumer_groups([application_id])
            group = described[application_id].result()
        except KafkaException:
            return  # as it was
        if group.state is not ConsumerGroupState.STABLE:
            return
        layout = self._instance.layout
        owners: dict[TaskId, HostInfo] = {}
        hosts: dict[str, HostInfo] = {}
        for member in group.members:
            match = _MEMBER.fullmatch(member.client_id)
            if match is None:
                continue
            host = hosts.setdefault(match[1], HostInfo(match[1], member.host))
            for place in member.assignment.topic_partitions:
                task_id = layout.task_led_by(place.topic, place.partition)
                if task_id is not None:
                    owners[task_id] = host
        self._owners, self._hosts = owners, hosts

    @property
    def hosts(self) -> list[HostInfo]:
        """All instances."""
        return list(self._hosts.values())

    def owner_of(self, task_id: TaskId) -> HostInfo | None:
        """The instance that has a task, None while nobody has."""
        return self._owners.get(task_id)

    def tasks_of(self, host: HostInfo) -> set[TaskId]:
        """The tasks that an instance has."""
        return {task_id for task_id, owner in self._owners.items() if owner == host}

    def standby_hosts(self, task_id: TaskId) -> list[HostInfo]:
        """The instances that keep a copy of a task."""
        owner = self._owners.get(task_id)
        replicas: int = self._instance.config["num.standby.replicas"]
        if owner is None:
            return []
        names = choose(task_id, (name for name in self._hosts if name != owner.client_id), replicas)
        return [self._hosts[name] for name in names]

    def own_standbys(self, stateful: Iterable[TaskId], number: int, count: int) -> set[TaskId]:
        """The tasks that this instance keeps copies of, in one of its threads.

        Args:
            stateful: tasks that have state.
            number: of the thread that asks, from 0.
            count: of threads.
        """
        own = self._instance.client_id
        return {
            task_id
            for task_id in stateful
            if any(host.client_id == own for host in self.standby_hosts(task_id))
            and _hash(str(task_id)) % max(1, count) == number
        }


def choose(task_id: TaskId, names: Iterable[str], count: int) -> list[str]:
    """So many of the names, the same for all who ask.

    >>> choose(TaskId(0, 1), ["a", "b", "c"], 5) == choose(TaskId(0, 1), ["c", "b", "a"], 5)
    True
    """
    return sorted(names, key=lambda name: _hash(f"{task_id} {name}"))[:count]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
