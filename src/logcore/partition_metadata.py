"""`partition.metadata`: which topic a partition's folder belongs to.

Kafka's text, two lines: `version: 0` and `topic_id: <uuid, URL-safe base64 without padding>`.
Source: Kafka PartitionMetadataFile, Uuid.
"""

import base64
import os
import uuid

from logcore import layout
from logcore.errors import UnsupportedFormatError

VERSION = 0


def encode_uuid(value: uuid.UUID) -> str:
    """Return Kafka's text of a topic id, 22 characters."""
    return base64.urlsafe_b64encode(value.bytes).decode("ascii").rstrip("=")


def decode_uuid(text: str) -> uuid.UUID:
    """Return the topic id that Kafka's text stands for.

    Raises:
        ValueError: it is none.
    """
    return uuid.UUID(bytes=base64.b64decode(text + "==", altchars=b"-_", validate=True))


def read(path: str) -> uuid.UUID:
    """Return the topic id.

    Raises:
        UnsupportedFormatError: another version, or not such a file.
        FileNotFoundError: there is none.
    """
    with open(path, encoding="ascii", errors="replace") as file:
        fields = dict(line.rstrip("\n").partition(": ")[::2] for line in file)
    try:
        if int(fields["version"]) != VERSION:
            raise ValueError
        return decode_uuid(fields["topic_id"])
    except (KeyError, ValueError):
        raise UnsupportedFormatError(f"{path}: not partition metadata of version 0") from None


def write(path: str, topic_id: uuid.UUID) -> None:
    """Write the file: beside it, synced, renamed."""
    temporary = path + layout.TEMPORARY_SUFFIX
    with open(temporary, "w", encoding="ascii") as file:
        file.write(f"version: {VERSION}\ntopic_id: {encode_uuid(topic_id)}")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
