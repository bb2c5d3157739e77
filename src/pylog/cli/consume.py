"""`pylog consume`: messages of a topic to stdout, with kcat's letters and formats."""

import sys
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from pylog.cli import console, format_string, options
from pylog.cli.failures import CommandError
from pylog.cli.offsets import OffsetRange, parse_offsets
from pylog.cli.topics import require_topic

if TYPE_CHECKING:
    from pylog import Consumer, Message, TopicPartition

_BATCH_MAX = 1000
_POLL_TIMEOUT_S = 1.0
_OUTPUT_BUFFER_BYTES = 1 << 16

OffsetOption = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        metavar="OFFSET",
        help="Where to start: beginning, end, N, -N (from the end), s@MS (a time); "
        "e@MS is a time to stop before. May be repeated.",
        show_default=False,
    ),
]


def consume(
    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", show_default=False)] = None,
    folder: options.FolderOption = "",
    topic_option: Annotated[
        str | None, typer.Option("-t", "--topic", help="The topic, as in kcat.", hidden=True)
    ] = None,
    partitions: Annotated[
        list[int] | None,
        typer.Option(
            "-p",
            "--partition",
            metavar="N",
            min=0,
            help="Partition; may be repeated. All if left out.",
            show_default=False,
        ),
    ] = None,
    offsets: OffsetOption = None,
    count: Annotated[
        int | None,
        typer.Option(
            "-c", metavar="N", min=1, help="Stop after this many messages.", show_default=False
        ),
    ] = None,
    exit_at_end: Annotated[bool, typer.Option("-e", help="Stop at the end of the topic.")] = False,
    format_text: Annotated[
        str | None,
        typer.Option(
            "-f",
            metavar="FORMAT",
            help="What to print of a message: %t topic, %p partition, %o offset, %k key, "
            r"%K its length, %s value, %S its length, %R the same as 4 bytes, %T time, "
            r"%h headers, %%, \n, \t, \xHH.",
            show_default=False,
        ),
    ] = None,
    json_output: Annotated[
        bool, typer.Option("-J", "--json", help="One JSON object a message, as kcat's.")
    ] = False,
    delimiter: Annotated[
        str, typer.Option("-D", metavar="DELIM", help="After each message.")
    ] = r"\n",
    key_delimiter: Annotated[
        str | None,
        typer.Option(
            "-K", metavar="DELIM", help="Print the key and this first.", show_default=False
        ),
    ] = None,
    print_offset: Annotated[
        bool, typer.Option("-O", help="Print the offset first, then the -K delimiter.")
    ] = False,
    null_text: Annotated[
        bool, typer.Option("-Z", help="Print a NULL value or key as NULL, not as nothing.")
    ] = False,
    unbuffered: Annotated[
        bool, typer.Option("-u", help="Write each message at once; for a slow reader.")
    ] = False,
    properties: options.PropertiesOption = None,
    quiet: Annotated[bool, typer.Option("-q", help="No notes on stderr.")] = False,
) -> None:
    """Print the messages of a topic, then follow it until Ctrl-C, -c or -e."""
    name = options.one_topic(topic, topic_option)
    offset_range = parse_offsets(offsets)
    formatter = _formatter(
        format_text, json_output, delimiter, key_delimiter, print_offset, null_text
    )
    configuration = options.parse_pairs(properties, "-X")
    total = require_topic(folder, name)
    wanted = sorted(set(partitions)) if partitions else list(range(total))
    if wanted[-1] >= total:
        raise CommandError(f"topic {name} has no partition {wanted[-1]}: it has {total}")
    printer = _Printer(sys.stdout.buffer, formatter, unbuffered=unbuffered)
    no_bar = quiet or console.is_terminal(sys.stdout)
    with console.progress(f"Reading {name}", None, quiet=no_bar) as bar:
        follower = _Follower(
            open_consumer(folder, configuration), printer, exit_at_end, count, quiet, bar
        )
        try:
            follower.start(name, wanted, offset_range)
            follower.run()
        finally:
            follower.close()
            printer.flush()


def open_consumer(folder: str, configuration: dict[str, str]) -> "Consumer":
    """Return a Consumer for `assign` that tells when a partition ends."""
    from pylog import Consumer

    defaults = {
        "group.id": "pylog",
        "enable.auto.commit": "false",
        "enable.partition.eof": "true",
        "auto.offset.reset": "error",
    }
    if not options.is_writable(folder):
        defaults["read.only"] = "true"  # a snapshot, a read-only mount: reading works all the same
    return Consumer(defaults | configuration | {"log.dir": folder})


class _Printer:
    """Formatted messages to stdout in large writes, but never later than the next pause."""

    def __init__(
        self, output: BinaryIO, formatter: format_string.Formatter, *, unbuffered: bool
    ) -> None:
        self._output = output
        self._formatter = formatter
        self._unbuffered = unbuffered

    def print_all(self, messages: list["Message"]) -> None:
        formatter = self._formatter
        if self._unbuffered:
            for message in messages:
                self._output.write(formatter(message))
                self._output.flush()
            return
        self._output.write(b"".join([formatter(message) for message in messages]))

    def flush(self) -> None:
        self._output.flush()


class _Follower:
    """Reads the assigned partitions until something says stop."""

    def __init__(
        self,
        consumer: "Consumer",
        printer: _Printer,
        exit_at_end: bool,
        count: int | None,
        quiet: bool,
        bar: console.Progress,
    ) -> None:
        self._consumer = consumer
        self._printer = printer
        self._exit_at_end = exit_at_end
        self._remaining = count
        self._quiet = quiet
        self._bar = bar
        self._stop_timestamp_ms: int | None = None
        self._topic = ""
        self._unfinished: set[int] = set()

    def start(self, topic: str, partitions: list[int], offset_range: OffsetRange) -> None:
        self._topic = topic
        self._unfinished = set(partitions)
        self._stop_timestamp_ms = offset_range.stop_timestamp_ms
        self._consumer.assign(start_positions(self._consumer, topic, partitions, offset_range))

    def run(self) -> None:
        while self._unfinished and self._remaining != 0:
            limit = _BATCH_MAX if self._remaining is None else min(_BATCH_MAX, self._remaining)
            received = self._consumer.consume(limit, timeout=0.0)
            if not received:
                # Nothing waits: let the reader of our output see all before we sleep.
                self._printer.flush()
                received = self._consumer.consume(1, timeout=_POLL_TIMEOUT_S)
            self._take(received)

    def close(self) -> None:
        self._consumer.close()

    def _take(self, received: list["Message"]) -> None:
        wanted: list[Message] = []
        for message in received:
            if message.error() is not None:
                self._print(wanted)  # what came before the event is seen before it
                wanted = []
                self._take_event(message)
            elif message.partition() in self._unfinished and not self._is_past_stop(message):
                wanted.append(message)
        self._print(wanted)

    def _print(self, wanted: "list[Message]") -> None:
        if wanted:
            self._printer.print_all(wanted)
            self._bar.advance(len(wanted))
            if self._remaining is not None:
                self._remaining -= len(wanted)

    def _take_event(self, message: "Message") -> None:
        from pylog import KafkaError, KafkaException

        error = message.error()
        if error is None or error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        if message.partition() not in self._unfinished:
            return
        if self._exit_at_end:
            self._finish(message)
        self._note("Reached end of topic", message)

    def _is_past_stop(self, message: "Message") -> bool:
        stop = self._stop_timestamp_ms
        if stop is None or message.timestamp()[1] < stop:
            return False
        self._finish(message)
        self._note("Reached stop timestamp for topic", message)
        return True

    def _finish(self, message: "Message") -> None:
        """Read no more of this message's partition."""
        from pylog import TopicPartition

        partition = message.partition()
        assert partition is not None
        self._unfinished.discard(partition)
        self._consumer.pause([TopicPartition(self._topic, partition)])

    def _note(self, what: str, message: "Message") -> None:
        if not self._quiet:
            exiting = "" if self._unfinished else ": exiting"
            self._printer.flush()
            console.note(
                f"% {what} {self._topic} [{message.partition()}] "
                f"at offset {message.offset()}{exiting}"
            )


def start_positions(
    consumer: "Consumer", topic: str, partitions: list[int], offset_range: OffsetRange
) -> list["TopicPartition"]:
    """Return where to start in each partition, as absolute offsets.

    Raises:
        CommandError: an absolute offset that a partition does not hold.
    """
    from pylog import TopicPartition

    positions = []
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition))
        start = low
        if offset_range.kind == "end":
            start = high
        elif offset_range.kind == "tail":
            start = max(low, high - offset_range.value)
        elif offset_range.kind == "offset":
            start = offset_range.value
            if not low <= start <= high:
                raise CommandError(
                    f"offset {start} is not in partition {partition} of {topic}: "
                    f"it holds {low} up to, not including, {high}"
                )
        elif offset_range.kind == "timestamp":
            (found,) = consumer.offsets_for_times(
                [TopicPartition(topic, partition, offset_range.value)]
            )
            start = found.offset if found.offset >= 0 else high
        positions.append(TopicPartition(topic, partition, start))
    return positions


def _formatter(
    format_text: str | None,
    json_output: bool,
    delimiter: str,
    key_delimiter: str | None,
    print_offset: bool,
    null_text: bool,
) -> format_string.Formatter:
    null = b"NULL" if null_text else b""
    if format_text is not None:
        if json_output:
            raise typer.BadParameter("-f and -J exclude each other", param_hint="-f")
        try:
            return format_string.compile_format(format_text, null)
        except ValueError as exc:
            raise typer.BadParameter(str(exc), param_hint="-f") from exc
    after = format_string.unescape(delimiter)
    if json_output:
        return lambda message: format_string.format_json(message) + after
    between = None if key_delimiter is None else format_string.unescape(key_delimiter)
    return format_string.compile_delimited(after, between, print_offset, null)
