"""The bytes of __transaction_state: Kafka's own, and no others."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logcore.errors import CorruptRecordError, UnsupportedFormatError
from pylog.txn.records import decode_key, decode_value, encode_key, encode_value
from pylog.txn.states import TransactionMetadata, TransactionState

# What Kafka 4.3.1's TransactionLog.keyToBytes and valueToBytes made of the same fields.
KAFKA_KEY = ("ledger-é", "000000096c65646765722dc3a9")
KAFKA_VALUES = [
    pytest.param(
        TransactionMetadata("t", 1000, 0, 60000, last_update_timestamp_ms=1700000000000,
                            client_transaction_version=0),
        1,
        "000100000000000003e800000000ea6000000000018bcfe56800ffffffffffffffff00",
        id="empty",
    ),
    pytest.param(
        TransactionMetadata("t", 1000, 7, 60000, TransactionState.ONGOING,
                            frozenset({("accounts", 3)}), 1700000000001, 1700000000002, 1000),
        1,
        "000100000000000003e800070000ea600102096163636f756e74730200000003000000018bcfe56802"
        "0000018bcfe5680102000800000000000003e802020002",
        id="ongoing",
    ),
    pytest.param(
        TransactionMetadata("t", 1000, 32767, 900000, TransactionState.PREPARE_COMMIT,
                            frozenset({("__consumer_offsets", 0)}), 1700000000001, 1700000000003,
                            1000, 2000),
        1,
        "000100000000000003e87fff000dbba00202135f5f636f6e73756d65725f6f66667365747302000000"
        "00000000018bcfe568030000018bcfe5680103000800000000000003e8010800000000000007d00202"
        "0002",
        id="prepare-commit-with-next-id",
    ),
    pytest.param(
        TransactionMetadata("t", 2000, 0, 900000, TransactionState.COMPLETE_COMMIT, frozenset(),
                            1700000000001, 1700000000004, 1000),
        1,
        "000100000000000007d00000000dbba004010000018bcfe568040000018bcfe5680102000800000000"
        "000003e802020002",
        id="complete-commit",
    ),
    pytest.param(
        TransactionMetadata("t", 5, 2, 1000, TransactionState.PREPARE_ABORT,
                            frozenset({("accounts", 3)}), 10, 20, client_transaction_version=0),
        0,
        "000000000000000000050002000003e8030000000100086163636f756e7473000000010000000300000"
        "00000000014000000000000000a",
        id="version-0-prepare-abort",
    ),
    pytest.param(
        TransactionMetadata("t", 5, 2, 1000, TransactionState.EMPTY, frozenset(), -1, 20,
                            client_transaction_version=0),
        0,
        "000000000000000000050002000003e800ffffffff0000000000000014ffffffffffffffff",
        id="version-0-empty",
    ),
]  # fmt: skip

names = st.text("abcé-_.", min_size=1, max_size=9)
int64 = st.integers(-1, 2**63 - 1)
metadatas = st.builds(
    TransactionMetadata,
    transactional_id=names,
    producer_id=int64,
    producer_epoch=st.integers(-1, 32767),
    timeout_ms=st.integers(0, 2**31 - 1),
    state=st.sampled_from(TransactionState),
    partitions=st.frozensets(st.tuples(names, st.integers(0, 300)), max_size=150),
    start_timestamp_ms=int64,
    last_update_timestamp_ms=int64,
    previous_producer_id=int64,
    next_producer_id=int64,
    last_producer_epoch=st.just(-1),
    client_transaction_version=st.integers(0, 2),
    is_remote=st.booleans(),
).map(
    lambda metadata: (
        metadata._replace(partitions=frozenset())
        if metadata.state == TransactionState.EMPTY
        else metadata
    )
)


def test_key_is_kafkas():
    name, golden = KAFKA_KEY
    assert encode_key(name).hex() == golden
    assert decode_key(bytes.fromhex(golden)) == name


@pytest.mark.parametrize(("metadata", "version", "golden"), KAFKA_VALUES)
def test_value_is_kafkas(metadata, version, golden):
    assert encode_value(metadata, version).hex() == golden
    assert decode_value("t", bytes.fromhex(golden)) == metadata


@given(metadatas)
def test_what_is_written_is_read(metadata):
    assert decode_value(metadata.transactional_id, encode_value(metadata)) == metadata
    assert decode_key(encode_key(metadata.transactional_id)) == metadata.transactional_id


@given(metadatas, st.data())
def test_damaged_value_is_refused_or_read_but_never_crashes(metadata, data):
    value = bytearray(encode_value(metadata, data.draw(st.integers(0, 1))))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(CorruptRecordError, UnsupportedFormatError):
        decode_value("t", bytes(value))


@given(metadatas, st.data())
def test_every_prefix_of_a_value_is_refused(metadata, data):
    value = encode_value(metadata)
    with pytest.raises(CorruptRecordError):
        decode_value("t", value[: data.draw(st.integers(0, len(value) - 1))])


def test_unknown_tagged_field_is_passed_over():
    metadata, version, golden = KAFKA_VALUES[0].values
    later = golden[:-2] + "01" + "07" + "03" + "abcdef"
    assert decode_value("t", bytes.fromhex(later)) == metadata


def test_whose_client_it_is_stands_in_a_tag_that_kafka_passes_over():
    metadata = TransactionMetadata("t", 1, 2, 3, TransactionState.ONGOING, is_remote=True)
    value = encode_value(metadata)
    assert decode_value("t", value) == metadata
    plain = encode_value(metadata._replace(is_remote=False))
    assert value[len(plain) :] == bytes.fromhex("904e0101")  # tag 10000, one byte, 1


def test_newer_versions_are_told_apart():
    assert decode_key(b"\x00\x01\x00\x01a") is None
    with pytest.raises(UnsupportedFormatError, match="version 2"):
        decode_value("t", b"\x00\x02" + bytes(40))
    with pytest.raises(CorruptRecordError, match="1 bytes are left over"):
        decode_value("t", bytes.fromhex(KAFKA_VALUES[0].values[2] + "00"))
