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
    """

    def __init__(self, key_serde, value_serde, timestamp_extractor=None):
        self.wanted_key_serde = key_serde
        self.wanted_value_serde = value_serde
        self.timestamp_extractor = timestamp_extractor

    def open(self):
        """Find out which serdes are the default ones."""
        config = self.task.config
        self.key_serde = config.key_serde_for(self.wanted_key_serde)
        self.value_serde = config.value_serde_for(self.wanted_value_serde, f"source {self.name!r}")

    cdef int process(self, Record record) except -1:
        return self.forward(record)
