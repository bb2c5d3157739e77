"""Stream processing with Kafka Streams' model: streams, tables, state, one event at a time.

    builder = StreamsBuilder()
    (builder.stream("input-stream", key_serde=serdes.string, value_serde=serdes.string)
            .group_by(lambda key, value: value)
            .count()
            .to_stream()
            .to("counts", value_serde=serdes.long))
    Streams(builder.build(), {"application.id": "counts", "log.dir": "./data"}).run()

A library and no cluster of its own: an application runs on a folder without a broker, and unchanged
on a Kafka cluster. Names are Kafka Streams' in snake_case. docs/streams has the tutorial.

Names are loaded when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pylog.streams import serdes
    from pylog.streams.app import Streams
    from pylog.streams.config import StreamsConfig
    from pylog.streams.dsl.builder import StreamsBuilder
    from pylog.streams.dsl.global_ktable import GlobalKTable
    from pylog.streams.dsl.kstream import KStream
    from pylog.streams.dsl.ktable import KTable
    from pylog.streams.dsl.materialized import Materialized
    from pylog.streams.error_handlers import (
        DeadLetterRecord,
        ErrorHandlerContext,
        LogAndContinue,
        LogAndFail,
        Response,
        SendToDeadLetterQueue,
    )
    from pylog.streams.errors import (
        EmptyTopicError,
        InvalidStateStoreError,
        InvalidTimestampError,
        InvalidTopologyChangeError,
        MissingInternalTopicError,
        MissingSourceTopicError,
        ProcessingError,
        ProductionError,
        SerializationError,
        StateDirectoryLockedError,
        StateStoreError,
        StreamsConfigError,
        StreamsError,
        TaskCorruptedError,
        TaskMigratedError,
        TopologyError,
    )
    from pylog.streams.keyed_function import with_key
    from pylog.streams.metadata import (
        HostInfo,
        KeyQueryMetadata,
        LagInfo,
        StreamsMetadata,
        TaskMetadata,
        ThreadMetadata,
    )
    from pylog.streams.metrics import MetricName
    from pylog.streams.node import FixedKeyRecord, ProcessorContext, RecordMetadata
    from pylog.streams.query import (
        FailureReason,
        KeyQuery,
        MultiVersionedKeyQuery,
        PositionBound,
        QueryResult,
        RangeQuery,
        StateQueryRequest,
        StateQueryResult,
        TimestampedKeyQuery,
        TimestampedRangeQuery,
        VersionedKeyQuery,
        WindowKeyQuery,
        WindowRangeQuery,
    )
    from pylog.streams.record import Change, Record, ValueAndTimestamp
    from pylog.streams.runtime.punctuation import PunctuationType
    from pylog.streams.runtime.restore_listeners import StandbyUpdateListener, StateRestoreListener
    from pylog.streams.runtime.thread_state import State
    from pylog.streams.runtime.uncaught import StreamThreadExceptionResponse
    from pylog.streams.serde import Serde
    from pylog.streams.state import stores
    from pylog.streams.suppressed import BufferConfig, Suppressed
    from pylog.streams.testing import TopologyTestDriver
    from pylog.streams.timestamp_extractors import (
        FailOnInvalidTimestamp,
        LogAndSkipOnInvalidTimestamp,
        TimestampExtractor,
        UsePartitionTimeOnInvalidTimestamp,
        WallclockTimestampExtractor,
    )
    from pylog.streams.topology import Topology
    from pylog.streams.topology_description import TopologyDescription
    from pylog.streams.window import SessionWindow, Window, Windowed
    from pylog.streams.windows import (
        EmitStrategy,
        JoinWindows,
        SessionWindows,
        SlidingWindows,
        TimeWindows,
        UnlimitedWindows,
    )

_HOMES = {
    "BufferConfig": "suppressed",
    "Change": "record",
    "DeadLetterRecord": "error_handlers",
    "EmitStrategy": "windows",
    "EmptyTopicError": "errors",
    "ErrorHandlerContext": "error_handlers",
    "FailOnInvalidTimestamp": "timestamp_extractors",
    "FailureReason": "query",
    "FixedKeyRecord": "node",
    "GlobalKTable": "dsl.global_ktable",
    "HostInfo": "metadata",
    "InvalidStateStoreError": "errors",
    "InvalidTimestampError": "errors",
    "InvalidTopologyChangeError": "errors",
    "JoinWindows": "windows",
    "KStream": "dsl.kstream",
    "KTable": "dsl.ktable",
    "KeyQuery": "query",
    "KeyQueryMetadata": "metadata",
    "LagInfo": "metadata",
    "LogAndContinue": "error_handlers",
    "LogAndFail": "error_handlers",
    "LogAndSkipOnInvalidTimestamp": "timestamp_extractors",
    "Materialized": "dsl.materialized",
    "MetricName": "metrics",
    "MissingInternalTopicError": "errors",
    "MissingSourceTopicError": "errors",
    "MultiVersionedKeyQuery": "query",
    "PositionBound": "query",
    "ProcessingError": "errors",
    "ProcessorContext": "node",
    "ProductionError": "errors",
    "PunctuationType": "runtime.punctuation",
    "QueryResult": "query",
    "RangeQuery": "query",
    "Record": "record",
    "RecordMetadata": "node",
    "Response": "error_handlers",
    "SendToDeadLetterQueue": "error_handlers",
    "Serde": "serde",
    "SerializationError": "errors",
    "SessionWindow": "window",
    "SessionWindows": "windows",
    "SlidingWindows": "windows",
    "StandbyUpdateListener": "runtime.restore_listeners",
    "State": "runtime.thread_state",
    "StateDirectoryLockedError": "errors",
    "StateQueryRequest": "query",
    "StateQueryResult": "query",
    "StateRestoreListener": "runtime.restore_listeners",
    "StateStoreError": "errors",
    "StreamThreadExceptionResponse": "runtime.uncaught",
    "Streams": "app",
    "StreamsBuilder": "dsl.builder",
    "StreamsConfig": "config",
    "StreamsConfigError": "errors",
    "StreamsError": "errors",
    "StreamsMetadata": "metadata",
    "Suppressed": "suppressed",
    "TaskCorruptedError": "errors",
    "TaskMetadata": "metadata",
    "TaskMigratedError": "errors",
    "ThreadMetadata": "metadata",
    "TimeWindows": "windows",
    "TimestampExtractor": "timestamp_extractors",
    "TimestampedKeyQuery": "query",
    "TimestampedRangeQuery": "query",
    "Topology": "topology",
    "TopologyDescription": "topology_description",
    "TopologyError": "errors",
    "TopologyTestDriver": "testing",
    "UnlimitedWindows": "windows",
    "UsePartitionTimeOnInvalidTimestamp": "timestamp_extractors",
    "ValueAndTimestamp": "record",
    "VersionedKeyQuery": "query",
    "WallclockTimestampExtractor": "timestamp_extractors",
    "Window": "window",
    "WindowKeyQuery": "query",
    "WindowRangeQuery": "query",
    "Windowed": "window",
    "with_key": "keyed_function",
}
_MODULES = {"serdes": "serdes", "stores": "state.stores"}

__all__ = [
    "BufferConfig",
    "Change",
    "DeadLetterRecord",
    "EmitStrategy",
    "EmptyTopicError",
    "ErrorHandlerContext",
    "FailOnInvalidTimestamp",
    "FailureReason",
    "FixedKeyRecord",
    "GlobalKTable",
    "HostInfo",
    "InvalidStateStoreError",
    "InvalidTimestampError",
    "InvalidTopologyChangeError",
    "JoinWindows",
    "KStream",
    "KTable",
    "KeyQuery",
    "KeyQueryMetadata",
    "LagInfo",
    "LogAndContinue",
    "LogAndFail",
    "LogAndSkipOnInvalidTimestamp",
    "Materialized",
    "MetricName",
    "MissingInternalTopicError",
    "MissingSourceTopicError",
    "MultiVersionedKeyQuery",
    "PositionBound",
    "ProcessingError",
    "ProcessorContext",
    "ProductionError",
    "PunctuationType",
    "QueryResult",
    "RangeQuery",
    "Record",
    "RecordMetadata",
    "Response",
    "SendToDeadLetterQueue",
    "Serde",
    "SerializationError",
    "SessionWindow",
    "SessionWindows",
    "SlidingWindows",
    "StandbyUpdateListener",
    "State",
    "StateDirectoryLockedError",
    "StateQueryRequest",
    "StateQueryResult",
    "StateRestoreListener",
    "StateStoreError",
    "StreamThreadExceptionResponse",
    "Streams",
    "StreamsBuilder",
    "StreamsConfig",
    "StreamsConfigError",
    "StreamsError",
    "StreamsMetadata",
    "Suppressed",
    "TaskCorruptedError",
    "TaskMetadata",
    "TaskMigratedError",
    "ThreadMetadata",
    "TimeWindows",
    "TimestampExtractor",
    "TimestampedKeyQuery",
    "TimestampedRangeQuery",
    "Topology",
    "TopologyDescription",
    "TopologyError",
    "TopologyTestDriver",
    "UnlimitedWindows",
    "UsePartitionTimeOnInvalidTimestamp",
    "ValueAndTimestamp",
    "VersionedKeyQuery",
    "WallclockTimestampExtractor",
    "Window",
    "WindowKeyQuery",
    "WindowRangeQuery",
    "Windowed",
    "serdes",
    "stores",
    "with_key",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    elif name in _HOMES:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
