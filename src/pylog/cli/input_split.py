"""Bytes of a stream to messages between delimiters, as they arrive."""

from collections.abc import Iterator
from typing import Protocol

from pylog.cli.failures import CommandError

READ_BYTES = 1 << 18
MESSAGE_BYTES_MAX = 1 << 27
"""A message longer than this is an input without the delimiter: stop before memory is gone."""


class ByteStream(Protocol):
    """What is read from: a buffered binary stream."""

    def read1(self, size: int = -1, /) -> bytes:
        """Return what is there, at most `size` bytes; b"" at the end."""


def split_stream(stream: ByteStream, delimiter: bytes) -> Iterator[list[bytes]]:
    r"""Yield lists of messages as soon as their delimiters have been read.

    The last message needs no delimiter; an empty rest after the last delimiter is no message.

    Args:
        stream: read with `read1`, so that a slow pipe is passed on at once.
        delimiter: at least one byte.

    Raises:
        CommandError: more than `MESSAGE_BYTES_MAX` without a delimiter.

    >>> import io
    >>> list(split_stream(io.BytesIO(b"a\n\nb"), b"\n"))
    [[b'a', b''], [b'b']]
    """
    pending = bytearray()
    while chunk := stream.read1(READ_BYTES):
        # A delimiter of several bytes may lie across the seam of two reads.
        search_from = max(0, len(pending) - len(delimiter) + 1)
        pending += chunk
        if pending.find(delimiter, search_from) < 0:
            if len(pending) > MESSAGE_BYTES_MAX:
                raise CommandError(
                    f"no delimiter {delimiter!r} in {MESSAGE_BYTES_MAX} bytes of input; see -D"
                )
            continue
        messages = bytes(pending).split(delimiter)
        pending = bytearray(messages.pop())
        yield messages
    if pending:
        yield [bytes(pending)]
