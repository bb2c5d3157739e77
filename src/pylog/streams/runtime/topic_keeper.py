"""TopicKeeper: makes the topics that an application writes to, and notices when one is deleted.

Internal topics are made once, when the application starts. One that is gone after that is an error
and is not made anew: its records are lost, and an empty one would hide it. What sinks write to is
made as a producer would have it made, where `auto.create.topics.enable` says so.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from pylog import AdminClient, ConsumerGroupTopicPartitions, KafkaError, KafkaException
from pylog.admin import ConfigResource, NewTopic, ResourceType
from pylog.streams.errors import MissingInternalTopicError
from pylog.streams.runtime import internal_topics
from pylog.streams.runtime.internal_topics import WantedTopic
from pylog.streams.subtopologies import Subtopology

log = logging.getLogger("pylog.streams")

UNKNOWN_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_ID,
    }
)
# What may come of it: a folder's partition closes under its users, a cluster's takes nothing.
MAY_BE_GONE = UNKNOWN_TOPIC | {KafkaError._STATE, KafkaError._MSG_TIMED_OUT}
_LOOKS = 3  # a broker may not have heard yet of a topic that was just made
_LOOK_AGAIN_S = 0.2


class TopicKeeper:
    """Keeps the topics of an instance.

    Args:
        admin: of the folder or cluster.
        application_id: whose topics.
    """

    def __init__(self, admin: AdminClient, application_id: str):
        self._admin = admin
        self._application_id = application_id
        self._internal: set[str] = set()
        self._told: set[str] = set()

    def make_internal(
        self,
        wanted: Sequence[WantedTopic],
        subtopologies: Sequence[Subtopology],
        replication_factor: int,
    ) -> None:
        """Make the internal topics that never were there, and check the others.

        Args:
            wanted: all of them.
            subtopologies: that have them.
            replication_factor: `replication.factor`.

        Raises:
            MissingInternalTopicError: one was deleted since this was called before.
            InvalidTopologyChangeError: one has another partition count.
            StreamsError: one cannot be made.
        """
        self.check_internal()
        new = [topic for topic in wanted if topic.name not in self._internal]
        there = internal_topics.make_ready(self._admin, wanted, replication_factor)
        self._internal.update(topic.name for topic in wanted)
        if not new:
            return
        for text in internal_topics.other_policies(
            self._admin, [topic for topic in new if topic in there]
        ):
            log.warning("%s: %s", self._application_id, text)
        made = {topic.name for topic in new if topic not in there}
        self._warn_of_lost_state(made, subtopologies)

    def check_internal(self) -> None:
        """See whether all internal topics are there still.

        Raises:
            MissingInternalTopicError: names those that are not.
        """
        for look in range(_LOOKS):
            if not self._internal:
                return
            missing = self._internal - internal_topics.partition_counts(self._admin).keys()
            if not missing:
                return
            if look < _LOOKS - 1:
                time.sleep(_LOOK_AGAIN_S)
        raise MissingInternalTopicError(
            f"deleted while application {self._application_id} used it: "
            f"{', '.join(sorted(missing))}. What was in a changelog or repartition topic is lost; "
            "to begin anew from the source topics, call clean_up(), delete the application's other "
            "internal topics and its committed offsets, or take another application.id"
        )

    def _warn_of_lost_state(self, made: Collection[str], parts: Iterable[Subtopology]) -> None:
        """A changelog that is new, of an application that is not: it may have been deleted."""
        affected = [(part, part.changelogs.keys() & made) for part in parts]
        if not any(changelogs for _, changelogs in affected):
            return
        group = ConsumerGroupTopicPartitions(self._application_id)
        try:
            (future,) = self._admin.list_consumer_group_offsets([group]).values()
            committed = future.result().topic_partitions or []
        except KafkaException:
            return  # no such group yet
        read = {each.topic for each in committed if each.offset > 0 and each.error is None}
        for part, changelogs in affected:
            before = sorted(read & part.source_topics)
            for changelog in sorted(changelogs) if before else ():
                store = part.changelogs[changelog].name
                log.warning(
                    "%s: changelog %s did not exist and was made anew, though the application has "
                    "read %s before: unless store %s is a new one, its changelog was deleted and "
                    "the state in it is lost; delete the application's committed offsets to build "
                    "it again from the beginning",
                    self._application_id,
                    changelog,
                    ", ".join(before),
                    store,
                )

    # ---- what sinks write to ----

    def make_outputs(self, topics: Collection[str], known: Mapping[str, int]) -> bool:
        """Make the topics that sinks write to, if they are made by themselves here.

        Args:
            topics: that sinks write to.
            known: partition counts of the topics that exist.

        Returns:
            Whether there is one more than before.
        """
        missing = sorted(set(topics) - known.keys() - self._internal)
        if not missing or not self._creates_topics():
            return False
        is_made = False
        for future in self._admin.create_topics([NewTopic(name) for name in missing]).values():
            try:
                future.result()
                is_made = True
            except KafkaException as error:
                # Another one was quicker, or may do what this one may not: writing to it will tell.
                is_made = is_made or error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
        return is_made

    def _creates_topics(self) -> bool:
        for broker in self._admin.list_topics(timeout=30).brokers:
            resource = ConfigResource(ResourceType.BROKER, str(broker))
            try:
                (future,) = self._admin.describe_configs([resource]).values()
                value = future.result()["auto.create.topics.enable"].value
            except (KafkaException, KeyError):
                continue
            return str(value).lower() == "true"
        return False
