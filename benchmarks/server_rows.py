"""The rows of the server's figures: what is measured, the figure of it, and the goal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure.

    Args:
        name: of the row, its kind first.
        label: in words.
        measurement: a method of server_work.Bench and its numbers; rows may share one. Empty: the
            row is the most that all of them showed.
        figure: of what the measurement gives.
        unit: of the figure.
        goal: what the quotient of pylog's and Kafka's figures, or pylog's alone, is held to; None
            for nothing.
        at_most: whether less is better.
        is_ratio: whether the goal is for the quotient.
    """

    name: str
    label: str
    measurement: str
    goal: float | None
    figure: str = "rate"
    unit: str = "requests/s"
    at_most: bool = False
    is_ratio: bool = True

    @property
    def kind(self) -> str:
        """What `--kinds` chooses by."""
        return self.name.split("-")[0]

    def describe_goal(self, result: Mapping[str, Any]) -> str:
        """The goal in words, met or missed."""
        if self.goal is None:
            return ""
        return f"{self.goal_text} {'met' if result['met'] else 'MISSED'}"

    @property
    def goal_text(self) -> str:
        """The goal in words, empty where there is none."""
        if self.goal is None:
            return ""
        unit = "× Kafka" if self.is_ratio else self.unit
        return f"{'≤' if self.at_most else '≥'} {self.goal:g} {unit}"


RECORDS = "records/s"

ROWS = (
    Row("load-1k", "Produce requests, batches of 1 KiB", "load 1024", 3.0),
    Row("load-64k", "Produce requests, batches of 64 KiB", "load 65536", 3.0),
    Row("load-1m", "Produce requests, batches of 1 MiB", "load 1048576", 3.0),
    Row("load-64k-4", "Produce requests of 64 KiB, 4 connections", "load 65536 1 4", None),
    Row("perf-produce-100", "kafka-producer-perf-test, 100 B", "perf 100", 1.2,
        "produced_rate", RECORDS),
    Row("perf-produce-1000", "kafka-producer-perf-test, 1,000 B", "perf 1000", 1.2,
        "produced_rate", RECORDS),
    Row("perf-consume-100", "kafka-consumer-perf-test, 100 B", "perf 100", 1.2,
        "consumed_rate", RECORDS),
    Row("perf-consume-1000", "kafka-consumer-perf-test, 1,000 B", "perf 1000", 1.2,
        "consumed_rate", RECORDS),
    Row("client-produce", "confluent_kafka produces, 1,000 B", "confluent", 1.3,
        "produced_rate", RECORDS),
    Row("client-consume", "confluent_kafka consumes, 1,000 B", "confluent", 1.3,
        "consumed_rate", RECORDS),
    Row("client-single", "confluent_kafka, one by one with a flush, p50", "one_by_one", 1.0,
        "p50_us", "µs", at_most=True),
    Row("durable-64k", "Produce requests of 64 KiB, acks=all, synced",
        "durable 65536", 2.0),
    Row("many-p99", "p99 with 500 idle and 100 active connections by p99 with one", "many", 3.0,
        "times_p99", "×", at_most=True, is_ratio=False),
    Row("memory-most", "the most memory of its own in all of that", "", 0.25,
        "resident_mib", "MiB", at_most=True),
    Row("start-answer", "from the command to the first answer", "start", 0.3,
        "start_s", "s", at_most=True, is_ratio=False),
    Row("start-memory", "memory of an idle server, with shared libraries", "start", 40,
        "all_resident_mib", "MiB", at_most=True, is_ratio=False),
)  # fmt: skip
