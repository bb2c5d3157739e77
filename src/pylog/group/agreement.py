"""What the members of a group have to have in common, and what they agree on."""

from collections.abc import Iterable, Mapping, Sequence

from pylog.error_codes import ErrorCodes
from pylog.group.group_types import NO_SLOT, GroupError, JoinRequest, Member


def shared_protocols(members: Mapping[str, Member], leader: str) -> list[str]:
    """Protocols that all members have, as the leader orders them."""
    first = members.get(leader) or next(iter(members.values()), None)
    names = first.protocols if first is not None else {}
    return [name for name in names if all(name in member.protocols for member in members.values())]


def elect_protocol(members: Mapping[str, Member], leader: str) -> str:
    """Each member votes for what it likes best of what all have."""
    shared = shared_protocols(members, leader)
    votes = dict.fromkeys(shared, 0)
    for member in members.values():
        votes[next(name for name in member.protocols if name in votes)] += 1
    return max(shared, key=lambda name: votes[name])


def check_join(
    group_id: str, request: JoinRequest, others: Sequence[Member], protocol_type: str
) -> None:
    """Refuse a member that has nothing in common with the others.

    Args:
        group_id: of the group.
        request: what the member comes with.
        others: the members that it would be with.
        protocol_type: of the group.

    Raises:
        GroupError: INCONSISTENT_GROUP_PROTOCOL.
    """
    if not _has_common_protocol(request, others, protocol_type):
        theirs = (
            [name for name in others[0].protocols if all(name in m.protocols for m in others)]
            if others
            else []
        )
        raise GroupError(
            ErrorCodes.INCONSISTENT_GROUP_PROTOCOL,
            f"the members of group {group_id} ({', '.join(theirs)}) "
            f"have no assignment strategy in common with {', '.join(request.protocols)}: set "
            "the same partition.assignment.strategy for all of them",
        )
    is_embedded = request.slot != NO_SLOT
    if any((other.slot != NO_SLOT) != is_embedded for other in others):
        here, there = "clients of a server", "programs that embed the log"
        if is_embedded:
            here, there = there, here
        raise GroupError(
            ErrorCodes.INCONSISTENT_GROUP_PROTOCOL,
            f"the members of group {group_id} are {there}, which {here} cannot join: use another "
            "group.id",
        )


def _has_common_protocol(
    request: JoinRequest, others: Sequence[Member], protocol_type: str
) -> bool:
    if not request.protocols or not request.protocol_type:
        return False
    if request.protocol_type != protocol_type:
        return False
    return not others or any(
        all(name in other.protocols for other in others) for name in request.protocols
    )


def refuse_consumer_protocol(group_id: str, members: Iterable[Member]) -> None:
    """Refuse a member of the newer protocol: there are members of the older one.

    Raises:
        GroupError: GROUP_ID_NOT_FOUND, as Kafka says that it is no such group;
            INCONSISTENT_GROUP_PROTOCOL where the members embed the log.
    """
    if any(member.slot != NO_SLOT for member in members):
        raise GroupError(
            ErrorCodes.INCONSISTENT_GROUP_PROTOCOL,
            f"The members of group {group_id} are programs that embed the log.",
        )
    raise GroupError(ErrorCodes.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group.")
