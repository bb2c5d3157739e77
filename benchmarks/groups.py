"""Measurements of a group of processes: a rebalance, and the time until a killed one is replaced.

Each member is a process that says in JSON lines what it is assigned and when it first reads each
partition after that. Times are CLOCK_MONOTONIC, which all processes of a machine share.
"""

import contextlib
import json
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from subprocess import Popen
from time import monotonic, monotonic_ns
from typing import Any

import pylog
from benchmarks.measure import MeasurementError, start
from benchmarks.workload import TOPIC, Figures, Order

_WAIT_S = 60.0
_SEND_INTERVAL_S = 0.01


@dataclass(eq=False)
class Member:
    """A member as the parent knows it.

    Args:
        process: that it is.
        owned: the partitions that it has.
        assigned_ns: when it was last given some.
        first_ns: when it read each first, since then.
        joined_ns: when it called subscribe.
        is_leaving: it was told to end.
    """

    process: "Popen[str]"
    owned: set[int] = field(default_factory=set)
    assigned_ns: int = 0
    first_ns: dict[int, int] = field(default_factory=dict)
    joined_ns: int = 0
    is_leaving: bool = False

    def tell(self, word: str) -> None:
        """Give it an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()


class Group:
    """The members of a measurement, and what they say.

    Args:
        order: of the measurement; `members` and `partitions` are among its extras.
    """

    def __init__(self, order: Order):
        self._order = order
        self._said: queue.Queue[tuple[Member, dict[str, Any]]] = queue.Queue()
        self.partitions = int(str(order.extra["partitions"]))
        self.members: list[Member] = []

    def add(self) -> Member:
        """Start one more; it joins when it is told to."""
        member = Member(start("group_member", self._order))
        self.members.append(member)
        threading.Thread(target=self._listen, args=(member,), daemon=True).start()
        return member

    def _listen(self, member: Member) -> None:
        assert member.process.stdout is not None
        for line in member.process.stdout:
            self._said.put((member, json.loads(line)))
        self._said.put((member, {"event": "end", "ns": monotonic_ns()}))

    def wait(self, is_reached: Callable[[], bool], what: str) -> None:
        """Take in what members say until something is so.

        Raises:
            MeasurementError: it is not within a minute, or a member ended.
        """
        deadline_s = monotonic() + _WAIT_S
        while not is_reached():
            try:
                member, said = self._said.get(timeout=max(0.0, deadline_s - monotonic()))
            except queue.Empty:
                raise MeasurementError(f"no {what} within {_WAIT_S} s") from None
            self._take(member, said)

    def _take(self, member: Member, said: dict[str, Any]) -> None:
        kind, ns = said["event"], said["ns"]
        if kind == "join":
            member.joined_ns = ns
        elif kind == "assign":
            member.owned |= set(said["partitions"])
            member.assigned_ns = ns
            member.first_ns.clear()
        elif kind == "revoke":
            member.owned -= set(said["partitions"])
        elif kind == "first":
            member.first_ns[said["partition"]] = ns
        elif member in self.members and not member.is_leaving:
            errors = member.process.communicate(timeout=_WAIT_S)[1]
            raise MeasurementError(f"a member ended: {errors.strip()[-2000:]}")

    def is_shared_out(self, since_ns: int = 0) -> bool:
        """Whether each partition has its owner, and each member heard of it after a time."""
        owned = [partition for member in self.members for partition in member.owned]
        return sorted(owned) == list(range(self.partitions)) and all(
            member.assigned_ns > since_ns for member in self.members
        )

    def drop(self, member: Member) -> None:
        """End a member's process, if it has not ended, and forget it."""
        self.members.remove(member)
        member.process.kill()
        member.process.wait()
        for stream in (member.process.stdin, member.process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def _group(order: Order) -> Iterator[Group]:
    with pylog.open(order.log_dir, acks=1) as log:
        log.topic(TOPIC, partitions=int(str(order.extra["partitions"])))
    group = Group(order)
    try:
        yield group
    finally:
        for member in list(group.members):
            group.drop(member)


def rebalance(order: Order) -> Figures:
    """The last of the members joins: from its subscribe() until all have their partitions."""
    times_ms = []
    with _group(order) as group:
        for _ in range(int(str(order.extra["members"])) - 1):
            group.add().tell("join")
        group.wait(group.is_shared_out, "first assignment")
        for _ in range(order.blocks):
            last = group.add()
            last.tell("join")
            group.wait(lambda last=last: last.joined_ns > 0, "word of the last member")
            group.wait(lambda last=last: group.is_shared_out(last.joined_ns), "rebalance")
            done_ns = max(member.assigned_ns for member in group.members)
            times_ms.append((done_ns - last.joined_ns) / 1e6)
            last.is_leaving = True
            last.tell("leave")
            last.process.wait(_WAIT_S)
            group.drop(last)
            group.wait(group.is_shared_out, "assignment without the last member")
    return {"records": len(times_ms), "median_ms": median(times_ms), "max_ms": max(times_ms)}


def takeover(order: Order) -> Figures:
    """A member is killed: until another has read from each of its partitions."""
    times_ms = []
    with _group(order) as group, _producing(order):
        for _ in range(int(str(order.extra["members"]))):
            group.add().tell("join")
        for _ in range(order.blocks):
            group.wait(group.is_shared_out, "assignment")
            group.wait(lambda: _reads_all(group), "reading")
            victim = group.members[0]
            left = set(victim.owned)
            killed_ns = monotonic_ns()
            group.drop(victim)
            group.wait(lambda k=killed_ns, p=left: _first_ns(group, p, k) > 0, "takeover")
            times_ms.append((_first_ns(group, left, killed_ns) - killed_ns) / 1e6)
            group.add().tell("join")
    return {"records": len(times_ms), "median_ms": median(times_ms), "max_ms": max(times_ms)}


def _reads_all(group: Group) -> bool:
    return all(member.owned <= set(member.first_ns) for member in group.members)


def _first_ns(group: Group, partitions: set[int], since_ns: int) -> int:
    """When the last of these partitions was first read after a time; 0 before all are."""
    found: dict[int, int] = {}
    for member in group.members:
        for partition, ns in member.first_ns.items():
            if partition in partitions and ns > since_ns:
                found[partition] = min(ns, found.get(partition, ns))
    return max(found.values()) if partitions <= set(found) else 0


@contextlib.contextmanager
def _producing(order: Order) -> Iterator[None]:
    """A record to each partition all the while."""
    is_over = threading.Event()
    partitions = int(str(order.extra["partitions"]))

    def produce() -> None:
        with pylog.Producer({"log.dir": order.log_dir, "acks": 1, "linger.ms": 0}) as producer:
            while not is_over.wait(_SEND_INTERVAL_S):
                for partition in range(partitions):
                    producer.produce(TOPIC, b"x" * order.value_bytes, partition=partition)
                producer.flush()

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


# ---- in a member's process ----


def group_member(order: Order) -> Figures:
    """Join when told to, say what happens, leave when told to."""
    sys.stdin.readline()
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), is_over.set()), daemon=True).start()
    unread: set[int] = set()

    def assigned(_: pylog.Consumer, partitions: list[pylog.TopicPartition]) -> None:
        numbers = [found.partition for found in partitions]
        unread.update(numbers)
        _say("assign", partitions=numbers)

    def revoked(_: pylog.Consumer, partitions: list[pylog.TopicPartition]) -> None:
        numbers = [found.partition for found in partitions]
        unread.difference_update(numbers)
        _say("revoke", partitions=numbers)

    consumer = pylog.Consumer({
        "log.dir": order.log_dir,
        "group.id": "bench",
        "auto.offset.reset": "latest",
    })  # fmt: skip
    _say("join")
    consumer.subscribe([TOPIC], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    while not is_over.is_set():
        message = consumer.poll(0.02)
        if message is not None and message.error() is None and message.partition() in unread:
            unread.discard(message.partition() or 0)
            _say("first", partition=message.partition())
    consumer.close()
    sys.exit(0)


def _say(event: str, **more: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "ns": monotonic_ns(), **more}) + "\n")
    sys.stdout.flush()
