"""Small tables that a server keeps in its folder: several processes change one at the same time."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from wire_client import WireClient, api

from logcore.errors import LockTimeoutError
from pylog.server import kept_file, scram
from pylog.server.config_changes import KeptConfigs
from pylog.server.config_entries import ConfigResourceType
from pylog.server.credentials import Credentials
from pylog.server.kept_file import KeptFile
from pylog.testing import Server

ALTER_CONFIGS, ALTER_USERS = api(44), api(51)
BROKER, SET = 4, 0

CHANGES = """
import sys
from pylog.server.kept_file import KeptFile
path, name, count = sys.argv[1:]
file = KeptFile(path)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(count)):
    file.change(lambda table: table.setdefault(f"{name}{number}", "x") == "x")
"""

HOLDS = """
import sys
from pylog.server.kept_file import KeptFile
def hold(table):
    table["half"] = "done"
    print("held", flush=True)
    sys.stdin.readline()
    return True
KeptFile(sys.argv[1]).change(hold)
"""


def start(program, *words):
    """A process that has said its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline()
    return process


def put(file, **values):
    def edit(table):
        table.update(values)
        return True

    file.change(edit)


def test_processes_that_change_a_table_at_once_lose_nothing(tmp_path):
    path = tmp_path / "table"
    processes = [start(CHANGES, path, name, 60) for name in "ab"]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    mine = KeptFile(str(path))
    for number in range(60):
        put(mine, **{f"c{number}": "x"})
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert mine.refresh() or len(mine.table) == 180
    assert set(mine.table) == {f"{name}{number}" for name in "abc" for number in range(60)}


def test_threads_that_change_a_table_at_once_end_with_the_newest(tmp_path):
    taken = []
    file = KeptFile(str(tmp_path / "table"), taken.append)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: put(file, **{f"k{number}": "x"}), range(100)))
    assert len(taken[-1]) == 100
    assert [len(table) for table in taken] == list(range(101))


def test_who_is_killed_in_a_change_changes_nothing_and_locks_nobody_out(tmp_path):
    path = tmp_path / "table"
    put(KeptFile(str(path)), old="1")
    process = start(HOLDS, path)
    process.kill()
    process.communicate()
    file = KeptFile(str(path))
    put(file, new="2")
    assert file.table == {"old": "1", "new": "2"}


def test_a_half_written_file_that_a_crash_left_does_no_harm(tmp_path):
    (tmp_path / "table.tmp").write_text("half=")
    put(KeptFile(str(tmp_path / "table")), a="1")
    assert (tmp_path / "table").read_text() == "a=1\n"
    assert sorted(os.listdir(tmp_path)) == [kept_file.LOCK_FILE, "table"]
    assert {os.stat(tmp_path / name).st_mode & 0o777 for name in os.listdir(tmp_path)} == {0o600}


def test_a_change_waits_for_another_process_but_not_for_ever(tmp_path, monkeypatch):
    path = tmp_path / "table"
    process = start(HOLDS, path)
    file = KeptFile(str(path))
    monkeypatch.setattr(kept_file, "LOCK_TIMEOUT_MS", 50)
    with pytest.raises(LockTimeoutError, match=f"process {process.pid}"):
        put(file, a="1")
    assert not file.refresh()  # reading waits for nobody
    process.communicate("\n")
    put(file, a="1")
    assert file.table == {"half": "done", "a": "1"}


def test_a_change_within_one_tick_of_the_clock_is_seen(tmp_path):
    path = tmp_path / "table"
    path.write_text("a=1\n")
    status = os.stat(path)
    file = KeptFile(str(path))
    path.write_text("a=2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.refresh()
    assert file.table == {"a": "2"}


def test_a_table_that_was_deleted_is_empty(tmp_path):
    path = tmp_path / "table"
    file = KeptFile(str(path))
    put(file, a="1")
    path.unlink()
    assert file.refresh()
    assert not file.refresh()
    assert file.table == {}


def test_commands_and_a_client_that_add_users_at_once_lose_none(tmp_path):
    with Server(tmp_path) as server, WireClient(server) as client:
        commands = [
            subprocess.Popen(
                [sys.executable, "-m", "pylog", "users", "add", name, "--dir", str(tmp_path)],
                stdin=subprocess.PIPE,
                text=True,
            )
            for name in ("one", "two")
        ]
        for command in commands:
            command.stdin.write("secret\n")
            command.stdin.flush()
        wanted = {"one", "two"}
        number = 0
        while any(command.poll() is None for command in commands) or number < 10:
            added = ALTER_USERS.ScramCredentialUpsertion(
                name=f"u{number}", mechanism=1, iterations=4096, salt=b"salt",
                salted_password=bytes(32),
            )  # fmt: skip
            request = ALTER_USERS.AlterUserScramCredentialsRequest(upsertions=[added])
            (result,) = client.ask(request).results
            assert result.error_code == 0
            wanted.add(f"u{number}")
            number += 1
        assert [command.wait() for command in commands] == [0, 0]
        for command in commands:
            command.stdin.close()
        server.call(server.broker.credentials.refresh)
        assert set(server.broker.credentials.users) == wanted
        assert set(Credentials(str(tmp_path)).users) == wanted


def test_clients_that_change_configs_at_once_lose_nothing(tmp_path):
    names = [f"unknown.config.{number}" for number in range(8)]

    def set_one(server, name):
        config = ALTER_CONFIGS.AlterableConfig(name=name, config_operation=SET, value="1")
        resource = ALTER_CONFIGS.AlterConfigsResource(
            resource_type=BROKER, resource_name="", configs=[config]
        )
        request = ALTER_CONFIGS.IncrementalAlterConfigsRequest(resources=[resource])
        with WireClient(server) as client:
            together.wait()
            return client.ask(request).responses[0].error_code

    together = threading.Barrier(len(names))
    with Server(tmp_path) as server, ThreadPoolExecutor(len(names)) as threads:
        codes = list(threads.map(lambda name: set_one(server, name), names))
        kept = server.broker.kept_configs.get(ConfigResourceType.BROKER, "")
        assert codes == [0] * len(names)
        assert sorted(kept) == names


def test_a_server_takes_up_configs_that_another_process_changed(tmp_path):
    with Server(tmp_path) as server:
        other = KeptConfigs(str(tmp_path / ".server.configs"))
        other.change(
            ConfigResourceType.BROKER,
            "",
            lambda current: {**current, "max.connections": "7"},
            validate_only=False,
        )
        for call in server.broker.on_second:
            server.call(call, 0.0)
        assert server.broker.config.integer("max.connections") == 7


def test_a_server_takes_up_users_that_another_process_changed(tmp_path):
    with Server(tmp_path) as server:
        Credentials(str(tmp_path)).set_password("zoë", "secret", [scram.SHA_256])
        for call in server.broker.on_second:
            server.call(call, 0.0)
        assert set(server.broker.credentials.users) == {"zoë"}
