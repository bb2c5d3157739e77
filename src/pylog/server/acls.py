"""ACLs: who may do what to what, by whole names, by prefixes and by `*`.

An ACL allows or denies; one that denies wins. What no ACL allows is denied, but for super.users,
and but for resources without any ACL where allow.everyone.if.no.acl.found is set. Who may READ,
WRITE, DELETE or ALTER may DESCRIBE too, and who may ALTER_CONFIGS may DESCRIBE_CONFIGS.

    <folder>/.server.acls
    RESOURCE/PATTERN/NAME/PRINCIPAL/HOST/OPERATION=PERMISSION...    the parts percent-encoded

Source: Kafka StandardAuthorizer, AclAuthorizer, AclBindingFilter, ResourcePatternFilter.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple
from urllib.parse import quote, unquote

from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.server.kept_file import KeptFile
from pylog.server.operations import Operation, ResourceType

_log = logging.getLogger("pylog.server.authorizer")

ACLS_FILE = ".server.acls"
WILDCARD = "*"
ANYBODY = "User:*"
MAX_ACLS = 100_000
MAX_DECISIONS = 10_000
"""How many answers are remembered."""


class PatternType(IntEnum):
    """How a name is meant. ANY and MATCH are of filters only."""

    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class Permission(IntEnum):
    """What an ACL says. ANY is of filters only."""

    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


_IMPLIES = {
    Operation.DESCRIBE: (Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER),
    Operation.DESCRIBE_CONFIGS: (Operation.ALTER_CONFIGS,),
}


class Acl(NamedTuple):
    """One ACL."""

    resource_type: ResourceType
    name: str
    pattern_type: PatternType
    principal: str
    host: str
    operation: Operation
    permission: Permission

    def concerns(self, principal: str, host: str) -> bool:
        """Whether it is about somebody."""
        return self.principal in (principal, ANYBODY) and self.host in (host, WILDCARD)

    def decides(self, operation: Operation) -> bool:
        """Whether it is about an operation."""
        if self.operation in (operation, Operation.ALL):
            return True
        return self.permission == Permission.ALLOW and self.operation in _IMPLIES.get(operation, ())


class AclFilter(NamedTuple):
    """Which ACLs are meant: None, and ANY, mean all."""

    resource_type: int
    name: str | None
    pattern_type: int
    principal: str | None
    host: str | None
    operation: int
    permission: int

    def fits(self, acl: Acl) -> bool:
        """Whether an ACL is meant."""
        return (
            self.resource_type in (ResourceType.ANY, acl.resource_type)
            and self.operation in (Operation.ANY, acl.operation)
            and self.permission in (Permission.ANY, acl.permission)
            and self.principal in (None, acl.principal)
            and self.host in (None, acl.host)
            and self._fits_name(acl)
        )

    def _fits_name(self, acl: Acl) -> bool:
        if self.pattern_type == PatternType.MATCH:
            if self.name is None:
                return True
            if acl.pattern_type == PatternType.LITERAL:
                return acl.name in (self.name, WILDCARD)
            return self.name.startswith(acl.name)
        is_pattern = self.pattern_type in (PatternType.ANY, acl.pattern_type)
        return is_pattern and self.name in (None, acl.name)

    def check(self) -> None:
        """Refuse one that says UNKNOWN somewhere.

        Raises:
            KafkaException: INVALID_REQUEST.
        """
        kinds = (self.resource_type, self.pattern_type, self.operation, self.permission)
        if ResourceType.UNKNOWN in kinds:
            refuse(KafkaError.INVALID_REQUEST, "The filter contains UNKNOWN elements.")


class AclStore:
    """The ACLs of a folder.

    Args:
        folder: of the log.
    """

    def __init__(self, folder: str) -> None:
        self.version = 0
        self._file = KeptFile(os.path.join(folder, ACLS_FILE), self._take)

    def _take(self, table: Mapping[str, str]) -> None:
        acls = []
        for key, permissions in table.items():
            acl = _parse(key)
            if acl is None:
                _log.warning("%s: a line is not understood: %s", ACLS_FILE, key)
                continue
            acls += [
                acl._replace(permission=Permission[name])
                for name in permissions.split(",")
                if name in ("ALLOW", "DENY")
            ]
        self._index(acls)

    def refresh(self, now_s: float = 0.0) -> None:
        """Take up what another process has changed; once a second."""
        self._file.refresh()

    def _index(self, acls: Iterable[Acl]) -> None:
        literal: dict[tuple[int, str], list[Acl]] = {}
        prefixed: dict[tuple[int, str], list[Acl]] = {}
        self.acls = tuple(acls)
        for acl in self.acls:
            table = prefixed if acl.pattern_type == PatternType.PREFIXED else literal
            table.setdefault((acl.resource_type, acl.name), []).append(acl)
        sizes: dict[int, set[int]] = {}
        for kind, name in prefixed:
            sizes.setdefault(kind, set()).add(len(name))
        self._tables = literal, prefixed, sizes
        self.version += 1

    def about(self, resource_type: ResourceType, name: str) -> list[Acl]:
        """The ACLs about a resource."""
        literal, prefixed, sizes = self._tables
        found = [*literal.get((resource_type, name), ())]
        if name != WILDCARD:
            found += literal.get((resource_type, WILDCARD), ())
        for size in sizes.get(resource_type, ()):
            if size <= len(name):
                found += prefixed.get((resource_type, name[:size]), ())
        return found

    def add(self, acls: Iterable[Acl]) -> None:
        """Keep more ACLs. Waits for the disk.

        Raises:
            KafkaException: there would be too many.
            OSError: they cannot be kept; then nothing has changed.
        """
        wanted = list(acls)

        def edit(table: dict[str, str]) -> bool:
            before = dict(table)
            for acl in wanted:
                permissions = {*table.get(_format(acl), "").split(","), acl.permission.name} - {""}
                table[_format(acl)] = ",".join(sorted(permissions))
            if len(table) > MAX_ACLS:
                refuse(KafkaError.INVALID_REQUEST, f"There are {MAX_ACLS} ACLs already")
            return table != before

        self._file.change(edit)

    def remove(self, filters: Iterable[AclFilter]) -> list[list[Acl]]:
        """Take away the ACLs that are meant, and return them by filter. Waits for the disk."""
        removed: list[list[Acl]] = []
        wanted = list(filters)

        def edit(table: dict[str, str]) -> bool:
            removed[:] = [[acl for acl in self.acls if one.fits(acl)] for one in wanted]
            for acl in {acl for found in removed for acl in found}:
                left = set(table.get(_format(acl), "").split(",")) - {acl.permission.name, ""}
                table.pop(_format(acl), None)
                if left:
                    table[_format(acl)] = ",".join(left)
            return any(removed)

        self._file.change(edit)
        return removed

    def find(self, wanted: AclFilter) -> list[Acl]:
        """The ACLs that are meant."""
        return [acl for acl in self.acls if wanted.fits(acl)]


class AclAuthorizer:
    """Decides by the ACLs of a folder.

    Args:
        store: of the ACLs.
        super_users: principals that may do everything.
        allows_unlisted: whether everybody may do everything to what no ACL is about.
    """

    def __init__(
        self, store: AclStore, super_users: Iterable[str] = (), allows_unlisted: bool = False
    ) -> None:
        self.store = store
        self._super_users = frozenset(super_users)
        self._allows_unlisted = allows_unlisted
        self._decisions: dict[tuple[str, str, int, int, str], bool] = {}
        self._version = store.version

    def allows(
        self,
        principal: str,
        host: str,
        operation: Operation,
        resource_type: ResourceType,
        name: str,
    ) -> bool:
        """Whether somebody may do something to something."""
        if principal in self._super_users:
            return True
        if self._version != self.store.version or len(self._decisions) > MAX_DECISIONS:
            self._decisions.clear()
            self._version = self.store.version
        question = (principal, host, operation, resource_type, name)
        decision = self._decisions.get(question)
        if decision is None:
            decision = self._decide(*question)
            self._decisions[question] = decision
            if not decision:
                _log.info(
                    "%s of %s is denied %s on %s %s",
                    principal, host, operation.name, resource_type.name, name,
                    extra={"principal": principal, "client": host},
                )  # fmt: skip
        return decision

    def _decide(
        self,
        principal: str,
        host: str,
        operation: Operation,
        resource_type: ResourceType,
        name: str,
    ) -> bool:
        acls = self.store.about(resource_type, name)
        if not acls:
            return self._allows_unlisted
        said = {
            acl.permission
            for acl in acls
            if acl.concerns(principal, host) and acl.decides(operation)
        }
        return Permission.ALLOW in said and Permission.DENY not in said

    def allows_any(
        self, principal: str, host: str, operation: Operation, resource_type: ResourceType
    ) -> bool:
        """Whether there is a resource of a kind that somebody may do something to.

        Source: Kafka Authorizer.authorizeByResourceType.
        """
        if principal in self._super_users:
            return True
        mine = [
            acl
            for acl in self.store.acls
            if acl.resource_type == resource_type
            and acl.concerns(principal, host)
            and acl.decides(operation)
        ]
        denied = [acl for acl in mine if acl.permission == Permission.DENY]
        if any(acl.name == WILDCARD and acl.pattern_type == PatternType.LITERAL for acl in denied):
            return False
        if self._allows_unlisted:
            return True
        return any(
            acl.permission == Permission.ALLOW and not any(_covers(other, acl) for other in denied)
            for acl in mine
        )


def _covers(denied: Acl, allowed: Acl) -> bool:
    """Whether one that denies takes away all that another allows."""
    if denied.pattern_type == PatternType.PREFIXED:
        return allowed.name.startswith(denied.name) and allowed.name != WILDCARD
    return allowed.pattern_type == PatternType.LITERAL and allowed.name == denied.name


def _format(acl: Acl) -> str:
    return "/".join(
        (
            acl.resource_type.name,
            acl.pattern_type.name,
            *(quote(part, safe="") for part in (acl.name, acl.principal, acl.host)),
            acl.operation.name,
        )
    )


def _parse(key: str) -> Acl | None:
    parts = key.split("/")
    try:
        kind, pattern, name, principal, host, operation = parts
        return Acl(
            ResourceType[kind],
            unquote(name),
            PatternType[pattern],
            unquote(principal),
            unquote(host),
            Operation[operation],
            Permission.DENY,
        )
    except (ValueError, KeyError):
        return None


def group_by_resource(
    acls: Iterable[Acl],
) -> Mapping[tuple[ResourceType, str, PatternType], list[Acl]]:
    """ACLs as responses have them: by what they are about."""
    groups: dict[tuple[ResourceType, str, PatternType], list[Acl]] = {}
    for acl in acls:
        groups.setdefault((acl.resource_type, acl.name, acl.pattern_type), []).append(acl)
    return groups
