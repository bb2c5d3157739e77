"""pylog.open: the face for programs that embed the log."""

import os
import subprocess
import sys

import numpy
import pytest

import pylog
from pylog import KafkaError, KafkaException


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "log")


def test_append_returns_the_offset_and_read_gives_it_back(folder):
    with pylog.open(folder) as log:
        topic = log.topic("t")
        assert topic.append(b"first", key=b"k", headers={"h": b"x"}, timestamp_ms=5) == 0
        assert topic.append("second") == 1
        first, second = topic.read()
        assert (first.key(), first.value(), first.headers()) == (b"k", b"first", [("h", b"x")])
        assert first.timestamp() == (1, 5)
        assert second.value() == b"second"


def test_acks_all_is_durable_at_return_and_acks_1_is_not_waited_for(folder):
    with pylog.open(folder, acks="all") as log:
        topic = log.topic("t")
        topic.append(b"v")
        assert topic.log().durable_offset == 1


def test_append_many_takes_values_and_pairs_and_returns_how_many(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        assert topic.append_many([b"a", (b"k", b"b"), (None, None), "text"]) == 4
        assert topic.append_many(b"%d" % number for number in range(10)) == 10
        read = [(message.key(), message.value()) for message in topic.read()]
    assert read[:4] == [(None, b"a"), (b"k", b"b"), (None, None), (None, b"text")]
    assert [value for _, value in read[4:]] == [b"%d" % number for number in range(10)]


def test_append_many_larger_than_a_batch_keeps_order(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        topic.append_many([b"%06d" % number + b"x" * 1000 for number in range(3000)])
        assert [message.value()[:6] for message in topic.read()] == [
            b"%06d" % number for number in range(3000)
        ]


def test_append_many_sends_equal_keys_to_one_partition(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t", partitions=4)
        topic.append_many([(b"key-%d" % (number % 50), b"v") for number in range(1000)])
        places = {}
        for partition in range(4):
            for message in topic.read(partition):
                places.setdefault(message.key(), set()).add(partition)
    assert len(places) == 50
    assert all(len(partitions) == 1 for partitions in places.values())


def test_a_bad_record_in_append_many_says_how_many_are_in_the_log(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        with pytest.raises(TypeError, match="value must be bytes-like") as caught:
            topic.append_many([b"ok", 5])
        assert caught.value.appended == 0
        assert list(topic.read()) == []
        with pytest.raises(TypeError, match="pair"):
            topic.append_many([(b"a", b"b", b"c")])


def test_expected_offset_lets_one_of_two_writers_win(folder):
    with pylog.open(folder) as log:
        topic = log.topic("t")
        topic.append(b"a", expected_offset=0)
        with pytest.raises(KafkaException) as caught:
            topic.append(b"b", expected_offset=0)
        assert caught.value.__cause__.log_end_offset == 1
        topic.append_many([b"c", b"d"], expected_offset=1)
        with pytest.raises(KafkaException):
            topic.append_many([b"e", b"f"], expected_offset=1)
        assert [message.value() for message in topic.read()] == [b"a", b"c", b"d"]


def test_processes_that_race_with_expected_offset_never_win_the_same_one(folder):
    with pylog.open(folder) as log:
        log.topic("t")
    program = (
        "import pylog\n"
        f"with pylog.open({folder!r}, acks=1) as log:\n"
        "    topic = log.topic('t')\n"
        "    while (end_offset := topic.end_offset()) < 3000:\n"
        "        try:\n"
        "            print(topic.append(b'v', expected_offset=end_offset))\n"
        "        except pylog.KafkaException:\n"
        "            pass\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(3)
    ]
    won = [int(line) for process in processes for line in process.communicate()[0].split()]
    assert [process.returncode for process in processes] == [0, 0, 0]
    with pylog.open(folder) as log:
        assert sorted(won) == list(range(log.topic("t").end_offset()))


def test_read_takes_an_offset_from_either_end_and_a_limit(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        topic.append_many([b"%d" % number for number in range(100)])
        assert next(topic.read(offset=40)).value() == b"40"
        assert [message.offset() for message in topic.read(offset=-3)] == [97, 98, 99]
        assert len(list(topic.read(max_records=7))) == 7
        with pytest.raises(KafkaException) as caught:
            next(topic.read(offset=101))
        assert caught.value.args[0].code() in (
            KafkaError.OFFSET_OUT_OF_RANGE,
            KafkaError._AUTO_OFFSET_RESET,
        )


def test_follow_sees_what_is_appended_while_it_runs(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t", partitions=2)
        topic.append(b"0", partition=0)
        seen = []
        for message in topic.follow(timeout=0.2):
            seen.append(message.value())
            if len(seen) < 10:
                topic.append(b"%d" % len(seen), partition=len(seen) % 2)
        assert seen == [b"%d" % number for number in range(10)]


def test_columns_point_at_the_values_that_read_returns(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        topic.append_many([(b"k%d" % number, b"v" * (number % 50)) for number in range(5000)])
        columns = topic.columns()
        assert isinstance(columns.offsets, numpy.ndarray)
        buffer = memoryview(columns.buffer)
        for message, offset, position, size in zip(
            topic.read(), columns.offsets, columns.value_positions, columns.value_sizes, strict=True
        ):
            assert message.offset() == offset
            assert bytes(buffer[position : position + size]) == message.value()


def test_to_arrow_holds_offsets_timestamps_keys_and_values(folder):
    pytest.importorskip("pyarrow", reason="the extra `arrow` is not installed")
    with pylog.open(folder, acks=1, compression="zstd") as log:
        topic = log.topic("t")
        topic.append_many(
            [(None if number % 3 else b"k", b"v%d" % number) for number in range(100)]
        )
        table = topic.to_arrow(offset=10, end_offset=20)
    assert table["offset"].to_pylist() == list(range(10, 20))
    assert table["value"].to_pylist() == [b"v%d" % number for number in range(10, 20)]
    assert table["key"].to_pylist() == [None if number % 3 else b"k" for number in range(10, 20)]


def test_a_read_only_folder_reads_and_refuses_appends(folder):
    with pylog.open(folder, acks=1) as log:
        log.topic("t").append(b"v")
        with pylog.open(folder, read_only=True) as reader:
            assert [message.value() for message in reader.topic("t").read()] == [b"v"]
            with pytest.raises(KafkaException):
                reader.topic("t").append(b"w")


@pytest.mark.parametrize("bad", [{"acks": 2}, {"compression": "rar"}, {"partitioner": "x"}])
def test_a_bad_argument_is_a_kafkaexception_that_lists_the_good_ones(folder, bad):
    with pytest.raises(KafkaException) as caught:
        pylog.open(folder, **bad)
    assert caught.value.args[0].code() == KafkaError._INVALID_ARG


def test_a_folder_that_is_not_ours_is_refused_and_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(KafkaException, match="not a pylog folder"):
        pylog.open(tmp_path)
    assert os.listdir(tmp_path) == ["holiday.jpg"]


def test_a_closed_folder_says_so(folder):
    log = pylog.open(folder)
    log.close()
    log.close()
    with pytest.raises(KafkaException, match="closed"):
        log.topic("t")


def test_delete_topic_stops_those_who_append_to_it(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        topic.append(b"v")
        log.delete_topic("t")
        assert log.topics() == []
        with pytest.raises(KafkaException):
            topic.append(b"v")
        assert log.topic("t").append(b"anew") == 0


def test_a_reader_of_a_topic_that_is_deleted_gets_an_error_and_not_silence(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        topic.append(b"v")
        follower = topic.follow(timeout=20)
        assert next(follower).value() == b"v"
        log.delete_topic("t")
        with pytest.raises(KafkaException):
            next(follower)


def test_a_corrupt_batch_is_an_exception_with_its_place_as_the_cause(folder):
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        topic.append(b"value")
        with open(f"{folder}/t-0/00000000000000000000.log", "r+b") as file:
            file.seek(70)
            file.write(b"\xff")
        with pytest.raises(KafkaException) as caught:
            list(topic.read())
    assert caught.value.__cause__.position == 0
