import pickle

import pytest

from pylog import types
from pylog.errors import KafkaError
from pylog.types import OFFSET_INVALID, OFFSET_TAIL, TopicPartition


def test_logical_offsets_and_timestamp_types_are_librdkafkas():
    assert (types.OFFSET_BEGINNING, types.OFFSET_END) == (-2, -1)
    assert (types.OFFSET_STORED, types.OFFSET_INVALID) == (-1000, -1001)
    assert types.TIMESTAMP_NOT_AVAILABLE == 0
    assert types.TIMESTAMP_CREATE_TIME == 1
    assert types.TIMESTAMP_LOG_APPEND_TIME == 2
    assert OFFSET_TAIL(0) == -2000
    assert OFFSET_TAIL(5) == -2005
    with pytest.raises(ValueError, match="negative"):
        OFFSET_TAIL(-1)


def test_defaults_are_confluent_kafkas():
    place = TopicPartition("t")
    assert (place.topic, place.partition, place.offset) == ("t", -1, OFFSET_INVALID)
    assert place.metadata is None
    assert place.leader_epoch is None
    assert place.error is None


def test_arguments_have_confluent_kafkas_names():
    place = TopicPartition(topic="t", partition=1, offset=3, metadata="x", leader_epoch=4)
    assert (place.offset, place.metadata, place.leader_epoch) == (3, "x", 4)
    assert TopicPartition("t", 1, 5, "m", -1).leader_epoch is None


def test_it_prints_as_in_confluent_kafka():
    text = "TopicPartition{topic=t,partition=1,offset=5,leader_epoch=None,error=None}"
    assert repr(TopicPartition("t", 1, 5)) == str(TopicPartition("t", 1, 5)) == text
    assert "offset=-1001,leader_epoch=7" in repr(TopicPartition("t", 1, leader_epoch=7))


def test_equality_order_and_hash_are_of_topic_and_partition_alone():
    assert TopicPartition("a", 1, 5) == TopicPartition("a", 1, 6)
    assert TopicPartition("a", 1) != TopicPartition("a", 2)
    assert TopicPartition("a", 1) < TopicPartition("a", 2) < TopicPartition("b", 0)
    assert TopicPartition("a", 1) <= TopicPartition("a", 1) >= TopicPartition("a", 1)
    assert TopicPartition("b", 0) > TopicPartition("a", 9)
    assert {TopicPartition("a", 1, 5): "found"}[TopicPartition("a", 1, 9)] == "found"
    assert TopicPartition("a", 1) != ("a", 1)
    for compare in ("__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(TopicPartition("a", 1), compare)(3) is NotImplemented


def test_offset_and_partition_can_be_set_and_the_rest_cannot():
    place = TopicPartition("t", 1, 5)
    place.offset = 9
    place.partition = 4
    assert (place.offset, place.partition) == (9, 4)
    for name in ("topic", "metadata", "leader_epoch", "error", "ofset"):
        with pytest.raises(AttributeError):
            setattr(place, name, None)


@pytest.mark.parametrize(
    "arguments",
    [(), (5,), (None,), ("t", "x"), ("t", None), ("t", 1, "x"), ("t", 1, None), ("t", 1, 5.0)]
    + [("t", 1, 5, b"m"), ("t", 1, 5, "m", "e")],
)
def test_values_of_the_wrong_type_are_type_errors(arguments):
    with pytest.raises(TypeError):
        TopicPartition(*arguments)


@pytest.mark.parametrize("arguments", [("t", 2**31), ("t", 1, 2**63), ("t", 1, -(2**63) - 1)])
def test_numbers_that_do_not_fit_are_overflow_errors(arguments):
    with pytest.raises(OverflowError):
        TopicPartition(*arguments)


def test_an_offset_of_the_wrong_type_cannot_be_set():
    place = TopicPartition("t", 1, 5)
    with pytest.raises(TypeError):
        place.offset = "x"
    assert place.offset == 5


def test_a_copy_with_an_error_keeps_everything_else():
    place = TopicPartition("t", 1, 5, "m", 3)
    failed = place.with_error(KafkaError(3))
    assert failed.error == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert place.error is None
    assert (failed.offset, failed.metadata, failed.leader_epoch) == (5, "m", 3)
    assert "error=KafkaError{code=UNKNOWN_TOPIC_OR_PART" in str(failed)


def test_it_survives_another_process():
    copy = pickle.loads(pickle.dumps(TopicPartition("t", 1, 5, "m", 3)))
    assert (copy.topic, copy.partition, copy.offset, copy.metadata) == ("t", 1, 5, "m")
