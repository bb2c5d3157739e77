"""ServedGroup: a group with members that are clients of this server.

The state is shared with the programs that embed the log (group/shared_group.py); what is here is
the server's alone: when it heard each member, who waits for an answer, and the clock. All of it
belongs to the loop's thread. The group's mutex is taken at a glance; when somebody else keeps it, a
thread waits for it, one at a time.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pylog.error_codes import ErrorCodes
from pylog.group.group_types import NO_SLOT, GroupError, JoinRequest, JoinResult
from pylog.group.shared_group import GroupBusyError, SharedGroup
from pylog.group.states import Group

if TYPE_CHECKING:
    from pylog.server.broker import Broker
    from pylog.server.connection import Connection

_Result = TypeVar("_Result")
Event = Callable[[Group, int], _Result]
"""What happens to a group at a time (ms); its GroupError leaves the group as it was."""


class _Waiting:
    """A request that is answered later: a join or a sync.

    Attributes:
        find: its answer as the group stands now, None while it has to wait.
    """

    __slots__ = ("connection", "find", "future", "member_id")

    def __init__(
        self,
        member_id: str,
        connection: "Connection",
        find: Callable[[Group], Any],
        future: "asyncio.Future[Any]",
    ) -> None:
        self.member_id = member_id
        self.connection = connection
        self.find = find
        self.future = future


class ServedGroup:
    """One group.

    Args:
        broker: that serves it.
        group_id: its id.

    Attributes:
        pending: member ids that were given out and have not been used, and until when (ms).
        used_s: when somebody asked for it, of the loop's clock.
    """

    def __init__(self, broker: "Broker", group_id: str) -> None:
        self.group_id = group_id
        self.shared = SharedGroup.open(broker.log_dir, group_id)
        self.shared.beat_for_clients()
        self.pending: dict[str, int] = {}
        self.used_s = broker.loop.time()
        self._broker = broker
        self._heard_ms: dict[str, int] = {}
        self._waiting: list[_Waiting] = []
        self._line = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._expiring: asyncio.Task[None] | None = None

    # ---- the group ----

    def look(self) -> Group:
        """The group as it stands, not to be changed."""
        return self.shared.look()

    async def change(self, event: "Event[_Result]") -> _Result:
        """Let something happen to the group, after who is late was put out.

        Raises:
            GroupError: the event's.
            KafkaException: as `SharedGroup.locked`.
        """
        try:
            return await self.run(partial(self._apply, event))
        finally:
            self.settle()

    async def run(self, work: "Callable[[bool], _Result]") -> _Result:
        """Do something that needs the group's mutex.

        Args:
            work: is told whether it may wait for it, and raises GroupBusyError if not.
        """
        self.used_s = self._broker.loop.time()
        if not self._line.locked():
            try:
                return work(False)
            except GroupBusyError:
                pass
        async with self._line:
            return await self._broker.run_blocking(work, True)

    def _apply(self, event: "Event[_Result]", waits: bool) -> _Result:
        failure: GroupError | None = None
        with self.shared.locked(waits=waits) as group:
            now_ms = monotonic_ms()
            self.shared.reap(group, now_ms, self._times_ms(group, now_ms))
            try:
                result = event(group, now_ms)
            except GroupError as error:  # what the clock did stays
                failure = error
        if failure is not None:
            raise failure
        return result

    # ---- who is alive ----

    def heard(self, member_id: str) -> None:
        """Note a sign of life."""
        self._heard_ms[member_id] = monotonic_ms()
        self.used_s = self._broker.loop.time()

    def _times_ms(self, group: Group, now_ms: int) -> dict[str, int]:
        """When each client was heard; who waits for an answer, and is still there, is heard."""
        waiting = {one.member_id for one in self._waiting if not one.connection.is_closed}
        names = list(group.members) if group.consumer is None else list(group.consumer.members)
        return {
            name: now_ms if name in waiting else self._heard_ms.setdefault(name, now_ms)
            for name in names
        }

    def has_clients(self, group: Group) -> bool:
        """Whether somebody in the group is a client of this server."""
        if group.consumer is not None:
            return bool(group.consumer.members)
        return any(member.slot == NO_SLOT for member in group.members.values())

    @property
    def is_idle(self) -> bool:
        """Whether nobody is there, nobody waits and nobody is expected."""
        is_quiet = not self._waiting and not self._line.locked() and not self.pending
        return is_quiet and not self.look().has_members

    # ---- who waits ----

    async def join(self, request: JoinRequest, connection: "Connection", **limits: int) -> Any:
        """Join, and wait for the others.

        Returns:
            (member id, JoinResult, the leader before).
        """

        def event(group: Group, now_ms: int) -> tuple[str, str]:
            leader = group.leader
            return group.join(request, now_ms, **limits), leader

        member_id, leader = await self.change(event)
        self.pending.pop(member_id, None)
        self.heard(member_id)

        def find(group: Group) -> JoinResult | None:
            return group.join_result(member_id, request.instance_id)

        result: JoinResult = await self._wait(member_id, connection, find)
        return member_id, result, leader

    async def sync(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        assignments: dict[str, bytes],
        connection: "Connection",
    ) -> bytes:
        """Bring assignments, and wait for one's own."""
        await self.change(
            lambda group, now_ms: group.sync(
                member_id, instance_id, generation, assignments, now_ms
            )
        )
        self.heard(member_id)

        def find(group: Group) -> bytes | None:
            return group.sync_result(member_id, instance_id, generation)

        found: bytes = await self._wait(member_id, connection, find)
        return found

    async def _wait(
        self, member_id: str, connection: "Connection", find: Callable[[Group], Any]
    ) -> Any:
        future: asyncio.Future[Any] = self._broker.loop.create_future()
        self._waiting.append(_Waiting(member_id, connection, find, future))
        self.settle()
        return await future

    def settle(self) -> None:
        """Answer who need not wait any more, and set the clock."""
        group = self.look()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            try:
                result = one.find(group)
            except GroupError as error:
                if not one.future.done():
                    one.future.set_exception(error)
                continue
            if result is None:
                self._waiting.append(one)
                continue
            self._heard_ms[one.member_id] = monotonic_ms()
            if not one.future.done():
                one.future.set_result(result)
        self._set_timer(group)

    def stop(self) -> None:
        """Send away who waits: the server ends."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.future.done():
                one.future.set_exception(
                    GroupError(ErrorCodes.NOT_COORDINATOR, "the server is ending")
                )

    def close(self) -> None:
        """Give the group's files back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.shared.close()

    # ---- the clock ----

    def tick(self, now_ms: int) -> None:
        """Once a second: show that the server is alive, and see what others did."""
        group = self.look()
        if self.has_clients(group):
            self.shared.beat_for_clients()
        self.pending = {name: end for name, end in self.pending.items() if end > now_ms}
        names = set(group.members if group.consumer is None else group.consumer.members)
        self._heard_ms = {name: ms for name, ms in self._heard_ms.items() if name in names}
        if self._waiting or self._timer is None:
            self.settle()

    def _set_timer(self, group: Group) -> None:
        if not self.has_clients(group):
            return
        now_ms = monotonic_ms()
        self.shared.take_in_beats(group, now_ms, self._times_ms(group, now_ms))
        deadline_ms = group.next_deadline_ms()
        if deadline_ms < 0 or (self._timer is not None and self._timer_ms <= deadline_ms):
            return  # when it wakes, it looks again
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = deadline_ms
        delay_s = max(deadline_ms - now_ms, 1) / 1000
        self._timer = self._broker.loop.call_later(delay_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if self._expiring is None or self._expiring.done():
            self._expiring = self._broker.loop.create_task(self._expire())

    async def _expire(self) -> None:
        await self.change(lambda group, now_ms: None)


def monotonic_ms() -> int:
    """The clock of groups."""
    return time.monotonic_ns() // 1_000_000
