"""What Kafka Streams writes beside each committed offset, so that time goes on after a restart.

    byte  version       2; version 1 has no numbers
    int64 partition_time  ms, the highest timestamp of the partition so far, -1 for none
    int32 count
          int32 size, name in UTF-8, int64 number     for each number that a processor keeps

All big-endian, in base64. Kafka Streams reads what we wrote, and vice versa.

Source: Kafka TopicPartitionMetadata, ProcessorMetadata.
"""

import base64
import binascii
import struct
from collections.abc import Mapping

NO_TIME = -1
_VERSION = 2
_HEAD = struct.Struct(">bq")
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")


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
    """Partition time and numbers; NO_TIME and none for a text that is of somebody else."""
    try:
        data = base64.b64decode(metadata or "", validate=True)
        version, time = _HEAD.unpack_from(data)
        if version not in (1, _VERSION):
            return NO_TIME, {}
        numbers: dict[str, int] = {}
        position = _HEAD.size
        if version == _VERSION and len(data) > position:
            (count,) = _INT.unpack_from(data, position)
            position += _INT.size
            for _ in range(count):
                (size,) = _INT.unpack_from(data, position)
                position += _INT.size
                if not 0 <= size <= len(data) - position:
                    return time, {}
                name = data[position : position + size].decode()
                position += size
                (numbers[name],) = _LONG.unpack_from(data, position)
                position += _LONG.size
    except (struct.error, binascii.Error, UnicodeError):
        return NO_TIME, {}
    return time, numbers
