"""Producer ids in one partition: retries, sequences, epochs, transactions, snapshots."""

import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from partition_files import seeded_random

from logcore import producer_snapshots, transaction_index
from logcore.batch import BatchBuilder, BatchView, control_batch, control_type, iter_batches
from logcore.config import LogConfig
from logcore.errors import (
    InvalidProducerEpochError,
    InvalidRecordError,
    InvalidTxnStateError,
    OutOfOrderSequenceError,
)
from logcore.log import Log
from logcore.producer_snapshots import ProducerInfo

NOW_MS = 1_800_000_000_000
LAST = 2**31 - 1


def make(
    producer_id: int, epoch: int, sequence: int, *values: bytes, transactional: bool = False
) -> bytes:
    builder = BatchBuilder()
    builder.set_producer(producer_id, epoch, sequence, transactional)
    for value in values or (b"value",):
        builder.append(NOW_MS, None, value)
    return builder.build()


def values_of(log: Log, *, committed: bool = True, offset: int = 0) -> list[bytes]:
    return [record.value for record in log.reader(offset, read_committed=committed)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


# ---- sequences ----


def test_a_retry_of_one_of_the_last_five_batches_is_answered_with_its_offset(path: Path) -> None:
    with Log(path) as log:
        batches = [make(7, 0, 2 * n, b"a%d" % n, b"b%d" % n) for n in range(8)]
        offsets = [log.append(batch) for batch in batches]
        assert offsets == list(range(0, 16, 2))
        for batch, offset in zip(batches[3:], offsets[3:], strict=True):
            assert log.append(batch) == offset
        with pytest.raises(OutOfOrderSequenceError, match="sequence 4"):
            log.append(batches[2])  # the sixth from the end: nobody knows its offset any more
        assert log.log_end_offset == 16


def test_a_retry_by_another_process_writes_nothing_twice(path: Path) -> None:
    """A producer that died between its append and the answer."""
    batch = make(7, 0, 0, b"once")
    with Log(path) as log:
        code = f"""
import os, signal
from logcore.log import Log
log = Log({str(path)!r})
log.append({batch!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
        done = subprocess.run([sys.executable, "-c", code], check=False)
        assert done.returncode == -signal.SIGKILL
        assert log.append(batch) == 0
        assert log.append(make(7, 0, 1, b"twice")) == 1
        assert values_of(log) == [b"once", b"twice"]


def test_a_gap_in_the_sequence_is_refused_and_changes_nothing(path: Path) -> None:
    with Log(path) as log:
        log.append(make(7, 0, 0))
        for sequence in (2, 5, LAST):
            with pytest.raises(OutOfOrderSequenceError):
                log.append(make(7, 0, sequence))
        assert log.append(make(7, 0, 1)) == 1
        assert log.log_end_offset == 2


def test_an_unknown_producer_may_begin_anywhere(path: Path) -> None:
    with Log(path) as log:
        assert log.append(make(7, 3, 41)) == 0
        assert log.append(make(7, 3, 42)) == 1


def test_the_sequence_goes_round_from_its_largest_value_to_zero(path: Path) -> None:
    with Log(path) as log:
        log.append(make(7, 0, LAST - 1, b"a", b"b", b"c"))  # the last of them has sequence 0
        assert log.producers()[0].last_sequence == 0
        assert log.append(make(7, 0, 1, b"d")) == 3
        assert log.append(make(7, 0, LAST - 1, b"a", b"b", b"c")) == 0


def test_a_new_epoch_begins_at_sequence_zero_and_shuts_out_the_old_one(path: Path) -> None:
    with Log(path) as log:
        log.append(make(7, 0, 0))
        with pytest.raises(OutOfOrderSequenceError):
            log.append(make(7, 1, 1))
        log.append(make(7, 1, 0))
        with pytest.raises(InvalidProducerEpochError, match="epoch 0"):
            log.append(make(7, 0, 1))


def test_a_batch_with_half_a_producer_is_refused(path: Path) -> None:
    with Log(path) as log:
        for batch in (make(7, -1, 0), make(7, 0, -1), make(-1, -1, -1, transactional=True)):
            with pytest.raises(InvalidRecordError):
                log.append(batch)
        with pytest.raises(InvalidRecordError, match="control"):
            log.append(control_batch(7, 0, True, 0, NOW_MS))
        assert log.log_end_offset == 0


def test_processes_that_take_turns_see_each_others_producers(path: Path) -> None:
    chance = seeded_random("take turns")
    sequences = dict.fromkeys(range(20), 0)
    with Log(path) as one, Log(path) as two:
        for number in range(500):
            producer_id = chance.choice(list(sequences))
            count = chance.randrange(1, 4)
            batch = make(producer_id, 0, sequences[producer_id], *[b"v"] * count)
            first, second = chance.sample((one, two), 2)
            offset = first.append(batch)
            if number % 5 == 0:
                assert second.append(batch) == offset
            sequences[producer_id] += count
        assert one.log_end_offset == sum(sequences.values())
        assert one.producers() == two.producers()


# ---- transactions ----


def test_records_of_an_open_transaction_wait_and_count_once_it_commits(path: Path) -> None:
    with Log(path) as log:
        log.append(make(-1, -1, -1, b"plain"))
        log.append(make(7, 0, 0, b"one", transactional=True))
        log.append(make(-1, -1, -1, b"behind it"))
        assert (log.last_stable_offset, log.log_end_offset) == (1, 3)
        reader = log.reader(0, read_committed=True)
        assert [record.value for record in reader] == [b"plain"]
        assert values_of(log, committed=False) == [b"plain", b"one", b"behind it"]
        log.append(make(7, 0, 1, b"two", transactional=True))
        assert [record.value for record in reader] == []
        log.append_marker(7, 0, True)
        assert log.last_stable_offset == log.log_end_offset == 5
        assert [record.value for record in reader] == [b"one", b"behind it", b"two"]
        assert reader.next_offset == 5


def test_aborted_records_are_left_out_for_ever(path: Path) -> None:
    config = LogConfig.from_properties({"internal.segment.bytes": "300"})
    with Log(path, config) as log:
        expected = []
        for number in range(40):
            is_commit = number % 3 != 0
            value = b"transaction %d" % number
            log.append(make(7, number, 0, value, value, transactional=True))
            log.append(make(8, 0, number, b"other %d" % number))
            log.append_marker(7, number + 1, is_commit)
            expected += [value, value] if is_commit else []
            expected.append(b"other %d" % number)
        assert len(log.segments()) > 5
        assert values_of(log) == expected
        assert len(log.aborted_transactions(0, log.log_end_offset)) == 14
        columns = []
        offset = 0
        while offset < log.log_end_offset:
            got = log.read_columns(offset, read_committed=True)
            columns += [got.value(row) for row in range(len(got))]
            assert got.next_offset > offset
            offset = got.next_offset
        assert columns == expected
    with Log(path, config, read_only=True) as log:
        assert values_of(log) == expected


def test_the_oldest_open_transaction_holds_the_stable_offset(path: Path) -> None:
    with Log(path) as log:
        for producer_id in (1, 2, 3):
            log.append(make(producer_id, 0, 0, b"%d" % producer_id, transactional=True))
        log.append_marker(2, 0, True)
        assert log.last_stable_offset == 0
        log.append_marker(1, 0, False)
        assert log.last_stable_offset == 2
        assert values_of(log) == [b"2"]
        log.append_marker(3, 0, True)
        assert values_of(log) == [b"2", b"3"]


def test_a_marker_shuts_out_older_epochs_even_without_a_transaction(path: Path) -> None:
    with Log(path) as log:
        log.append_marker(7, 5, False)
        assert log.last_stable_offset == log.log_end_offset == 1
        assert log.aborted_transactions(0, 1) == []
        with pytest.raises(InvalidProducerEpochError):
            log.append(make(7, 4, 0, transactional=True))
        with pytest.raises(InvalidProducerEpochError):
            log.append_marker(7, 4, True)
        with pytest.raises(InvalidProducerEpochError, match="coordinator"):
            log.append_marker(7, 5, True, coordinator_epoch=-1)
        log.append(make(7, 5, 0, transactional=True))


def test_a_plain_batch_inside_of_a_transaction_is_refused(path: Path) -> None:
    with Log(path) as log:
        log.append(make(7, 0, 0, transactional=True))
        with pytest.raises(InvalidTxnStateError):
            log.append(make(7, 0, 1))
        log.append_marker(7, 0, True)
        log.append(make(7, 0, 1))


def test_a_marker_is_kafkas_78_bytes() -> None:
    marker = control_batch(7, 3, True, 5, NOW_MS)
    assert len(marker) == 78
    view = BatchView(marker)
    assert view.is_control and view.is_transactional
    assert (view.producer_id, view.producer_epoch, view.base_sequence) == (7, 3, -1)
    (record,) = view.records()
    assert record.key == bytes.fromhex("00000001")
    assert record.value == bytes.fromhex("000000000005")
    assert control_type(view) == "commit"
    assert control_type(BatchView(control_batch(7, 3, False, 5, NOW_MS))) == "abort"
    assert control_type(BatchView(make(7, 0, 0))) is None


# ---- what is on disk ----


def test_a_transaction_index_entry_is_kafkas_34_bytes(path: Path) -> None:
    with Log(path) as log:
        log.append(make(7, 0, 0, transactional=True))
        log.append_marker(7, 1, False)
    data = (path / "00000000000000000000.txnindex").read_bytes()
    assert struct.unpack(">hqqqq", data) == (0, 7, 0, 1, 2)


def test_a_snapshot_is_kafkas_bytes() -> None:
    # What a Kafka broker writes where there is no producer.
    assert producer_snapshots.encode([]) == bytes.fromhex("000148674bc700000000")
    info = ProducerInfo(7, 3, 41, 99, 4, NOW_MS, 5, 95)
    assert producer_snapshots.decode(producer_snapshots.encode([info])) == [info]
    data = producer_snapshots.encode([info])
    for position in range(2, len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        with pytest.raises(Exception, match="CRC"):
            producer_snapshots.decode(bytes(damaged))


def test_what_is_known_survives_a_close(path: Path) -> None:
    with Log(path) as log:
        log.append(make(7, 2, 0, b"a", b"b"))
        log.append(make(8, 0, 0, transactional=True))
        before = log.producers()
    with Log(path) as log:
        assert log.producers() == before
        assert log.append(make(7, 2, 0, b"a", b"b")) == 0
        assert log.last_stable_offset == 2


@pytest.mark.parametrize("damage", ["none", "snapshots gone", "snapshots damaged", "mark gone"])
def test_a_crash_of_the_machine_forgets_no_transaction(path: Path, damage: str) -> None:
    config = LogConfig.from_properties({"internal.segment.bytes": "400"})
    with Log(path, config) as log:
        for number in range(12):
            log.append(make(7, number, 0, b"t%d" % number, transactional=True))
            log.append_marker(7, number + 1, number % 2 == 0)
            if number == 6:
                log.write_recovery_mark()
        log.append(make(9, 0, 0, b"open", transactional=True))
        log.append(make(-1, -1, -1, b"behind"))
        log.flush()
        before = values_of(log), log.last_stable_offset, log.producers()
        aborted = log.aborted_transactions(0, log.log_end_offset)
        marked = 14
    # The page is gone, and so is what was not synced: the indexes from the mark on.
    (path / ".state").unlink()
    for file in path.iterdir():
        if file.suffix == ".txnindex":
            transaction_index.cut(str(path), int(file.stem), marked)
        if file.suffix == ".snapshot" and damage == "snapshots gone":
            file.unlink()
        elif file.suffix == ".snapshot" and damage == "snapshots damaged":
            file.write_bytes(file.read_bytes()[:-1])
    if damage == "mark gone":
        (path / ".recovery").unlink()
    with Log(path, config, read_only=True) as log:
        assert log.last_stable_offset == before[1]
    with Log(path, config) as log:
        assert log.recovered is not None
        assert (values_of(log), log.last_stable_offset, log.producers()) == before
        assert log.aborted_transactions(0, log.log_end_offset) == aborted
        log.append_marker(9, 1, True)
        assert values_of(log)[-2:] == [b"open", b"behind"]


def test_an_abort_that_died_before_its_marker_aborts_nothing(path: Path) -> None:
    """The index entry is written first; who comes next cuts it before it appends."""
    with Log(path) as log:
        log.append(make(7, 0, 0, b"kept", transactional=True))
        entries = [(7, 0, 1, 2)]
    transaction_index.write(str(path), 0, entries)
    with Log(path) as log:
        assert transaction_index.read(transaction_index.path_of(str(path), 0)) == []
        log.append_marker(7, 0, True)
        assert values_of(log) == [b"kept"]


def test_random_histories_read_as_a_simple_model_says(path: Path) -> None:
    """Several producers, commits and aborts, rolls, reopens with and without the shared page."""
    chance = seeded_random("histories")
    config = LogConfig.from_properties({"internal.segment.bytes": "700"})
    written: list[tuple[int, bytes]] = []  # (transaction or -1, value)
    state = {pid: [0, 0, -1] for pid in range(4)}  # epoch, sequence, open transaction
    outcome: dict[int, bool] = {}
    log = Log(path, config)
    try:
        for step in range(400):
            producer_id = chance.randrange(4)
            producer = state[producer_id]
            action = chance.random()
            if action < 0.6:
                is_transactional = producer_id != 3
                if is_transactional and producer[2] < 0:
                    producer[2] = step
                value = b"%d" % step
                log.append(
                    make(producer_id, producer[0], producer[1], value,
                         transactional=is_transactional)
                )  # fmt: skip
                producer[1] += 1
                written.append((producer[2] if is_transactional else -1, value))
            elif action < 0.9 and producer_id != 3:
                is_commit = chance.random() < 0.5
                log.append_marker(producer_id, producer[0] + 1, is_commit)
                if producer[2] >= 0:
                    outcome[producer[2]] = is_commit
                producer[:] = [producer[0] + 1, 0, -1]
            elif action < 0.95:
                log.close()
                if chance.random() < 0.5:
                    (path / ".state").unlink()
                log = Log(path, config)
            else:
                log.write_recovery_mark()
        expected = []
        for transaction, value in written:
            if transaction >= 0 and transaction not in outcome:
                break  # open: nothing behind it is stable
            if transaction < 0 or outcome[transaction]:
                expected.append(value)
        assert values_of(log) == expected
        assert values_of(log, committed=False) == [value for _, value in written]
        for batch in iter_batches(log.read(0, 1 << 20)):
            assert batch.size_bytes > 0
    finally:
        log.close()


def test_producers_that_are_silent_for_a_day_are_forgotten(path: Path) -> None:
    with Log(path) as log:
        log.append(make(8, 0, 0))
        known = log.producers()
    for file in path.glob("*.snapshot"):
        file.unlink()
    old = [ProducerInfo(7, 0, 5, 0, 0, last_timestamp_ms=1_000)]
    producer_snapshots.write(str(path), 1, known + old)
    with Log(path) as log:
        assert [info.producer_id for info in log.producers()] == [7, 8]
        log.append(make(8, 0, 1))
        assert [info.producer_id for info in log.producers()] == [8]


def test_a_producer_of_old_records_is_not_forgotten_for_their_times(path: Path) -> None:
    builder = BatchBuilder()
    builder.set_producer(7, 0, 0)
    builder.append(1_000, None, b"long ago")
    batch = builder.build()
    with Log(path) as log:
        log.append(batch)
    for _ in range(2):
        with Log(path) as log:
            assert log.append(batch) == 0
            for file in path.glob("*.snapshot"):
                file.unlink()


def test_a_damaged_transaction_index_is_made_anew_from_the_log(path: Path) -> None:
    with Log(path) as log:
        for number in range(4):
            log.append(make(7, number, 0, b"%d" % number, transactional=True))
            log.append_marker(7, number + 1, number % 2 == 0)
        before = log.aborted_transactions(0, 8)
        log.write_recovery_mark()
    index = path / "00000000000000000000.txnindex"
    index.write_bytes(b"garbage" * 20)
    with Log(path) as log:
        assert log.aborted_transactions(0, 8) == before
        assert values_of(log) == [b"0", b"2"]


def test_what_is_known_of_a_tail_that_was_lost_goes_with_it(path: Path) -> None:
    """Or a log without producers would take the snapshot for its own once it has grown past it."""
    with Log(path) as log:
        for _ in range(5):
            log.append(make(-1, -1, -1))
    lost = [ProducerInfo(7, 0, 5, 55, transaction_first_offset=55)]
    producer_snapshots.write(str(path), 56, lost)
    (path / ".state").unlink()
    with Log(path) as log:
        for _ in range(60):
            log.append(make(-1, -1, -1))
        log.append(make(8, 0, 0))
        assert [info.producer_id for info in log.producers()] == [8]
        assert log.last_stable_offset == log.log_end_offset


def test_a_log_that_begins_inside_of_a_transactions_batch_knows_the_transaction(path: Path) -> None:
    with Log(path) as log:
        log.append(make(7, 0, 0, b"a", b"b", b"c", transactional=True))
        log.append(make(-1, -1, -1, b"behind"))
        log.delete_records(1)
    for file in path.glob("*.snapshot"):
        file.unlink()
    (path / ".state").unlink()
    (path / ".recovery").unlink()
    with Log(path) as log:
        assert log.last_stable_offset == log.log_start_offset
        log.append_marker(7, 1, False)
        assert values_of(log, offset=log.log_start_offset) == [b"behind"]
