"""What pylog.streams raises.

StreamsError
+-- TopologyError              the topology is wrong: found when it is built
|   +-- InvalidTopologyChange  it does not fit the state that is there
+-- StreamsConfigError         a configuration is
+-- SerializationError         a serde refused
+-- ProcessingError            a processor raised: node, function, file, line, record
+-- ProductionError            a record could not be written
+-- InvalidTimestampError      an extractor gave none
+-- InvalidStateStoreError     a store that is closed, migrated or of another type
+-- StateStoreError            what a store has on disk cannot be used, or not be written
+-- StateDirectoryLockedError  another process has the state directory
+-- TaskMigratedError          the task is somebody else's by now
+-- TaskCorruptedError         its state must be built anew from the changelog
+-- MissingSourceTopicError    a source topic is not there, or was deleted
+-- MissingInternalTopicError  a changelog or repartition topic was deleted
+-- EmptyTopicError            a test reads more than the topology wrote
"""


class StreamsError(Exception):
    """Base of everything that pylog.streams raises."""


class TopologyError(StreamsError):
    """The topology is wrong."""


class InvalidTopologyChangeError(TopologyError):
    """The topology does not fit the state that an earlier one left."""


class StreamsConfigError(StreamsError, ValueError):
    """A configuration is wrong."""


class SerializationError(StreamsError):
    """A serializer or deserializer refused its data."""


class ProcessingError(StreamsError):
    """A processor or a function of the program raised.

    The text names the node, the function with its file and line, and the record's topic, partition
    and offset; the original exception is the cause.
    """


class ProductionError(StreamsError):
    """A record could not be written to its topic."""


class InvalidTimestampError(StreamsError):
    """A timestamp extractor gave no valid timestamp."""


class InvalidStateStoreError(StreamsError):
    """A store is closed, has moved elsewhere, or is of another type."""


class StateStoreError(StreamsError):
    """What a store has on disk cannot be used, or cannot be written.

    It is damaged, was written by another kind of store, or there is no room. The text says which.
    """


class StateDirectoryLockedError(StreamsError):
    """Another process uses the state directory."""


class TaskMigratedError(StreamsError):
    """The task belongs to another thread by now; what it did since its last commit is void."""


class TaskCorruptedError(StreamsError):
    """The state of tasks cannot be trusted; it is built anew from their changelogs."""

    def __init__(self, message: str, task_ids: frozenset[object] = frozenset()):
        super().__init__(message)
        self.task_ids = task_ids


class MissingSourceTopicError(StreamsError):
    """A source topic does not exist (any more)."""


class MissingInternalTopicError(StreamsError):
    """A topic that the application made for itself does not exist any more: somebody deleted it."""


class EmptyTopicError(StreamsError):
    """A TopologyTestDriver's output topic has no (more) records."""
