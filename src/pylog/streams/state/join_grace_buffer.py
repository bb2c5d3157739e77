"""JoinGraceBuffer, the stream records that a join with a versioned table holds back.

    key      0, timestamp(8), key, sequence(4)
    value    context, prior value, old value, new value, time: as in a suppress buffer, see
             suppress_format; prior and old are none, the time is 0

A record leaves when the buffer has seen a later one by more than the grace period, the earliest
first, and of one time by the key's bytes. Its changelog has a record for each that is in the
buffer, and a tombstone for each that has left.

Source: Kafka Streams' RocksDBTimeOrderedKeyValueBuffer, TimeFirstWindowKeySchema, KIP-923.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from struct import Struct
from typing import TYPE_CHECKING, Any

from pylog.streams.node import TaskContext
from pylog.streams.record import Record
from pylog.streams.serde import Serde, decode, encode
from pylog.streams.state.suppress_format import (
    BufferValue,
    RecordContext,
    decode_buffer_value,
    encode_buffer_value,
)

if TYPE_CHECKING:
    from pylog.streams.record import Headers

_KEY_HEAD = Struct(">bq")
_SEQUENCE = Struct(">i")
_MOST_SEQUENCE = 0x7FFFFFFF
#: The format of values, which the changelog's headers do not say.
_VERSION = b"\x03"

Emit = Callable[[Record, str | None, int, int], None]


class JoinGraceBuffer:
    """Holds records back, in memory.

    Args:
        name: of the store.
        grace_ms: how long, in stream time.
        key_serde: None for the default of the application.
        value_serde: None for the default of the application.

    Attributes:
        changelog_topic: set by the task; None for no changelog.
        changelog_partition: set by the task.
        observed_stream_time: the latest time of a record that was put, -1 before the first.
        memory_bytes: what Kafka Streams reckons for the content.
    """

    is_persistent = False
    is_global = False
    committed_offset = None
    flushes_on_commit = False

    def __init__(
        self, name: str, grace_ms: int, key_serde: Serde | None, value_serde: Serde | None
    ):
        self.name = name
        self.grace_ms = grace_ms
        self.changelog_topic: str | None = None
        self.changelog_partition = -1
        self.is_open = False
        self.observed_stream_time = -1
        self.memory_bytes = 0
        self._key_serde = key_serde
        self._value_serde = value_serde
        self._sequence = 0
        self._held: dict[bytes, BufferValue] = {}
        # Of keys that a restore has removed, entries stay until they come to the top.
        self._order: list[bytes] = []

    def init(self, context: TaskContext) -> None:
        """Get ready for a task: find serdes that were not given."""
        self._context = context
        self._serde_topic = f"{context.application_id}-{self.name}-changelog"
        self._keys: Serde = context.config.key_serde_for(self._key_serde)
        where = f"join buffer {self.name!r}"
        self._values: Serde = context.config.value_serde_for(self._value_serde, where)
        self.is_open = True

    @property
    def position(self) -> dict[str, dict[int, int]]:
        """Nothing: a buffer does not keep track of what it has seen."""
        return {}

    def __len__(self) -> int:
        return len(self._held)

    def approximate_num_entries(self) -> int:
        """How many records are in it; exactly."""
        return len(self._held)

    def put(self, record: Record) -> bool:
        """Hold a record back; the task is at it.

        Args:
            record: with a key and a value.

        Returns:
            Whether it was: not if it is older than the grace period allows.
        """
        timestamp = record.timestamp
        if timestamp < self.observed_stream_time - self.grace_ms:
            return False
        raw_key = encode(self._keys, self._serde_topic, record.key) or b""
        self._sequence = (self._sequence + 1) & _MOST_SEQUENCE
        head, tail = _KEY_HEAD.pack(0, timestamp), _SEQUENCE.pack(self._sequence)
        key = b"".join((head, raw_key, tail))
        context = self._context
        origin = RecordContext(
            timestamp, context.offset, context.partition, context.topic, list(record.headers)
        )
        raw_value = encode(self._values, self._serde_topic, record.value)
        value = BufferValue(None, None, raw_value, origin)
        self._place(key, value)
        if self.changelog_topic is not None:
            self._log(key, encode_buffer_value(value, 0))
        return True

    def evict(self, emit: Emit) -> None:
        """Let those go whose grace period has passed.

        Args:
            emit: given each, with the topic, partition and offset that it came from.
        """
        latest = self.observed_stream_time - self.grace_ms
        if latest < 0:
            return
        end = _KEY_HEAD.pack(0, latest + 1)
        order, held = self._order, self._held
        while order and order[0] < end:
            key = heappop(order)
            value = held.get(key)
            if value is None:
                continue
            origin = value.context
            record = Record(
                decode(self._keys, self._serde_topic, key[_KEY_HEAD.size : -_SEQUENCE.size]),
                decode(self._values, self._serde_topic, value.new_value),
                origin.timestamp,
                origin.headers,
            )
            emit(record, origin.topic, origin.partition, origin.offset)
            self._remove(key)
            if self.changelog_topic is not None:
                self._log(key, None)

    def flush(self) -> None:
        """Nothing is held back from the changelog."""

    def commit(self, offset: int | None) -> None:
        """Nothing is on disk."""

    def restore_batch(
        self, records: "list[tuple[bytes, bytes | None, int, Headers | None]]"
    ) -> None:
        """Take records of the changelog in.

        Raises:
            SerializationError: one does not read.
        """
        own = RecordContext(-1, -1, self.changelog_partition, self.changelog_topic, [])
        for key, data, _, _ in records:
            if data is not None:
                _, value = decode_buffer_value(_VERSION, data, None, own)
                if key in self._held:
                    self._remove(key)
                self._place(key, value)
                (self._sequence,) = _SEQUENCE.unpack(key[-_SEQUENCE.size :])
                continue
            _, timestamp = _KEY_HEAD.unpack_from(key)
            self.observed_stream_time = max(self.observed_stream_time, timestamp)
            if key in self._held:
                self._remove(key)

    def set_flush_listener(self, listener: Any, send_old_values: bool) -> bool:
        """There is no cache."""
        return False

    def close(self) -> None:
        """Let everything go."""
        self.is_open = False
        self._held.clear()
        self._order.clear()
        self.memory_bytes = 0

    def _place(self, key: bytes, value: BufferValue) -> None:
        self._held[key] = value
        heappush(self._order, key)
        self.observed_stream_time = max(self.observed_stream_time, value.context.timestamp)
        self.memory_bytes += len(key) + value.memory_bytes

    def _remove(self, key: bytes) -> None:
        self.memory_bytes -= len(key) + self._held.pop(key).memory_bytes

    def _log(self, key: bytes, data: bytes | None) -> None:
        context = self._context
        context.collector.send(
            self.changelog_topic, key, data, None, context.clock(), self.changelog_partition
        )


class JoinGraceBufferBuilder:
    """Makes the buffers of a join.

    Args:
        name: of the store.
        grace_ms: how long records are held back, in stream time.
        key_serde: None for the default of the application.
        value_serde: of the stream's values; None for the default of the application.
    """

    caching_enabled = False
    changelog_kind = "compact"
    retention_ms = None
    history_retention_ms = None
    is_persistent = False

    def __init__(
        self, name: str, grace_ms: int, key_serde: Serde | None, value_serde: Serde | None
    ):
        self.name = name
        self.logging_enabled = True
        self.log_config: dict[str, str] = {}
        self._grace_ms = grace_ms
        self._key_serde = key_serde
        self._value_serde = value_serde

    def with_caching_enabled(self) -> "JoinGraceBufferBuilder":
        """Change nothing: it is never cached."""
        return self

    def with_caching_disabled(self) -> "JoinGraceBufferBuilder":
        """Change nothing: it is never cached."""
        return self

    def with_logging_enabled(
        self, config: dict[str, str] | None = None
    ) -> "JoinGraceBufferBuilder":
        """Keep a changelog, with these configs of its topic."""
        self.logging_enabled = True
        self.log_config = dict(config or {})
        return self

    def with_logging_disabled(self) -> "JoinGraceBufferBuilder":
        """Keep no changelog: what is held back is lost with the task."""
        self.logging_enabled = False
        self.log_config = {}
        return self

    def build(self) -> JoinGraceBuffer:
        """Make a buffer."""
        return JoinGraceBuffer(self.name, self._grace_ms, self._key_serde, self._value_serde)


def join_grace_buffer_builder(
    name: str, grace_ms: int, key_serde: Serde | None, value_serde: Serde | None
) -> JoinGraceBufferBuilder:
    """Return what makes the buffers of a join."""
    return JoinGraceBufferBuilder(name, grace_ms, key_serde, value_serde)
