"""Queries: finds the stores of an instance, and the instances of a store.

Source: Kafka QueryableStoreProvider, StreamsMetadataState, KafkaStreams.query.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pylog.streams.errors import InvalidStateStoreError, StreamsError
from pylog.streams.metadata import (
    NOT_AVAILABLE_PARTITION,
    UNAVAILABLE,
    KeyQueryMetadata,
    LagInfo,
    StreamsMetadata,
    TaskMetadata,
    ThreadMetadata,
)
from pylog.streams.partitioners import default_partition
from pylog.streams.query import FailureReason, QueryResult, StateQueryRequest, StateQueryResult
from pylog.streams.runtime.group_view import GroupView
from pylog.streams.runtime.instance import Instance
from pylog.streams.runtime.live_task import LiveTask
from pylog.streams.runtime.log_offsets import log_ends
from pylog.streams.runtime.query_execution import execute
from pylog.streams.runtime.store_views import view_of
from pylog.streams.runtime.stream_thread import StreamThread
from pylog.streams.runtime.task_id import TaskId


class Queries:
    """What programs ask of an instance.

    Args:
        instance: what threads share.
        threads: () -> the stream threads as they are now.
        group: who has which task.
    """

    def __init__(
        self, instance: Instance, threads: Callable[[], list[StreamThread]], group: GroupView
    ):
        self._instance = instance
        self._threads = threads
        self._group = group

    # ---- stores of this instance ----

    def _tasks(self, *, with_standbys: bool) -> list[LiveTask]:
        found = []
        for thread in self._threads():
            tasks = thread.tasks
            if tasks is not None:
                found += list(tasks.active.values())
                if with_standbys:
                    found += list(tasks.standby.values())
        return sorted(found, key=lambda task: task.id)

    def _subtopology_of(self, store_name: str) -> int:
        """The number of the subtopology that a store is in.

        Raises:
            InvalidStateStoreError: the topology has no such store.
        """
        topology = self._instance.topology
        for part in topology.subtopologies(
            self._instance.application_id, self._instance.existing_topics
        ):
            if store_name in part.store_names:
                return part.id
        known = sorted([*topology.stores, *topology.global_stores])
        raise InvalidStateStoreError(
            f"the topology has no store {store_name!r}; its stores are {', '.join(known) or 'none'}"
        )

    def find(
        self, store_name: str, *, partition: int | None = None, allows_stale: bool = False
    ) -> list[Any]:
        """The open stores of this name in this instance.

        Raises:
            InvalidStateStoreError: there is none, it is being restored, or it is elsewhere.
        """
        if store_name in self._instance.global_stores:
            return [self._instance.global_stores[store_name]]
        number = self._subtopology_of(store_name)
        found, restoring = [], []
        for task in self._tasks(with_standbys=allows_stale):
            if task.id.subtopology != number or task.id.partition != (
                task.id.partition if partition is None else partition
            ):
                continue
            store = task.task.context.stores.get(store_name)
            if store is None or not store.is_open:
                continue
            if task.is_running or allows_stale:
                found.append(store)
            else:
                restoring.append(str(task.id))
        if restoring and not found:
            raise InvalidStateStoreError(
                f"store {store_name!r} is being restored, in tasks {', '.join(restoring)}; try "
                "again, or allow stale stores"
            )
        if not found:
            where = "" if partition is None else f" partition {partition} of"
            raise InvalidStateStoreError(
                f"this instance has{where} store {store_name!r} not, or not any more: its tasks "
                "may have moved; query_metadata_for_key says where a key is"
            )
        return found

    def view(
        self,
        store_name: str,
        *,
        partition: int | None,
        allows_stale: bool,
        keeps_timestamps: bool,
    ) -> Any:
        """A store for reading.

        Raises:
            InvalidStateStoreError: see find.
        """

        def find() -> list[Any]:
            return self.find(store_name, partition=partition, allows_stale=allows_stale)

        return view_of(find()[0], find, keeps_timestamps=keeps_timestamps)

    def template(self, store_name: str) -> tuple[Any, Any, Any, str]:
        """A store of this name that is not open, its serdes, and the topic that they are told.

        Raises:
            InvalidStateStoreError: the topology has no such store.
        """
        topology, config = self._instance.topology, self._instance.config
        if store_name not in topology.global_stores:
            self._subtopology_of(store_name)
        builder = topology.stores.get(store_name) or topology.global_stores[store_name]
        store = builder.build()
        changelog = topology.changelog_topic(store_name, self._instance.application_id)
        return (
            store,
            config.key_serde_for(store.key_serde),
            config.value_serde_for(store.value_serde, f"store {store_name!r}"),
            changelog or f"{self._instance.application_id}-{store_name}-changelog",
        )

    @property
    def client_id(self) -> str:
        """Of this instance."""
        return self._instance.client_id

    # ---- version 2 ----

    def query(self, request: StateQueryRequest) -> StateQueryResult:
        """Ask the partitions of a store that are here.

        Raises:
            InvalidStateStoreError: the topology has no such store.
        """
        name = request.store_name
        if name in self._instance.global_stores:
            store = self._instance.global_stores[name]
            return StateQueryResult(
                global_result=execute(store, request.query, request.position_bound)
            )
        number = self._subtopology_of(name)
        count = self._instance.layout.task_counts.get(number, 0)
        here = {task.id.partition: task for task in self._tasks(with_standbys=True)
                if task.id.subtopology == number}  # fmt: skip
        wanted = sorted(here) if request.partitions is None else sorted(request.partitions)
        return StateQueryResult(
            {each: self._ask(here.get(each), each, count, request) for each in wanted}
        )

    def _ask(
        self, task: LiveTask | None, partition: int, count: int, request: StateQueryRequest
    ) -> QueryResult:
        name = request.store_name
        if partition >= count:
            text = f"store {name!r} has partitions 0 to {count - 1}, not {partition}"
            return QueryResult(failure_reason=FailureReason.DOES_NOT_EXIST, failure_message=text)
        store = None if task is None else task.task.context.stores.get(name)
        if task is None or store is None or not store.is_open:
            text = f"partition {partition} of store {name!r} is not in this instance"
            return QueryResult(failure_reason=FailureReason.NOT_PRESENT, failure_message=text)
        if request.require_active and not task.is_running:
            text = f"partition {partition} of store {name!r} is a standby here, or is restored"
            return QueryResult(failure_reason=FailureReason.NOT_ACTIVE, failure_message=text)
        reads: dict[str, set[int]] = {}
        for topic, number in task.partitions:
            reads.setdefault(topic, set()).add(number)
        bound = request.position_bound.within(reads)
        return execute(store, request.query, bound, task.first_offsets)

    # ---- where ----

    def metadata_for_key(
        self, store_name: str, key: Any, key_serde: Any, partitioner: Any
    ) -> KeyQueryMetadata:
        """Where a key is; see Streams.query_metadata_for_key."""
        self._group.look()
        number = self._subtopology_of(store_name)
        count = self._instance.layout.task_counts.get(number, 0)
        if not count:
            return KeyQueryMetadata(UNAVAILABLE, frozenset(), NOT_AVAILABLE_PARTITION)
        if partitioner is not None:
            partition = partitioner(store_name, key, None, count)
        else:
            partition = default_partition(self.key_bytes(store_name, key, key_serde), count)
        if not isinstance(partition, int) or not 0 <= partition < count:
            raise StreamsError(f"a key's partition is a number below {count}, not {partition!r}")
        task_id = TaskId(number, partition)
        return KeyQueryMetadata(
            self._group.owner_of(task_id) or UNAVAILABLE,
            frozenset(self._group.standby_hosts(task_id)),
            partition,
        )

    def key_bytes(self, store_name: str, key: Any, key_serde: Any = None) -> bytes | None:
        """A key in bytes, by a serde or by the store's own."""
        _, own_serde, _, topic = self.template(store_name)
        serde = own_serde if key_serde is None else key_serde
        raw: bytes | None = serde.serialize(topic, key)
        return raw

    def streams_metadata(self, store_name: str | None = None) -> list[StreamsMetadata]:
        """All instances, or those that have a store."""
        self._group.look()
        layout = self._instance.layout
        stores = {
            part.id: part.store_names
            for part in self._instance.topology.subtopologies(
                self._instance.application_id, self._instance.existing_topics
            )
        }
        found = []
        for host in sorted(self._group.hosts):
            active = self._group.tasks_of(host)
            standby = {task_id for task_id in layout.task_ids
                       if host in self._group.standby_hosts(task_id)}  # fmt: skip
            found.append(
                StreamsMetadata(
                    host,
                    frozenset(_store_names(stores, active))
                    | frozenset(self._instance.topology.global_stores),
                    frozenset(p for task_id in active for p in layout.partitions_of(task_id)),
                    frozenset(_store_names(stores, standby)),
                    frozenset(p for task_id in standby for p in layout.partitions_of(task_id)),
                )
            )
        if store_name is None:
            return found
        return [
            each
            for each in found
            if store_name in each.state_store_names | each.standby_state_store_names
        ]

    # ---- this instance ----

    def local_threads(self) -> list[ThreadMetadata]:
        """The threads and their tasks."""
        found = []
        for thread in self._threads():
            tasks = thread.tasks
            active = [] if tasks is None else list(tasks.active.values())
            standby = [] if tasks is None else list(tasks.standby.values())
            found.append(
                ThreadMetadata(
                    thread.name,
                    thread.state.name,
                    tuple(_describe(task) for task in active),
                    tuple(_describe(task) for task in standby),
                    f"{thread.name}-consumer",
                    f"{thread.name}-restore-consumer",
                    f"{thread.name}-producer",
                    f"{self._instance.client_id}-admin",
                )
            )
        return found

    def lags(self) -> dict[str, dict[int, LagInfo]]:
        """How far the stores here are behind their changelogs, by store and partition."""
        stores = [
            (task, progress)
            for task in self._tasks(with_standbys=True)
            for progress in task.stores
            if progress.changelog is not None
        ]
        ends = log_ends(self._instance.admin, {progress.place for _, progress in stores})
        found: dict[str, dict[int, LagInfo]] = {}
        for task, progress in stores:
            end = ends[progress.place]
            # One that runs writes its changelog: it is where that ends.
            at = end if task.is_running else min(progress.offset or 0, end)
            found.setdefault(progress.name, {})[task.id.partition] = LagInfo(at, end, end - at)
        return found


def _store_names(stores: dict[int, list[str]], task_ids: Iterable[TaskId]) -> set[str]:
    return {name for task_id in task_ids for name in stores.get(task_id.subtopology, ())}


def _describe(task: LiveTask) -> TaskMetadata:
    return TaskMetadata(
        task.id, frozenset(task.partitions), dict(task.committed_offsets), task.is_running
    )
