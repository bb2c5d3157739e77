"""One node with its stores, and what it forwards: for tests of processors without a topology."""

from typing import Any

from pylog.streams.collector import RecordCollector
from pylog.streams.config import StreamsConfig
from pylog.streams.metrics import TaskMetrics
from pylog.streams.node import Node, ProcessorNode, TaskContext
from pylog.streams.record import Record
from pylog.streams.state.cache import ThreadCache


class Collected(RecordCollector):
    """Keeps what stores write to changelogs."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def send(self, topic, key, value, headers, timestamp_ms, partition):  # type: ignore[no-untyped-def]
        self.sent.append((topic, key, value, headers, timestamp_ms, partition))


class Captured:
    """A processor that keeps the records that it is given, and where the task was at each."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.metadata: list[Any] = []

    def init(self, context: Any) -> None:
        self.context = context

    def process(self, record: Record) -> None:
        self.records.append(record)
        self.metadata.append(self.context.record_metadata)


def a_task(settings: dict[str, Any] | None = None) -> TaskContext:
    """A task of application "app" whose clock stands at 0 and whose collector is Collected."""
    config = StreamsConfig({"application.id": "app", "log.dir": "unused", **(settings or {})})
    return TaskContext("0_0", "app", config, TaskMetrics(), collector=Collected(), clock=lambda: 0)


class Harness:
    """Runs what a supplier makes.

    Args:
        supplier: of a node or a processor.
        builders: of the stores that it uses.
        settings: of the application.
        logged: whether the stores have changelogs.
        cache_bytes: of the cache that stores with caching enabled share; None for none.
    """

    def __init__(
        self,
        supplier: Any,
        *builders: Any,
        settings: dict[str, Any] | None = None,
        logged: bool = True,
        cache_bytes: int | None = None,
    ):
        self.now_ms = 0
        self.task = a_task(settings)
        self.task.clock = lambda: self.now_ms
        if cache_bytes is not None:
            self.task.cache = ThreadCache(cache_bytes)
        for builder in builders:
            store = builder.build()
            store.changelog_topic = f"app-{builder.name}-changelog" if logged else None
            store.changelog_partition = 0
            store.init(self.task)
            self.task.stores[builder.name] = store
        self._store_names = [builder.name for builder in builders]
        self._offset = 0
        self.start(supplier)

    def start(self, supplier: Any) -> None:
        """Put a new node in place, as a restart does; the stores are kept."""
        self.output = Captured()
        made = supplier()
        self.node = made if isinstance(made, Node) else ProcessorNode(made)
        self.node.attach("node", self.task, self._store_names)
        end = ProcessorNode(self.output)
        end.attach("end", self.task)
        self.node.add_child(end)
        end.open()
        self.node.open()

    def pipe(self, key: Any, value: Any, timestamp: int, headers: Any = None) -> list[Record]:
        """Process a record; what was forwarded for it."""
        before = len(self.output.records)
        record = Record(key, value, timestamp, headers)
        self.task.set_record("topic", 0, self._offset, timestamp, headers)
        self._offset += 1
        self.node.accept(record)
        return self.output.records[before:]

    def pipe_all(self, *inputs: tuple[Any, Any, int]) -> list[Record]:
        """Process records of (key, value, timestamp); what was forwarded for them."""
        return [record for one in inputs for record in self.pipe(*one)]

    def store(self, name: str) -> Any:
        """One of the stores."""
        return self.task.stores[name]

    def flush(self) -> list[Record]:
        """Flush the stores, as a commit does; what was forwarded by it."""
        before = len(self.output.records)
        for store in self.task.stores.values():
            store.flush()
        return self.output.records[before:]

    @property
    def drops(self) -> dict[str, int]:
        """How many records were dropped, by reason."""
        return self.task.metrics.dropped_records()

    @property
    def changelog(self) -> list[tuple[Any, ...]]:
        """What the stores have written: (topic, key, value, headers, timestamp, partition)."""
        return self.task.collector.sent  # type: ignore[no-any-return]


def plain(records: list[Record]) -> list[tuple[str, Any, int]]:
    """(key as text, new value, timestamp) of each Change."""
    return [(str(record.key), record.value.new_value, record.timestamp) for record in records]


def with_old(records: list[Record]) -> list[tuple[str, Any, Any, int]]:
    """(key as text, new value, old value, timestamp) of each Change."""
    return [
        (str(record.key), record.value.new_value, record.value.old_value, record.timestamp)
        for record in records
    ]


def add(key: Any, value: Any, aggregate: str) -> str:
    """An aggregator that shows what it was given: "0+1+2"."""
    return f"{aggregate}+{value}"


EMIT_AT_ONCE = {"__emit.interval.ms.kstreams.windowed.aggregation__": 0}
