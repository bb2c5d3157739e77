"""Mirror: the loop from a source to a target."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pylog.admin import AdminClient
from pylog.consumer import Consumer
from pylog.errors import KafkaError, KafkaException
from pylog.message import Message
from pylog.mirror import chunks, groups, offset_syncs, topics
from pylog.mirror.cluster_target import ClusterTarget
from pylog.mirror.folder_target import FolderTarget
from pylog.mirror.places import TIMEOUT_S, Partition, Place, refuse
from pylog.types import TopicPartition

Target = FolderTarget | ClusterTarget

_CHUNK_RECORDS = 5000
_POLL_S = 0.2
_CONTACT_S = 10.0
_REFRESH_S = 5.0


@dataclass
class Outcome:
    """What a run did."""

    topics: int = 0
    records: int = 0
    group_offsets: int = 0


def _ignore(_: object) -> None:
    pass


class Mirror:
    """Copies topics from one place to another.

    Args:
        source: where to read.
        target: where to write; a folder is made when missing.
        wanted: topic names and ^patterns; the rest is left out.
        wanted_groups: group ids and ^patterns whose committed offsets go along.
        compression: codec of the copies.
        on_plan: called with the number of records to copy, once it is known.
        on_records: called with the number of records, each time some were written.
        on_note: called with a sentence about what is worth knowing.
    """

    def __init__(
        self,
        source: Place,
        target: Place,
        wanted: Sequence[str],
        wanted_groups: Sequence[str] = (),
        *,
        compression: str = "none",
        on_plan: Callable[[int], None] = _ignore,
        on_records: Callable[[int], None] = _ignore,
        on_note: Callable[[str], None] = _ignore,
    ) -> None:
        self.source = source
        self.target = target
        self._wanted = wanted
        self._wanted_groups = wanted_groups
        self._compression = compression
        self._on_plan = on_plan
        self._on_records = on_records
        self._on_note = on_note
        self._positions: dict[Partition, int] = {}
        self._ended: set[Partition] = set()
        self._outcome = Outcome()

    def run(self, follow: bool = False) -> Outcome:
        """Copy up to the end of the source, or on and on.

        Raises:
            KafkaException: with the reason; what was copied until then stays, and the next run
                goes on there.
        """
        with self.source.open_admin() as source, self.target.open_admin() as target:
            source_id = _identify(source, self.source)
            if source_id == _identify(target, self.target):
                raise refuse(
                    f"{self.source.name} and {self.target.name} are one and the same place",
                    KafkaError._INVALID_ARG,
                )
            topics.find(source, self.source, self._wanted)
            topics.make(target, offset_syncs.topic_name(source_id), 1, dict(offset_syncs.CONFIGS))
            kind = ClusterTarget if self.target.is_cluster else FolderTarget
            end = kind(self.target, source_id, self._compression)
            try:
                with self.source.open_consumer() as consumer:
                    self._run(source, target, end, consumer, follow)
            finally:
                end.close()
        return self._outcome

    def _run(
        self,
        source: AdminClient,
        target: AdminClient,
        end: Target,
        consumer: Consumer,
        follow: bool,
    ) -> None:
        due_s = 0.0
        while True:
            if time.monotonic() >= due_s:
                self._assign(source, target, end, consumer)
                if due_s:
                    self._move_groups(source, target, end)
                due_s = time.monotonic() + _REFRESH_S if follow else float("inf")
            if not follow and self._ended >= self._positions.keys():
                break
            self._copy(end, consumer)
        end.flush()
        self._move_groups(source, target, end)

    # ---- topics ----

    def _assign(
        self, source: AdminClient, target: AdminClient, end: Target, consumer: Consumer
    ) -> None:
        """Read the partitions that are new."""
        counts = topics.find(source, self.source, self._wanted)
        places = [(name, number) for name in counts for number in range(counts[name])]
        new = [place for place in places if place not in self._positions]
        if not new:
            return
        topics.create_missing(source, target, {name: counts[name] for name, _ in new})
        left = 0
        assigned = []
        for place in new:
            position, end_offset = self._begin(end, consumer, place)
            self._positions[place] = position
            left += end_offset - position
            assigned.append(TopicPartition(*place, position))
        self._outcome.topics = len(counts)
        consumer.incremental_assign(assigned)
        self._on_plan(left)

    def _begin(self, end: Target, consumer: Consumer, place: Partition) -> tuple[int, int]:
        """Where to read a partition from, and the source's end."""
        low, high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=TIMEOUT_S)
        position = end.position(place)
        if position is None:
            return low, high
        name = f"{place[0]} [{place[1]}]"
        if position > high:
            raise refuse(
                f"{self.target.name}: {name} is a copy up to offset {position}, but "
                f"{self.source.name} ends at {high}: not the topic that it was",
                KafkaError._CONFLICT,
            )
        if position < low:
            self._on_note(
                f"{name}: offsets {position} to {low - 1} are gone at {self.source.name}; "
                "not copied"
            )
            return low, high
        self._compare_last(end, place, position, low)
        return position, high

    def _compare_last(self, end: Target, place: Partition, position: int, low: int) -> None:
        """Check that the last record of a copy is the source's: nobody else wrote to it."""
        copied = end.last_message(place)
        if copied is None or position - 1 < low:
            return
        with self.source.open_consumer() as consumer:
            consumer.assign([TopicPartition(*place, position - 1)])
            message = consumer.poll(TIMEOUT_S)
        if message is None or message.error() is not None or message.offset() != position - 1:
            return  # compacted away, or aborted: nothing to compare with
        if _content(message) != _content(copied):
            raise refuse(
                f"{self.target.name}: {place[0]} [{place[1]}] {copied.offset()} is not the record "
                f"at {position - 1} of {self.source.name}: somebody else wrote to one of them",
                KafkaError._CONFLICT,
            )

    # ---- records and groups ----

    def _copy(self, end: Target, consumer: Consumer) -> None:
        messages = []
        for message in consumer.consume(_CHUNK_RECORDS, _POLL_S):
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended.add((str(message.topic()), int(message.partition() or 0)))
            elif not error.retriable() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise KafkaException(error)
        if messages:
            end.write(chunks.split(messages, self._positions))
            self._outcome.records += len(messages)
            self._on_records(len(messages))

    def _move_groups(self, source: AdminClient, target: AdminClient, end: Target) -> None:
        if not self._wanted_groups:
            return
        # A broker ends a transaction after it has said so: what was copied just now may not be
        # stable yet, but it is there.
        with self.target.open_consumer("read_uncommitted") as consumer:
            end_offsets = {
                place: consumer.get_watermark_offsets(TopicPartition(*place), timeout=TIMEOUT_S)[1]
                for place in self._positions
            }
        self._outcome.group_offsets += groups.translate(
            source, target, self._wanted_groups, end.syncs, end_offsets, self._on_note
        )


def _identify(admin: AdminClient, place: Place) -> str:
    """The id of a place; the first word that is spoken with it."""
    try:
        return str(admin.list_topics(timeout=_CONTACT_S).cluster_id)
    except KafkaException as error:
        told = error.args[0]
        raise refuse(f"{place.name}: {told.str()}", told.code()) from error


def _content(message: Message) -> tuple[object, ...]:
    return message.key(), message.value(), message.headers() or None, message.timestamp()[1]
