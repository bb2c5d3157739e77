import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logcore import codecs
from logcore.config import TOPIC_CONFIGS, ConfigError, ConfigType, LogConfig

# What Kafka 4.3.1's own LogConfig.configKeys() says: (type, default, valid values).
KAFKA_DEFAULTS = """
cleanup.policy                           LIST    delete               [compact, delete]
compression.gzip.level                   INT     -1                   [1,...,9] or -1
compression.lz4.level                    INT     9                    [1,...,17]
compression.type                         STRING  producer             [uncompressed, zstd, lz4, snappy, gzip, producer]
compression.zstd.level                   INT     3                    [-131072,...,22]
delete.retention.ms                      LONG    86400000             [0,...]
file.delete.delay.ms                     LONG    60000                [0,...]
flush.messages                           LONG    9223372036854775807  [1,...]
flush.ms                                 LONG    9223372036854775807  [0,...]
follower.replication.throttled.replicas  LIST    -                    [partitionId]:[brokerId],[partitionId]:[brokerId],...
index.interval.bytes                     INT     4096                 [0,...]
leader.replication.throttled.replicas    LIST    -                    [partitionId]:[brokerId],[partitionId]:[brokerId],...
local.retention.bytes                    LONG    -2                   [-2,...]
local.retention.ms                       LONG    -2                   [-2,...]
max.compaction.lag.ms                    LONG    9223372036854775807  [1,...]
max.message.bytes                        INT     1048588              [0,...]
message.timestamp.after.max.ms           LONG    3600000              [0,...]
message.timestamp.before.max.ms          LONG    9223372036854775807  [0,...]
message.timestamp.type                   STRING  CreateTime           [CreateTime, LogAppendTime]
min.cleanable.dirty.ratio                DOUBLE  0.5                  [0,...,1]
min.compaction.lag.ms                    LONG    0                    [0,...]
min.insync.replicas                      INT     1                    [1,...]
preallocate                              BOOLEAN false                -
remote.log.copy.disable                  BOOLEAN false                -
remote.log.delete.on.disable             BOOLEAN false                -
retention.bytes                          LONG    -1                   -
retention.ms                             LONG    604800000            [-1,...]
segment.bytes                            INT     1073741824           [1048576,...]
segment.index.bytes                      INT     10485760             [4,...]
segment.jitter.ms                        LONG    0                    [0,...]
segment.ms                               LONG    604800000            [1,...]
unclean.leader.election.enable           BOOLEAN false                -
""".strip().splitlines()  # noqa: E501


@pytest.mark.parametrize("line", KAFKA_DEFAULTS, ids=lambda line: line.split()[0])
def test_type_default_and_range_are_kafkas(line):
    name, kind, default, valid_values = line.split(maxsplit=3)
    definition = TOPIC_CONFIGS[name]
    assert definition.type.value == kind
    assert definition.format(definition.default) == ("" if default == "-" else default)
    assert definition.valid_values == ("" if valid_values == "-" else valid_values)
    assert definition.doc.endswith(".")


def test_no_config_of_kafka_is_missing_and_none_is_invented():
    names = {line.split()[0] for line in KAFKA_DEFAULTS}
    assert set(TOPIC_CONFIGS) - names == {"remote.storage.enable", "internal.segment.bytes"}
    assert not names - set(TOPIC_CONFIGS)


def test_fields_and_configs_have_the_same_names():
    fields = [field.name for field in dataclasses.fields(LogConfig)]
    assert fields == [definition.field_name for definition in TOPIC_CONFIGS.values()]
    assert fields == sorted(fields)


# (properties, error or None), as Kafka 4.3.1's LogConfig.validate answers.
KAFKA_VERDICTS = [
    ({"segment.bytes": "1"}, "Value must be at least 1048576"),
    ({"segment.bytes": "x"}, "Not a number of type INT"),
    ({"segment.bytes": " 2097152 "}, None),
    ({"segment.bytes": "1.5"}, "Not a number of type INT"),
    ({"segment.bytes": "99999999999"}, "Not a number of type INT"),
    ({"cleanup.policy": "x"}, "String must be one of: compact, delete"),
    ({"cleanup.policy": ""}, None),
    ({"cleanup.policy": "delete,compact"}, None),
    ({"cleanup.policy": "delete, compact"}, None),
    ({"cleanup.policy": "delete,delete"}, None),
    ({"cleanup.policy": "DELETE"}, "String must be one of: compact, delete"),
    ({"cleanup.policy": "delete,"}, "Values must not be empty"),
    ({"preallocate": "TRUE"}, None),
    ({"preallocate": "1"}, "Expected value to be either true or false"),
    ({"preallocate": "yes"}, "Expected value to be either true or false"),
    ({"min.cleanable.dirty.ratio": "1.5"}, "Value must be no more than 1"),
    ({"min.cleanable.dirty.ratio": "0.3"}, None),
    ({"compression.type": "GZIP"}, "String must be one of: uncompressed, zstd, lz4, snappy"),
    ({"compression.type": "none"}, "String must be one of: uncompressed, zstd, lz4, snappy"),
    ({"compression.gzip.level": "0"}, "Value must be between 1 and 9 or equal to -1"),
    ({"compression.gzip.level": "-1"}, None),
    ({"compression.gzip.level": "9"}, None),
    ({"compression.gzip.level": "10"}, "Value must be between 1 and 9 or equal to -1"),
    ({"compression.lz4.level": "0"}, "Value must be at least 1"),
    ({"compression.lz4.level": "17"}, None),
    ({"compression.lz4.level": "18"}, "Value must be no more than 17"),
    ({"compression.zstd.level": "-131072"}, None),
    ({"compression.zstd.level": "-131073"}, "Value must be at least -131072"),
    ({"compression.zstd.level": "23"}, "Value must be no more than 22"),
    ({"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"}, "max.compaction.lag.ms (5)"),
    ({"message.timestamp.type": "createtime"}, "String must be one of: CreateTime, LogAppendTime"),
    ({"leader.replication.throttled.replicas": "*"}, None),
    ({"leader.replication.throttled.replicas": "0:1,1:2"}, None),
    ({"leader.replication.throttled.replicas": "x"}, "must be the literal '*'"),
    ({"local.retention.ms": "-3"}, "Value must be at least -2"),
    ({"retention.ms": "-2"}, "Value must be at least -1"),
    ({"retention.ms": ""}, "Not a number of type LONG"),
    ({"retention.bytes": "-5"}, None),
    ({"segment.index.bytes": "3"}, "Value must be at least 4"),
    ({"flush.messages": "0"}, "Value must be at least 1"),
    ({"max.message.bytes": "-1"}, "Value must be at least 0"),
    ({"segment.ms": "0"}, "Value must be at least 1"),
]


@pytest.mark.parametrize(("properties", "error"), KAFKA_VERDICTS, ids=str)
def test_verdicts_are_kafkas(properties, error):
    if error is None:
        LogConfig.from_properties(properties)
        return
    with pytest.raises(ConfigError) as raised:
        LogConfig.from_properties(properties)
    assert raised.value.name in properties
    assert str(raised.value.value) in str(raised.value)
    assert error in raised.value.reason
    assert error in str(raised.value)
    assert raised.value.name in str(raised.value)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("retention.msec", "retention.ms"),
        ("retention_ms", "retention.ms"),
        ("RETENTION.MS", "retention.ms"),
        ("segment.byte", "segment.bytes"),
        ("clean.policy", "cleanup.policy"),
        ("max.mesage.bytes", "max.message.bytes"),
        ("qqq", None),
        ("", None),
    ],
)
def test_an_unknown_name_names_the_nearest_known_one(name, suggestion):
    with pytest.raises(ConfigError) as raised:
        LogConfig.from_properties({name: "1"})
    assert raised.value.suggestion == suggestion
    assert str(raised.value).startswith(f"Unknown topic config name: {name}")
    assert (f'Did you mean "{suggestion}"?' in str(raised.value)) == (suggestion is not None)


@pytest.mark.parametrize(
    "name",
    ["message.format.version", "message.downconversion.enable", "log.retention.ms", "errors.foo"],
)
def test_what_kafka_4_removed_or_never_had_is_unknown(name):
    with pytest.raises(ConfigError, match="Unknown topic config name"):
        LogConfig.from_properties({name: "1"})


def test_python_values_are_taken_as_well_as_text():
    config = LogConfig(
        retention_ms="5", cleanup_policy=["compact", "delete"], preallocate="true", segment_ms=7
    )
    assert config.retention_ms == 5
    assert config.cleanup_policy == ("compact", "delete")
    assert config.preallocate is True
    assert config.is_compacted
    assert config.is_deleted
    by_name = {"retention.ms": 5, "cleanup.policy": ("compact", "delete"), "preallocate": True}
    assert LogConfig.from_properties({**by_name, "segment.ms": "+7"}) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retention.ms", None),
        ("retention.ms", True),
        ("retention.ms", 1.0),
        ("retention.ms", 2**63),
        ("retention.ms", "9" * 5000),
        ("retention.ms", "1_000"),
        ("retention.ms", "٣"),
        ("retention.ms", b"1"),
        ("max.message.bytes", 2**31),
        ("preallocate", 1),
        ("preallocate", None),
        ("min.cleanable.dirty.ratio", "nan"),
        ("min.cleanable.dirty.ratio", math.inf),
        ("min.cleanable.dirty.ratio", True),
        ("min.cleanable.dirty.ratio", None),
        ("compression.type", 4),
        ("cleanup.policy", ["delete", 5]),
        ("cleanup.policy", {"delete": 1}),
        ("cleanup.policy", ["delete", ""]),
        ("remote.storage.enable", "true"),
        ("internal.segment.bytes", 0),
    ],
)
def test_values_of_the_wrong_kind_are_refused(name, value):
    with pytest.raises(ConfigError) as raised:
        LogConfig.from_properties({name: value})
    assert (raised.value.name, raised.value.value) == (name, value)
    assert raised.value.reason


def test_a_config_that_is_made_by_field_is_checked_too():
    with pytest.raises(ConfigError, match="segment.bytes"):
        LogConfig(segment_bytes=1)


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LogConfig().retention_ms = 5


def test_a_config_is_equal_and_hashable_by_value():
    assert LogConfig(retention_ms=5) == LogConfig(retention_ms="5")
    assert hash(LogConfig(retention_ms=5)) == hash(LogConfig(retention_ms="5"))
    assert LogConfig(retention_ms=5) != LogConfig()


def values_of(definition):
    """Valid values of one config, from its range in words."""
    if definition.type is ConfigType.BOOLEAN:
        return st.just(False) if definition.valid_values else st.booleans()
    if definition.type is ConfigType.DOUBLE:
        return st.floats(0, 1)
    if definition.type in (ConfigType.STRING, ConfigType.LIST):
        names = definition.valid_values.strip("[]").split(", ")
        if "partitionId" in definition.valid_values:
            return st.sampled_from([(), ("*",), ("0:1", "22:333")])
        one = st.sampled_from(names)
        unique = st.lists(one, unique=True).map(tuple)
        return one if definition.type is ConfigType.STRING else unique
    limit = 2**31 - 1 if definition.type is ConfigType.INT else 2**63 - 1
    return st.integers(-limit - 1, limit).filter(
        lambda value: definition.validator is None or definition.validator(value) is None
    )


@given(st.data())
def test_every_config_survives_being_written_as_text(data):
    names = data.draw(st.lists(st.sampled_from(sorted(TOPIC_CONFIGS)), unique=True, max_size=6))
    wanted = {name: data.draw(values_of(TOPIC_CONFIGS[name])) for name in names}
    if wanted.get("min.compaction.lag.ms", 0) > wanted.get("max.compaction.lag.ms", 2**63 - 1):
        return
    config = LogConfig.from_properties(wanted)
    for name, value in wanted.items():
        assert getattr(config, TOPIC_CONFIGS[name].field_name) == value
    written = config.to_properties()
    assert all(type(text) is str for text in written.values())
    assert LogConfig.from_properties(written) == config


def test_text_is_as_kafka_writes_it():
    written = LogConfig(cleanup_policy=("compact", "delete"), preallocate=True).to_properties()
    assert written["cleanup.policy"] == "compact,delete"
    assert written["preallocate"] == "true"
    assert written["min.cleanable.dirty.ratio"] == "0.5"
    assert written["leader.replication.throttled.replicas"] == ""
    assert "internal.segment.bytes" not in written


def test_internal_segment_bytes_takes_the_place_of_segment_bytes():
    assert LogConfig().segment_size_bytes == 1 << 30
    config = LogConfig(internal_segment_bytes=500)
    assert config.segment_size_bytes == 500
    assert config.to_properties()["internal.segment.bytes"] == "500"


def test_segments_of_a_compacted_topic_are_rolled_before_compaction_is_due():
    assert LogConfig(segment_ms=1000, max_compaction_lag_ms=50).max_segment_ms == 1000
    compacted = LogConfig(segment_ms=1000, max_compaction_lag_ms=50, cleanup_policy="compact")
    assert compacted.max_segment_ms == 50


@pytest.mark.parametrize(
    ("properties", "codec", "level"),
    [
        ({}, None, None),
        ({"compression.type": "uncompressed"}, codecs.NONE, None),
        ({"compression.type": "snappy"}, codecs.SNAPPY, None),
        ({"compression.type": "gzip"}, codecs.GZIP, None),
        ({"compression.type": "gzip", "compression.gzip.level": "7"}, codecs.GZIP, 7),
        ({"compression.type": "lz4"}, codecs.LZ4, None),
        ({"compression.type": "lz4", "compression.lz4.level": "10"}, codecs.LZ4, 10),
        ({"compression.type": "lz4", "compression.lz4.level": "17"}, codecs.LZ4, 12),
        ({"compression.type": "zstd", "compression.zstd.level": "-7"}, codecs.ZSTD, -7),
    ],
)
def test_the_stored_codec_and_its_level(properties, codec, level):
    config = LogConfig.from_properties(properties)
    assert (config.compression_codec, config.compression_level) == (codec, level)
    if codec is not None:
        packed = codecs.compress(codec, b"a record" * 100, level)
        assert codecs.decompress(codec, packed, 800) == b"a record" * 100
