"""Power cuts at every moment of a program's life, on a disk that does no more than it promised.

A program with acks=all is recorded once; power_cut.py builds thousands of folders that a cut may
have left; each must open in strict mode, without help, with everything that was acknowledged, as
a prefix of what was written, and take the next append.
"""

import os
import random
import shutil
import traceback
from pathlib import Path

import pytest
from child import run
from faults import Faults, note
from partitions import BOOT_ID_BYTES, BOOT_ID_PLACE, batch, forget_boot, value_at, values
from power_cut import Disk, build, read_trace

from logcore import Log, LogConfig

CONFIG = LogConfig(index_interval_bytes=1000)
CUTS_PER_STEP = 4


def live(folder: str, seed: int) -> None:
    """Everything that changes files: append, flush, roll, mark, delete, close, recover, seal."""
    chance = random.Random(seed)
    path = os.path.join(folder, "t-0")
    begun = 0

    def append(log: Log) -> None:
        begin = log.log_end_offset
        log.append(batch(
            *(value_at(begin + n, chance.randrange(1200)) for n in range(chance.randrange(1, 4))),
            codec=chance.choice([0, 0, 0, 4]),
        ))  # fmt: skip

    for life in range(5):
        with Log(path, CONFIG) as log:
            for _ in range(12):
                for _ in range(chance.randrange(4)):
                    append(log)
                act = chance.choice(["flush", "flush", "flush", "roll", "mark", "seal", "delete"])
                if act == "flush":
                    note(log.flush())
                elif act == "roll":
                    log.roll()
                elif act == "mark":
                    log.write_recovery_mark()
                    note(log.durable_offset)
                elif act == "seal":
                    log.seal_checksums()
                elif log.log_end_offset > begun + 20:
                    begun = chance.randrange(begun, log.log_end_offset)
                    note(-1 - begun)
                    log.delete_records(begun)
            log.write_recovery_mark()
            note(log.durable_offset)
        if life % 2:
            with open(os.path.join(path, f"{log_base(path):020d}.log"), "ab") as file:
                file.write(b"torn")
            forget_boot(path)


def log_base(path: str) -> int:
    return max(int(name[:20]) for name in os.listdir(path) if name.endswith(".log"))


def check_cut(root: Path, durable: int, deleted: int, chance: random.Random) -> None:
    """One folder that a cut left."""
    state = root / "t-0" / ".state"
    if state.exists() and chance.random() < 0.5:
        state.unlink()
    elif state.exists() and state.stat().st_size > BOOT_ID_PLACE + BOOT_ID_BYTES:
        forget_boot(root / "t-0")
    with Log(root / "t-0", CONFIG) as log:
        begin, end = log.log_start_offset, log.log_end_offset
        assert end >= durable, f"{durable} records were durable, {end} are left"
        assert begin <= deleted, f"the log begins at {begin}, deleted was up to {deleted}"
        found = values(log)
        assert found == [value_at(n, len(v or b"")) for n, v in enumerate(found, begin)]
        assert log.append(batch(b"next")) == end
        log.flush()
        if chance.random() < 0.1:
            log.roll()
            log.append(batch(b"after"))
    forget_boot(root / "t-0")
    with Log(root / "t-0", CONFIG) as log:
        assert log.recovered.reason is None
        assert values(log)[: len(found) + 1] == [*found, b"next"]


def cut(
    trace: Path, folder: Path, chance: random.Random, cuts_per_step: int
) -> tuple[int, list[str]]:
    disk = Disk()
    durable = deleted = cuts = 0
    root = folder.with_name("cut")
    faults: list[str] = []
    for number, step in enumerate(read_trace(trace, folder)):
        if step.kind != "n":
            disk.do(step)
        elif step.number >= 0:
            durable = max(durable, step.number)
        else:
            deleted = max(deleted, -1 - step.number)
        if step.kind == "n" or (step.kind == "w" and step.path.endswith(".state")):
            continue  # nothing that the disk knows of
        for _ in range(cuts_per_step):
            seed = chance.randrange(1 << 32)
            cuts += 1
            build(root, *disk.after_cut(random.Random(seed)))
            try:
                check_cut(root, durable, deleted, random.Random(seed))
            except Exception:
                faults.append(
                    f"step {number} ({step.kind} {step.path}), cut {seed}:\n"
                    + traceback.format_exc(limit=-5)
                )
            shutil.rmtree(root, ignore_errors=True)
    return cuts, faults


def survive_cuts(path: Path, faults: Faults, chance: random.Random, cuts_per_step: int) -> int:
    folder, trace = path / "log", path / "trace"
    folder.mkdir()
    run(live, env=faults.environment(folder, trace), folder=folder, seed=chance.randrange(1 << 32))
    cuts, found = cut(trace, folder, chance, cuts_per_step)
    assert not found, f"{len(found)} of {cuts}:\n" + "\n".join(found[:3])
    return cuts


def test_what_was_acknowledged_survives_a_power_cut(
    fast_path: Path, faults: Faults, chance: random.Random
):
    assert survive_cuts(fast_path, faults, chance, CUTS_PER_STEP) > 1000


@pytest.mark.slow
def test_what_was_acknowledged_survives_very_many_power_cuts(
    fast_path: Path, faults: Faults, chance: random.Random
):
    survive_cuts(fast_path, faults, chance, 300)
