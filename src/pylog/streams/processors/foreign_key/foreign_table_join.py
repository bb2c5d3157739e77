"""The right side of a foreign-key join tells a changed row to all who have subscribed to it.

Source: Kafka Streams' ForeignTableJoinProcessorSupplier.
"""

from typing import Any

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.foreign_key.combined_key import CombinedKeySchema
from pylog.streams.processors.foreign_key.subscription_response_wrapper import (
    SubscriptionResponseWrapper,
)
from pylog.streams.record import Record
from pylog.streams.serdes import bytes as bytes_serde


class ForeignTableJoinSupplier:
    """Makes the processors of the right table's changes.

    Args:
        store_name: of the subscription store.
        combined_key_schema: of its keys.
    """

    def __init__(self, store_name: str, combined_key_schema: CombinedKeySchema):
        self._store_name = store_name
        self._schema = combined_key_schema
        self.uses_versioned_semantics = False

    def __call__(self) -> "_ForeignTableJoinProcessor":
        """Make a processor."""
        return _ForeignTableJoinProcessor(
            self._store_name, self._schema, self.uses_versioned_semantics
        )

    def set_use_versioned_semantics(self, use_versioned_semantics: bool) -> None:
        """Say whether the right table is versioned: only the latest of a key's records count."""
        self.uses_versioned_semantics = use_versioned_semantics


class _ForeignTableJoinProcessor:
    def __init__(self, store_name: str, schema: CombinedKeySchema, uses_versioned_semantics: bool):
        self._store_name = store_name
        self._unbound_schema = schema
        self._uses_versioned_semantics = uses_versioned_semantics

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._subscriptions: Any = context.get_state_store(self._store_name)
        self._schema = self._unbound_schema.bind(context)

    def process(self, record: Record) -> None:
        foreign_key, change = record.key, record.value
        if foreign_key is None:
            self._context.drop("null key")
            return
        if self._uses_versioned_semantics and not change.is_latest:
            self._context.drop("out of order")
            return
        prefix = self._schema.prefix_bytes(foreign_key)
        forward, primary_key = self._context.forward, self._schema.primary_key
        with self._subscriptions.prefix_scan(prefix, bytes_serde) as found:
            for stored_key, subscription in found:
                wrapper = subscription.value
                answer = SubscriptionResponseWrapper(
                    wrapper.value_hash, change.new_value, wrapper.primary_partition
                )
                key = primary_key(stored_key, len(prefix))
                forward(record.with_key(key).with_value(answer))
