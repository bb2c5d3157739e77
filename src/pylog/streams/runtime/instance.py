"""Instance: what the stream threads of one application in one process share.

It knows the topology, which topics there are and how many tasks that makes, and it makes the
internal topics. Threads ask it; it asks nobody.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from pylog import AdminClient
from pylog.streams.config import StreamsConfig
from pylog.streams.metrics import StreamsMetrics
from pylog.streams.runtime import internal_topics, partition_counts
from pylog.streams.runtime.assignment import TaskLayout
from pylog.streams.runtime.group_view import GroupView
from pylog.streams.runtime.restore_listeners import StandbyUpdateListener, StateRestoreListener
from pylog.streams.runtime.state_directory import StateDirectory
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.runtime.topic_keeper import TopicKeeper
from pylog.streams.topology import Topology

log = logging.getLogger("pylog.streams")


class Instance:
    """What threads share; made by Streams.

    Args:
        topology: of the application.
        config: of the application.
        state_directory: it is open.
        process_id: who this is.
        client_id: what names of threads and clients begin with.
        admin: of the folder or cluster.

    Attributes:
        layout: the tasks, as `refresh` found them last.
        topics: makes those that it writes to.
        existing_topics: partition counts of all topics, from the same time.
        internal_sources: topics that tasks write for other tasks to read.
        stateful_parts: subtopologies with stores that are restored.
        is_paused: nothing is processed.
        is_ending: it shuts down.
        global_stores: by name, open and complete.
        global_lock: held by who touches them for more than a moment.
    """

    def __init__(
        self,
        topology: Topology,
        config: StreamsConfig,
        state_directory: StateDirectory,
        process_id: uuid.UUID,
        client_id: str,
        admin: AdminClient,
    ):
        self.topology = topology
        self.config = config
        self.state_directory = state_directory
        self.process_id = process_id
        self.client_id = client_id
        self.admin = admin
        self.started_ms = int(time.time() * 1000)
        self.metrics = StreamsMetrics(
            window_ms=config["metrics.sample.window.ms"], samples=config["metrics.num.samples"]
        )
        self.restore_listener = StateRestoreListener()
        self.standby_listener = StandbyUpdateListener()
        self.layout = TaskLayout([], {})
        self.existing_topics: dict[str, int] = {}
        self.is_paused = False
        self.is_ending = False
        self.global_stores: dict[str, Any] = {}
        self.global_lock = threading.RLock()
        self.shutdown_application: Callable[[], None] = lambda: None
        self.stateful_parts: frozenset[int] = frozenset()
        self.internal_sources: frozenset[str] = frozenset()
        self.group_view = GroupView(self)
        self.topics = TopicKeeper(admin, config.application_id)
        self._lock = threading.Lock()
        self._cleaned_s = time.monotonic()

    def clean_up_if_due(self) -> None:
        """Delete folders of tasks that went elsewhere long ago."""
        delay_ms: int = self.config["state.cleanup.delay.ms"]
        now_s = time.monotonic()
        with self._lock:
            if now_s - self._cleaned_s < delay_ms / 1000:
                return
            self._cleaned_s = now_s
        removed = self.state_directory.clean_removed_tasks(delay_ms)
        if removed:
            names = ", ".join(str(task_id) for task_id in removed)
            log.info("%s: deleted the state of tasks %s, not used any more", self.client_id, names)

    def standbys_for(self, number: int, count: int) -> set[TaskId]:
        """The tasks that a thread keeps copies of.

        Args:
            number: of the thread among those of the instance, from 0.
            count: of these threads.
        """
        if not self.config["num.standby.replicas"]:
            return set()
        self.group_view.look()
        stateful = [
            each for each in self.layout.task_ids if each.subtopology in self.stateful_parts
        ]
        return self.group_view.own_standbys(stateful, number, count)

    @property
    def application_id(self) -> str:
        """`application.id`."""
        return self.config.application_id

    @property
    def has_patterns(self) -> bool:
        """Whether topics that come later may be source topics."""
        return any(
            getattr(definition, "pattern", None) is not None
            for definition in self.topology.definitions.values()
        )

    def refresh(self) -> TaskLayout:
        """Look at the topics, make the internal ones that are missing, and lay out the tasks.

        Raises:
            MissingSourceTopicError: a source topic does not exist.
            TopologyError: topics that are joined are not co-partitioned.
            InvalidTopologyChangeError: an internal topic has another partition count.
            MissingInternalTopicError: an internal topic was deleted since it was made.
        """
        with self._lock:
            known = internal_topics.partition_counts(self.admin)
            layout = self._lay_out(known)
            if layout != self.layout:
                known = internal_topics.partition_counts(self.admin)
                self.layout = layout
            self.existing_topics = known
            return layout

    def _lay_out(self, known: dict[str, int]) -> TaskLayout:
        config = self.config
        own = self._internal_names()
        external = {
            topic: count
            for topic, count in known.items()
            if topic not in own and not topic.startswith("__")
        }
        subtopologies = self.topology.subtopologies(self.application_id, external)
        partition_counts.check_sources(subtopologies, external)
        repartition = partition_counts.repartition_counts(subtopologies, external)
        layout = TaskLayout(subtopologies, {**external, **repartition})
        self.internal_sources = frozenset(repartition)
        self.stateful_parts = frozenset(part.id for part in subtopologies if part.changelogs)
        self.topics.make_internal(
            internal_topics.wanted_topics(
                subtopologies,
                repartition,
                layout.task_counts,
                config.topic_config(),
                config["windowstore.changelog.additional.retention.ms"],
            ),
            subtopologies,
            config["replication.factor"],
        )
        outputs = {topic for part in subtopologies for topic in part.sink_topics}
        self.topics.make_outputs(outputs - own, known)
        return layout

    def _internal_names(self) -> set[str]:
        """The topics that the application makes for itself."""
        topology, own = self.topology, self.application_id
        names = {topology.topic_name(topic, own) for topic in topology.internal_topics}
        for store in topology.stores:
            changelog = topology.changelog_topic(store, own)
            if changelog is not None and store not in topology.source_changelogs:
                names.add(changelog)
        return names
