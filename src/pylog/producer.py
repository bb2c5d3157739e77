"""Producer: confluent_kafka's producer over a folder.

Encoding and appending stand in accumulator.pyx. This module reads the configuration and runs the
helper thread, which sends batches whose linger time is over and, for acks=all, makes what was
appended durable with one fdatasync for all that waits.
"""

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from logcore import codecs
from logcore.errors import LogError
from logcore.log import Log
from pylog import config as client_config
from pylog import remote
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.internal_topics import refuse_internal
from pylog.log_dir import LogDir
from pylog.message import Message
from pylog.metadata import ClusterMetadata, describe_cluster
from pylog.partitioner import PARTITIONERS
from pylog.txn.transactional_producer import TransactionalProducer

Callback = Callable[[KafkaError | None, Message], object]

# How long a poll() sleeps at most before it looks for callbacks again.
_POLL_SLICE_S = 0.05
_REFRESH_INTERVAL_S = 1.0


class Producer(TransactionalProducer):
    """Writes messages to topics of a folder.

    A drop-in for confluent_kafka.Producer: the same configuration, with `log.dir` (a folder) where
    it had `bootstrap.servers`; with `bootstrap.servers` it is a cluster's, see pylog.remote. Safe
    for several threads. A context manager: leaving it flushes.

    Args:
        conf: configuration; keyword arguments work too.

    Raises:
        KafkaException: _INVALID_ARG for a configuration that is none.

    >>> import pylog, tempfile
    >>> producer = pylog.Producer({"log.dir": tempfile.mkdtemp()})
    >>> producer.produce("greetings", b"hello", key=b"en")
    >>> producer.flush()
    0
    """

    def __init__(self, conf: Mapping[str, Any] | None = None, /, **kwargs: Any):
        if remote.connect(self, "producer", {**(conf or {}), **kwargs}):
            return
        self._config = client_config.parse("producer", {**(conf or {}), **kwargs})
        self._error_callback = self._config["error_cb"]
        self._errors: list[KafkaError] = []
        self._wake = threading.Event()
        self._served = threading.Condition()
        self._is_closed = False
        # For consumers its default is false, and for producers true, as in librdkafka.
        self._may_create_topics = (
            self._config["allow.auto.create.topics"]
            or "allow.auto.create.topics" not in self._config
        )
        self._log_dir = LogDir.open(client_config.resolve_log_dir(self._config))
        partitioner = self._config["partitioner"]
        level = self._config["compression.level"]
        self._configure(
            acks=self._config["acks"] if self._config["acks"] in (0, 1) else -1,
            batch_size=self._config["batch.size"],
            batch_num_messages=self._config["batch.num.messages"],
            message_max_bytes=self._config["message.max.bytes"],
            linger_ms=self._config["linger.ms"],
            max_buffered=self._config["queue.buffering.max.messages"] or (1 << 62),
            message_timeout_ms=client_config.message_timeout_ms(self._config),
            partitioner_kind=0 if callable(partitioner) else PARTITIONERS[partitioner],
            codec=codecs.CODEC_IDS[self._config["compression.type"]],
            level=None if level == -1 else level,
            default_callback=self._config["on_delivery"] or self._config["dr_cb"],
            custom_partitioner=partitioner if callable(partitioner) else None,
            wake_helper=self._start_helper,
        )  # fmt: skip
        self._refresh_due_s = 0.0
        self._helper: threading.Thread | None = None
        self._helper_lock = threading.Lock()
        try:
            self._identify(self._config)
        except BaseException:
            self._is_closed = True
            self._log_dir.close()
            raise

    # ---- what the accumulator asks for ----

    def _open_topic(self, topic: str) -> list[tuple[int, Log]]:
        """Partitions of a topic and their logs; an unknown topic is made, as a broker would."""
        refuse_internal(topic)
        try:
            return list(enumerate(self._log_dir.partitions(topic)))
        except KafkaException as error:
            is_unknown = error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            may_create = self._may_create_topics and self._log_dir.creates_topics
            if not is_unknown or not may_create:
                raise
        with contextlib.suppress(KafkaException):  # another process may be first
            self._log_dir.create_topic(topic, self._log_dir.default_partitions)
        return list(enumerate(self._log_dir.partitions(topic)))

    def _note_trouble(self, error: LogError) -> None:
        known = from_log_error(error).args[0]
        if known not in self._errors:
            self._errors.append(known)

    def _start_helper(self) -> None:
        """Wake the helper thread; start it when there is none (in a forked child too)."""
        helper = self._helper
        if helper is None or not helper.is_alive():
            with self._helper_lock:
                if self._helper is None or not self._helper.is_alive():
                    self._helper = threading.Thread(
                        target=_help,
                        args=(weakref.ref(self), self._wake),
                        name="pylog-producer",
                        daemon=True,
                    )
                    self._helper.start()
        self._wake.set()

    def _take_turn(self) -> float | None:
        """The helper's work: seconds until there is more of it, None when that is not known."""
        due_s = None
        try:
            self._refresh_topics()
            due_s = self._send_due()
            while self._has_unacknowledged():
                self._flush_unacknowledged()
        except Exception as error:  # for the caller to see
            self._set_failure(error)
        with self._served:
            self._served.notify_all()
        return due_s

    def _refresh_topics(self) -> None:
        """Notice partitions that were added, at most once a second."""
        now_s = time.monotonic()
        if now_s < self._refresh_due_s:
            return
        self._refresh_due_s = now_s + _REFRESH_INTERVAL_S
        known = self._log_dir.topics()
        for topic, count in self._topic_sizes().items():
            if topic in known and known[topic].partitions > count:
                self._grow_topic(topic)

    # ---- confluent_kafka's face ----

    def poll(self, timeout: float | None = None) -> int:
        """Serve delivery callbacks.

        Args:
            timeout: seconds to wait for one; None or -1 until one comes, or nothing is left that
                could bring one.

        Returns:
            How many callbacks were called.
        """
        deadline_s = _deadline_s(timeout)
        while True:
            served = self._serve()
            left_s = deadline_s - time.monotonic()
            if served or left_s <= 0 or not len(self):
                return served
            with self._served:
                if not self._has_delivered():
                    self._served.wait(min(left_s, _POLL_SLICE_S))

    def flush(self, timeout: float | None = -1) -> int:
        """Send what is queued, wait until it is as safe as `acks` asks, serve its callbacks.

        Args:
            timeout: seconds, -1 for as long as it takes, 0 to send and not to wait for the disk.

        Returns:
            How many messages are still queued, or not yet as safe: 0 unless the time was over.

        Raises:
            KafkaException: messages without a callback could not be written, or the disk refuses
                them for now (they stay queued: free space and flush again).
        """
        return self._flush(timeout, waits=timeout != 0)

    def _flush(self, timeout: float | None, *, waits: bool) -> int:
        deadline_s = _deadline_s(timeout)
        while True:
            self._raise_failure()
            self._send_all()
            if waits:
                self._flush_unacknowledged()
            self._serve()
            self._raise_failure()
            if not len(self):
                return 0
            if self._errors and self._error_callback is None and self._has_unsent():
                raise KafkaException(self._errors.pop())
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return len(self)
            self._wake.set()
            with self._served:
                self._served.wait(min(left_s, _POLL_SLICE_S))

    def produce_batch(
        self,
        topic: str,
        messages: list[dict[str, Any]],
        partition: int = -1,
        callback: Callback | None = None,
        on_delivery: Callback | None = None,
    ) -> int:
        """Queue many messages for a topic.

        Args:
            topic: name.
            messages: dicts of produce()'s arguments (value, key, partition, timestamp, headers,
                callback); one that is refused gets `_error`, a KafkaError, and the others go on.
            partition: of the messages that name none.
            callback: another name for on_delivery.
            on_delivery: of the messages that name none.

        Returns:
            How many were queued.
        """
        queued = 0
        for message in messages:
            own = {key: value for key, value in message.items() if key != "_error"}
            own.setdefault("partition", partition)
            if "callback" not in own and "on_delivery" not in own:
                own["on_delivery"] = on_delivery or callback
            try:
                self.produce(topic, **own)
                queued += 1
            except KafkaException as error:
                message["_error"] = error.args[0]
            except BufferError as error:
                message["_error"] = KafkaError(KafkaError._QUEUE_FULL, str(error))
        return queued

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        """Drop messages that are queued; their callbacks get _PURGE_QUEUE.

        Args:
            in_queue: those that are not in the log yet.
            in_flight: nothing: what was appended is in the log.
            blocking: accepted.
        """
        if in_queue:
            self._purge_queues()

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Metadata of the folder's topics, or of one; an unknown one carries an error."""
        return describe_cluster(self._log_dir, topic)

    def cluster_id(self, timeout: float = -1) -> str:
        """The folder's id."""
        return self._log_dir.cluster_id

    def close(self, timeout: float = -1) -> bool:
        """Flush and give up the folder. Idempotent. Returns True when nothing was left.

        An open transaction is aborted.
        """
        if self._is_closed:
            return True
        try:
            self._leave_transactions()
            left = self._flush(timeout, waits=True)
        finally:
            self._is_closed = True
            self._wake.set()
            helper = self._helper
            is_own = helper is threading.current_thread()  # it let go of the producer last
            if helper is not None and helper.is_alive() and not is_own:
                helper.join()
            self._close_queues()
            self._log_dir.close()
        return left == 0

    def __enter__(self) -> "Producer":
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        # What was produced and not flushed is sent, as far as an interpreter that ends allows.
        with contextlib.suppress(Exception):
            if not self._is_closed:
                self.close(0)

    def set_sasl_credentials(self, username: str, password: str) -> None:
        """Accepted: a folder asks for none."""

    def _serve(self) -> int:
        if self._errors and self._error_callback is not None:
            for error in self._errors:
                self._error_callback(error)
            self._errors.clear()
        return self._serve_callbacks()


def _help(reference: "weakref.ref[Producer]", wake: threading.Event) -> None:
    """The helper thread: it must not keep a producer alive that nobody uses any more."""
    due_s: float | None = None
    while True:
        wake.wait(due_s)
        wake.clear()
        producer = reference()
        if producer is None or producer._is_closed:
            return
        due_s = producer._take_turn()
        del producer


def _deadline_s(timeout: float | None) -> float:
    if timeout is None or timeout < 0:
        return float("inf")
    return time.monotonic() + timeout
