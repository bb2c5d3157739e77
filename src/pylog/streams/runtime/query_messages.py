"""Keys, windows and values of queries between processes, as bytes.

An entry is {k, v, s, e, t, u}: key and value in bytes, start and end of a window, the value's
timestamp, until when a version was valid; what does not apply is left out.
"""

from typing import Any

from pylog.streams.errors import InvalidStateStoreError, StreamsError
from pylog.streams.record import ValueAndTimestamp
from pylog.streams.runtime.queries import Queries
from pylog.streams.state.key_value_store import KeyValueStore
from pylog.streams.state.session_store import SessionStore
from pylog.streams.state.versioned_store import VersionedKeyValueStore, VersionedRecord
from pylog.streams.state.window_store import WindowStore
from pylog.streams.window import SessionWindow, Window, Windowed

Entry = dict[str, Any]

# What may be asked, of which kinds of stores, and how many of the first arguments are keys.
METHODS: dict[str, tuple[type, int]] = {
    "get": (object, 1),
    "range": (KeyValueStore, 2),
    "reverse_range": (KeyValueStore, 2),
    "all": (object, 0),
    "fetch_at": (WindowStore, 1),
    "fetch": (object, 1),
    "fetch_range": (WindowStore, 2),
    "fetch_all": (WindowStore, 0),
    "fetch_session": (SessionStore, 1),
    "find_sessions": (SessionStore, 1),
    "get_as_of": (VersionedKeyValueStore, 1),
    "get_range": (VersionedKeyValueStore, 1),
    "approximate_num_entries": (KeyValueStore, 0),
}


def answer(queries: Queries, request: dict[str, Any]) -> list[Entry]:
    """What the stores of this instance have.

    Raises:
        InvalidStateStoreError: the store is not here.
        StreamsError: the request makes no sense.
    """
    name, method = request["store"], request["method"]
    entries: list[Entry] = []
    for store in queries.find(name, partition=request.get("partition")):
        entries += _ask(store, method, request["arguments"])
    return entries


def _ask(store: Any, method: str, given: list[Any]) -> list[Entry]:
    kind, key_count = METHODS.get(method, (type(None), 0))
    if not isinstance(store, kind):
        raise InvalidStateStoreError(f"{type(store).__name__} {store.name!r} has no {method}")
    known: Any = store
    serde, topic = known.key_serde, known.serde_topic
    keys = [None if each is None else serde.deserialize(topic, each) for each in given[:key_count]]
    found = getattr(store, method)(*keys, *given[key_count:])
    if method == "approximate_num_entries":
        return [{"n": found}]
    if found is None:
        return []
    if method in ("get", "fetch_at", "fetch_session", "get_as_of"):
        return [_value(store, found)]
    if method == "get_range":
        return [_value(store, each) for each in found]
    return [{**_key(store, key), **_value(store, value)} for key, value in found]


def _key(store: Any, key: Any) -> Entry:
    if isinstance(key, Windowed):
        raw = store.key_serde.serialize(store.serde_topic, key.key)
        return {"k": raw, "s": key.window.start_ms, "e": key.window.end_ms}
    if isinstance(store, WindowStore):
        return {"s": key}
    return {"k": store.key_serde.serialize(store.serde_topic, key)}


def _value(store: Any, value: Any) -> Entry:
    entry: Entry = {}
    if isinstance(value, ValueAndTimestamp):
        entry["t"] = value.timestamp
        value = value.value
    elif isinstance(value, VersionedRecord):
        entry["t"], entry["u"] = value.timestamp, value.valid_to
        value = value.value
    entry["v"] = store.value_serde.serialize(store.serde_topic, value)
    return entry


class Decoder:
    """Turns entries back into what the store would have given.

    Args:
        store: one of the same kind, with its serdes; it need not be open.
    """

    def __init__(self, key_serde: Any, value_serde: Any, topic: str, is_session: bool):
        self._key_serde = key_serde
        self._value_serde = value_serde
        self._topic = topic
        self._is_session = is_session

    def encode_key(self, key: Any) -> bytes | None:
        """A key, for a request."""
        raw: bytes | None = self._key_serde.serialize(self._topic, key)
        return raw

    def value(self, entry: Entry) -> Any:
        """The value of an entry; a version as a VersionedRecord."""
        value = self._value_serde.deserialize(self._topic, entry["v"])
        return VersionedRecord(value, entry["t"], entry["u"]) if "u" in entry else value

    def entry(self, entry: Entry) -> tuple[Any, Any]:
        """Key and value; a Windowed key, or the start of a window of a key that was asked for."""
        if "k" not in entry:
            return entry["s"], self.value(entry)
        key = self._key_serde.deserialize(self._topic, entry["k"])
        if "s" in entry:
            kind = SessionWindow if self._is_session else Window
            key = Windowed(key, kind(entry["s"], entry["e"]))
        return key, self.value(entry)


def raise_error(answered: dict[str, Any], where: str) -> None:
    """Raise what an instance answered instead of entries.

    Raises:
        InvalidStateStoreError: the store is not there.
        StreamsError: something else.
    """
    if "error" in answered:
        if answered["error"] == "store":
            raise InvalidStateStoreError(f"{where}: {answered['text']}")
        raise StreamsError(f"{where}: {answered['error']}: {answered['text']}")
