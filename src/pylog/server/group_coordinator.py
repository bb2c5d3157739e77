"""GroupCoordinator: the groups whose members are clients of this server."""

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

from pylog.error_codes import ErrorCodes
from pylog.group.bystander import list_groups, peek
from pylog.group.group_types import MAX_MEMBERS, NO_SLOT
from pylog.group.offsets import GroupOffsets
from pylog.group.shared_group import GROUPS_DIR, STATE_SUFFIX, stem_of
from pylog.group.states import Group
from pylog.internal_topics import OFFSETS_TOPIC, open_partition
from pylog.log_dir import LogDir
from pylog.server import offset_expiry
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.served_group import ServedGroup, monotonic_ms

if TYPE_CHECKING:
    from pylog.server.broker import Broker

_log = logging.getLogger("pylog.server")

IDLE_S = 30.0
"""After which a group without members gives its files back."""

CROWDED_IDLE_S = 1.0
"""The same, when many groups have theirs open."""

CROWD = 200

_MOST_BACKLOG = 1000  # records of offsets that the loop takes in by itself


class GroupCoordinator:
    """The groups.

    Args:
        broker: that serves them.
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._served: dict[str, ServedGroup] = {}
        self._is_open = False
        self._expires_s = broker.loop.time() + self._expiry_interval_s
        self._expiring: asyncio.Future[int] | None = None
        broker.on_second.append(self._tick)
        broker.on_stop.append(self._stop)

    # ---- limits ----

    @property
    def max_members(self) -> int:
        """How many members a group may have."""
        return min(self._broker.config.integer("group.max.size"), MAX_MEMBERS)

    @property
    def initial_delay_ms(self) -> int:
        """How long the first members of a group wait for others."""
        return self._broker.config.integer("group.initial.rebalance.delay.ms")

    def accepts_session(self, session_timeout_ms: int) -> bool:
        """Whether a member may be silent for so long."""
        config = self._broker.config
        least = config.integer("group.min.session.timeout.ms")
        return least <= session_timeout_ms <= config.integer("group.max.session.timeout.ms")

    def refusal(self, context: RequestContext, operation: Operation, group_id: str) -> int:
        """The error code for who may not do this to a group here, or NO_ERROR."""
        if not context.authorize(operation, ResourceType.GROUP, group_id):
            return ErrorCodes.GROUP_AUTHORIZATION_FAILED
        if not group_id:
            return ErrorCodes.INVALID_GROUP_ID
        return self.misplaced(context, group_id)

    def misplaced(self, context: RequestContext, group_id: str) -> int:
        """NOT_COORDINATOR where another node coordinates a group, else NO_ERROR."""
        is_here = self._broker.coordinator_of(group_id) == context.node_id
        return ErrorCodes.NO_ERROR if is_here else ErrorCodes.NOT_COORDINATOR

    @property
    def _expiry_interval_s(self) -> float:
        return self._broker.config.integer("offsets.retention.check.interval.ms") / 1000

    # ---- groups ----

    async def ready(self, group_id: str, *, writes: bool = False) -> None:
        """Wait until offsets and records of a group are at hand, and can be written."""
        offsets = self._broker.offsets
        if writes and OFFSETS_TOPIC not in self._broker.topics():
            await self._broker.run_blocking(
                open_partition, self._broker.log_dir, OFFSETS_TOPIC, group_id
            )
        if not self._is_open or offsets.backlog(group_id) > _MOST_BACKLOG:
            await self._broker.run_blocking(offsets.groups)
            self._is_open = True

    def serve(self, group_id: str) -> ServedGroup:
        """A group, made when it is not there.

        Raises:
            KafkaException: what the folder refused.
        """
        group = self._served.get(group_id)
        if group is None:
            if len(self._served) >= CROWD:
                self._close_idle(CROWDED_IDLE_S)
            group = self._served[group_id] = ServedGroup(self._broker, group_id)
        group.used_s = self._broker.loop.time()
        return group

    def find(self, group_id: str) -> ServedGroup | None:
        """A group that has a state, None when nobody ever joined or committed."""
        if group_id in self._served:
            return self.serve(group_id)
        stem = stem_of(group_id)
        path = os.path.join(self._broker.log_dir.path, GROUPS_DIR, stem + STATE_SUFFIX)
        return self.serve(group_id) if os.path.exists(path) else None

    def is_known(self, group_id: str) -> bool:
        """Whether a group has members, offsets or a past. After `ready`."""
        served = self.find(group_id)
        return (served is not None and _is_something(served.look())) or is_recorded(
            self._broker.offsets, group_id
        )

    def resume(self) -> None:
        """Go on with the groups that a server before this one served."""
        self._broker.run_blocking(_find_orphans, self._broker.log_dir).add_done_callback(
            lambda future: self._adopt([] if future.exception() else future.result())
        )

    def _adopt(self, group_ids: list[str]) -> None:
        for group_id in group_ids:
            try:
                self.serve(group_id).settle()
            except Exception:
                _log.exception("group %s cannot be taken over", group_id)

    # ---- time ----

    def _tick(self, now_s: float) -> None:
        now_ms = monotonic_ms()
        for group in list(self._served.values()):
            group.tick(now_ms)
        self._close_idle(IDLE_S)

        if now_s >= self._expires_s and (self._expiring is None or self._expiring.done()):
            self._expires_s = now_s + self._expiry_interval_s
            retention_ms = self._broker.config.integer("offsets.retention.minutes") * 60_000
            self._expiring = self._broker.run_blocking(
                offset_expiry.expire,
                self._broker.log_dir,
                retention_ms,
                time.time_ns() // 1_000_000,
            )
            self._expiring.add_done_callback(_log_failure)

    def _close_idle(self, idle_s: float) -> None:
        now_s = self._broker.loop.time()
        for group_id, group in list(self._served.items()):
            if now_s - group.used_s > idle_s and group.is_idle:
                del self._served[group_id]
                group.close()

    def _stop(self) -> None:
        for group in self._served.values():
            group.stop()
            group.close()


def is_recorded(offsets: GroupOffsets, group_id: str) -> bool:
    """Whether there are records of a group."""
    return bool(
        offsets.group_metadata(group_id)
        or offsets.committed(group_id)
        or offsets.pending(group_id)
        or offsets.consumer_epoch(group_id) is not None
    )


def _log_failure(future: "asyncio.Future[int]") -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.warning("offsets were not looked through for old ones: %s", error)


def _is_something(group: Group) -> bool:
    return group.has_members or bool(group.protocol_type) or group.consumer is not None


def _find_orphans(log_dir: LogDir) -> list[str]:
    """Groups with members that only a server hears. In a thread."""
    found = []
    for group_id in list_groups(log_dir):
        group = peek(log_dir, group_id)
        if group is None:
            continue
        has_clients = group.consumer is not None and group.consumer.members
        if has_clients or any(member.slot == NO_SLOT for member in group.members.values()):
            found.append(group_id)
    return found
