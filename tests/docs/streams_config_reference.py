"""Writes docs/streams/configuration.md from the tables of pylog.streams.

python tests/docs/streams_config_reference.py   # test_streams_config_reference.py: when it is due
"""

from pathlib import Path

from pylog.streams import config_table
from pylog.streams.config_values import SETTINGS, Setting

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "streams" / "configuration.md"

# What each property does; those that are not here are checked and do nothing.
EFFECTS = {
    "application.id": "names the group, the internal topics and the state; needed",
    "client.id": "what names of threads and clients begin with",
    "num.standby.replicas": "how many other instances keep a copy of each store",
    "state.dir": "where state on disk is; beside the log by default, one an instance",
    "statestore.cache.max.bytes": "cache of updates, of all threads; 0 sends each on at once",
    "default.key.serde": "of keys that nothing else was said for; a name will do",
    "default.value.serde": "of values, likewise",
    "default.timestamp.extractor": "what time a record is of; FailOnInvalidTimestamp by default",
    "deserialization.exception.handler": "asked about records that cannot be decoded",
    "processing.exception.handler": "asked when a function or a processor raises",
    "processing.exception.handler.global.enabled": "asked for global stores, too",
    "production.exception.handler": "asked about records that cannot be encoded or written",
    "errors.dead.letter.queue.topic.name": "where handlers send what failed",
    "ensure.explicit.internal.resource.naming": "missing names are an error of `build(config)`",
    "max.task.idle.ms": "how long to wait for an empty partition; -1 not, 0 for what is there",
    "num.stream.threads": "threads of this instance",
    "processing.guarantee": "exactly_once_v2: results, state and offsets are one transaction",
    "replication.factor": "of internal topics on a cluster; -1 is the cluster's default",
    "task.timeout.ms": "how long a task may fail to reach the log before it is an error",
    "topology.optimization": "fewer topics and stores; known to `build(config)`, too",
    "buffered.records.per.partition": "a partition is not read on while more are waiting",
    "commit.interval.ms": "how often to commit; 100 with exactly_once_v2",
    "repartition.purge.interval.ms": "how often what was read is deleted from repartition topics",
    "default.dsl.store": "rocksDB (or persistent): on disk; in_memory",
    "processor.wrapper.class": "a function (node name, process) that wraps every processor",
    "metrics.num.samples": "of rates and averages: how many samples",
    "metrics.sample.window.ms": "and how long one is",
    "poll.ms": "how long a thread waits for records when there are none",
    "state.cleanup.delay.ms": "how long state of tasks that went elsewhere stays on disk",
    "upgrade.from": "a release before 3.5 wrote some internal topics otherwise",
    "windowstore.changelog.additional.retention.ms": "how much longer than windows changelogs last",
    "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": (
        "how often outer joins look for what found no partner"
    ),
    "__emit.interval.ms.kstreams.windowed.aggregation__": "how often closed windows are looked for",
}

HEAD = """# Configuration of stream applications

<!-- Written by tests/docs/streams_config_reference.py from the tables in the code. -->

Names and defaults are Kafka Streams' 4.3. Values may be text or Python values; a duration is ms, a
timedelta or text such as "10s". A name that is unknown is an error that names the nearest one:

```python
from pylog.streams import StreamsConfig, StreamsConfigError, serdes

config = StreamsConfig({
    "application.id": "counts", "log.dir": "data", "commit.interval.ms": "10s",
    "default.key.serde": serdes.string, "producer.linger.ms": 20,
})
print(config["commit.interval.ms"], config["num.stream.threads"], config["default.key.serde"])

try:
    StreamsConfig({"application.id": "counts", "num.stream.thread": 2})
except StreamsConfigError as error:
    print(error)
```

```text
10000 1 <serdes.string>
there is no property 'num.stream.thread'; did you mean 'num.stream.threads'?
```

Where it runs is `log.dir`, a folder (`$PYLOG_DIR`, else `./pylog-data`), or `bootstrap.servers`, a
cluster.

"""
CLIENTS = """
## The clients

[Properties of the clients](../reference/config.md) may stand among them: without a prefix for all
that know them (`security.protocol`), with `consumer.`, `producer.` or `admin.` for one kind, and
with `main.consumer.`, `restore.consumer.` or `global.consumer.` for one purpose; the longest prefix
counts. `topic.` is for the configuration of internal topics: `topic.segment.bytes`.

By default consumers have `auto.offset.reset` earliest, and producers `partitioner` murmur2_random;
on a cluster `linger.ms` 100 and `enable.idempotence` true. Group, offsets, transactions and
assignment are the application's own, whatever is set.
"""


def show(setting: Setting) -> str:
    """A property's default."""
    value = setting.default
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if setting.kind == "handler":
        return "LogAndFail"
    return str(value)


def allowed(setting: Setting) -> str:
    """What it may be."""
    if setting.name == "upgrade.from":
        return "0.10.0 to 4.3"
    if ".." in setting.allowed:
        return setting.allowed.replace("..2147483647", "..")
    return setting.allowed.replace(",", ", ") or setting.kind


def page() -> str:
    """The whole page."""
    lines = ["| property | default | allowed | what it does |", "|---|---|---|---|"]
    for name, effect in EFFECTS.items():
        setting = SETTINGS[name]
        lines.append(f"| `{name}` | {show(setting)} | {allowed(setting)} | {effect} |")
    idle = sorted((SETTINGS.keys() - EFFECTS.keys()) | config_table.WITHOUT_EFFECT)
    text = HEAD + "## Properties\n\n" + "\n".join(lines) + "\n"
    text += "\nOther names: " + ", ".join(
        f"`{alias}` is `{name}`" for alias, name in config_table.ALIASES.items()
    )
    text += (
        ".\n\nKnown, and without effect here: " + ", ".join(f"`{name}`" for name in idle) + ".\n"
    )
    text += "\nRefused, since a program that sets them counts on what they do:\n\n"
    text += "| property | instead |\n|---|---|\n"
    text += "".join(f"| `{name}` | {why} |\n" for name, why in config_table.NOT_HERE.items())
    return text + CLIENTS


if __name__ == "__main__":
    PAGE.write_text(page())
