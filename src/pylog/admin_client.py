"""AdminClient: confluent_kafka.admin's over a folder. The folder is a cluster of one broker, 0.

Each call does its work before it returns and answers with futures that are done, one for each item:
`future.result()` returns what confluent_kafka's does, or raises the KafkaException. What is wrong
with the arguments themselves is raised by the call.
"""

import operator
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, NoReturn

from logcore.log import Log
from pylog import config as client_config
from pylog import remote
from pylog.admin_arguments import (
    check_assignment,
    check_incremental,
    check_new_topic,
    require_collection,
    require_items,
    require_partitions,
    require_specs,
    take_options,
)
from pylog.admin_configs import apply_entries, describe_folder, describe_topic
from pylog.admin_groups import GroupAdmin
from pylog.admin_transactions import TransactionAdmin
from pylog.admin_types import (
    ConfigEntry,
    ConfigResource,
    DeletedRecords,
    DescribeClusterResult,
    IsolationLevel,
    ListOffsetsResultInfo,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicCollection,
    TopicDescription,
    TopicPartitionInfo,
    Uuid,
)
from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.internal_topics import is_internal
from pylog.log_dir import LogDir
from pylog.metadata import BROKER_ID, ClusterMetadata, describe_cluster
from pylog.types import OFFSET_END, TopicPartition


class AdminClient(GroupAdmin, TransactionAdmin):
    """Creates, changes, describes and deletes topics of a folder.

    A drop-in for confluent_kafka.admin.AdminClient: the same configuration, with `log.dir` (a
    folder) where it had `bootstrap.servers`; with `bootstrap.servers` it is a cluster's, see
    pylog.remote. Safe for several threads. A context manager.
    The options request_timeout, operation_timeout (seconds), broker and
    include_authorized_operations are checked and of no effect: there is nobody to wait for, and a
    folder has no access lists.

    Args:
        conf: configuration; keyword arguments work too.

    Raises:
        KafkaException: _INVALID_ARG for a configuration that is none; a folder that is not ours.

    >>> import tempfile
    >>> admin = AdminClient({"log.dir": tempfile.mkdtemp()})
    >>> admin.create_topics([NewTopic("greetings", 2)])["greetings"].result()
    >>> len(admin.list_topics().topics["greetings"].partitions)
    2
    """

    def __init__(self, conf: Mapping[str, Any] | None = None, /, **kwargs: Any):
        given = kwargs.pop("conf", {}) if conf is None else conf
        if not isinstance(given, Mapping):
            raise TypeError("expected configuration dict")
        conf = {**given, **kwargs}
        if remote.connect(self, "admin", conf):
            return
        conf.pop("logger", None)
        config = client_config.parse("admin", conf)
        self._is_closed = True
        self._log_dir = LogDir.open(
            client_config.resolve_log_dir(config), read_only=config["read.only"]
        )
        self._is_closed = False

    # ---- topics ----

    def create_topics(
        self, new_topics: list[NewTopic], **options: Any
    ) -> dict[str, "Future[None]"]:
        """Make topics.

        Args:
            new_topics: what to make.
            options: validate_only (only say what would come of it), timeouts.

        Returns:
            Futures by name, of None. TOPIC_ALREADY_EXISTS, TOPIC_EXCEPTION, INVALID_PARTITIONS,
            INVALID_REPLICATION_FACTOR, INVALID_REPLICA_ASSIGNMENT, INVALID_CONFIG.
        """
        take_options(options, "operation_timeout", "validate_only")
        require_items(new_topics, NewTopic)
        for wanted in new_topics:
            check_new_topic(wanted)

        def create(wanted: NewTopic) -> None:
            count = wanted.num_partitions
            if wanted.replication_factor not in (-1, 1):
                refuse(
                    KafkaError.INVALID_REPLICATION_FACTOR,
                    f"replication factor {wanted.replication_factor}: a folder holds one copy",
                )
            if wanted.replica_assignment is not None:
                check_assignment(wanted.replica_assignment)
                count = len(wanted.replica_assignment)
            self._log_dir.create_topic(
                wanted.topic, None if count == -1 else count, wanted.config or {},
                validate_only=options.get("validate_only", False),
            )  # fmt: skip

        return self._each(new_topics, lambda wanted: wanted.topic, create)

    def delete_topics(self, topics: list[str], **options: Any) -> dict[str, "Future[None]"]:
        """Delete topics and their records. There is no way back.

        Args:
            topics: names.
            options: timeouts.

        Returns:
            Futures by name, of None. UNKNOWN_TOPIC_OR_PART, TOPIC_EXCEPTION.
        """
        take_options(options, "operation_timeout")
        require_items(topics, str)
        return self._each(topics, lambda name: name, self._log_dir.delete_topic)

    def create_partitions(
        self, new_partitions: list[NewPartitions], **options: Any
    ) -> dict[str, "Future[None]"]:
        """Give topics more partitions.

        Args:
            new_partitions: topics with their new totals.
            options: validate_only (only say what would come of it), timeouts.

        Returns:
            Futures by name, of None. UNKNOWN_TOPIC_OR_PART, INVALID_PARTITIONS,
            INVALID_REPLICA_ASSIGNMENT.
        """
        take_options(options, "operation_timeout", "validate_only")
        require_items(new_partitions, NewPartitions)

        def grow(wanted: NewPartitions) -> None:
            if wanted.replica_assignment is not None:
                check_assignment(wanted.replica_assignment)
            self._log_dir.create_partitions(
                wanted.topic,
                wanted.new_total_count,
                validate_only=options.get("validate_only", False),
            )

        return self._each(new_partitions, lambda wanted: wanted.topic, grow)

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Metadata of the folder's topics, or of one; an unknown one carries an error.

        Args:
            topic: name, None for all.
            timeout: seconds, accepted.
        """
        self._check_open()
        return describe_cluster(self._log_dir, topic)

    def describe_topics(
        self, topics: TopicCollection, **options: Any
    ) -> dict[str, "Future[TopicDescription]"]:
        """Describe topics.

        Args:
            topics: TopicCollection of their names.
            options: include_authorized_operations, request_timeout.

        Returns:
            Futures by name, of TopicDescription. UNKNOWN_TOPIC_OR_PART, TOPIC_EXCEPTION.
        """
        take_options(options, "include_authorized_operations")
        require_collection(topics)

        def describe(name: str) -> TopicDescription:
            known = self._log_dir.topic(name)
            node = self._node()
            partitions = [
                TopicPartitionInfo(number, node, [node], [node])
                for number in range(known.partitions)
            ]
            topic_id = Uuid(known.topic_id.int >> 64, known.topic_id.int % 2**64)
            operations: list[Any] | None = (
                [] if options.get("include_authorized_operations") else None
            )
            return TopicDescription(name, topic_id, is_internal(name), partitions, operations)

        return self._each(topics.topic_names, lambda name: name, describe)

    # ---- configs ----

    def describe_configs(
        self, resources: list[ConfigResource], **options: Any
    ) -> dict[ConfigResource, "Future[dict[str, ConfigEntry]]"]:
        """Every config of topics, or of the folder (BROKER "0"), with its value and source.

        Args:
            resources: of type TOPIC or BROKER.
            options: request_timeout, broker.

        Returns:
            Futures by resource, of ConfigEntry by name. UNKNOWN_TOPIC_OR_PART, INVALID_REQUEST.
        """
        take_options(options, "broker")
        require_items(resources, ConfigResource)

        def describe(resource: ConfigResource) -> dict[str, ConfigEntry]:
            if self._is_folder(resource):
                configs = {"log.dir": self._log_dir.path, **self._log_dir.folder_configs()}
                return {key: describe_folder(key, value) for key, value in configs.items()}
            return describe_topic(self._log_dir.topic(resource.name).configs)

        return self._each(resources, lambda resource: resource, describe)

    def alter_configs(
        self, resources: list[ConfigResource], **options: Any
    ) -> dict[ConfigResource, "Future[None]"]:
        """Set configs to exactly `set_config` of each resource; all others go to their defaults.

        Args:
            resources: of type TOPIC or BROKER.
            options: validate_only (only say what would come of it), request_timeout, broker.

        Returns:
            Futures by resource, of None. UNKNOWN_TOPIC_OR_PART, INVALID_CONFIG, INVALID_REQUEST.
        """
        take_options(options, "broker", "validate_only")
        require_items(resources, ConfigResource)

        def alter(resource: ConfigResource) -> None:
            def replace(current: Mapping[str, str]) -> dict[str, Any]:
                return {**dict.fromkeys(current), **resource.set_config_dict}

            self._alter(resource, replace, options)

        return self._each(resources, lambda resource: resource, alter)

    def incremental_alter_configs(
        self, resources: list[ConfigResource], **options: Any
    ) -> dict[ConfigResource, "Future[None]"]:
        """Change the configs in `incremental_configs` of each resource; the others stay.

        Args:
            resources: of type TOPIC or BROKER.
            options: validate_only (only say what would come of it), request_timeout, broker.

        Returns:
            Futures by resource, of None. UNKNOWN_TOPIC_OR_PART, INVALID_CONFIG, INVALID_REQUEST.
        """
        take_options(options, "broker", "validate_only")
        require_items(resources, ConfigResource)
        for resource in resources:
            check_incremental(resource)

        def alter(resource: ConfigResource) -> None:
            def change(current: Mapping[str, str]) -> dict[str, Any]:
                return apply_entries(current, resource.incremental_configs)

            self._alter(resource, change, options)

        return self._each(resources, lambda resource: resource, alter)

    def _alter(
        self,
        resource: ConfigResource,
        change: Callable[[Mapping[str, str]], dict[str, Any]],
        options: Mapping[str, Any],
    ) -> None:
        validate_only = options.get("validate_only", False)
        if self._is_folder(resource):
            self._log_dir.alter_folder_configs(change, validate_only=validate_only)
        else:
            self._log_dir.alter_configs(resource.name, change, validate_only=validate_only)

    def _is_folder(self, resource: ConfigResource) -> bool:
        if resource.restype == ResourceType.BROKER:
            if resource.name not in ("", str(BROKER_ID)):
                refuse(
                    KafkaError.INVALID_REQUEST,
                    f"no broker {resource.name}: the folder is broker {BROKER_ID}",
                )
            return True
        if resource.restype != ResourceType.TOPIC:
            refuse(KafkaError.INVALID_REQUEST, f"{resource.restype.name} has no configs here")
        return False

    # ---- records ----

    def delete_records(
        self, topic_partition_offsets: list[TopicPartition], **options: Any
    ) -> dict[TopicPartition, "Future[DeletedRecords]"]:
        """Delete the records below an offset of each partition; OFFSET_END deletes all.

        Args:
            topic_partition_offsets: with `offset` set.
            options: timeouts.

        Returns:
            Futures by partition, of DeletedRecords. UNKNOWN_TOPIC_OR_PART, OFFSET_OUT_OF_RANGE.
        """
        take_options(options, "operation_timeout")
        require_partitions(topic_partition_offsets)

        def delete(wanted: TopicPartition) -> DeletedRecords:
            if wanted.offset < 0 and wanted.offset != OFFSET_END:
                refuse(
                    KafkaError.OFFSET_OUT_OF_RANGE, f"cannot delete below offset {wanted.offset}"
                )
            return DeletedRecords(self._log(wanted).delete_records(wanted.offset))

        return self._each(topic_partition_offsets, lambda wanted: wanted, delete)

    def list_offsets(
        self, topic_partition_offsets: dict[TopicPartition, OffsetSpec], **options: Any
    ) -> dict[TopicPartition, "Future[ListOffsetsResultInfo]"]:
        """The first or last offset of partitions, or those of a time.

        Args:
            topic_partition_offsets: an OffsetSpec for each.
            options: isolation_level (the end is the last stable offset for READ_COMMITTED),
                request_timeout.

        Returns:
            Futures by partition, of ListOffsetsResultInfo: offset -1 where no record is that young.
            UNKNOWN_TOPIC_OR_PART.
        """
        take_options(options, "isolation_level")
        require_specs(topic_partition_offsets)
        return self._each(
            list(topic_partition_offsets),
            lambda wanted: wanted,
            lambda wanted: _list_offset(
                self._log(wanted),
                topic_partition_offsets[wanted],
                options.get("isolation_level") == IsolationLevel.READ_COMMITTED,
            ),
        )

    def _log(self, wanted: TopicPartition) -> Log:
        known = self._log_dir.topic(wanted.topic)
        if wanted.partition >= known.partitions:
            refuse(
                KafkaError.UNKNOWN_TOPIC_OR_PART,
                f"topic {wanted.topic} has partitions 0 to {known.partitions - 1}, "
                f"not {wanted.partition}",
            )
        return self._log_dir.partition(wanted.topic, wanted.partition)

    # ---- the folder ----

    def describe_cluster(self, **options: Any) -> "Future[DescribeClusterResult]":
        """Describe the folder as a cluster of one broker.

        Args:
            options: include_authorized_operations, request_timeout.
        """
        take_options(options, "include_authorized_operations")

        def describe(_: None) -> DescribeClusterResult:
            node = self._node()
            operations: list[Any] | None = (
                [] if options.get("include_authorized_operations") else None
            )
            return DescribeClusterResult(node, [node], self._log_dir.cluster_id, operations)

        return self._each([None], lambda key: key, describe)[None]

    def cluster_id(self, timeout: float = -1) -> str:
        """The folder's id, made when it was."""
        self._check_open()
        return self._log_dir.cluster_id

    def poll(self, timeout: float = -1) -> int:
        """Serve callbacks: there are none. Returns 0."""
        return 0

    def set_sasl_credentials(self, username: str, password: str) -> None:
        """Accepted: a folder asks for none."""

    # ---- access lists, users: their place ----

    def create_acls(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not here: who may use a folder is the file system's to say."""
        refuse(KafkaError._NOT_IMPLEMENTED, "a folder has no access lists and no users")

    describe_acls = delete_acls = create_acls
    describe_user_scram_credentials = alter_user_scram_credentials = create_acls

    def elect_leaders(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not here: the folder leads every partition."""
        refuse(KafkaError._NOT_IMPLEMENTED, "a folder has one broker, which leads every partition")


def _list_offset(log: Log, spec: OffsetSpec, is_read_committed: bool) -> ListOffsetsResultInfo:
    value = operator.index(spec._value)
    if value == OffsetSpec._EARLIEST:
        return ListOffsetsResultInfo(log.log_start_offset, -1, log.leader_epoch)
    if value == OffsetSpec._LATEST:
        end_offset = log.last_stable_offset if is_read_committed else log.high_watermark
        return ListOffsetsResultInfo(end_offset, -1, log.leader_epoch)
    if value == OffsetSpec._MAX_TIMESTAMP:
        times = [info.largest_timestamp_ms for info in log.segments() if info.size_bytes]
        found = log.offset_for_timestamp(max(times)) if times else None
    else:
        found = log.offset_for_timestamp(value)
    if found is None:
        return ListOffsetsResultInfo(-1, -1, -1)
    return ListOffsetsResultInfo(found[0], found[1], log.leader_epoch)
