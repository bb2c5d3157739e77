"""What Kafka Streams writes beside each committed offset, so that time goes on after a restart.

    byte  version       2; version 1 has no numbers
    int64 partition_time  ms, the highest timestamp of the partition so far, -1 for none
    int32 count
          int32 size, name in UTF-8, int64 number     for each number that a processor keeps

All big-endian, in base64. Kafka Streams reads what we wrote, and vice versa.

Source: Kafka TopicPartitionMetadata, ProcessorMetadata.
"""

import base64
import re
import struct
from collections.abc import Mapping

NO_TIME = -1
_VERSION = 2
_HEAD = struct.Struct(">bq")
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_TEXT = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def encode(partition_time: int, numbers: Mapping[str, int]) -> str:
    """The metadata of a committed offset.

    >>> decode(encode(17, {"windows": 5}))
    (17, {'windows': 5})
    """
    parts = [_HEAD.pack(_VERSION, partition_time)]
    if numbers:
        parts.append(_INT.pack(len(numbers)))
        for name, number in numbers.items():
            text = name.encode()
            parts.append(_INT.pack(len(text)) + text + _LONG.pack(number))
    return base64.b64encode(b"".join(parts)).decode()


def decode(metadata: str | None) -> tuple[int, dict[str, int]]:
    """Partition time and numbers; NO_TIME and none for a text that is of somebody else.

    What stands behind the text is passed over: confluent_kafka 2.16 hands out the bytes of memory
    that come after it, up to the first zero.
    """
    match = _TEXT.match(metadata or "")
    data = base64.b64decode(match[0] if match else "")
    if len(data) < _HEAD.size:
        return NO_TIME, {}
    version, time = _HEAD.unpack_from(data)
    if version not in (1, _VERSION):
        return NO_TIME, {}
    return time, _decode_numbers(data, _HEAD.size) if version == _VERSION else {}


def _decode_numbers(data: bytes, position: int) -> dict[str, int]:
    """The numbers from a position on; none when they do not end within the data."""
    numbers: dict[str, int] = {}
    try:
        (count,) = _INT.unpack_from(data, position)
        position += _INT.size
        for _ in range(count):
            (size,) = _INT.unpack_from(data, position)
            position += _INT.size
            if not 0 <= size <= len(data) - position:
                return {}
            name = data[position : position + size].decode()
            position += size
            (numbers[name],) = _LONG.unpack_from(data, position)
            position += _LONG.size
    except (struct.error, UnicodeError):
        return {}
    return numbers
