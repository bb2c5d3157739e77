"""The steps of a join of tables in which a row names the key of the other.

A change of a left row registers its key with the partition of the right row, through one internal
topic; the answer, and later each change of the right row, comes back through another.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams import serdes
from pylog.streams.dsl.graph_nodes import (
    Consumed,
    Partitioner,
    ProcessorGraphNode,
    SinkNode,
    StreamSourceNode,
    TableProcessorNode,
)
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.store_factories import SubscriptionStoreBuilder, TableStoreBuilder
from pylog.streams.dsl.table_base import TableBase
from pylog.streams.keyed_function import WithKey
from pylog.streams.processors.foreign_key import (
    CombinedKeySchema,
    ForeignTableJoinSupplier,
    ResponseJoinSupplier,
    SubscriptionJoinSupplier,
    SubscriptionReceiveSupplier,
    SubscriptionResponseWrapperSerde,
    SubscriptionSendSupplier,
    SubscriptionsInFlightSupplier,
    SubscriptionWrapperSerde,
    response_partitioner,
)
from pylog.streams.processors.joiners import Joiner
from pylog.streams.processors.table_source import KTableSourceSupplier

_FK_JOIN = "KTABLE-FK-JOIN-"
_OUTPUT = f"{_FK_JOIN}OUTPUT-"
_PROCESSOR = f"{_FK_JOIN}SUBSCRIPTION-PROCESSOR-"
_REGISTRATION = f"{_FK_JOIN}SUBSCRIPTION-REGISTRATION-"
_RESOLVER = f"{_FK_JOIN}SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-"
_RESPONSE = f"{_FK_JOIN}SUBSCRIPTION-RESPONSE-"
_STORE = f"{_FK_JOIN}SUBSCRIPTION-STATE-STORE-"
_SINK = "KTABLE-SINK-"
_SOURCE = "KTABLE-SOURCE-"


def join_on_foreign_key(
    left: TableBase,
    right: TableBase,
    foreign_key_extractor: Callable[[Any], Any] | WithKey,
    joiner: Joiner,
    *,
    partitioner: Partitioner | None,
    other_partitioner: Partitioner | None,
    name: str | None,
    materialized: Materialized,
    is_left: bool,
) -> Any:
    """Add a join by foreign key and return its result, a table.

    Args:
        left: whose rows name a key.
        right: whose key is named.
        foreign_key_extractor: of a left value, gives the key.
        joiner: of a left and a right value.
        partitioner: of the left table's topic, None for the default.
        other_partitioner: of the right table's topic, None for the default.
        name: what the names of steps, topics and stores begin with.
        materialized: the result's store.
        is_left: left rows without a right one are results too.
    """
    graph, names = left.graph, left.graph.names
    # An equal value need not go to all who have subscribed; another key ends a subscription.
    right.enable_sending_old_values(True)
    left.enable_sending_old_values(True)

    def named(prefix: str, suffix: str) -> str:
        return names.name_or_new(name, prefix, suffix)

    subscription_topic = named(_REGISTRATION, "-subscription-registration") + "-topic"
    # Of keys and hashes within the records: serdes may register schemas under these names.
    primary_key_topic = f"{subscription_topic}-pk"
    foreign_key_topic = f"{subscription_topic}-fk"
    value_hash_topic = f"{subscription_topic}-vh"
    graph.add_internal_topic(subscription_topic)
    if name is None:
        graph.unnamed.repartition_topics.append(subscription_topic)
    subscription_serde = SubscriptionWrapperSerde(primary_key_topic, left.key_serde)
    response_serde = SubscriptionResponseWrapperSerde(right.value_serde)
    in_flight = SubscriptionsInFlightSupplier()
    schema = CombinedKeySchema(
        foreign_key_topic, right.key_serde, primary_key_topic, left.key_serde
    )

    send = ProcessorGraphNode(
        named(_REGISTRATION, "-subscription-registration-processor"),
        SubscriptionSendSupplier(
            foreign_key_extractor,
            foreign_key_topic,
            value_hash_topic,
            right.key_serde,
            left.value_serde,
            is_left,
            in_flight,
        ),
    )
    graph.add(send, left.node)
    subscription_sink = SinkNode(
        named(_SINK, "-subscription-registration-sink"),
        subscription_topic,
        key_serde=right.key_serde,
        value_serde=subscription_serde,
        partitioner=None if other_partitioner is None else _of_keys(other_partitioner),
    )
    graph.add(subscription_sink, send)
    subscription_source = StreamSourceNode(
        named(_SOURCE, "-subscription-registration-source"),
        [subscription_topic],
        None,
        Consumed(right.key_serde, subscription_serde),
    )
    graph.add(subscription_source, subscription_sink)
    graph.copartition(right.source_nodes | {subscription_source.name})

    subscription_store_name = named(_STORE, "-subscription-store")
    if name is None:
        graph.unnamed.add_store(subscription_store_name, is_logged=True)
    receive = ProcessorGraphNode(
        named(_PROCESSOR, "-subscription-receive"),
        SubscriptionReceiveSupplier(subscription_store_name, schema),
        stores=[
            SubscriptionStoreBuilder(
                Materialized(caching_enabled=False),
                subscription_store_name,
                serdes.bytes,
                subscription_serde,
            )
        ],
    )
    graph.add(receive, subscription_source)
    right_view = right.value_getter_supplier()
    subscription_join = ProcessorGraphNode(
        named(_PROCESSOR, "-subscription-join-foreign"),
        SubscriptionJoinSupplier(right_view),
        store_names=right_view.store_names,
    )
    graph.add(subscription_join, receive)
    foreign_table_join = ProcessorGraphNode(
        named(_PROCESSOR, "-foreign-join-subscription"),
        ForeignTableJoinSupplier(subscription_store_name, schema),
        store_names=[subscription_store_name],
    )
    graph.add(foreign_table_join, right.node)

    response_topic = named(_RESPONSE, "-subscription-response") + "-topic"
    graph.add_internal_topic(response_topic)
    if name is None:
        graph.unnamed.repartition_topics.append(response_topic)
    response_sink = SinkNode(
        named(_SINK, "-subscription-response-sink"),
        response_topic,
        key_serde=left.key_serde,
        value_serde=response_serde,
        partitioner=response_partitioner if partitioner is None else _of_keys(partitioner),
    )
    graph.add(response_sink, subscription_join, foreign_table_join)
    response_source = StreamSourceNode(
        named(_SOURCE, "-subscription-response-source"),
        [response_topic],
        None,
        Consumed(left.key_serde, response_serde),
    )
    graph.add(response_source, response_sink)
    sources = left.source_nodes | {response_source.name}
    graph.copartition(sources)

    left_view = left.value_getter_supplier()
    resolve = ProcessorGraphNode(
        named(_RESOLVER, "-subscription-response-resolver"),
        ResponseJoinSupplier(
            left_view, left.value_serde, value_hash_topic, joiner, is_left, in_flight
        ),
        store_names=left_view.store_names,
    )
    graph.add(resolve, response_source)
    result_name = named(_OUTPUT, "-result")
    store_name = left.store_name(materialized, _OUTPUT)
    key_serde = materialized.key_serde or left.key_serde
    supplier = KTableSourceSupplier(store_name, materialized.store_name)
    store = TableStoreBuilder(materialized, store_name, key_serde, materialized.value_serde)
    result = TableProcessorNode(result_name, supplier, stores=[store])
    result.is_output_versioned = materialized.is_versioned
    graph.add(result, resolve)
    return left.new_table(
        result,
        key_serde,
        materialized.value_serde,
        supplier,
        queryable_store_name=materialized.store_name,
        source_nodes=sources,
    )


def _of_keys(partitioner: Partitioner) -> Partitioner:
    """A partitioner of a table's topic, for an internal topic whose values are none of the table's.

    Raises:
        ValueError: it gives other than one partition.
    """

    def partition(topic: str, key: Any, value: Any, number_of_partitions: int) -> Any:
        chosen = partitioner(topic, key, None, number_of_partitions)
        if chosen is None or isinstance(chosen, int):
            return chosen
        partitions = set(chosen)
        if len(partitions) != 1:
            raise ValueError(
                f"a partitioner of a join by foreign key gives one partition, not {chosen!r}"
            )
        return partitions

    return partition
