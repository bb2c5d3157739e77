"""Joins of tables where a left row names the key of a right one.

    left table                                    right table
      | subscription_send                           | foreign_table_join
      v                                             v
    subscription topic, by foreign key  ->  subscription_receive -> subscription store
                                                    | subscription_join
                                                    v
    response_join  <-  response topic, by the left row's partition
      |
      v
    result

Every change of a left row travels to the right side and back, and so does every change of a right
row to all left rows that have subscribed to it.

Source: Kafka Streams' package kstream.internals.foreignkeyjoin, KIP-213, KIP-775.
"""

from pylog.streams.processors.foreign_key.combined_key import CombinedKey, CombinedKeySchema
from pylog.streams.processors.foreign_key.foreign_table_join import ForeignTableJoinSupplier
from pylog.streams.processors.foreign_key.in_flight import SubscriptionsInFlightSupplier
from pylog.streams.processors.foreign_key.response_join import ResponseJoinSupplier
from pylog.streams.processors.foreign_key.subscription_join import SubscriptionJoinSupplier
from pylog.streams.processors.foreign_key.subscription_receive import SubscriptionReceiveSupplier
from pylog.streams.processors.foreign_key.subscription_response_wrapper import (
    SubscriptionResponseWrapper,
    SubscriptionResponseWrapperSerde,
    response_partitioner,
)
from pylog.streams.processors.foreign_key.subscription_send import SubscriptionSendSupplier
from pylog.streams.processors.foreign_key.subscription_wrapper import (
    Instruction,
    SubscriptionWrapper,
    SubscriptionWrapperSerde,
)

__all__ = [
    "CombinedKey",
    "CombinedKeySchema",
    "ForeignTableJoinSupplier",
    "Instruction",
    "ResponseJoinSupplier",
    "SubscriptionJoinSupplier",
    "SubscriptionReceiveSupplier",
    "SubscriptionResponseWrapper",
    "SubscriptionResponseWrapperSerde",
    "SubscriptionSendSupplier",
    "SubscriptionWrapper",
    "SubscriptionWrapperSerde",
    "SubscriptionsInFlightSupplier",
    "response_partitioner",
]
