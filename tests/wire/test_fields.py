"""The classes of messages: fields by keyword, defaults that are nobody else's, equality."""

import copy
import gc
import sys

import pytest

from pylog.wire import WireError
from pylog.wire.fields import Message, Versions, array, field
from pylog.wire.messages.api_00_produce import ProduceRequest, TopicProduceData
from pylog.wire.planner import plan_of
from pylog.wire.shape import Struct


class Inner(Message):
    number: int = field("int32", default=-1)


class Outer(Message, versions="1-3", flexible="3+"):
    name: str = field("string", default="")
    inner: Inner = field(Inner, default=Inner)
    tags: list[str] = array("string", "2+", default=())


def test_fields_have_their_defaults():
    outer = Outer()
    assert (outer.name, outer.inner, outer.tags) == ("", Inner(number=-1), [])


def test_each_object_has_its_own_default_list_and_struct():
    one, other = Outer(), Outer()
    one.tags.append("a")
    one.inner.number = 7
    assert other == Outer()


def test_a_field_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="Outer has no field 'nmae'"):
        Outer(nmae="x")  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Outer().nmae = "x"  # type: ignore[attr-defined]


def test_messages_are_equal_by_class_and_fields():
    assert Outer(name="a") == Outer(name="a")
    assert Outer(name="a") != Outer(name="b")
    assert Inner() != Outer()
    with pytest.raises(TypeError, match="unhashable"):
        hash(Outer())
    deleted = Outer()
    del deleted.name
    assert deleted != Outer()


def test_repr_is_what_makes_it():
    text = "Outer(name='a', inner=Inner(number=7), tags=['b'])"
    assert repr(eval(text)) == text


def test_a_second_init_starts_anew():
    outer = Outer(name="a", tags=["b"])
    outer.__init__(name="c")  # type: ignore[misc]
    assert outer == Outer(name="c")


def test_messages_can_be_copied():
    outer = Outer(name="a", tags=["b"])
    assert copy.copy(outer) == outer
    assert copy.deepcopy(outer).tags is not outer.tags


def test_a_class_without_fields_cannot_be_made():
    with pytest.raises(TypeError, match="Struct has no fields"):
        Struct()


def test_references_are_counted():
    name, tags = "".join(["na", "me"]), ["t"]
    before = sys.getrefcount(name), sys.getrefcount(tags)
    for _ in range(100):
        Outer(name=name, tags=tags).__init__(name=name)  # type: ignore[misc]
    assert (sys.getrefcount(name), sys.getrefcount(tags)) == before


def test_messages_that_hold_each_other_are_collected():
    gc.collect()
    outer = Outer()
    outer.tags.append(outer)  # type: ignore[arg-type]
    del outer
    assert gc.collect() > 0


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("3", 3, 3), ("3-8", 3, 8), ("3+", 3, 0x7FFF), ("none", 0, -1), ("", 0, -1)],
)
def test_versions_are_read_as_kafka_writes_them(text: str, first: int, last: int):
    assert Versions.parse(text) == Versions(first, last)


@pytest.mark.parametrize("version", [0, 4, -1])
def test_a_version_that_there_is_not_is_refused(version: int):
    with pytest.raises(WireError, match=f"Outer has versions 1 to 3, not {version}"):
        plan_of(Outer, version)


def test_a_plan_is_made_once():
    assert plan_of(ProduceRequest, 9) is plan_of(ProduceRequest, 9)


def test_generated_classes_have_no_dict():
    assert not hasattr(TopicProduceData(), "__dict__")
