"""StoreAccess: what of Streams is about reading stores, and about where they are."""

from typing import Any

from pylog.streams.errors import InvalidStateStoreError
from pylog.streams.metadata import KeyQueryMetadata, LagInfo, StreamsMetadata, ThreadMetadata
from pylog.streams.partitioners import StreamPartitioner
from pylog.streams.query import StateQueryRequest, StateQueryResult
from pylog.streams.runtime.distributed_store import DistributedStore
from pylog.streams.runtime.queries import Queries
from pylog.streams.runtime.thread_state import State
from pylog.streams.serde import Serde


class StoreAccess:
    """Base of Streams."""

    _queries: Queries | None = None

    @property
    def state(self) -> State:
        """What the instance is at; given by Streams."""
        raise NotImplementedError

    @property
    def _asked(self) -> Queries:
        if self._queries is None or not self.state.is_running_or_rebalancing:
            raise InvalidStateStoreError(
                f"stores can be read while the instance runs; its state is {self.state.name}"
            )
        return self._queries

    def store(self, name: str, *, partition: int | None = None, allows_stale: bool = False) -> Any:
        """A store for reading: what this instance has of it.

        A key-value store reads like a dict and has Kafka Streams' range, all and so on; window,
        session and versioned stores have their fetches. Values come without their timestamps.

        Args:
            name: of the store.
            partition: this one alone.
            allows_stale: stores that are restored, and standbys, count too.

        Raises:
            InvalidStateStoreError: there is no such store, or not here, or it is restored. What
                the view answers later may raise it too, when the store has moved.
        """
        return self._asked.view(
            name, partition=partition, allows_stale=allows_stale, keeps_timestamps=False
        )

    def timestamped_store(
        self, name: str, *, partition: int | None = None, allows_stale: bool = False
    ) -> Any:
        """The same as `store`, with ValueAndTimestamp where the store has them.

        Raises:
            InvalidStateStoreError: see store.
        """
        return self._asked.view(
            name, partition=partition, allows_stale=allows_stale, keeps_timestamps=True
        )

    def distributed_store(self, name: str) -> DistributedStore:
        """A store of all instances on this machine, for reading; see DistributedStore.

        Raises:
            InvalidStateStoreError: there is no such store.
        """
        return DistributedStore(name, self._asked)

    def query(self, request: StateQueryRequest) -> StateQueryResult:
        """Ask the partitions of a store that are here; see pylog.streams.query.

        Raises:
            InvalidStateStoreError: there is no such store.
        """
        return self._asked.query(request)

    def query_metadata_for_key(
        self,
        store_name: str,
        key: Any,
        *,
        key_serde: Serde | None = None,
        partitioner: StreamPartitioner | None = None,
    ) -> KeyQueryMetadata:
        """Which instance has a key.

        Args:
            store_name: of the store.
            key: as the program has it.
            key_serde: of the key, the store's own by default.
            partitioner: what put the key into its partition, when its bytes did not.

        Raises:
            InvalidStateStoreError: there is no such store.
        """
        return self._asked.metadata_for_key(store_name, key, key_serde, partitioner)

    def streams_metadata_for_store(self, store_name: str) -> list[StreamsMetadata]:
        """The instances that have a store, or a copy of it."""
        return self._asked.streams_metadata(store_name)

    def metadata_for_all_streams_clients(self) -> list[StreamsMetadata]:
        """All instances of the application."""
        return self._asked.streams_metadata()

    def metadata_for_local_threads(self) -> list[ThreadMetadata]:
        """The threads of this instance, and their tasks."""
        return self._asked.local_threads()

    def all_local_store_partition_lags(self) -> dict[str, dict[int, LagInfo]]:
        """How far the stores of this instance are behind their changelogs."""
        return self._asked.lags()
