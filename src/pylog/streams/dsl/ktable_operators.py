"""Operators of one table: filter, map, transform, suppress, group, and back to a stream."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.dsl.grouped_table import KGroupedTable
from pylog.streams.dsl.materialized import Materialized, check_serde
from pylog.streams.dsl.naming import checked_name
from pylog.streams.dsl.store_factories import TableStoreBuilder
from pylog.streams.dsl.table_base import TableBase
from pylog.streams.errors import TopologyError
from pylog.streams.functions import check_function, check_plain_function, check_supplier
from pylog.streams.keyed_function import WithKey
from pylog.streams.processors.repartition_map import KTableRepartitionMapSupplier
from pylog.streams.processors.stateless import KTableToStreamNode
from pylog.streams.processors.suppress import KTableSuppressSupplier
from pylog.streams.processors.table_filter import KTableFilterSupplier
from pylog.streams.processors.table_map_values import KTableMapValuesSupplier
from pylog.streams.processors.table_transform_values import KTableTransformValuesSupplier
from pylog.streams.serde import Serde
from pylog.streams.state.suppress_buffer import SuppressBufferBuilder
from pylog.streams.suppressed import Suppressed

if TYPE_CHECKING:
    from pylog.streams.dsl.kstream import KStream
    from pylog.streams.dsl.ktable import KTable

_FILTER = "KTABLE-FILTER-"
_MAP_VALUES = "KTABLE-MAPVALUES-"
_SUPPRESS = "KTABLE-SUPPRESS-"

Predicate = Callable[[Any, Any], Any]


class TableOperators(TableBase):
    """Filter, map_values, transform_values, to_stream, suppress, group_by."""

    def filter(
        self,
        predicate: Predicate,
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Keep the rows for which `predicate(key, value)` is true.

        A change to a value that does not satisfy it deletes the row. If the table says what the
        value was before, that deletion is left out where the row was not there; else it is sent
        for rows that were never there, too. The predicate is not asked about deletions.

        Args:
            predicate: of key and value.
            name: of the step.
            materialized: keeps the result in a store, if it has a name.
        """
        return self._filter("filter", predicate, False, name, materialized)

    def filter_not(
        self,
        predicate: Predicate,
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Keep the rows for which `predicate(key, value)` is false. See `filter`."""
        return self._filter("filter_not", predicate, True, name, materialized)

    def map_values(
        self,
        mapper: Callable[[Any], Any] | WithKey,
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Replace each value by `mapper(value)`.

        The mapper is not called for deletions. A result of None deletes the row. If the result is
        not kept, the mapper is called again when a value is looked up.

        Args:
            mapper: of the value, or `with_key` of a function of key and value.
            name: of the step.
            materialized: keeps the result in a store, if it has a name, and gives its serdes.
        """
        where = self.where("map_values", name)
        check_function(mapper, ("value",), where, what="mapper")
        self.check_materialized(materialized, where)
        self._spend_number(materialized, _MAP_VALUES)
        node_name = self.graph.names.name_or_new(name, _MAP_VALUES)
        queryable = None if materialized is None else materialized.store_name
        supplier = KTableMapValuesSupplier(self, mapper, queryable)
        return self._derived(node_name, supplier, materialized, None)

    def transform_values(
        self,
        supplier: Callable[[], Any],
        *,
        stores: Sequence[str] = (),
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Replace each value by what a transformer with stores makes of it.

        It is called for deletions too, and again for values that are looked up if the result is
        not kept; so a transformer whose result depends on its stores should be materialized.

        Args:
            supplier: a class or a function without arguments that makes a transformer, a new one
                at each call: an object with `transform(key, value)` and, if wanted,
                `init(context)` and `close()`. Its context cannot forward.
            stores: names of stores that the transformer uses.
            name: of the step.
            materialized: keeps the result in a store, if it has a name, and gives its serdes.
        """
        where = self.where("transform_values", name)
        check_supplier(supplier, where)
        self.check_materialized(materialized, where)
        if isinstance(stores, str) or not all(isinstance(store, str) for store in stores):
            raise TypeError(f"{where}: stores is a list of stores' names, not {stores!r}")
        node_name = self.graph.names.name_or_new(name, "KTABLE-TRANSFORMVALUES-")
        queryable = None if materialized is None else materialized.store_name
        return self._derived(
            node_name,
            KTableTransformValuesSupplier(self, supplier, queryable),
            materialized,
            None,
            stores,
        )

    def to_stream(
        self,
        key_mapper: Callable[[Any, Any], Any] | None = None,
        *,
        name: str | None = None,
    ) -> "KStream":
        """Read the changes of the table as a stream; a deletion is a record with None.

        Args:
            key_mapper: of key and value, gives the records' keys; as `select_key` behind it.
            name: of the step.
        """
        where = self.where("to_stream", name)
        if key_mapper is not None:
            check_plain_function(key_mapper, ("key", "value"), where, what="key_mapper")
        node = ProcessorGraphNode(
            self.graph.names.name_or_new(name, "KTABLE-TOSTREAM-"), KTableToStreamNode
        )
        self.graph.add(node, self.node)
        stream = self.new_stream(node, self.key_serde, self.value_serde)
        return stream if key_mapper is None else stream.select_key(key_mapper)

    def suppress(self, suppressed: Suppressed) -> "KTable":
        """Hold back changes: until a time limit, or until their windows are closed.

        They wait in a buffer with a changelog. Time is that of the records: nothing leaves the
        buffer before another record comes. The result cannot be looked up.

        Args:
            suppressed: `Suppressed.until_window_closes(...)` for one final result a window, or
                `Suppressed.until_time_limit(...)`.

        Raises:
            TopologyError: final results of a table that has no windows, or a versioned table.
            TypeError: it is no Suppressed.
        """
        if not isinstance(suppressed, Suppressed):
            raise TypeError(f"{self.where('suppress')}: a Suppressed is needed, not {suppressed!r}")
        given = suppressed.name
        if self.node.is_output_versioned:
            raise TopologyError(
                f"{self.where('suppress', given)}: the table is versioned, and suppress works on "
                "tables that are not"
            )
        if given is None:
            node_name = self.graph.names.new_processor_name(_SUPPRESS)
        else:
            node_name = checked_name(given)
        if suppressed.wait_ms is None:
            suppressed = suppressed.with_grace(_grace_of_windows(self.node, node_name))
        buffer = suppressed.buffer
        if given is None:
            store_name = self.graph.names.new_store_name(_SUPPRESS)
            if buffer.logging_enabled:
                self.graph.unnamed.changelog_topics.append(f"{store_name}-changelog")
        else:
            store_name = f"{node_name}-store"
        store = SuppressBufferBuilder(store_name, self.key_serde, self.value_serde)
        if buffer.log_config is None:
            store.with_logging_disabled()
        else:
            store.with_logging_enabled(buffer.log_config)
        supplier = KTableSuppressSupplier(suppressed, store_name, self)
        node = ProcessorGraphNode(node_name, supplier, stores=[store])
        node.is_suppress = True
        node.is_output_versioned = False
        self.graph.add(node, self.node)
        return self.new_table(
            node, self.key_serde, self.value_serde, supplier, queryable_store_name=None
        )

    def group_by(
        self,
        selector: Callable[[Any, Any], tuple[Any, Any]],
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        name: str | None = None,
    ) -> KGroupedTable:
        """Group the rows: `selector(key, value)` gives the group's key and the value to aggregate.

        Every change goes through a repartition topic as what is to be taken out of its old group
        and what is to be put into its new one: two records, if the groups differ, and perhaps in
        different partitions, so that a reader may see one before the other. Rows for which the
        selector gives None for key or value are left out.

        Args:
            selector: of key and value, gives (key, value).
            key_serde: of the groups' keys.
            value_serde: of the values that the selector gives.
            name: of the step, and of the repartition topic.
        """
        where = self.where("group_by", name)
        check_plain_function(selector, ("key", "value"), where, what="selector")
        check_serde(key_serde, f"{where}: key_serde")
        check_serde(value_serde, f"{where}: value_serde")
        node = ProcessorGraphNode(
            self.graph.names.name_or_new(name, "KTABLE-SELECT-"),
            KTableRepartitionMapSupplier(self, selector),
        )
        self.graph.add(node, self.node)
        # What is to be taken out of a group is the old value.
        self.enable_sending_old_values(True)
        return KGroupedTable(
            node.name,
            key_serde,
            value_serde,
            self.source_nodes,
            node,
            self.graph,
            repartition_name=name,
        )

    def _filter(
        self,
        operator: str,
        predicate: Predicate,
        is_negated: bool,
        name: str | None,
        materialized: Materialized | None,
    ) -> "KTable":
        where = self.where(operator, name)
        check_plain_function(predicate, ("key", "value"), where, what="predicate")
        self.check_materialized(materialized, where)
        self._spend_number(materialized, _FILTER)
        node_name = self.graph.names.name_or_new(name, _FILTER)
        queryable = None if materialized is None else materialized.store_name
        supplier = KTableFilterSupplier(self, predicate, is_negated, queryable)
        return self._derived(node_name, supplier, materialized, self.value_serde)

    def _spend_number(self, materialized: Materialized | None, prefix: str) -> None:
        """Kafka spends a number for a store that it does not make, before that of the node."""
        if materialized is not None and materialized.store_name is None:
            self.graph.names.new_store_name(prefix)

    def _derived(
        self,
        node_name: str,
        supplier: Any,
        materialized: Materialized | None,
        default_value_serde: Serde | None,
        store_names: Sequence[str] = (),
    ) -> "KTable":
        chosen = materialized or Materialized()
        key_serde = chosen.key_serde or self.key_serde
        value_serde = chosen.value_serde or default_value_serde
        queryable = chosen.store_name
        stores = []
        if queryable is not None:
            stores.append(TableStoreBuilder(chosen, queryable, key_serde, value_serde))
        node = ProcessorGraphNode(node_name, supplier, stores=stores, store_names=store_names)
        if materialized is not None:
            node.is_output_versioned = materialized.is_versioned
        self.graph.add(node, self.node)
        return self.new_table(
            node, key_serde, value_serde, supplier, queryable_store_name=queryable
        )


def _grace_of_windows(start: GraphNode, node_name: str) -> int:
    """How long the windows above take records after their end: the longest, if there are several.

    Raises:
        TopologyError: some way up leads to no windows.
    """
    if isinstance(start, ProcessorGraphNode) and start.grace_ms is not None:
        return start.grace_ms
    if not start.parents:
        raise TopologyError(
            f"{node_name}: until_window_closes is for tables of windows; nothing above, up to "
            f"{start.name}, makes windows"
        )
    return max(_grace_of_windows(parent, node_name) for parent in start.parents)
