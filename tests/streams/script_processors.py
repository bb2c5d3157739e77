"""The words of topologies in scripts that make stores and processors."""

from collections.abc import Callable
from typing import Any

from pylog.streams import serdes
from pylog.streams.record import Record
from pylog.streams.runtime.punctuation import PunctuationType
from pylog.streams.state import stores

TEXT = serdes.string


class Forward:
    """Forwards what it gets."""

    def init(self, context: Any) -> None:
        self.context = context

    def process(self, record: Any) -> None:
        self.context.forward(record)


class Ignore:
    """Of a global store that is only described."""

    def process(self, record: Any) -> None:
        pass


class Remember:
    """Puts each value into its store and forwards it behind what was there: old>new."""

    def __init__(self, store: str):
        self.store_name = store

    def init(self, context: Any) -> None:
        self.context = context
        self.store = context.get_state_store(self.store_name)

    def process(self, record: Any) -> None:
        if record.key is not None:
            self.context.forward(record.with_value(replace(self.store, record.key, record.value)))


class RememberOwn:
    """A supplier of it that brings its store along."""

    def __init__(self, store: str):
        self.store_name = store
        self.stores = [key_value_store(store)]

    def __call__(self) -> Remember:
        return Remember(self.store_name)


class Transform:
    """For transform_values of a table: the same; v~ without a store."""

    def __init__(self, store: str | None):
        self.store_name = store

    def init(self, context: Any) -> None:
        self.store = None if self.store_name is None else context.get_state_store(self.store_name)

    def transform(self, key: Any, value: Any) -> Any:
        if self.store is None:
            return None if value is None else f"{value}~"
        return replace(self.store, key, value)


class Tick:
    """Counts records, and in stream time forwards ("tick", count) every interval."""

    def __init__(self, interval: int):
        self.interval = interval
        self.count = 0

    def init(self, context: Any) -> None:
        def forward(time: int) -> None:
            context.forward(Record("tick", str(self.count), time))

        context.schedule(self.interval, PunctuationType.STREAM_TIME, forward)

    def process(self, record: Any) -> None:
        self.count += 1


def replace(store: Any, key: Any, value: Any) -> str:
    old = store.get(key)
    store.put(key, value)
    return f"{'null' if old is None else old}>{'null' if value is None else value}"


def key_value_store(name: str) -> Any:
    return stores.key_value_store_builder(stores.in_memory_key_value_store(name), TEXT, TEXT)


def timestamped_store(name: str) -> Any:
    return stores.timestamped_key_value_store_builder(
        stores.in_memory_key_value_store(name), TEXT, TEXT
    )


def window_store(name: str, retention: int, size: int) -> Any:
    return stores.window_store_builder(
        stores.in_memory_window_store(name, retention, size, False), TEXT, TEXT
    )


def session_store(name: str, retention: int) -> Any:
    return stores.session_store_builder(stores.in_memory_session_store(name, retention), TEXT, TEXT)


def supplier(kind: type, *arguments: Any) -> Callable[[], Any]:
    return lambda: kind(*arguments)


WORDS: dict[str, Callable[..., Any]] = {
    "keyValueStore": key_value_store,
    "timestampedStore": timestamped_store,
    "timestampedStoreUnlogged": lambda name: timestamped_store(name).with_logging_disabled(),
    "windowStore": window_store,
    "sessionStore": session_store,
    "textSerializer": lambda: TEXT,
    "textDeserializer": lambda: TEXT,
    "forward": lambda: Forward,
    "globalUpdate": lambda: Ignore,
    "remember": lambda store: supplier(Remember, store),
    "rememberValues": lambda store: supplier(Remember, store),
    "rememberOwn": RememberOwn,
    "transformRemembered": lambda store=None: supplier(Transform, store),
    "tick": lambda interval: supplier(Tick, interval),
}
