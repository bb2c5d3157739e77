"""The table of error codes: Kafka's of the protocol and librdkafka's of the client.

One row a code: number, description, whether a retry may succeed. The name is the attribute's.
Names and descriptions are librdkafka 2.16's, so that a program and its log messages stay as they
were with confluent_kafka; rows that librdkafka lacks (98 to 109, in part) have Kafka's name.

Retriable is Kafka 4.3's verdict for its own codes (RetriableException). librdkafka gives none for
its local codes; here those are retriable that say "not now".

Source: org.apache.kafka.common.protocol.Errors; librdkafka RD_KAFKA_RESP_ERR.
"""

from typing import NamedTuple


class ErrorCode(NamedTuple):
    """One row: `name` is the attribute of KafkaError that holds `code`."""

    code: int
    name: str
    description: str
    is_retriable: bool


_TEXTS: dict[int, tuple[str, bool]] = {}


def _code(code: int, description: str, retriable: bool = False) -> int:
    _TEXTS[code] = (description, retriable)
    return code


def _local(code: int, description: str, retriable: bool = False) -> int:
    return _code(code, f"Local: {description}", retriable)


def _broker(code: int, description: str, retriable: bool = False) -> int:
    return _code(code, f"Broker: {description}", retriable)


class ErrorCodes:
    """The codes by name; KafkaError inherits them."""

    __slots__ = ()

    # Local: raised by the client, never on the wire.
    _BAD_MSG = _local(-199, "Bad message format")
    _BAD_COMPRESSION = _local(-198, "Invalid compressed data")
    _DESTROY = _local(-197, "Broker handle destroyed for termination")
    _FAIL = _local(-196, "Communication failure with broker")
    _TRANSPORT = _local(-195, "Broker transport failure", retriable=True)
    _CRIT_SYS_RESOURCE = _local(-194, "Critical system resource failure")
    _RESOLVE = _local(-193, "Host resolution failure")
    _MSG_TIMED_OUT = _local(-192, "Message timed out")
    _PARTITION_EOF = _code(-191, "Broker: No more messages")
    _UNKNOWN_PARTITION = _local(-190, "Unknown partition")
    _FS = _local(-189, "File or filesystem error")
    _UNKNOWN_TOPIC = _local(-188, "Unknown topic")
    _ALL_BROKERS_DOWN = _local(-187, "All broker connections are down")
    _INVALID_ARG = _local(-186, "Invalid argument or configuration")
    _TIMED_OUT = _local(-185, "Timed out", retriable=True)
    _QUEUE_FULL = _local(-184, "Queue full", retriable=True)
    _ISR_INSUFF = _local(-183, "ISR count insufficient")
    _NODE_UPDATE = _local(-182, "Broker node update")
    _SSL = _local(-181, "SSL error")
    _WAIT_COORD = _local(-180, "Waiting for coordinator", retriable=True)
    _UNKNOWN_GROUP = _local(-179, "Unknown group")
    _IN_PROGRESS = _local(-178, "Operation in progress")
    _PREV_IN_PROGRESS = _local(-177, "Previous operation in progress")
    _EXISTING_SUBSCRIPTION = _local(-176, "Existing subscription")
    _ASSIGN_PARTITIONS = _local(-175, "Assign partitions")
    _REVOKE_PARTITIONS = _local(-174, "Revoke partitions")
    _CONFLICT = _local(-173, "Conflicting use")
    _STATE = _local(-172, "Erroneous state")
    _UNKNOWN_PROTOCOL = _local(-171, "Unknown protocol")
    _NOT_IMPLEMENTED = _local(-170, "Not implemented")
    _AUTHENTICATION = _local(-169, "Authentication failure")
    _NO_OFFSET = _local(-168, "No offset stored")
    _OUTDATED = _local(-167, "Outdated")
    _TIMED_OUT_QUEUE = _local(-166, "Timed out in queue", retriable=True)
    _UNSUPPORTED_FEATURE = _local(-165, "Required feature not supported by broker")
    _WAIT_CACHE = _local(-164, "Awaiting cache update", retriable=True)
    _INTR = _local(-163, "Operation interrupted")
    _KEY_SERIALIZATION = _local(-162, "Key serialization error")
    _VALUE_SERIALIZATION = _local(-161, "Value serialization error")
    _KEY_DESERIALIZATION = _local(-160, "Key deserialization error")
    _VALUE_DESERIALIZATION = _local(-159, "Value deserialization error")
    _PARTIAL = _local(-158, "Partial response")
    _READ_ONLY = _local(-157, "Read-only object")
    _NOENT = _local(-156, "No such entry")
    _UNDERFLOW = _local(-155, "Read underflow")
    _INVALID_TYPE = _local(-154, "Invalid type")
    _RETRY = _local(-153, "Retry operation", retriable=True)
    _PURGE_QUEUE = _local(-152, "Purged in queue")
    _PURGE_INFLIGHT = _local(-151, "Purged in flight")
    _FATAL = _local(-150, "Fatal error")
    _INCONSISTENT = _local(-149, "Inconsistent state")
    _GAPLESS_GUARANTEE = _local(-148, "Gap-less ordering would not be guaranteed if proceeding")
    _MAX_POLL_EXCEEDED = _local(
        -147, "Maximum application poll interval (max.poll.interval.ms) exceeded"
    )
    _UNKNOWN_BROKER = _local(-146, "Unknown broker")
    _NOT_CONFIGURED = _local(-145, "Functionality not configured")
    _FENCED = _local(-144, "This instance has been fenced by a newer instance")
    _APPLICATION = _local(-143, "Application generated error")
    _ASSIGNMENT_LOST = _local(-142, "Group partition assignment lost")
    _NOOP = _local(-141, "No operation performed")
    _AUTO_OFFSET_RESET = _local(-140, "No offset to automatically reset to")
    _LOG_TRUNCATION = _local(-139, "Partition log truncation detected")
    _INVALID_DIFFERENT_RECORD = _local(
        -138, "an invalid record in the same batch caused the failure of this message too"
    )
    _DESTROY_BROKER = _local(-137, "Broker handle destroyed without termination")

    # Kafka's own.
    UNKNOWN = _code(-1, "Unknown broker error")
    NO_ERROR = _code(0, "Success")
    OFFSET_OUT_OF_RANGE = _broker(1, "Offset out of range")
    INVALID_MSG = _broker(2, "Invalid message", retriable=True)
    UNKNOWN_TOPIC_OR_PART = _broker(3, "Unknown topic or partition", retriable=True)
    INVALID_MSG_SIZE = _broker(4, "Invalid message size")
    LEADER_NOT_AVAILABLE = _broker(5, "Leader not available", retriable=True)
    NOT_LEADER_FOR_PARTITION = _broker(6, "Not leader for partition", retriable=True)
    REQUEST_TIMED_OUT = _broker(7, "Request timed out", retriable=True)
    BROKER_NOT_AVAILABLE = _broker(8, "Broker not available")
    REPLICA_NOT_AVAILABLE = _broker(9, "Replica not available", retriable=True)
    MSG_SIZE_TOO_LARGE = _broker(10, "Message size too large")
    STALE_CTRL_EPOCH = _broker(11, "StaleControllerEpochCode")
    OFFSET_METADATA_TOO_LARGE = _broker(12, "Offset metadata string too large")
    NETWORK_EXCEPTION = _broker(13, "Broker disconnected before response received", retriable=True)
    COORDINATOR_LOAD_IN_PROGRESS = _broker(14, "Coordinator load in progress", retriable=True)
    COORDINATOR_NOT_AVAILABLE = _broker(15, "Coordinator not available", retriable=True)
    NOT_COORDINATOR = _broker(16, "Not coordinator", retriable=True)
    TOPIC_EXCEPTION = _broker(17, "Invalid topic")
    RECORD_LIST_TOO_LARGE = _broker(18, "Message batch larger than configured server segment size")
    NOT_ENOUGH_REPLICAS = _broker(19, "Not enough in-sync replicas", retriable=True)
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = _broker(
        20, "Message(s) written to insufficient number of in-sync replicas", retriable=True
    )
    INVALID_REQUIRED_ACKS = _broker(21, "Invalid required acks value")
    ILLEGAL_GENERATION = _broker(22, "Specified group generation id is not valid")
    INCONSISTENT_GROUP_PROTOCOL = _broker(23, "Inconsistent group protocol")
    INVALID_GROUP_ID = _broker(24, "Invalid group.id")
    UNKNOWN_MEMBER_ID = _broker(25, "Unknown member")
    INVALID_SESSION_TIMEOUT = _broker(26, "Invalid session timeout")
    REBALANCE_IN_PROGRESS = _broker(27, "Group rebalance in progress")
    INVALID_COMMIT_OFFSET_SIZE = _broker(28, "Commit offset data size is not valid")
    TOPIC_AUTHORIZATION_FAILED = _broker(29, "Topic authorization failed")
    GROUP_AUTHORIZATION_FAILED = _broker(30, "Group authorization failed")
    CLUSTER_AUTHORIZATION_FAILED = _broker(31, "Cluster authorization failed")
    INVALID_TIMESTAMP = _broker(32, "Invalid timestamp")
    UNSUPPORTED_SASL_MECHANISM = _broker(33, "Unsupported SASL mechanism")
    ILLEGAL_SASL_STATE = _broker(34, "Request not valid in current SASL state")
    UNSUPPORTED_VERSION = _broker(35, "API version not supported")
    TOPIC_ALREADY_EXISTS = _broker(36, "Topic already exists")
    INVALID_PARTITIONS = _broker(37, "Invalid number of partitions")
    INVALID_REPLICATION_FACTOR = _broker(38, "Invalid replication factor")
    INVALID_REPLICA_ASSIGNMENT = _broker(39, "Invalid replica assignment")
    INVALID_CONFIG = _broker(40, "Configuration is invalid")
    NOT_CONTROLLER = _broker(41, "Not controller for cluster", retriable=True)
    INVALID_REQUEST = _broker(42, "Invalid request")
    UNSUPPORTED_FOR_MESSAGE_FORMAT = _broker(
        43, "Message format on broker does not support request"
    )
    POLICY_VIOLATION = _broker(44, "Policy violation")
    OUT_OF_ORDER_SEQUENCE_NUMBER = _broker(45, "Broker received an out of order sequence number")
    DUPLICATE_SEQUENCE_NUMBER = _broker(46, "Broker received a duplicate sequence number")
    INVALID_PRODUCER_EPOCH = _broker(47, "Producer attempted an operation with an old epoch")
    INVALID_TXN_STATE = _broker(
        48, "Producer attempted a transactional operation in an invalid state"
    )
    INVALID_PRODUCER_ID_MAPPING = _broker(
        49,
        "Producer attempted to use a producer id which is not currently assigned to its "
        "transactional id",
    )
    INVALID_TRANSACTION_TIMEOUT = _broker(
        50,
        "Transaction timeout is larger than the maximum value allowed by the broker's "
        "max.transaction.timeout.ms",
    )
    CONCURRENT_TRANSACTIONS = _broker(
        51,
        "Producer attempted to update a transaction while another concurrent operation on "
        "the same transaction was ongoing",
        retriable=True,
    )
    TRANSACTION_COORDINATOR_FENCED = _broker(
        52,
        "Indicates that the transaction coordinator sending a WriteTxnMarker is no longer "
        "the current coordinator for a given producer",
    )
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = _broker(53, "Transactional Id authorization failed")
    SECURITY_DISABLED = _broker(54, "Security features are disabled")
    OPERATION_NOT_ATTEMPTED = _broker(55, "Operation not attempted")
    KAFKA_STORAGE_ERROR = _broker(
        56, "Disk error when trying to access log file on disk", retriable=True
    )
    LOG_DIR_NOT_FOUND = _broker(
        57, "The user-specified log directory is not found in the broker config"
    )
    SASL_AUTHENTICATION_FAILED = _broker(58, "SASL Authentication failed")
    UNKNOWN_PRODUCER_ID = _broker(59, "Unknown Producer Id")
    REASSIGNMENT_IN_PROGRESS = _broker(60, "Partition reassignment is in progress")
    DELEGATION_TOKEN_AUTH_DISABLED = _broker(61, "Delegation Token feature is not enabled")
    DELEGATION_TOKEN_NOT_FOUND = _broker(62, "Delegation Token is not found on server")
    DELEGATION_TOKEN_OWNER_MISMATCH = _broker(63, "Specified Principal is not valid Owner/Renewer")
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = _broker(
        64, "Delegation Token requests are not allowed on this connection"
    )
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = _broker(65, "Delegation Token authorization failed")
    DELEGATION_TOKEN_EXPIRED = _broker(66, "Delegation Token is expired")
    INVALID_PRINCIPAL_TYPE = _broker(67, "Supplied principalType is not supported")
    NON_EMPTY_GROUP = _broker(68, "The group is not empty")
    GROUP_ID_NOT_FOUND = _broker(69, "The group id does not exist")
    FETCH_SESSION_ID_NOT_FOUND = _broker(70, "The fetch session ID was not found", retriable=True)
    INVALID_FETCH_SESSION_EPOCH = _broker(71, "The fetch session epoch is invalid", retriable=True)
    LISTENER_NOT_FOUND = _broker(72, "No matching listener", retriable=True)
    TOPIC_DELETION_DISABLED = _broker(73, "Topic deletion is disabled")
    FENCED_LEADER_EPOCH = _broker(74, "Leader epoch is older than broker epoch", retriable=True)
    UNKNOWN_LEADER_EPOCH = _broker(75, "Leader epoch is newer than broker epoch", retriable=True)
    UNSUPPORTED_COMPRESSION_TYPE = _broker(76, "Unsupported compression type")
    STALE_BROKER_EPOCH = _broker(77, "Broker epoch has changed")
    OFFSET_NOT_AVAILABLE = _broker(78, "Leader high watermark is not caught up", retriable=True)
    MEMBER_ID_REQUIRED = _broker(79, "Group member needs a valid member ID")
    PREFERRED_LEADER_NOT_AVAILABLE = _broker(
        80, "Preferred leader was not available", retriable=True
    )
    GROUP_MAX_SIZE_REACHED = _broker(81, "Consumer group has reached maximum size")
    FENCED_INSTANCE_ID = _broker(
        82, "Static consumer fenced by other consumer with same group.instance.id"
    )
    ELIGIBLE_LEADERS_NOT_AVAILABLE = _broker(
        83, "Eligible partition leaders are not available", retriable=True
    )
    ELECTION_NOT_NEEDED = _broker(
        84, "Leader election not needed for topic partition", retriable=True
    )
    NO_REASSIGNMENT_IN_PROGRESS = _broker(85, "No partition reassignment is in progress")
    GROUP_SUBSCRIBED_TO_TOPIC = _broker(
        86, "Deleting offsets of a topic while the consumer group is subscribed to it"
    )
    INVALID_RECORD = _broker(87, "Broker failed to validate record")
    UNSTABLE_OFFSET_COMMIT = _broker(
        88, "There are unstable offsets that need to be cleared", retriable=True
    )
    THROTTLING_QUOTA_EXCEEDED = _broker(89, "Throttling quota has been exceeded", retriable=True)
    PRODUCER_FENCED = _broker(
        90, "There is a newer producer with the same transactionalId which fences the current one"
    )
    RESOURCE_NOT_FOUND = _broker(91, "Request illegally referred to resource that does not exist")
    DUPLICATE_RESOURCE = _broker(92, "Request illegally referred to the same resource twice")
    UNACCEPTABLE_CREDENTIAL = _broker(
        93, "Requested credential would not meet criteria for acceptability"
    )
    INCONSISTENT_VOTER_SET = _broker(
        94,
        "Indicates that the either the sender or recipient of a voter-only request is not "
        "one of the expected voters",
    )
    INVALID_UPDATE_VERSION = _broker(95, "Invalid update version")
    FEATURE_UPDATE_FAILED = _broker(96, "Unable to update finalized features due to server error")
    PRINCIPAL_DESERIALIZATION_FAILURE = _broker(
        97, "Request principal deserialization failed during forwarding"
    )
    SNAPSHOT_NOT_FOUND = _broker(98, "Snapshot not found")
    POSITION_OUT_OF_RANGE = _broker(99, "Position is outside the snapshot")
    UNKNOWN_TOPIC_ID = _broker(100, "Unknown topic id", retriable=True)
    DUPLICATE_BROKER_REGISTRATION = _broker(101, "Broker id is already in use")
    BROKER_ID_NOT_REGISTERED = _broker(102, "Broker id is not registered")
    INCONSISTENT_TOPIC_ID = _broker(
        103, "The log's topic ID did not match the topic ID in the request", retriable=True
    )
    INCONSISTENT_CLUSTER_ID = _broker(104, "Cluster id did not match")
    TRANSACTIONAL_ID_NOT_FOUND = _broker(105, "Transactional id not found")
    FETCH_SESSION_TOPIC_ID_ERROR = _broker(
        106, "Fetch session saw inconsistent topic ids", retriable=True
    )
    INELIGIBLE_REPLICA = _broker(107, "New in-sync replicas contain an ineligible replica")
    NEW_LEADER_ELECTED = _broker(108, "Partition was altered but has a new leader")
    OFFSET_MOVED_TO_TIERED_STORAGE = _broker(109, "Offset has moved to tiered storage")
    FENCED_MEMBER_EPOCH = _broker(110, "The member epoch is fenced by the group coordinator")
    UNRELEASED_INSTANCE_ID = _broker(
        111, "The instance ID is still used by another member in the consumer group"
    )
    UNSUPPORTED_ASSIGNOR = _broker(
        112, "The assignor or its version range is not supported by the consumer group"
    )
    STALE_MEMBER_EPOCH = _broker(113, "The member epoch is stale")
    MISMATCHED_ENDPOINT_TYPE = _broker(114, "The request was sent to an endpoint of the wrong type")
    UNSUPPORTED_ENDPOINT_TYPE = _broker(115, "This endpoint type is not supported yet")
    UNKNOWN_CONTROLLER_ID = _broker(116, "This controller ID is not known")
    UNKNOWN_SUBSCRIPTION_ID = _broker(
        117, "Client sent a push telemetry request with an invalid or outdated subscription ID"
    )
    TELEMETRY_TOO_LARGE = _broker(
        118,
        "Client sent a push telemetry request larger than the maximum size the broker will accept",
    )
    INVALID_REGISTRATION = _broker(
        119, "The controller has considered the broker registration to be invalid"
    )
    TRANSACTION_ABORTABLE = _broker(120, "The server encountered an error with the transaction")
    INVALID_RECORD_STATE = _broker(121, "The record state is invalid")
    SHARE_SESSION_NOT_FOUND = _broker(122, "The share session was not found", retriable=True)
    INVALID_SHARE_SESSION_EPOCH = _broker(123, "The share session epoch is invalid", retriable=True)
    FENCED_STATE_EPOCH = _broker(124, "The share-group state epoch did not match")
    INVALID_VOTER_KEY = _broker(125, "The voter key doesn't match the receiving replica's key")
    DUPLICATE_VOTER = _broker(126, "The voter is already part of the set of voters")
    VOTER_NOT_FOUND = _broker(127, "The voter is not part of the set of voters")
    INVALID_REGULAR_EXPRESSION = _broker(128, "The regular expression is not valid")
    REBOOTSTRAP_REQUIRED = _broker(
        129, "Client metadata is stale, client should rebootstrap to obtain new metadata"
    )
    STREAMS_INVALID_TOPOLOGY = _broker(130, "The supplied topology is invalid")
    STREAMS_INVALID_TOPOLOGY_EPOCH = _broker(131, "The supplied topology epoch is invalid")
    STREAMS_TOPOLOGY_FENCED = _broker(132, "The supplied topology epoch is outdated")
    SHARE_SESSION_LIMIT_REACHED = _broker(
        133, "The limit of share sessions has been reached", retriable=True
    )


ERROR_CODES: dict[int, ErrorCode] = {
    code: ErrorCode(code, name, *_TEXTS[code])
    for name, code in vars(ErrorCodes).items()
    if isinstance(code, int)
}
