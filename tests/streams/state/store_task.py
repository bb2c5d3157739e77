"""A task with stores for tests: what they log, and the variants that tests run over."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pylog.streams.collector import RecordCollector
from pylog.streams.config import StreamsConfig
from pylog.streams.metrics import TaskMetrics
from pylog.streams.node import TaskContext
from pylog.streams.state.cache import ThreadCache

VARIANTS = ("memory", "disk", "memory-cached", "disk-cached")
UNCACHED = ("memory", "disk")

CHANGELOG = "app-changelog"


class Changelog(RecordCollector):
    """Keeps what stores log, as `restore_batch` takes it."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None, int, Any]] = []

    def send(
        self, topic: str, key: Any, value: Any, headers: Any, timestamp_ms: int, partition: int
    ) -> None:
        assert topic == CHANGELOG
        assert partition == 0
        self.records.append((key, value, timestamp_ms, headers))


class StoreTask:
    """A task that is at record 0 of partition 0 of topic "input", at time 0.

    Args:
        state_dir: where stores on disk go.
        cache_bytes: room of the cache.
    """

    def __init__(self, state_dir: Path, cache_bytes: int = 1_000_000):
        self.changelog = Changelog()
        self.metrics = TaskMetrics()
        config = StreamsConfig({"application.id": "app", "bootstrap.servers": "nowhere:1"})
        self.context = TaskContext(
            "0_0",
            "app",
            config,
            self.metrics,
            state_dir=state_dir,
            collector=self.changelog,
            clock=lambda: 0,
        )
        self.cache = self.context.cache = ThreadCache(cache_bytes)
        self.stores: list[Any] = []
        self.at(0)

    def at(self, timestamp_ms: int, offset: int = 0, headers: Any = None) -> None:
        """The task is at a record of this time."""
        self.context.set_record("input", 0, offset, timestamp_ms, headers)

    def open(self, builder: Any, *, is_logged: bool = True) -> Any:
        """Build a store and open it."""
        store = builder.build()
        store.changelog_topic = CHANGELOG if is_logged else None
        store.changelog_partition = 0
        store.init(self.context)
        self.stores.append(store)
        return store

    def close(self) -> None:
        """Close the stores."""
        for store in self.stores:
            store.close()

    @property
    def expired_count(self) -> int:
        """How many records were dropped as expired."""
        return self.metrics.dropped_records().get("expired", 0)


def opened(state_dir: Path, **settings: Any) -> Iterator[StoreTask]:
    """For fixtures: a task, closed in the end."""
    task = StoreTask(state_dir, **settings)
    yield task
    task.close()


def of_variant(variant: str, memory: Any, disk: Any) -> Any:
    """Choose between what makes a store in memory and what makes it on disk."""
    return memory if variant.startswith("memory") else disk


def with_layers(variant: str, builder: Any) -> Any:
    """A builder whose stores are cached, if the variant says so."""
    return builder.with_caching_enabled() if variant.endswith("cached") else builder
