"""`pylog transactions` lists, describes and aborts, in the look of kafka-transactions."""

import subprocess
import sys

import pytest
from cli_program import Cli

import pylog
from pylog.log_dir import LogDir
from pylog.txn.producer_ids import ProducerIds


@pytest.fixture
def producer(cli: Cli):
    """A producer with an open transaction in t-1."""
    cli.ok("topics", "create", "t", "--partitions", "2")
    producer = pylog.Producer(
        {
            "log.dir": str(cli.folder),
            "transactional.id": "ledger",
            "transaction.timeout.ms": 500_000,
        }
    )
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce("t", "x", partition=1)
    producer.flush()
    yield producer
    producer.close()


def cells(line: str) -> list[str]:
    assert line.endswith("\t")
    return [cell.strip() for cell in line.split("\t")[:-1]]


def test_list_has_kafkas_look(cli: Cli, producer):
    heading, row = cli.ok("transactions", "list").lines
    assert heading == "TransactionalId\tCoordinator\tProducerId\tTransactionState\t"
    assert row == "ledger         \t0          \t0         \tOngoing         \t"
    assert cli.ok("transactions", "list", "--json").json == [
        {"transactional_id": "ledger", "producer_id": 0, "state": "Ongoing"}
    ]
    long = cli.ok("transactions", "list", "--duration-filter", "900000").lines
    assert len(long) == 1


def test_describe_tells_where_the_transaction_wrote(cli: Cli, producer):
    heading, row = cli.ok("transactions", "describe", "--transactional-id", "ledger").lines
    assert cells(heading)[:5] == [
        "CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState",
    ]  # fmt: skip
    found = cells(row)
    assert found[:6] == ["0", "ledger", "0", "0", "Ongoing", "500000"]
    assert int(found[7]) >= 0 and found[8] == "t-1"
    assert "TRANSACTIONAL_ID_NOT_FOUND" in cli.fails(
        "transactions", "describe", "--transactional-id", "nobody"
    )


def test_producers_of_a_partition_are_described(cli: Cli, producer):
    arguments = ("transactions", "describe-producers", "--topic", "t", "--partition")
    _, row = cli.ok(*arguments, "1").lines
    assert cells(row)[:4] == ["0", "0", "-1", "0"]
    assert cells(row)[5] == "0"
    assert len(cli.ok(*arguments, "0").lines) == 1
    producer.commit_transaction()
    _, row = cli.ok(*arguments, "1").lines
    assert (cells(row)[1], cells(row)[5]) == ("1", "None")


def test_abort_of_a_transactional_id_frees_readers_and_fences_the_producer(cli: Cli, producer):
    cli.ok("transactions", "abort", "--transactional-id", "ledger")
    with LogDir.open(cli.folder) as log_dir:
        log = log_dir.partition("t", 1)
        assert log.last_stable_offset == log.log_end_offset == 2
    with pytest.raises(pylog.KafkaException) as raised:
        producer.commit_transaction()
    assert raised.value.args[0].fatal()
    _, row = cli.ok("transactions", "list").lines
    assert cells(row)[3] == "Empty"


HANG = """
import sys
from logcore.batch import BatchBuilder
from pylog.log_dir import LogDir
builder = BatchBuilder()
builder.append(1000, None, b"hangs")
builder.set_producer(int(sys.argv[2]), 3, 0, True)
with LogDir.open(sys.argv[1]) as log_dir:
    log_dir.partition("t", 0).append(builder.build())
"""


def test_what_hangs_is_found_and_aborted(cli: Cli, producer):
    # Of a producer id that this folder did not give out: nobody ends it by himself.
    with LogDir.open(cli.folder) as log_dir:
        foreign_id = 10 * 1000
        assert not log_dir.attached(ProducerIds).was_given_out(foreign_id)
    subprocess.run([sys.executable, "-c", HANG, str(cli.folder), str(foreign_id)], check=True)
    assert len(cli.ok("transactions", "find-hanging").lines) == 1  # not for long enough
    find = ("transactions", "find-hanging", "--max-transaction-timeout", "0")
    heading, row = cli.ok(*find).lines
    assert cells(heading)[:3] == ["Topic", "Partition", "ProducerId"]
    assert cells(row)[:6] == ["t", "0", "10000", "3", "-1", "0"]
    place = ("transactions", "abort", "--topic", "t", "--partition", "0", "--start-offset")
    assert "Could not find any open transactions starting at offset 7" in cli.fails(*place, "7")
    cli.ok(*place, "0")
    assert len(cli.ok(*find, "--topic", "t").lines) == 1
    with LogDir.open(cli.folder) as log_dir:
        log = log_dir.partition("t", 0)
        assert log.last_stable_offset == log.log_end_offset == 2


def test_folder_without_transactions_lists_none(cli: Cli):
    cli.ok("topics", "create", "t")
    assert len(cli.ok("transactions", "list").lines) == 1
    assert cli.ok("topics", "list").lines == ["t"]
    assert "give --transactional-id" in cli.fails("transactions", "abort")
