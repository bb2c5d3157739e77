"""InputTopic and OutputTopic, the topics of a TopologyTestDriver."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pylog.streams import durations
from pylog.streams.driven_task import DrivenTask
from pylog.streams.errors import StreamsError
from pylog.streams.record import Record

if TYPE_CHECKING:
    from pylog.streams.record import Headers


class InputTopic:
    """A topic to pipe records into; made by TopologyTestDriver.create_input_topic.

    It has a time of its own, which records take that bring none; then it advances.
    """

    def __init__(
        self,
        driven: DrivenTask,
        topic: str,
        key_serde: Any,
        value_serde: Any,
        start_timestamp_ms: int,
        auto_advance_ms: int,
    ):
        self._driven = driven
        self._topic = driven.topic(topic)
        self._key_serde = key_serde
        self._value_serde = value_serde
        self._auto_advance_ms = auto_advance_ms
        self.timestamp_ms = start_timestamp_ms

    def advance_time(self, advance: durations.Duration) -> None:
        """Let the topic's time go on.

        Args:
            advance: how much.
        """
        self.timestamp_ms += durations.to_ms(advance)

    def pipe_input(
        self,
        key: Any = None,
        value: Any = None,
        timestamp_ms: int | None = None,
        headers: "Headers | None" = None,
    ) -> None:
        """Put a record in, and process it to its end.

        Args:
            key: None for none.
            value: None for none.
            timestamp_ms: ms since 1970; None takes the topic's time, which then advances.
            headers: pairs of name and bytes or None.

        Raises:
            StreamsError: no source reads the topic, or processing failed.
        """
        if timestamp_ms is None:
            timestamp_ms = self.timestamp_ms
            self.timestamp_ms += self._auto_advance_ms
        name = self._topic.name
        self._driven.pipe(
            self._topic,
            self._key_serde.serialize(name, key) if key is not None else None,
            self._value_serde.serialize(name, value) if value is not None else None,
            timestamp_ms,
            headers,
        )

    def pipe_record(self, record: Record) -> None:
        """Put a record in, with its own timestamp and headers."""
        self.pipe_input(record.key, record.value, record.timestamp, list(record.headers) or None)

    def pipe_record_list(
        self,
        records: Iterable[Record],
        start_timestamp_ms: int | None = None,
        advance: durations.Duration = 0,
    ) -> None:
        """Put records in.

        Args:
            records: in this order.
            start_timestamp_ms: of the first; None leaves each its own timestamp.
            advance: how much later each next one is, where a start is given.
        """
        for record in records:
            if start_timestamp_ms is None:
                self.pipe_record(record)
            else:
                self.pipe_record(record.with_timestamp(start_timestamp_ms))
                start_timestamp_ms += durations.to_ms(advance)

    def pipe_key_value_list(
        self,
        pairs: Iterable[tuple[Any, Any]],
        start_timestamp_ms: int | None = None,
        advance: durations.Duration = 0,
    ) -> None:
        """Put many records in, quickly.

        Args:
            pairs: of key and value.
            start_timestamp_ms: of the first; None takes the topic's time, which then advances.
            advance: how much later each next one is, where a start is given.
        """
        if start_timestamp_ms is None:
            self.timestamp_ms = self._driven.pipe_pairs(
                self._topic, self._key_serde, self._value_serde, pairs,
                self.timestamp_ms, self._auto_advance_ms,
            )  # fmt: skip
        else:
            self._driven.pipe_pairs(
                self._topic, self._key_serde, self._value_serde, pairs,
                start_timestamp_ms, durations.to_ms(advance),
            )  # fmt: skip

    def pipe_value_list(
        self,
        values: Iterable[Any],
        start_timestamp_ms: int | None = None,
        advance: durations.Duration = 0,
    ) -> None:
        """Put many records without keys in; see pipe_key_value_list."""
        pairs = ((None, value) for value in values)
        self.pipe_key_value_list(pairs, start_timestamp_ms, advance)


class OutputTopic:
    """A topic to read records from, each once; made by TopologyTestDriver.create_output_topic.

    What reads one record raises EmptyTopicError when there is none.
    """

    def __init__(self, driven: DrivenTask, topic: str, key_serde: Any, value_serde: Any):
        self._topic = driven.topic(topic)
        self._key_serde = key_serde
        self._value_serde = value_serde

    def read_record(self) -> Record:
        """Return the next record."""
        return self._topic.read_record(self._key_serde, self._value_serde)

    def read_key_value(self) -> tuple[Any, Any]:
        """Return key and value of the next record."""
        record = self.read_record()
        return record.key, record.value

    def read_value(self) -> Any:
        """Return the value of the next record."""
        return self.read_record().value

    def read_records_to_list(self) -> list[Record]:
        """Return all records that are left."""
        return self._topic.read_records(self._key_serde, self._value_serde)

    def read_key_values_to_list(self) -> list[tuple[Any, Any]]:
        """Return keys and values of all records that are left."""
        return self._topic.read_pairs(self._key_serde, self._value_serde)

    def read_values_to_list(self) -> list[Any]:
        """Return the values of all records that are left."""
        return [value for _, value in self.read_key_values_to_list()]

    def read_key_values_to_map(self) -> dict[Any, Any]:
        """Return the last value of each key, of all records that are left.

        Raises:
            StreamsError: one has no key.
        """
        pairs = self.read_key_values_to_list()
        if any(key is None for key, _ in pairs):
            raise StreamsError(f"topic {self._topic.name!r}: a record without a key has no place")
        return dict(pairs)

    def get_queue_size(self) -> int:
        """Return how many records are left."""
        return len(self._topic)

    def is_empty(self) -> bool:
        """Return whether no record is left."""
        return len(self._topic) == 0
