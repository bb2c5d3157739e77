r"""`<stem>.state`: a group as the processes of a folder share it.

```
pylog-group 1 <boot id, 32 hex digits> <CRC-32 of the rest, 8 hex digits>\n
JSON: the fields of states.Group and of its members; bytes in base64; `consumer` where it is a group
    of the newer protocol: the fields of ConsumerGroup and of its members; of assigned partitions
    [topic id, partition, epoch], of a target's [topic id, partition]
```
Replaced whole. Disposable: of a file that is damaged nothing is believed, of one of another boot
only the generation (its members are gone, and its times mean nothing).
"""

import base64
import json
import zlib
from dataclasses import fields
from typing import Any

from pylog.group.consumer_group import ConsumerGroup
from pylog.group.consumer_member import ConsumerMember, MemberState
from pylog.group.group_types import GroupState, Member
from pylog.group.states import Group

_MAGIC = b"pylog-group 1 "
_NOT_KEPT = frozenset({"last_heard_ms"})
_MEMBER_FIELDS = tuple(field.name for field in fields(Member) if field.name not in _NOT_KEPT)
_GROUP_FIELDS = tuple(
    field.name for field in fields(Group) if field.name not in ("members", "consumer")
)
_CONSUMER_MEMBER_FIELDS = tuple(
    field.name for field in fields(ConsumerMember) if field.name not in _NOT_KEPT
)
_CONSUMER_FIELDS = tuple(
    field.name for field in fields(ConsumerGroup) if field.name not in ("members", "target")
)


def encode(group: Group, boot: bytes) -> bytes:
    """The file's bytes."""
    row: dict[str, Any] = {name: getattr(group, name) for name in _GROUP_FIELDS}
    row["members"] = [_encode_member(member) for member in group.members.values()]
    if group.consumer is not None:
        row["consumer"] = _encode_consumer(group.consumer)
    payload = json.dumps(row, separators=(",", ":")).encode()
    return b"%s%s %08x\n%s" % (_MAGIC, boot.hex().encode(), zlib.crc32(payload), payload)


def decode(data: bytes, boot: bytes, group_id: str) -> Group | None:
    """The group that the file holds, None when it cannot be believed.

    Args:
        data: the file's bytes.
        boot: of now: see the module's head.
        group_id: whose file it should be.
    """
    head, _, payload = data.partition(b"\n")
    if not head.startswith(_MAGIC) or len(words := head[len(_MAGIC) :].split()) != 2:
        return None
    if words[1] != b"%08x" % zlib.crc32(payload):
        return None
    try:
        row = json.loads(payload)
        members = [_decode_member(member) for member in row.pop("members")]
        consumer = row.pop("consumer", None)
        group = Group(**row)
        group.state = GroupState(group.state)
        group.consumer = None if consumer is None else _decode_consumer(consumer)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if group.group_id != group_id:
        return None
    if words[0] != boot.hex().encode():
        past = Group(group_id, generation=group.generation)
        if group.consumer is not None:
            past.consumer = ConsumerGroup(epoch=group.consumer.epoch)
        return past
    group.members = {member.member_id: member for member in members}
    return group


def group_id_of(data: bytes) -> str | None:
    """Whose file it is, by its own word."""
    try:
        found = json.loads(data.partition(b"\n")[2])["group_id"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) else None


def _encode_member(member: Member) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(member, name) for name in _MEMBER_FIELDS}
    row["assignment"] = base64.b64encode(member.assignment).decode()
    row["protocols"] = [
        [name, base64.b64encode(metadata).decode()] for name, metadata in member.protocols.items()
    ]
    return row


def _decode_member(row: dict[str, Any]) -> Member:
    row["assignment"] = base64.b64decode(row["assignment"])
    row["protocols"] = {name: base64.b64decode(metadata) for name, metadata in row["protocols"]}
    return Member(**row)


def _encode_consumer(consumer: ConsumerGroup) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(consumer, name) for name in _CONSUMER_FIELDS}
    row["members"] = []
    for member in consumer.members.values():
        fields_of: dict[str, Any] = {
            name: getattr(member, name) for name in _CONSUMER_MEMBER_FIELDS
        }
        for name in ("assigned", "revoking"):
            fields_of[name] = [[*place, epoch] for place, epoch in sorted(fields_of[name].items())]
        row["members"].append(fields_of)
    row["target"] = {member_id: sorted(target) for member_id, target in consumer.target.items()}
    return row


def _decode_consumer(row: dict[str, Any]) -> ConsumerGroup:
    members = {}
    for fields_of in row.pop("members"):
        for name in ("assigned", "revoking"):
            fields_of[name] = {
                (topic_id, number): epoch for topic_id, number, epoch in fields_of[name]
            }
        fields_of["topics"] = tuple(fields_of["topics"])
        fields_of["state"] = MemberState(fields_of["state"])
        members[fields_of["member_id"]] = ConsumerMember(**fields_of)
    target = {
        member_id: frozenset((topic_id, number) for topic_id, number in places)
        for member_id, places in row.pop("target").items()
    }
    matched = {regex: tuple(names) for regex, names in row.pop("matched").items()}
    return ConsumerGroup(members=members, target=target, matched=matched, **row)
