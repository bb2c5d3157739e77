"""Log: append, roll, retention, deletion, times, read-only opens, closed handles, threads."""

import errno
import os
import resource
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_files import (
    TIME_MS,
    append_values,
    end_program,
    fake_reboot,
    log_file,
    make_batch,
    read_line,
    read_values,
    start_program,
    with_header,
)

from logcore import codecs
from logcore.batch import BatchBuilder, iter_batches
from logcore.config import LogConfig
from logcore.errors import (
    InvalidRecordError,
    LogClosedError,
    LogIOError,
    OffsetMismatchError,
    OffsetOutOfRangeError,
    ReadOnlyError,
    RecordTooLargeError,
    UnsupportedFormatError,
)
from logcore.index import OffsetIndex, TimeIndex
from logcore.log import Log

SMALL = LogConfig(segment_bytes=1 << 20, index_interval_bytes=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


def bases(path: Path) -> list[int]:
    return sorted(int(file.stem) for file in path.glob("*.log"))


# ---- append ----


def test_offsets_rise_by_the_records_of_a_batch(path: Path) -> None:
    with Log(path) as log:
        assert (log.log_start_offset, log.log_end_offset, log.leader_epoch) == (0, 0, 0)
        assert append_values(log, b"a", b"b", b"c") == 0
        assert append_values(log, b"d") == 3
        assert log.log_end_offset == log.high_watermark == 4
        assert read_values(log) == [b"a", b"b", b"c", b"d"]
        assert log.size_bytes == log_file(path).stat().st_size
    with Log(path) as log:
        assert append_values(log, b"e") == 4


def test_the_file_holds_the_batches_with_offset_and_epoch_filled_in(path: Path) -> None:
    batch = make_batch([b"a", b"b"])
    with Log(path) as log:
        log.append(batch)
        log.append(batch)
        held = log_file(path).read_bytes()
    zero = (0).to_bytes(4, "big")
    assert held == b"".join(
        base.to_bytes(8, "big") + batch[8:12] + zero + batch[16:] for base in (0, 2)
    )


def test_what_was_given_is_not_changed(path: Path) -> None:
    batch = bytearray(make_batch([b"a"]))
    before = bytes(batch)
    with Log(path, LogConfig(message_timestamp_type="LogAppendTime")) as log:
        append_values(log, b"x")
        log.append(batch)
        log.append(memoryview(batch))
    assert batch == before


@pytest.mark.parametrize("bad", [None, 1, "text", ["a"], memoryview(b"abcd")[::2]])
def test_what_is_not_bytes_like_is_refused(path: Path, bad: object) -> None:
    with Log(path) as log, pytest.raises((TypeError, BufferError)):
        log.append(bad)  # type: ignore[arg-type]


def bad_batches() -> dict[str, bytes]:
    good = make_batch([b"one", b"two"])
    zipped = make_batch([b"one", b"two"], codec=codecs.GZIP)
    return {
        "empty": b"",
        "header only": good[:61],
        "cut": good[:-1],
        "two batches": good + good,
        "a byte behind": good + b"\0",
        "crc": good[:-1] + bytes([good[-1] ^ 1]),
        "fewer records": with_header(good, record_count=1, last_offset_delta=0),
        "gap": with_header(good, last_offset_delta=2),
        "more records": with_header(zipped, record_count=3, last_offset_delta=2),
        "no record": with_header(good[:61], batch_length=49, record_count=0, last_offset_delta=0),
        "control": with_header(good, attributes=0x20),
        "delete horizon": with_header(good, attributes=0x40),
        "unused bit": with_header(good, attributes=0x80),
        "codec": with_header(good, attributes=5),
        "garbage records": with_header(good[:61] + b"\xff" * (len(good) - 61)),
        "garbage compressed": with_header(zipped[:61] + b"\xff" * (len(zipped) - 61)),
        "producer without sequence": with_header(good, producer_id=5, producer_epoch=0),
        "deltas": with_header(good.replace(b"\x02\x01\x06two", b"\x04\x01\x06two")),
        "bomb": bomb(zipped),
    }


def bomb(batch: bytes) -> bytes:
    packed = codecs.compress(codecs.GZIP, bytes(65 << 20))
    return with_header(batch[:61] + packed, batch_length=49 + len(packed))


@pytest.mark.parametrize("name", sorted(bad_batches()))
def test_a_batch_that_no_reader_could_read_is_not_appended(path: Path, name: str) -> None:
    with Log(path) as log:
        with pytest.raises(InvalidRecordError):
            log.append(bad_batches()[name])
        assert log.log_end_offset == 0
        append_values(log, b"good")
        assert read_values(log) == [b"good"]


def test_a_batch_over_max_message_bytes_is_not_appended(path: Path) -> None:
    batch = make_batch([b"x" * 1000])
    with Log(path, LogConfig(max_message_bytes=len(batch))) as log:
        log.append(batch)
        with pytest.raises(RecordTooLargeError):
            append_values(log, b"x" * 1001)
        assert log.log_end_offset == 1


def test_an_append_at_an_expected_offset_wins_once(path: Path) -> None:
    with Log(path) as log, Log(path) as other:
        assert log.append(make_batch([b"a"]), expected_offset=0) == 0
        with pytest.raises(OffsetMismatchError) as caught:
            other.append(make_batch([b"b"]), expected_offset=0)
        assert (caught.value.expected_offset, caught.value.log_end_offset) == (0, 1)
        assert other.append(make_batch([b"b"]), expected_offset=1) == 1
        assert read_values(log) == [b"a", b"b"]


@pytest.mark.parametrize("codec", sorted(codecs.CODEC_NAMES))
def test_log_append_time_overrides_the_clients(path: Path, codec: int) -> None:
    with Log(path, LogConfig(message_timestamp_type="LogAppendTime")) as log:
        log.append(make_batch([b"a", b"b"], timestamp_ms=5, codec=codec))
        (batch,) = iter_batches(log.read(0, 1 << 20))
        times = {record.timestamp_ms for record in log.reader(0)}
        assert batch.is_log_append_time
        assert times == {batch.max_timestamp_ms}
        assert times.pop() > TIME_MS


# ---- roll ----


def test_a_full_segment_is_rolled(path: Path) -> None:
    batch = make_batch([b"x" * 300_000])
    with Log(path, SMALL) as log:
        for _ in range(10):
            log.append(batch)
        assert bases(path) == [0, 3, 6, 9]
        assert all(file.stat().st_size <= 1 << 20 for file in path.glob("*.log"))
        assert [record.offset for record in log.reader(0)] == list(range(10))
        infos = log.segments()
        assert [info.base_offset for info in infos] == [0, 3, 6, 9]
        assert [info.next_offset for info in infos] == [3, 6, 9, 10]
        assert [info.is_active for info in infos] == [False, False, False, True]


def test_a_segment_is_rolled_by_the_time_of_its_records(path: Path) -> None:
    with Log(path, LogConfig(segment_ms=1000)) as log:
        for time_ms in (5000, 6000, 6001, 7001, 7002):
            log.append(make_batch([b"v"], timestamp_ms=time_ms))
        assert bases(path) == [0, 2, 4]


def test_a_segment_without_timestamps_is_rolled_by_the_clock(path: Path) -> None:
    with Log(path, LogConfig(segment_ms=1)) as log:
        while len(bases(path)) < 3:
            log.append(make_batch([b"v"], timestamp_ms=-1))
        assert [record.offset for record in log.reader(0)] == list(range(log.log_end_offset))


def test_a_segment_is_rolled_when_an_index_is_full(path: Path) -> None:
    with Log(path, LogConfig(segment_index_bytes=32, index_interval_bytes=0)) as log:
        for i in range(20):
            log.append(make_batch([b"v"], timestamp_ms=TIME_MS + i))
        assert len(bases(path)) > 4
        assert max(file.stat().st_size for file in path.glob("*.*index")) <= 32
        assert [record.offset for record in log.reader(0)] == list(range(20))


def test_a_segment_is_rolled_before_its_offsets_pass_31_bits(path: Path) -> None:
    path.mkdir()
    last = make_batch([b"v"] * 3)
    start = (2**31 - 4).to_bytes(8, "big")
    log_file(path).write_bytes(start + last[8:])
    with Log(path, LogConfig(cleanup_policy="compact")) as log:
        assert log.log_end_offset == 2**31 - 1
        append_values(log, b"last of the segment")
        append_values(log, b"next")
        assert bases(path) == [0, 2**31]
        assert read_values(log, 2**31 - 1) == [b"last of the segment", b"next"]


def test_a_roll_seals_with_the_largest_timestamp(path: Path) -> None:
    with Log(path) as log:
        log.append(make_batch([b"v"], timestamp_ms=9))
        log.append(make_batch([b"v"], timestamp_ms=7))
        assert log.roll() == 2
        assert log.roll() == 2  # nothing to seal
        index = TimeIndex(str(log_file(path, 0, ".timeindex")), 0)
        assert index.entries() == [(9, 0)]


def test_a_roll_that_fails_leaves_no_segment_behind(path: Path) -> None:
    """The leftover of a failed roll would stand for a segment once the log has grown past it."""
    with Log(path) as log:
        append_values(log, b"one")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        log.append(make_batch([b"x"]))
        used = max(map(int, os.listdir("/proc/self/fd")))
        fillers = []
        while len(os.listdir("/proc/self/fd")) <= used + 1:
            fillers.append(os.open("/dev/null", os.O_RDONLY))
        # No number below is free now, whatever this process was started with; these are to close.
        fillers += [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
        try:
            # The active files are closed for the roll; then one may be opened, and no second.
            top = max(map(int, os.listdir("/proc/self/fd")))
            resource.setrlimit(resource.RLIMIT_NOFILE, (top, limits[1]))
            for _ in range(3):
                os.close(fillers.pop())
            failed = 0
            for _room in range(3):
                try:
                    log.roll()
                except LogIOError as error:
                    assert error.errno == errno.EMFILE
                    failed += 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for fd in fillers:
                os.close(fd)
        append_values(log, b"two")
        append_values(log, b"three")
        log.roll()
        append_values(log, b"four")
        assert read_values(log)[-3:] == [b"two", b"three", b"four"]


def test_the_leftover_of_a_killed_roll_is_no_segment(path: Path) -> None:
    code = """
import mmap, os, struct, sys
from logcore.log import Log
log = Log(sys.argv[1])
with open(sys.argv[1] + "/.state", "r+b") as file:
    page = mmap.mmap(file.fileno(), 16384)
struct.pack_into("<Q", page, 0x40, 1 << 32 | 2)
for suffix in ("log", "index", "timeindex"):
    open(f"{sys.argv[1]}/{log.log_end_offset:020}.{suffix}", "w").close()
print("held", flush=True)
sys.stdin.readline()
"""
    with Log(path) as log:
        append_values(log, b"one")
        program = start_program(code, path)
        assert read_line(program) == "held"
        end_program(program)
        append_values(log, b"two")
        append_values(log, b"three")
        log.roll()
        append_values(log, b"four")
        assert bases(path) == [0, 3]
        assert read_values(log) == [b"one", b"two", b"three", b"four"]
        assert [info.next_offset for info in log.segments()] == [3, 4]


def test_the_tail_of_a_killed_writer_is_cut_before_the_next_append(path: Path) -> None:
    code = """
import mmap, os, struct, sys
from logcore.log import Log
log = Log(sys.argv[1])
with open(sys.argv[1] + "/.state", "r+b") as file:
    page = mmap.mmap(file.fileno(), 16384)
struct.pack_into("<Q", page, 0x40, 1 << 32 | 2)
for suffix in ("log", "index", "timeindex"):
    with open(f"{sys.argv[1]}/{0:020}.{suffix}", "ab") as file:
        file.write(b"half a batch" * 50)
print("held", flush=True)
sys.stdin.readline()
"""
    with Log(path) as log:
        append_values(log, b"one")
        program = start_program(code, path)
        assert read_line(program) == "held"
        end_program(program)
        append_values(log, b"two")
        assert log_file(path).stat().st_size == log.size_bytes
        assert b"half" not in log_file(path).read_bytes()
        assert log_file(path, 0, ".index").stat().st_size == 0


# ---- read, times ----


def test_reading_outside_the_log_is_out_of_range(path: Path) -> None:
    with Log(path) as log:
        append_values(log, b"a")
        assert log.read(1, 100) == b""
        for offset in (-1, 2, 2**62):
            for read in (log.reader, lambda at: log.read(at, 100), log.read_columns):
                with pytest.raises(OffsetOutOfRangeError):
                    read(offset)


def test_read_gives_whole_batches_and_at_least_one(path: Path) -> None:
    with Log(path) as log:
        for i in range(5):
            append_values(log, b"%d" % i, b"x" * 100)
        size = log.size_bytes // 5
        assert [len(log.read(offset, 1)) for offset in range(10)] == [size] * 10
        assert len(log.read(2, 3 * size + size // 2)) == 3 * size
        assert len(log.read(0, 1 << 20)) == 5 * size


TIMES = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=3), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(batches=TIMES, rolls=st.sets(st.integers(0, 11)), is_recovered=st.booleans())
def test_an_offset_for_a_time_is_that_of_the_first_record_at_or_after_it(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[int]],
    rolls: set[int],
    is_recovered: bool,
) -> None:
    path = tmp_path_factory.mktemp("times") / "p"
    config = LogConfig(index_interval_bytes=0)
    times: list[int] = []
    with Log(path, config) as log:
        for number, batch in enumerate(batches):
            builder = BatchBuilder()
            for time_ms in batch:
                builder.append(time_ms, None, b"v")
            log.append(builder.build())
            times += batch
            if number in rolls:
                log.roll()
    if is_recovered:
        for index in path.glob("*index"):
            index.unlink()
        (path / ".recovery").unlink(missing_ok=True)
        fake_reboot(path)
    with Log(path, config) as log:
        for wanted in (0, 1, 10, 25, 49, 50, 51):
            first = next(((i, t) for i, t in enumerate(times) if t >= wanted), None)
            assert log.offset_for_timestamp(wanted) == first


def test_a_time_is_found_where_the_time_index_was_lost(path: Path) -> None:
    with Log(path) as log:
        log.append(make_batch([b"v"], timestamp_ms=1 << 45))  # after now: after any mtime
        log.roll()
        log_file(path, 0, ".timeindex").unlink()
        assert log.offset_for_timestamp(1 << 44) == (0, 1 << 45)


# ---- shorten ----


def rolled_log(path: Path, **configs: object) -> Log:
    """Ten segments of one record each, of the times 0, 1000, ..., and an empty active one."""
    log = Log(path, LogConfig(**configs))  # type: ignore[arg-type]
    for i in range(10):
        log.append(make_batch([b"%d" % i], timestamp_ms=1000 * (i + 1)))
        log.roll()
    return log


def test_old_segments_go_by_time(path: Path) -> None:
    with rolled_log(path, retention_ms=3000) as log:
        gone = log.apply_retention(now_ms=8500)
        assert [info.base_offset for info in gone] == [0, 1, 2, 3, 4]
        assert bases(path) == [5, 6, 7, 8, 9, 10]
        assert log.log_start_offset == 5
        assert read_values(log) == [b"5", b"6", b"7", b"8", b"9"]
    assert not list(path.glob("0" * 20 + ".*"))


def test_old_segments_go_by_size(path: Path) -> None:
    with rolled_log(path, retention_ms=-1) as log:
        size = log.size_bytes // 10
    with Log(path, LogConfig(retention_ms=-1, retention_bytes=3 * size)) as log:
        log.apply_retention()
        assert bases(path) == [7, 8, 9, 10]


def test_when_all_has_expired_an_empty_segment_is_left(path: Path) -> None:
    with Log(path, LogConfig(retention_ms=1)) as log:
        append_values(log, b"a", b"b")
        assert len(log.apply_retention(now_ms=TIME_MS + 10)) == 1
        assert (bases(path), log.log_start_offset, log.log_end_offset) == ([2], 2, 2)
        assert log.apply_retention(now_ms=TIME_MS + 10) == []
        assert append_values(log, b"c") == 2
    fake_reboot(path)
    with Log(path) as log:
        assert (log.log_start_offset, read_values(log)) == (2, [b"c"])


def test_a_compacted_log_loses_nothing_by_retention(path: Path) -> None:
    with rolled_log(path, retention_ms=1, cleanup_policy="compact") as log:
        assert log.apply_retention(now_ms=1 << 50) == []
        assert log.log_start_offset == 0


@pytest.mark.parametrize("crash", ["none", "process", "machine"])
def test_deleted_records_stay_deleted(path: Path, crash: str) -> None:
    with rolled_log(path) as log:
        assert log.delete_records(4) == 4
        assert bases(path)[0] == 4
        assert log.delete_records(2) == 4
        with pytest.raises(OffsetOutOfRangeError):
            log.delete_records(11)
        with pytest.raises(OffsetOutOfRangeError):
            log.reader(3)
    if crash == "process":
        (path / ".state").unlink()
    if crash == "machine":
        fake_reboot(path)
    with Log(path) as log:
        assert log.log_start_offset == 4
        assert read_values(log) == [b"%d" % i for i in range(4, 10)]
        assert log.delete_records(-1) == 10
        assert read_values(log) == []


def test_records_deleted_within_a_batch_are_passed_over(path: Path) -> None:
    with Log(path) as log:
        append_values(log, b"a", b"b", b"c")
        log.delete_records(2)
        assert read_values(log) == [b"c"]
    fake_reboot(path)
    with Log(path) as log:
        assert read_values(log) == [b"c"]


def test_segments_below_a_raised_start_are_not_unlinked_before_the_mark_says_so(path: Path) -> None:
    """Else the mark speaks of files that are gone, and the next boot refuses the log."""
    with rolled_log(path, retention_ms=-1) as log:
        log.raise_log_start(5)  # and the process that wanted to delete was killed here
        log.apply_retention()
        assert bases(path)[0] == 5
    fake_reboot(path)
    with Log(path) as log:
        assert (log.log_start_offset, log.log_end_offset) == (5, 10)


def test_a_reader_goes_on_while_its_segment_is_deleted(path: Path) -> None:
    with rolled_log(path) as log:
        reader = log.reader(0)
        log.delete_records(8)
        assert next(reader).value == b"0"
        with pytest.raises(OffsetOutOfRangeError):
            list(reader)
        reader.seek(8)
        assert [record.value for record in reader] == [b"8", b"9"]


# ---- folders, read-only, closed ----


@pytest.mark.parametrize("named", [{}, {"create": False}, {"read_only": True}])
def test_a_folder_that_is_not_ours_is_left_alone(path: Path, named: dict[str, bool]) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    with pytest.raises(UnsupportedFormatError, match="notes.txt"):
        Log(path, **named)
    assert os.listdir(path) == ["notes.txt"]


@pytest.mark.parametrize("named", [{"create": False}, {"read_only": True}])
@pytest.mark.parametrize("is_there", [False, True])
def test_no_partition_is_made_unasked(path: Path, named: dict[str, bool], is_there: bool) -> None:
    if is_there:
        path.mkdir()
    with pytest.raises(FileNotFoundError):
        Log(path, **named)
    assert path.exists() == is_there
    assert not is_there or os.listdir(path) == []


def test_a_file_is_no_partition(path: Path) -> None:
    path.write_text("")
    with pytest.raises(UnsupportedFormatError):
        Log(path)


def test_a_read_only_handle_reads_and_writes_nothing(path: Path) -> None:
    with Log(path) as log:
        append_values(log, b"a")
        log.roll()
        append_values(log, b"b")
        with Log(path, read_only=True) as watcher:
            assert read_values(watcher) == [b"a", b"b"]
            for write in (
                lambda: append_values(watcher, b"c"),
                watcher.roll,
                watcher.apply_retention,
                watcher.seal_checksums,
                watcher.mark_deleted,
                lambda: watcher.delete_records(1),
                lambda: watcher.raise_log_start(1),
            ):
                with pytest.raises(ReadOnlyError):
                    write()
            append_values(log, b"c")
            assert watcher.wait(2, 5)
            assert watcher.log_end_offset == 3
            assert watcher.flush() == log.durable_offset
            assert not watcher.try_maintenance()


READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
if touch "$1/x" 2>/dev/null; then echo still writable; exit 3; fi
exec "$2" -c '
import sys
from logcore.log import Log
from logcore.errors import LogError
with Log(sys.argv[1], read_only=True) as log:
    print([record.value for record in log.reader(0)], log.size_bytes, log.segments() != [])
try:
    Log(sys.argv[1])
except LogError as error:
    print(type(error).__name__)
' "$1"
"""


@pytest.mark.parametrize("is_of_this_boot", [True, False])
def test_a_log_on_a_read_only_file_system_is_read(path: Path, is_of_this_boot: bool) -> None:
    import subprocess
    import sys

    with Log(path) as log:
        append_values(log, b"a")
        log.roll()
        append_values(log, b"b")
        size = log.size_bytes
    if not is_of_this_boot:
        fake_reboot(path)
    unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-Urm"]
    done = subprocess.run(
        [*unshare, "sh", "-c", READ_ONLY, "sh", str(path), sys.executable],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [f"[b'a', b'b'] {size} True", "LogIOError"], done.stderr


def test_a_closed_log_says_so(path: Path) -> None:
    log = Log(path)
    append_values(log, b"a")
    reader = log.reader(0)
    log.close()
    log.close()
    assert log.is_closed
    for use in (
        lambda: append_values(log, b"b"),
        log.flush,
        log.roll,
        log.segments,
        log.commit,
        log.apply_retention,
        log.write_recovery_mark,
        log.seal_checksums,
        log.try_maintenance,
        log.mark_deleted,
        lambda: log.log_end_offset,
        lambda: log.durable_offset,
        lambda: log.reader(0),
        lambda: log.read(0, 1),
        lambda: log.read_columns(0),
        lambda: log.wait(0, 1),
        lambda: log.delete_records(0),
        lambda: log.offset_for_timestamp(0),
    ):
        with pytest.raises(LogClosedError):
            use()
    with pytest.raises(LogClosedError):
        list(reader)


def test_a_deleted_partition_takes_no_more(path: Path) -> None:
    with Log(path) as log, Log(path) as other:
        append_values(log, b"a")
        log.mark_deleted()
        for each in (log, other):
            for use in (lambda each=each: append_values(each, b"b"), each.flush, each.roll):
                with pytest.raises(LogClosedError):
                    use()


def test_nothing_is_left_open(path: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = open_files()
    for _ in range(3):
        with rolled_log(path) as log:
            log.flush()
            read_values(log)
            log.read_columns(0)
            log.write_recovery_mark()
        shutil.rmtree(path)
    del log
    assert open_files() == before


# ---- many ----


def test_threads_append_flush_and_read_one_handle(path: Path) -> None:
    config = LogConfig(segment_bytes=1 << 20, segment_index_bytes=400)
    acknowledged: list[tuple[int, bytes]] = []
    failures: list[BaseException] = []

    with Log(path, config) as log:

        def work(number: int) -> None:
            try:
                for i in range(150):
                    value = b"%d:%d" % (number, i)
                    offset = append_values(log, value)
                    if i % 10 == 0:
                        assert log.flush() > offset
                    acknowledged.append((offset, value))
                    assert next(log.reader(offset)).value == value
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        held = [(record.offset, record.value) for record in log.reader(0)]
        assert held == sorted(acknowledged)
        assert len(held) == 600


def test_a_process_follows_another(path: Path) -> None:
    code = """
import sys
from logcore.log import Log
with Log(sys.argv[1], read_only=len(sys.argv) > 2) as log:
    print("ready", flush=True)
    reader = log.reader(0)
    total = 0
    while total < 500:
        assert log.wait(reader.next_offset, 60)
        total += sum(1 for record in reader)
    print(total, flush=True)
"""
    with Log(path, SMALL) as log:
        programs = [start_program(code, path), start_program(code, path, "read-only")]
        try:
            assert [read_line(program) for program in programs] == ["ready"] * 2
            for i in range(500):
                append_values(log, b"%d" % i)
                if i % 100 == 99:
                    log.roll()
            assert [read_line(program) for program in programs] == ["500"] * 2
        finally:
            for program in programs:
                end_program(program)


def test_indexes_point_at_batches(path: Path) -> None:
    with Log(path, LogConfig(index_interval_bytes=300)) as log:
        for i in range(50):
            append_values(log, b"x" * 100, b"%d" % i)
        entries = OffsetIndex(str(log_file(path, 0, ".index")), 0).entries()
        data = log_file(path).read_bytes()
        starts = {}
        position = 0
        for batch in iter_batches(data):
            starts[batch.last_offset] = position
            position += batch.size_bytes
        assert len(entries) > 5
        assert all(starts[offset] == at for offset, at in entries)
        for offset in range(100):
            assert next(log.reader(offset)).offset == offset


def test_segments_are_not_deleted_while_another_handle_keeps_the_partition(path: Path) -> None:
    """A compaction that swaps segments gives their names to other ones."""
    config = LogConfig.from_properties({"retention.ms": "-1"})
    with Log(path, config) as log, Log(path, config) as keeper:
        append_values(log, b"one")
        log.roll()
        append_values(log, b"two")
        assert keeper.try_maintenance()
        assert log.delete_records(1) == 1
        assert log_file(path).exists()
        keeper.end_maintenance()
        log.apply_retention()
        assert not log_file(path).exists()
        assert read_values(log) == [b"two"]
