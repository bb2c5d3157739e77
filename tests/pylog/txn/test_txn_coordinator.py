"""The coordinator: what it makes of what others left, in this boot and an earlier one."""

import json
import os
import subprocess
import sys

import pytest
from committed import code_of, committed

import pylog
from logcore.batch import BatchBuilder
from pylog import KafkaError, TopicPartition
from pylog.admin import AdminClient, TransactionState
from pylog.internal_topics import TRANSACTIONS_TOPIC
from pylog.log_dir import LogDir
from pylog.txn import states
from pylog.txn.coordinator import TransactionCoordinator
from pylog.txn.coordinator_lock import LOCK_FILE
from pylog.txn.producer_ids import ProducerIds
from pylog.txn.states import EXPIRATION_MS, MAX_PRODUCER_EPOCH, TransactionMetadata

P0 = ("t", 0)
S = states.TransactionState


@pytest.fixture
def coordinator(log_dir):
    return TransactionCoordinator.of(log_dir)


def write_states(coordinator, *metadatas):
    """Append records to the transaction log, as a process that is dead now."""
    for metadata in metadatas:
        with coordinator._deciding(create=True):
            coordinator._write(metadata)


def write_batch(log_dir, producer_id, epoch, value, sequence=0, partition=0):
    builder = BatchBuilder()
    builder.append(1, None, value.encode())
    builder.set_producer(producer_id, epoch, sequence, True)
    log_dir.partition("t", partition).append(builder.build())


def metadata(producer_id, epoch, state, partitions=(P0,), **fields):
    is_empty = state in (S.EMPTY, S.COMPLETE_ABORT, S.COMPLETE_COMMIT)
    return TransactionMetadata(
        "x", producer_id, epoch, 60_000, state, frozenset(() if is_empty else partitions),
        1 if state != S.EMPTY else -1, 1, **fields,
    )  # fmt: skip


def test_each_producer_of_an_id_gets_the_next_epoch_and_each_id_its_own_producer_id(coordinator):
    first = coordinator.init_producer_id("x", 1000)
    assert coordinator.init_producer_id("x", 1000) == (first[0], first[1] + 1)
    assert coordinator.init_producer_id("y", 1000)[0] != first[0]


def test_after_a_reboot_an_id_goes_on_with_a_new_producer_id(folder):
    with LogDir.open(folder) as log_dir:
        before = TransactionCoordinator.of(log_dir).init_producer_id("x", 1000)
    path = os.path.join(folder, LOCK_FILE)
    with open(path) as file:
        note = json.load(file)
    with open(path, "w") as file:
        json.dump({**note, "boot_id": "0" * 32}, file)
    with LogDir.open(folder) as log_dir:
        coordinator = TransactionCoordinator.of(log_dir)
        coordinator.complete_abandoned()  # what is written now is no producer of this boot
        after = coordinator.init_producer_id("x", 1000)
        assert after[0] != before[0] and after[1] == 0
        assert coordinator.init_producer_id("x", 1000) == (after[0], 1)


def test_prepared_transaction_of_a_dead_producer_is_rolled_forward(log_dir, coordinator):
    write_batch(log_dir, 5, 0, "decided")
    write_states(coordinator, metadata(5, 0, S.ONGOING), metadata(5, 1, S.PREPARE_COMMIT))
    coordinator.complete_abandoned()
    assert committed(log_dir) == ["decided"]
    assert coordinator.transactions()["x"].state == S.COMPLETE_COMMIT


def test_open_transaction_of_a_dead_producer_is_aborted_and_its_late_batches_refused(
    log_dir, coordinator
):
    write_batch(log_dir, 5, 0, "open")
    write_states(coordinator, metadata(5, 0, S.ONGOING))
    coordinator.complete_abandoned()
    assert committed(log_dir) == []
    with pytest.raises(Exception, match="newer epoch"):
        write_batch(log_dir, 5, 0, "late", sequence=1)


def give_out_ids(log_dir):
    return log_dir.attached(ProducerIds).take()


@pytest.mark.parametrize("end", [S.PREPARE_COMMIT, S.COMPLETE_COMMIT, S.PREPARE_ABORT, None])
def test_transaction_whose_marker_was_lost_gets_the_end_that_was_decided(log_dir, coordinator, end):
    producer_id = give_out_ids(log_dir)
    write_batch(log_dir, producer_id, 3, "marker lost")
    if end is not None:
        write_states(coordinator, metadata(producer_id, 4, end, partitions=[("t", 2)]))
    write_states(coordinator, metadata(producer_id, 6, S.COMPLETE_ABORT))  # it went on since
    coordinator.end_hanging([(P0, log_dir.partition(*P0))])
    is_commit = end in (S.PREPARE_COMMIT, S.COMPLETE_COMMIT)
    assert committed(log_dir) == (["marker lost"] if is_commit else [])
    assert log_dir.partition(*P0).last_stable_offset == 2


def test_abort_does_not_cover_an_earlier_commit_whose_marker_was_lost(log_dir, coordinator):
    write_batch(log_dir, 5, 3, "committed")
    write_states(
        coordinator,
        metadata(5, 4, S.PREPARE_COMMIT),
        metadata(5, 4, S.COMPLETE_COMMIT),
        metadata(5, 5, S.PREPARE_ABORT),
    )
    coordinator.complete_abandoned()
    assert committed(log_dir) == ["committed"]


def test_marker_that_is_there_is_not_written_over_the_next_transaction(log_dir, coordinator):
    producer_id = give_out_ids(log_dir)
    write_batch(log_dir, producer_id, 3, "committed")
    log_dir.partition(*P0).append_marker(producer_id, 4, True)
    write_batch(log_dir, producer_id, 4, "never decided")
    write_states(coordinator, metadata(producer_id, 4, S.PREPARE_COMMIT))
    coordinator.complete_abandoned()
    assert log_dir.partition(*P0).last_stable_offset == 2
    coordinator.end_hanging([(P0, log_dir.partition(*P0))])
    assert committed(log_dir) == ["committed"]
    assert log_dir.partition(*P0).last_stable_offset == 4


def test_producers_that_are_not_of_this_folder_are_left_alone(log_dir, coordinator):
    give_out_ids(log_dir)
    write_batch(log_dir, 10**6, 0, "copied in")
    write_states(coordinator, metadata(0, 0, S.EMPTY))
    coordinator.end_hanging([(P0, log_dir.partition(*P0))])
    assert log_dir.partition(*P0).last_stable_offset == 0


def test_living_transaction_is_neither_abandoned_nor_hanging(folder, log_dir, coordinator):
    with pylog.Producer({"log.dir": folder, "acks": 1, "transactional.id": "x"}) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.produce("t", "alive", partition=0)
        producer.flush()
        other = TransactionCoordinator(log_dir)  # sees it by the lock alone, as a process would
        for each in (coordinator, other):
            each.complete_abandoned()
            each.end_hanging(log_dir.open_partitions())
        producer.commit_transaction()
    assert committed(log_dir) == ["alive"]


def test_commit_of_a_producer_that_is_stuck_half_way_is_finished_for_it(log_dir, coordinator):
    write_batch(log_dir, 5, 0, "decided")
    write_states(coordinator, metadata(5, 0, S.ONGOING), metadata(5, 1, S.PREPARE_COMMIT))
    coordinator._lock.claim(5, 1)  # it lives, as a process does that was stopped
    watcher = TransactionCoordinator(log_dir, clock_ms=lambda: 60_000)
    watcher.complete_abandoned()
    assert committed(log_dir) == []
    watcher = TransactionCoordinator(log_dir, clock_ms=lambda: 60_001)
    watcher.complete_abandoned()
    assert committed(log_dir) == ["decided"]
    assert coordinator.end("x", 5, 0, True, is_durable=True) == (5, 1)  # it goes on, and asks


def test_log_that_was_shortened_is_read_anew(log_dir, coordinator):
    coordinator.init_producer_id("x", 1000)
    reader = TransactionCoordinator(log_dir)
    assert set(reader.transactions()) == {"x"}
    log = log_dir.partition(TRANSACTIONS_TOPIC, 0)
    for _ in range(3):
        coordinator.init_producer_id("y", 1000)
    log.delete_records(log.log_end_offset - 1)
    assert code_of(reader.transactions) == KafkaError.OFFSET_OUT_OF_RANGE
    assert set(reader.transactions()) == {"y"}


def test_topic_that_was_deleted_does_not_stop_a_commit(folder, log_dir):
    log_dir.create_topic("gone", 1)
    with pylog.Producer({"log.dir": folder, "acks": 1, "transactional.id": "x"}) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.produce("t", "kept", partition=0)
        producer.produce("gone", "x")
        producer.flush()
        log_dir.delete_topic("gone")
        producer.commit_transaction()
    assert committed(log_dir) == ["kept"]


def test_epochs_that_are_used_up_go_on_with_a_new_producer_id(folder, log_dir, coordinator):
    give_out_ids(log_dir)
    with pylog.Producer({"log.dir": folder, "acks": 1, "transactional.id": "x"}) as producer:
        producer.init_transactions()
        identity = (producer._identity[0], MAX_PRODUCER_EPOCH - 2)
        empty = metadata(*identity, S.EMPTY)
        # of now: what nobody used for a week is forgotten
        write_states(coordinator, empty._replace(last_update_timestamp_ms=coordinator.now_ms()))
        coordinator._lock.claim(*identity)
        producer._identity = identity
        producer._set_producer(*identity, True)
        for number in range(4):
            producer.begin_transaction()
            producer.produce("t", f"{number}", partition=0)
            producer.commit_transaction()
            coordinator.complete_abandoned()
    assert producer._identity[0] != identity[0]
    assert committed(log_dir) == ["0", "1", "2", "3"]


def test_id_that_nobody_used_for_a_week_is_forgotten(log_dir):
    TransactionCoordinator.of(log_dir).init_producer_id("alive", 1000)
    clock = [TransactionCoordinator.of(log_dir).now_ms()]
    coordinator = TransactionCoordinator(log_dir, clock_ms=lambda: clock[0])
    identity = coordinator.init_producer_id("x", 1000)
    coordinator.release(*identity)
    coordinator.complete_abandoned()
    assert set(coordinator.transactions()) == {"alive", "x"}
    clock[0] += EXPIRATION_MS + 1
    coordinator.complete_abandoned()
    assert set(coordinator.transactions()) == {"alive"}
    assert coordinator.init_producer_id("x", 1000)[0] != identity[0]


def test_damaged_record_is_named_with_its_place(log_dir, coordinator):
    coordinator.init_producer_id("x", 1000)
    builder = BatchBuilder()
    builder.append(1, b"\0\0\0\1y", b"\0\1 not a value")
    log = log_dir.partition(TRANSACTIONS_TOPIC, 0)
    offset = log.append(builder.build())
    error = code_of(coordinator.init_producer_id, "x", 1000)
    assert error == KafkaError._BAD_MSG
    assert f"{TRANSACTIONS_TOPIC} offset {offset}: not a transaction log value" in error.str()
    assert "pylog doctor" in error.str()


HOLD = """
import sys
from pylog.txn.coordinator_lock import CoordinatorLock
lock = CoordinatorLock(sys.argv[1])
lock.open()
lock.take()
print("held", flush=True)
sys.stdin.read()
"""


def test_lock_that_a_living_process_keeps_is_waited_for_and_then_said(folder, coordinator):
    coordinator.init_producer_id("x", 1000)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    error = code_of(coordinator.init_producer_id, "x", 1000, timeout_s=0.05)
    assert error == KafkaError._TIMED_OUT and error.retriable()
    assert "held for 0.05 s by another process, which is alive" in error.str()
    process.kill()
    process.communicate()
    coordinator.init_producer_id("x", 1000, timeout_s=5)


# ---- AdminClient ----


def test_admin_lists_describes_and_fences(folder, log_dir):
    with (
        pylog.Producer({"log.dir": folder, "acks": 1, "transactional.id": "x"}) as producer,
        AdminClient({"log.dir": folder}) as admin,
    ):
        assert admin.list_transactions().result() == []
        producer.init_transactions()
        producer.begin_transaction()
        producer.produce("t", "v", partition=1)
        producer.flush()
        (listing,) = admin.list_transactions(states={"Ongoing"}).result()
        assert (listing.transactional_id, listing.state) == ("x", TransactionState.ONGOING)
        assert admin.list_transactions(states={TransactionState.EMPTY}).result() == []
        assert admin.list_transactions(producer_ids=[listing.producer_id]).result() == [listing]
        assert admin.list_transactions(duration_ms=900_000).result() == []
        described = admin.describe_transactions(["x", "y"])
        found = described["x"].result()
        assert (found.producer_id, found.producer_epoch) == producer._identity
        assert found.topic_partitions == [TopicPartition("t", 1)]
        assert (found.transaction_timeout_ms, found.coordinator.id) == (60_000, 0)
        assert described["y"].exception().args[0] == KafkaError.TRANSACTIONAL_ID_NOT_FOUND
        place = TopicPartition("t", 1)
        (state,) = admin.describe_producers([place])[place].result()
        assert state.current_transaction_start_offset == 0 and state.coordinator_epoch is None
        fenced = admin.fence_producers(["x"])["x"].result()
        assert fenced.producer_id == found.producer_id
        assert fenced.epoch == found.producer_epoch + 2
        assert code_of(producer.commit_transaction) == KafkaError._FENCED
        assert committed(log_dir, 1) == []
        gone = admin.force_terminate_transaction("y").exception()
        assert gone.args[0] == KafkaError.TRANSACTIONAL_ID_NOT_FOUND
        for wrong in ("x", [""], [5]):
            with pytest.raises(TypeError):
                admin.describe_transactions(wrong)


def test_transactions_of_a_read_only_folder_are_seen_and_not_changed(folder):
    with LogDir.open(folder) as log_dir:
        TransactionCoordinator.of(log_dir).init_producer_id("x", 1000)
    with AdminClient({"log.dir": folder, "read.only": True}) as admin:
        assert [each.transactional_id for each in admin.list_transactions().result()] == ["x"]
        error = admin.fence_producers(["x"])["x"].exception().args[0]
        assert error == KafkaError._READ_ONLY


# ---- clients of a server ------------------------------------------------------------------------


def test_a_transaction_of_a_servers_client_is_ended_by_its_timeout_alone(coordinator, log_dir):
    identity = coordinator.init_producer_id("x", 60_000, is_remote=True)
    coordinator.add_partitions("x", *identity, [P0], states.CLASSIC_TRANSACTION_VERSION)
    write_batch(log_dir, *identity, "open")
    coordinator.complete_abandoned()  # no process vouches for it
    assert coordinator.find("x").state == S.ONGOING
    assert log_dir.partition(*P0).last_stable_offset == 0
    late = TransactionCoordinator(log_dir, lambda: coordinator.now_ms() + 60_000)
    late.complete_abandoned()
    assert coordinator.find("x").state == S.COMPLETE_ABORT
    assert coordinator.find("x").producer_epoch == identity[1] + 1
    assert committed(log_dir) == []
    late.close()


def test_what_a_servers_client_decided_is_finished_by_whoever_comes(coordinator, log_dir):
    producer_id = log_dir.attached(ProducerIds).take()
    write_batch(log_dir, producer_id, 4, "kept")
    fields = {"client_transaction_version": 0, "is_remote": True}
    for _ in range(2):  # the second time with the marker, and without the record that says so
        write_states(coordinator, metadata(producer_id, 4, S.PREPARE_COMMIT, **fields))
        coordinator.complete_abandoned()
        assert coordinator.find("x").state == S.COMPLETE_COMMIT
        assert coordinator.find("x").producer_epoch == 4
        assert log_dir.partition(*P0).log_end_offset == 2
    assert log_dir.partition(*P0).durable_offset == 2  # before the record that it is over
    assert committed(log_dir) == ["kept"]


def test_a_client_that_goes_on_after_an_error_must_be_the_one_that_came_up_last(coordinator):
    first = coordinator.init_producer_id("x", 1000, is_remote=True)
    second = coordinator.init_producer_id("x", 1000, expected=first, is_remote=True)
    assert second == (first[0], first[1] + 1)
    coordinator.add_partitions("x", *second, [P0], 0)
    stranger = (first[0] + 7, 0)
    fenced = code_of(lambda: coordinator.init_producer_id("x", 1000, expected=stranger))
    assert fenced == KafkaError.PRODUCER_FENCED
    assert coordinator.find("x").state == S.ONGOING  # and ends nothing
