"""Kafka's own tool reads what the coordinator wrote, field by field."""

import json
from pathlib import Path
from types import ModuleType

import pytest

import pylog
from logcore.batch import iter_records
from pylog.internal_topics import TRANSACTIONS_TOPIC
from pylog.log_dir import LogDir
from pylog.txn.records import decode_value

pytestmark = pytest.mark.peer


def test_kafka_reads_our_transaction_log(kafka: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with pylog.Producer({"log.dir": folder, "transactional.id": "ledger-é", "acks": 1}) as producer:
        producer.init_transactions()
        for end in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            producer.produce("t", "v")
            producer.flush()
            end()
    with LogDir.open(folder) as log_dir:
        ours = [
            decode_value("", record.value or b"")
            for record in iter_records(log_dir.partition(TRANSACTIONS_TOPIC, 0).read(0, 1 << 20))
        ]
    log = folder / f"{TRANSACTIONS_TOPIC}-0" / f"{0:020d}.log"
    output = kafka.dump_log_segments(
        [log], print_data=False, options=("--transaction-log-decoder",)
    )
    lines = [line for line in output.splitlines() if " payload: " in line]
    assert len(lines) == len(ours) == 7
    for line, metadata in zip(lines, ours, strict=True):
        key, _, payload = line.partition(" key: ")[2].partition(" payload: ")
        assert json.loads(key)["data"] == {"transactionalId": "ledger-é"}
        value = json.loads(payload)
        assert value["version"] == "1"
        topics = value["data"]["transactionPartitions"] or []
        assert {
            (topic["topic"], number) for topic in topics for number in topic["partitionIds"]
        } == metadata.partitions
        assert (
            value["data"]["producerId"],
            value["data"]["producerEpoch"],
            value["data"]["transactionTimeoutMs"],
            value["data"]["transactionStatus"],
            value["data"]["transactionLastUpdateTimestampMs"],
            value["data"]["transactionStartTimestampMs"],
            value["data"]["previousProducerId"],
            value["data"]["clientTransactionVersion"],
        ) == (
            metadata.producer_id,
            metadata.producer_epoch,
            metadata.timeout_ms,
            metadata.state,
            metadata.last_update_timestamp_ms,
            metadata.start_timestamp_ms,
            metadata.previous_producer_id,
            metadata.client_transaction_version,
        )
