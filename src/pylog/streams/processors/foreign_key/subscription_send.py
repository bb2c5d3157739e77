"""The left side of a foreign-key join: changes of its rows become subscriptions to the right side.

    row           inner join                            left join
    inserted      subscribe, answer if there is a row   subscribe, answer in any case
    same key      subscribe, answer if there is a row   subscribe, answer in any case
    other key     unsubscribe, then subscribe,          unsubscribe, then subscribe,
                  answer in any case                    answer in any case
    no key now    unsubscribe, answer with nothing      unsubscribe; answer with nothing
    deleted       unsubscribe, answer with nothing      unsubscribe; answer with nothing

A left join has its answer with nothing by a subscription to no key, which is not kept. An inner
join whose last answer has not come yet asks for an answer in any case, see in_flight.

Source: Kafka Streams' SubscriptionSendProcessorSupplier (4.3).
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.keyed_function import WithKey, unwrapped
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.foreign_key.in_flight import SubscriptionsInFlightSupplier
from pylog.streams.processors.foreign_key.subscription_wrapper import (
    Instruction,
    SubscriptionWrapper,
)
from pylog.streams.processors.foreign_key.value_hash import hash_value
from pylog.streams.record import Change, Record
from pylog.streams.serde import Serde, encode


class SubscriptionSendSupplier:
    """Makes the processors of the left side.

    Args:
        foreign_key_extractor: (value) -> foreign key, or with_key of a function of (key, value);
            None for none.
        foreign_key_topic: what the serde of foreign keys is told, without the application's id.
        value_hash_topic: what the serde of values is told for the hash, without it.
        foreign_key_serde: None for the application's default of keys.
        value_serde: of the left rows; None for the application's default of values.
        is_left: whether rows that find nothing are results.
        in_flight: shared with the ResponseJoinSupplier of the join.
    """

    def __init__(
        self,
        foreign_key_extractor: Callable[[Any], Any] | WithKey,
        foreign_key_topic: str,
        value_hash_topic: str,
        foreign_key_serde: Serde | None,
        value_serde: Serde | None,
        is_left: bool,
        in_flight: SubscriptionsInFlightSupplier,
    ):
        self.foreign_key_extractor = foreign_key_extractor
        self.foreign_key_topic = foreign_key_topic
        self.value_hash_topic = value_hash_topic
        self.foreign_key_serde = foreign_key_serde
        self.value_serde = value_serde
        self.is_left = is_left
        self.in_flight = in_flight
        self.uses_versioned_semantics = False

    def __call__(self) -> "_SubscriptionSendProcessor":
        """Make a processor."""
        return _SubscriptionSendProcessor(self)

    def set_use_versioned_semantics(self, use_versioned_semantics: bool) -> None:
        """Say whether the left table is versioned: records that are not the latest are left out."""
        self.uses_versioned_semantics = use_versioned_semantics


class _SubscriptionSendProcessor:
    def __init__(self, supplier: SubscriptionSendSupplier):
        self._supplier = supplier
        self._extractor, self._wants_key = unwrapped(supplier.foreign_key_extractor)
        self._uses_versioned_semantics = supplier.uses_versioned_semantics
        self._instruct = self._instruct_left if supplier.is_left else self._instruct_inner

    def init(self, context: ProcessorContext) -> None:
        supplier, config = self._supplier, context.config
        self._context = context
        self._task = context.task
        self._in_flight = supplier.in_flight.get(context.task_id)
        self._foreign_key_topic = f"{context.application_id}-{supplier.foreign_key_topic}"
        self._value_hash_topic = f"{context.application_id}-{supplier.value_hash_topic}"
        self._foreign_key_serde: Serde = config.key_serde_for(supplier.foreign_key_serde)
        where = "the left side of a foreign-key join"
        self._value_serde: Serde = config.value_serde_for(supplier.value_serde, where)

    def process(self, record: Record) -> None:
        change = record.value
        if self._uses_versioned_semantics and not change.is_latest:
            self._context.drop("out of order")
        elif change.old_value is not None or change.new_value is not None:
            self._instruct(record, change)

    def close(self) -> None:
        self._supplier.in_flight.remove(self._task.task_id)

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The extractor, for errors."""
        return (self._extractor,)

    def _instruct_left(self, record: Record, change: Change) -> None:
        old_key = self._foreign_key(record.key, change.old_value)
        new_key = self._foreign_key(record.key, change.new_value)
        value_hash = self._hash(change.new_value)
        if old_key is not None and self._differ(old_key, new_key):
            self._send(record, old_key, Instruction.DELETE_KEY_NO_PROPAGATE, value_hash)
        self._send(record, new_key, Instruction.PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE, value_hash)

    def _instruct_inner(self, record: Record, change: Change) -> None:
        primary_key, in_flight = record.key, self._in_flight
        old_key = self._foreign_key(primary_key, change.old_value)
        new_key = self._foreign_key(primary_key, change.new_value)
        value_hash = self._hash(change.new_value)
        if new_key is None:
            if change.new_value is not None:
                self._context.drop("null foreign key")
            if old_key is not None:
                in_flight.ask(primary_key)
                self._send(record, old_key, Instruction.DELETE_KEY_AND_PROPAGATE, value_hash)
            elif in_flight.is_unanswered(primary_key):
                in_flight.ask_if_there(primary_key)
            return
        instruction = Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE
        is_moved = old_key is not None and self._differ(old_key, new_key)
        if is_moved:
            self._send(record, old_key, Instruction.DELETE_KEY_NO_PROPAGATE, value_hash)
        if is_moved or in_flight.is_unanswered(primary_key):
            # What was joined before is to be taken back, if the new key finds nothing.
            instruction = Instruction.PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE
            in_flight.ask(primary_key)
        elif old_key is not None:
            in_flight.ask_if_there(primary_key)
        self._send(record, new_key, instruction, value_hash)

    def _foreign_key(self, key: Any, value: Any) -> Any:
        if value is None:
            return None
        return self._extractor(key, value) if self._wants_key else self._extractor(value)

    def _differ(self, old_key: Any, new_key: Any) -> bool:
        serde, topic = self._foreign_key_serde, self._foreign_key_topic
        return encode(serde, topic, old_key) != encode(serde, topic, new_key)

    def _hash(self, value: Any) -> bytes | None:
        raw = encode(self._value_serde, self._value_hash_topic, value)
        return None if raw is None else hash_value(raw)

    def _send(
        self, record: Record, foreign_key: Any, instruction: Instruction, value_hash: bytes | None
    ) -> None:
        task = self._task
        # All partitions that a task reads have one number; a punctuation is at no record.
        partition = task.partition if task.topic is not None else task.task_id.partition
        wrapper = SubscriptionWrapper(value_hash, instruction, record.key, partition)
        self._context.forward(record.with_key(foreign_key).with_value(wrapper))
