"""The left side of a foreign-key join makes results of the answers.

An answer to a question that has changed meanwhile is stale: the row has another value by now, and
another answer is on its way. The hash of the value, which went out and came back, tells. Where no
other may be on its way, see in_flight, a stale answer with nothing still deletes the result.

Source: Kafka Streams' ResponseJoinProcessorSupplier.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.errors import StreamsError
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.foreign_key.in_flight import SubscriptionsInFlightSupplier
from pylog.streams.processors.foreign_key.subscription_response_wrapper import (
    CURRENT_VERSION,
    SubscriptionResponseWrapper,
)
from pylog.streams.processors.foreign_key.value_hash import hash_value
from pylog.streams.processors.joiners import Joiner, joiner_with_key, user_function
from pylog.streams.processors.value_getters import (
    KTableValueGetter,
    KTableValueGetterSupplier,
)
from pylog.streams.record import Record
from pylog.streams.serde import Serde, encode


class ResponseJoinSupplier:
    """Makes the processors that join left rows with the answers.

    Args:
        primary_value_getter: how to look the left table up.
        value_serde: of the left rows; None for the application's default of values.
        value_hash_topic: what it is told for the hash, without the application's id.
        joiner: takes the left value, then the right one.
        is_left: whether rows that find nothing are results.
        in_flight: shared with the SubscriptionSendSupplier of the join.
    """

    def __init__(
        self,
        primary_value_getter: KTableValueGetterSupplier,
        value_serde: Serde | None,
        value_hash_topic: str,
        joiner: Joiner,
        is_left: bool,
        in_flight: SubscriptionsInFlightSupplier,
    ):
        self._view = primary_value_getter
        self.value_serde = value_serde
        self.value_hash_topic = value_hash_topic
        self.joiner = joiner
        self.is_left = is_left
        self.in_flight = in_flight

    def __call__(self) -> "_ResponseJoinProcessor":
        """Make a processor."""
        return _ResponseJoinProcessor(self, self._view())


class _ResponseJoinProcessor:
    def __init__(self, supplier: ResponseJoinSupplier, left_values: KTableValueGetter):
        self._supplier = supplier
        self._joiner = joiner_with_key(supplier.joiner)
        self._is_left = supplier.is_left
        self._left_values = left_values

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._in_flight = self._supplier.in_flight.get(context.task_id)
        self._left_values.init(context)
        self._value_hash_topic = f"{context.application_id}-{self._supplier.value_hash_topic}"
        where = "the left side of a foreign-key join"
        self._value_serde: Serde = context.config.value_serde_for(self._supplier.value_serde, where)

    def process(self, record: Record) -> None:
        answer: SubscriptionResponseWrapper = record.value
        if answer.version != CURRENT_VERSION:
            raise StreamsError(f"an answer of version {answer.version} is not understood")
        found = self._left_values.get(record.key)
        value = None if found is None else found.value
        foreign_value = answer.foreign_value
        if answer.original_value_hash != self._hash(value):
            if foreign_value is None and self._in_flight.deletes_when_stale(record.key):
                self._context.forward(record.with_value(None))
            else:
                self._context.drop("stale response")
            return
        self._in_flight.answer(record.key)
        result = None
        if foreign_value is not None or (self._is_left and value is not None):
            result = self._joiner(record.key, value, foreign_value)
        self._context.forward(record.with_value(result))

    def close(self) -> None:
        self._left_values.close()
        self._supplier.in_flight.remove(self._context.task_id)

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The joiner, for errors."""
        return (user_function(self._supplier.joiner),)

    def _hash(self, value: Any) -> bytes | None:
        raw = encode(self._value_serde, self._value_hash_topic, value)
        return None if raw is None else hash_value(raw)
