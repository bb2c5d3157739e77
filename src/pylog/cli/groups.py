"""`pylog groups`: list, describe, reset and delete; the look of kafka-consumer-groups."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pylog.cli import console, group_report, options, topics
from pylog.cli.failures import CommandError
from pylog.cli.group_report import STATE_NAMES, TIMEOUT_S, Partition
from pylog.cli.group_reset import new_offsets, parse_target

if TYPE_CHECKING:
    from logcore.log import Log
    from pylog.admin import AdminClient, ConsumerGroupDescription
    from pylog.log_dir import LogDir

app = typer.Typer(
    help="List, describe, reset and delete consumer groups.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

GroupsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="GROUP", show_default=False, help="Ids of groups.")
]
GroupOption = Annotated[
    list[str] | None,
    typer.Option(
        "--group", metavar="GROUP", help="Id of a group; may be repeated.", show_default=False
    ),
]
AllGroupsOption = Annotated[bool, typer.Option("--all-groups", help="Every group.")]
TopicsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        metavar="TOPIC[:P,P]",
        help="A topic, or some of its partitions; may be repeated.",
        show_default=False,
    ),
]


@app.command("list")
def list_groups(
    folder: options.FolderOption = "",
    state: Annotated[bool, typer.Option("--state", help="Show the states too.")] = False,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="STATES", help="Only groups in these states, by comma.",
            show_default=False,
        ),
    ] = None,
    json_output: options.JsonOption = False,
) -> None:  # fmt: skip
    """List the consumer groups, one a line."""
    from pylog.admin import ConsumerGroupState

    options.require_folder(folder)
    states = {ConsumerGroupState[name] for name in _state_keys(only)} if only is not None else None
    with _open_reader(folder) as admin:
        found = admin.list_consumer_groups(states=states).result(TIMEOUT_S).valid or []
    rows = [(each.group_id, STATE_NAMES[each.state.name]) for each in found]
    if json_output:
        console.out_json([{"group": group, "state": name} for group, name in rows])
    elif state or only is not None:
        group_report.print_columns(("GROUP", "STATE"), rows, narrow={0: 25})
    else:
        for group, _ in rows:
            console.out(group)


@app.command("describe")
def describe(
    groups: GroupsArgument = None,
    folder: options.FolderOption = "",
    group_options: GroupOption = None,
    all_groups: AllGroupsOption = False,
    members: Annotated[bool, typer.Option("--members", help="Show the members.")] = False,
    state: Annotated[bool, typer.Option("--state", help="Show state and strategy.")] = False,
    offsets: Annotated[bool, typer.Option("--offsets", help="Show the lag; the default.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="With --members: what they were assigned.")
    ] = False,
    json_output: options.JsonOption = False,
) -> None:
    """Show offsets and lag, members or state of some or all groups."""
    if members + state + offsets > 1:
        raise typer.BadParameter(
            "give one of --members, --state and --offsets", param_hint="describe"
        )
    options.require_folder(folder)
    with _open_reader(folder) as admin, _open_folder(folder) as log_dir:
        wanted = _wanted_groups(admin, groups, group_options, all_groups)
        described = _describe(admin, folder, wanted)
        is_first = True
        rows = {}
        for group, one in described.items():
            if json_output or not (members or state):
                rows[group] = group_report.offset_rows(log_dir, one, _committed(admin, group))
            if json_output:
                continue
            if not is_first:
                console.out()
            is_first = False
            _warn(group, one)
            if members:
                group_report.print_members(group, one, verbose)
            elif state:
                group_report.print_state(group, one)
            else:
                group_report.print_offsets(group, rows[group])
        if json_output:
            console.out_json(
                [
                    group_report.describe_json(name, one, rows[name])
                    for name, one in described.items()
                ]
            )


@app.command("reset-offsets")
def reset_offsets(
    groups: GroupsArgument = None,
    folder: options.FolderOption = "",
    group_options: GroupOption = None,
    all_groups: AllGroupsOption = False,
    topic_words: TopicsOption = None,
    all_topics: Annotated[
        bool, typer.Option("--all-topics", help="Every topic that the group has offsets for.")
    ] = False,
    to_earliest: Annotated[bool, typer.Option("--to-earliest", help="To the first.")] = False,
    to_latest: Annotated[bool, typer.Option("--to-latest", help="To the end.")] = False,
    to_current: Annotated[
        bool, typer.Option("--to-current", help="Where it is; to the end where it never was.")
    ] = False,
    to_offset: Annotated[
        int | None, typer.Option("--to-offset", metavar="N", show_default=False)
    ] = None,
    shift_by: Annotated[
        int | None,
        typer.Option("--shift-by", metavar="N", help="Forward by N, or back.", show_default=False),
    ] = None,
    to_datetime: Annotated[
        str | None,
        typer.Option(
            "--to-datetime", metavar="TIME", show_default=False,
            help="To a time: YYYY-MM-DDTHH:MM:SS.sss, UTC unless it has a zone.",
        ),
    ] = None,
    by_duration: Annotated[
        str | None,
        typer.Option(
            "--by-duration", metavar="P", show_default=False,
            help="To so long before now: P7D, PT1H30M.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be set; the default.")
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Set the offsets.")] = False,
    json_output: options.JsonOption = False,
) -> None:  # fmt: skip
    """Set the offsets of groups without members. Shows what it would do until --execute."""
    target = parse_target(
        to_earliest, to_latest, to_current, to_offset, shift_by, to_datetime, by_duration
    )
    if dry_run and execute:
        raise typer.BadParameter("give --dry-run or --execute, not both", param_hint="--execute")
    if bool(topic_words) == all_topics:
        raise typer.BadParameter("give --topic or --all-topics", param_hint="--topic")
    options.require_folder(folder)
    with (
        topics.open_admin(folder) if execute else _open_reader(folder) as admin,
        _open_folder(folder) as log_dir,
    ):
        planned = {}
        for group in _wanted_groups(admin, groups, group_options, all_groups):
            _require_inactive(admin, group)
            committed = _committed(admin, group)
            logs = _logs_of(log_dir, folder, topic_words, committed)
            planned[group] = new_offsets(logs, committed, target)
        for group, offsets in planned.items() if execute else ():
            _alter(admin, group, offsets)
    rows = [(group, *key, offset) for group in planned for key, offset in planned[group].items()]
    if json_output:
        names = ("group", "topic", "partition", "new_offset")
        console.out_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        group_report.print_columns(
            ("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"), rows, narrow={2: 10}
        )
    if not execute:
        console.note("% dry run: nothing was changed; add --execute to set these offsets")


@app.command("delete")
def delete(
    groups: GroupsArgument = None,
    folder: options.FolderOption = "",
    group_options: GroupOption = None,
    all_groups: AllGroupsOption = False,
) -> None:
    """Delete groups without members, and their offsets. There is no way back."""
    options.require_folder(folder)
    with topics.open_admin(folder) as admin:
        wanted = _wanted_groups(admin, groups, group_options, all_groups)
        failures: list[Exception] = []
        for group, future in (admin.delete_consumer_groups(wanted) if wanted else {}).items():
            failure = future.exception(TIMEOUT_S)
            if failure is None:
                console.out(f"Deleted group {group}.")
            elif isinstance(failure, Exception):
                failures.append(failure)
    topics.raise_first(failures)


@app.command("delete-offsets")
def delete_offsets(
    group: Annotated[str | None, typer.Argument(metavar="GROUP", show_default=False)] = None,
    folder: options.FolderOption = "",
    group_options: GroupOption = None,
    topic_words: TopicsOption = None,
) -> None:
    """Forget a group's offsets in topics that it does not read."""
    from pylog import ConsumerGroupTopicPartitions, TopicPartition

    if not topic_words:
        raise typer.BadParameter("name a topic", param_hint="--topic")
    options.require_folder(folder)
    with topics.open_admin(folder) as admin, _open_folder(folder) as log_dir:
        named = [*([group] if group else []), *(group_options or [])]
        if len(set(named)) != 1:
            raise typer.BadParameter("name one group", param_hint="GROUP")
        (wanted,) = _wanted_groups(admin, named, None, False)
        _describe(admin, folder, [wanted])
        places = _logs_of(log_dir, folder, topic_words, {})
        request = ConsumerGroupTopicPartitions(
            wanted, [TopicPartition(*place) for place in sorted(places)]
        )
        future = admin.delete_consumer_group_offsets([request])[wanted]
        answered = future.result(TIMEOUT_S).topic_partitions or []
    group_report.print_columns(
        ("TOPIC", "PARTITION", "STATUS"),
        [
            (one.topic, one.partition, f"Error: {one.error.str()}" if one.error else "Successful")
            for one in answered
        ],
        narrow={1: 10},
    )
    failed = [one for one in answered if one.error]
    if failed:
        raise CommandError(f"{len(failed)} of {len(answered)} offsets of group {wanted} are kept")


# ---- shared ----


def _open_reader(folder: str) -> "AdminClient":
    """An AdminClient that changes nothing in the folder."""
    from pylog.admin import AdminClient

    return AdminClient({"log.dir": folder, "read.only": True})


@contextlib.contextmanager
def _open_folder(folder: str) -> Iterator["LogDir"]:
    from pylog.log_dir import LogDir

    with LogDir.open(folder, read_only=True) as log_dir:
        yield log_dir


def _wanted_groups(
    admin: "AdminClient", names: list[str] | None, more: list[str] | None, all_groups: bool
) -> list[str]:  # fmt: skip
    """Ids of the groups that were named, each once; or of all that there are."""
    wanted = list(dict.fromkeys([*(names or []), *(more or [])]))
    if bool(wanted) == all_groups:
        raise typer.BadParameter("name a group, or give --all-groups", param_hint="GROUP")
    if all_groups:
        found = admin.list_consumer_groups().result(TIMEOUT_S).valid or []
        wanted = [each.group_id for each in found]
    return wanted


def _describe(
    admin: "AdminClient", folder: str, wanted: list[str]
) -> dict[str, "ConsumerGroupDescription"]:
    """Describe groups that must exist.

    Raises:
        CommandError: one does not; names the nearest one.
    """
    if not wanted:
        return {}
    described = {
        group: future.result(TIMEOUT_S)
        for group, future in admin.describe_consumer_groups(wanted).items()
    }
    for group, one in described.items():
        if group_report.state_of(one) == "Dead":
            import difflib

            found = admin.list_consumer_groups().result(TIMEOUT_S).valid or []
            nearest = difflib.get_close_matches(group, [each.group_id for each in found], n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else "; see: pylog groups list"
            raise CommandError(f"group {group} does not exist in {folder}{hint}")
    return described


def _warn(group: str, described: "ConsumerGroupDescription") -> None:
    state = group_report.state_of(described)
    if state == "Empty":
        console.note(f"% group {group} has no members now")
    elif state != "Stable":
        console.note(f"% group {group} is rebalancing")


def _require_inactive(admin: "AdminClient", group: str) -> None:
    described = admin.describe_consumer_groups([group])[group].result(TIMEOUT_S)
    state = group_report.state_of(described)
    if state not in ("Empty", "Dead"):
        raise CommandError(
            f"group {group} is {state}: its offsets can be reset once its "
            f"{len(described.members)} member(s) are closed"
        )


def _committed(admin: "AdminClient", group: str) -> dict[Partition, int]:
    from pylog import ConsumerGroupTopicPartitions

    future = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
    found = future.result(TIMEOUT_S).topic_partitions or []
    return {(each.topic, each.partition): each.offset for each in found}


def _logs_of(
    log_dir: "LogDir", folder: str, words: list[str] | None, committed: dict[Partition, int]
) -> dict[Partition, "Log"]:
    """The partitions of `--topic` words; without any, those that have an offset."""
    known = log_dir.topics()
    places: list[Partition] = []
    for word in words or ():
        name, colon, numbers = word.partition(":")
        if name not in known:
            raise topics.unknown_topic(name, sorted(known), folder)
        count = known[name].partitions
        for number in numbers.split(",") if colon else map(str, range(count)):
            if not (number.isascii() and number.isdigit()):
                raise typer.BadParameter(f"{word!r} is not TOPIC[:P,P]", param_hint="--topic")
            if int(number) >= count:
                raise CommandError(f"topic {name} has partitions 0 to {count - 1}, not {number}")
            places.append((name, int(number)))
    if not words:
        places = [
            place for place in committed
            if place[0] in known and place[1] < known[place[0]].partitions
        ]  # fmt: skip
    return {place: log_dir.partition(*place) for place in places}


def _alter(admin: "AdminClient", group: str, offsets: dict[Partition, int]) -> None:
    from pylog import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

    if not offsets:
        return
    wanted = [TopicPartition(*place, offset) for place, offset in offsets.items()]
    request = ConsumerGroupTopicPartitions(group, wanted)
    answered = admin.alter_consumer_group_offsets([request])[group].result(TIMEOUT_S)
    for one in answered.topic_partitions or ():
        if one.error:
            raise KafkaException(one.error)


def _state_keys(words: str) -> list[str]:
    keys = {name.lower(): key for key, name in STATE_NAMES.items()}
    found = []
    for word in words.split(","):
        key = keys.get(word.strip().lower())
        if key is None:
            raise typer.BadParameter(
                f"{word!r} is not one of {', '.join(STATE_NAMES.values())}", param_hint="--only"
            )
        found.append(key)
    return found
