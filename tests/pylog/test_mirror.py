"""A mirror between folders: contents, offsets, groups, what it refuses. Kills: tests/cli."""

import random
import sys

import pytest

import pylog
from pylog import KafkaError, KafkaException, TopicPartition
from pylog.admin import ConfigResource, NewTopic
from pylog.mirror import Mirror, Place, offset_syncs, topics
from pylog.mirror.offset_syncs import OffsetSyncs

FIRST_MS = 1_700_000_000_000


@pytest.fixture
def source(tmp_path):
    return str(tmp_path / "source")


@pytest.fixture
def target(tmp_path):
    return str(tmp_path / "target")


@pytest.fixture
def random_source(request):
    seed = random.SystemRandom().getrandbits(32)
    sys.stdout.write(f"{request.node.name}: seed {seed}\n")
    return random.Random(seed)


def create(folder, name="t", partitions=1, **configs):
    with pylog.AdminClient({"log.dir": folder}) as admin:
        given = {"retention.ms": "-1", **configs}
        admin.create_topics([NewTopic(name, partitions, config=given)])[name].result()


def fill(folder, count, name="t", start=0, partition=-1):
    with pylog.Producer({"log.dir": folder}) as producer:
        for number in range(start, start + count):
            producer.produce(
                name,
                None if number % 7 == 0 else b"v%d" % number,
                key=None if number % 5 == 0 else b"k%d" % (number % 13),
                partition=partition,
                headers=[("h", b"%d" % number), ("h", None)] if number % 3 == 0 else None,
                timestamp=FIRST_MS + number,
            )


def contents(folder, name="t"):
    with pylog.open(folder, create=False) as log:
        topic = log.topic(name)
        return [
            [
                (each.key(), each.value(), each.headers() or None, each.timestamp()[1])
                for each in topic.read(number)
            ]
            for number in range(topic.partitions)
        ]


def mirror(source, target, wanted=("t",), groups=(), **named):
    return Mirror(Place.parse(source), Place.parse(target), wanted, groups, **named).run()


def code_of(raised):
    return raised.value.args[0].code()


# ---- contents ----


def test_a_copy_has_the_same_records_in_the_same_partitions(source, target):
    create(source, partitions=3, **{"segment.bytes": "2097152", "index.interval.bytes": "2048"})
    fill(source, 12_000)
    planned, written = [], []
    outcome = mirror(source, target, on_plan=planned.append, on_records=written.append)
    assert (outcome.topics, outcome.records) == (1, 12_000)
    assert sum(planned) == sum(written) == 12_000
    assert contents(target) == contents(source)
    with pylog.AdminClient({"log.dir": target}) as admin:
        (future,) = admin.describe_configs([ConfigResource("topic", "t")]).values()
        configs = future.result()
        assert configs["segment.bytes"].value == "2097152"
        assert configs["index.interval.bytes"].value == "2048"
        assert configs["retention.bytes"].is_default


def test_a_second_run_copies_what_is_new_and_nothing_twice(source, target):
    create(source, partitions=2)
    for start in (0, 500, 500, 1000):
        if start < 1000:
            fill(source, 100, start=start)
        expected = sum(map(len, contents(source))) - sum(
            map(len, contents(target)) if start else [0]
        )
        assert mirror(source, target).records == expected
        assert contents(target) == contents(source)


def test_names_and_patterns_choose_topics_and_internal_ones_stay(source, target):
    for name in ("orders", "clicks-1", "clicks-2", "other", "x.internal"):
        create(source, name)
        fill(source, 3, name)
    outcome = mirror(source, target, ["orders", "^clicks.*", "^x"])
    assert (outcome.topics, outcome.records) == (3, 9)
    with pylog.open(target) as log:
        names = {name for name in log.topics() if not topics.is_internal(name)}
    assert names == {"orders", "clicks-1", "clicks-2"}


def test_partitions_added_at_the_source_are_added_at_the_target(source, target):
    create(source)
    fill(source, 10)
    mirror(source, target)
    with pylog.AdminClient({"log.dir": source}) as admin:
        admin.create_partitions([pylog.admin.NewPartitions("t", 3)])["t"].result()
    fill(source, 10, start=10, partition=2)
    assert mirror(source, target).records == 10
    assert contents(target) == contents(source)


def test_timestamps_stay_where_the_source_sets_them_at_append(source, target):
    create(source, **{"message.timestamp.type": "LogAppendTime"})
    fill(source, 3)
    mirror(source, target)
    assert contents(target) == contents(source)
    assert all(timestamp_ms > FIRST_MS + 10**9 for *_, timestamp_ms in contents(target)[0])


def test_what_was_aborted_is_not_copied_and_offsets_close_up(source, target):
    create(source)
    with pylog.Producer({"log.dir": source, "transactional.id": "x"}) as producer:
        producer.init_transactions()
        for number in range(4):
            producer.begin_transaction()
            for _ in range(5):
                producer.produce("t", b"%d" % number)
            producer.commit_transaction() if number % 2 else producer.abort_transaction()
    assert mirror(source, target).records == 10
    values = [value for _, value, *_ in contents(target)[0]]
    assert values == [b"1"] * 5 + [b"3"] * 5
    with pylog.open(target) as log:
        assert log.topic("t").end_offset() == 10  # no markers at the target


# ---- offsets ----


def test_syncs_translate_both_ways_whatever_the_gaps(random_source):
    """Each record's offset, and each offset between, against the list of what was copied."""
    place = ("t", 0)
    for _ in range(200):
        syncs = OffsetSyncs()
        upstream = position = random_source.randrange(5)
        downstream = random_source.randrange(5)
        pairs = []
        for _ in range(random_source.randrange(1, 6)):
            copied = []
            for _ in range(random_source.randrange(1, 8)):
                upstream += random_source.choice([1, 1, 1, 2, 5])
                copied.append((upstream - 1, downstream))
                downstream += 1
            for sync in syncs.needed(place, position, copied):
                syncs.add(place, sync)
            position = upstream
            pairs += copied
            if random_source.random() < 0.5:
                downstream += 1  # a marker at the target
        for source_offset, target_offset in pairs:
            assert syncs.downstream(place, source_offset) == target_offset
            assert syncs.upstream(place, target_offset) == source_offset
        for source_offset in range(pairs[0][0], pairs[-1][0] + 1):
            after = min(target for found, target in pairs if found >= source_offset)
            before = max([target for found, target in pairs if found < source_offset], default=-1)
            assert before < syncs.downstream(place, source_offset) <= after


def test_a_sync_is_the_record_of_mirrormaker():
    key, value = offset_syncs.encode(("täg", 3), (2**40, 7))
    assert key == b"\x00\x04t\xc3\xa4g\x00\x00\x00\x03"
    assert value == (2**40).to_bytes(8, "big") + (7).to_bytes(8, "big")
    assert offset_syncs.decode(key, value) == (("täg", 3), (2**40, 7))
    for wrong in ((None, None), (b"", value), (key[:-1], value), (key, value + b"x")):
        with pytest.raises(ValueError, match="not an offset sync"):
            offset_syncs.decode(*wrong)


def test_groups_go_on_at_the_same_record(source, target):
    create(source)
    with pylog.Producer({"log.dir": source, "transactional.id": "x"}) as producer:
        producer.init_transactions()
        for number in range(10):
            producer.begin_transaction()
            producer.produce("t", b"%d" % number)
            producer.commit_transaction()  # so that every second offset is a marker's
    for group, offset in (("g-begin", 0), ("g-middle", 8), ("g-end", 20), ("other", 8)):
        commit(source, group, offset)
    assert mirror(source, target, groups=["^g-.*"]).group_offsets == 3
    for group, next_value in (("g-begin", b"0"), ("g-middle", b"4"), ("g-end", None)):
        with pylog.Consumer({"log.dir": target, "group.id": group}) as consumer:
            (place,) = consumer.committed([TopicPartition("t", 0)])
            consumer.assign([place])
            message = consumer.poll(0.2)
            assert (message.value() if message else None) == next_value
    with pylog.Consumer({"log.dir": target, "group.id": "other"}) as consumer:
        assert consumer.committed([TopicPartition("t", 0)])[0].offset == pylog.OFFSET_INVALID


def commit(folder, group, offset):
    with pylog.Consumer({"log.dir": folder, "group.id": group}) as consumer:
        consumer.commit(offsets=[TopicPartition("t", 0, offset)], asynchronous=False)


def test_a_group_never_goes_back_at_the_target(source, target):
    create(source)
    fill(source, 10)
    commit(source, "g", 4)
    mirror(source, target, groups=["g"])
    commit(target, "g", 9)
    assert mirror(source, target, groups=["g"]).group_offsets == 0
    with pylog.Consumer({"log.dir": target, "group.id": "g"}) as consumer:
        assert consumer.committed([TopicPartition("t", 0)])[0].offset == 9


# ---- what it refuses ----


def test_records_of_somebody_else_at_the_target_are_refused(source, target):
    create(source)
    create(target)
    fill(source, 10)
    fill(target, 1)
    with pytest.raises(KafkaException, match="did not write") as raised:
        mirror(source, target)
    assert code_of(raised) == KafkaError._CONFLICT
    assert len(contents(target)[0]) == 1


def test_a_record_that_was_added_to_a_copy_is_refused(source, target):
    create(source)
    fill(source, 10)
    mirror(source, target)
    fill(target, 1)  # as many as will come
    fill(source, 5, start=10)
    with pytest.raises(KafkaException, match="somebody else wrote") as raised:
        mirror(source, target)
    assert code_of(raised) == KafkaError._CONFLICT


def test_a_source_that_was_made_anew_is_refused(source, target):
    create(source)
    fill(source, 10)
    mirror(source, target)
    with pylog.AdminClient({"log.dir": source}) as admin:
        admin.delete_topics(["t"])["t"].result()
    create(source)
    fill(source, 3)
    with pytest.raises(KafkaException, match="not the topic that it was"):
        mirror(source, target)


def test_records_that_are_gone_at_the_source_are_told(source, target):
    create(source)
    fill(source, 5)
    mirror(source, target)
    fill(source, 10, start=5)
    with pylog.AdminClient({"log.dir": source}) as admin:
        admin.delete_records([TopicPartition("t", 0, 8)])
    notes = []
    assert mirror(source, target, on_note=notes.append).records == 7
    assert notes == [f"t [0]: offsets 5 to 7 are gone at {source}; not copied"]
    assert contents(target)[0][5:] == contents(source)[0]
    assert mirror(source, target).records == 0


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("missing", "no topic missing"), ("__consumer_offsets", "internal")],
)
def test_a_topic_that_cannot_be_copied_is_named(source, target, wanted, words):
    create(source)
    with pytest.raises(KafkaException, match=words):
        mirror(source, target, [wanted])


def test_a_place_onto_itself_is_refused(source):
    create(source)
    with pytest.raises(KafkaException, match="one and the same place"):
        mirror(source, source)


def test_a_cluster_that_is_not_there_is_named(source, monkeypatch):
    create(source)
    monkeypatch.setattr("pylog.mirror.run._CONTACT_S", 0.5)
    with pytest.raises(KafkaException, match=r"127\.0\.0\.1:9: .*Broker transport failure"):
        mirror(source, "127.0.0.1:9")


def test_damaged_syncs_are_refused(source, target):
    create(source)
    fill(source, 3)
    mirror(source, target)
    with pylog.open(target) as log:
        (name,) = [name for name in log.topics() if name.startswith("mm2-offset-syncs")]
        log.topic(name).append(b"nonsense", key=b"x")
    with pytest.raises(KafkaException, match=r"mm2-offset-syncs.* \[0\] 1: not an offset sync"):
        mirror(source, target)
