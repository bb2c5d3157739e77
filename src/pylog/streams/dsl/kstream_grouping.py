"""Operators that group the records of a stream by key, for aggregations."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.dsl.grouped import KGroupedStream
from pylog.streams.dsl.materialized import check_serde
from pylog.streams.dsl.naming import checked_name
from pylog.streams.dsl.stream_base import StreamBase
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.stateless import SelectKeyNode
from pylog.streams.serde import Serde


class GroupingOperators(StreamBase):
    """Group_by, group_by_key."""

    def group_by(
        self,
        key_selector: Callable[[Any, Any], Any],
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        name: str | None = None,
    ) -> KGroupedStream:
        """Group the records by `key_selector(key, value)`.

        The records go through a repartition topic before they are aggregated. Those for which the
        selector gives None are dropped and counted as "null key".

        Args:
            key_selector: of key and value, gives the group's key.
            key_serde: of the groups' keys. If not given it is `default.key.serde`, and if there is
                none, keys have to be text.
            value_serde: of the repartition topic; the stream's if not given.
            name: of the step, and of the repartition topic.
        """
        where = self.where("group_by", name)
        check_plain_function(key_selector, ("key", "value"), where, what="key_selector")
        check_serde(key_serde, f"{where}: key_serde")
        check_serde(value_serde, f"{where}: value_serde")
        node = ProcessorGraphNode(
            self.graph.names.name_or_new(name, "KSTREAM-KEY-SELECT-"),
            partial(SelectKeyNode, key_selector),
        )
        node.changes_key = True
        self.graph.add(node, self.node)
        return KGroupedStream(
            node.name,
            key_serde,
            value_serde or self.value_serde,
            self.source_nodes,
            node,
            self.graph,
            repartition_required=True,
            repartition_name=name,
        )

    def group_by_key(
        self,
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        name: str | None = None,
    ) -> KGroupedStream:
        """Group the records by their keys.

        If the key was changed before, the records go through a repartition topic first; else they
        stay where they are. Records without a key are dropped and counted as "null key".

        Args:
            key_serde: of the groups' keys; the stream's if not given.
            value_serde: of a repartition topic; the stream's if not given.
            name: of the repartition topic, if there is one.
        """
        where = self.where("group_by_key", name)
        check_serde(key_serde, f"{where}: key_serde")
        check_serde(value_serde, f"{where}: value_serde")
        return KGroupedStream(
            self.name,
            key_serde or self.key_serde,
            value_serde or self.value_serde,
            self.source_nodes,
            self.node,
            self.graph,
            repartition_required=self.repartition_required,
            repartition_name=None if name is None else checked_name(name),
        )
