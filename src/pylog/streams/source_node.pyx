"""SourceNode, where the records of topics enter a topology."""

cimport cython

from pylog.streams.node cimport Node
from pylog.streams.record cimport Record


@cython.final
cdef class SourceNode(Node):
    """Knows how to decode its topics; the queue of each partition does it, ahead of its turn.

    Args:
        key_serde: None for the default one.
        value_serde: None for the default one.
        timestamp_extractor: None for the default one.
        topics: their names, for errors.
    """

    def __init__(self, key_serde, value_serde, timestamp_extractor=None, topics=()):
        self.wanted_key_serde = key_serde
        self.wanted_value_serde = value_serde
        self.timestamp_extractor = timestamp_extractor
        self.topics = tuple(topics) or ("its topic",)

    def open(self):
        """Find out which serdes are the default ones."""
        config = self.task.config
        self.key_serde = config.key_serde_for(self.wanted_key_serde)
        where = f"source {self.name!r} of {', '.join(self.topics)}"
        self.value_serde = config.value_serde_for(self.wanted_value_serde, where)

    cdef int process(self, Record record) except -1:
        return self.forward(record)
