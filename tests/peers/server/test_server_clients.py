"""Each client's whole round: admin, a group of two that rebalances, times, transactions."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from pylog.testing.process import ServerProcess

pytestmark = pytest.mark.peer

COUNT = 500
PROGRAMS = ["confluent", "kafka_python", "aiokafka", "kafkajs", "franz", "sarama"]
WITHOUT_TRANSACTIONS = {"kafka_python"}  # its program has none


def check(seen: dict[str, Any], program: str) -> None:
    shares = seen.pop("shares")
    assert sum(shares) == COUNT
    assert all(shares), "both members read"
    expected = {
        "partitions": 4,
        "produced": COUNT,
        "read": COUNT,
        "distinct": COUNT,
        "taken_over": 4,
        "committed": COUNT,
        "by_time": 0,
        "end": COUNT,
        "group_listed": True,
        "deleted": True,
    }
    if program not in WITHOUT_TRANSACTIONS:
        expected["transactions"] = True
    assert seen == expected


@pytest.mark.parametrize("program", PROGRAMS)
def test_client_works_in_groups_with_times_and_transactions(
    program: str,
    server: ServerProcess,
    clients: ModuleType,
    toolchain: Callable[[str], None],
    name: str,
) -> None:
    toolchain(clients.work_command(program)[0])
    check(clients.run_work(program, server.bootstrap_servers, name, str(COUNT)), program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_client_works_on_three_virtual_brokers(
    program: str,
    cluster: ServerProcess,
    clients: ModuleType,
    toolchain: Callable[[str], None],
    name: str,
) -> None:
    toolchain(clients.work_command(program)[0])
    check(clients.run_work(program, cluster.bootstrap_servers, name, str(COUNT)), program)


def test_confluent_works_in_a_group_of_the_consumer_protocol(
    server: ServerProcess,
    clients: ModuleType,
    toolchain: Callable[[str], None],
    name: str,
) -> None:
    toolchain("python")
    arguments = (server.bootstrap_servers, name, str(COUNT), "consumer")
    check(clients.run_work("confluent", *arguments), "confluent")


def test_quixstreams_counts_words_exactly_once(
    server: ServerProcess, clients: ModuleType, toolchain: Callable[[str], None], name: str
) -> None:
    toolchain("frameworks")
    seen = clients.run_work("quixstreams", server.bootstrap_servers, name, "300")
    assert seen == {"read": 300, "total": 300, "words": 3}


def test_faststream_handlers_take_and_publish(
    server: ServerProcess, clients: ModuleType, toolchain: Callable[[str], None], name: str
) -> None:
    toolchain("frameworks")
    seen = clients.run_work("faststream", server.bootstrap_servers, name, "300")
    assert seen == {"read": 300, "right": True}
