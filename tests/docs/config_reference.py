"""Writes docs/reference/config.md from the tables of pylog.config and logcore.config.

python tests/docs/config_reference.py        # test_config_reference.py says when that is due
"""

import re
from pathlib import Path

from logcore.config import TOPIC_CONFIGS
from pylog import config
from pylog.config_table import ALIASES, JAVA_NAMES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "config.md"
CLIENTS = (
    "producer.py",
    "txn/transactional_producer.py",
    "consumer.py",
    "admin.py",
    "group/subscriber.py",
    "group/offset_keeper.py",
)

# What each property does on a folder; those that are not here are checked, kept and do nothing.
EFFECTS = {
    "log.dir": "folder of the log; without it `$PYLOG_DIR`, else `./pylog-data`",
    "bootstrap.servers": "a cluster, not a folder: see [a real cluster](../guides/cluster.md)",
    "allow.auto.create.topics": "false in a producer: a topic that is not there is an error, even "
    "where the folder's auto.create.topics.enable makes topics",
    "read.only": "look only; works on a read-only file system (consumer)",
    "error_cb": "called with a KafkaError when the disk refuses a batch, in poll() and flush()",
    "message.max.bytes": "largest message, and batch before compression",
    "on_delivery": "called for each message in poll() and flush(): `on_delivery(error, message)`",
    "queue.buffering.max.messages": "messages that wait at most; one more is a BufferError",
    "linger.ms": "how long a batch waits for more; 0 appends each message at once",
    "compression.type": "codec of batches",
    "compression.level": "of that codec, −1 its default",
    "batch.num.messages": "messages in a batch at most",
    "batch.size": "bytes in a batch at most, before compression",
    "delivery.timeout.ms": "how long a message may wait for a disk that refuses it; 0 for ever",
    "acks": "0 in this process's memory, 1 in the page cache, all on the disk",
    "enable.idempotence": "a batch that is sent twice is written once",
    "transactional.id": "the producer writes in transactions; one producer at a time has the id",
    "transaction.timeout.ms": "how long one may stay open; at most 900000",
    "partitioner": "how a key finds its partition; a callable works too",
    "busy.poll": "spin for new messages instead of sleeping",
    "enable.auto.offset.store": "whether handing out a message moves the stored offset",
    "enable.partition.eof": "an event at the end of a partition",
    "auto.offset.reset": "where to begin without an offset, or when it is gone",
    "group.id": "the group whose members share topics, and whose offsets are committed",
    "group.instance.id": "a static member: its place is kept for session.timeout.ms",
    "client.id": "what a member's id begins with",
    "partition.assignment.strategy": "range, roundrobin, sticky, cooperative-sticky",
    "session.timeout.ms": "a member that is stopped for longer is put out; a dead one is at once",
    "heartbeat.interval.ms": "how often a member gives a sign of life at least",
    "max.poll.interval.ms": "a member that does not poll for longer is put out",
    "enable.auto.commit": "commit stored offsets every interval, before partitions go, at close()",
    "auto.commit.interval.ms": "how often; 0 for not by time",
    "on_commit": "called for each commit that nobody waits for: `on_commit(error, partitions)`",
    "isolation.level": "read_committed: up to the last stable offset, without aborted records",
}
TOPIC_EFFECTS = {
    "cleanup.policy": "`delete` lets retention delete; `compact` keeps the last record of each key",
    "delete.retention.ms": "",
    "index.interval.bytes": "",
    "internal.segment.bytes": "",
    "max.compaction.lag.ms": "bounds segment.ms too where the policy has compact",
    "max.message.bytes": "",
    "message.timestamp.after.max.ms": "of what clients of a server send; programs are not checked",
    "message.timestamp.before.max.ms": "likewise",
    "message.timestamp.type": "",
    "min.cleanable.dirty.ratio": "",
    "min.compaction.lag.ms": "",
    "retention.bytes": "",
    "retention.ms": "",
    "segment.bytes": "",
    "segment.index.bytes": "",
    "segment.jitter.ms": "",
    "segment.ms": "",
}

# Properties of LogConfig that stand for several of its fields.
DERIVED = {
    "is_deleted": {"cleanup_policy"},
    "is_compacted": {"cleanup_policy"},
    "segment_size_bytes": {"segment_bytes", "internal_segment_bytes"},
    "max_segment_ms": {"segment_ms", "max_compaction_lag_ms"},
}

HEAD = """\
# Configuration

<!-- Written by tests/docs/config_reference.py from the tables in the code. -->

Names, aliases, defaults and ranges of clients are librdkafka 2.16's, those of topics Kafka 4's, so
that a program's configuration moves over as it is. Values may be text or Python values. A name that
is unknown is an error that names the nearest known one:

```python
import pylog

try:
    pylog.Producer({"log.dir": "data", "linger.msec": 5})
except pylog.KafkaException as error:
    print(error.args[0].str())
```

```text
No such configuration property: "linger.msec". Did you mean "linger.ms"?
```

Where the Java client has another name, the hint knows it:

"""

INERT = """\
What concerns brokers, sockets or TLS means nothing on a folder in this
version. These are checked as librdkafka checks them, so that one configuration serves both, and do
nothing there; on a cluster librdkafka obeys them all:
"""
TOPICS = """\
For `pylog topics create -c NAME=VALUE`, `AdminClient` and `log.topic(name, configs={...})`.
"""


def used_by_clients() -> set[str]:
    """Properties that the clients' code reads."""
    sources = [ROOT / "src" / "pylog" / name for name in CLIENTS]
    text = "".join(path.read_text() for path in sources if path.exists())
    text += (ROOT / "src/pylog/config.py").read_text().split("def resolve_log_dir")[1]
    names = set(re.findall(r"config\[\"([a-z_.]+)\"\]", text))
    names.add("bootstrap.servers")  # by pylog.remote, before anything is parsed
    return {ALIASES.get(name, name) for name in names}


def used_by_logs() -> set[str]:
    """Topic configs that logcore's code reads, and what checks batches of clients."""
    folder = ROOT / "src" / "logcore"
    paths = [*folder.glob("*.py"), *folder.glob("*.pyx")]
    paths += (ROOT / "src" / "pylog" / "server").glob("*.pyx")
    text = "".join(path.read_text() for path in paths if path.name != "config.py")
    names = set(re.findall(r"\bconfig\.(\w+)\b", text))
    fields = names.union(*(DERIVED[name] for name in names & DERIVED.keys()))
    return {name for name, definition in TOPIC_CONFIGS.items() if definition.field_name in fields}


def show(value: object) -> str:
    """A default as the page shows it."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list | frozenset):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def client_rows(table: dict[str, config.Property]) -> list[str]:
    """A table of the properties of one kind that do something."""
    rows = ["| property | default | allowed | what it does here |", "|---|---|---|---|"]
    for name, prop in table.items():
        if name not in EFFECTS:
            continue
        default = "all" if prop.kind == "acks" else show(prop.default)
        allowed = prop.allowed.replace(",", ", ") or prop.kind
        also = [alias for alias, target in ALIASES.items() if target == name]
        shown = f"`{name}`" + "".join(f"<br>`{alias}`" for alias in sorted(also))
        rows.append(f"| {shown} | {default} | {allowed} | {EFFECTS[name]} |")
    return rows


def inert_names(table: dict[str, config.Property]) -> str:
    """The properties that are checked and kept, as one paragraph."""
    return ", ".join(f"`{name}`" for name in sorted(table) if name not in EFFECTS)


def topic_rows() -> list[str]:
    """A table of all topic configs."""
    rows = ["| config | type | default | allowed | meaning | here |", "|---|---|---|---|---|---|"]
    for name, definition in TOPIC_CONFIGS.items():
        if definition.is_internal:
            continue
        effect = TOPIC_EFFECTS.get(name)
        here = "kept, no effect yet" if effect is None else effect or "yes"
        if definition.doc.startswith("Of no effect") and effect is None:
            here = "no"
        cells = [f"`{name}`", definition.type.value.lower(), show(definition.default),
                 definition.valid_values, definition.doc, here]  # fmt: skip
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def page() -> str:
    """The whole page."""
    java = ["| Java | here |", "|---|---|"]
    java += [f"| `{name}` | `{ours}` |" for name, ours in JAVA_NAMES.items()]
    lines = [HEAD + "\n".join(java), "", "## Every client", "", *client_rows(config.ADMIN)]
    for kind, table in (("Producer", config.PRODUCER), ("Consumer", config.CONSUMER)):
        own = {name: prop for name, prop in table.items() if name not in config.ADMIN}
        lines += ["", f"## {kind}", "", *client_rows(own)]
    lines += ["", "## Accepted without effect", "", INERT, inert_names(config.PROPERTIES) + "."]
    lines += ["", "## Topics", "", TOPICS, *topic_rows()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
