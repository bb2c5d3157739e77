"""Recovery: what a crash leaves is cut and kept, damage is told from it, what is durable stays."""

import os
from pathlib import Path

import pytest
from partition_files import (
    TIME_MS,
    append_values,
    fake_reboot,
    log_file,
    make_batch,
    read_values,
    seeded_random,
    with_header,
)

from logcore import leader_epochs, recovery, recovery_mark
from logcore.config import LogConfig
from logcore.errors import CorruptRecordError, DiskFullError
from logcore.index import OffsetIndex, TimeIndex
from logcore.log import Log

SECTOR = 512


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


def quarantined(path: Path) -> bytes:
    folder = path / "quarantine"
    return (
        b"".join(file.read_bytes() for file in sorted(folder.iterdir())) if folder.exists() else b""
    )


def values_of(count: int) -> list[bytes]:
    return [b"%d" % i for i in range(count)]


def fill(path: Path, count: int, *, marked: int = 0, rolled_after: tuple[int, ...] = ()) -> None:
    """A log of `count` batches of one record, with its mark after `marked` of them."""
    with Log(path, LogConfig(index_interval_bytes=0)) as log:
        for i in range(count):
            if i == marked and marked:
                log.write_recovery_mark()
            log.append(make_batch([b"%d" % i], timestamp_ms=TIME_MS + i))
            if i in rolled_after:
                log.roll()


def batch_size(path: Path) -> int:
    return 12 + int.from_bytes(log_file(path).read_bytes()[8:12], "big")


# ---- the same boot ----


def test_in_the_same_boot_nothing_is_scanned(path: Path) -> None:
    fill(path, 5)
    with Log(path) as log:
        assert log.recovered is None
        assert (log.leader_epoch, read_values(log)) == (0, values_of(5))


def test_in_the_same_boot_only_what_was_not_published_is_cut(path: Path) -> None:
    fill(path, 5)
    good = log_file(path).read_bytes()
    half = with_header(make_batch([b"unpublished"]), base_offset=5, leader_epoch=0)
    for size in range(len(half) + 1):
        log_file(path).write_bytes(good + half[:size])
        with Log(path) as log:
            assert (log.recovered, read_values(log)) == (None, values_of(5))
        assert log_file(path).read_bytes() == good


def test_files_that_the_page_does_not_speak_of_are_looked_at_not_cut(path: Path) -> None:
    """A folder put back from a copy, beside the page of this boot."""
    fill(path, 2)
    page = (path / ".state").read_bytes()
    fill_more = [b"2", b"3", b"4"]
    with Log(path) as log:
        for value in fill_more:
            append_values(log, value)
        log.roll()
        append_values(log, b"5")
    with open(path / ".state", "r+b") as file:
        file.write(page)
    with Log(path) as log:
        assert log.recovered is not None
        assert read_values(log) == values_of(6)


def test_in_the_same_boot_missing_bytes_are_found(path: Path) -> None:
    fill(path, 5)
    os.truncate(log_file(path), log_file(path).stat().st_size - 1)
    with Log(path) as log:
        assert log.recovered is not None
        assert read_values(log) == values_of(4)


# ---- another boot: torn tails ----


def test_after_a_reboot_the_log_is_the_same_and_the_epoch_rises(path: Path) -> None:
    fill(path, 5)
    for epoch in (1, 2, 3):
        fake_reboot(path)
        with Log(path) as log:
            assert log.recovered is not None
            assert (log.recovered.cut_bytes, log.recovered.reason) == (0, None)
            assert (log.leader_epoch, read_values(log)[:5]) == (epoch, values_of(5))
            assert log.durable_offset == log.log_end_offset
            append_values(log, b"more")
    assert [each[0] for each in leader_epochs.read(path / "leader-epoch-checkpoint")] == [
        0,
        1,
        2,
        3,
    ]


def test_every_length_of_a_torn_tail_keeps_the_whole_batches(path: Path, tmp_path: Path) -> None:
    fill(path, 4)
    good, size = log_file(path).read_bytes(), batch_size(path)
    files = {file.name: file.read_bytes() for file in path.iterdir()}
    for kept in range(len(good) + 1):
        folder = tmp_path / f"torn{kept}"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        log_file(folder).write_bytes(good[:kept])
        fake_reboot(folder)
        with Log(folder) as log:
            whole = kept // size
            assert read_values(log) == values_of(whole)
            assert quarantined(folder) == good[whole * size : kept].rstrip(b"\0") or (
                quarantined(folder) == good[whole * size : kept]
            )
            assert append_values(log, b"next") == whole
            assert log.size_bytes == log_file(folder).stat().st_size


@pytest.mark.parametrize("zeros", [1, 11, 12, 60, 61, 512, 100_000])
def test_zeros_at_the_end_are_cut_and_not_kept(path: Path, zeros: int) -> None:
    fill(path, 3)
    good = log_file(path).read_bytes()
    log_file(path).write_bytes(good + bytes(zeros))
    fake_reboot(path)
    with Log(path) as log:
        assert read_values(log) == values_of(3)
        assert log.recovered is not None
        assert log.recovered.quarantined == ()
    assert log_file(path).read_bytes() == good
    assert not (path / "quarantine").exists()


def test_a_stale_batch_after_the_end_is_not_taken(path: Path) -> None:
    fill(path, 3)
    stale = with_header(make_batch([b"stale"]), base_offset=7, leader_epoch=0)
    with open(log_file(path), "ab") as file:
        file.write(stale)
    fake_reboot(path)
    with pytest.raises(CorruptRecordError):
        Log(path)
    with Log(path, recovery="point_in_time") as log:
        assert read_values(log) == values_of(3)
    assert quarantined(path) == stale


def test_quarantine_keeps_the_bytes_of_every_recovery(path: Path) -> None:
    fill(path, 3)
    for number in range(5):  # within one second, at one position
        with open(log_file(path), "ab") as file:
            file.write(b"garbage %d" % number)
        fake_reboot(path)
        Log(path).close()
    assert sorted(file.read_bytes() for file in (path / "quarantine").iterdir()) == [
        b"garbage %d" % number for number in range(5)
    ]


# ---- another boot: reordering and damage ----


def lost_sectors(path: Path, sectors: set[int], begin: int) -> bytes:
    """The file with zeros where these sectors, from byte `begin` on, were never written."""
    data = bytearray(log_file(path).read_bytes())
    for sector in sectors:
        first, last = max(sector * SECTOR, begin), min((sector + 1) * SECTOR, len(data))
        data[first:last] = bytes(max(last - first, 0))
    return bytes(data)


def test_any_lost_sector_after_the_mark_is_the_trace_of_a_crash(path: Path, tmp_path: Path) -> None:
    """Every place of the durable end within a sector, every sector lost, records after it whole."""
    for marked in range(1, 14):
        for lost in range(5):
            folder = tmp_path / f"{marked}-{lost}"
            fill(folder, 30, marked=marked)
            size = batch_size(folder)
            begin = marked * size + max(0, marked - 10)  # two digits from 10 on
            sector = begin // SECTOR + lost
            log_file(folder).write_bytes(lost_sectors(folder, {sector}, begin))
            fake_reboot(folder)
            with Log(folder) as log:
                kept = read_values(log)
                assert len(kept) >= marked
                assert kept == values_of(30)[: len(kept)]


def test_a_flipped_bit_with_records_after_it_is_damage(path: Path, tmp_path: Path) -> None:
    fill(path, 6)
    good, size = log_file(path).read_bytes(), batch_size(path)
    rng = seeded_random("damage")
    for number in range(40):
        folder = tmp_path / f"damage{number}"
        folder.mkdir()
        for file in path.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        bad = bytearray(good)
        at = rng.randrange(0, 4 * size)
        if 12 <= at % size < 16:  # the epoch is not under the CRC
            continue
        bad[at] ^= 1 << rng.randrange(8)
        log_file(folder).write_bytes(bad)
        fake_reboot(folder)
        with pytest.raises(CorruptRecordError) as caught:
            Log(folder)
        assert caught.value.position == at // size * size
        assert caught.value.path == str(log_file(folder))
        assert log_file(folder).read_bytes() == bad
        with Log(folder, read_only=True) as log:
            assert read_values(log) == values_of(at // size)
        with Log(folder, recovery="point_in_time") as log:
            assert read_values(log) == values_of(at // size)
            assert log.recovered is not None
        assert quarantined(folder) == bytes(bad[at // size * size :])


@pytest.mark.parametrize("has_indexes", [True, False])
@pytest.mark.parametrize("damage", ["zeros", "cut", "missing"])
def test_durable_bytes_that_are_gone_are_damage(path: Path, damage: str, has_indexes: bool) -> None:
    fill(path, 40, marked=39)
    if damage == "zeros":
        log_file(path).write_bytes(lost_sectors(path, {2, 3}, 0))
    elif damage == "cut":
        os.truncate(log_file(path), 600)
    else:
        log_file(path).unlink()
    if not has_indexes:
        log_file(path, 0, ".index").unlink()
    fake_reboot(path)
    if damage == "zeros" and has_indexes:
        Log(path).close()  # before the mark: not looked at, and the reader finds it
        return
    with pytest.raises(CorruptRecordError):
        Log(path)
    with Log(path, recovery="point_in_time") as log:
        kept = read_values(log)
        assert kept == values_of(40)[: len(kept)]
        assert log.log_end_offset == (40 if damage == "missing" else len(kept)) or (
            damage == "missing" and log.log_end_offset == 39
        )


def test_a_lost_first_segment_is_damage(path: Path) -> None:
    fill(path, 6, rolled_after=(1, 3))
    with Log(path) as log:
        log.write_recovery_mark()
    for suffix in (".log", ".index", ".timeindex"):
        log_file(path, 0, suffix).unlink()
    fake_reboot(path)
    with pytest.raises(CorruptRecordError, match="below offset 2"):
        Log(path)
    with Log(path, recovery="point_in_time") as log:
        assert read_values(log) == values_of(6)[2:]


@pytest.mark.parametrize("kept_bytes", [0, 10, 70, 100])
def test_a_sealed_segment_after_the_mark_may_be_short_after_a_crash(
    path: Path, kept_bytes: int
) -> None:
    """The later segment reached the disk, this one's bytes or size did not."""
    fill(path, 6, marked=1, rolled_after=(2,))
    size = batch_size(path)
    later = log_file(path, 3).read_bytes()
    os.truncate(log_file(path), size + kept_bytes)
    fake_reboot(path)
    with Log(path) as log:
        kept = read_values(log)
        assert kept == values_of(1 + kept_bytes // size)
        assert not log_file(path, 3).exists()
        assert later in quarantined(path)
        assert append_values(log, b"next") == len(kept)


def test_a_segment_that_is_active_again_has_no_checksum_of_before(path: Path) -> None:
    fill(path, 4, rolled_after=(1,))
    with Log(path) as log:
        log.roll()
        assert log.seal_checksums() == 2
    for suffix in (".log", ".index", ".timeindex"):
        log_file(path, 4, suffix).unlink()
    fake_reboot(path)
    with Log(path, recovery="point_in_time") as log:
        append_values(log, b"4")
        assert not log_file(path, 2, ".sum").exists()
        assert log_file(path, 0, ".sum").exists()


# ---- indexes, marks ----


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "short", "long"])
def test_indexes_after_the_mark_are_made_anew(path: Path, damage: str) -> None:
    fill(path, 30, rolled_after=(9, 19))
    before = {file.name: file.read_bytes() for file in path.glob("*index")}
    (path / ".recovery").unlink()
    for file in path.glob("*index"):
        if damage == "missing":
            file.unlink()
        else:
            data = file.read_bytes()
            changed = {"empty": b"", "garbage": b"\xff" * len(data), "short": data[:-5]}
            file.write_bytes(changed.get(damage, data + b"\0" * 100))
    fake_reboot(path)
    with Log(path, LogConfig(index_interval_bytes=0)) as log:
        assert read_values(log) == values_of(30)
    assert {file.name: file.read_bytes() for file in path.glob("*index")} == before


def test_the_scan_begins_at_the_mark(path: Path) -> None:
    fill(path, 100, marked=90)
    size = log_file(path).stat().st_size
    fake_reboot(path)
    with Log(path, LogConfig(index_interval_bytes=0)) as log:
        assert log.recovered is not None
        assert 0 < log.recovered.scanned_bytes < size // 5
        assert read_values(log) == values_of(100)
    assert len(OffsetIndex(str(log_file(path, 0, ".index")), 0).entries()) == 99
    assert len(TimeIndex(str(log_file(path, 0, ".timeindex")), 0).entries()) == 99


@pytest.mark.parametrize("garbage", [b"", b"\0" * 1024, b"\xff" * 1024, b"pylogrec" * 128])
def test_without_a_mark_all_is_scanned(path: Path, garbage: bytes) -> None:
    fill(path, 10, marked=8, rolled_after=(3,))
    (path / ".recovery").write_bytes(garbage)
    fake_reboot(path)
    with Log(path) as log:
        assert read_values(log) == values_of(10)
    assert recovery_mark.read(str(path)) is not None


def test_offsets_are_not_used_again_when_all_segments_are_gone(path: Path) -> None:
    fill(path, 5, rolled_after=(4,))
    with Log(path) as log:
        log.delete_records(-1)
    for file in path.glob("0*"):
        file.unlink()
    fake_reboot(path)
    with Log(path) as log:
        assert (log.log_start_offset, log.log_end_offset) == (5, 5)
        assert append_values(log, b"next") == 5


def test_an_unknown_mode_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="strict"):
        Log(path, recovery="skip")
    assert not path.exists()


# ---- cut_tail on a full disk ----


def limit_file_size(size: int):  # type: ignore[no-untyped-def]
    import contextlib
    import resource

    @contextlib.contextmanager
    def limited():  # type: ignore[no-untyped-def]
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return limited()


def test_without_room_a_tail_is_cut_only_if_it_may_be_lost(tmp_path: Path) -> None:
    file, target = tmp_path / "file", tmp_path / "quarantine/tail"
    file.write_bytes(b"kept" + b"tail")
    with limit_file_size(2):
        with pytest.raises(DiskFullError):
            recovery.cut_tail(str(file), 4, str(target))
        assert file.read_bytes() == b"kepttail"
        assert not target.exists()
        assert recovery.cut_tail(str(file), 4, str(target), may_drop=True) == 0
    assert file.read_bytes() == b"kept"
    assert not target.exists()


def test_a_tail_is_kept_to_the_byte(tmp_path: Path) -> None:
    file, target = tmp_path / "file", tmp_path / "quarantine/tail"
    file.write_bytes(b"kept" + b"\0tail\0" * 500_000)
    assert recovery.cut_tail(str(file), 4, str(target)) == 3_000_000
    assert target.read_bytes() == b"\0tail\0" * 500_000
    assert recovery.cut_tail(str(file), 4, str(target)) == 0
