"""Operators where a stream ends: in a topic, in a call, on a screen; or goes on as a table."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.graph_nodes import OF_PARTITIONER, Partitioner, SinkNode, TableProcessorNode
from pylog.streams.dsl.graph_repartition import RepartitionNode, new_repartition_names
from pylog.streams.dsl.materialized import Materialized, check_serde
from pylog.streams.dsl.store_factories import TableStoreBuilder
from pylog.streams.dsl.stream_base import StreamBase
from pylog.streams.errors import TopologyError
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.stateless import ForeachNode
from pylog.streams.processors.stream_print import PrintSupplier
from pylog.streams.processors.table_source import KTableSourceSupplier
from pylog.streams.serde import Serde

if TYPE_CHECKING:
    from pylog.streams.dsl.ktable import KTable

_TO_TABLE = "KSTREAM-TOTABLE-"
_OF_TOPIC = ("key", "value", "record_context")


class OutputOperators(StreamBase):
    """To, foreach, print, to_table."""

    def to(
        self,
        topic: str | Callable[[Any, Any, Any], str],
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        partitioner: Partitioner | None = None,
        name: str | None = None,
    ) -> None:
        """Write the records to a topic.

        Keys, values, timestamps and headers are written as they are; a value of None deletes the
        key in a compacted topic.

        Args:
            topic: its name, or a function of (key, value, record_context) that gives the name for
                each record. The topic has to exist: internal topics only are made.
            key_serde: of the topic's keys; the stream's if not given, or `default.key.serde`.
            value_serde: likewise.
            partitioner: called with (topic, key, value, number of partitions); gives a partition,
                several, none of them (an empty collection: the record is dropped), or None for
                where the key's hash says. A windowed key goes where its key without the window
                would.
            name: of the step.

        Raises:
            TopologyError: the topic's name is empty.
            TypeError: the topic is neither a name nor a function of three arguments.
        """
        where = self.where("to", name)
        if isinstance(topic, str):
            if not topic:
                raise TopologyError(f"{where}: a topic's name is not empty")
        else:
            check_plain_function(topic, _OF_TOPIC, where, what="a topic that is not a name")
        if partitioner is not None:
            check_plain_function(partitioner, OF_PARTITIONER, where, what="partitioner")
        check_serde(key_serde, f"{where}: key_serde")
        check_serde(value_serde, f"{where}: value_serde")
        node = SinkNode(
            self.graph.names.name_or_new(name, "KSTREAM-SINK-"),
            topic,
            key_serde=key_serde or self.key_serde,
            value_serde=value_serde or self.value_serde,
            partitioner=partitioner,
        )
        self.graph.add(node, self.node)

    def foreach(self, action: Callable[[Any, Any], Any], *, name: str | None = None) -> None:
        """Call `action(key, value)` for each record; the stream ends there.

        As with `peek`, an action may happen twice for a record after a failure.
        """
        where = self.where("foreach", name)
        check_plain_function(action, ("key", "value"), where, what="action")
        self.add_processor(partial(ForeachNode, action), "KSTREAM-FOREACH-", name)

    def print(
        self,
        *,
        file: str | Path | TextIO | None = None,
        label: str | None = None,
        mapper: Callable[[Any, Any], str] | None = None,
        name: str | None = None,
    ) -> None:
        """Print each record as a line "[label]: key, value"; the stream ends there.

        Args:
            file: a path, which each task opens and empties, or an open text file; standard output
                if not given.
            label: the name of the step before if not given.
            mapper: of key and value, gives what stands behind the label.
            name: of the step.
        """
        where = self.where("print", name)
        if mapper is not None:
            check_plain_function(mapper, ("key", "value"), where, what="mapper")
        supplier = PrintSupplier(file, self.name if label is None else label, mapper)
        self.add_processor(supplier, "KSTREAM-PRINTER-", name)

    def to_table(
        self, *, name: str | None = None, materialized: Materialized | None = None
    ) -> "KTable":
        """Read the stream as the changes of a table: the last value of each key.

        A value of None deletes its key. A record without a key is dropped and counted as
        "null key". If the key was changed before, the records go through a repartition topic first.
        The table is kept in a store if it has a name, or if something downstream needs it.

        Args:
            name: of the step and, with "-repartition" behind it, of the repartition topic.
            materialized: name, serdes and kind of the store.
        """
        where = self.where("to_table", name)
        self.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        node_name = self.graph.names.name_or_new(name, _TO_TABLE)
        store_name = self.store_name(chosen, _TO_TABLE)
        key_serde = chosen.key_serde or self.key_serde
        value_serde = chosen.value_serde or self.value_serde
        parent: GraphNode = self.node
        source_nodes = self.source_nodes
        if self.repartition_required:
            names = new_repartition_names(self.graph, node_name, is_given=name is not None)
            parent = RepartitionNode(names, key_serde, value_serde)
            self.graph.add(parent, self.node)
            source_nodes = frozenset({names.source})
        supplier = KTableSourceSupplier(store_name, chosen.store_name)
        store = TableStoreBuilder(chosen, store_name, key_serde, value_serde)
        node = TableProcessorNode(node_name, supplier, stores=[store])
        node.is_output_versioned = chosen.is_versioned
        self.graph.add(node, parent)
        return self.new_table(
            node,
            key_serde,
            value_serde,
            supplier,
            queryable_store_name=chosen.store_name,
            source_nodes=source_nodes,
        )
