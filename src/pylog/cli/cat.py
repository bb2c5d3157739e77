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

from pylog.cli import DEFAULT_FOLDER, console
from pylog.cli.failures import CommandError

if TYPE_CHECKING:
    from pylog import Consumer

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
        help="-C: beginning, end, N, -N, s@MS, e@MS.")  # fmt: skip
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
    add("words", nargs="*", metavar="FILE|TOPIC", help="Files of -P, topics of -G.")
    return parser


def cat(arguments: Sequence[str], folder: str = "") -> None:
    """Run the command.

    Args:
        arguments: words after `cat`.
        folder: of the log, where -b names nothing.
    """
    given = build_parser().parse_args(arguments)
    mode = "G" if given.group else given.mode or ("C" if console.is_terminal(sys.stdin) else "P")
    if given.count is not None and given.count < 1:
        raise CommandError("-c wants a number of at least 1", exit_code=2)
    client = _client_properties(given, folder)
    {"P": _produce, "C": _consume, "L": _list, "Q": _query, "G": _consume_as_group}[mode](
        given, client
    )


def find_place(place: str, folder: str = "") -> dict[str, str]:
    """The property that a client finds its log with.

    >>> find_place("127.0.0.1:9092"), find_place("./data")
    ({'bootstrap.servers': '127.0.0.1:9092'}, {'log.dir': './data'})
    """
    if not place:
        place = folder or os.environ.get("PYLOG_DIR") or DEFAULT_FOLDER
        return {"log.dir": place}
    if os.path.isdir(place) or "/" in place:
        return {"log.dir": place}
    return {"bootstrap.servers": place}


def _client_properties(given: argparse.Namespace, folder: str) -> dict[str, str]:
    from pylog.cli.options import parse_pairs

    lines: list[str] = []
    if given.file:
        text = Path(given.file).read_text(encoding="utf-8")
        lines = [line.strip() for line in text.splitlines()]
    found = parse_pairs((line for line in lines if line and line[0] != "#"), "-F")
    return found | parse_pairs(given.properties, "-X") | find_place(given.place, folder)


def _one_topic(given: argparse.Namespace) -> str:
    if len(given.topics) != 1:
        raise CommandError("name one topic with -t", exit_code=2)
    return str(given.topics[0])


# ---- -P ----


def _produce(given: argparse.Namespace, client: dict[str, str]) -> None:
    from pylog.cli import produce

    configuration = dict(client)
    if given.codec is not None:
        configuration["compression.type"] = given.codec
    if given.partition is not None and given.partition < 0:
        configuration["partitioner"] = "random"
    between = given.key_delimiter
    sender = produce._Sender(
        _one_topic(given),
        partition=given.partition,
        key_delimiter=produce._delimiter(between, "-K") if between is not None else None,
        fixed_key=None if given.key is None else os.fsencode(given.key),
        headers=produce._parse_headers(given.headers),
        empty_is_null=given.null,
        tee=produce._delimiter(given.delimiter, "-D") if given.tee else None,
        verbose=given.verbose,
    )
    files = [Path(word) for word in given.words]
    batches = produce._read_messages(files, produce._delimiter(given.delimiter, "-D"), given.splits)
    sender.open(configuration)
    sender.run(batches, given.count)
    if given.verbose and not given.quiet:
        sender.summarize()


# ---- -C, -G ----


def _open_consumer(client: dict[str, str], **defaults: str) -> "Consumer":
    from pylog import Consumer

    return Consumer({name.replace("_", "."): value for name, value in defaults.items()} | client)


def _consume(given: argparse.Namespace, client: dict[str, str]) -> None:
    from pylog.cli import consume
    from pylog.cli.offsets import parse_offsets

    topic = _one_topic(given)
    offset_range = parse_offsets(given.offsets)
    printer = _printer(given)
    consumer = _open_consumer(
        client,
        group_id="pylog-cat",
        enable_auto_commit="false",
        enable_partition_eof="true",
        auto_offset_reset="error",
    )
    follower = consume._Follower(
        consumer, printer, given.exits, given.count, given.quiet, console._Silence()
    )
    try:
        partitions = _partitions_of(consumer, topic)
        if given.partition is not None:
            if given.partition not in partitions:
                raise CommandError(f"topic {topic} has no partition {given.partition}")
            partitions = [given.partition]
        follower.start(topic, partitions, offset_range)
        follower.run()
    finally:
        follower.close()
        printer.flush()


def _partitions_of(client: Any, topic: str) -> list[int]:
    found = client.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    if found.error is not None:
        raise CommandError(f"topic {topic}: {found.error.str()}")
    return sorted(found.partitions)


def _printer(given: argparse.Namespace) -> Any:
    from pylog.cli import consume

    formatter = consume._formatter(
        given.format, given.json, given.delimiter, given.key_delimiter, given.print_offset,
        given.null,
    )  # fmt: skip
    return consume._Printer(sys.stdout.buffer, formatter, unbuffered=given.unbuffered)


def _consume_as_group(given: argparse.Namespace, client: dict[str, str]) -> None:
    from pylog import KafkaError, KafkaException

    topics = [*given.topics, *given.words]
    if not topics:
        raise CommandError("-G GROUP wants the topics behind it", exit_code=2)
    printer = _printer(given)
    consumer = _open_consumer(
        client,
        group_id=given.group,
        enable_partition_eof="true",
        auto_offset_reset="earliest",
    )
    remaining: int | None = given.count
    ended: set[tuple[str | None, int | None]] = set()
    try:
        consumer.subscribe(topics)
        while remaining != 0:
            for message in consumer.consume(1 if remaining is not None else 1000, timeout=0.2):
                error = message.error()
                place = message.topic(), message.partition()
                if error is None:
                    ended.discard(place)
                    printer.print_all([message])
                    remaining = None if remaining is None else remaining - 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(place)
                else:
                    raise KafkaException(error)
            printer.flush()
            assigned = {(each.topic, each.partition) for each in consumer.assignment()}
            if given.exits and assigned and assigned <= ended:
                break
    finally:
        consumer.close()
        printer.flush()


# ---- -L, -Q ----


def _list(given: argparse.Namespace, client: dict[str, str]) -> None:
    from pylog import AdminClient

    place = client.get("bootstrap.servers") or client["log.dir"]
    admin = AdminClient(client)
    topic = given.topics[0] if given.topics else None
    found = admin.list_topics(topic, timeout=TIMEOUT_S)
    if given.json:
        console.out(_as_json(found))
        return
    console.out(f"Metadata for {topic or 'all topics'} (from {place}):")
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


def _query(given: argparse.Namespace, client: dict[str, str]) -> None:
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
    consumer = _open_consumer(client, group_id="pylog-cat", enable_auto_commit="false")
    try:
        for found in consumer.offsets_for_times(wanted, timeout=TIMEOUT_S):
            console.out(f"{found.topic} [{found.partition}] offset {found.offset}")
    finally:
        consumer.close()
