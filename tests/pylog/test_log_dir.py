"""LogDir: a folder of topics that many processes open, change and die in."""

import contextlib
import gc
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import pytest

from logcore import partition_metadata
from logcore.batch import BatchBuilder
from logcore.errors import LogClosedError
from pylog.errors import KafkaError, KafkaException
from pylog.log_dir import LogDir

PREAMBLE = """
import os, resource, sys, time
from logcore.batch import BatchBuilder
from logcore.errors import LogError
from pylog.errors import KafkaError, KafkaException
from pylog.log_dir import LogDir
folder = sys.argv[1]
def batch(value=b"v"):
    builder = BatchBuilder()
    builder.append(1000, None, value)
    return builder.build()
def say(*words):
    print(*words, flush=True)
def hear():
    return sys.stdin.readline().strip()
"""


class Program:
    """A Python program in a process of its own, talked to by lines."""

    def __init__(self, code, folder, *arguments, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + code, str(folder), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            **options,
        )  # fmt: skip

    def hear(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return line.strip()

    def say(self, line=""):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        out, err = self.process.communicate(timeout=60)
        assert (self.process.returncode, err) == (0, "")
        return out.split()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.process.kill()
        self.process.communicate()


def run(code, folder, *arguments, **options):
    with Program(code, folder, *arguments, **options) as program:
        return program.end()


@pytest.fixture
def log_dir(tmp_path):
    with LogDir.open(tmp_path / "log") as opened:
        yield opened


def batch(value=b"v"):
    builder = BatchBuilder()
    builder.append(1000, None, value)
    return builder.build()


@contextlib.contextmanager
def refuses(code, text=""):
    with pytest.raises(KafkaException, match=text or None) as caught:
        yield
    assert caught.value.args[0].code() == code, caught.value


def visible(folder):
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


# ---- opening a folder ----


def test_a_process_shares_one_log_dir_and_the_last_close_counts(tmp_path):
    first = LogDir.open(tmp_path)
    second = LogDir.open(str(tmp_path) + "/.")
    assert second is first
    first.create_topic("t")
    log = first.partition("t", 0)
    first.close()
    assert not log.is_closed
    second.close()
    assert log.is_closed
    second.close()
    with refuses(KafkaError._STATE, "was closed"):
        first.partition("t", 0)
    third = LogDir.open(tmp_path)
    assert third is not first
    third.close()


def test_other_options_open_it_apart(tmp_path):
    with LogDir.open(tmp_path) as strict, LogDir.open(tmp_path, recovery="point_in_time") as other:
        assert strict is not other
        strict.create_topic("t")
        other.partition("t", 0).append(batch())
        assert strict.partition("t", 0).log_end_offset == 1


@pytest.mark.parametrize("path", ["", "a\0b", 5, None])
def test_a_path_that_is_none_is_refused(path):
    with refuses(KafkaError._INVALID_ARG):
        LogDir.open(path)


def test_an_unknown_recovery_mode_is_refused(tmp_path):
    with refuses(KafkaError._INVALID_ARG, "recovery"):
        LogDir.open(tmp_path, recovery="hope")


def test_a_folder_that_is_not_ours_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    with refuses(KafkaError.UNSUPPORTED_VERSION, r"not a pylog folder: it holds 'thesis.doc'"):
        LogDir.open(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.doc"]


def test_the_root_of_a_fresh_disk_will_do(tmp_path):
    (tmp_path / "lost+found").mkdir()
    LogDir.open(tmp_path).close()


def test_a_file_and_a_missing_folder_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with refuses(KafkaError._FS, "not a folder"):
        LogDir.open(tmp_path / "file")
    with refuses(KafkaError._FS, "Not a directory"):
        LogDir.open(tmp_path / "file" / "below")
    for options in ({"create": False}, {"read_only": True}):
        with refuses(KafkaError.UNSUPPORTED_VERSION, "no such folder"):
            LogDir.open(tmp_path / "none", **options)
    assert visible(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version=2\ncluster.id=x\n", "format version 2, this pylog reads up to 1: install"),
        ("version=9999999999999\n", "format version 9999999999999"),
        ("", "damaged: it names no version"),
        ("version=one\n", "damaged"),
        ("\0\xff" * 50, "damaged"),
        ("version=1\n", "names no cluster.id"),
        ("version=1\ncluster.id=x\nnum.partitions=0\n", "num.partitions=0"),
    ],
)
def test_a_newer_or_damaged_pylog_meta_is_refused(tmp_path, text, reason):
    (tmp_path / "pylog.meta").write_text(text)
    with refuses(KafkaError.UNSUPPORTED_VERSION, reason):
        LogDir.open(tmp_path)
    assert (tmp_path / "pylog.meta").read_text() == text


def test_a_folder_that_may_not_be_written_opens_read_only():
    with tempfile.TemporaryDirectory() as parent:
        folder = os.path.join(parent, "log")
        with LogDir.open(folder) as log_dir:
            log_dir.create_topic("t")
            log_dir.partition("t", 0).append(batch(b"hello"))
        forbid = ["chmod", "-R", "a=rX", parent]
        subprocess.run(forbid, check=True)
        try:
            said = run(
                """
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    LogDir.open(folder)
except KafkaException as error:
    assert error.args[0].code() == KafkaError._FS, error
    assert "Permission denied" in str(error) and "read-only" in str(error), error
    say("refused")
with LogDir.open(folder, read_only=True) as log_dir:
    log = log_dir.partition("t", 0)
    say(*[record.value.decode() for record in log.reader(0)])
    try:
        log_dir.create_topic("u")
    except KafkaException as error:
        say(error.args[0].name())
""",
                folder,
            )
        finally:
            subprocess.run(["chmod", "-R", "u+w", parent], check=True)
    assert said == ["refused", "hello", "_READ_ONLY"]


def test_programs_that_make_a_folder_at_once_agree_on_it(tmp_path):
    code = """
hear()
for i in range(20):
    with LogDir.open(f"{folder}/{i}") as log_dir:
        say(log_dir.cluster_id)
"""
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(Program(code, tmp_path)) for _ in range(3)]
        for program in programs:
            program.say()
        said = [program.end() for program in programs]
    assert said[0] == said[1] == said[2]
    assert len(set(said[0])) == 20


# ---- names ----


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", "a\0", "a b", "ü", "x" * 250, "CON", 5, None]
)
def test_a_name_that_is_no_topic_name_is_refused_everywhere(log_dir, name):
    for use in (
        log_dir.create_topic,
        log_dir.delete_topic,
        log_dir.topic,
        lambda name: log_dir.partition(name, 0),
        lambda name: log_dir.create_partitions(name, 4),
        lambda name: log_dir.alter_configs(name, {"retention.ms": 1}),
    ):
        with refuses(KafkaError.TOPIC_EXCEPTION):
            use(name)
    assert visible(log_dir.path) == ["pylog.meta"]


@pytest.mark.parametrize("name", ["x" * 249, "-", ".topics", ".lock", "pylog.meta", "a-0", "a"])
def test_the_longest_and_oddest_names_work(log_dir, name):
    log_dir.create_topic(name, 11)
    log_dir.partition(name, 10).append(batch())
    log_dir.create_partitions(name, 12)
    log_dir.alter_configs(name, {"retention.ms": 1})
    log_dir.delete_topic(name)
    assert visible(log_dir.path) == ["pylog.meta"]


def test_twins_are_refused(log_dir):
    log_dir.create_topic("page.views")
    for twin in ("Page.views", "page_views", "PAGE_VIEWS"):
        with refuses(KafkaError.TOPIC_EXCEPTION, "collides with existing topic 'page.views'"):
            log_dir.create_topic(twin)
    with refuses(KafkaError.TOPIC_ALREADY_EXISTS):
        log_dir.create_topic("page.views")


def test_an_unknown_topic_or_partition_is_refused(log_dir):
    log_dir.create_topic("t", 2)
    with refuses(KafkaError.UNKNOWN_TOPIC_OR_PART):
        log_dir.partition("u", 0)
    for partition in (2, -1):
        with refuses(KafkaError._UNKNOWN_PARTITION, "partitions 0 to 1"):
            log_dir.partition("t", partition)


# ---- several processes ----


def test_of_many_processes_one_creates_a_topic(tmp_path):
    LogDir.open(tmp_path).close()
    code = """
with LogDir.open(folder) as log_dir:
    say("ready")
    hear()
    for i in range(10):
        try:
            log_dir.create_topic(f"t{i}", 2)
            say(i)
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, error
        log_dir.partition(f"t{i}", 1).append(batch())
"""
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(Program(code, tmp_path)) for _ in range(3)]
        for program in programs:
            assert program.hear() == "ready"
        for program in programs:
            program.say()
        said = [word for program in programs for word in program.end()]
    assert sorted(said) == [str(i) for i in range(10)]
    with LogDir.open(tmp_path) as log_dir:
        assert [log_dir.partition(f"t{i}", 1).log_end_offset for i in range(10)] == [3] * 10


def test_processes_that_create_delete_and_append_at_once_get_known_errors_only(tmp_path):
    LogDir.open(tmp_path).close()
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    code = """
import random
rng = random.Random(int(sys.argv[2]))
known = {KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._STATE,
         KafkaError.INVALID_PARTITIONS}
with LogDir.open(folder) as log_dir:
    for _ in range(60):
        name = rng.choice("ab")
        try:
            match rng.randrange(5):
                case 0: log_dir.create_topic(name, 2)
                case 1: log_dir.delete_topic(name)
                case 2: log_dir.create_partitions(name, 3)
                case 3: log_dir.alter_configs(name, {"retention.ms": rng.randrange(10**6)})
                case 4:
                    try:
                        log_dir.partition(name, 1).append(batch())
                    except LogError as error:
                        assert "deleted" in str(error), error
        except KafkaException as error:
            assert error.args[0].code() in known, error
"""
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(Program(code, tmp_path, seed + i)) for i in range(3)]
        for program in programs:
            program.end()
    check_whole(tmp_path)


def check_whole(folder):
    """Each topic has exactly its partitions, which take records; nothing else lies about."""
    with LogDir.open(folder) as log_dir:
        expected = {"pylog.meta"}
        for name, topic in log_dir.topics().items():
            expected |= {f"{name}-{number}" for number in range(topic.partitions)}
            for log in log_dir.partitions(name):
                log.append(batch())
                metadata = os.path.join(log.path, "partition.metadata")
                assert partition_metadata.read(metadata) == topic.topic_id
        log_dir.create_topic("probe")  # clears away what dead processes left
        log_dir.delete_topic("probe")
        assert set(visible(folder)) == expected
        for name in (".pending", ".deleted"):
            assert os.listdir(os.path.join(folder, name)) == []


def test_a_topic_made_anew_is_noticed_by_a_process_that_has_the_old_one_open(tmp_path):
    code = """
with LogDir.open(folder) as log_dir:
    old = log_dir.partition("t", 0)
    old.append(batch(b"old"))
    say("open")
    hear()
    try:
        old.append(batch())
    except LogError as error:
        say(type(error).__name__)
    new = log_dir.partition("t", 0)
    assert new is not old
    say(new.append(batch(b"new")))
"""
    with LogDir.open(tmp_path) as log_dir, Program(code, tmp_path) as program:
        first = log_dir.create_topic("t")
        assert program.hear() == "open"
        log_dir.delete_topic("t")
        second = log_dir.create_topic("t")
        assert first.topic_id != second.topic_id
        program.say()
        assert program.end() == ["LogClosedError", "0"]
        values = [record.value for record in log_dir.partition("t", 0).reader(0)]
        assert values == [b"new"]


def test_a_deleted_topic_takes_no_records_and_gives_its_files_back(log_dir):
    log_dir.create_topic("t", 3)
    logs = log_dir.partitions("t")
    logs[2].append(batch())
    log_dir.delete_topic("t")
    for log in logs:
        with pytest.raises(LogClosedError, match="deleted"):
            log.append(batch())
    with refuses(KafkaError.UNKNOWN_TOPIC_OR_PART):
        log_dir.partition("t", 0)
    assert visible(log_dir.path) == ["pylog.meta"]
    assert os.listdir(os.path.join(log_dir.path, ".deleted")) == []
    assert log_dir.open_logs() == []


def test_a_changed_config_reaches_other_processes_by_itself(tmp_path):
    code = """
with LogDir.open(folder) as log_dir:
    log = log_dir.partition("t", 0)
    say(log.config.segment_bytes)
    deadline = time.monotonic() + 30
    while log.config.segment_bytes != 2 << 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    say(log.config.segment_bytes)
"""
    with LogDir.open(tmp_path) as log_dir:
        log_dir.create_topic("t")
        with Program(code, tmp_path) as program:
            assert program.hear() == str(1 << 30)
            log_dir.alter_configs("t", {"segment.bytes": 2 << 20})
            assert program.end() == [str(2 << 20)]
        log_dir.alter_configs("t", {"segment.bytes": None})
        assert log_dir.topic("t").configs == {}


def test_a_stopped_process_that_holds_the_lock_is_named(tmp_path):
    LogDir.open(tmp_path).close()
    code = """
with LogDir.open(folder) as log_dir, log_dir._exclusive():
    say(os.getpid())
    hear()
"""
    with Program(code, tmp_path) as program, LogDir.open(tmp_path, lock_timeout_ms=50) as log_dir:
        process_id = program.hear()
        program.process.send_signal(signal.SIGSTOP)
        with refuses(KafkaError._TIMED_OUT, f"process {process_id}, which is alive"):
            log_dir.create_topic("t")
        program.process.kill()
        program.process.wait()
        log_dir.create_topic("t")


def test_threads_create_topics_at_once(log_dir):
    made = []

    def create():
        for i in range(5):
            with contextlib.suppress(KafkaException):
                log_dir.create_topic(f"t{i}")
                made.append(i)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list(range(5))


# ---- killed half-way ----


def run_killed_at(step, work):
    """Fork; the child is killed at its `step`-th file operation. True when it came to its end."""
    process_id = os.fork()
    if process_id == 0:
        left = step

        def count(event, arguments):
            nonlocal left
            if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(process_id, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.waitstatus_to_exitcode(status) == 0


def with_open(folder, change):
    def work():
        with LogDir.open(folder) as log_dir:
            change(log_dir)

    return work


def test_a_killed_creation_leaves_all_or_nothing(tmp_path):
    for step in range(200):
        folder = tmp_path / str(step)
        is_done = run_killed_at(step, with_open(folder, lambda d: d.create_topic("t", 2)))
        with LogDir.open(folder) as log_dir:
            assert is_done <= ("t" in log_dir.topics())
            if "t" not in log_dir.topics():
                log_dir.create_topic("t", 2)
        check_whole(folder)
        if is_done:
            return
    raise AssertionError("it never came to its end")


def test_a_killed_growth_leaves_all_or_nothing(tmp_path):
    for step in range(200):
        folder = tmp_path / str(step)
        with LogDir.open(folder) as log_dir:
            log_dir.create_topic("t", 1)
            log_dir.partition("t", 0).append(batch())
        is_done = run_killed_at(step, with_open(folder, lambda d: d.create_partitions("t", 3)))
        with LogDir.open(folder) as log_dir:
            assert log_dir.topic("t").partitions in ((3,) if is_done else (1, 3))
            assert log_dir.partition("t", 0).log_end_offset == 1
        check_whole(folder)
        if is_done:
            return
    raise AssertionError("it never came to its end")


def test_a_killed_deletion_leaves_all_or_nothing(tmp_path):
    for step in range(200):
        folder = tmp_path / str(step)
        with LogDir.open(folder) as log_dir:
            log_dir.create_topic("t", 2)
            log_dir.create_topic("kept")
            log_dir.partition("t", 1).append(batch())
        is_done = run_killed_at(step, with_open(folder, lambda d: d.delete_topic("t")))
        with LogDir.open(folder) as log_dir:
            if "t" in log_dir.topics():
                assert not is_done
                assert log_dir.partition("t", 1).log_end_offset == 1
            else:
                log_dir.create_topic("t", 2)
                assert log_dir.partition("t", 1).log_end_offset == 0
        check_whole(folder)
        if is_done:
            return
    raise AssertionError("it never came to its end")


def test_a_killed_change_of_configs_leaves_the_old_or_the_new(tmp_path):
    def change(log_dir):
        log_dir.alter_configs("t", {"retention.ms": 5})
        log_dir.alter_folder_configs({"num.partitions": 7})

    for step in range(200):
        folder = tmp_path / str(step)
        with LogDir.open(folder) as log_dir:
            log_dir.create_topic("t")
            cluster_id = log_dir.cluster_id
        is_done = run_killed_at(step, with_open(folder, change))
        with LogDir.open(folder) as log_dir:
            assert log_dir.topic("t").configs in ({}, {"retention.ms": "5"})
            assert log_dir.default_partitions in (1, 7)
            assert log_dir.cluster_id == cluster_id
        check_whole(folder)
        if is_done:
            return
    raise AssertionError("it never came to its end")


def test_an_interrupted_creation_leaves_nothing(tmp_path):
    code = """
import signal
steps = 0
def interrupt(event, arguments):
    global steps
    if event == "os.mkdir" and "t-" in str(arguments[0]):
        steps += 1
        if steps == 5:
            os.kill(os.getpid(), signal.SIGINT)
with LogDir.open(folder) as log_dir:
    sys.addaudithook(interrupt)
    try:
        log_dir.create_topic("t", 40)
    except KeyboardInterrupt:
        say("interrupted", len(os.listdir(folder + "/.pending")), "t" in log_dir.topics())
    log_dir.create_topic("t", 2)
"""
    assert run(code, tmp_path) == ["interrupted", "0", "False"]
    check_whole(tmp_path)


# ---- damage and strangers ----


def test_a_partitions_folder_of_another_topic_is_never_touched(log_dir):
    stranger = os.path.join(log_dir.path, "t-1")
    os.mkdir(stranger)
    partition_metadata.write(os.path.join(stranger, "partition.metadata"), uuid.uuid4())
    with refuses(KafkaError._FS, "t-1 is in the way"):
        log_dir.create_topic("t", 3)
    assert visible(log_dir.path) == ["pylog.meta", "t-1"]
    log_dir.create_topic("t", 1)
    with refuses(KafkaError._FS, "in the way"):
        log_dir.create_partitions("t", 2)
    log_dir.delete_topic("t")
    assert visible(log_dir.path) == ["pylog.meta", "t-1"]


def test_a_damaged_topic_file_harms_its_topic_alone(log_dir):
    log_dir.create_topic("good")
    log_dir.create_topic("bad")
    topics = os.path.join(log_dir.path, ".topics")
    for name in ("bad", "new"):
        with open(os.path.join(topics, name), "w") as file:
            file.write("version=1\n" if name == "bad" else "version=2\n")
    with open(os.path.join(topics, "bad~"), "w") as file:
        file.write("an editor's copy")
    assert list(log_dir.topics()) == ["good"]
    with refuses(KafkaError.UNSUPPORTED_VERSION, "not a topic's file"):
        log_dir.topic("bad")
    with refuses(KafkaError.UNSUPPORTED_VERSION, "install a newer"):
        log_dir.topic("new")
    with refuses(KafkaError.TOPIC_ALREADY_EXISTS):
        log_dir.create_topic("bad")
    log_dir.partition("good", 0).append(batch())


def test_a_config_that_only_a_newer_version_knows_is_kept(log_dir):
    log_dir.create_topic("t", configs={"retention.ms": 5})
    with open(os.path.join(log_dir.path, ".topics", "t"), "a") as file:
        file.write("config.future.config=yes\n")
    log_dir.partition("t", 0).append(batch())
    log_dir.alter_configs("t", {"segment.ms": 7})
    configs = {"retention.ms": "5", "future.config": "yes", "segment.ms": "7"}
    assert log_dir.topic("t").configs == configs
    with refuses(KafkaError.INVALID_CONFIG, "retention.ms"):
        log_dir.alter_configs("t", {"retention.m": 7})


def test_a_missing_or_swapped_partition_is_told(log_dir):
    log_dir.create_topic("t", 2)
    log_dir.create_topic("u", 2)
    os.rename(os.path.join(log_dir.path, "t-0"), os.path.join(log_dir.path, "moved"))
    with refuses(KafkaError.KAFKA_STORAGE_ERROR, "t-0 is missing"):
        log_dir.partition("t", 0)
    os.rename(os.path.join(log_dir.path, "u-0"), os.path.join(log_dir.path, "t-0"))
    with refuses(KafkaError.KAFKA_STORAGE_ERROR, "t-0 belongs to another topic"):
        log_dir.partition("t", 0)
    log_dir.delete_topic("t")
    assert "t-0" in visible(log_dir.path)


# ---- limits ----


def test_a_full_disk_leaves_no_half_topic(tmp_path):
    code = """
with LogDir.open(folder) as log_dir:
    log_dir.create_topic("before", 2)
    before = sorted(os.listdir(folder))
    for limit in (0, 10, 200, 5000, 10000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            log_dir.create_topic("t", 3)
        except KafkaException as error:
            say(error.args[0].name(), error.args[0].retriable())
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert sorted(os.listdir(folder)) == before
    log_dir.create_topic("t", 3)
"""
    assert run(code, tmp_path) == ["KAFKA_STORAGE_ERROR", "True"] * 5
    check_whole(tmp_path)


def test_a_full_disk_while_a_folder_is_made_leaves_it_to_the_next(tmp_path):
    code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
try:
    LogDir.open(folder)
except KafkaException as error:
    say(error.args[0].name())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
LogDir.open(folder).close()
"""
    assert run(code, tmp_path / "log") == ["KAFKA_STORAGE_ERROR"]


def test_more_partitions_than_descriptors_are_made_and_the_limit_is_named(tmp_path):
    code = """
import logging
logging.getLogger("pylog").addHandler(logging.NullHandler())  # the housekeeper may say it too
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
with LogDir.open(folder) as log_dir:
    log_dir.create_topic("t", 100)
    used = 0
    try:
        for number in range(100):
            log_dir.partition("t", number)
            used += 1
    except KafkaException as error:
        assert error.args[0].code() == KafkaError._FS, error
        assert "may have 80 files open" in str(error) and "ulimit -n" in str(error), error
        say("named", used > 20)
with LogDir.open(folder) as log_dir:
    log_dir.partition("t", 99).append(batch())
    log_dir.delete_topic("t")
    say(len(log_dir.topics()))
"""
    assert run(code, tmp_path) == ["named", "True", "0"]


def test_partitions_of_let_go_topics_give_their_descriptors_back(log_dir):
    log_dir.create_topic("warm")
    log_dir.partition("warm", 0).append(batch())
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        log_dir.create_topic("t", 4)
        for log in log_dir.partitions("t"):
            log.append(batch())
        del log
        log_dir.delete_topic("t")
    deadline_s = time.monotonic() + 30  # a turn of the housekeeper may have hold of them
    while len(os.listdir("/proc/self/fd")) > before:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_looking_again_at_a_quiet_folder_reads_no_file(tmp_path):
    code = """
opened = []
with LogDir.open(folder) as log_dir:
    for i in range(20):
        log_dir.create_topic(f"t{i}")
    time.sleep(1.2)   # a folder this old is known not to change within the tick that stamped it
    log_dir.topics()
    log_dir.topics()
    sys.addaudithook(lambda event, arguments: opened.append(event))
    log_dir.topic("t3")
    log_dir.topics()
    seen = [event for event in opened if event in ("open", "os.scandir", "os.listdir")]
say(len(seen))
"""
    assert run(code, tmp_path) == ["0"]


# ---- fork, exit ----


def test_a_forked_child_goes_on_with_a_log_dir_of_its_parent(tmp_path):
    code = """
with LogDir.open(folder) as log_dir:
    log_dir.create_topic("t")
    log_dir.partition("t", 0).append(batch())
    child = os.fork()
    if child == 0:
        log_dir.partition("t", 0).append(batch())
        log_dir.create_topic("u")
        again = LogDir.open(folder)
        assert again is log_dir
        again.close()
        log_dir.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    say(log_dir.partition("t", 0).append(batch()), *sorted(log_dir.topics()))
"""
    assert run(code, tmp_path) == ["2", "t", "u"]


def test_a_child_forked_while_another_thread_works_is_not_stuck(tmp_path):
    code = """
import threading
with LogDir.open(folder) as log_dir:
    stop = threading.Event()
    def work():
        number = 0
        while not stop.is_set():
            log_dir.create_topic(f"t{number}")
            log_dir.partition(f"t{number}", 0)
            number += 1
    worker = threading.Thread(target=work)
    worker.start()
    for i in range(10):
        child = os.fork()
        if child == 0:
            log_dir.create_topic(f"child{i}")
            log_dir.partition(f"child{i}", 0).append(batch())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    worker.join()
"""
    run(code, tmp_path)
    check_whole(tmp_path)


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "del log_dir, log", "log_dir.close()"])
def test_a_program_ends_cleanly_with_a_folder_open(tmp_path, ending):
    code = f"""
log_dir = LogDir.open(folder)
log_dir.create_topic("t")
log = log_dir.partition("t", 0)
log.append(batch())
{ending}
"""
    begun_s = time.monotonic()
    assert run(code, tmp_path) == []
    assert time.monotonic() - begun_s < 20
    assert os.path.getsize(tmp_path / "t-0" / ".recovery") > 0


def test_the_rlimit_of_this_process_is_as_it_was():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
