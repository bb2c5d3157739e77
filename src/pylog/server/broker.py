"""Broker: what the handlers share. One a server, however many nodes it plays."""

import asyncio
import logging
import os
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from logcore.config_def import ConfigError
from logcore.log import Log
from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.group.offsets import GroupOffsets
from pylog.log_dir import LogDir, TopicMetadata
from pylog.server import request_time
from pylog.server.config import ServerConfig
from pylog.server.delayed import Delayed
from pylog.server.kept_epochs import KeptEpochs
from pylog.server.limits import Limits
from pylog.server.operations import Operation, ResourceType
from pylog.txn.coordinator import TransactionCoordinator

if TYPE_CHECKING:
    from pylog.server.appends import Appends
    from pylog.server.config_changes import KeptConfigs
    from pylog.server.connection import Connection
    from pylog.server.faults import Faults
    from pylog.server.fetch_sessions import FetchSessions
    from pylog.server.flushes import Flushes
    from pylog.server.group_coordinator import GroupCoordinator
    from pylog.server.metrics import Metrics
    from pylog.server.quotas import Quotas
    from pylog.server.transaction_gate import TransactionGate

_Result = TypeVar("_Result")

_log = logging.getLogger("pylog.server")

BLOCKING_THREADS = 4
KEPT_CONFIGS_FILE = ".server.configs"
LOOK_INTERVAL_S = 0.005
"""How long those who write and read records do not look whether others changed a topic."""


class Node(NamedTuple):
    """A virtual broker, as clients are told to reach it."""

    node_id: int
    host: str
    port: int


class Authorizer(Protocol):
    """Who may do what."""

    def allows(
        self,
        principal: str,
        host: str,
        operation: Operation,
        resource_type: ResourceType,
        name: str,
    ) -> bool:
        """Whether somebody may do something to something."""

    def allows_any(
        self, principal: str, host: str, operation: Operation, resource_type: ResourceType
    ) -> bool:
        """Whether there is anything of a kind that somebody may do something to."""


class Broker:
    """What the handlers share.

    All of it belongs to the loop's thread, but what says otherwise.

    Attributes:
        log_dir: the folder.
        config: of the server.
        nodes: the virtual brokers by listener name: the same node has a host and port on each.
        loop: everything runs in.
        delayed: requests that wait for records or for their time.
        authorizer: who may do what, None for everybody everything.
        credentials, quotas, metrics, faults: None while there are none.
        connections: that are open.
        certificate_principal: who a client with TLS is, None while nobody asks for certificates.
        limits: of connections and memory.
        controller_id: the node that clients send changes to.
        on_second: called about once a second, with the loop's clock.
        on_stop: called when the server ends, while clients are still connected: answer who waits.
    """

    def __init__(
        self, log_dir: LogDir, config: ServerConfig, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.log_dir = log_dir
        self.config = config
        self.loop = loop
        self.nodes: dict[str, list[Node]] = {}
        self.node_ids: list[int] = list(range(config.node_id, config.node_id + config.node_count))
        self.controller_id = self.node_ids[0]
        self.connections: set[Connection] = set()
        self.delayed = Delayed(loop, log_dir.notify)
        self.authorizer: Authorizer | None = None
        self.credentials: Any = None
        self.quotas: Quotas | None = None
        self.metrics: Metrics | None = None
        self.faults: Faults | None = None
        self.certificate_principal: Callable[[asyncio.BaseTransport], str] | None = None
        self.limits = Limits(
            config.integer("max.connections"),
            config.integer("max.connections.per.ip"),
            config.integer("queued.max.request.bytes"),
        )
        self.on_second: list[Callable[[float], None]] = []
        self.on_stop: list[Callable[[], None]] = []
        self._threads: ThreadPoolExecutor | None = None
        self._is_closed = False
        self._topics: Mapping[str, TopicMetadata] = {}
        self._looked_s = -1.0  # when, of the loop's clock
        self._names_by_id: dict[bytes, str] = {}
        self._kept_epochs = KeptEpochs(log_dir.path)

    # ---- what the handlers stand on ----

    @property
    def offsets(self) -> GroupOffsets:
        """How far groups have come."""
        return GroupOffsets.of(self.log_dir)

    @property
    def transactions(self) -> TransactionCoordinator:
        """What transactions decided."""
        return TransactionCoordinator.of(self.log_dir)

    @cached_property
    def groups(self) -> "GroupCoordinator":
        """The groups whose members are clients of this server."""
        from pylog.server.group_coordinator import GroupCoordinator

        return GroupCoordinator(self)

    @cached_property
    def appends(self) -> "Appends":
        """What clients produce, on its way to the logs."""
        from pylog.server.appends import Appends

        return Appends(self)

    @cached_property
    def flushes(self) -> "Flushes":
        """Who waits for the disk."""
        from pylog.server.flushes import Flushes

        return Flushes(self)

    @cached_property
    def fetch_sessions(self) -> "FetchSessions":
        """What consumers have said they want to read."""
        from pylog.server.fetch_sessions import FetchSessions

        return FetchSessions(self.config.integer("max.incremental.fetch.session.cache.slots"))

    @cached_property
    def transaction_gate(self) -> "TransactionGate":
        """Which partitions take batches of which transactions."""
        from pylog.server.transaction_gate import TransactionGate

        return TransactionGate(self)

    def run_blocking(self, work: Callable[..., _Result], *args: Any) -> "asyncio.Future[_Result]":
        """Do in a thread what waits for the disk or for a lock; the future is the loop's.

        Few threads do it: what may wait for minutes does not belong here.

        Raises:
            KafkaException: the server has ended.
        """
        if self._is_closed:
            refuse(KafkaError._STATE, "the server has ended")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(BLOCKING_THREADS, "pylog-server")
        if self.quotas is not None and self.quotas.is_timed:
            work = request_time.timed(work)
        return self.loop.run_in_executor(self._threads, work, *args)

    @cached_property
    def kept_configs(self) -> "KeptConfigs":
        """Configs that were changed while a server ran on this folder."""
        from pylog.server.config_changes import KeptConfigs

        return KeptConfigs(os.path.join(self.log_dir.path, KEPT_CONFIGS_FILE))

    def load_kept_configs(self) -> None:
        """At the start: let count what was changed when a server ran here before."""
        self._try_kept_configs()
        self.on_second.append(self._refresh_kept_configs)

    def _refresh_kept_configs(self, now_s: float) -> None:
        if self.kept_configs.refresh():
            self._try_kept_configs()

    def _try_kept_configs(self) -> None:
        try:
            self.take_kept_configs()
        except ConfigError as error:
            _log.warning(
                "%s: a config that was changed does not count: %s", KEPT_CONFIGS_FILE, error
            )

    def take_kept_configs(self) -> None:
        """Let configs that were changed count: those of a node over those of all."""
        from pylog.server.config_changes import ALL_BROKERS
        from pylog.server.config_entries import ConfigResourceType

        changed: dict[str, str] = {}
        for name in (ALL_BROKERS, *map(str, self.node_ids)):
            changed |= self.kept_configs.get(ConfigResourceType.BROKER, name)
        self.config.change(changed)
        self.limits.set(
            self.config.integer("max.connections"),
            self.config.integer("max.connections.per.ip"),
            self.config.integer("queued.max.request.bytes"),
        )

    def config_overrides(self, node_id: int) -> dict[str, str]:
        """Configs of a node as text, where others than its configuration decide."""
        index = node_id - self.node_ids[0]
        listeners = [
            (listener, self.nodes[listener.name][index]) for listener in self.config.listeners
        ]
        return {
            "broker.id": str(node_id),
            "node.id": str(node_id),
            "log.dir": self.log_dir.path,
            "log.dirs": self.log_dir.path,
            "num.partitions": str(self.default_partitions),
            "auto.create.topics.enable": "true" if self.creates_topics else "false",
            "listeners": ",".join(
                f"{listener.name}://{listener.host}:{node.port}" for listener, node in listeners
            ),
            "advertised.listeners": ",".join(
                f"{listener.name}://{node.host}:{node.port}" for listener, node in listeners
            ),
        }

    def stop_waiting(self) -> None:
        """Answer everybody who waits: the server ends."""
        for call in self.on_stop:
            try:
                call()
            except Exception:
                _log.exception("a part of the server did not end as it should")
        self.delayed.close()

    def close(self) -> None:
        """Wait for what runs in threads. The folder is the listener's to close."""
        self._is_closed = True
        if self._threads is not None:
            self._threads.shutdown(wait=True)
            self._threads = None

    # ---- topics ----

    @property
    def rack(self) -> str | None:
        """Where the nodes are, as clients are told."""
        return self.config.text("broker.rack") or None

    @property
    def creates_topics(self) -> bool:
        """Whether a topic is made when a client names it: as given, else as the folder says."""
        if self.config.is_set("auto.create.topics.enable"):
            return self.config.flag("auto.create.topics.enable")
        return self.log_dir.creates_topics

    @property
    def default_partitions(self) -> int:
        """Partitions of a topic that is made without saying how many."""
        if self.config.is_set("num.partitions"):
            return self.config.integer("num.partitions")
        return self.log_dir.default_partitions

    @property
    def default_replication_factor(self) -> int:
        """What clients are told of a topic that was made without saying."""
        return self.config.integer("default.replication.factor")

    def topics(self) -> Mapping[str, TopicMetadata]:
        """The topics by name, as they are now; not to be changed."""
        topics = self.log_dir.topic_table()
        self._looked_s = self.loop.time()
        if topics is not self._topics:
            self._topics = topics
            self._names_by_id = {topic.topic_id.bytes: name for name, topic in topics.items()}
        return topics

    def find_topic(self, name: str) -> TopicMetadata | None:
        """The topic of a name for a client that writes or reads records, None when there is none.

        It may be as it was some milliseconds ago, to other processes: they are not looked for anew
        with each request. What they deleted meanwhile cannot be written: its Log says so. Who opens
        a partition, or fails to read one, has to look whether the topic is still the same.
        """
        topic = self._topics.get(name)
        is_old = self.loop.time() > self._looked_s + LOOK_INTERVAL_S
        if topic is None or is_old or self.log_dir.known_topics is not self._topics:
            topic = self.topics().get(name)
        return topic

    def find_topic_by_id(self, topic_id: bytes) -> TopicMetadata | None:
        """As `find_topic`, by its id."""
        name = self._names_by_id.get(topic_id)
        if name is None:
            return self.topic_by_id(topic_id)
        topic = self.find_topic(name)
        return topic if topic is not None and topic.topic_id.bytes == topic_id else None

    def topic_by_id(self, topic_id: bytes) -> TopicMetadata | None:
        """The topic of an id, as it is now; None when there is none."""
        topics = self.topics()
        name = self._names_by_id.get(topic_id)
        return None if name is None else topics[name]

    def leader_of(self, topic: str, partition: int) -> int:
        """The node that clients send a partition's records to, and ask for them."""
        count = len(self.node_ids)
        if count == 1:
            return self.node_ids[0]
        return self.node_ids[(zlib.crc32(topic.encode()) + partition) % count]

    def replicas_of(self, topic: TopicMetadata, partition: int) -> list[int]:
        """The nodes that a partition is said to be on, its leader first."""
        count = len(self.node_ids)
        first = self.leader_of(topic.name, partition) - self.node_ids[0]
        return [
            self.node_ids[(first + step) % count]
            for step in range(max(1, min(topic.replication_factor, count)))
        ]

    def leader_epoch_of(self, topic: str, partition: int) -> int:
        """The leader epoch of a partition, open or not."""
        log: Log | None = self.log_dir.known_log(topic, partition)
        return self._kept_epochs.of(topic, partition) if log is None else log.leader_epoch

    def coordinator_of(self, key: str) -> int:
        """The node that coordinates a group or a transactional id."""
        return self.node_ids[zlib.crc32(key.encode("utf-8", "surrogatepass")) % len(self.node_ids)]

    def node(self, listener_name: str, node_id: int) -> Node | None:
        """Where a node is reached over a listener, None when there is no such node."""
        nodes = self.nodes[listener_name]
        index = node_id - self.node_ids[0]
        return nodes[index] if 0 <= index < len(nodes) else None
