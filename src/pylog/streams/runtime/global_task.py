"""GlobalTask: fills the global stores from the messages of their topics."""

from typing import Any

from pylog import Message
from pylog.streams.errors import SerializationError, StreamsError
from pylog.streams.node import TaskContext
from pylog.streams.processor_topology import ProcessorTopology
from pylog.streams.record import Record
from pylog.streams.runtime.task_errors import TaskErrors, lifecycle_error
from pylog.streams.serde import decode


class GlobalTask:
    """The sources and processors of all global stores; they take records as they come.

    Args:
        topology: of Topology.build_global, built with `context`.
        context: of its own; the stores are in its `stores`.
    """

    def __init__(self, topology: ProcessorTopology, context: TaskContext):
        self.topology = topology
        self.context = context
        self._raw: tuple[bytes | None, bytes | None] = (None, None)
        context.error_handler = TaskErrors(
            context,
            lambda: self._raw,
            asks_processing_handler=context.config["processing.exception.handler.global.enabled"],
        )

    @property
    def topics(self) -> list[str]:
        """What it reads."""
        return list(self.topology.sources_by_topic)

    def open_stores(self) -> None:
        """Open the stores; they are restored after that."""
        for store in self.topology.stores:
            store.changelog_topic = None
            store.changelog_partition = 0
            store.init(self.context)
            self.context.stores[store.name] = store

    def open(self) -> None:
        """Open the nodes.

        Raises:
            ProcessingError: a processor's init raised.
        """
        for node in self.topology.nodes:
            try:
                node.open()
            except StreamsError:
                raise
            except Exception as error:
                raise lifecycle_error(node, error, "opened") from error

    def update(self, message: Message) -> None:
        """Take a message of one of the topics.

        Raises:
            StreamsError: it cannot be decoded or processed, and the handler says to fail.
        """
        topic: Any = message.topic()
        source = self.topology.sources_by_topic[topic]
        try:
            key = decode(source.key_serde, topic, message.key())
            value = decode(source.value_serde, topic, message.value())
        except SerializationError as error:
            self.context.error_handler.deserialization(source, message, error)
            return
        timestamp = message.timestamp()[1]
        if timestamp < 0:
            self.context.drop(source.name, "invalid timestamp")
            return
        self._raw = message.key(), message.value()
        partition, offset, headers = message.partition(), message.offset(), message.headers()
        self.context.set_record(
            topic,
            -1 if partition is None else partition,
            -1 if offset is None else offset,
            timestamp,
            headers,
        )
        self.context.stream_time = max(self.context.stream_time, timestamp)
        source.accept(Record(key, value, timestamp, headers))

    def flush(self) -> None:
        """Have the stores write through what they hold back."""
        for store in self.topology.stores:
            store.flush()

    def close(self) -> None:
        """Close the nodes and the stores.

        Raises:
            ProcessingError: a processor's close raised; all were closed.
        """
        failure = None
        for node in self.topology.nodes:
            try:
                node.close()
            except Exception as error:
                failure = failure or lifecycle_error(node, error, "closed")
        for store in self.topology.stores:
            if store.is_open:
                store.close()
        if failure is not None:
            raise failure
