"""RemoteProducer: pylog.Producer on a cluster, over confluent_kafka.Producer."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confluent_kafka

from pylog.errors import KafkaError
from pylog.message import Message
from pylog.metadata import ClusterMetadata
from pylog.producer import Producer
from pylog.remote.peer import (
    delivery_callback,
    make_peer,
    refuses_the_rest,
    translates_errors,
)
from pylog.remote.translate import PeerError, exception_from_peer, from_peer, to_peer
from pylog.types import TopicPartition

Callback = Callable[[KafkaError | None, Message], object]

# What a message of produce_batch may have for confluent_kafka's own call to do.
_BATCHED = frozenset({"value", "key", "callback", "on_delivery", "_error"})


@refuses_the_rest
class RemoteProducer(Producer):
    """Writes messages to topics of a cluster; made by `pylog.Producer` with bootstrap.servers."""

    _peer: Any = None

    def _connect(self, conf: Mapping[str, Any]) -> None:
        self._is_closed = False
        self._peer = make_peer(confluent_kafka.Producer, "producer", conf)
        self._produce = self._peer.produce  # what produce() calls most

    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int = -1,
        callback: Callback | None = None,
        on_delivery: Callback | None = None,
        timestamp: int = 0,
        headers: Any = None,
    ) -> None:
        """Queue a message, see Producer.produce; a missing topic is told to its callback."""
        try:
            if callback is None and on_delivery is None and headers is None and not timestamp:
                self._produce(topic, value, key, partition)
                return
            report = on_delivery if on_delivery is not None else callback
            given: dict[str, Any] = {} if headers is None else {"headers": headers}
            if report is not None:
                given["on_delivery"] = delivery_callback(report)
            self._produce(topic, value, key, partition, timestamp=timestamp, **given)
        except PeerError as error:
            raise exception_from_peer(error) from error

    @translates_errors
    def produce_batch(
        self,
        topic: str,
        messages: list[dict[str, Any]],
        partition: int = -1,
        callback: Callback | None = None,
        on_delivery: Callback | None = None,
    ) -> int:
        """Queue many messages, see Producer.produce_batch."""
        if any(message.keys() - _BATCHED for message in messages):
            # confluent_kafka's call knows no headers and no timestamps, and pays no heed to the
            # partition of a single message.
            return super().produce_batch(topic, messages, partition, callback, on_delivery)
        theirs = [_message_to_peer(message) for message in messages]
        report = on_delivery or callback
        given = {} if report is None else {"on_delivery": delivery_callback(report)}
        queued: int = self._peer.produce_batch(topic, theirs, partition, **given)
        for message, told in zip(messages, theirs, strict=True):
            if "_error" in told:
                message["_error"] = from_peer(told["_error"])
        return queued

    @translates_errors
    def poll(self, timeout: float | None = None) -> int:
        """Serve callbacks; see Producer.poll."""
        served: int = self._peer.poll(-1 if timeout is None else timeout)
        return served

    @translates_errors
    def flush(self, timeout: float | None = -1) -> int:
        """Wait until the cluster has what is queued; see Producer.flush."""
        left: int = self._peer.flush(-1 if timeout is None else timeout)
        return left

    @translates_errors
    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        """Drop messages that are queued; see Producer.purge."""
        self._peer.purge(in_queue, in_flight, blocking)

    @translates_errors
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Metadata of the cluster's topics, or of one; an unknown one carries an error."""
        given = {} if topic is None else {"topic": topic}
        metadata: ClusterMetadata = from_peer(self._peer.list_topics(timeout=timeout, **given))
        return metadata

    @translates_errors
    def cluster_id(self, timeout: float = -1) -> str:
        """The cluster's id."""
        cluster_id: str = self._peer.list_topics(timeout=timeout).cluster_id
        return cluster_id

    @translates_errors
    def init_transactions(self, timeout: float = -1) -> None:
        """See Producer.init_transactions."""
        self._peer.init_transactions(timeout)

    @translates_errors
    def begin_transaction(self) -> None:
        """See Producer.begin_transaction."""
        self._peer.begin_transaction()

    @translates_errors
    def commit_transaction(self, timeout: float = -1) -> None:
        """See Producer.commit_transaction."""
        self._peer.commit_transaction(timeout)

    @translates_errors
    def abort_transaction(self, timeout: float = -1) -> None:
        """See Producer.abort_transaction."""
        self._peer.abort_transaction(timeout)

    @translates_errors
    def send_offsets_to_transaction(  # type: ignore[override]
        self, positions: Sequence[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None:
        """See Producer.send_offsets_to_transaction; the metadata is of a Consumer of a cluster."""
        self._peer.send_offsets_to_transaction(to_peer(positions), group_metadata, timeout)

    @translates_errors
    def set_sasl_credentials(self, username: str, password: str) -> None:
        """Log in with these from the next connection on."""
        self._peer.set_sasl_credentials(username, password)

    @translates_errors
    def close(self, timeout: float = -1) -> bool:
        """Flush and let go of the cluster. Idempotent.

        Args:
            timeout: seconds, -1 for as long as it takes (delivery.timeout.ms bounds it).

        Returns:
            True when nothing was left; what was left is dropped, and its callbacks are told.
        """
        if self._is_closed:
            return True
        try:
            left = self._peer.flush(timeout)
            if left:
                self._peer.purge()  # or its close() would wait for them
        finally:
            self._is_closed = True
            # It ends a transaction that there may be none of, and repeats what was fatal.
            with contextlib.suppress(PeerError, SystemError):
                self._peer.close()
        return bool(left == 0)

    def __len__(self) -> int:
        return len(self._peer)

    def __del__(self) -> None:
        """Nothing: what is queued goes with confluent_kafka's producer."""


def _message_to_peer(message: dict[str, Any]) -> dict[str, Any]:
    theirs = {name: value for name, value in message.items() if name != "_error"}
    for name in ("callback", "on_delivery"):
        if theirs.get(name) is not None:
            theirs["callback"] = delivery_callback(theirs.pop(name))
    return theirs
