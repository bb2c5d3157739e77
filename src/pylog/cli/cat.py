r"""`pylog cat`: kcat's letters, on a server or on a folder.

    pylog cat -b 127.0.0.1:9092 -L
    seq 10 | pylog cat -b ./data -t numbers -P
    pylog cat -b ./data -t numbers -C -o -5 -e -f '%p:%o %s\n'
    pylog cat -b 127.0.0.1:9092 -G readers numbers
    pylog cat -b ./data -Q -t numbers:0:1700000000000

`-b` names a folder when there is one of that name, or when it has a slash in it; else servers. It
reads its options with argparse: kcat's `-G GROUP TOPIC...` is nothing that typer knows.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pylog.cli import console, consume, options, produce
from pylog.cli.cat_client import Place, ServerSender, read_properties
from pylog.cli.failures import CommandError
from pylog.cli.offsets import parse_offsets

if TYPE_CHECKING:
    from pylog import Message

SHORT_HELP = "kcat's letters: -P, -C, -L, -Q, -G on a server or a folder."
MODES = ("P", "C", "L", "Q", "G")
TIMEOUT_S = 10.0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (see: pylog cat --help)", exit_code=2)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = _Parser(
        prog="pylog cat",
        description="Produce, consume, list and query as kcat does, on a server or on a folder.",
        epilog="Example: seq 10 | pylog cat -b ./data -t numbers -P",
        allow_abbrev=False,
    )
    add = parser.add_argument
    modes = parser.add_mutually_exclusive_group()
    for letter, text in (
        ("P", "Produce what stdin, or the files, have; the mode if stdin is no terminal."),
        ("C", "Consume; the mode if stdin is a terminal."),
        ("L", "List nodes, topics and partitions."),
        ("Q", "Query offsets by time: -t TOPIC:PARTITION:MS."),
    ):
        modes.add_argument(f"-{letter}", dest="mode", action="store_const", const=letter, help=text)
    modes.add_argument(
        "-G", dest="group", metavar="GROUP", help="Consume topics as one of a group."
    )
    add("-b", dest="place", default="", metavar="PLACE", help="HOST:PORT,... or a folder.")
    add("-t", dest="topics", action="append", default=[], metavar="TOPIC", help="The topic.")
    add("-p", dest="partition", type=int, metavar="N", help="The partition; all, or by the key.")
    add("-D", dest="delimiter", default=r"\n", metavar="DELIM", help="Between messages.")
    add("-K", dest="key_delimiter", metavar="DELIM", help="Between key and message.")
    add("-c", dest="count", type=int, metavar="N", help="Stop after so many messages.")
    add("-X", dest="properties", action="append", default=[], metavar="NAME=VALUE",
        help="A property of the client.")  # fmt: skip
    add("-F", dest="file", metavar="FILE", help="Properties of the client, one a line.")
    add("-q", dest="quiet", action="store_true", help="No notes on stderr.")
    add("-v", dest="verbose", action="store_true", help="More notes on stderr.")
    add("-Z", dest="null", action="store_true", help="-P: empty is NULL; -C: NULL is printed so.")
    add("-o", dest="offsets", action="append", metavar="OFFSET",
        help="-C: beginning, end, N, -N, s@MS, e@MS; -G: stored, beginning, end.")  # fmt: skip
    add("-e", dest="exits", action="store_true", help="-C, -G: stop at the end.")
    add("-f", dest="format", metavar="FORMAT", help="-C, -G: what to print of a message.")
    add("-J", dest="json", action="store_true", help="-C, -G, -L: JSON.")
    add("-O", dest="print_offset", action="store_true", help="-C: print the offset first.")
    add("-u", dest="unbuffered", action="store_true", help="-C, -G: write each message at once.")
    add("-k", dest="key", metavar="KEY", help="-P: the key of every message.")
    add("-H", dest="headers", action="append", metavar="NAME=VALUE", help="-P: a header.")
    add("-z", dest="codec", metavar="CODEC", help="-P: gzip, snappy, lz4, zstd, none.")
    add("-T", dest="tee", action="store_true", help="-P: print what is sent.")
    add("-l", dest="splits", action="store_true", help="-P: messages of files, as of stdin.")
    add("-m", dest="timeout", type=float, default=TIMEOUT_S, metavar="SECONDS",
        help="How long to wait for an answer of a server; 10.")  # fmt: skip
    add("-d", dest="debug", metavar="LIST", help="What librdkafka logs, as `debug`; to stderr.")
    add("-V", dest="version", action="store_true", help="Print the version and stop.")
    add("words", nargs="*", metavar="FILE|TOPIC", help="Files of -P, topics of -G.")
    return parser


def cat(arguments: Sequence[str], folder: str = "") -> None:
    """Run the command.

    Args:
        arguments: words after `cat`.
        folder: of the log, where -b names nothing.
    """
    given = build_parser().parse_args(arguments)
    if given.version:
        console.out(f"pylog {options.installed_version()}")
        return
    mode = "G" if given.group else given.mode or ("C" if console.is_terminal(sys.stdin) else "P")
    if given.count is not None and given.count < 1:
        raise CommandError("-c wants a number of at least 1", exit_code=2)
    place = Place(read_properties(given, folder), given.timeout, given.quiet)
    {"P": _produce, "C": _consume, "L": _list, "Q": _query, "G": _consume_as_group}[mode](
        given, place
    )


def _one_topic(given: argparse.Namespace) -> str:
    if len(given.topics) != 1:
        raise CommandError("name one topic with -t", exit_code=2)
    return str(given.topics[0])


# ---- -P ----


def _produce(given: argparse.Namespace, place: Place) -> None:
    configuration = place.configuration()
    if given.codec is not None:
        configuration["compression.type"] = given.codec
    if given.partition is not None and given.partition < 0:
        configuration["partitioner"] = "random"
    between = given.key_delimiter
    topic = _one_topic(given)
    keywords: dict[str, Any] = dict(
        partition=given.partition,
        key_delimiter=produce._delimiter(between, "-K") if between is not None else None,
        fixed_key=None if given.key is None else os.fsencode(given.key),
        headers=produce._parse_headers(given.headers),
        empty_is_null=given.null,
        tee=produce._delimiter(given.delimiter, "-D") if given.tee else None,
        verbose=given.verbose,
    )
    sender = (
        produce._Sender(topic, **keywords)
        if place.servers is None
        else ServerSender(place, topic, **keywords)
    )
    files = [Path(word) for word in given.words]
    batches = produce._read_messages(files, produce._delimiter(given.delimiter, "-D"), given.splits)
    sender.open(configuration)
    sender.run(batches, given.count)
    if given.verbose and not given.quiet:
        sender.summarize()


# ---- -C, -G ----


class _Follower(consume._Follower):
    """Follows partitions without a group."""

    def _take_event(self, message: "Message") -> None:
        from pylog import KafkaError

        error = message.error()
        if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            # librdkafka looks for the coordinator of its group.id even where offsets are given
            # with the partitions; the answer is of no use here.
            return
        super()._take_event(message)


def _consume(given: argparse.Namespace, place: Place) -> None:
    topic = _one_topic(given)
    offset_range = parse_offsets(given.offsets)
    printer = _printer(given)
    consumer = place.open_consumer(
        "pylog-cat",
        enable_auto_commit="false",
        enable_partition_eof="true",
        auto_offset_reset="error",
    )
    follower = _Follower(
        consumer, printer, given.exits, given.count, given.quiet, console._Silence()
    )
    try:
        with place.explain(consumer):
            partitions = _partitions_of(consumer, topic, place.timeout_s)
        if given.partition is not None:
            if given.partition not in partitions:
                raise CommandError(f"topic {topic} has no partition {given.partition}")
            partitions = [given.partition]
        follower.start(topic, partitions, offset_range)
        follower.run()
    finally:
        follower.close()
        printer.flush()


def _partitions_of(client: Any, topic: str, timeout_s: float) -> list[int]:
    found = client.list_topics(topic, timeout=timeout_s).topics[topic]
    if found.error is not None:
        raise CommandError(f"topic {topic}: {found.error.str()}")
    return sorted(found.partitions)


def _printer(given: argparse.Namespace) -> Any:
    formatter = consume._formatter(
        given.format, given.json, given.delimiter, given.key_delimiter, given.print_offset,
        given.null,
    )  # fmt: skip
    return consume._Printer(sys.stdout.buffer, formatter, unbuffered=given.unbuffered)


def _consume_as_group(given: argparse.Namespace, place: Place) -> None:
    from pylog import KafkaError, KafkaException

    topics = [*given.topics, *given.words]
    if not topics:
        raise CommandError("-G GROUP wants the topics behind it", exit_code=2)
    printer = _printer(given)
    consumer = place.open_consumer(
        given.group,
        enable_partition_eof="true",
        auto_offset_reset=_group_start(given.offsets),
    )
    remaining: int | None = given.count
    ended: set[tuple[str | None, int | None]] = set()
    try:
        place.reach(consumer)
        consumer.subscribe(topics)
        while remaining != 0:
            for message in consumer.consume(1 if remaining is not None else 1000, timeout=0.2):
                error = message.error()
                partition = message.topic(), message.partition()
                if error is None:
                    ended.discard(partition)
                    printer.print_all([message])
                    remaining = None if remaining is None else remaining - 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(partition)
                else:
                    raise KafkaException(error)
            printer.flush()
            assigned = {(each.topic, each.partition) for each in consumer.assignment()}
            if given.exits and assigned and assigned <= ended:
                break
    finally:
        consumer.close()
        printer.flush()


def _group_start(words: list[str] | None) -> str:
    """auto.offset.reset: where a group begins that committed nothing."""
    if not words or words == ["stored"]:
        return "earliest"
    start = parse_offsets(words)
    if start.kind not in ("beginning", "end") or start.stop_timestamp_ms is not None:
        raise CommandError("-o of a group is stored, beginning or end", exit_code=2)
    return "earliest" if start.kind == "beginning" else "latest"


# ---- -L, -Q ----


def _list(given: argparse.Namespace, place: Place) -> None:
    admin = place.open_admin()
    topic = given.topics[0] if given.topics else None
    with place.explain(admin):
        found = admin.list_topics(topic, timeout=place.timeout_s)
    if given.json:
        console.out(_as_json(found))
        return
    console.out(f"Metadata for {topic or 'all topics'} (from {place.name}):")
    console.out(f" {len(found.brokers)} brokers:")
    for number, broker in sorted(found.brokers.items()):
        mark = " (controller)" if number == found.controller_id else ""
        console.out(f"  broker {number} at {broker.host}:{broker.port}{mark}")
    console.out(f" {len(found.topics)} topics:")
    for name, each in sorted(found.topics.items()):
        fault = f" {each.error.str()}" if each.error is not None else ""
        console.out(f'  topic "{name}" with {len(each.partitions)} partitions:{fault}')
        for number, partition in sorted(each.partitions.items()):
            replicas, isrs = (
                ",".join(map(str, row)) for row in (partition.replicas, partition.isrs)
            )
            console.out(
                f"    partition {number}, leader {partition.leader}, replicas: {replicas}, "
                f"isrs: {isrs}"
            )


def _as_json(found: Any) -> str:
    import json

    return json.dumps(
        {
            "brokers": [
                {"id": number, "name": f"{broker.host}:{broker.port}"}
                for number, broker in sorted(found.brokers.items())
            ],
            "controllerid": found.controller_id,
            "topics": [
                {
                    "topic": name,
                    "partitions": [
                        {
                            "partition": number,
                            "leader": partition.leader,
                            "replicas": [{"id": each} for each in partition.replicas],
                            "isrs": [{"id": each} for each in partition.isrs],
                        }
                        for number, partition in sorted(topic.partitions.items())
                    ],
                }
                for name, topic in sorted(found.topics.items())
            ],
        }
    )


def _query(given: argparse.Namespace, place: Place) -> None:
    from pylog import TopicPartition

    wanted = []
    for text in given.topics:
        name, first, rest = text.partition(":")
        partition, second, time_ms = rest.partition(":")
        try:
            wanted.append(TopicPartition(name, int(partition), int(time_ms)))
        except ValueError:
            raise CommandError(f"-t {text!r} is not TOPIC:PARTITION:MS", exit_code=2) from None
    if not wanted:
        raise CommandError("-Q wants -t TOPIC:PARTITION:MS", exit_code=2)
    consumer = place.open_consumer("pylog-cat", enable_auto_commit="false")
    try:
        with place.explain(consumer):
            answers = consumer.offsets_for_times(wanted, timeout=place.timeout_s)
        for found in answers:
            console.out(f"{found.topic} [{found.partition}] offset {found.offset}")
    finally:
        consumer.close()
