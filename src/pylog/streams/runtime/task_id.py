"""TaskId, which task of an application: Kafka Streams' names, such as 0_3."""

from typing import NamedTuple

from pylog.streams.errors import StreamsError


class TaskId(NamedTuple):
    """A subtopology's number and a partition."""

    subtopology: int
    partition: int

    def __str__(self) -> str:
        return f"{self.subtopology}_{self.partition}"

    @classmethod
    def parse(cls, text: str) -> "TaskId":
        """Return the task of a name such as "0_3".

        Raises:
            StreamsError: it is no task's name.
        """
        subtopology, _, partition = text.partition("_")
        if not (subtopology.isdecimal() and partition.isdecimal()):
            raise StreamsError(f"no task's name: {text!r}")
        return cls(int(subtopology), int(partition))
