"""The right side of a foreign-key join answers a new subscription with what it has.

Source: Kafka Streams' SubscriptionJoinProcessorSupplier.
"""

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.foreign_key.subscription_response_wrapper import (
    SubscriptionResponseWrapper,
)
from pylog.streams.processors.foreign_key.subscription_wrapper import (
    Instruction,
    SubscriptionWrapper,
)
from pylog.streams.processors.value_getters import (
    KTableValueGetter,
    KTableValueGetterSupplier,
)
from pylog.streams.record import Record


class SubscriptionJoinSupplier:
    """Makes the processors that answer subscriptions.

    Args:
        foreign_value_getter: how to look the right table up.
    """

    def __init__(self, foreign_value_getter: KTableValueGetterSupplier):
        self._view = foreign_value_getter

    def __call__(self) -> "_SubscriptionJoinProcessor":
        """Make a processor."""
        return _SubscriptionJoinProcessor(self._view())


class _SubscriptionJoinProcessor:
    def __init__(self, foreign_values: KTableValueGetter):
        self._foreign_values = foreign_values

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._foreign_values.init(context)

    def process(self, record: Record) -> None:
        """Answer a subscription: its key is a CombinedKey, its value a SubscriptionWrapper."""
        wrapper: SubscriptionWrapper = record.value
        instruction = wrapper.instruction
        if instruction == Instruction.DELETE_KEY_NO_PROPAGATE:
            return
        foreign_key = record.key.foreign_key
        found = None if foreign_key is None else self._foreign_values.get(foreign_key)
        if found is None and instruction == Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE:
            return
        value = None
        if found is not None and instruction != Instruction.DELETE_KEY_AND_PROPAGATE:
            value = found.value
        answer = SubscriptionResponseWrapper(wrapper.value_hash, value, wrapper.primary_partition)
        result = record.with_key(record.key.primary_key).with_value(answer)
        if found is not None and found.timestamp > record.timestamp:
            result = result.with_timestamp(found.timestamp)
        self._context.forward(result)

    def close(self) -> None:
        self._foreign_values.close()
