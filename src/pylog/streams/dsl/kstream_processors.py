"""Operators that put a processor of the program, or a repartition topic, into a stream."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.graph_nodes import OF_PARTITIONER, Partitioner, ProcessorGraphNode
from pylog.streams.dsl.graph_repartition import RepartitionNode, new_repartition_names
from pylog.streams.dsl.materialized import check_serde
from pylog.streams.dsl.naming import checked_name
from pylog.streams.dsl.stream_base import StreamBase
from pylog.streams.functions import check_plain_function, check_supplier
from pylog.streams.serde import Serde

if TYPE_CHECKING:
    from pylog.streams.dsl.kstream import KStream


class ProcessorOperators(StreamBase):
    """Process, process_values, repartition."""

    def process(
        self,
        supplier: Callable[[], Any],
        *,
        stores: Sequence[str] = (),
        name: str | None = None,
    ) -> "KStream":
        """Have a processor handle each record: see the Processor API.

        What it forwards is the stream that this returns. It may change keys, so that stream is
        repartitioned before the next grouping or join.

        Args:
            supplier: a class or a function without arguments that makes a processor, a new one at
                each call: an object with `process(record)` and, if wanted, `init(context)` and
                `close()`. An attribute `stores` of the supplier lists StoreBuilders that are added
                and connected.
            stores: names of stores that the processor uses; see `StreamsBuilder.add_state_store`.
            name: of the step.

        Raises:
            TopologyError: the supplier gives the same processor twice.
            TypeError: it is no supplier.
        """
        node = self._processor(supplier, "process", "KSTREAM-PROCESSOR-", stores, name, False)
        return self.new_stream(node, None, None, repartition_required=True)

    def process_values(
        self,
        supplier: Callable[[], Any],
        *,
        stores: Sequence[str] = (),
        name: str | None = None,
    ) -> "KStream":
        """Have a processor handle each record that leaves keys as they are.

        As `process`, but the context refuses to forward another key, and so nothing has to be
        repartitioned afterwards.
        """
        node = self._processor(
            supplier, "process_values", "KSTREAM-PROCESSVALUES-", stores, name, True
        )
        return self.with_new_values(node)

    def repartition(
        self,
        *,
        name: str | None = None,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        number_of_partitions: int | None = None,
        partitioner: Partitioner | None = None,
    ) -> "KStream":
        """Send the records through a repartition topic, whether or not the key was changed.

        Args:
            name: the topic is "<application.id>-<name>-repartition".
            key_serde: of the topic; the stream's if not given.
            value_serde: likewise.
            number_of_partitions: of the topic; as many as upstream if not given. A join with it
                needs as many partitions on the other side.
            partitioner: see `to`.

        Raises:
            ValueError: the number of partitions is not above 0.
        """
        where = self.where("repartition", name)
        check_serde(key_serde, f"{where}: key_serde")
        check_serde(value_serde, f"{where}: value_serde")
        if number_of_partitions is not None and number_of_partitions < 1:
            raise ValueError(f"{where}: a topic has at least 1 partition: {number_of_partitions}")
        if partitioner is not None:
            check_plain_function(partitioner, OF_PARTITIONER, where, what="partitioner")
        prefix = self._name_or_new(name, "KSTREAM-REPARTITION-")
        key_serde = key_serde or self.key_serde
        value_serde = value_serde or self.value_serde
        node = RepartitionNode(
            new_repartition_names(self.graph, prefix, is_given=name is not None),
            key_serde,
            value_serde,
            partitioner=partitioner,
            number_of_partitions=number_of_partitions,
            is_optimizable=False,
        )
        self.graph.add(node, self.node)
        return self.new_stream(node, key_serde, value_serde, source_nodes=frozenset({node.name}))

    def _processor(
        self,
        supplier: Callable[[], Any],
        operator: str,
        prefix: str,
        stores: Sequence[str],
        name: str | None,
        is_fixed_key: bool,
    ) -> ProcessorGraphNode:
        where = self.where(operator, name)
        check_supplier(supplier, where)
        if isinstance(stores, str) or not all(isinstance(store, str) for store in stores):
            raise TypeError(f"{where}: stores is a list of stores' names, not {stores!r}")
        node = ProcessorGraphNode(
            self._name_or_new(name, prefix),
            supplier,
            store_names=stores,
            is_fixed_key=is_fixed_key,
        )
        # A repartition may not move above it: it may change what the records are. Kafka Streams
        # lets it, unless __enable.process.processValue.fix__ is set.
        node.changes_value = True
        self.graph.add(node, self.node)
        return node

    def _name_or_new(self, name: str | None, prefix: str) -> str:
        """Of these operators a name takes no number of the counter, in Kafka and so here."""
        if name is None:
            return self.graph.names.new_processor_name(prefix)
        return checked_name(name)
