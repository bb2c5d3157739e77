"""The buffer of `suppress`: the newest change of each key, in the order in which keys came.

    InMemoryTimeOrderedKeyValueChangeBuffer  the store
    SuppressBufferBuilder                    makes it

A key has one place, by buffer time and then by its bytes, which later changes do not move. Of each
key the buffer also has the prior value, the one that those downstream know. The changelog is
written when the store is flushed, one record for each key that has changed since.
"""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Any, NamedTuple, Self

from pylog.streams.durations import MAX_MS
from pylog.streams.node import TaskContext
from pylog.streams.record import Change, Record, ValueAndTimestamp
from pylog.streams.serde import Serde
from pylog.streams.state.suppress_format import (
    CHANGELOG_HEADERS,
    BufferValue,
    Headers,
    RecordContext,
    decode_buffer_value,
    encode_buffer_value,
)


class Eviction(NamedTuple):
    """A change that leaves the buffer."""

    key: Any
    change: Change
    context: RecordContext

    @property
    def record(self) -> Record:
        """The record to forward."""
        return Record(self.key, self.change, self.context.timestamp, self.context.headers)


class InMemoryTimeOrderedKeyValueChangeBuffer:
    """Holds changes back, in memory.

    Args:
        name: of the store.
        key_serde: None for the default of the application.
        value_serde: None for the default of the application.

    Attributes:
        changelog_topic: set by the task; None for no changelog.
        changelog_partition: set by the task.
        memory_bytes: what Kafka Streams reckons for the content.
        min_timestamp: the buffer time of the next key to leave, 2**63 - 1 for none.
    """

    is_persistent = False
    is_global = False

    def __init__(self, name: str, key_serde: Serde | None, value_serde: Serde | None):
        self.name = name
        self.changelog_topic: str | None = None
        self.changelog_partition = -1
        self.is_open = False
        self.memory_bytes = 0
        self.min_timestamp = MAX_MS
        self._key_serde = key_serde
        self._value_serde = value_serde
        self._values: dict[bytes, tuple[int, BufferValue]] = {}
        # Of keys that a restore has removed, entries stay until they come to the top.
        self._order: list[tuple[int, bytes]] = []
        self._dirty_keys: dict[bytes, None] = {}

    def init(self, context: TaskContext) -> None:
        """Get ready for a task: find serdes that were not given."""
        config = context.config
        self._context = context
        self._serde_topic = f"{context.application_id}-{self.name}-changelog"
        self._keys: Serde = config.key_serde_for(self._key_serde)
        where = f"suppress buffer {self.name}"
        self._data: Serde = config.value_serde_for(self._value_serde, where)
        self.is_open = True

    @property
    def flushes_on_commit(self) -> bool:
        """Whether `flush` has a changelog to write to."""
        return self.changelog_topic is not None

    @property
    def position(self) -> dict[str, dict[int, int]]:
        """Nothing: a buffer does not keep track of what it has seen."""
        return {}

    def __len__(self) -> int:
        return len(self._values)

    def approximate_num_entries(self) -> int:
        """How many keys are in it; exactly."""
        return len(self._values)

    def put(self, time: int, record: Record, context: RecordContext) -> None:
        """Hold a change back.

        Args:
            time: the key's place, ms since 1970, if it is not in the buffer yet.
            record: a Change.
            context: where it came from.
        """
        change: Change = record.value
        key = self._encoded_key(record.key)
        old, new = self._encoded_value(change.old_value), self._encoded_value(change.new_value)
        held = self._values.get(key)
        prior = old if held is None else held[1].prior_value
        self._place(time, key, BufferValue(prior, old, new, context))
        self._changed(key)

    def evict_while(self, wanted: Callable[[], bool], emit: Callable[[Eviction], None]) -> None:
        """Let changes go, earliest first.

        Args:
            wanted: asked before each.
            emit: given each while it is still in the buffer.
        """
        while self._values and wanted():
            _, key = self._order[0]
            _, value = self._values[key]
            change = Change(
                self._decoded_value(value.new_value), self._decoded_value(value.old_value)
            )
            emit(Eviction(self._keys.deserialize(self._serde_topic, key), change, value.context))
            self._remove(key)
            self._changed(key)

    def prior_value_for_buffered(self, key: Any) -> tuple[bool, ValueAndTimestamp | None]:
        """What those downstream know of a key.

        Returns:
            Whether the key is in the buffer, and if so, the value before the first change that is
            held back, at time -1 since that is not known.
        """
        held = self._values.get(self._encoded_key(key))
        if held is None:
            return False, None
        prior = self._decoded_value(held[1].prior_value)
        return True, None if prior is None else ValueAndTimestamp(prior, -1)

    def flush(self) -> None:
        """Write to the changelog what has changed since the last time."""
        if self.changelog_topic is None:
            return
        now_ms = self._context.clock()
        for key in self._dirty_keys:
            held = self._values.get(key)
            data = None if held is None else encode_buffer_value(held[1], held[0])
            headers = None if held is None else CHANGELOG_HEADERS
            self._context.collector.send(
                self.changelog_topic, key, data, headers, now_ms, self.changelog_partition
            )
        self._dirty_keys.clear()

    def restore_batch(self, records: list[tuple[bytes, bytes | None, int, Headers | None]]) -> None:
        """Take records of the changelog in.

        Raises:
            SerializationError: one is in no known format.
        """
        for key, data, timestamp, headers in records:
            held = self._values.get(key)
            if data is None:
                if held is not None:
                    self._remove(key)
                continue
            own = RecordContext(
                timestamp, -1, self.changelog_partition, self.changelog_topic, headers or []
            )
            version = next((value for name, value in reversed(own.headers) if name == "v"), None)
            prior = None if held is None else held[1].prior_value
            time, value = decode_buffer_value(version, data, prior, own)
            self._place(time, key, value)

    def close(self) -> None:
        """Let everything go."""
        self.is_open = False
        self._values.clear()
        self._order.clear()
        self._dirty_keys.clear()
        self.memory_bytes = 0
        self.min_timestamp = MAX_MS

    def _place(self, time: int, key: bytes, value: BufferValue) -> None:
        held = self._values.get(key)
        if held is None:
            heappush(self._order, (time, key))
            self.min_timestamp = min(self.min_timestamp, time)
        else:
            time = held[0]
            self.memory_bytes -= _size(key, held[1])
        self._values[key] = (time, value)
        self.memory_bytes += _size(key, value)

    def _remove(self, key: bytes) -> None:
        _, value = self._values.pop(key)
        self.memory_bytes -= _size(key, value)
        order = self._order
        while order:
            time, first = order[0]
            held = self._values.get(first)
            if held is not None and held[0] == time:
                self.min_timestamp = time
                return
            heappop(order)
        self.min_timestamp = MAX_MS

    def _changed(self, key: bytes) -> None:
        if self.changelog_topic is not None:
            self._dirty_keys[key] = None

    def _encoded_key(self, key: Any) -> bytes:
        return self._keys.serialize(self._serde_topic, key)  # type: ignore[return-value]

    def _encoded_value(self, value: Any) -> bytes | None:
        return None if value is None else self._data.serialize(self._serde_topic, value)

    def _decoded_value(self, data: bytes | None) -> Any:
        return None if data is None else self._data.deserialize(self._serde_topic, data)


def _size(key: bytes, value: BufferValue) -> int:
    return 8 + len(key) + value.memory_bytes


class SuppressBufferBuilder:
    """A StoreBuilder of suppress buffers.

    Args:
        name: of the store.
        key_serde: None for the default.
        value_serde: None for the default.

    Attributes:
        logging_enabled: whether there is a changelog.
        log_config: topic configurations of the changelog.
    """

    changelog_kind = "compact"
    caching_enabled = False
    retention_ms: int | None = None
    history_retention_ms: int | None = None

    def __init__(self, name: str, key_serde: Serde | None, value_serde: Serde | None):
        self.name = name
        self.key_serde = key_serde
        self.value_serde = value_serde
        self.logging_enabled = True
        self.log_config: dict[str, str] = {}

    def with_caching_enabled(self) -> Self:
        """Nothing: a buffer is a cache already."""
        return self

    def with_caching_disabled(self) -> Self:
        """Nothing."""
        return self

    def with_logging_enabled(self, log_config: Mapping[str, str] | None = None) -> Self:
        """With a changelog topic."""
        self.logging_enabled = True
        self.log_config = dict(log_config or {})
        return self

    def with_logging_disabled(self) -> Self:
        """Without: what is held back is lost with the process."""
        self.logging_enabled = False
        self.log_config = {}
        return self

    def build(self) -> InMemoryTimeOrderedKeyValueChangeBuffer:
        """Make the buffer of one task."""
        return InMemoryTimeOrderedKeyValueChangeBuffer(self.name, self.key_serde, self.value_serde)
