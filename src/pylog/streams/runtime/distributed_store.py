"""DistributedStore: a store of all instances of an application on this machine, for reading.

A key is asked of the instance that has its partition; a range of all of them. An instance in
another process answers over its socket; one on another machine cannot be asked: a program that
needs that serves its own stores in its own way, and finds the others by query_metadata_for_key.
"""

import socket
from collections.abc import Iterator
from typing import Any

from pylog.streams.errors import InvalidStateStoreError
from pylog.streams.metadata import HostInfo
from pylog.streams.runtime.queries import Queries
from pylog.streams.runtime.query_messages import Decoder, answer, raise_error
from pylog.streams.runtime.query_server import receive, send, socket_path
from pylog.streams.state.session_store import SessionStore

_TIMEOUT_S = 30.0


class DistributedStore:
    """A store wherever it is.

    Every method may raise InvalidStateStoreError: the store has moved, is being restored, or
    nobody has it now; try again.

    Args:
        name: of the store.
        queries: of this instance.
    """

    def __init__(self, name: str, queries: Queries):
        self.name = name
        self._queries = queries
        store, key_serde, value_serde, topic = queries.template(name)
        self._decoder = Decoder(key_serde, value_serde, topic, isinstance(store, SessionStore))

    # ---- one key ----

    def _of_key(self, method: str, key: Any, *more: Any) -> list[dict[str, Any]]:
        found = self._queries.metadata_for_key(self.name, key, None, None)
        if not found.is_available:
            raise InvalidStateStoreError(
                f"nobody has partition {found.partition} of store {self.name!r} now; try again"
            )
        arguments = [self._decoder.encode_key(key), *more]
        return self._ask(found.active_host, method, arguments, found.partition)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key; of a versioned store, its latest version."""
        found = self._of_key("get", key)
        return self._decoder.value(found[0]) if found else default

    def get_as_of(self, key: Any, timestamp_ms: int) -> Any:
        """The version of a key that was valid at a time."""
        found = self._of_key("get_as_of", key, timestamp_ms)
        return self._decoder.value(found[0]) if found else None

    def fetch_at(self, key: Any, time_ms: int) -> Any:
        """The value of the window of a key that starts at a time."""
        found = self._of_key("fetch_at", key, time_ms)
        return self._decoder.value(found[0]) if found else None

    def fetch(self, key: Any, *times: int) -> Iterator[tuple[Any, Any]]:
        """Windows of a key that start between two times; all sessions of a key."""
        return (self._decoder.entry(each) for each in self._of_key("fetch", key, *times))

    def __getitem__(self, key: Any) -> Any:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    # ---- all instances ----

    def _of_all(self, method: str, *arguments: Any) -> Iterator[dict[str, Any]]:
        metadata = self._queries.streams_metadata(self.name)
        if not any(self.name in each.state_store_names for each in metadata):
            raise InvalidStateStoreError(f"nobody has store {self.name!r} now; try again")
        for each in metadata:
            if self.name in each.state_store_names:
                yield from self._ask(each.host_info, method, list(arguments), None)

    def range(self, from_key: Any = None, to_key: Any = None) -> Iterator[tuple[Any, Any]]:
        """Entries from a key to another, both included, one instance after the other."""
        bounds = [None if key is None else self._decoder.encode_key(key)
                  for key in (from_key, to_key)]  # fmt: skip
        return (self._decoder.entry(each) for each in self._of_all("range", *bounds))

    def all(self) -> Iterator[tuple[Any, Any]]:
        """All entries, one instance after the other."""
        return (self._decoder.entry(each) for each in self._of_all("all"))

    def fetch_all(self, time_from: int, time_to: int) -> Iterator[tuple[Any, Any]]:
        """All windows that start in a time."""
        found = self._of_all("fetch_all", time_from, time_to)
        return (self._decoder.entry(each) for each in found)

    def approximate_num_entries(self) -> int:
        """How many entries there are, about."""
        return sum(each["n"] for each in self._of_all("approximate_num_entries"))

    def items(self) -> Iterator[tuple[Any, Any]]:
        """All entries."""
        return self.all()

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self.all())

    def __len__(self) -> int:
        return sum(1 for _ in self._of_all("all"))

    # ---- the other side ----

    def _ask(
        self, host: HostInfo, method: str, arguments: list[Any], partition: int | None
    ) -> list[dict[str, Any]]:
        request = {
            "store": self.name,
            "method": method,
            "arguments": arguments,
            "partition": partition,
        }
        if host.client_id == self._queries.client_id:
            return answer(self._queries, request)
        path = socket_path(host.client_id)
        where = f"instance {host.client_id}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_TIMEOUT_S)
                connection.connect(str(path))
                send(connection, request)
                answered = receive(connection)
        except OSError as error:
            raise InvalidStateStoreError(
                f"{where} on {host.host or 'an unknown host'} does not answer at {path}: {error}; "
                "it has ended, or it is on another machine"
            ) from error
        if answered is None:
            raise InvalidStateStoreError(f"{where} hung up: it is ending; try again")
        raise_error(answered, where)
        entries: list[dict[str, Any]] = answered["entries"]
        return entries

    def __repr__(self) -> str:
        return f"<DistributedStore {self.name!r}>"
