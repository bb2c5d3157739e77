"""`pylog produce`: lines of stdin or files to a topic, with kcat's letters."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pylog.cli import console, format_string, options
from pylog.cli.failures import CommandError
from pylog.cli.input_split import ByteStream, split_stream
from pylog.cli.topics import require_topic

if TYPE_CHECKING:
    from pylog import Producer

_POLL_EVERY = 4096
_FLUSH_TIMEOUT_S = 60.0
_INTERRUPTED_FLUSH_TIMEOUT_S = 5.0


def produce(
    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", show_default=False)] = None,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Send these files, each as one message, instead of stdin; with -l split them.",
            show_default=False,
        ),
    ] = None,
    folder: options.FolderOption = "",
    topic_option: Annotated[
        str | None, typer.Option("-t", "--topic", help="The topic, as in kcat.", hidden=True)
    ] = None,
    partition: Annotated[
        int | None,
        typer.Option(
            "-p",
            "--partition",
            metavar="N",
            min=-1,
            help="Partition; -1 for a random one.",
            show_default=False,
        ),
    ] = None,
    delimiter: Annotated[
        str, typer.Option("-D", metavar="DELIM", help=r"Between messages: text, \n, \t, \xHH.")
    ] = r"\n",
    key_delimiter: Annotated[
        str | None,
        typer.Option(
            "-K", metavar="DELIM", help="Between key and value of a message.", show_default=False
        ),
    ] = None,
    fixed_key: Annotated[
        str | None,
        typer.Option(
            "-k", metavar="KEY", help="Key of messages that bring none.", show_default=False
        ),
    ] = None,
    headers: Annotated[
        list[str] | None,
        typer.Option(
            "-H", metavar="NAME=VALUE", help="Header; may be repeated.", show_default=False
        ),
    ] = None,
    empty_is_null: Annotated[
        bool, typer.Option("-Z", help="Send an empty value or key as NULL.")
    ] = False,
    codec: Annotated[
        str | None,
        typer.Option(
            "-z",
            metavar="CODEC",
            help="Compression: none, gzip, snappy, lz4 or zstd.",
            show_default=False,
        ),
    ] = None,
    split_files: Annotated[
        bool, typer.Option("-l", help="Split the files into messages, as stdin.")
    ] = False,
    acks: Annotated[
        str | None,
        typer.Option(
            "--acks",
            metavar="0|1|all",
            help="0 process memory, 1 page cache, all on disk (the default).",
            show_default=False,
        ),
    ] = None,
    tee: Annotated[bool, typer.Option("-T", help="Print what was sent on stdout.")] = False,
    count: Annotated[
        int | None,
        typer.Option(
            "-c", metavar="N", min=1, help="Stop after this many messages.", show_default=False
        ),
    ] = None,
    properties: options.PropertiesOption = None,
    quiet: Annotated[bool, typer.Option("-q", help="No notes on stderr.")] = False,
    verbose: Annotated[bool, typer.Option("-v", help="Say where each message went.")] = False,
) -> None:
    """Send each line of stdin as a message.

    Messages are sent as they are read; when the command ends with 0, all are stored as --acks
    says. Ctrl-C stores what was read so far.
    """
    name = options.one_topic(topic, topic_option)
    configuration = options.parse_pairs(properties, "-X") | {"log.dir": folder}
    if codec is not None:
        configuration["compression.type"] = codec
    if acks is not None:
        configuration["acks"] = acks
    if partition == -1:
        configuration["partitioner"] = "random"
    sender = _Sender(
        name,
        partition=partition,
        key_delimiter=_delimiter(key_delimiter, "-K") if key_delimiter is not None else None,
        fixed_key=None if fixed_key is None else os.fsencode(fixed_key),
        headers=_parse_headers(headers),
        empty_is_null=empty_is_null,
        tee=_delimiter(delimiter, "-D") if tee else None,
        verbose=verbose,
    )
    batches = _read_messages(files or [], _delimiter(delimiter, "-D"), split_files)
    partitions = require_topic(folder, name)
    if partition is not None and partition >= partitions:
        raise CommandError(f"topic {name} has no partition {partition}: it has {partitions}")
    sender.open(configuration)
    sender.run(batches, count)
    if not quiet:
        sender.summarize()


class _Sender:
    """Hands messages to a Producer and keeps count of what became of them."""

    def __init__(
        self,
        topic: str,
        *,
        partition: int | None,
        key_delimiter: bytes | None,
        fixed_key: bytes | None,
        headers: list[tuple[str, bytes | None]],
        empty_is_null: bool,
        tee: bytes | None,
        verbose: bool,
    ) -> None:
        self._topic = topic
        self._key_delimiter = key_delimiter
        self._fixed_key = fixed_key
        self._empty_is_null = empty_is_null
        self._tee = tee
        self._arguments: dict[str, Any] = {}
        if partition is not None and partition >= 0:
            self._arguments["partition"] = partition
        if headers:
            self._arguments["headers"] = headers
        # Without a callback a message takes the fast path; a failure is raised by flush instead.
        self._verbose = verbose
        if verbose:
            self._arguments["on_delivery"] = self._report_delivery
        self._producer: Producer | None = None
        self._failed_count = 0
        self._sent_count = 0

    def open(self, configuration: dict[str, str]) -> None:
        from pylog import Producer

        self._producer = Producer(configuration)

    def run(self, batches: Iterator[list[bytes]], count: int | None) -> None:
        """Send everything, wait until it is stored, and raise the first failure."""
        assert self._producer is not None
        try:
            for batch in batches:
                if count is not None:
                    batch = batch[: count - self._sent_count]
                self._send_all(batch)
                if self._failed_count or self._sent_count == count:
                    break
        except KeyboardInterrupt:
            self._producer.flush(_INTERRUPTED_FLUSH_TIMEOUT_S)
            self.summarize()
            raise
        except BaseException:
            # What was sent before the bad message is kept.
            self._producer.flush(_FLUSH_TIMEOUT_S)
            raise
        self._finish()

    def summarize(self) -> None:
        waiting = len(self._producer) if self._producer is not None else 0
        stored = self._sent_count - self._failed_count - waiting
        console.note(f"% {stored} message{'' if stored == 1 else 's'} sent to {self._topic}")

    def _finish(self) -> None:
        assert self._producer is not None
        waiting = self._producer.flush(_FLUSH_TIMEOUT_S)
        self._producer.close()
        if self._failed_count or waiting:
            raise CommandError(f"{self._failed_count + waiting} messages were not stored")

    def _send_all(self, messages: list[bytes]) -> None:
        assert self._producer is not None
        for message in messages:
            self._send(message)
            if self._sent_count % _POLL_EVERY == 0:
                self._producer.poll(0)
        if self._verbose:
            # Nobody else serves the callbacks while we wait for more input.
            self._producer.flush(_FLUSH_TIMEOUT_S)
        self._producer.poll(0)
        if self._tee is not None:
            output = sys.stdout.buffer
            output.write(b"".join(message + self._tee for message in messages))
            output.flush()

    def _send(self, message: bytes) -> None:
        assert self._producer is not None
        key, value = self._split_key(message)
        while True:
            try:
                self._producer.produce(self._topic, value=value, key=key, **self._arguments)
                break
            except BufferError:
                self._producer.poll(0.1)
            except Exception as exc:
                from pylog.cli import failures

                reason, _exit_code = failures.describe(exc)
                raise CommandError(
                    f"message {self._sent_count + 1} of {len(message)} bytes: {reason}"
                ) from exc
        self._sent_count += 1

    def _split_key(self, message: bytes) -> tuple[bytes | None, bytes | None]:
        key: bytes | None = self._fixed_key
        value: bytes | None = message
        if self._key_delimiter is not None:
            before, found, after = message.partition(self._key_delimiter)
            if found:
                key, value = before, after
        if self._empty_is_null:
            key, value = key or None, value or None
        return key, value

    def _report_delivery(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed_count += 1
            console.note(f"% Delivery failed for message: {error.str()}")
        else:
            console.note(
                f"% Message delivered to partition {message.partition()} "
                f"(offset {message.offset()})"
            )


def _read_messages(files: list[Path], delimiter: bytes, split_files: bool) -> Iterator[list[bytes]]:
    if split_files and not files:
        raise typer.BadParameter("needs at least one file", param_hint="-l")
    for file in files:
        if not file.exists():
            raise CommandError(f"{file}: No such file or directory")
        if file.is_dir():
            raise CommandError(f"{file}: Is a directory")
    return _read_files(files, delimiter, split_files) if files else _read_stdin(delimiter)


def _read_stdin(delimiter: bytes) -> Iterator[list[bytes]]:
    if sys.stdin is None:
        raise CommandError("standard input is closed")
    yield from split_stream(cast(ByteStream, sys.stdin.buffer), delimiter)


def _read_files(files: list[Path], delimiter: bytes, split_files: bool) -> Iterator[list[bytes]]:
    for file in files:
        if not split_files:
            yield [file.read_bytes()]
            continue
        with file.open("rb") as stream:
            size_bytes = file.stat().st_size
            with console.progress(f"Sending {file.name}", size_bytes) as bar:
                for messages in split_stream(stream, delimiter):
                    yield messages
                    bar.advance(sum(map(len, messages)) + len(messages) * len(delimiter))


def _delimiter(text: str, option: str) -> bytes:
    delimiter = format_string.unescape(text)
    if not delimiter:
        raise typer.BadParameter("must not be empty", param_hint=option)
    return delimiter


def _parse_headers(words: list[str] | None) -> list[tuple[str, bytes | None]]:
    headers: list[tuple[str, bytes | None]] = []
    for word in words or ():
        name, equals, value = word.partition("=")
        if not name:
            raise typer.BadParameter(f"{word!r} has no name before the =", param_hint="-H")
        headers.append((name, os.fsencode(value) if equals else None))
    return headers
