"""BoundedRun: when a run that processes what is there, and no more, has come to its end.

It has when every source partition was read up to where it ended at the beginning, the topics
between tasks (of repartitions and foreign-key joins) were read up to where they end now, and all of
that is committed. What another instance of the application reads counts by its committed offsets.
"""

import threading
from typing import TYPE_CHECKING

from pylog import ConsumerGroupTopicPartitions, TopicPartition
from pylog.streams.runtime.assignment import Partition, TaskLayout
from pylog.streams.runtime.instance import Instance
from pylog.streams.runtime.log_offsets import log_ends

if TYPE_CHECKING:
    from pylog.streams.runtime.stream_thread import StreamThread

_LOOK_S = 0.01


class BoundedRun:
    """Knows where to stop.

    Args:
        instance: its topics are as they are when the run begins.
    """

    def __init__(self, instance: Instance):
        self._instance = instance
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
        while not is_over.wait(_LOOK_S):
            if self._is_done(threads):
                return

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
