"""Records of __transaction_state, in Kafka's bytes.

Key (TransactionLogKey, version 0):

    int16   version            0
    string  transactional_id   int16 length, UTF-8

Value (TransactionLogValue): version 1 is what Kafka 4 writes, version 0 what brokers before 3.5
wrote. All numbers big-endian; a uvarint is a compact length, of an array or string + 1, 0 for null.

                              version 0              version 1
    version                   int16                  int16
    producer_id               int64                  int64
    producer_epoch            int16                  int16
    timeout_ms                int32                  int32
    state                     int8                   int8     TransactionState
    partitions                int32 count, -1 null   uvarint  null in state Empty
      topic                   int16 length, UTF-8    uvarint, UTF-8
      partition numbers       int32 count            uvarint
        number                int32                  int32
      tagged fields           -                      uvarint  count
    last_update_timestamp_ms  int64                  int64
    start_timestamp_ms        int64                  int64
    tagged fields             -                      uvarint  count, then uvarint tag, uvarint size:
      0                                              int64    previous_producer_id
      1                                              int64    next_producer_id
      2                                              int16    client_transaction_version
      3                                              int16    next_producer_epoch, not used here
      10000                                          int8     1: is_remote, our own

A tagged field with its default is left out; one that is not known is passed over. A null value is a
transactional id that has expired.

Source: Kafka TransactionLog, TransactionLogKey.json, TransactionLogValue.json.
"""

import struct
from functools import lru_cache
from itertools import chain, groupby

from logcore.errors import UnsupportedFormatError
from pylog.record_fields import FieldReader
from pylog.txn.states import (
    NO_PRODUCER_ID,
    Partition,
    TransactionMetadata,
    TransactionState,
)

KEY_VERSION = 0
VALUE_VERSION = 1
MAX_VALUE_VERSION = 1
_HEAD = struct.Struct(">hqhib")
STATE_AT = _HEAD.size - 1  # byte of the state in a value, in every version
_TIMES = struct.Struct(">qq")
_SHORT = struct.Struct(">h")
_INT = struct.Struct(">i")
_SMALL = [bytes((number,)) for number in range(0x80)]
_USUAL_TAGGED = struct.Struct(">BBBqBBh")
_PREVIOUS_PRODUCER_ID, _NEXT_PRODUCER_ID, _CLIENT_TRANSACTION_VERSION = 0, 1, 2
_IS_REMOTE = 10000  # far from the tags that Kafka gives out, which has no name for it


# ---- write --------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def encode_key(transactional_id: str) -> bytes:
    """Return the key of a transactional id.

    >>> encode_key("ledger").hex()
    '000000066c6564676572'
    """
    name = transactional_id.encode()
    return _SHORT.pack(KEY_VERSION) + _SHORT.pack(len(name)) + name


def encode_value(metadata: TransactionMetadata, version: int = VALUE_VERSION) -> bytes:
    """Return the value that says how a transactional id stands.

    Args:
        metadata: in a state that is written: not Dead, not PrepareEpochFence.
        version: 1, or 0 for brokers before 3.5.
    """
    head = _HEAD.pack(
        version,
        metadata.producer_id,
        metadata.producer_epoch,
        metadata.timeout_ms,
        metadata.state,
    )
    times = _TIMES.pack(metadata.last_update_timestamp_ms, metadata.start_timestamp_ms)
    partitions = None if metadata.state == TransactionState.EMPTY else metadata.partitions
    if version == 0:
        return head + _encode_partitions_0(partitions) + times
    return head + _encode_partitions_1(partitions) + times + _encode_tagged(metadata)


def _by_topic(partitions: frozenset[Partition]) -> list[tuple[str, list[int]]]:
    ordered = sorted(partitions)
    return [
        (topic, [number for _, number in group])
        for topic, group in groupby(ordered, key=lambda partition: partition[0])
    ]


def _encode_partitions_0(partitions: frozenset[Partition] | None) -> bytes:
    if partitions is None:
        return _INT.pack(-1)
    topics = _by_topic(partitions)
    parts = [_INT.pack(len(topics))]
    for topic, numbers in topics:
        name = topic.encode()
        parts += [_SHORT.pack(len(name)), name, _INT.pack(len(numbers))]
        parts.append(struct.pack(f">{len(numbers)}i", *numbers))
    return b"".join(parts)


@lru_cache(maxsize=256)  # a producer writes to the same ones again and again
def _encode_partitions_1(partitions: frozenset[Partition] | None) -> bytes:
    if partitions is None:
        return b"\x00"
    topics = _by_topic(partitions)
    parts = [_uvarint(len(topics) + 1)]
    for topic, numbers in topics:
        name = topic.encode()
        parts += [_uvarint(len(name) + 1), name, _uvarint(len(numbers) + 1)]
        parts.append(struct.pack(f">{len(numbers)}i", *numbers) + b"\x00")
    return b"".join(parts)


def _encode_tagged(metadata: TransactionMetadata) -> bytes:
    previous_id, version = metadata.previous_producer_id, metadata.client_transaction_version
    is_usual = metadata.next_producer_id == NO_PRODUCER_ID and not metadata.is_remote
    if is_usual and previous_id != NO_PRODUCER_ID and version:
        return _USUAL_TAGGED.pack(2, _PREVIOUS_PRODUCER_ID, 8, previous_id, 2, 2, version)
    fields = []
    for tag, producer_id in (
        (_PREVIOUS_PRODUCER_ID, metadata.previous_producer_id),
        (_NEXT_PRODUCER_ID, metadata.next_producer_id),
    ):
        if producer_id != NO_PRODUCER_ID:
            fields.append(bytes((tag, 8)) + producer_id.to_bytes(8, "big"))
    if version:
        fields.append(bytes((_CLIENT_TRANSACTION_VERSION, 2)) + version.to_bytes(2, "big"))
    if metadata.is_remote:
        fields.append(_uvarint(_IS_REMOTE) + b"\x01\x01")
    return bytes((len(fields),)) + b"".join(fields)


def _uvarint(number: int) -> bytes:
    if number < 0x80:
        return _SMALL[number]
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


# ---- read ---------------------------------------------------------------------------------------


def decode_key(key: bytes) -> str | None:
    """Return the transactional id, or None for a key of another kind (to be passed over).

    Raises:
        CorruptRecordError: the key is damaged.
    """
    fields = FieldReader(key, "transaction log key")
    if fields.int16() != KEY_VERSION:
        return None
    transactional_id = fields.string()
    fields.end()
    return transactional_id


def decode_value(transactional_id: str, value: bytes) -> TransactionMetadata:
    """Return how a transactional id stands.

    Raises:
        CorruptRecordError: the value is damaged.
        UnsupportedFormatError: it is of a newer version.
    """
    version = int.from_bytes(value[:2], "big", signed=True)
    if version > MAX_VALUE_VERSION:
        raise UnsupportedFormatError(
            f"a transaction log value of version {version}: written by a newer program; this one "
            f"knows versions 0 to {MAX_VALUE_VERSION}"
        )
    fields = FieldReader(value, "transaction log value", is_flexible=version == 1)
    if fields.int16() < 0:
        raise fields.fault(f"version {version}")
    producer_id, epoch, timeout_ms = fields.int64(), fields.int16(), fields.int32()
    state_number = fields.int8()
    if not 0 <= state_number <= max(TransactionState):
        raise fields.fault(f"there is no transaction state {state_number}")
    topics = fields.nullable_array(lambda: _read_topic(fields)) or ()
    last_update_ms, start_ms = fields.int64(), fields.int64()
    tagged = fields.tagged_fields()
    fields.end()
    return TransactionMetadata(
        transactional_id,
        producer_id,
        epoch,
        timeout_ms,
        TransactionState(state_number),
        frozenset(chain.from_iterable(topics)),
        start_ms,
        last_update_ms,
        previous_producer_id=_tagged_int(fields, tagged, _PREVIOUS_PRODUCER_ID, 8, NO_PRODUCER_ID),
        next_producer_id=_tagged_int(fields, tagged, _NEXT_PRODUCER_ID, 8, NO_PRODUCER_ID),
        client_transaction_version=_tagged_int(fields, tagged, _CLIENT_TRANSACTION_VERSION, 2, 0),
        is_remote=bool(_tagged_int(fields, tagged, _IS_REMOTE, 1, 0)),
    )


def _read_topic(fields: FieldReader) -> list[Partition]:
    topic = fields.string()
    partitions = [(topic, number) for number in fields.array(fields.int32)]
    fields.tagged_fields()
    return partitions


def _tagged_int(
    fields: FieldReader, tagged: dict[int, bytes], tag: int, size: int, default: int
) -> int:
    data = tagged.get(tag)
    if data is None:
        return default
    if len(data) != size:
        raise fields.fault(f"tagged field {tag} has {len(data)} bytes, not {size}")
    return int.from_bytes(data, "big", signed=True)
