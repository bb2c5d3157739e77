"""`pylog topics`: create, list, describe, alter, delete; the look of kafka-topics."""

import os
from concurrent.futures import Future
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylog.cli import console, options
from pylog.cli.failures import CommandError

if TYPE_CHECKING:
    from pylog import Consumer
    from pylog.admin import AdminClient

app = typer.Typer(
    help="Create, list, describe, alter and delete topics.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_TIMEOUT_S = 60.0

NamesArgument = Annotated[list[str], typer.Argument(metavar="TOPIC", show_default=False)]

ConfigOption = Annotated[
    list[str] | None,
    typer.Option(
        "-c",
        "--config",
        metavar="NAME=VALUE",
        help="Topic configuration by its Kafka name, such as retention.ms; may be repeated.",
        show_default=False,
    ),
]


@app.command("create")
def create(
    names: NamesArgument,
    folder: options.FolderOption = "",
    partitions: Annotated[
        int, typer.Option("--partitions", metavar="N", min=1, help="How many partitions.")
    ] = 1,
    configs: ConfigOption = None,
    if_not_exists: Annotated[
        bool, typer.Option("--if-not-exists", help="An existing topic is not an error.")
    ] = False,
    replication_factor: Annotated[int, typer.Option("--replication-factor", hidden=True)] = 1,
) -> None:
    """Create topics, and the folder if it does not exist yet."""
    from pylog.admin import NewTopic

    if replication_factor not in (1, -1):
        raise CommandError("--replication-factor: a folder holds one copy; leave it out or say 1")
    properties = options.parse_pairs(configs, "-c")
    admin = open_admin(folder)
    wanted = [
        NewTopic(name, num_partitions=partitions, config=dict(properties))
        for name in dict.fromkeys(names)
    ]
    failures: list[Exception] = []
    for name, future in admin.create_topics(wanted).items():
        failure = _failure_of(future)
        if failure is None:
            console.out(f"Created topic {name}.")
        elif if_not_exists and _error_name(failure) == "TOPIC_ALREADY_EXISTS":
            console.note(f"pylog: topic {name} exists already; nothing to do")
        else:
            failures.append(failure)
    raise_first(failures)


@app.command("list")
def list_topics(
    folder: options.FolderOption = "",
    json_output: options.JsonOption = False,
) -> None:
    """List the topics, one a line."""
    options.require_folder(folder)
    counts = partition_counts(folder)
    if json_output:
        console.out_json([{"name": name, "partitions": counts[name]} for name in sorted(counts)])
        return
    for name in sorted(counts):
        console.out(name)


@app.command("describe")
def describe(
    names: Annotated[list[str] | None, typer.Argument(metavar="TOPIC", show_default=False)] = None,
    folder: options.FolderOption = "",
    json_output: options.JsonOption = False,
) -> None:
    """Show partitions, offsets, sizes and changed configuration of some or all topics."""
    options.require_folder(folder)
    known = partition_counts(folder)
    for name in names or ():
        if name not in known:
            raise unknown_topic(name, sorted(known), folder)
    admin = open_admin(folder)
    described = [_describe_one(admin, folder, name, known[name]) for name in names or sorted(known)]
    if json_output:
        console.out_json(described)
        return
    for topic in described:
        _print_description(topic)


@app.command("alter")
def alter(
    name: Annotated[str, typer.Argument(metavar="TOPIC", show_default=False)],
    folder: options.FolderOption = "",
    partitions: Annotated[
        int | None,
        typer.Option(
            "--partitions",
            metavar="N",
            min=1,
            help="New number of partitions; only upwards.",
            show_default=False,
        ),
    ] = None,
    configs: ConfigOption = None,
    delete_configs: Annotated[
        list[str] | None,
        typer.Option(
            "--delete-config",
            metavar="NAME",
            help="Set back to its default; may be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Change the configuration of a topic, or give it more partitions."""
    from pylog.admin import NewPartitions

    properties = options.parse_pairs(configs, "-c")
    if partitions is None and not properties and not delete_configs:
        raise typer.BadParameter(
            "nothing to change: give --partitions, -c or --delete-config", param_hint="TOPIC"
        )
    options.require_folder(folder)
    admin = open_admin(folder)
    known = admin.list_topics(timeout=_TIMEOUT_S).topics
    if name not in known:
        raise unknown_topic(name, sorted(known), folder)
    if properties or delete_configs:
        _alter_configs(admin, name, properties, delete_configs or [])
    if partitions is not None:
        _wait_for(admin.create_partitions([NewPartitions(name, partitions)]))
    console.out(f"Altered topic {name}.")


@app.command("delete")
def delete(
    names: NamesArgument,
    folder: options.FolderOption = "",
    if_exists: Annotated[
        bool, typer.Option("--if-exists", help="A missing topic is not an error.")
    ] = False,
) -> None:
    """Delete topics and all their records. There is no way back."""
    options.require_folder(folder)
    admin = open_admin(folder)
    known = admin.list_topics(timeout=_TIMEOUT_S).topics
    wanted = list(dict.fromkeys(names))
    missing = [name for name in wanted if name not in known]
    if missing and not if_exists:
        raise unknown_topic(missing[0], sorted(known), folder)
    failures: list[Exception] = []
    present = [name for name in wanted if name in known]
    if not present:
        return
    for name, future in admin.delete_topics(present).items():
        failure = _failure_of(future)
        if failure is None:
            console.out(f"Deleted topic {name}.")
        else:
            failures.append(failure)
    raise_first(failures)


def open_admin(folder: str) -> "AdminClient":
    """Return an AdminClient on `folder`, which is made if need be."""
    from pylog.admin import AdminClient

    return AdminClient({"log.dir": folder, "read.only": not options.is_writable(folder)})


def open_reader(folder: str) -> "Consumer":
    """Return a Consumer for looking at topics and offsets; it changes nothing in the folder."""
    from pylog import Consumer

    return Consumer({"log.dir": folder, "group.id": "pylog", "read.only": True})


def create_topic(folder: str, name: str, partitions: int, properties: dict[str, str]) -> None:
    """Create one topic, and the folder if need be; raise what the log says."""
    from pylog.admin import NewTopic

    topic = NewTopic(name, num_partitions=partitions, config=properties)
    _wait_for(open_admin(folder).create_topics([topic]))


def ensure_topic(folder: str, name: str, partitions: int) -> None:
    """Create the topic if it is missing, and say so."""
    if name not in partition_counts(folder):
        create_topic(folder, name, partitions, {})
        console.note(f"% created topic {name} in {folder}")


def delete_topic(folder: str, name: str) -> None:
    """Delete one topic; raise what the log says."""
    _wait_for(open_admin(folder).delete_topics([name]))


def partition_counts(folder: str) -> dict[str, int]:
    """Return the number of partitions of every topic in `folder`; none if it does not exist."""
    if not os.path.exists(folder):
        return {}
    with open_reader(folder) as consumer:
        topics = consumer.list_topics(timeout=_TIMEOUT_S).topics
        return {name: len(metadata.partitions) for name, metadata in topics.items()}


def require_topic(folder: str, name: str) -> int:
    """Return the number of partitions of a topic that must exist.

    Raises:
        CommandError: no such folder or no such topic; names the nearest one.
    """
    options.require_folder(folder)
    counts = partition_counts(folder)
    if name not in counts:
        raise unknown_topic(name, sorted(counts), folder)
    return counts[name]


def unknown_topic(name: str, known: list[str], folder: str) -> CommandError:
    """Return the error for a topic that is not there, with what to do about it."""
    import difflib

    nearest = difflib.get_close_matches(name, known, n=1)
    if nearest:
        return CommandError(f"topic {name} does not exist in {folder}; did you mean {nearest[0]}?")
    return CommandError(
        f"topic {name} does not exist in {folder}; create it with: pylog topics create {name}"
    )


def _alter_configs(
    admin: "AdminClient", name: str, properties: dict[str, str], delete_configs: list[str]
) -> None:
    from pylog.admin import (
        AlterConfigOpType,
        ConfigEntry,
        ConfigResource,
        ResourceType,
    )

    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in properties.items()
    ]
    entries += [
        ConfigEntry(key, None, incremental_operation=AlterConfigOpType.DELETE)
        for key in delete_configs
    ]
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
    _wait_for(admin.incremental_alter_configs([resource]))


def _describe_one(
    admin: "AdminClient", folder: str, name: str, partition_count: int
) -> dict[str, Any]:
    from pylog import TopicPartition
    from pylog.admin import ConfigResource, ConfigSource, ResourceType, TopicCollection

    topic_id = admin.describe_topics(TopicCollection([name]))[name].result(_TIMEOUT_S).topic_id
    resource = ConfigResource(ResourceType.TOPIC, name)
    (entries,) = _wait_for(admin.describe_configs([resource]))
    partitions = []
    with open_reader(folder) as consumer:
        for partition in range(partition_count):
            low, high = consumer.get_watermark_offsets(TopicPartition(name, partition))
            size_bytes = console.folder_size_bytes(f"{folder}/{name}-{partition}")
            partitions.append(
                {
                    "partition": partition,
                    "log_start_offset": low,
                    "log_end_offset": high,
                    "size_bytes": size_bytes,
                }
            )
    return {
        "name": name,
        "topic_id": str(topic_id),
        "partitions": partitions,
        "configs": {
            key: entry.value
            for key, entry in sorted(entries.items())
            if ConfigSource(entry.source) == ConfigSource.DYNAMIC_TOPIC_CONFIG
        },
    }


def _print_description(topic: dict[str, Any]) -> None:
    name = topic["name"]
    configs = ",".join(f"{key}={value}" for key, value in topic["configs"].items())
    console.out(
        f"Topic: {name}\tTopicId: {topic['topic_id']}\t"
        f"PartitionCount: {len(topic['partitions'])}\tReplicationFactor: 1\tConfigs: {configs}"
    )
    for partition in topic["partitions"]:
        console.out(
            f"\tTopic: {name}\tPartition: {partition['partition']}"
            f"\tLogStartOffset: {partition['log_start_offset']}"
            f"\tLogEndOffset: {partition['log_end_offset']}"
            f"\tSize: {console.bytes_text(partition['size_bytes'])}"
        )


def _wait_for(futures: dict[Any, "Future[Any]"]) -> list[Any]:
    """Return the results of all futures; raise the first failure."""
    return [future.result(timeout=_TIMEOUT_S) for future in futures.values()]


def _failure_of(future: "Future[Any]") -> Exception | None:
    try:
        future.result(timeout=_TIMEOUT_S)
    except Exception as exc:
        return exc
    return None


def _error_name(exc: Exception) -> str:
    error = exc.args[0] if exc.args else None
    name = getattr(error, "name", None)
    return str(name()) if callable(name) else ""


def raise_first(failures: list[Exception]) -> None:
    """Raise the first failure and print the others, so that none is lost."""
    from pylog.cli import failures as failure_lines

    for failure in failures[1:]:
        console.note(f"pylog: {failure_lines.describe(failure)[0]}")
    if failures:
        raise failures[0]
