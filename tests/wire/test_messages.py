"""Random messages of every API at every version, as two other codecs read and write them."""

import dataclasses
import datetime
import io
import uuid
from typing import Any

import pytest
from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer
from tests.wire.random_messages import RandomMessages, every_version, seeded_random
from tests.wire.reference_codec import ReferenceWriter

from pylog.wire import NO_UUID, Message
from pylog.wire.decoder import decode
from pylog.wire.encoder import encode
from pylog.wire.fields import MessageType
from pylog.wire.planner import plan_of

MESSAGES = 10  # of each
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MILLISECOND = datetime.timedelta(milliseconds=1)

ARGUMENTS = ("cls", "api_key", "version", "direction")
CASES = [pytest.param(*one, id=f"{one[0].__name__}-{one[2]}") for one in every_version()]
FLEXIBLE = [case for case in CASES if case.values[2] in case.values[0].layout.flexible]


def as_ours(value: Any) -> Any:
    """A value of kio's as ours is: it has types for times, errors and ids."""
    if isinstance(value, datetime.timedelta):
        return value // MILLISECOND
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MILLISECOND
    if isinstance(value, uuid.UUID):
        return value.bytes
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value


def differences(ours: Any, theirs: Any, version: int, path: str = "") -> list[str]:
    """Compare field by field, by name."""
    if isinstance(ours, list) and theirs is not None:
        found = [] if len(ours) == len(theirs) else [f"{path}: {len(ours)}, {len(theirs)}"]
        for index, pair in enumerate(zip(ours, theirs, strict=False)):
            found += differences(*pair, version, f"{path}[{index}]")
        return found
    if dataclasses.is_dataclass(theirs):
        if ours is None:  # a tagged struct that is not there has kio's defaults
            return [] if theirs == type(theirs)() else [path]
        assert isinstance(ours, Message)
        fields = type(ours).layout.fields
        names = {field.name for field in dataclasses.fields(theirs)}
        found = []
        for name in fields:
            if version in fields[name].versions:
                other = name if name in names else name.removesuffix("_ms")
                names.remove(other)
                values = getattr(ours, name), getattr(theirs, other)
                found += differences(*values, version, f"{path}.{name}")
        return found + [f"{path}.{name}: not ours" for name in names]
    if theirs is None and ours == NO_UUID:
        return []
    same = ours == as_ours(theirs)
    return [] if same else [f"{path}: {ours!r}, {theirs!r}"]


@pytest.mark.parametrize(ARGUMENTS, CASES)
def test_kio_reads_and_writes_the_same_bytes(
    cls: MessageType, api_key: int, version: int, direction: str
):
    load: Any = load_request_schema if direction == "request" else load_response_schema
    entity = load(api_key, version)
    read, write = entity_reader(entity), entity_writer(entity)
    maker = RandomMessages(seeded_random(f"{cls.__name__} v{version}"), is_tame=True)
    plan = plan_of(cls, version)
    for _ in range(MESSAGES):
        message = maker.make(cls, version)
        ours = b"".join(encode(plan, message))
        theirs, size = read(ours, 0)
        assert size == len(ours)
        assert differences(message, theirs, version) == []
        written = io.BytesIO()
        write(written, theirs)
        assert written.getvalue() == ours
        assert decode(plan, ours) == message


@pytest.mark.parametrize(ARGUMENTS, CASES)
def test_the_schemas_say_the_same_bytes(
    cls: MessageType, api_key: int, version: int, direction: str
):
    maker = RandomMessages(seeded_random(f"{cls.__name__} v{version}"))
    plan = plan_of(cls, version)
    writer = ReferenceWriter(cls.__name__, version)
    for _ in range(MESSAGES):
        message = maker.make(cls, version)
        written = writer.write(message)
        assert b"".join(encode(plan, message)) == written
        assert decode(plan, written) == message


@pytest.mark.parametrize(ARGUMENTS, FLEXIBLE)
def test_tagged_fields_that_nobody_knows_are_skipped(
    cls: MessageType, api_key: int, version: int, direction: str
):
    maker = RandomMessages(seeded_random(f"{cls.__name__} v{version}"))
    plan = plan_of(cls, version)
    writer = ReferenceWriter(cls.__name__, version, with_unknown=True)
    for _ in range(MESSAGES):
        message = maker.make(cls, version)
        written = writer.write(message)
        assert len(written) > len(b"".join(encode(plan, message)))
        assert decode(plan, written) == message


@pytest.mark.parametrize(ARGUMENTS, CASES)
def test_a_message_of_defaults_is_written_and_read(
    cls: MessageType, api_key: int, version: int, direction: str
):
    plan = plan_of(cls, version)
    assert decode(plan, b"".join(encode(plan, cls()))) == cls()
