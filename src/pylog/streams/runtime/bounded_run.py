"""BoundedRun: when a run that processes what is there, and no more, has come to its end.

It has when every source partition was read up to where it ended at the beginning, the topics
between tasks (of repartitions and foreign-key joins) were read up to where they end now, and all of
that is committed. What another instance of the application reads counts by its committed offsets.
"""

import threading
import time
from typing import TYPE_CHECKING

from pylog import ConsumerGroupTopicPartitions, TopicPartition
from pylog.streams.runtime.assignment import Partition, TaskLayout
from pylog.streams.runtime.instance import Instance, log
from pylog.streams.runtime.log_offsets import log_ends

if TYPE_CHECKING:
    from pylog.streams.runtime.stream_thread import StreamThread

_LOOK_S = 0.01


class BoundedRun:
    """Knows where to stop.

    Args:
        instance: its topics are as they are when the run begins.
        say_every_s: how often to say what it waits for, as long as nothing is read.
    """

    def __init__(self, instance: Instance, say_every_s: float = 10.0):
        self._instance = instance
        self._say_every_s = say_every_s
        layout = instance.layout
        places = [
            (topic, number)
            for topic, count in layout.source_topics.items()
            for number in range(count)
        ]
        self._between_tasks = {place for place in places if place[0] in instance.internal_sources}
        self._inputs = log_ends(instance.admin, set(places) - self._between_tasks)

    def wait(self, threads: "list[StreamThread]", is_over: threading.Event) -> None:
        """Return when the end is reached, or when `is_over` is set."""
        said_s = time.monotonic()
        before = self._describe(threads)
        while not is_over.wait(_LOOK_S):
            if self._is_done(threads):
                return
            if time.monotonic() - said_s >= self._say_every_s:
                said_s = time.monotonic()
                now = self._describe(threads)
                if now == before:
                    for line in now:
                        log.info("%s: %s", self._instance.client_id, line)
                before = now

    def _describe(self, threads: "list[StreamThread]") -> list[str]:
        """What is not read yet."""
        lines = []
        ends = {**self._inputs, **log_ends(self._instance.admin, self._between_tasks)}
        for (topic, number), end in sorted(ends.items()):
            position = max((each.position((topic, number)) for each in threads), default=-1)
            if position < end and end > 0:
                where = f"read to {position} of {end}" if position >= 0 else f"not read, of {end}"
                if not any(each.reads((topic, number)) for each in threads):
                    where += ", by another instance, or by none yet"
                lines.append(f"waiting for {topic} [{number}]: {where}")
        return lines or ["waiting for what was read to be processed and committed"]

    def _is_done(self, threads: "list[StreamThread]") -> bool:
        if not all(thread.has_nothing_to_do for thread in threads):
            return False
        between = log_ends(self._instance.admin, self._between_tasks)
        if not self._are_read({**self._inputs, **between}, threads):
            return False
        # A thread that looked idle may have written meanwhile to what another one reads.
        return log_ends(self._instance.admin, self._between_tasks) == between

    def _are_read(self, ends: dict[Partition, int], threads: "list[StreamThread]") -> bool:
        layout: TaskLayout = self._instance.layout
        elsewhere = {}
        for place, end in ends.items():
            owners = [thread for thread in threads if thread.reads(place)]
            if not owners:
                if end > 0:
                    elsewhere[place] = end
            elif not all(
                thread.has_reached(place, end) and thread.has_nothing_to_do for thread in owners
            ):
                return False
        return layout is self._instance.layout and self._are_committed(elsewhere)

    def _are_committed(self, ends: dict[Partition, int]) -> bool:
        if not ends:
            return True
        group = ConsumerGroupTopicPartitions(
            self._instance.application_id, [TopicPartition(*place) for place in ends]
        )
        (future,) = self._instance.admin.list_consumer_group_offsets([group]).values()
        found = future.result().topic_partitions or []
        return all(each.offset >= ends[(each.topic, each.partition)] for each in found)
