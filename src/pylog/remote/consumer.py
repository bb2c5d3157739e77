"""RemoteConsumer: pylog.Consumer on a cluster, over confluent_kafka.Consumer."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confluent_kafka

from pylog.consumer import Consumer
from pylog.message import Message, peer_of, wrap_peers
from pylog.metadata import ClusterMetadata
from pylog.remote.peer import make_peer, refuses_the_rest, translates_errors
from pylog.remote.translate import PeerError, exception_from_peer, from_peer, to_peer
from pylog.types import TopicPartition

Rebalance = Callable[[Consumer, list[TopicPartition]], None]


@refuses_the_rest
class RemoteConsumer(Consumer):
    """Reads messages of a cluster; made by `pylog.Consumer` with bootstrap.servers."""

    _peer: Any = None

    def _connect(self, conf: Mapping[str, Any]) -> None:
        self._is_closed = False
        self._peer = make_peer(confluent_kafka.Consumer, "consumer", conf)

    # ---- messages ----

    def poll(self, timeout: float | None = None) -> Message | None:
        """The next message or event, None when the time is over; serves callbacks."""
        try:
            theirs = self._peer.poll(-1 if timeout is None else timeout)
        except PeerError as error:
            raise exception_from_peer(error) from error
        return None if theirs is None else wrap_peers([theirs])[0]

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Up to `num_messages` messages and events, fewer when the time is over."""
        try:
            return wrap_peers(self._peer.consume(num_messages, timeout))
        except PeerError as error:
            raise exception_from_peer(error) from error

    # ---- assignment ----

    @translates_errors
    def subscribe(
        self,
        topics: Sequence[str],
        on_assign: Rebalance | None = None,
        on_revoke: Rebalance | None = None,
        on_lost: Rebalance | None = None,
    ) -> None:
        """Join the group for these topics; see Consumer.subscribe."""
        callbacks = {"on_assign": on_assign, "on_revoke": on_revoke, "on_lost": on_lost}
        given = {
            name: self._rebalance_callback(callback) if callable(callback) else callback
            for name, callback in callbacks.items()
            if callback is not None
        }
        self._peer.subscribe(list(topics) if isinstance(topics, tuple) else topics, **given)

    def _rebalance_callback(self, callback: Rebalance) -> Callable[[Any, Any], None]:
        own = weakref.ref(self)  # the peer keeps the callback, and must not keep us

        def report(_: Any, partitions: Any) -> None:
            consumer = own()
            if consumer is not None:
                callback(consumer, from_peer(partitions))

        return report

    @translates_errors
    def unsubscribe(self) -> None:
        """Leave the group's topics."""
        self._peer.unsubscribe()

    @translates_errors
    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions from now on, and no others; see Consumer.assign."""
        self._peer.assign(to_peer(partitions))

    @translates_errors
    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions too."""
        self._peer.incremental_assign(to_peer(partitions))

    @translates_errors
    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading these partitions."""
        self._peer.incremental_unassign(to_peer(partitions))

    @translates_errors
    def unassign(self) -> None:
        """Read nothing."""
        self._peer.unassign()

    @translates_errors
    def assignment(self) -> list[TopicPartition]:
        """What is assigned now."""
        return list(from_peer(self._peer.assignment()))

    @translates_errors
    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Hand out no messages of these partitions until `resume`."""
        self._peer.pause(to_peer(partitions))

    @translates_errors
    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Go on with these partitions, where they stood."""
        self._peer.resume(to_peer(partitions))

    @translates_errors
    def seek(self, partition: TopicPartition) -> None:
        """Go on with an assigned partition at `partition.offset`."""
        self._peer.seek(to_peer(partition))

    @translates_errors
    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Offset of the next message of each; OFFSET_INVALID where nothing was read yet."""
        return list(from_peer(self._peer.position(to_peer(partitions))))

    # ---- offsets ----

    @translates_errors
    def commit(
        self,
        message: Message | None = None,
        offsets: Sequence[TopicPartition] | None = None,
        asynchronous: bool = True,
    ) -> list[TopicPartition] | None:
        """Commit offsets; see Consumer.commit."""
        given = _place(message, offsets)
        committed: list[TopicPartition] | None = from_peer(
            self._peer.commit(asynchronous=asynchronous, **given)
        )
        return committed

    @translates_errors
    def store_offsets(
        self, message: Message | None = None, offsets: Sequence[TopicPartition] | None = None
    ) -> None:
        """Set what the next commit without offsets commits; see Consumer.store_offsets."""
        self._peer.store_offsets(**_place(message, offsets))

    @translates_errors
    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float | None = None
    ) -> list[TopicPartition]:
        """What the group committed for each partition."""
        given = {} if timeout is None else {"timeout": timeout}
        return list(from_peer(self._peer.committed(to_peer(partitions), **given)))

    def consumer_group_metadata(self) -> Any:
        """What send_offsets_to_transaction wants to know of the group."""
        return self._peer.consumer_group_metadata()

    def memberid(self) -> str:
        """The id in the group, once the consumer is a member."""
        member_id: str = self._peer.memberid()
        return member_id

    # ---- look ----

    @translates_errors
    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float | None = None, cached: bool = False
    ) -> tuple[int, int]:
        """(log start offset, high watermark) of a partition; None when the time is over."""
        given = {} if timeout is None else {"timeout": timeout}
        found: tuple[int, int] = self._peer.get_watermark_offsets(
            to_peer(partition), cached=cached, **given
        )
        return found

    @translates_errors
    def offsets_for_times(
        self, partitions: Sequence[TopicPartition], timeout: float | None = None
    ) -> list[TopicPartition]:
        """First offset whose timestamp is at or after each `offset`, taken as ms since 1970."""
        given = {} if timeout is None else {"timeout": timeout}
        return list(from_peer(self._peer.offsets_for_times(to_peer(partitions), **given)))

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
    def set_sasl_credentials(self, username: str, password: str) -> None:
        """Log in with these from the next connection on."""
        self._peer.set_sasl_credentials(username, password)

    @translates_errors
    def close(self) -> None:
        """Leave the group and let go of the cluster. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._peer.close()


def _place(message: Message | None, offsets: Sequence[TopicPartition] | None) -> dict[str, Any]:
    """The arguments that say what to commit or store."""
    given: dict[str, Any] = {}
    if isinstance(message, Message) and peer_of(message) is None and offsets is None:
        # A message that no cluster handed out: of a folder, or made by the program.
        after = TopicPartition(
            message.topic() or "", message.partition() or 0, (message.offset() or 0) + 1
        )
        given["offsets"] = to_peer([after])
    elif message is not None:
        given["message"] = to_peer(message)
    if offsets is not None:
        given["offsets"] = to_peer(offsets)
    return given
