"""The right side of a foreign-key join takes subscriptions in.

They are kept by foreign key, so that a change of a right row finds them, and handed on to be
answered at once. A subscription to no key is answered but not kept.

Source: Kafka Streams' SubscriptionReceiveProcessorSupplier.
"""

from typing import Any

from pylog.streams.errors import StreamsError
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.foreign_key.combined_key import CombinedKey, CombinedKeySchema
from pylog.streams.processors.foreign_key.subscription_wrapper import (
    CURRENT_VERSION,
    Instruction,
    SubscriptionWrapper,
)
from pylog.streams.record import Record, ValueAndTimestamp


class SubscriptionReceiveSupplier:
    """Makes the processors that keep subscriptions.

    Args:
        store_name: of the subscription store.
        combined_key_schema: of its keys.
    """

    def __init__(self, store_name: str, combined_key_schema: CombinedKeySchema):
        self._store_name = store_name
        self._schema = combined_key_schema

    def __call__(self) -> "_SubscriptionReceiveProcessor":
        """Make a processor."""
        return _SubscriptionReceiveProcessor(self._store_name, self._schema)


class _SubscriptionReceiveProcessor:
    def __init__(self, store_name: str, schema: CombinedKeySchema):
        self._store_name = store_name
        self._unbound_schema = schema

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._store: Any = context.get_state_store(self._store_name)
        self._schema = self._unbound_schema.bind(context)

    def process(self, record: Record) -> None:
        foreign_key = record.key
        wrapper: SubscriptionWrapper = record.value
        instruction = wrapper.instruction
        if wrapper.version > CURRENT_VERSION:
            raise StreamsError(f"a subscription of version {wrapper.version} is not understood")
        if foreign_key is None:
            if instruction != Instruction.PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE:
                self._context.drop("null foreign key")
                return
        else:
            stored_key = self._schema.to_bytes(foreign_key, wrapper.primary_key)
            if instruction >= Instruction.PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE:
                self._store.put(stored_key, ValueAndTimestamp(wrapper, record.timestamp))
            else:
                self._store.put(stored_key, None)
        self._context.forward(record.with_key(CombinedKey(foreign_key, wrapper.primary_key)))
