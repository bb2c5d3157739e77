"""Rewrites of the graph before it is written out: merges, optimisations, versioned semantics.

`topology.optimization` is "none", "all", or a comma-separated list:

    reuse.ktable.source.topics   a table of a topic needs no changelog: the topic is one
    merge.repartition.topics     one repartition instead of several after one change of the key
    single.store.self.join       a join of a stream with itself keeps one store

They change the names of stores and topics, so an application that has state cannot switch them
without losing it.
"""

from collections.abc import Callable

from pylog.streams.dsl.graph import StreamsGraph
from pylog.streams.dsl.graph_join_nodes import StreamStreamJoinNode
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode, StreamSourceNode, TableSourceNode
from pylog.streams.dsl.graph_repartition import (
    GroupedTableRepartitionNode,
    RepartitionNode,
    new_repartition_names,
)
from pylog.streams.errors import TopologyError

REUSE_KTABLE_SOURCE_TOPICS = "reuse.ktable.source.topics"
MERGE_REPARTITION_TOPICS = "merge.repartition.topics"
SINGLE_STORE_SELF_JOIN = "single.store.self.join"

Rewrite = Callable[[StreamsGraph], None]


def rewrites_for(optimizations: frozenset[str]) -> list[Rewrite]:
    """All rewrites in their order."""
    rewrites: list[Rewrite] = [merge_duplicate_sources]
    if REUSE_KTABLE_SOURCE_TOPICS in optimizations:
        rewrites.append(reuse_table_source_topics)
    if MERGE_REPARTITION_TOPICS in optimizations:
        rewrites.append(merge_repartition_topics)
    if SINGLE_STORE_SELF_JOIN in optimizations:
        rewrites.append(join_with_itself_in_one_store)
    return [
        *rewrites,
        check_repartition_topics,
        drop_null_keys_where_nothing_uses_them,
        enable_versioned_semantics,
    ]


def merge_duplicate_sources(graph: StreamsGraph) -> None:
    """Several streams of the same topics share one source.

    Raises:
        TopologyError: their topics overlap and are not the same.
    """
    by_topic: dict[str, StreamSourceNode] = {}
    by_pattern: dict[tuple[str, int], StreamSourceNode] = {}
    for source in graph.root.children:
        if not isinstance(source, StreamSourceNode):
            continue
        if source.pattern is not None:
            key = (source.pattern.pattern, source.pattern.flags)
            first = by_pattern.setdefault(key, source)
        else:
            firsts = [by_topic.setdefault(topic, source) for topic in source.topics]
            first = next((other for other in firsts if other is not source), source)
            if first is not source and set(first.topics) != set(source.topics):
                raise TopologyError(
                    f"{first.name} reads {first.subject} and {source.name} reads "
                    f"{source.subject}: sources share all of their topics or none"
                )
        if first is not source:
            first.merge(source)
            graph.root.remove_child(source)
            graph.replace_in_copartition_groups(source.name, first.name)


def reuse_table_source_topics(graph: StreamsGraph) -> None:
    """Tables are restored from their source topics."""
    for node in graph.nodes:
        if isinstance(node, TableSourceNode) and not node.is_global:
            node.reuses_source_topic = True


def merge_repartition_topics(graph: StreamsGraph) -> None:
    """Several repartitions below one change of the key become one, right below it.

    Not those with a merge in between: the other stream of the merge needs the repartition too.
    (Kafka Streams would move some of these, past which records of the other stream go.)
    """
    for changer, repartitions in _repartitions_by_key_changer(graph).items():
        movable = [node for node in repartitions if _is_straight_below(node, changer)]
        if movable:
            _put_one_repartition_below(graph, changer, movable)


def _is_straight_below(node: GraphNode, above: GraphNode) -> bool:
    """Whether all that comes to a node comes from the one above."""
    while node is not above:
        parents = node.parents
        if len(parents) != 1:
            return False
        node = parents[0]
    return True


def _repartitions_by_key_changer(graph: StreamsGraph) -> dict[GraphNode, list[RepartitionNode]]:
    found: dict[GraphNode, list[RepartitionNode]] = {}
    for node in graph.nodes:
        if node.changes_key:
            found[node] = []
        elif isinstance(node, RepartitionNode) and node.is_optimizable:
            changer = _key_changer_above(node)
            if changer is not None and node not in found[changer]:
                found[changer].append(node)
    below_merges: dict[GraphNode, list[RepartitionNode]] = {}
    moved: set[GraphNode] = set()
    for merge in graph.nodes:
        if not merge.is_merge:
            continue
        changers = [
            changer
            for changer, repartitions in found.items()
            if all(_is_below(node, merge) for node in repartitions) and _is_below(merge, changer)
        ]
        moved.update(changers)
        below_merges[merge] = list(
            dict.fromkeys(node for changer in changers for node in found[changer])
        )
    found.update(below_merges)
    return {changer: nodes for changer, nodes in found.items() if changer not in moved}


def _key_changer_above(node: RepartitionNode) -> GraphNode | None:
    """The nearest change of the key, unless the value is changed after it."""
    changer = _nearest(node, lambda above: above.changes_key)
    if _nearest(node, lambda above: above.changes_key or above.changes_value) is changer:
        return changer
    return None


def _is_below(node: GraphNode, above: GraphNode) -> bool:
    return _nearest(node, lambda other: above in other.parents) is not None


def _nearest(start: GraphNode, matches: Callable[[GraphNode], bool]) -> GraphNode | None:
    """The node itself or the first above it that matches, depth first."""
    if matches(start):
        return start
    for parent in start.parents:
        found = parent if matches(parent) else _nearest(parent, matches)
        if found is not None:
            return found
    return None


def _put_one_repartition_below(
    graph: StreamsGraph, changer: GraphNode, repartitions: list[RepartitionNode]
) -> None:
    names = new_repartition_names(graph, repartitions[0].names.topic, is_given=True)
    key_serdes = [node.key_serde for node in repartitions if node.key_serde is not None]
    value_serdes = [node.value_serde for node in repartitions if node.value_serde is not None]
    merged = RepartitionNode(
        names,
        key_serdes[0] if key_serdes else None,
        value_serdes[0] if value_serdes else None,
    )
    # It is written before what is below it.
    merged.build_priority = changer.build_priority
    for replaced in repartitions:
        below_changer = _nearest(replaced, lambda node: changer in node.parents)
        assert below_changer is not None, f"{replaced} is not below {changer}"
        merged.add_child(below_changer)
        changer.remove_child(below_changer)
        children, parents = replaced.children, replaced.parents
        for parent in parents:
            for child in children:
                parent.add_child(child)
        for parent in parents:
            parent.remove_child(replaced)
        replaced.clear_children()
        graph.replace_in_copartition_groups(replaced.name, merged.name)
    changer.add_child(merged)


def join_with_itself_in_one_store(graph: StreamsGraph) -> None:
    """A join whose two sides are one stream keeps its records once."""
    for join in graph.nodes:
        if not isinstance(join, StreamStreamJoinNode) or len(join.parents) != 1:
            continue
        parent = join.parents[0]
        for child in parent.children:
            if child.name == join.other_windowed_name:
                parent.remove_child(child)
        join.is_self_join = True


def check_repartition_topics(graph: StreamsGraph) -> None:
    """Refuse two repartitions with one topic.

    Raises:
        TopologyError: names the topic and both places.
    """
    found: dict[str, GraphNode] = {}
    for node in _all_below(graph.root):
        if isinstance(node, RepartitionNode | GroupedTableRepartitionNode):
            other = found.setdefault(node.topic, node)
            if other is not node:
                places = sorted(other.parent_names + node.parent_names)
                raise TopologyError(
                    f"two repartitions, after {' and after '.join(places)}, have the topic "
                    f"{node.topic!r}: give each a name of its own, as in group_by(..., name=...)"
                )


def drop_null_keys_where_nothing_uses_them(graph: StreamsGraph) -> None:
    """A repartition passes null keys on only if a left or outer join of streams comes after it."""
    uses_null_keys: set[GraphNode] = set()
    # Children come after their parents, except below a merged repartition: repeat until it stays.
    is_changed = True
    while is_changed:
        is_changed = False
        for node in _all_below(graph.root):
            if node not in uses_null_keys and any(
                child.relaxes_null_keys or child in uses_null_keys for child in node.children
            ):
                uses_null_keys.add(node)
                is_changed = True
    for node in _all_below(graph.root):
        if isinstance(node, RepartitionNode):
            node.drops_null_keys = node not in uses_null_keys


def _all_below(start: GraphNode) -> list[GraphNode]:
    seen: dict[GraphNode, None] = {}
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen[node] = None
            waiting.extend(node.children)
    # Deepest last found first, so that one pass mostly suffices.
    return list(reversed(seen))


def enable_versioned_semantics(graph: StreamsGraph) -> None:
    """Nodes below versioned tables are told so.

    Raises:
        TopologyError: suppress comes after one.
    """
    for node in graph.nodes:
        for parent in node.parents:
            if _is_versioned(parent):
                node.use_versioned_semantics(parent.name)
        is_suppress = isinstance(node, ProcessorGraphNode) and node.is_suppress
        if is_suppress and all(_is_versioned(parent) for parent in node.parents):
            raise TopologyError(
                f"{node.name}: suppress works on tables that are not versioned; this one is, "
                "or comes from one that is"
            )


def _is_versioned(node: GraphNode) -> bool:
    """Whether a node's output is, by its own store or else by all of its parents."""
    if node.is_output_versioned is not None:
        return node.is_output_versioned
    return bool(node.parents) and all(_is_versioned(parent) for parent in node.parents)
