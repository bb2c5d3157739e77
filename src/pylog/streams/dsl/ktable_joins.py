"""Operators that join a table with a table: by their keys, or by a key that a row names."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.graph_join_nodes import TableTableJoinNode
from pylog.streams.dsl.graph_nodes import OF_PARTITIONER, Partitioner
from pylog.streams.dsl.ktable_foreign_key import join_on_foreign_key
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.store_factories import TableStoreBuilder
from pylog.streams.dsl.table_base import TableBase
from pylog.streams.errors import TopologyError
from pylog.streams.functions import check_function, check_plain_function
from pylog.streams.keyed_function import WithKey
from pylog.streams.processors.joiners import Joiner, reverse_joiner
from pylog.streams.processors.table_table_join import (
    KTableKTableInnerJoinSupplier,
    KTableKTableJoinMergerSupplier,
    KTableKTableLeftJoinSupplier,
    KTableKTableOuterJoinSupplier,
    KTableKTableRightJoinSupplier,
)

if TYPE_CHECKING:
    from pylog.streams.dsl.ktable import KTable

_MERGE = "KTABLE-MERGE-"


class TableJoinOperators(TableBase):
    """Join, left_join, outer_join."""

    def join(
        self,
        other: TableBase,
        joiner: Joiner,
        *,
        foreign_key_extractor: Callable[[Any], Any] | WithKey | None = None,
        partitioner: Partitioner | None = None,
        other_partitioner: Partitioner | None = None,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Join the rows of two tables.

        **By key**, without `foreign_key_extractor`: a row of both tables with one key is a row of
        the result. When one of them is deleted, so is the result; a deletion that deletes nothing
        is not told. The time of a result is the later of the two rows'. Both tables need equal
        numbers of partitions.

        **By foreign key**: each row is joined with the row of the other table whose key the
        extractor gives; many rows may name one. Changes travel to the other table's partitions and
        back through two internal topics. Rows for which the extractor gives None have no result.
        The tables may have different numbers of partitions.

        Args:
            other: a table of the same builder.
            joiner: of this value and the other's, gives the result's; `with_key` of a function
                that takes the key before them.
            foreign_key_extractor: of this table's value, gives the other's key; `with_key` of a
                function of key and value.
            partitioner: with a foreign key, that of this table's topic if it is not the default.
            other_partitioner: with a foreign key, that of the other table's topic.
            name: what the names of the steps, topics and stores begin with.
            materialized: keeps the result in a store and gives its serdes.

        Raises:
            TopologyError: `other` is of another builder.
            TypeError: `other` is no table, or a function is none.
        """
        return self._join(
            "join",
            other,
            joiner,
            foreign_key_extractor,
            (partitioner, other_partitioner),
            name,
            materialized,
            False,
            False,
        )

    def left_join(
        self,
        other: TableBase,
        joiner: Joiner,
        *,
        foreign_key_extractor: Callable[[Any], Any] | WithKey | None = None,
        partitioner: Partitioner | None = None,
        other_partitioner: Partitioner | None = None,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Join as `join` does; a row of this table without one of the other is joined with None.

        By foreign key, so is a row for which the extractor gives None. Arguments and errors are
        those of `join`.
        """
        return self._join(
            "left_join",
            other,
            joiner,
            foreign_key_extractor,
            (partitioner, other_partitioner),
            name,
            materialized,
            True,
            False,
        )

    def outer_join(
        self,
        other: TableBase,
        joiner: Joiner,
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Join by key; a row of either table without one of the other is joined with None.

        Arguments and errors are those of `join`.
        """
        return self._join(
            "outer_join", other, joiner, None, (None, None), name, materialized, True, True
        )

    def _join(
        self,
        operator: str,
        other: TableBase,
        joiner: Joiner,
        foreign_key_extractor: Callable[[Any], Any] | WithKey | None,
        partitioners: tuple[Partitioner | None, Partitioner | None],
        name: str | None,
        materialized: Materialized | None,
        is_left_outer: bool,
        is_right_outer: bool,
    ) -> "KTable":
        where = self.where(operator, name)
        if not isinstance(other, TableBase):
            raise TypeError(f"{where}: a table is joined with a KTable, not {other!r}")
        self.check_same_builder(other, where)
        check_function(joiner, ("this_value", "other_value"), where, what="joiner")
        self.check_materialized(materialized, where)
        if foreign_key_extractor is None:
            if any(partitioner is not None for partitioner in partitioners):
                raise TopologyError(
                    f"{where}: partitioner and other_partitioner mean nothing without "
                    "foreign_key_extractor"
                )
            return self._join_by_key(
                other, joiner, name, materialized, is_left_outer, is_right_outer
            )
        check_function(foreign_key_extractor, ("value",), where, what="foreign_key_extractor")
        for partitioner in partitioners:
            if partitioner is not None:
                check_plain_function(partitioner, OF_PARTITIONER, where, what="partitioner")
        result: KTable = join_on_foreign_key(
            self,
            other,
            foreign_key_extractor,
            joiner,
            partitioner=partitioners[0],
            other_partitioner=partitioners[1],
            name=name,
            materialized=materialized or Materialized(),
            is_left=is_left_outer,
        )
        return result

    def _join_by_key(
        self,
        other: TableBase,
        joiner: Joiner,
        name: str | None,
        materialized: Materialized | None,
        is_left_outer: bool,
        is_right_outer: bool,
    ) -> "KTable":
        names = self.graph.names
        store_name = None if materialized is None else self.store_name(materialized, _MERGE)
        merge_name = names.name_or_new(name, _MERGE)
        sources = self.copartition_with(other)
        if is_left_outer:
            self.enable_sending_old_values(True)
        if is_right_outer:
            other.enable_sending_old_values(True)
        this_kind: Callable[..., Any] = KTableKTableInnerJoinSupplier
        other_kind: Callable[..., Any] = KTableKTableInnerJoinSupplier
        if is_right_outer:
            this_kind, other_kind = KTableKTableOuterJoinSupplier, KTableKTableOuterJoinSupplier
        elif is_left_outer:
            this_kind, other_kind = KTableKTableLeftJoinSupplier, KTableKTableRightJoinSupplier
        this_supplier = this_kind(self, other, joiner)
        other_supplier = other_kind(other, self, reverse_joiner(joiner))
        this_name = names.name_or_new(name, "KTABLE-JOINTHIS-", "-join-this")
        other_name = names.name_or_new(name, "KTABLE-JOINOTHER-", "-join-other")
        key_serde, value_serde, store = self.key_serde, None, None
        if materialized is not None and store_name is not None:
            key_serde = materialized.key_serde or self.key_serde
            value_serde = materialized.value_serde
            store = TableStoreBuilder(materialized, store_name, key_serde, value_serde)
        merger = KTableKTableJoinMergerSupplier(this_supplier, other_supplier, store_name)
        node = TableTableJoinNode(
            merge_name,
            this_name=this_name,
            other_name=other_name,
            this_parent_name=self.name,
            other_parent_name=other.name,
            this_supplier=this_supplier,
            other_supplier=other_supplier,
            merge_supplier=merger,
            this_store_names=self.value_getter_supplier().store_names,
            other_store_names=other.value_getter_supplier().store_names,
            store=store,
        )
        node.is_output_versioned = materialized is not None and materialized.is_versioned
        self.graph.add(node, self.node, other.node)
        return self.new_table(
            node,
            key_serde,
            value_serde,
            merger,
            queryable_store_name=store_name,
            source_nodes=sources,
        )
