"""ListOffsets, DeleteRecords, OffsetForLeaderEpoch, DescribeLogDirs: where partitions stand."""

import pytest
from produced import (
    LIST,
    Transactional,
    create,
    fetch,
    list_offset,
    make_batch,
    partitions_of,
    produce,
    wanted,
)
from wire_client import api

from logcore import layout, leader_epochs
from pylog.errors import KafkaError

E = KafkaError
DELETE, EPOCHS, DIRS = api(21), api(23), api(35)


def fill(client, topic, *times_ms):
    for time_ms in times_ms:
        batch = make_batch(b"a", b"b", timestamp_ms=time_ms)
        assert produce(client, topic, batch).error_code == 0


def delete(client, topic, offset, partition=0):
    asked = DELETE.DeleteRecordsPartition(partition_index=partition, offset=offset)
    response = client.ask(
        DELETE.DeleteRecordsRequest(
            topics=[DELETE.DeleteRecordsTopic(name=topic, partitions=[asked])], timeout_ms=10_000
        ),
        2,
    )
    (answer,) = response.topics[0].partitions
    return answer.error_code, answer.low_watermark


@pytest.mark.parametrize("version", range(1, 12))
def test_where_a_partition_begins_and_ends(client, version):
    name = f"version-{version}"
    create(client, name)
    assert list_offset(client, name, -1, version=version) == (0, 0, -1)
    fill(client, name, 1000, 3000, 2000)
    assert list_offset(client, name, -1, version=version) == (0, 6, -1)
    assert list_offset(client, name, -2, version=version) == (0, 0, -1)
    assert list_offset(client, name, 1001, version=version) == (0, 2, 3000)
    assert list_offset(client, name, 3001, version=version) == (0, -1, -1)
    for timestamp, first, answer in (
        (-3, 7, (0, 2, 3000)),
        (-4, 8, (0, 0, -1)),
        (-5, 9, (0, -1, -1)),
        (-6, 11, (0, 0, -1)),
        (-7, 99, None),
    ):
        expected = answer if version >= first else (E.UNSUPPORTED_VERSION, -1, -1)
        assert list_offset(client, name, timestamp, version=version) == expected


def test_the_largest_time_of_an_empty_partition_is_none(client, topic):
    assert list_offset(client, topic, -3) == (0, -1, -1)


def test_the_end_for_read_committed_is_the_last_stable_offset(client, topic):
    producer = Transactional(client, f"tx-{topic}")
    assert producer.add(topic) == [0]
    assert producer.put(topic, b"x") == 0
    assert list_offset(client, topic, -1, isolation_level=1) == (0, 0, -1)
    assert list_offset(client, topic, -1) == (0, 1, -1)
    assert list_offset(client, topic, 0, isolation_level=1)[1] == -1
    assert producer.end(True) == 0
    assert list_offset(client, topic, -1, isolation_level=1) == (0, 2, -1)


def test_partitions_that_are_not_there_or_asked_for_twice(client, topic):
    assert list_offset(client, "missing", -1)[0] == E.UNKNOWN_TOPIC_OR_PART
    twice = [LIST.ListOffsetsPartition(partition_index=0, timestamp=-1)] * 2
    request = LIST.ListOffsetsRequest(topics=[LIST.ListOffsetsTopic(name=topic, partitions=twice)])
    answers = client.ask(request, 7).topics[0].partitions
    assert {answer.error_code for answer in answers} == {E.INVALID_REQUEST}


def test_records_below_an_offset_are_deleted(client, topic):
    fill(client, topic, 1, 2, 3)
    assert delete(client, topic, 3) == (0, 3)
    assert delete(client, topic, 1) == (0, 3)
    assert delete(client, topic, 7) == (E.OFFSET_OUT_OF_RANGE, -1)
    assert delete(client, topic, -2) == (E.OFFSET_OUT_OF_RANGE, -1)
    assert list_offset(client, topic, -2) == (0, 3, -1)
    (answer,) = partitions_of(fetch(client, (topic, [wanted(0, 2)])))
    assert answer.error_code == E.OFFSET_OUT_OF_RANGE
    assert delete(client, topic, -1) == (0, 6)
    assert delete(client, topic, 0, partition=5) == (E.UNKNOWN_TOPIC_OR_PART, -1)


def test_records_of_a_topic_that_only_compacts_are_not_deleted(client):
    create(client, "compacted", cleanup_policy="compact")
    create(client, "both", cleanup_policy="compact,delete")
    assert delete(client, "compacted", 0) == (E.POLICY_VIOLATION, -1)
    assert delete(client, "both", 0) == (0, 0)


def test_where_leader_epochs_end(server, client, topic):
    fill(client, topic, 1, 2)

    def ends(epoch, current=-1, name=topic):
        asked = EPOCHS.OffsetForLeaderPartition(
            partition=0, leader_epoch=epoch, current_leader_epoch=current
        )
        response = client.ask(
            EPOCHS.OffsetForLeaderEpochRequest(
                topics=[EPOCHS.OffsetForLeaderTopic(topic=name, partitions=[asked])]
            ),
            4,
        )
        (answer,) = response.topics[0].partitions
        return answer.error_code, answer.leader_epoch, answer.end_offset

    assert ends(0) == (0, 0, 4)
    assert ends(5) == ends(-1) == (0, -1, -1)
    assert ends(0, current=9) == (E.UNKNOWN_LEADER_EPOCH, -1, -1)
    assert ends(0, name="missing") == (E.UNKNOWN_TOPIC_OR_PART, -1, -1)


def test_the_end_of_an_epoch_is_where_the_next_one_began(tmp_path):
    path = tmp_path / layout.LEADER_EPOCH_FILE
    leader_epochs.write(path, [(1, 10), (4, 70)])
    found = [leader_epochs.find_end_offset(path, epoch, 4, 100) for epoch in range(-1, 6)]
    assert found == [(-1, -1), (0, 10), (1, 70), (1, 70), (1, 70), (4, 100), (-1, -1)]


@pytest.mark.parametrize("version", range(1, 6))
def test_the_folder_and_its_partitions_are_described(server, client, topic, version):
    fill(client, topic, 1)
    asked = DIRS.DescribableLogDirTopic(topic=topic, partitions=[0, 9])
    response = client.ask(DIRS.DescribeLogDirsRequest(topics=[asked]), version)
    (result,) = response.results
    assert (response.error_code, result.error_code, result.log_dir) == (
        0, 0, server.broker.log_dir.path
    )  # fmt: skip
    size = server.broker.log_dir.partition(topic, 0).size_bytes
    assert [
        (each.name, [(one.partition_index, one.partition_size) for one in each.partitions])
        for each in result.topics
    ] == [(topic, [(0, size)])]
    if version >= 4:
        assert result.total_bytes > result.usable_bytes > 0
    everything = client.ask(DIRS.DescribeLogDirsRequest(topics=None), version).results[0]
    assert {topic, "both"} <= {each.name for each in everything.topics} | {"both"}
