"""What of a topology its state depends on, and whether it changed since the state was made.

Names that were generated count operators: an operator more, and the stores that follow have other
names, so that their state is lost. That is refused. A store that the program has named may go or
come; if it is another kind of store than the one whose state is there, that is refused too.
"""

import re
from collections.abc import Mapping
from typing import Any

from pylog.streams.errors import InvalidTopologyChangeError
from pylog.streams.topology import Topology

_GENERATED = re.compile(r"(?:^|-)(?:KSTREAM|KTABLE|COGROUPKSTREAM)-[A-Z-]+-\d{10}")
_HELD = ("changelog_kind", "retention_ms", "window_size_ms", "history_retention_ms")


def describe_stores(topology: Topology) -> dict[str, dict[str, Any]]:
    """The stores of a topology, as far as their state depends on it."""
    return {name: _describe(builder) for name, builder in sorted(topology.stores.items())}


def _describe(builder: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": type(builder).__name__}
    for name in _HELD:
        value = getattr(builder, name, None)
        if isinstance(value, int | str):
            found[name] = value
    for name in ("key_serde", "value_serde"):
        serde = getattr(builder, name, None)
        if serde is not None:
            found[name] = str(getattr(serde, "name", type(serde).__name__))
    return found


def check_change(before: Mapping[str, Any], now: Mapping[str, Any], where: object) -> None:
    """Refuse a topology that the state of an earlier one does not fit.

    Args:
        before: of describe_stores, when the state was made; empty when there is none.
        now: of describe_stores.
        where: the state directory, for the error.

    Raises:
        InvalidTopologyChangeError: says what changed.
    """
    changes = []
    for name in sorted(before.keys() - now.keys()):
        if _GENERATED.search(name):
            changes.append(f"store {name} is gone, and its state with it")
    for name in sorted(now.keys() - before.keys()):
        if before and _GENERATED.search(name) and changes:
            changes.append(f"store {name} is new and empty")
    for name in sorted(before.keys() & now.keys()):
        changes += _differences(name, before[name], now[name])
    if changes:
        raise InvalidTopologyChangeError(
            f"the topology does not fit the state in {where}: {'; '.join(changes)}. Generated "
            "names count operators: name the stores (Materialized.as_) and repartitions before "
            "operators are added; to begin anew, call clean_up() and take another application.id, "
            "or delete its internal topics"
        )


def _differences(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"store {name}: {what} was {before.get(what)!r} and is {now.get(what)!r}"
        for what in sorted(before.keys() | now.keys())
        if before.get(what) != now.get(what) and what != "retention_ms"
    ]
