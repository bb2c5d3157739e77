"""Every property of Kafka Streams 4.3 that means something here, and why the others do not.

A row is `name kind default allowed`, `-` for none. Kinds: int (with a range, `low..` without end),
ms (a duration), bool, str, enum, serde, extractor, handler, optimization.
"""

SETTINGS = """
application.id                                    str          -               -
application.server                                str          -               -
client.id                                         str          -               -
num.standby.replicas                              int          0               0..2147483647
state.dir                                         str          -               -
acceptable.recovery.lag                           int          10000           0..
statestore.cache.max.bytes                        int          10485760        0..
default.key.serde                                 serde        -               -
default.value.serde                               serde        -               -
default.timestamp.extractor                       extractor    -               -
deserialization.exception.handler                 handler      LogAndFail      -
processing.exception.handler                      handler      LogAndFail      -
processing.exception.handler.global.enabled       bool         false           -
production.exception.handler                      handler      LogAndFail      -
errors.dead.letter.queue.topic.name               str          -               -
ensure.explicit.internal.resource.naming          bool         false           -
max.task.idle.ms                                  ms           0               -1..
max.warmup.replicas                               int          2               1..2147483647
num.stream.threads                                int          1               1..2147483647
processing.guarantee                              enum         at_least_once   \
at_least_once,exactly_once_v2
replication.factor                                int          -1              -1..32767
task.timeout.ms                                   ms           300000          0..
topology.optimization                             optimization none            \
none,all,reuse.ktable.source.topics,merge.repartition.topics,single.store.self.join
buffered.records.per.partition                    int          1000            1..2147483647
commit.interval.ms                                ms           30000           0..
repartition.purge.interval.ms                     ms           30000           0..
default.dsl.store                                 enum         rocksDB         \
rocksDB,in_memory,persistent
log.summary.interval.ms                           ms           120000          -1..
processor.wrapper.class                           wrapper      -               -
metrics.num.samples                               int          2               1..2147483647
metrics.recording.level                           enum         INFO            INFO,DEBUG,TRACE
metrics.sample.window.ms                          ms           30000           1..
poll.ms                                           ms           100             0..
probing.rebalance.interval.ms                     ms           600000          60000..
state.cleanup.delay.ms                            ms           600000          0..
state.cleanup.dir.max.age.ms                      ms           -1              -1..
upgrade.from                                      enum         -               \
0.10.0,0.10.1,0.10.2,0.11.0,1.0,1.1,2.0,2.1,2.2,2.3,2.4,2.5,2.6,2.7,2.8,3.0,3.1,3.2,3.3,3.4,3.5,\
3.6,3.7,3.8,3.9,4.0,4.1,4.2,4.3
windowstore.changelog.additional.retention.ms     ms           86400000        0..
__emit.interval.ms.kstreams.outer.join.spurious.results.fix__  ms  1000        0..
__emit.interval.ms.kstreams.windowed.aggregation__             ms  1000        0..
"""

ALIASES = {
    "cache.max.bytes.buffering": "statestore.cache.max.bytes",
    "default.deserialization.exception.handler": "deserialization.exception.handler",
    "default.production.exception.handler": "production.exception.handler",
}

# Another word for a value.
SAME_VALUES = {("default.dsl.store", "persistent"): "rocksDB"}

# Checked by nobody and without effect: they tune what this library does not have.
WITHOUT_EFFECT = frozenset(
    {
        "allow.os.group.write.access",
        "built.in.metrics.version",
        "enable.metrics.push",
        "metric.reporters",
        "rack.aware.assignment.non_overlap_cost",
        "rack.aware.assignment.strategy",
        "rack.aware.assignment.tags",
        "rack.aware.assignment.traffic_cost",
    }
)

# Known to Kafka Streams and refused, since a program that sets them counts on what they do.
NOT_HERE = {
    "config.providers": "Python has os.environ and its like",
    "default.client.supplier": "the clients are pylog's Producer, Consumer and AdminClient",
    "default.list.key.serde.inner": "say default.key.serde: serdes.list_of(serdes.long)",
    "default.list.key.serde.type": "say default.key.serde: serdes.list_of(serdes.long)",
    "default.list.value.serde.inner": "say default.value.serde: serdes.list_of(serdes.long)",
    "default.list.value.serde.type": "say default.value.serde: serdes.list_of(serdes.long)",
    "dsl.store.format": "stores have Kafka's format without headers",
    "dsl.store.suppliers.class": "say default.dsl.store, or Materialized for one store",
    "internal.task.assignor.class": "tasks are assigned by the library's own assignor",
    "rocksdb.config.setter": "stores on disk are not RocksDB's",
    "task.assignor.class": "tasks are assigned by the library's own assignor",
    "window.size.ms": "say it where it is needed: serdes.time_windowed(inner, size)",
    "windowed.inner.class.serde": "say it where it is needed: serdes.time_windowed(inner, size)",
}

# Of the Java clients' properties, those that librdkafka calls otherwise and counts alike.
CLIENT_NAMES = {
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "max.request.size": "message.max.bytes",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
}

# Prefixes of properties for one kind of client; the longer ones go before the shorter ones.
CLIENT_PREFIXES = {
    "main.consumer.": "consumer",
    "restore.consumer.": "consumer",
    "global.consumer.": "consumer",
    "consumer.": "consumer",
    "producer.": "producer",
    "admin.": "admin",
}

# What Java programs have for a serde, an extractor or a handler: the last part of a class's name.
JAVA_SERDES = {
    "BooleanSerde": "boolean",
    "BytesSerde": "bytes",
    "ByteArraySerde": "bytes",
    "ByteBufferSerde": "bytes",
    "DoubleSerde": "double",
    "FloatSerde": "float",
    "IntegerSerde": "int",
    "LongSerde": "long",
    "ShortSerde": "short",
    "StringSerde": "string",
    "UUIDSerde": "uuid",
    "VoidSerde": "void",
}
JAVA_HANDLERS = {
    "DefaultProductionExceptionHandler": "LogAndFail",
    "LogAndContinueExceptionHandler": "LogAndContinue",
    "LogAndContinueProcessingExceptionHandler": "LogAndContinue",
    "LogAndFailExceptionHandler": "LogAndFail",
    "LogAndFailProcessingExceptionHandler": "LogAndFail",
}
