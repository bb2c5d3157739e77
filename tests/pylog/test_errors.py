import inspect
import pickle

import pytest

from logcore import errors as log_errors
from logcore.config import ConfigError, LogConfig
from pylog.error_codes import ERROR_CODES
from pylog.errors import KafkaError, KafkaException, from_log_error

LOG_ERRORS = [
    kind
    for name, kind in inspect.getmembers(log_errors, inspect.isclass)
    if issubclass(kind, Exception) and not name.startswith("_")
]


def test_every_code_of_the_protocol_is_in_the_table():
    assert [code for code in sorted(ERROR_CODES) if code >= -1] == list(range(-1, 134))
    assert [code for code in sorted(ERROR_CODES) if code < -1] == list(range(-199, -136))


def test_every_row_is_an_attribute_of_kafka_error():
    assert len({row.name for row in ERROR_CODES.values()}) == len(ERROR_CODES)
    for code, row in ERROR_CODES.items():
        assert row.code == code
        assert getattr(KafkaError, row.name) == code
        assert row.name.startswith("_") == (code < -1)
        error = KafkaError(code)
        assert error.name() == row.name
        assert error.str() == row.description
        assert error.retriable() is row.is_retriable
        assert not error.fatal()
        assert not error.txn_requires_abort()


@pytest.mark.parametrize(
    ("code", "name", "text"),
    [
        (-191, "_PARTITION_EOF", "Broker: No more messages"),
        (-185, "_TIMED_OUT", "Local: Timed out"),
        (-184, "_QUEUE_FULL", "Local: Queue full"),
        (-152, "_PURGE_QUEUE", "Local: Purged in queue"),
        (-1, "UNKNOWN", "Unknown broker error"),
        (0, "NO_ERROR", "Success"),
        (3, "UNKNOWN_TOPIC_OR_PART", "Broker: Unknown topic or partition"),
        (10, "MSG_SIZE_TOO_LARGE", "Broker: Message size too large"),
        (36, "TOPIC_ALREADY_EXISTS", "Broker: Topic already exists"),
        (98, "SNAPSHOT_NOT_FOUND", "Broker: Snapshot not found"),
        (
            133,
            "SHARE_SESSION_LIMIT_REACHED",
            "Broker: The limit of share sessions has been reached",
        ),
    ],
)
def test_names_and_texts_are_librdkafkas(code, name, text):
    assert (KafkaError(code).name(), KafkaError(code).str()) == (name, text)


# Errors.values() of Kafka 4.3.1 whose exception is a RetriableException.
KAFKA_RETRIABLE = {
    2, 3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 83, 84,
    88, 89, 100, 103, 106, 122, 123, 133,
}  # fmt: skip


def test_retriable_is_kafkas_verdict():
    ours = {code for code, row in ERROR_CODES.items() if row.is_retriable and code >= -1}
    assert ours == KAFKA_RETRIABLE


def test_an_error_prints_as_in_confluent_kafka():
    error = KafkaError(KafkaError._QUEUE_FULL)
    assert repr(error) == 'KafkaError{code=_QUEUE_FULL,val=-184,str="Local: Queue full"}'
    assert str(error) == repr(error)
    fatal = KafkaError(3, "my reason", fatal=True, retriable=True, txn_requires_abort=True)
    assert str(fatal) == 'KafkaError{FATAL,code=UNKNOWN_TOPIC_OR_PART,val=3,str="my reason"}'
    assert fatal.fatal()
    assert fatal.retriable()
    assert fatal.txn_requires_abort()
    assert repr(KafkaException(error)) == f"KafkaException({error})"
    assert str(KafkaException(error)) == str(error)


def test_an_unknown_code_is_told_as_a_number():
    error = KafkaError(5000)
    assert repr(error) == 'KafkaError{code=ERR_5000?,val=5000,str="Err-5000?"}'
    assert not error.retriable()


def test_a_given_verdict_goes_before_the_tables():
    assert KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART).retriable()
    assert not KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, retriable=False).retriable()
    assert KafkaError(KafkaError.INVALID_CONFIG, retriable=True).retriable()


def test_errors_are_equal_by_code_and_to_ints():
    error = KafkaError(3, "one reason")
    assert error == KafkaError(3, "another reason")
    assert error == 3
    assert 3 == error  # noqa: SIM300 (both sides are tested)
    assert error != 4
    assert error != KafkaError(4)
    assert error != "3"
    assert error != None  # noqa: E711 (the comparison is what is tested)
    assert hash(error) == hash(KafkaError(3))
    assert {error: "found"}[KafkaError(3)] == "found"
    assert KafkaError(3) < KafkaError(4) <= 4
    assert KafkaError(-184) < 0 < KafkaError(1)
    assert KafkaError(4) > 3
    assert KafkaError(4) >= 4
    with pytest.raises(TypeError):
        assert KafkaError(4) < "5"
    assert bool(KafkaError(0))


@pytest.mark.parametrize("arguments", [(), ("3",), (3.0,), (None,), (3, 5), (3, b"x")])
def test_wrong_arguments_are_type_errors(arguments):
    with pytest.raises(TypeError):
        KafkaError(*arguments)


def test_an_error_survives_another_process():
    error = KafkaError(3, "reason", fatal=True)
    copy = pickle.loads(pickle.dumps(KafkaException(error))).args[0]
    assert str(copy) == str(error)
    assert copy.retriable() == error.retriable()


def test_an_error_has_no_room_for_typos():
    with pytest.raises(AttributeError):
        KafkaError(3).cod = 5


@pytest.mark.parametrize("kind", LOG_ERRORS)
def test_every_storage_error_becomes_a_kafka_exception_with_its_text_and_cause(kind):
    original = kind("what happened")
    exception = from_log_error(original)
    assert type(exception) is KafkaException
    assert exception.__cause__ is original
    assert exception.args[0].str() == "what happened"
    assert (exception.args[0].code() == KafkaError._FAIL) == (kind is log_errors.LogError)


@pytest.mark.parametrize(
    ("original", "code"),
    [
        (log_errors.OffsetOutOfRangeError("x"), KafkaError.OFFSET_OUT_OF_RANGE),
        (log_errors.RecordTooLargeError("x"), KafkaError.MSG_SIZE_TOO_LARGE),
        (log_errors.InvalidRecordError("x"), KafkaError.INVALID_RECORD),
        (log_errors.DiskFullError("x"), KafkaError.KAFKA_STORAGE_ERROR),
        (log_errors.CorruptRecordError("x"), KafkaError._BAD_MSG),
    ],
)
def test_the_code_is_the_one_a_kafka_program_looks_for(original, code):
    assert from_log_error(original).args[0] == code


def test_a_full_disk_may_be_retried_and_a_failed_fsync_never():
    assert from_log_error(log_errors.DiskFullError("x")).args[0].retriable()
    assert not from_log_error(log_errors.FsyncError("x")).args[0].retriable()


def test_a_subclass_of_a_storage_error_takes_its_bases_code():
    class NewerDiskFullError(log_errors.DiskFullError):
        pass

    assert from_log_error(NewerDiskFullError("x")).args[0] == KafkaError.KAFKA_STORAGE_ERROR


def test_a_bad_topic_config_is_an_invalid_config():
    with pytest.raises(ConfigError) as raised:
        LogConfig.from_properties({"retention.msec": "1"})
    error = from_log_error(raised.value).args[0]
    assert error == KafkaError.INVALID_CONFIG
    assert "retention.ms" in error.str()


@pytest.mark.peer
def test_the_table_is_confluent_kafkas():
    confluent_kafka = pytest.importorskip("confluent_kafka")
    theirs = {
        value: name
        for name, value in inspect.getmembers(confluent_kafka.KafkaError)
        if isinstance(value, int)
    }
    assert set(theirs) <= set(ERROR_CODES)
    for code, name in theirs.items():
        assert ERROR_CODES[code].name == name
        assert ERROR_CODES[code].description == confluent_kafka.KafkaError(code).str()
        assert repr(KafkaError(code)) == repr(confluent_kafka.KafkaError(code))
