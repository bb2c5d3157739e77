"""GlobalKTable, a table that every instance of the application has whole."""

from pylog.streams.dsl.graph import StreamsGraph
from pylog.streams.processors.value_getters import (
    KTableValueGetterSupplier,
    MaterializedValueGetterSupplier,
)


class GlobalKTable:
    """All partitions of a topic as one table. Made by `StreamsBuilder.global_table`.

    It is read up to its end before the application starts, and then as its records come, without
    regard to their times. Streams join it by any key.

    Attributes:
        name: of its processor.
        queryable_store_name: name of its store if the program gave it, else None.
    """

    def __init__(
        self, name: str, store_name: str, queryable_store_name: str | None, graph: StreamsGraph
    ):
        self.name = name
        self.queryable_store_name = queryable_store_name
        self.graph = graph
        self._store_name = store_name

    def value_getter_supplier(self) -> KTableValueGetterSupplier:
        """How joins look its values up."""
        return MaterializedValueGetterSupplier(self._store_name)

    def __repr__(self) -> str:
        return f"<GlobalKTable {self.name}>"
