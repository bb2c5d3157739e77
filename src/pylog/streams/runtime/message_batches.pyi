from pylog import Message
from pylog.streams.record import Headers

Row = tuple[bytes | None, bytes | None, int, Headers | None]

def split_by_partition(
    messages: list[Message],
) -> tuple[list[tuple[str, int, list[Message]]], list[Message]]: ...
def as_rows(messages: list[Message]) -> list[Row]: ...
def last_offset(messages: list[Message]) -> int: ...
