"""The face for programs that embed the log: open a folder, append, read, follow.

    with pylog.open("./data") as log:
        topic = log.topic("events", partitions=4)
        offset = topic.append(b"value", key=b"key")
        for message in topic.read(partition=0):
            ...

Everything here stands on the same queues and readers as Producer and Consumer.
"""

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from logcore import codecs
from logcore.errors import LogError
from logcore.log import Log
from pylog.appender import Appender
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.fetcher import Fetcher, PartitionFetch
from pylog.internal_topics import refuse_internal
from pylog.log_dir import LogDir
from pylog.message import Message
from pylog.partitioner import PARTITIONERS

if TYPE_CHECKING:
    import pyarrow

    from logcore.columns import Columns

ACKS = {0: 0, "0": 0, 1: 1, "1": 1, "all": -1, -1: -1, "-1": -1}


def open(  # noqa: A001 - pylog.open, as in shelve, gzip, dbm
    folder: str | os.PathLike[str],
    *,
    acks: int | str = "all",
    read_only: bool = False,
    create: bool = True,
    compression: str = "none",
    partitioner: str = "consistent_random",
    recovery: str = "strict",
    allow_network_file_system: bool = False,
) -> "EventLog":
    """Open a folder of topics; it is made when missing.

    Args:
        folder: path.
        acks: when append returns: "all" when the record is on the disk (fdatasync, shared by all
            who wait), 1 when it is in the page cache (it survives kill -9, not a power cut); 0 is
            taken like 1: there is no queue here.
        read_only: look only; works on a read-only file system.
        create: False raises where there is no such folder.
        compression: none, gzip, snappy, lz4 or zstd, of what is appended here.
        partitioner: as the config of that name, for records whose partition is not given.
        recovery: "strict" or "point_in_time", see logcore.Log.
        allow_network_file_system: open it there all the same; for one machine only.

    Raises:
        KafkaException: with a KafkaError whose text says what is wrong.
    """
    _refuse_cluster(folder)
    if acks not in ACKS:
        raise KafkaException(
            KafkaError(KafkaError._INVALID_ARG, f"acks is 0, 1 or all, not {acks!r}")
        )
    if compression not in codecs.CODEC_IDS:
        known = ", ".join(codecs.CODEC_IDS)
        raise KafkaException(
            KafkaError(
                KafkaError._INVALID_ARG, f"compression is one of {known}, not {compression!r}"
            )
        )
    if partitioner not in PARTITIONERS:
        known = ", ".join(PARTITIONERS)
        raise KafkaException(
            KafkaError(
                KafkaError._INVALID_ARG, f"partitioner is one of {known}, not {partitioner!r}"
            )
        )
    log_dir = LogDir.open(
        folder, create=create, read_only=read_only, recovery=recovery,
        allow_network_file_system=allow_network_file_system,
    )  # fmt: skip
    return EventLog(log_dir, ACKS[acks], codecs.CODEC_IDS[compression], PARTITIONERS[partitioner])


_CLUSTER = re.compile(r"kafka://.*|[\w.-]+:\d+(,[\w.-]+:\d+)*")


def _refuse_cluster(folder: str | os.PathLike[str]) -> None:
    """What looks like a cluster's address is not made into a folder of that name."""
    if isinstance(folder, str) and _CLUSTER.fullmatch(folder) and not os.path.exists(folder):
        raise KafkaException(
            KafkaError(
                KafkaError._INVALID_ARG,
                f"{folder} looks like the address of a cluster; pylog.open is for folders. Use "
                'pylog.Producer({"bootstrap.servers": ...}) and pylog.Consumer',
            )
        )


class EventLog:
    """An open folder. A context manager; close it, or leave that to the end of the process."""

    def __init__(self, log_dir: LogDir, acks: int, codec: int, partitioner_kind: int):
        self._log_dir = log_dir
        self._acks = acks
        self._codec = codec
        self._partitioner_kind = partitioner_kind
        self._is_closed = False

    @property
    def path(self) -> str:
        """The folder."""
        return self._log_dir.path

    def topics(self) -> list[str]:
        """Names of the topics, sorted."""
        return sorted(self._log_dir.topics())

    def topic(
        self, name: str, partitions: int = 1, configs: dict[str, Any] | None = None
    ) -> "Topic":
        """A topic; it is made, with these partitions and configs, when there is none.

        Args:
            name: as Kafka allows.
            partitions: of a new topic; an existing one keeps its own.
            configs: Kafka's topic configs for a new topic.
        """
        self._check_open()
        if not self._log_dir.is_read_only:
            refuse_internal(name)
        if self._log_dir.is_read_only or name in self._log_dir.topics():
            self._log_dir.topic(name)
        else:
            try:
                self._log_dir.create_topic(name, partitions, configs)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise  # another process may be first
        return Topic(self._log_dir, name, self._acks, self._codec, self._partitioner_kind)

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its records."""
        self._check_open()
        self._log_dir.delete_topic(name)

    def flush(self) -> None:
        """Make everything durable that was appended to the topics used here."""
        self._check_open()
        for log in self._log_dir.open_logs():
            try:
                log.flush()
            except LogError as error:
                raise from_log_error(error) from error

    def _check_open(self) -> None:
        if self._is_closed:
            raise KafkaException(KafkaError(KafkaError._STATE, f"{self.path} was closed"))

    def close(self) -> None:
        """Give up the folder. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._log_dir.close()

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<EventLog {self.path!r}{' closed' if self._is_closed else ''}>"


class Topic(Appender):
    """One topic of an open folder: `append`, `append_many`, `read`, `follow`, `columns`.

    Appending is safe for several threads and processes; each iterator belongs to one thread.
    """

    def __init__(self, log_dir: LogDir, name: str, acks: int, codec: int, partitioner_kind: int):
        self._log_dir = log_dir
        self.name = name
        self._configure(name, log_dir.partitions(name), acks, codec, partitioner_kind)

    @property
    def partitions(self) -> int:
        """How many partitions the topic has."""
        return self._log_dir.topic(self.name).partitions

    def log(self, partition: int = 0) -> Log:
        """The partition's logcore.Log."""
        return self._log_dir.partition(self.name, partition)

    def start_offset(self, partition: int = 0) -> int:
        """First offset that may be read."""
        return self.log(partition).log_start_offset

    def end_offset(self, partition: int = 0) -> int:
        """Offset of the next record to be written."""
        return self.log(partition).log_end_offset

    # ---- read ----

    def read(
        self, partition: int = 0, offset: int | None = None, max_records: int | None = None
    ) -> Iterator[Message]:
        """Messages of a partition up to its end as it is when the last one is reached.

        Args:
            partition: number.
            offset: to begin at, None for the log start; negative counts from the end.
            max_records: stop after so many.
        """
        reader = _PartitionReader(self._log_dir, self.name, [partition], offset)
        count = 0
        while max_records is None or count < max_records:
            message = reader.next_or_none()
            if message is None:
                return
            count += 1
            yield message

    def follow(
        self, partition: int | None = None, offset: int | None = None, timeout: float | None = None
    ) -> Iterator[Message]:
        """Messages as they come, sleeping in between.

        Args:
            partition: number, None for all.
            offset: to begin at, None for the log start; negative counts from the end.
            timeout: seconds without a message after which to stop, None for never.
        """
        wanted = range(self.partitions) if partition is None else [partition]
        reader = _PartitionReader(self._log_dir, self.name, wanted, offset)
        while (message := reader.poll(timeout)) is not None:
            yield message

    def columns(
        self, partition: int = 0, offset: int | None = None, max_records: int = 65536
    ) -> "Columns":
        """Records as numpy arrays: see logcore.columns.Columns.

        Args:
            partition: number.
            offset: to begin at, None for the log start.
            max_records: about how many; whole batches are returned, at least one.
        """
        log = self.log(partition)
        try:
            return log.read_columns(
                log.log_start_offset if offset is None else offset,
                max_records,
                read_committed=True,
            )
        except LogError as error:
            raise from_log_error(error) from error

    def to_arrow(
        self, partition: int = 0, offset: int | None = None, end_offset: int | None = None
    ) -> "pyarrow.Table":
        """A pyarrow.Table of a partition (extra `arrow`).

        Args:
            partition: number.
            offset: to begin at, None for the log start.
            end_offset: to end before, None for the log end.
        """
        from logcore.arrow import table_from_log

        log = self.log(partition)
        try:
            return table_from_log(log, offset, end_offset)
        except LogError as error:
            raise from_log_error(error) from error

    def __enter__(self) -> "Topic":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing to give up: the folder's EventLog owns the files."""

    def __iter__(self) -> Iterator[Message]:
        return self.read()

    def __repr__(self) -> str:
        return f"<Topic {self.name!r}>"


class _PartitionReader(Fetcher):
    """The consumer's fetcher for fixed partitions and offsets."""

    def __init__(
        self, log_dir: LogDir, topic: str, partitions: Sequence[int] | range, offset: int | None
    ):
        self._configure_fetcher(
            reports_end=False, is_busy_polling=False, stores_offsets=False,
            wake_word=log_dir.notify, raises_errors=True,
        )  # fmt: skip
        fetches = []
        for number in partitions:
            log = log_dir.partition(topic, number)
            begin = log.log_start_offset if offset is None else offset
            if begin < 0:
                begin = max(log.log_start_offset, log.log_end_offset + begin)
            fetch = PartitionFetch(topic, number, log, begin)
            try:
                fetch.begin(begin)
            except LogError as error:
                raise from_log_error(error) from error
            fetches.append(fetch)
        self._set_fetches(fetches)

    def next_or_none(self) -> Message | None:
        """The next message that is there."""
        message: Message | None = self.poll(0)
        return message

    def _resolve(self, fetch: PartitionFetch) -> None:
        fetch.begin(fetch.start_offset)

    def _out_of_range(self, fetch: PartitionFetch, error: LogError) -> bool:
        raise from_log_error(error) from error
