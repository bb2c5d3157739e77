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
    from pylog.streams.builder import StreamsBuilder
    from pylog.streams.config import StreamsConfig
    from pylog.streams.error_handlers import (
        DeadLetterRecord,
        ErrorHandlerContext,
        LogAndContinue,
        LogAndFail,
        Response,
        SendToDeadLetterQueue,
    )
    from pylog.streams.errors import (
        InvalidStateStoreError,
        InvalidTimestampError,
        InvalidTopologyChangeError,
        MissingSourceTopicError,
        ProcessingError,
        ProductionError,
        SerializationError,
        StateDirectoryLockedError,
        StreamsConfigError,
        StreamsError,
        TaskCorruptedError,
        TaskMigratedError,
        TopologyError,
    )
    from pylog.streams.global_ktable import GlobalKTable
    from pylog.streams.kstream import KStream
    from pylog.streams.ktable import KTable
    from pylog.streams.materialized import Materialized
    from pylog.streams.metrics import MetricName
    from pylog.streams.node import FixedKeyRecord, ProcessorContext, RecordMetadata
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
    from pylog.streams.with_key import with_key

_HOMES = {
    "BufferConfig": "suppressed",
    "Change": "record",
    "DeadLetterRecord": "error_handlers",
    "EmitStrategy": "windows",
    "ErrorHandlerContext": "error_handlers",
    "FailOnInvalidTimestamp": "timestamp_extractors",
    "FixedKeyRecord": "node",
    "GlobalKTable": "global_ktable",
    "InvalidStateStoreError": "errors",
    "InvalidTimestampError": "errors",
    "InvalidTopologyChangeError": "errors",
    "JoinWindows": "windows",
    "KStream": "kstream",
    "KTable": "ktable",
    "LogAndContinue": "error_handlers",
    "LogAndFail": "error_handlers",
    "LogAndSkipOnInvalidTimestamp": "timestamp_extractors",
    "Materialized": "materialized",
    "MetricName": "metrics",
    "MissingSourceTopicError": "errors",
    "ProcessingError": "errors",
    "ProcessorContext": "node",
    "ProductionError": "errors",
    "PunctuationType": "runtime.punctuation",
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
    "StateRestoreListener": "runtime.restore_listeners",
    "StreamThreadExceptionResponse": "runtime.uncaught",
    "Streams": "app",
    "StreamsBuilder": "builder",
    "StreamsConfig": "config",
    "StreamsConfigError": "errors",
    "StreamsError": "errors",
    "Suppressed": "suppressed",
    "TaskCorruptedError": "errors",
    "TaskMigratedError": "errors",
    "TimeWindows": "windows",
    "TimestampExtractor": "timestamp_extractors",
    "Topology": "topology",
    "TopologyDescription": "topology_description",
    "TopologyError": "errors",
    "TopologyTestDriver": "testing",
    "UnlimitedWindows": "windows",
    "UsePartitionTimeOnInvalidTimestamp": "timestamp_extractors",
    "ValueAndTimestamp": "record",
    "WallclockTimestampExtractor": "timestamp_extractors",
    "Window": "window",
    "Windowed": "window",
    "with_key": "with_key",
}
_MODULES = {"serdes": "serdes", "stores": "state.stores"}

__all__ = [
    "BufferConfig",
    "Change",
    "DeadLetterRecord",
    "EmitStrategy",
    "ErrorHandlerContext",
    "FailOnInvalidTimestamp",
    "FixedKeyRecord",
    "GlobalKTable",
    "InvalidStateStoreError",
    "InvalidTimestampError",
    "InvalidTopologyChangeError",
    "JoinWindows",
    "KStream",
    "KTable",
    "LogAndContinue",
    "LogAndFail",
    "LogAndSkipOnInvalidTimestamp",
    "Materialized",
    "MetricName",
    "MissingSourceTopicError",
    "ProcessingError",
    "ProcessorContext",
    "ProductionError",
    "PunctuationType",
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
    "StateRestoreListener",
    "StreamThreadExceptionResponse",
    "Streams",
    "StreamsBuilder",
    "StreamsConfig",
    "StreamsConfigError",
    "StreamsError",
    "Suppressed",
    "TaskCorruptedError",
    "TaskMigratedError",
    "TimeWindows",
    "TimestampExtractor",
    "Topology",
    "TopologyDescription",
    "TopologyError",
    "TopologyTestDriver",
    "UnlimitedWindows",
    "UsePartitionTimeOnInvalidTimestamp",
    "ValueAndTimestamp",
    "WallclockTimestampExtractor",
    "Window",
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
