import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logcore import partition_metadata
from logcore.errors import CorruptRecordError, UnsupportedFormatError
from logcore.partition_metadata import decode_uuid, encode_uuid

TOPIC_ID = uuid.UUID("d0edea22-6cef-4a62-8066-d38619aceaa8")
GOLDEN = Path(__file__).parent.parent / "golden"


def test_the_file_is_kafkas_text(tmp_path):
    path = tmp_path / "partition.metadata"
    partition_metadata.write(path, TOPIC_ID)
    assert path.read_bytes() == b"version: 0\ntopic_id: 0O3qImzvSmKAZtOGGazqqA"
    assert partition_metadata.read(str(path)) == TOPIC_ID


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*/partition.metadata")), ids=str)
def test_kafkas_own_file_comes_back_byte_for_byte(tmp_path, path):
    topic_id = partition_metadata.read(path)
    partition_metadata.write(tmp_path / "partition.metadata", topic_id)
    assert (tmp_path / "partition.metadata").read_bytes() == path.read_bytes()


@given(st.uuids())
def test_every_id_has_22_characters_and_comes_back(value):
    text = encode_uuid(value)
    assert len(text) == 22
    assert decode_uuid(text) == value


def test_texts_are_those_of_kafkas_uuid():
    # org.apache.kafka.common.Uuid of these bits.
    assert encode_uuid(uuid.UUID(int=(1 << 64) + 2)) == "AAAAAAAAAAEAAAAAAAAAAg"
    assert encode_uuid(uuid.UUID(int=0)) == "AAAAAAAAAAAAAAAAAAAAAA"
    assert encode_uuid(uuid.UUID(int=2**128 - 1)) == "_____________________w"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAA",
        "AAAAAAAAAAEAAAAAAAAAAg==",
        "AAAAAAAAAAEAAAAAAAAAAh",
        "AAAAAAAAAAEAAAAAAAAAA+",
        "AAAAAAAAAAEAAAAAAAAAA/",
        "AAAAAAAAAAEAAAAAAAAAAgA",
        "AAAAAAAAAAE AAAAAAAAAAg",
        "AAAAAAAAAAEAAAAAAAAAé",
        "00000000-0000-0001-0000-000000000002",
    ],
)
def test_one_id_has_one_text(text):
    with pytest.raises(ValueError, match="is not a topic id"):
        decode_uuid(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"version: 0",
        b"version: 0\n",
        b"version: 0\ntopic_id: ",
        b"version: 0\ntopic_id: short",
        b"version: 0\ntopic_id: 0O3qImzvSmKAZtOGGazqq!",
        b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA",
        b"version: 0\ntopic_id: 0O3qImzvSmKAZtOGGazqqA\nmore: 1",
        b"topic_id: 0O3qImzvSmKAZtOGGazqqA\nversion: 0",
        b"version: x\ntopic_id: 0O3qImzvSmKAZtOGGazqqA",
        b"version: -1\ntopic_id: 0O3qImzvSmKAZtOGGazqqA",
        b"\xff\xfe",
    ],
)
def test_anything_else_is_corruption_that_names_the_file(tmp_path, text):
    path = tmp_path / "partition.metadata"
    path.write_bytes(text)
    with pytest.raises(CorruptRecordError) as raised:
        partition_metadata.read(path)
    assert raised.value.path == str(path)


def test_a_newer_version_is_told_from_corruption(tmp_path):
    path = tmp_path / "partition.metadata"
    path.write_bytes(b"version: 1\ntopic_id: 0O3qImzvSmKAZtOGGazqqA")
    with pytest.raises(UnsupportedFormatError, match="version 1; this release knows 0"):
        partition_metadata.read(path)


def test_no_file_is_not_an_id(tmp_path):
    with pytest.raises(FileNotFoundError):
        partition_metadata.read(tmp_path / "partition.metadata")


def test_the_zero_id_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="zero"):
        partition_metadata.write(tmp_path / "partition.metadata", uuid.UUID(int=0))
