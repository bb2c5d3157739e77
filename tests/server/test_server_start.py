"""A server starts at once and is small: what it does not import, what it takes."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from wire_client import WireClient, api

import pylog
from pylog.testing import ServerProcess

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(pylog.__file__)))
# Each costs tens of milliseconds, or megabytes.
HEAVY = {
    "confluent_kafka", "difflib", "email", "http", "lmdb", "multiprocessing", "numpy", "pandas",
    "pyarrow", "pydantic", "pylog.admin", "pylog.consumer", "pylog.message", "pylog.producer",
    "pylog.remote", "pylog.streams", "rich", "typer", "unittest", "urllib.request", "zipfile",
}  # fmt: skip
START_CPU_S = 0.3
IDLE_BYTES = 40 << 20


def test_a_server_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from pylog.cli import serve\n"
        "from pylog.server.listener import Listener\n"
        "from pylog.server.config import ServerConfig\n"
        "ServerConfig()\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )  # fmt: skip
    assert HEAVY & set(done.stdout.split()) == set()


def test_a_server_is_there_with_little_work_and_little_memory():
    versions, metadata = api(18), api(3)
    with ServerProcess() as server:
        with WireClient(server) as client:
            client.ask(
                versions.ApiVersionsRequest(
                    client_software_name="test", client_software_version="1"
                )
            )
            client.ask(metadata.MetadataRequest(topics=None))
        process = Path(f"/proc/{server.pid}")
        ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
        status = (process / "status").read_text()
    work_s = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    resident = int(status.partition("VmRSS:")[2].split()[0]) << 10
    assert work_s < START_CPU_S
    assert resident < IDLE_BYTES


def test_a_server_may_have_as_many_files_open_as_the_machine_lets_it():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with ServerProcess() as server:
            limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert limits == (hard, hard)


def test_the_package_loads_what_is_used_when_it_is_used():
    program = (
        "import sys, pylog\n"
        "assert 'pylog.consumer' not in sys.modules\n"
        "assert pylog.Consumer.__module__ == 'pylog.consumer'\n"
        "assert pylog.errors.KafkaError is pylog.KafkaError\n"
        "assert 'Consumer' in dir(pylog)\n"
        "from pylog import *\n"
        "assert open is pylog.open and OFFSET_END == pylog.OFFSET_END\n"
        "try:\n"
        "    pylog.nonsense\n"
        "except AttributeError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )  # fmt: skip
    assert done.stdout == "module 'pylog' has no attribute 'nonsense'\n"
