"""Transactions as a program sees them: what counts, what does not, and what the errors say."""

import gc
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from committed import code_of, committed, uncommitted, wait_for

import pylog
from logcore.batch import iter_batches
from pylog import KafkaError, KafkaException, TopicPartition
from pylog.group.commits import ConsumerGroupMetadata
from pylog.group.offsets import GroupOffsets
from pylog.txn.coordinator import TransactionCoordinator

GROUP = ConsumerGroupMetadata("g")


@pytest.fixture
def make(folder, log_dir):
    """Makes producers, initialized ones if they have a transactional.id; closes them."""
    made = []

    def make(**conf):
        conf = {key.replace("_", "."): value for key, value in conf.items()}
        producer = pylog.Producer({"log.dir": folder, "acks": 1, **conf})
        made.append(producer)
        return producer

    yield make
    for producer in made:
        producer.close()


@pytest.fixture
def producer(make):
    producer = make(transactional_id="ledger")
    producer.init_transactions()
    return producer


def write(producer, *values, partition=0):
    for value in values:
        producer.produce("t", value, partition=partition)


# ---- what counts ----


def test_records_of_an_open_transaction_are_hidden_and_then_there(producer, log_dir):
    producer.begin_transaction()
    write(producer, "a", "b")
    producer.flush()
    assert committed(log_dir) == []
    assert uncommitted(log_dir) == ["a", "b"]
    producer.commit_transaction()
    assert committed(log_dir) == ["a", "b"]


def test_aborted_records_are_left_out_and_others_are_not(producer, make, log_dir):
    producer.begin_transaction()
    write(producer, "aborted 1")
    producer.flush()
    plain = make()
    write(plain, "plain")
    plain.flush()
    write(producer, "aborted 2")
    producer.flush()
    assert committed(log_dir) == []  # the open transaction holds back what follows it
    producer.abort_transaction()
    assert committed(log_dir) == ["plain"]
    assert uncommitted(log_dir) == ["aborted 1", "plain", "aborted 2"]


def test_one_producer_commits_and_aborts_in_turn(producer, log_dir):
    for number in range(20):
        producer.begin_transaction()
        write(producer, f"{number}", partition=number % 3)
        producer.flush()
        (producer.abort_transaction if number % 2 else producer.commit_transaction)()
    found = sorted(int(value) for number in range(3) for value in committed(log_dir, number))
    assert found == list(range(0, 20, 2))


def test_commit_sends_what_is_queued_and_calls_back(make, log_dir):
    producer = make(transactional_id="ledger", linger_ms=900_000)
    producer.init_transactions()
    producer.begin_transaction()
    delivered = []
    for number in range(3):
        producer.produce(
            "t", f"{number}", partition=number,
            on_delivery=lambda error, message: delivered.append((error, message.partition())),
        )  # fmt: skip
    producer.commit_transaction()
    assert sorted(delivered) == [(None, 0), (None, 1), (None, 2)]
    assert [committed(log_dir, number) for number in range(3)] == [["0"], ["1"], ["2"]]


def test_abort_drops_what_is_queued(make, log_dir):
    producer = make(transactional_id="ledger", linger_ms=900_000)
    producer.init_transactions()
    producer.begin_transaction()
    errors = []
    producer.produce("t", "x", partition=0, on_delivery=lambda error, _: errors.append(error))
    producer.abort_transaction()
    assert errors == [KafkaError._PURGE_QUEUE]
    assert uncommitted(log_dir) == [] and len(producer) == 0
    producer.begin_transaction()
    write(producer, "y")
    producer.commit_transaction()
    assert committed(log_dir) == ["y"]


def test_offsets_count_when_the_transaction_does(producer, log_dir):
    offsets = GroupOffsets.of(log_dir)
    for is_commit, expected in ((False, {}), (True, {("t", 1): 8})):
        producer.begin_transaction()
        write(producer, "out")
        producer.send_offsets_to_transaction([TopicPartition("t", 1, 7)], GROUP)
        producer.send_offsets_to_transaction([TopicPartition("t", 1, 8)], GROUP)
        assert offsets.committed("g") == {}
        assert offsets.pending("g") == {("t", 1)}
        (producer.commit_transaction if is_commit else producer.abort_transaction)()
        found = offsets.committed("g")
        assert {partition: value.offset for partition, value in found.items()} == expected
        assert offsets.pending("g") == set()
    assert committed(log_dir) == ["out"]


def test_transaction_of_offsets_alone_and_of_nothing(producer, log_dir):
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition("t", 0, 5)], GROUP, 1.0)
    producer.commit_transaction(5)
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition("t", 0, pylog.OFFSET_INVALID), TopicPartition("t", 1)], GROUP
    )
    producer.commit_transaction()
    producer.begin_transaction()
    producer.abort_transaction()
    assert {p: v.offset for p, v in GroupOffsets.of(log_dir).committed("g").items()} == {
        ("t", 0): 5
    }
    with pytest.raises(TypeError, match="consumer_group_metadata"):
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition("t", 0, 5)], "g")


# ---- calls out of place ----


def test_calls_out_of_place_say_so_in_librdkafkas_words(make):
    producer = make(transactional_id="ledger")
    calls = [
        producer.begin_transaction,
        producer.commit_transaction,
        producer.abort_transaction,
        lambda: producer.send_offsets_to_transaction([], GROUP),
    ]
    for call in calls:
        error = code_of(call)
        assert error == KafkaError._STATE
        assert error.str() == "Operation not valid in state Init"
        assert not (error.fatal() or error.retriable() or error.txn_requires_abort())
    assert code_of(producer.produce, "t", "x") == KafkaError._STATE
    producer.init_transactions()
    assert code_of(producer.init_transactions).str() == "Operation not valid in state Ready"
    assert code_of(producer.commit_transaction).str() == "Operation not valid in state Ready"
    assert code_of(producer.produce, "t", "x") == KafkaError._STATE
    producer.begin_transaction()
    error = code_of(producer.begin_transaction)
    assert error.str() == "Operation not valid in state InTransaction"
    producer.commit_transaction()


def test_without_a_transactional_id_there_are_no_transactions(make):
    producer = make()
    for name in ("init", "begin", "commit", "abort"):
        method = f"{name}_transactions" if name == "init" else f"{name}_transaction"
        error = code_of(getattr(producer, method))
        assert error == KafkaError._NOT_CONFIGURED
        assert "requires transactional.id to be configured" in error.str()


def test_timeout_above_kafkas_maximum_is_refused(make):
    producer = make(transactional_id="x", transaction_timeout_ms=900_001)
    error = code_of(producer.init_transactions)
    assert error == KafkaError.INVALID_TRANSACTION_TIMEOUT and error.fatal()


# ---- fencing ----


def test_second_producer_of_an_id_fences_the_first(producer, make, log_dir):
    producer.begin_transaction()
    write(producer, "zombie 1")
    producer.flush()
    second = make(transactional_id="ledger")
    second.init_transactions()
    assert committed(log_dir) == []
    write(producer, "zombie 2")
    with pytest.raises(KafkaException):
        producer.flush()
    for call in (producer.commit_transaction, producer.abort_transaction):
        error = code_of(call)
        assert error == KafkaError._FENCED and error.fatal() and not error.txn_requires_abort()
    assert code_of(producer.produce, "t", "zombie 3") == KafkaError._STATE
    second.begin_transaction()
    write(second, "living")
    second.commit_transaction()
    assert committed(log_dir) == ["living"]
    assert uncommitted(log_dir) == ["zombie 1", "living"]


@pytest.mark.parametrize("step", ["produce", "commit", "abort", "offsets", "begin"])
def test_fenced_producer_learns_of_it_at_whatever_it_does(producer, make, log_dir, step):
    if step != "begin":
        producer.begin_transaction()
    if step in ("commit", "abort"):
        write(producer, "zombie")
        producer.flush()
    second = make(transactional_id="ledger")
    second.init_transactions()
    if step == "begin":
        producer.begin_transaction()
    if step in ("produce", "begin"):
        errors = []
        producer.produce("t", "z", partition=0, on_delivery=lambda e, _: errors.append(e))
        producer.flush()
        assert errors == [KafkaError._FENCED] and errors[0].fatal()
    elif step == "offsets":
        error = code_of(producer.send_offsets_to_transaction, [TopicPartition("t", 0, 1)], GROUP)
        assert error == KafkaError._FENCED
    else:
        call = producer.commit_transaction if step == "commit" else producer.abort_transaction
        assert code_of(call) == KafkaError._FENCED
    assert code_of(producer.commit_transaction) == KafkaError._FENCED
    assert committed(log_dir) == []


def test_two_ids_do_not_disturb_each_other(producer, make, log_dir):
    other = make(transactional_id="other")
    other.init_transactions()
    producer.begin_transaction()
    other.begin_transaction()
    write(producer, "1")
    write(other, "2")
    other.abort_transaction()
    producer.commit_transaction()
    assert committed(log_dir) == ["1"]


# ---- failures inside a transaction ----


def test_message_that_could_not_be_written_forbids_the_commit(make, log_dir):
    producer = make(transactional_id="ledger", linger_ms=900_000)
    producer.init_transactions()
    log_dir.alter_folder_configs({"auto.create.topics.enable": "false"})
    log_dir.create_topic("gone", 1)
    producer.begin_transaction()
    write(producer, "kept out")
    producer.produce("gone", "x")
    log_dir.delete_topic("gone")
    error = code_of(producer.commit_transaction)
    assert error.txn_requires_abort() and not error.fatal()
    assert code_of(producer.commit_transaction).txn_requires_abort()
    assert code_of(producer.produce, "t", "x") == KafkaError._STATE
    producer.abort_transaction()
    assert committed(log_dir) == []
    producer.begin_transaction()
    write(producer, "after")
    producer.commit_transaction()
    assert committed(log_dir) == ["after"]


def test_purge_inside_a_transaction_forbids_the_commit(make, log_dir):
    producer = make(transactional_id="ledger", linger_ms=900_000)
    producer.init_transactions()
    producer.begin_transaction()
    write(producer, "x")
    producer.purge()
    assert code_of(producer.commit_transaction).txn_requires_abort()
    producer.abort_transaction()


def test_records_to_internal_topics_are_refused(producer):
    producer.begin_transaction()
    for topic in ("__transaction_state", "__consumer_offsets"):
        assert code_of(producer.produce, topic, "x") == KafkaError.TOPIC_EXCEPTION
    producer.commit_transaction()


# ---- timeouts ----


def test_transaction_past_its_timeout_is_aborted_and_its_producer_goes_on(make, log_dir):
    producer = make(transactional_id="slow", transaction_timeout_ms=60_000)
    producer.init_transactions()
    producer.begin_transaction()
    write(producer, "late")
    producer.flush()
    own = TransactionCoordinator.of(log_dir)
    now_ms = own._clock_ms()
    clock = SimpleNamespace(now_ms=now_ms + 50_000)
    watcher = TransactionCoordinator(log_dir, clock_ms=lambda: clock.now_ms)
    watcher.complete_abandoned()
    assert log_dir.partition("t", 0).last_stable_offset == 0  # not yet
    clock.now_ms = now_ms + 61_000
    watcher.complete_abandoned()
    assert log_dir.partition("t", 0).last_stable_offset == 2
    error = code_of(producer.commit_transaction)
    assert error == KafkaError.INVALID_TXN_STATE and error.txn_requires_abort()
    producer.abort_transaction()
    producer.begin_transaction()
    write(producer, "in time")
    producer.flush()
    own.complete_abandoned()  # it is alive, under its new epoch
    producer.commit_transaction()
    assert committed(log_dir) == ["in time"]


def test_produce_after_the_timeout_asks_for_an_abort(make, log_dir):
    producer = make(transactional_id="slow", transaction_timeout_ms=60_000)
    producer.init_transactions()
    producer.begin_transaction()
    write(producer, "late")
    producer.flush()
    later_ms = TransactionCoordinator.of(log_dir)._clock_ms() + 61_000
    TransactionCoordinator(log_dir, clock_ms=lambda: later_ms).complete_abandoned()
    write(producer, "later")
    assert code_of(producer.commit_transaction).txn_requires_abort()
    producer.abort_transaction()
    assert committed(log_dir) == []


# ---- producers that end ----


@pytest.mark.parametrize("way", ["close", "collect"])
def test_producer_that_ends_aborts_its_transaction(folder, log_dir, way):
    producer = pylog.Producer({"log.dir": folder, "transactional.id": "x"})
    producer.init_transactions()
    producer.begin_transaction()
    write(producer, "left")
    producer.flush()
    assert log_dir.partition("t", 0).last_stable_offset == 0
    if way == "close":
        producer.close()
        producer.close()
        assert code_of(producer.commit_transaction) == KafkaError._STATE
    del producer

    def is_over():
        gc.collect()  # again: its helper thread may have been the last to let go of it
        return log_dir.partition("t", 0).last_stable_offset == 2

    wait_for(is_over)
    assert committed(log_dir) == []


LEAVE_OPEN = """
import sys, pylog
producer = pylog.Producer({"log.dir": sys.argv[1], "transactional.id": "killed",
                           "transaction.timeout.ms": 900000})
producer.init_transactions()
producer.begin_transaction()
producer.produce("t", "open", partition=0)
producer.flush()
print("open", flush=True)
sys.stdin.read()
"""


def test_transaction_of_a_killed_process_does_not_hold_readers_back(folder, log_dir):
    log = log_dir.partition("t", 0)  # which starts the housekeeper
    process = subprocess.Popen(
        [sys.executable, "-c", LEAVE_OPEN, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"open\n"
    plain = pylog.Producer({"log.dir": folder})
    write(plain, "behind it")
    plain.close()
    TransactionCoordinator.of(log_dir).complete_abandoned()
    assert log.last_stable_offset == 0  # it lives
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: log.last_stable_offset == log.log_end_offset)
    assert committed(log_dir) == ["behind it"]


def test_forked_child_neither_uses_nor_outlives_its_parents_transaction(folder, log_dir):
    program = """
import os, signal, sys, pylog
from pylog import KafkaError, KafkaException
producer = pylog.Producer({"log.dir": sys.argv[1], "transactional.id": "forking"})
producer.init_transactions()
producer.begin_transaction()
producer.produce("t", "parent", partition=0)
producer.flush()
child = os.fork()
if child == 0:
    codes = []
    for call in (producer.commit_transaction, lambda: producer.produce("t", "child", partition=0)):
        try:
            call()
        except KafkaException as error:
            codes.append(error.args[0].code())
    print(codes == [KafkaError._STATE] * 2, os.getpid(), flush=True)
    signal.pause()
print(flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    log = log_dir.partition("t", 0)
    process = subprocess.Popen(
        [sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True
    )
    lines = [process.stdout.readline().split() for _ in range(2)]
    verdict, child = next(words for words in lines if words)
    process.wait()
    try:
        assert verdict == "True"
        wait_for(lambda: log.last_stable_offset == 2)
        assert committed(log_dir) == []
    finally:
        os.kill(int(child), signal.SIGKILL)
        process.stdout.close()


# ---- idempotence ----


def batches(log_dir, partition=0):
    log = log_dir.partition("t", partition)
    return list(iter_batches(log.read(0, 1 << 20))) if log.log_end_offset else []


def test_idempotent_producer_numbers_its_batches(make, log_dir):
    producer = make(enable_idempotence=True)
    for count in (3, 2):
        write(producer, *"x" * count)
        producer.flush()
    first, second = batches(log_dir)
    assert first.producer_id == second.producer_id >= 0
    assert (first.producer_epoch, first.base_sequence, second.base_sequence) == (0, 0, 3)
    other = make(enable_idempotence=True)
    write(other, "y")
    other.flush()
    assert batches(log_dir)[2].producer_id != first.producer_id
    plain = make()
    write(plain, "z")
    plain.flush()
    assert batches(log_dir)[3].producer_id == -1


def test_forked_child_of_an_idempotent_producer_gets_its_own_id(make, log_dir):
    producer = make(enable_idempotence=True)
    write(producer, "parent")
    producer.flush()
    child = os.fork()
    if child == 0:
        try:
            write(producer, "child")
            producer.flush()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    write(producer, "parent")
    producer.flush()
    first, second, third = batches(log_dir)
    assert first.producer_id == third.producer_id != second.producer_id
    assert [b.base_sequence for b in (first, second, third)] == [0, 0, 1]
