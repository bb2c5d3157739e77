"""The rows of the side-by-side run: what is measured, against what, and the goal.

A probe is one way to measure; a row is one figure of a probe, alone or divided by the same
figure of another probe in the same round. Goals hold for 100-byte values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Probe:
    """How a figure is obtained.

    Args:
        measurement: name in `measure.MEASUREMENTS`.
        extra: its special settings.
        reads: key of `FILLS`: it reads what that writes once, before the first round.
        share: of the suite's records; a latency run needs few, a memory run many.
        once: it is steady or long, one round is enough.
    """

    measurement: str
    extra: Mapping[str, object] = field(default_factory=dict)
    reads: str | None = None
    share: float = 1.0
    once: bool = False


FILLS = {
    "plain": (Probe("raw_write"), Probe("fill", {"acks": 1})),
    "transactions": (Probe("fill_transactions", {"acks": 1}),),
}
"""What is written for those that read, each in a folder of its name."""

PACED = {"messages_per_s": 10_000}
MEMBERS = {"members": 8, "partitions": 64}

PROBES = {
    "raw-write": Probe("raw_write"),
    "produce": Probe("produce", {"acks": 1}),
    "produce-all": Probe("produce", {"acks": "all"}),
    "raw-write-durable": Probe("raw_write_durable"),
    "append-many": Probe("append_many", {"acks": 1}),
    "idempotent": Probe("produce_idempotent", {"acks": "all"}),
    "flushed": Probe("produce_flushed", {"acks": 1}, share=0.25),
    "transactions": Probe("transactions", {"acks": 1}, share=0.25),
    "flushed-all": Probe("produce_flushed", {"acks": "all"}, share=0.1),
    "transactions-all": Probe("transactions", {"acks": "all"}, share=0.1),
    "two-processes": Probe("end_to_end"),
    "raw-read": Probe("raw_read", reads="plain"),
    "consume": Probe("consume", reads="plain"),
    "consume-value": Probe("consume_value", reads="plain"),
    "poll": Probe("poll_value", reads="plain"),
    "columns": Probe("columns", reads="plain"),
    "uncommitted": Probe(
        "consume_isolated", {"isolation": "read_uncommitted"}, reads="transactions"
    ),
    "committed": Probe("consume_isolated", {"isolation": "read_committed"}, reads="transactions"),
    "latency": Probe("latency", {**PACED, "busy_poll": False}, share=0.01),
    "latency-busy": Probe("latency", {**PACED, "busy_poll": True}, share=0.01),
    "raw-pipe-latency": Probe("raw_pipe_latency", PACED, share=0.01),
    "raw-spin-latency": Probe("raw_spin_latency", PACED, share=0.01),
    "rebalance": Probe("rebalance", MEMBERS, share=0.005, once=True),
    "takeover": Probe("takeover", MEMBERS, share=0.005, once=True),
    "compaction": Probe("compaction", share=5, once=True),
    "disk": Probe("disk", {"acks": 1}, once=True),
    "memory": Probe("memory", share=5, once=True),
    "crash": Probe("crash", {"bytes": 1 << 30}, once=True),
}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        name: for --rows.
        label: what it says.
        probe: key of `PROBES`.
        figure: key of the probe's figures.
        unit: of the figure.
        against: probe whose figure it is divided by; the goal is then of the quotient.
        goal: at least, or with `at_most` at most; None for what is shown for comparison.
        also: more of the probe's figures that belong beside it, with their units.
    """

    name: str
    label: str
    probe: str
    figure: str = "rate"
    unit: str = "records/s"
    against: str | None = None
    goal: float | None = None
    at_most: bool = False
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return "raw" if self.probe.startswith(("raw-", "bare-")) else "main"


_TAIL = {"p99_us": "µs", "p999_us": "µs", "late_share": ""}

ROWS = (
    Row("raw-write", "open(path, 'ab').write loop", "raw-write"),
    Row("produce", "produce loop, acks=1", "produce", against="raw-write", goal=1.5),
    Row("produce-all", "produce loop, acks=all", "produce-all", against="produce", goal=0.7),
    Row("raw-write-durable", "raw loop, then fdatasync", "raw-write-durable", against="raw-write"),
    Row("append-many", "append_many, 1,000 pairs", "append-many", against="raw-write", goal=4.0),
    Row(
        "two-processes",
        "process to process",
        "two-processes",
        against="raw-write",
        goal=1.3,
        also={"write_rate": "records/s"},
    ),
    Row(
        "idempotent", "idempotent produce loop, acks=all", "idempotent", against="produce-all",
        goal=0.9,
    ),
    Row("flushed", "flush every 1,000, acks=1", "flushed", against="produce"),
    Row(
        "transactions", "transactions of 1,000, acks=1", "transactions", against="flushed", goal=0.5
    ),
    Row("transactions-whole", "against one flush", "transactions", against="produce"),
    Row("flushed-all", "flush every 1,000, acks=all", "flushed-all", against="produce-all"),
    Row(
        "transactions-all", "transactions of 1,000, acks=all", "transactions-all",
        against="flushed-all", goal=0.4,
    ),
    Row("transactions-all-whole", "against one flush", "transactions-all", against="produce-all"),
    Row("raw-read", "file.read loop", "raw-read"),
    Row("consume", "consume(1000)", "consume", against="raw-read", goal=2.2),
    Row("consume-value", "consume(1000), value()", "consume-value", against="raw-read", goal=1.5),
    Row("poll", "poll(), value()", "poll", against="raw-read", goal=0.85),
    Row("columns", "columns", "columns", against="raw-read", goal=5.0),
    Row("uncommitted", "transactions, read_uncommitted", "uncommitted"),
    Row(
        "committed", "transactions, read_committed", "committed", against="uncommitted", goal=0.9
    ),
    Row(
        "latency", "follow, sleeping, p50", "latency", "p50_us", "µs", goal=60.0, at_most=True,
        also=_TAIL,
    ),
    Row(
        "latency-busy", "follow, busy.poll, p50", "latency-busy", "p50_us", "µs", goal=5.0,
        at_most=True, also=_TAIL,
    ),
    Row("raw-pipe-latency", "pipe, p50", "raw-pipe-latency", "p50_us", "µs", also=_TAIL),
    Row("raw-spin-latency", "pwrite and spin, p50", "raw-spin-latency", "p50_us", "µs", also=_TAIL),
    Row(
        "rebalance", "rebalance, 8 members, 64 partitions", "rebalance", "median_ms", "ms",
        goal=200.0, at_most=True, also={"max_ms": "ms"},
    ),
    Row(
        "takeover", "a killed member's partitions read", "takeover", "median_ms", "ms", goal=300.0,
        at_most=True, also={"max_ms": "ms"},
    ),
    Row(
        "compaction", "compaction, warm", "compaction", "mb_per_s", "MB/s", goal=200.0,
        also={"raw_mb_per_s": "MB/s"},
    ),
    Row(
        "compaction-memory", "compaction, memory a key", "compaction", "bytes_per_key", "B",
        goal=64.0, at_most=True,
    ),
    Row(
        "disk", "disk a record", "disk", "bytes_per_record", "B", goal=118.2, at_most=True,
        also={"log_bytes_per_record": "B"},
    ),
    Row(
        "memory", "writer's peak memory", "memory", "peak_mb", "MB", goal=60.0, at_most=True,
        also={"first_mb": "MB", "last_mb": "MB"},
    ),
    Row("memory-growth", "writer's growth", "memory", "growth_mb", "MB", goal=2.0, at_most=True),
    Row(
        "open-killed", "open 1 GiB after kill -9", "crash", "killed_ms", "ms", goal=50.0,
        at_most=True, also={"killed_max_ms": "ms"},
    ),
    Row(
        "open-rebooted", "scan after a reboot", "crash", "scan_gb_s", "GB/s", goal=1.0,
        also={"scan_ms": "ms", "rebooted_ms": "ms"},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Suite:
    """What one run measures.

    Args:
        title: of the picture.
        heading: of its first chart.
        rows: the lines.
        probes: by name.
        fills: what is written for those that read, by kind.
        records: how many, unless told.
        command: that repeats it.
    """

    title: str
    heading: str
    rows: tuple[Row, ...]
    probes: Mapping[str, Probe]
    fills: Mapping[str, tuple[Probe, ...]]
    records: int
    command: str

    def choose(self, names: str | None) -> list[Row]:
        """Return the rows named, by commas; all when None.

        Raises:
            ValueError: an unknown name.
        """
        if names is None:
            return list(self.rows)
        known = {row.name: row for row in self.rows}
        if unknown := [name for name in names.split(",") if name not in known]:
            raise ValueError(f"no row {', '.join(unknown)}; there are {', '.join(known)}")
        return [known[name] for name in names.split(",")]

    def probes_of(self, rows: list[Row]) -> list[str]:
        """Return the probes that `rows` need, in the order of `probes`."""
        wanted = {row.probe for row in rows} | {row.against for row in rows}
        return [name for name in self.probes if name in wanted]


LOGS = Suite(
    "pylog beside the raw loop",
    "Records a second, {value_bytes}-byte values and 8-byte keys",
    ROWS,
    PROBES,
    FILLS,
    2_000_000,
    "make bench",
)
