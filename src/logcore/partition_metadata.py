"""`partition.metadata`: which topic a partition's folder belongs to.

```
version: 0
topic_id: 0O3qImzvSmKAZtOGZqzaqA
```
Written before the first record, without a line end at the end. The id is a UUID's 16 bytes in
URL-safe base64 without padding, 22 characters.

Source: Kafka PartitionMetadataFile, Uuid.
"""

import base64
import os
import re
import uuid

from logcore.errors import CorruptRecordError, UnsupportedFormatError
from logcore.small_files import read_text, replace_text

VERSION = 0

_FILE = re.compile(r"version:\s+([0-9]{1,9})\ntopic_id:\s+(\S+)\n?")


def encode_uuid(value: uuid.UUID) -> str:
    """Return Kafka's text of a topic id, 22 characters.

    >>> encode_uuid(uuid.UUID(int=0x0000000000000001_0000000000000002))
    'AAAAAAAAAAEAAAAAAAAAAg'
    """
    return base64.urlsafe_b64encode(value.bytes).decode("ascii").rstrip("=")


def decode_uuid(text: str) -> uuid.UUID:
    """Return the topic id that Kafka's text stands for.

    Only the text that encode_uuid makes is taken, so that one id has one text.

    Raises:
        ValueError: it is none.

    >>> decode_uuid("AAAAAAAAAAEAAAAAAAAAAg").int
    18446744073709551618
    """
    try:
        value = uuid.UUID(bytes=base64.urlsafe_b64decode(text + "=="))
        is_canonical = encode_uuid(value) == text
    except ValueError:
        is_canonical = False
    if not is_canonical:
        raise ValueError(f"{text!r} is not a topic id: 22 characters of URL-safe base64")
    return value


def read(path: str | os.PathLike[str]) -> uuid.UUID:
    """Return the topic id.

    Raises:
        UnsupportedFormatError: the file has a newer version.
        CorruptRecordError: the file is not partition metadata.
        FileNotFoundError: there is none.
    """
    match = _FILE.fullmatch(read_text(path))
    if match is None:
        raise CorruptRecordError("not partition metadata", path=path)
    if int(match[1]) != VERSION:
        raise UnsupportedFormatError(
            f"{path}: partition metadata of version {match[1]}; this release knows {VERSION}"
        )
    try:
        topic_id = decode_uuid(match[2])
    except ValueError as error:
        raise CorruptRecordError(f"partition metadata: {error}", path=path) from None
    if topic_id.int == 0:
        raise CorruptRecordError("partition metadata has the topic id of no topic", path=path)
    return topic_id


def write(path: str | os.PathLike[str], topic_id: uuid.UUID) -> None:
    """Replace the file, durably.

    Raises:
        ValueError: topic_id is zero, which stands for no topic.
        OSError: it was not replaced.
    """
    if topic_id.int == 0:
        raise ValueError("the zero topic id stands for no topic")
    replace_text(path, f"version: {VERSION}\ntopic_id: {encode_uuid(topic_id)}")
