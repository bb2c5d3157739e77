"""Compaction keeps the last record of each key, as it was, and nothing is ever missed."""

import random
from pathlib import Path

import pytest
from compacted_logs import (
    HOUR_MS,
    History,
    compact,
    keyed_batch,
    open_log,
    random_pairs,
    read_all,
)
from partition_files import TIME_MS, fake_reboot, seeded_random

from logcore.log import Log


@pytest.mark.parametrize("number", range(6))
def test_any_history_reads_the_same_table_after_compaction(tmp_path: Path, number: int) -> None:
    source = seeded_random(f"history {number}")
    run_history(tmp_path / "log", source, steps=120)


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
