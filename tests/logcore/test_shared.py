"""The shared page among processes: slots, the writer lock, who may take it, and forks."""

import contextlib
import os
import signal
import struct
import sys
import threading
import time
from pathlib import Path

import pytest
from partition_files import (
    append_values,
    end_program,
    make_batch,
    read_line,
    read_values,
    start_program,
)

from logcore.errors import (
    LockTimeoutError,
    LogClosedError,
    LogError,
    LogIOError,
    UnsupportedFormatError,
)
from logcore.log import Log
from logcore.shared import COMMIT_FIELDS, SharedState, WakeWord, boot_id

# Places in the page, as drawn at the head of c/shared.h.
VERSION, BYTE_ORDER, BOOT_ID, PHASE, LOCK = 0x08, 0x0C, 0x10, 0x30, 0x40
SLOT_GENERATIONS = 0x400

# A process that appends, then takes the writer lock by hand and keeps it.
HOLD_LOCK = """
import mmap, struct, sys
from logcore.log import Log
log = Log(sys.argv[1])
with open(sys.argv[1] + "/.state", "r+b") as file:
    page = mmap.mmap(file.fileno(), 16384)
slot = int(sys.argv[2])
generation = struct.unpack_from("<I", page, 0x400 + 4 * slot)[0]
struct.pack_into("<Q", page, 0x40, generation << 32 | slot + 1)
print("held", flush=True)
sys.stdin.readline()
"""


def word(path: Path, position: int, form: str = "<I") -> int:
    with open(path / ".state", "rb") as file:
        file.seek(position)
        return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])


def put_word(path: Path, position: int, data: bytes) -> None:
    with open(path / ".state", "r+b") as file:
        file.seek(position)
        file.write(data)


def hold_lock(path: Path, slot: int) -> object:
    program = start_program(HOLD_LOCK, path, slot)
    assert read_line(program) == "held"
    return program


def test_the_page_says_what_it_is(tmp_path: Path) -> None:
    with Log(tmp_path / "p") as log:
        append_values(log, b"one")
        data = (tmp_path / "p/.state").read_bytes()
    assert len(data) == 16384
    assert data[:8] == b"pylogst\0"
    assert struct.unpack_from("<II", data, VERSION) == (2, 0x01020304)
    assert data[BOOT_ID : BOOT_ID + 16] == boot_id()
    info = (tmp_path / "p/.state").stat()
    assert struct.unpack_from("<QQ", data, 0x20) == (info.st_dev, info.st_ino)
    assert struct.unpack_from("<I", data, PHASE) == (2,)
    assert len(COMMIT_FIELDS) == 17


def test_each_handle_has_a_slot_and_a_reused_one_has_a_new_generation(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path), Log(path), Log(path):
        assert [word(path, SLOT_GENERATIONS + 4 * slot) for slot in range(4)] == [1, 1, 1, 0]
    for generation in range(2, 5):
        with Log(path):
            assert word(path, SLOT_GENERATIONS) == generation
    assert word(path, SLOT_GENERATIONS + 4) == 1


def test_a_lock_is_taken_from_a_killed_owner(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        owner = hold_lock(path, 1)
        end_program(owner)
        assert append_values(log, b"one") == 0
        assert word(path, LOCK, "<Q") == 0


def test_a_lock_is_not_taken_from_a_stopped_owner(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path, lock_timeout_ms=300) as log:
        owner = hold_lock(path, 1)
        os.kill(owner.pid, signal.SIGSTOP)
        try:
            for _ in range(2):
                with pytest.raises(LockTimeoutError) as caught:
                    append_values(log, b"one")
                assert caught.value.pid == owner.pid
                assert caught.value.seconds == pytest.approx(0.3)
            with pytest.raises(LockTimeoutError):
                log.roll()
            assert log.log_end_offset == 0
            assert (path / f"{0:020}.log").stat().st_size == 0
        finally:
            end_program(owner)
        assert append_values(log, b"one") == 0  # a dead one's is


def test_a_lock_of_a_slot_in_new_hands_is_free_to_take(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        owner = hold_lock(path, 1)
        end_program(owner)
        with Log(path):  # takes slot 1, alive, and does not hold the lock
            assert word(path, SLOT_GENERATIONS + 4) == 2
            assert append_values(log, b"one") == 0


def test_a_lock_is_taken_from_a_killed_owner_under_a_timer_signal(tmp_path: Path) -> None:
    """A profiler's signal ends each wait before its timeout."""
    path = tmp_path / "p"
    previous = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        with Log(path, lock_timeout_ms=3000) as log:
            end_program(hold_lock(path, 1))
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            assert append_values(log, b"one") == 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_a_flush_is_taken_over_from_a_killed_leader(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        append_values(log, b"one")
        owner = hold_lock(path, 1)
        put_word(path, 0x280, struct.pack("<Q", word(path, LOCK, "<Q")))
        end_program(owner)
        assert log.flush() == 1


def test_ctrl_c_ends_the_wait_for_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        owner = hold_lock(path, 1)
        try:
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                append_values(log, b"one")
            timer.join()
        finally:
            end_program(owner)
        assert append_values(log, b"one") == 0


def test_a_wait_for_the_lock_ends_when_the_handle_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "p"
    log = Log(path)
    owner = hold_lock(path, 1)
    try:
        timer = threading.Timer(0.1, log.close)
        timer.start()
        for use in (lambda: append_values(log, b"one"),):
            with pytest.raises(LogClosedError):
                use()
        timer.join()
    finally:
        end_program(owner)


def test_a_wait_for_records_ends_when_the_handle_is_closed(tmp_path: Path) -> None:
    log = Log(tmp_path / "p")
    timer = threading.Timer(0.1, log.close)
    timer.start()
    started = time.monotonic()
    with pytest.raises(LogClosedError):
        log.wait(0, 30)
    assert time.monotonic() - started < 10
    timer.join()


def test_another_version_that_is_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        append_values(log, b"one")
        put_word(path, VERSION, struct.pack("<I", 3))
        with pytest.raises(UnsupportedFormatError, match="version 3"):
            Log(path)
        put_word(path, VERSION, struct.pack("<I", 2))
        put_word(path, 0, b"foreign\0")
        with pytest.raises(UnsupportedFormatError):
            Log(path)
        put_word(path, 0, b"pylogst\0")
        with Log(path) as other:
            assert read_values(other) == [b"one"]


@pytest.mark.parametrize(
    ("position", "data"),
    [(VERSION, b"\3"), (BYTE_ORDER, b"\1\2\3\4"), (0, b"garbage!"), (0, bytes(16384))],
)
def test_a_page_that_nobody_uses_is_made_anew(tmp_path: Path, position: int, data: bytes) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        append_values(log, b"one")
    put_word(path, position, data)
    with Log(path) as log:
        assert log.recovered is not None
        assert read_values(log) == [b"one"]


@pytest.mark.parametrize("size", [0, 1, 4096, 16383])
def test_a_short_page_is_made_anew(tmp_path: Path, size: int) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        append_values(log, b"one")
    os.truncate(path / ".state", size)
    with Log(path) as log:
        assert read_values(log) == [b"one"]


def test_a_copied_folder_has_a_page_of_its_own(tmp_path: Path) -> None:
    path, copy = tmp_path / "p", tmp_path / "copy"
    with Log(path) as log:
        append_values(log, b"one")
        os.system(f"cp -a {path} {copy}")
        append_values(log, b"two")
        with Log(copy) as other:
            assert other.recovered is not None
            append_values(other, b"three")
            assert read_values(other) == [b"one", b"three"]
        assert read_values(log) == [b"one", b"two"]


def test_every_flipped_bit_of_the_commit_records_is_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        append_values(log, b"one")
        append_values(log, b"two")
    page = (path / ".state").read_bytes()
    for bit in range(0x100 * 8, 0x280 * 8, 7):
        flipped = bytearray(page)
        flipped[bit // 8] ^= 1 << bit % 8
        (path / ".state").write_bytes(flipped)
        with Log(path) as log:
            assert read_values(log) == [b"one", b"two"]


def test_a_child_may_append_and_its_parent_too(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        append_values(log, b"parent")
        reader = log.reader(0)
        assert next(reader).value == b"parent"
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                append_values(log, b"child")
                log.flush()
                status = 0 if next(reader).value == b"child" else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        append_values(log, b"parent")
        assert read_values(log) == [b"parent", b"child", b"parent"]
        assert word(path, SLOT_GENERATIONS + 4) == 1  # the child's own slot


FORKING_OWNER = """
import mmap, os, struct, sys, time
from logcore.log import Log
log = Log(sys.argv[1])
with open(sys.argv[1] + "/.state", "r+b") as file:
    page = mmap.mmap(file.fileno(), 16384)
struct.pack_into("<Q", page, 0x40, 1 << 32 | 2)
pid = os.fork()
if pid == 0:
    time.sleep(60)
    os._exit(0)
print(pid, flush=True)
sys.stdin.readline()
"""


def test_a_living_child_does_not_keep_its_killed_parents_lock(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path, lock_timeout_ms=5000) as log:
        owner = start_program(FORKING_OWNER, path)
        child = int(read_line(owner))
        try:
            owner.kill()
            owner.wait()
            assert append_values(log, b"one") == 0
            os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)
            owner.communicate()


def test_a_forked_child_that_cannot_open_says_so_each_time(tmp_path: Path) -> None:
    path = tmp_path / "p"
    log = Log(path)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.rename(path, tmp_path / "gone")
            for _ in range(2):
                try:
                    log.log_end_offset  # noqa: B018
                except LogIOError:
                    status = 0
                else:
                    status = 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    log.close()


def test_programs_that_make_a_partition_at_once_agree(tmp_path: Path) -> None:
    code = """
import sys
from logcore.log import Log
from logcore.batch import BatchBuilder
print("ready", flush=True)
sys.stdin.readline()
for i in range(20):
    with Log(f"{sys.argv[1]}/p{i}") as log:
        builder = BatchBuilder()
        builder.append(0, None, b"v")
        log.append(builder.build())
"""
    programs = [start_program(code, tmp_path) for _ in range(4)]
    try:
        for program in programs:
            assert read_line(program) == "ready"
        for program in programs:
            program.stdin.write("\n")
            program.stdin.flush()
        assert [program.wait(60) for program in programs] == [0] * 4
        for i in range(20):
            with Log(tmp_path / f"p{i}") as log:
                assert read_values(log) == [b"v"] * 4
    finally:
        for program in programs:
            end_program(program)


def test_closing_while_others_append_harms_neither_the_log_nor_other_files(tmp_path: Path) -> None:
    """A descriptor that a close frees is at once another file's: no append may land there."""
    batch = make_batch([b"x" * 2000])
    acknowledged: list[int] = []
    stop = threading.Event()
    current = [Log(tmp_path / "p")]

    def append() -> None:
        while not stop.is_set():
            with contextlib.suppress(LogClosedError):
                acknowledged.append(current[0].append(batch))

    threads = [threading.Thread(target=append) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        bystanders = []
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            current[0].close()
            for _ in range(6):  # takes the numbers that were just freed
                name = tmp_path / f"bystander{len(bystanders)}"
                bystanders.append(open(name, "w+b"))  # noqa: SIM115
            current[0] = Log(tmp_path / "p")
            for file in bystanders:
                assert os.fstat(file.fileno()).st_size == 0
                file.close()
                os.unlink(file.name)
            bystanders.clear()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
        current[0].close()
    with Log(tmp_path / "p") as log:
        offsets = [record.offset for record in log.reader(0)]
    assert sorted(acknowledged) == offsets == list(range(len(offsets)))


def test_the_page_of_a_closed_handle_is_not_looked_at(tmp_path: Path) -> None:
    with Log(tmp_path / "p"):
        state = SharedState(str(tmp_path / "p/.state"))
        assert state.open_exclusive_or_shared() is False
        assert state.phase == 2
        state.close()
        state.close()
        for look in (state.commit, state.durable, lambda: state.phase, lambda: state.io_error):
            with pytest.raises(LogClosedError):
                look()


def test_all_slots_taken_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "p"
    logs = [Log(path) for _ in range(768)]
    try:
        with pytest.raises(LogError, match="slots"):
            Log(path)
    finally:
        for log in logs:
            log.close()
    with Log(path) as log:
        append_values(log, b"one")


def test_a_wake_word_rings_in_other_processes(tmp_path: Path) -> None:
    path = str(tmp_path / "bell")
    code = """
import sys
from logcore.shared import WakeWord
bell = WakeWord(sys.argv[1])
seen = bell.load()
print("ready", flush=True)
print(bell.wait(seen, 30), bell.load() - seen, flush=True)
"""
    bell = WakeWord(path)
    program = start_program(code, path)
    try:
        assert read_line(program) == "ready"
        with Log(tmp_path / "p", notify=bell) as log:
            append_values(log, b"one")
        assert read_line(program) == "True 1"
    finally:
        end_program(program)
    seen = bell.load()
    assert bell.wait(seen, 0.01) is False
    bell.ring()
    assert bell.wait(seen, 10) is True


def test_a_read_only_handle_sees_no_gap_while_the_page_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with Log(path) as log:
        append_values(log, b"one")
        watcher = Log(path, read_only=True)
    ends: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            ends.add(watcher.log_end_offset)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for _ in range(60):
            with open(path / f"{0:020}.index", "ab") as file:
                file.write(b"leftover")  # so that there is something to cut, and to publish
            Log(path).close()
    finally:
        stop.set()
        thread.join()
        watcher.close()
    assert ends == {1}
