r"""`<stem>.state`: a group as the processes of a folder share it.

```
pylog-group 1 <boot id, 32 hex digits> <CRC-32 of the rest, 8 hex digits>\n
JSON: the fields of states.Group and of its members; bytes in base64
```
Replaced whole. Disposable: of a file that is damaged nothing is believed, of one of another boot
only the generation (its members are gone, and its times mean nothing).
"""

import base64
import json
import zlib
from dataclasses import fields
from typing import Any

from pylog.group.group_types import GroupState, Member
from pylog.group.states import Group

_MAGIC = b"pylog-group 1 "
_NOT_KEPT = frozenset({"last_heard_ms"})
_MEMBER_FIELDS = tuple(field.name for field in fields(Member) if field.name not in _NOT_KEPT)
_GROUP_FIELDS = tuple(field.name for field in fields(Group) if field.name != "members")


def encode(group: Group, boot: bytes) -> bytes:
    """The file's bytes."""
    row: dict[str, Any] = {name: getattr(group, name) for name in _GROUP_FIELDS}
    row["members"] = [_encode_member(member) for member in group.members.values()]
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
        group = Group(**row)
        group.state = GroupState(group.state)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if group.group_id != group_id:
        return None
    if words[0] != boot.hex().encode():
        return Group(group_id, generation=group.generation)
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
