"""Compaction keeps the last record of each key, as it was, and nothing is ever missed."""

import itertools
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from compacted_logs import (
    HOUR_MS,
    History,
    compact,
    fill,
    keyed_batch,
    open_log,
    random_pairs,
    read_all,
)
from partition_files import (
    TIME_MS,
    end_program,
    fake_reboot,
    log_file,
    read_line,
    seeded_random,
    start_program,
    told,
)

from logcore import cleanable, cleaner_checkpoint, seal
from logcore.batch import BatchView, iter_batches
from logcore.errors import CorruptRecordError, LogClosedError
from logcore.log import Log


@pytest.mark.parametrize("number", range(4))
def test_any_history_reads_the_same_table_after_compaction(tmp_path: Path, number: int) -> None:
    source = seeded_random(f"history {number}")
    run_history(tmp_path / "log", source, steps=100)


@dataclass
class Client:
    """A producer with an id, in a transaction or not."""

    producer_id: int
    sequence: int = 0
    open_offsets: list[int] = field(default_factory=list)
    last_batch: tuple[bytes, int] | None = None

    def send(self, log: Log, history: History, pairs: list[Any], codec: int, now_ms: int) -> None:
        is_transactional = self.producer_id % 2 == 1
        producer = (self.producer_id, 0, self.sequence, is_transactional)
        batch = keyed_batch(pairs, codec=codec, timestamp_ms=now_ms, producer=producer)
        offset = log.append(batch)
        self.sequence += len(pairs)
        self.last_batch = (batch, offset)
        if is_transactional:
            self.open_offsets += range(offset, offset + len(pairs))
        history.note_appended(log)

    def end(self, log: Log, history: History, is_commit: bool) -> None:
        if self.open_offsets:
            log.append_marker(self.producer_id, 0, is_commit)
            if not is_commit:
                history.aborted.update(self.open_offsets)
            self.open_offsets = []


@pytest.mark.parametrize("number", range(4))
def test_transactions_are_compacted_as_their_markers_say(tmp_path: Path, number: int) -> None:
    source = seeded_random(f"transactions {number}")
    path = tmp_path / "log"
    # A producer that was silent for a day is forgotten, by the wall clock.
    history, now_ms = History(), time.time_ns() // 1_000_000
    clients = [Client(number) for number in range(4)]
    log = open_log(path)
    for _ in range(150):
        step = source.random()
        now_ms += source.randrange(HOUR_MS // 4)
        client = source.choice(clients)
        if step < 0.6:
            client.send(log, history, random_pairs(source, 30), source.choice([0, 0, 4]), now_ms)
        elif step < 0.75:
            client.end(log, history, is_commit=source.random() < 0.5)
        elif step < 0.85:
            log.roll()
        elif step < 0.95:
            done = compact(log, now_ms, scope=source.choice(["due", "dirty", "all"]))
            if done is not None:
                history.note_compacted(now_ms, done.end_offset)
            check_both_levels(log, history, now_ms)
        else:
            log.close()
            if source.random() < 0.5:
                fake_reboot(path)
            log = open_log(path)
    for client in clients:
        client.end(log, history, is_commit=True)
    for _ in range(3):  # the batches, the markers' horizon, the markers
        log.roll()
        now_ms += 2 * HOUR_MS
        done = compact(log, now_ms)
        assert done is not None
        history.note_compacted(now_ms, done.end_offset)
        check_both_levels(log, history, now_ms)
    for client in clients:
        if client.last_batch is not None:
            batch, offset = client.last_batch
            assert log.append(batch) == offset, "a retry is known, whatever was compacted"
    log.close()


def check_both_levels(log: Log, history: History, now_ms: int) -> None:
    found = read_all(log)
    stable = log.last_stable_offset
    hidden = {offset for offset in history.records if offset >= stable}
    open_history = History(
        {o: r for o, r in history.records.items() if o not in hidden},
        history.first_seen_ms, history.end_offset, history.aborted,
    )  # fmt: skip
    open_history.check([record for record in found if record[0] < stable], now_ms)
    committed = [told(record) for record in log.reader(log.log_start_offset, read_committed=True)]
    wanted = [each for each in found if each[0] < stable and each[0] not in history.aborted]
    assert committed == wanted


def run_history(path: Path, source: random.Random, steps: int) -> None:
    history = History()
    now_ms = TIME_MS
    key_count = source.choice([3, 20, 200])
    stamp = source.choice(["CreateTime", "LogAppendTime"])
    log = open_log(path, message_timestamp_type=stamp)
    for _ in range(steps):
        step = source.random()
        now_ms += source.randrange(HOUR_MS // 4)
        if step < 0.7:
            pairs = random_pairs(source, key_count)
            codec = source.choice([0, 0, 0, 1, 2, 3, 4])
            log.append(keyed_batch(pairs, codec=codec, timestamp_ms=now_ms))
            history.note_appended(log)
        elif step < 0.8:
            log.roll()
        elif step < 0.9:
            budget = 32768 + source.choice([600, 1 << 20])
            scope = source.choice(["due", "dirty", "all"])
            done = compact(log, now_ms, max_map_bytes=budget, scope=scope)
            if done is not None:
                history.note_compacted(now_ms, done.end_offset)
            history.check(read_all(log), now_ms)
        elif step < 0.95:
            offset = source.randrange(log.log_start_offset, log.log_end_offset + 1)
            found = [record[0] for record in read_all(log, offset)]
            assert found == [record[0] for record in read_all(log) if record[0] >= offset]
        else:
            log.close()
            if source.random() < 0.5 and path.exists():
                fake_reboot(path)
            log = open_log(path, message_timestamp_type=stamp)
    log.roll()
    done = compact(log, now_ms)
    if done is not None:
        history.note_compacted(now_ms, done.end_offset)
    history.check(read_all(log), now_ms)
    log.close()
    with Log(path, log.config, read_only=True) as looked_at:
        history.check(read_all(looked_at), now_ms)


# ---- one rule each ----


def headers_of(path: Path) -> list[BatchView]:
    """Every batch of every segment."""
    files = sorted(path.glob("*.log"))
    return [view for file in files for view in iter_batches(file.read_bytes())]


def test_a_batch_that_lost_records_keeps_its_place_and_its_times(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append(keyed_batch([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")], timestamp_ms=50))
        log.append(keyed_batch([(b"a", b"4"), (b"c", b"5")], timestamp_ms=90))
        log.roll()
        assert compact(log) is not None
        first, second = headers_of(tmp_path)
        assert (first.base_offset, first.last_offset_delta, first.record_count) == (0, 2, 1)
        assert (first.base_timestamp_ms, first.max_timestamp_ms) == (50, 51)
        assert (second.base_offset, second.record_count) == (3, 2)
        assert [(each[0], each[1]) for each in read_all(log)] == [(1, 51), (3, 90), (4, 91)]


def test_tombstones_get_a_horizon_and_go_after_it(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append(keyed_batch([(b"a", b"1"), (b"b", b"2")], timestamp_ms=TIME_MS))
        log.append(keyed_batch([(b"a", None), (b"c", b"3")], timestamp_ms=TIME_MS + 7))
        log.roll()
        before = read_all(log)
        assert compact(log, TIME_MS) is not None
        tombstone = headers_of(tmp_path)[-1]
        assert tombstone.attributes & 0x40
        assert tombstone.base_timestamp_ms == TIME_MS + HOUR_MS
        assert tombstone.max_timestamp_ms == TIME_MS + 8
        assert read_all(log) == before[1:]
        assert compact(log, TIME_MS + HOUR_MS - 1) is not None
        assert read_all(log) == before[1:]
        assert headers_of(tmp_path)[-1].base_timestamp_ms == TIME_MS + HOUR_MS, "set once"
        assert compact(log, TIME_MS + HOUR_MS) is not None
        assert read_all(log) == [before[1], before[3]]


@pytest.mark.parametrize("codec", range(5))
@pytest.mark.parametrize("stamp", ["CreateTime", "LogAppendTime"])
def test_every_codec_keeps_its_codec_and_its_times(tmp_path: Path, codec: int, stamp: str) -> None:
    with open_log(tmp_path, message_timestamp_type=stamp) as log:
        log.append(keyed_batch([(b"a", bytes(400)), (b"b", None), (b"c", b"x")], codec=codec))
        log.append(keyed_batch([(b"a", b"new")], codec=codec))
        log.roll()
        before = read_all(log)
        assert compact(log) is not None
        assert read_all(log) == before[1:]
        assert {view.attributes & 7 for view in headers_of(tmp_path)} == {codec}


def test_records_without_a_key_go(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append(keyed_batch([(None, b"1"), (b"a", b"2"), (None, b"3")]))
        log.roll()
        compact(log)
        assert [each[0] for each in read_all(log)] == [1]


def test_segments_are_put_together_and_end_where_the_next_one_begins(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for turn in range(5):
            fill(log, [(b"%d" % key, b"%d" % turn) for key in range(50)])
        assert len(log.segments()) == 6
        compact(log)
        compact(log)
        first, active = log.segments()
        assert (first.base_offset, first.next_offset, active.base_offset) == (0, 250, 250)
        last = headers_of(tmp_path)[-1]
        assert last.base_offset + last.last_offset_delta + 1 == 250
        for offset in range(251):
            assert [each[0] for each in read_all(log, offset)] == list(range(max(offset, 200), 250))
        assert log.offset_for_timestamp(TIME_MS + 45) == (245, TIME_MS + 45)
        names = {path.suffix for path in tmp_path.glob("0*")}
        assert names <= {".log", ".index", ".timeindex"}


def test_the_last_batch_of_a_round_stays_as_a_header(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append(keyed_batch([(b"a", b"1")]))
        log.append(keyed_batch([(None, b"2"), (None, b"3")], timestamp_ms=5))
        log.roll()
        compact(log)
        last = headers_of(tmp_path)[-1]
        assert (last.base_offset, last.last_offset_delta, last.record_count) == (1, 1, 0)
        assert (last.base_timestamp_ms, last.max_timestamp_ms, last.size_bytes) == (-1, 6, 61)


def test_what_is_young_is_left_alone(tmp_path: Path) -> None:
    with open_log(tmp_path, min_compaction_lag_ms=1000) as log:
        for turn in range(3):
            log.append(keyed_batch([(b"a", b"%d" % turn)], timestamp_ms=TIME_MS + 500 * turn))
            log.roll()
        assert compact(log, TIME_MS + 500) is None
        assert compact(log, TIME_MS + 1500) is not None
        assert [each[0] for each in read_all(log)] == [1, 2]
        assert cleaner_checkpoint.read(log.path) == 2
        assert compact(log, TIME_MS + 9000, scope="dirty") is not None
        assert [each[0] for each in read_all(log)] == [2]


def test_it_is_due_by_dirty_ratio_or_by_lag(tmp_path: Path) -> None:
    with open_log(tmp_path, min_cleanable_dirty_ratio=0.5, max_compaction_lag_ms=10_000) as log:
        fill(log, [(b"%d" % key, bytes(20)) for key in range(100)])
        assert cleanable.look(log, TIME_MS).dirty_ratio == 1
        assert compact(log, scope="due") is not None
        fill(log, [(b"%d" % key, b"new") for key in range(20)])
        backlog = cleanable.look(log, TIME_MS)
        assert 0 < backlog.dirty_ratio < 0.5
        assert not backlog.is_due(log.config)
        assert compact(log, scope="due") is None
        assert compact(log, TIME_MS + 20_000, scope="due") is not None
        assert len(read_all(log)) == 100
        assert compact(log, TIME_MS + 20_000, scope="due") is None, "all is clean"


def test_an_old_active_segment_is_sealed_for_compaction(tmp_path: Path) -> None:
    with open_log(tmp_path, max_compaction_lag_ms=10_000) as log:
        log.append(keyed_batch([(b"a", b"1")]))
        assert not cleanable.roll_overdue(log, TIME_MS + 10_000)
        assert cleanable.roll_overdue(log, TIME_MS + 10_001)
        assert not cleanable.roll_overdue(log, TIME_MS + 90_000)


def test_what_is_not_stable_is_left_alone(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        fill(log, [(b"a", b"1"), (b"a", b"2")])
        log.append(keyed_batch([(b"a", b"3")], producer=(7, 0, 0, True)))
        log.roll()
        fill(log, [(b"a", b"4")])
        done = compact(log)
        assert done is not None and done.end_offset == 2
        assert [each[0] for each in read_all(log)] == [1, 2, 3]


@pytest.mark.parametrize("is_commit", [True, False])
def test_a_marker_stays_until_a_horizon_after_its_last_batch(
    tmp_path: Path, is_commit: bool
) -> None:
    now_ms = time.time_ns() // 1_000_000
    with open_log(tmp_path) as log:
        for sequence, key in enumerate([b"a", b"b"]):  # the second keeps the producer known
            log.append(keyed_batch([(key, b"old")], producer=(7, 0, sequence, True)))
            log.append_marker(7, 0, is_commit)
        log.roll()
        fill(log, [(b"a", b"new"), (b"b", b"new")])
        aborted = [(7, 0, 1), (7, 2, 3)]
        assert log.aborted_transactions(0, 9) == ([] if is_commit else aborted)

        def offsets_left(at_ms: int) -> list[int]:
            assert compact(log, at_ms) is not None
            return [view.base_offset for view in headers_of(tmp_path)]

        assert offsets_left(now_ms) == [1, 2, 3, 4], "the batch went; this pass still met it"
        assert not headers_of(tmp_path)[0].attributes & 0x40
        assert log.aborted_transactions(0, 9) == ([] if is_commit else aborted)
        assert offsets_left(now_ms) == [1, 2, 3, 4]
        assert headers_of(tmp_path)[0].attributes & 0x40
        assert headers_of(tmp_path)[0].base_timestamp_ms == now_ms + HOUR_MS
        assert log.aborted_transactions(0, 9) == ([] if is_commit else aborted[1:])
        assert offsets_left(now_ms + HOUR_MS - 1) == [1, 2, 3, 4]
        assert offsets_left(now_ms + HOUR_MS) == [2, 3, 4]
        assert log.append_marker(7, 1, True) == 6, "the producer goes on"


def test_keys_that_do_not_fit_take_several_passes(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for turn in range(3):
            fill(log, [(b"%04d" % key, b"%d" % turn) for key in range(700)])
        done = compact(log, max_map_bytes=40_000)
        assert done is not None and done.passes > 3
        assert [each[0] for each in read_all(log)] == list(range(1400, 2100))


def test_deletion_goes_on_beside_compaction(tmp_path: Path) -> None:
    with open_log(tmp_path, cleanup_policy="compact,delete", retention_ms=1000) as log:
        fill(log, [(b"%d" % key, bytes(100)) for key in range(50)])
        log.append(keyed_batch([(b"1", b"new")], timestamp_ms=TIME_MS + 5000))
        log.roll()
        compact(log)
        assert len(read_all(log)) == 50
        log.apply_retention(TIME_MS + 5500)
        assert log.log_start_offset == 50
        assert [each[0] for each in read_all(log)] == [50]
        assert compact(log) is not None


def test_a_damaged_segment_stops_it_and_nothing_is_replaced(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for turn in range(3):
            fill(log, [(b"%d" % key, b"%d" % turn) for key in range(50)])
        damaged = log_file(tmp_path, 50)
        data = bytearray(damaged.read_bytes())
        data[len(data) // 2] ^= 0x10
        damaged.write_bytes(data)
        before = {path.name: path.read_bytes() for path in tmp_path.glob("*.log")}
        with pytest.raises(CorruptRecordError, match="CRC") as caught:
            compact(log)
        assert str(damaged) in str(caught.value)
        assert {path.name: path.read_bytes() for path in tmp_path.glob("*.log")} == before
        assert not list(tmp_path.glob("*.cleaned"))


def test_a_log_that_was_compacted_once_may_have_gaps_for_ever(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        fill(log, [(b"a", b"%d" % number) for number in range(100)])
        compact(log)
        log.append(keyed_batch([(b"b", b"1")]))
    fake_reboot(tmp_path)
    (tmp_path / ".recovery").unlink()
    with open_log(tmp_path, cleanup_policy="delete") as log:
        assert [each[0] for each in read_all(log)] == [99, 100]


def test_one_handle_at_a_time_cleans(tmp_path: Path) -> None:
    with open_log(tmp_path) as log, open_log(tmp_path) as other:
        assert log.try_cleaning()
        assert not log.try_cleaning() and not other.try_cleaning()
        log.end_cleaning()
        assert other.try_cleaning()
        other.end_cleaning()


def test_checksums_of_replaced_segments_go(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for turn in range(3):
            fill(log, [(b"%d" % key, b"%d" % turn) for key in range(50)])
        assert log.seal_checksums() == 3
        compact(log)
        compact(log)
        assert not list(tmp_path.glob("*.sum"))
        assert log.seal_checksums() == 1
        assert seal.verify(log.path, 0)


def test_a_close_by_another_thread_ends_it(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for turn in range(3):
        fill(log, [(b"%d" % key, b"%d" % turn) for key in range(50)])

    def close(_done_bytes: int) -> None:
        log.close()

    with pytest.raises(LogClosedError):
        compact(log, on_progress=close)
    with open_log(tmp_path) as reopened:
        assert len(read_all(reopened)) == 150
        assert compact(reopened) is not None


def test_a_reader_in_a_replaced_segment_misses_nothing(tmp_path: Path) -> None:
    with open_log(tmp_path) as log, open_log(tmp_path) as other:
        for turn in range(6):
            fill(log, [(b"%d" % key, b"%d" % (turn * 60 + key)) for key in range(turn, 60)])
        compact(log)
        survivors = read_all(log)
        readers = [log.reader(offset) for offset in range(0, log.log_end_offset, 7)]
        readers += [other.reader(offset) for offset in range(0, log.log_end_offset, 7)]
        seen = [[told(record) for record in itertools.islice(reader, 3)] for reader in readers]
        before = len(log.segments())
        compact(log)
        assert len(log.segments()) < before
        for number, (reader, first) in enumerate(zip(readers, seen, strict=True)):
            start = number % (len(readers) // 2) * 7
            found = first + [told(record) for record in reader]
            assert found == [each for each in survivors if each[0] >= start], start


def test_readers_in_other_processes_see_every_key_throughout(tmp_path: Path) -> None:
    program = start_program(READ_OVER_AND_OVER, tmp_path)
    try:
        with open_log(tmp_path) as log:
            fill(log, [(b"%d" % key, b"0") for key in range(200)])
            assert read_line(program) == "reading"
            for turn in range(1, 40):
                fill(log, [(b"%d" % key, b"%d" % turn) for key in range(0, 200, 3)])
                assert compact(log, scope="dirty") is not None
        assert program.stdin is not None
        program.stdin.write("enough\n")
        program.stdin.flush()
        assert int(read_line(program)) > 3
        assert program.wait(60) == 0
    finally:
        end_program(program)


READ_OVER_AND_OVER = """
import sys, threading
from logcore.config import LogConfig
from logcore.log import Log

log = Log(sys.argv[1], LogConfig(cleanup_policy="compact", internal_segment_bytes=6000))
while log.log_end_offset < 200:
    log.wait(199, 1.0)
print("reading", flush=True)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
rounds = 0
follower, table = log.reader(0), {}
while not ended.is_set() or not rounds:
    keys, last = set(), -1
    for record in log.reader(0, fetch_bytes=4096):
        assert record.offset > last, (record.offset, last)
        keys.add(record.key)
        last = record.offset
    assert len(keys) == 200, len(keys)
    for record in follower:
        table[record.key] = record.value
    rounds += 1
for record in follower:
    table[record.key] = record.value
assert table == {record.key: record.value for record in log.reader(0)}
print(rounds, flush=True)
"""
