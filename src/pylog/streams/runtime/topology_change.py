"""What of a topology its state depends on, and whether it changed since the state was made.

Names that were generated count operators: an operator more, and the stores that follow have other
names, so that their state is lost. That is refused. A store that the program has named may go or
come; if it is another kind of store than the one whose state is there, that is refused too.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from pylog import AdminClient, KafkaException
from pylog.admin import TopicCollection
from pylog.streams.errors import InvalidTopologyChangeError, StreamsError
from pylog.streams.runtime.state_directory import StateDirectory
from pylog.streams.topology import Topology

log = logging.getLogger("pylog.streams")
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


def changelog_ids(topology: Topology, application_id: str, admin: AdminClient) -> dict[str, str]:
    """The id of the topic that each store is restored from, by the store's name.

    A topic that was deleted and made again has the old name and another id; a folder or cluster
    that is another one has other ids throughout.

    Raises:
        StreamsError: a topic cannot be described.
    """
    topics = {
        name: topic
        for name in topology.stores
        if (topic := topology.changelog_topic(name, application_id)) is not None
    }
    for source, name in topology.global_sources.items():
        topics[name] = topology.source(source).topics[0]
    if not topics:
        return {}
    try:
        found = admin.describe_topics(TopicCollection(sorted(set(topics.values()))))
        ids = {topic: str(future.result().topic_id) for topic, future in found.items()}
    except KafkaException as error:
        raise StreamsError(f"changelogs cannot be described: {error.args[0].str()}") from error
    return {name: ids[topic] for name, topic in topics.items()}


def foreign_stores(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Stores whose state belongs to a changelog that does not exist any more."""
    return sorted(name for name in before.keys() & now.keys() if before[name] != now[name])


def check_state(topology: Topology, directory: StateDirectory) -> dict[str, Any]:
    """Refuse a topology that the state in a directory does not fit.

    Returns:
        What was noted with the state, for match_changelogs.

    Raises:
        InvalidTopologyChangeError: says what changed.
    """
    before = directory.read_topology()
    check_change(before.get("stores", {}), describe_stores(topology), directory.path)
    return before


def match_changelogs(
    topology: Topology,
    application_id: str,
    admin: AdminClient,
    directory: StateDirectory,
    before: Mapping[str, Any],
) -> None:
    """Delete state of changelogs that are no more, and note what the state belongs to now.

    Raises:
        StreamsError: the changelogs cannot be described.
    """
    if not directory.is_open:
        return
    ids = changelog_ids(topology, application_id, admin) if directory.is_needed else {}
    for name in foreign_stores(before.get("changelogs", {}), ids):
        log.warning("store %s: its changelog was made anew; what is on disk of it goes", name)
        directory.wipe_store(name)
    directory.write_topology({"stores": describe_stores(topology), "changelogs": ids})
