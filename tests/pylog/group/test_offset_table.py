"""OffsetTable: what batches of __consumer_offsets amount to."""

import random
import struct

import pytest

from logcore.batch import BatchBuilder, BatchView, crc32c
from logcore.errors import CorruptRecordError, UnsupportedFormatError
from pylog.group.offset_table import OffsetTable
from pylog.group.records import (
    GroupMetadata,
    OffsetAndMetadata,
    encode_consumer_group_key,
    encode_group_key,
    encode_group_value,
    encode_offset_key,
    encode_offset_value,
)

TRANSACTIONAL, CONTROL = 0x10, 0x20


class Topic:
    """A table and the offset that its next batch gets."""

    def __init__(self):
        self.table = OffsetTable()
        self.end_offset = 0

    def batch(self, *pairs, producer_id=-1, attributes=0):
        builder = BatchBuilder()
        for key, value in pairs:
            builder.append(0, key, value)
        data = bytearray(builder.build())
        struct.pack_into(">q", data, 0, self.end_offset)
        struct.pack_into(">h", data, 21, attributes)
        struct.pack_into(">qhi", data, 43, producer_id, 0, 0)
        struct.pack_into(">I", data, 17, crc32c(data[21:]))
        self.end_offset += len(pairs)
        self.table.apply(BatchView(data))

    def write(self, group, offset, partition=("t", 0), producer_id=None):
        value = None if offset is None else encode_offset_value(OffsetAndMetadata(offset, 0, "", 1))
        pair = (encode_offset_key(group, *partition), value)
        if producer_id is None:
            self.batch(pair)
        else:
            self.batch(pair, producer_id=producer_id, attributes=TRANSACTIONAL)

    def mark(self, producer_id, kind):
        self.batch(
            (struct.pack(">hh", 0, kind), b"\0" * 6),
            producer_id=producer_id, attributes=TRANSACTIONAL | CONTROL,
        )  # fmt: skip

    def commit(self, producer_id):
        self.mark(producer_id, 1)

    def abort(self, producer_id):
        self.mark(producer_id, 0)

    def offsets(self, group):
        self.table.settle()
        return {partition: value.offset for partition, value in self.table.offsets(group).items()}


@pytest.fixture
def topic():
    return Topic()


def test_the_last_record_of_a_key_counts(topic):
    topic.write("g", 1)
    topic.write("g", 5)
    topic.write("h", 9)
    assert topic.offsets("g") == {("t", 0): 5}
    assert topic.offsets("h") == {("t", 0): 9}


def test_a_record_without_value_forgets(topic):
    topic.write("g", 1)
    topic.write("g", 2, ("t", 1))
    topic.write("g", None)
    assert topic.offsets("g") == {("t", 1): 2}
    topic.write("g", None, ("t", 1))
    assert list(topic.table.groups()) == []


def test_offsets_of_a_transaction_wait_for_its_commit(topic):
    topic.write("g", 1)
    topic.write("g", 7, producer_id=4)
    assert topic.offsets("g") == {("t", 0): 1}
    assert topic.table.pending("g") == {("t", 0)}
    topic.commit(4)
    assert topic.offsets("g") == {("t", 0): 7}
    assert topic.table.pending("g") == set()


def test_offsets_of_an_aborted_transaction_are_dropped(topic):
    topic.write("g", 1)
    topic.write("g", 7, producer_id=4)
    topic.abort(4)
    topic.commit(4)
    assert topic.offsets("g") == {("t", 0): 1}
    assert topic.table.pending("g") == set()


def test_a_marker_ends_the_transaction_of_its_producer_alone(topic):
    topic.write("g", 7, producer_id=4)
    topic.write("g", 8, ("t", 1), producer_id=5)
    topic.commit(5)
    assert topic.offsets("g") == {("t", 1): 8}
    assert topic.table.pending("g") == {("t", 0)}


def test_what_was_committed_after_a_transaction_wrote_outlives_its_commit(topic):
    topic.write("g", 7, producer_id=4)
    topic.write("g", 9)
    topic.commit(4)
    assert topic.offsets("g") == {("t", 0): 9}


def test_a_deletion_drops_what_open_transactions_wrote(topic):
    topic.write("g", 1)
    topic.write("g", 7, producer_id=4)
    topic.write("g", None)
    topic.commit(4)
    assert topic.offsets("g") == {}


def test_a_group_with_nothing_but_a_pending_offset_is_known(topic):
    topic.write("g", 7, producer_id=4)
    assert list(topic.table.groups()) == ["g"]


def test_the_last_members_written_count_until_they_are_deleted(topic):
    for generation in (1, 2):
        group = GroupMetadata("consumer", generation)
        topic.batch((encode_group_key("g"), encode_group_value(group)))
    topic.table.settle()
    assert topic.table.metadata("g") == GroupMetadata("consumer", 2)
    topic.batch((encode_group_key("g"), None))
    topic.table.settle()
    assert topic.table.metadata("g") is None


def test_a_group_of_the_newer_protocol_is_known_by_its_epoch(topic):
    key = encode_consumer_group_key("g")
    topic.batch((key, b"\0\0\0\0\0\2\0"))
    topic.batch((key, b"\0\0\0\0\0\3\1\0\x08\1\2\3\4\5\6\7\x08"))  # Kafka adds a hash
    topic.table.settle()
    assert topic.table.consumer_epoch("g") == 3
    assert set(topic.table.groups()) == {"g"}
    topic.batch((key, None))
    assert topic.table.consumer_epoch("g") is None
    assert not set(topic.table.groups())


def test_records_of_other_kinds_of_groups_are_left_alone(topic):
    topic.batch((b"\0\5\0\1g", b"\0\0whatever"), (b"\0\x14\0\1g", None))
    topic.write("g", 3)
    assert topic.offsets("g") == {("t", 0): 3}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"value"),
        (b"", b"value"),
        (b"\0\1key", b"value"),
        (encode_offset_key("g", "t", 0), b"\0\1cut"),
        (encode_group_key("g"), b"garbage" * 9),
    ],
)
def test_a_record_that_is_none_of_kafkas_is_named_by_its_offset(topic, key, value):
    topic.write("g", 3)
    with pytest.raises((CorruptRecordError, UnsupportedFormatError), match="offset 1"):
        topic.batch((key, value))
        topic.table.settle()


def test_any_history_amounts_to_what_a_plain_reading_of_it_does():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201
    generator = random.Random(seed)
    for _ in range(60):
        topic, model, pending = Topic(), {}, {}
        for step in range(60):
            group, partition = generator.choice("gh"), ("t", generator.randrange(2))
            producer_id = generator.randrange(3)
            choice = generator.random()
            if choice < 0.4:
                topic.write(group, step, partition)
                model[group, partition] = step
            elif choice < 0.5:
                topic.write(group, None, partition)
                model.pop((group, partition), None)
                for offsets in pending.values():
                    offsets.pop((group, partition), None)
            elif choice < 0.8:
                topic.write(group, step, partition, producer_id)
                pending.setdefault(producer_id, {})[group, partition] = step
            elif choice < 0.9:
                topic.commit(producer_id)
                for key, offset in pending.pop(producer_id, {}).items():
                    model[key] = max(offset, model.get(key, -1))
            else:
                topic.abort(producer_id)
                pending.pop(producer_id, None)
            if generator.random() < 0.2:
                topic.table.settle()
        for group in "gh":
            expected = {key[1]: offset for key, offset in model.items() if key[0] == group}
            assert topic.offsets(group) == expected
            waiting = {key[1] for offsets in pending.values() for key in offsets if key[0] == group}
            assert topic.table.pending(group) == waiting
