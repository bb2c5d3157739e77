"""GroupOffsets: offsets written by many processes, seen by all, never wrong."""

import os
import random
import subprocess
import sys
import threading
import time

import pytest

from logcore import compaction
from logcore.batch import BatchBuilder, iter_records
from pylog.errors import KafkaError, KafkaException
from pylog.group.offsets import MAX_METADATA_CHARACTERS, GroupOffsets, OffsetAndMetadata
from pylog.group.records import GroupMetadata, OffsetKey, decode_key, decode_offset_value
from pylog.internal_topics import OFFSETS_TOPIC, open_partition
from pylog.log_dir import LogDir

P0, P1 = ("t", 0), ("t", 1)


@pytest.fixture
def log_dir(tmp_path):
    with LogDir.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def offsets(log_dir):
    return GroupOffsets.of(log_dir)


def numbers(offsets, group):
    return {partition: value.offset for partition, value in offsets.committed(group).items()}


def code_of(raised):
    return raised.value.args[0].code()


def test_a_folder_has_one_in_a_process(log_dir, offsets):
    assert GroupOffsets.of(log_dir) is offsets


def test_a_group_that_never_committed_has_nothing_and_makes_nothing(log_dir, offsets):
    assert offsets.committed("g") == {}
    assert offsets.pending("g") == set()
    assert offsets.group_metadata("g") is None
    assert offsets.groups() == []
    assert OFFSETS_TOPIC not in log_dir.topics()


def test_what_was_committed_is_there(offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5, 2, "note", 1000), P1: OffsetAndMetadata(0)})
    offsets.commit("h", {P0: OffsetAndMetadata(9)})
    assert offsets.committed("g")[P0] == OffsetAndMetadata(5, 2, "note", 1000)
    assert numbers(offsets, "g") == {P0: 5, P1: 0}
    assert numbers(offsets, "h") == {P0: 9}
    assert offsets.groups() == ["g", "h"]


def test_a_commit_without_time_gets_the_clocks(offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    assert offsets.committed("g")[P0].commit_timestamp_ms > 1_600_000_000_000


def test_a_commit_is_one_batch_of_kafkas_records(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5, 2, "note", 1000), P1: OffsetAndMetadata(6)})
    log = open_partition(log_dir, OFFSETS_TOPIC, "g")
    found = list(iter_records(log.read(0, 1 << 20)))
    assert [decode_key(record.key) for record in found] == [
        OffsetKey("g", "t", 0), OffsetKey("g", "t", 1),
    ]  # fmt: skip
    assert decode_offset_value(found[0].value) == OffsetAndMetadata(5, 2, "note", 1000)
    assert len({record.timestamp_ms for record in found}) == 1
    assert log.log_end_offset == 2


def test_nothing_to_commit_writes_nothing(log_dir, offsets):
    offsets.commit("g", {})
    offsets.delete_offsets("g", [])
    assert OFFSETS_TOPIC not in log_dir.topics()


def test_offsets_are_forgotten_one_by_one_and_with_their_group(offsets):
    for group in "gh":
        offsets.commit(group, {P0: OffsetAndMetadata(5), P1: OffsetAndMetadata(6)})
        offsets.write_group(group, GroupMetadata("consumer", 1))
    offsets.delete_offsets("g", [P0])
    assert numbers(offsets, "g") == {P1: 6}
    offsets.delete_group("g")
    assert numbers(offsets, "g") == {}
    assert offsets.group_metadata("g") is None
    assert offsets.groups() == ["h"]
    assert numbers(offsets, "h") == {P0: 5, P1: 6}


def test_members_are_kept(offsets):
    offsets.write_group("g", GroupMetadata("consumer", 7, state_timestamp_ms=5))
    assert offsets.group_metadata("g") == GroupMetadata("consumer", 7, state_timestamp_ms=5)
    assert offsets.groups() == ["g"]


@pytest.mark.parametrize(
    ("group", "value", "code"),
    [
        ("", OffsetAndMetadata(1), KafkaError.INVALID_GROUP_ID),
        ("g" * 40_000, OffsetAndMetadata(1), KafkaError.INVALID_GROUP_ID),
        ("g", OffsetAndMetadata(-1), KafkaError._INVALID_ARG),
        ("g", OffsetAndMetadata(1 << 63), KafkaError._INVALID_ARG),
        (
            "g",
            OffsetAndMetadata(1, metadata="x" * (MAX_METADATA_CHARACTERS + 1)),
            KafkaError.OFFSET_METADATA_TOO_LARGE,
        ),
    ],
)
def test_a_commit_that_is_none_is_refused_whole(offsets, group, value, code):
    with pytest.raises(KafkaException) as raised:
        offsets.commit(group, {P0: OffsetAndMetadata(1), P1: value})
    assert code_of(raised) == code
    assert offsets.groups() == []


def test_the_longest_metadata_is_kept(offsets):
    longest = "ü" * MAX_METADATA_CHARACTERS
    offsets.commit("g", {P0: OffsetAndMetadata(1, metadata=longest)})
    assert offsets.committed("g")[P0].metadata == longest


def test_offsets_of_a_topic_that_was_made_anew_are_not_taken_for_its_own(log_dir, offsets):
    log_dir.create_topic("t", 2)
    offsets.commit("g", {P0: OffsetAndMetadata(5), ("gone", 0): OffsetAndMetadata(6)})
    assert offsets.committed("g")[P0].topic_id == log_dir.topic("t").topic_id
    log_dir.delete_topic("t")
    assert numbers(offsets, "g") == {("gone", 0): 6}
    log_dir.create_topic("t", 2)
    assert numbers(offsets, "g") == {("gone", 0): 6}
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    assert numbers(offsets, "g") == {P0: 1, ("gone", 0): 6}


def test_the_topic_may_be_deleted_and_all_begins_anew(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    assert numbers(offsets, "g") == {P0: 5}
    log_dir.delete_topic(OFFSETS_TOPIC)
    assert numbers(offsets, "g") == {}
    offsets.commit("g", {P1: OffsetAndMetadata(6)})
    assert numbers(offsets, "g") == {P1: 6}


def test_a_log_that_was_shortened_is_read_from_its_new_start(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    assert numbers(offsets, "g") == {P0: 5}
    with LogDir.open(log_dir.path, lock_timeout_ms=9999) as other:  # as another process would
        GroupOffsets.of(other).commit("g", {P1: OffsetAndMetadata(6)})
        open_partition(other, OFFSETS_TOPIC, "g").delete_records(2)
    offsets.commit("g", {P1: OffsetAndMetadata(7)})
    assert numbers(offsets, "g")[P1] == 7


def test_a_table_older_than_deletions_are_kept_is_made_anew(log_dir, offsets, monkeypatch):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    assert numbers(offsets, "g") == {P0: 5}
    # What compaction does a day later: both the offset and its deletion are gone.
    with LogDir.open(log_dir.path, lock_timeout_ms=9999) as other:
        GroupOffsets.of(other).delete_offsets("g", [P0])
        open_partition(other, OFFSETS_TOPIC, "g").delete_records(2)
        GroupOffsets.of(other).commit("g", {P1: OffsetAndMetadata(6)})
    follower = next(iter(offsets._followers.values()))
    follower.position_offset = 2
    assert numbers(offsets, "g") == {P0: 5, P1: 6}, "too young to be doubted"
    GroupOffsets.of(log_dir).commit("g", {P1: OffsetAndMetadata(7)})
    follower.caught_up_s -= 13 * 3600
    assert numbers(offsets, "g") == {P1: 7}


def test_the_groups_of_a_topic_with_several_partitions_are_all_found(log_dir, offsets):
    log_dir.create_topic(OFFSETS_TOPIC, 5, {"cleanup.policy": "compact"})
    groups = [f"group-{number}" for number in range(20)]
    for number, group in enumerate(groups):
        offsets.commit(group, {P0: OffsetAndMetadata(number)})
    assert offsets.groups() == sorted(groups)
    assert [numbers(offsets, group)[P0] for group in groups] == list(range(20))
    assert sum(1 for log in log_dir.partitions(OFFSETS_TOPIC) if log.log_end_offset) == 5


# ---- transactions ----

PRODUCER = (4, 0, 0)  # id, epoch, sequence


def mark(log_dir, is_commit, producer_id=4):
    open_partition(log_dir, OFFSETS_TOPIC, "g").append_marker(producer_id, 0, is_commit)


def test_offsets_of_a_transaction_count_when_it_commits(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    offsets.commit("g", {P0: OffsetAndMetadata(5), P1: OffsetAndMetadata(6)}, PRODUCER)
    assert numbers(offsets, "g") == {P0: 1}
    assert offsets.pending("g") == {P0, P1}
    mark(log_dir, True)
    assert numbers(offsets, "g") == {P0: 5, P1: 6}
    assert offsets.pending("g") == set()


def test_offsets_of_a_transaction_that_aborts_never_count(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)}, PRODUCER)
    mark(log_dir, False)
    assert numbers(offsets, "g") == {}
    assert offsets.groups() == []


def test_a_transactional_commit_that_is_sent_twice_is_there_once(log_dir, offsets):
    for _ in range(2):
        offsets.commit("g", {P0: OffsetAndMetadata(5, commit_timestamp_ms=1)}, PRODUCER)
    assert open_partition(log_dir, OFFSETS_TOPIC, "g").log_end_offset == 1


def test_a_fenced_producer_commits_no_offsets(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)}, (4, 1, 0))
    with pytest.raises(KafkaException) as raised:
        offsets.commit("g", {P0: OffsetAndMetadata(6)}, PRODUCER)
    assert code_of(raised) == KafkaError.INVALID_PRODUCER_EPOCH


def test_a_deleted_group_does_not_come_back_with_a_late_commit(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)}, PRODUCER)
    offsets.delete_group("g")
    mark(log_dir, True)
    assert offsets.groups() == []


# ---- compaction ----


def compact(log_dir):
    log = open_partition(log_dir, OFFSETS_TOPIC, "g")
    log.roll()
    deadline_s = time.monotonic() + 60
    while not log.try_cleaning():  # the folder's own compactor may be at it
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    try:
        return compaction.compact(log, scope="all")
    finally:
        log.end_cleaning()


def test_compaction_changes_no_offset(log_dir, offsets):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201
    generator = random.Random(seed)
    configs = {"cleanup.policy": "compact", "internal.segment.bytes": "3000"}
    log_dir.create_topic(OFFSETS_TOPIC, 1, {**configs, "delete.retention.ms": "0"})
    model, sequences = {}, dict.fromkeys(range(3), 0)
    for step in range(600):
        group, partition = generator.choice("gh"), ("t", generator.randrange(3))
        choice = generator.random()
        if choice < 0.6:
            offsets.commit(group, {partition: OffsetAndMetadata(step)})
            model[group, partition] = step
        elif choice < 0.75:
            offsets.delete_offsets(group, [partition])
            model.pop((group, partition), None)
        else:
            producer_id = generator.randrange(3)
            stamp = (producer_id, 0, sequences[producer_id])
            offsets.commit(group, {partition: OffsetAndMetadata(step)}, stamp)
            sequences[producer_id] += 1
            is_commit = generator.random() < 0.5
            mark(log_dir, is_commit, producer_id)
            if is_commit:
                model[group, partition] = step
        if step % 100 == 50:
            compact(log_dir)
        if step % 7 == 0:  # one follower goes along, others read what is left
            assert numbers(offsets, "g") == {key[1]: v for key, v in model.items() if key[0] == "g"}
    assert compact(log_dir).records_after < 200
    with LogDir.open(log_dir.path, read_only=True) as other:
        for looking in (offsets, GroupOffsets.of(other)):
            for group in "gh":
                expected = {key[1]: value for key, value in model.items() if key[0] == group}
                assert numbers(looking, group) == expected


# ---- processes, threads, forks ----

WRITER = """
import sys
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.log_dir import LogDir
folder, group, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
offsets = GroupOffsets.of(LogDir.open(folder))
for number in range(1, count + 1):
    value = OffsetAndMetadata(number)
    offsets.commit(group, {("t", 0): value, ("t", 1): value})
"""


def test_commits_of_other_processes_are_seen_whole_and_in_order(log_dir, offsets):
    groups = ["a", "b", "c"]
    programs = [
        subprocess.Popen([sys.executable, "-c", WRITER, log_dir.path, group, "300"])
        for group in groups
    ]
    last = dict.fromkeys(groups, 0)
    while any(program.poll() is None for program in programs):
        for group in groups:
            found = numbers(offsets, group)
            assert len(set(found.values())) <= 1, "half a commit"
            assert found.get(P0, 0) >= last[group], "an offset went back"
            last[group] = found.get(P0, 0)
    assert [program.wait() for program in programs] == [0, 0, 0]
    assert [numbers(offsets, group) for group in groups] == [{P0: 300, P1: 300}] * 3


def test_threads_share_it(offsets):
    def work(group):
        for number in range(1, 101):
            offsets.commit(group, {P0: OffsetAndMetadata(number)})
            assert numbers(offsets, group) == {P0: number}

    failures = []

    def run(group):
        try:
            work(group)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(group,)) for group in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_forked_child_goes_on_by_itself(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    assert numbers(offsets, "g") == {P0: 1}
    with offsets._lock:  # as another thread may hold it
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                if numbers(offsets, "g") == {P0: 1}:
                    GroupOffsets.of(log_dir).commit("g", {P0: OffsetAndMetadata(2)})
                    status = 0 if numbers(offsets, "g") == {P0: 2} else 2
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert numbers(offsets, "g") == {P0: 2}


def test_a_reader_without_the_right_to_write_sees_offsets(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    with LogDir.open(log_dir.path, read_only=True) as other:
        looking = GroupOffsets.of(other)
        assert numbers(looking, "g") == {P0: 5}
        with pytest.raises(KafkaException) as raised:
            looking.commit("g", {P0: OffsetAndMetadata(6)})
        assert code_of(raised) == KafkaError._READ_ONLY


# ---- a damaged topic ----


def test_a_flipped_bit_is_an_error_that_names_the_folder_and_what_to_do(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    log = open_partition(log_dir, OFFSETS_TOPIC, "g")
    with open(os.path.join(log.path, "0" * 20 + ".log"), "r+b") as file:
        file.seek(70)
        byte = file.read(1)
        file.seek(70)
        file.write(bytes([byte[0] ^ 1]))
    for ask in (offsets.committed, offsets.pending, offsets.group_metadata):
        with pytest.raises(KafkaException, match="pylog doctor") as raised:
            ask("g")
        assert code_of(raised) == KafkaError._BAD_MSG
        assert log.path in str(raised.value)
    with pytest.raises(KafkaException):
        offsets.groups()


def test_foreign_records_are_an_error_each_time_and_not_wrong_offsets(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    assert numbers(offsets, "g") == {P0: 5}
    builder = BatchBuilder()
    builder.append(0, b"\0\1key", b"of somebody else")
    open_partition(log_dir, OFFSETS_TOPIC, "g").append(builder.build())
    for _ in range(2):
        with pytest.raises(KafkaException, match=r"offset 1\b") as raised:
            offsets.committed("g")
        assert code_of(raised) == KafkaError._BAD_MSG
    log_dir.delete_topic(OFFSETS_TOPIC)
    assert offsets.committed("g") == {}


def test_a_record_of_a_newer_version_is_named(log_dir, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    builder = BatchBuilder()
    builder.append(0, b"\0\2\0\1g", b"\0\x09" + bytes(30))
    open_partition(log_dir, OFFSETS_TOPIC, "g").append(builder.build())
    with pytest.raises(KafkaException, match="version 9") as raised:
        offsets.committed("g")
    assert code_of(raised) == KafkaError.UNSUPPORTED_VERSION
