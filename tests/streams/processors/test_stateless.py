"""The steps of a stream that keep no state."""

from typing import Any

import pytest
from tests.streams.processors.harness import Captured, Harness, a_task

from pylog.streams.errors import TopologyError
from pylog.streams.keyed_function import with_key
from pylog.streams.node import Node, ProcessorNode
from pylog.streams.processors.stateless import (
    BranchNode,
    FilterNode,
    FlatMapNode,
    FlatMapValuesNode,
    ForeachNode,
    KTableToStreamNode,
    MapNode,
    MapValuesNode,
    PassThroughNode,
    PeekNode,
    SelectKeyNode,
)
from pylog.streams.record import Change, Record


def _run(node: Node, *records: tuple[Any, Any]) -> list[tuple[Any, Any]]:
    harness = Harness(lambda: node)
    output = harness.pipe_all(*((key, value, 7) for key, value in records))
    assert {record.timestamp for record in output} <= {7}
    return [(record.key, record.value) for record in output]


RECORDS: list[tuple[Any, Any]] = [("a", 1), ("b", 2), (None, 3), ("d", None)]


def test_filter_keeps_what_the_predicate_accepts() -> None:
    def odd(key: Any, value: Any) -> bool:
        return value is not None and value % 2 == 1

    assert _run(FilterNode(odd), *RECORDS) == [("a", 1), (None, 3)]
    assert _run(FilterNode(odd, True), *RECORDS) == [("b", 2), ("d", None)]


def test_a_predicate_may_return_anything_that_is_true_or_false() -> None:
    assert _run(FilterNode(lambda key, value: value), *RECORDS) == RECORDS[:3]
    assert _run(FilterNode(lambda key, value: key or [], True), *RECORDS) == [(None, 3)]


def test_map_makes_another_key_and_value() -> None:
    assert _run(MapNode(lambda key, value: (value, key)), *RECORDS) == [
        (1, "a"),
        (2, "b"),
        (3, None),
        (None, "d"),
    ]
    assert _run(MapNode(lambda key, value: [value, key]), ("a", 1)) == [(1, "a")]


@pytest.mark.parametrize("returned", [None, "ab", b"ab", 5, (1,), (1, 2, 3)])
@pytest.mark.parametrize("make", [MapNode, FlatMapNode])
def test_a_mapper_that_returns_no_pair_is_an_error(make: Any, returned: Any) -> None:
    mapper = (lambda key, value: returned) if make is MapNode else (lambda key, value: [returned])
    with pytest.raises(TypeError, match=r"returned .*; it returns a \(key, value\) pair"):
        _run(make(mapper), ("a", 1))


def test_select_key_makes_another_key() -> None:
    assert _run(SelectKeyNode(lambda key, value: value), ("a", 1), ("b", None)) == [
        (1, 1),
        (None, None),
    ]


def test_map_values_is_called_with_the_value_or_the_key_too() -> None:
    assert _run(MapValuesNode(lambda value: [value]), ("a", 1), ("b", None)) == [
        ("a", [1]),
        ("b", [None]),
    ]
    assert _run(MapValuesNode(with_key(lambda key, value: key * value)), ("a", 2)) == [("a", "aa")]


def test_flat_map_makes_any_number_of_records() -> None:
    node = FlatMapNode(lambda key, value: ((value, number) for number in range(value)))
    assert _run(node, ("a", 0), ("b", 2)) == [(2, 0), (2, 1)]


def test_flat_map_values_makes_any_number_of_values() -> None:
    assert _run(FlatMapValuesNode(str.split), ("a", "x y"), ("b", "")) == [("a", "x"), ("a", "y")]
    node = FlatMapValuesNode(with_key(lambda key, value: [key, value]))
    assert _run(node, ("a", "x")) == [("a", "a"), ("a", "x")]


@pytest.mark.parametrize(
    "node", [FlatMapNode(lambda key, value: None), FlatMapValuesNode(lambda value: None)]
)
def test_a_flat_mapper_that_returns_none_is_an_error(node: Node) -> None:
    with pytest.raises(TypeError, match="returned None; it returns an iterable"):
        _run(node, ("a", 1))


def test_peek_passes_records_on_and_foreach_does_not() -> None:
    seen: list[tuple[Any, Any]] = []
    assert _run(PeekNode(lambda key, value: seen.append((key, value))), *RECORDS) == RECORDS
    assert _run(ForeachNode(lambda key, value: seen.append((key, value))), *RECORDS) == []
    assert seen == RECORDS * 2


def test_pass_through_hands_on_the_same_record() -> None:
    harness = Harness(PassThroughNode)
    (record,) = harness.pipe("a", 1, 5, [("h", b"x")])
    assert record == Record("a", 1, 5, [("h", b"x")])


def test_a_table_becomes_the_stream_of_its_new_values() -> None:
    records = [("a", Change(1, None)), ("a", Change(None, 1))]
    assert _run(KTableToStreamNode(), *records) == [("a", 1), ("a", None)]
    with pytest.raises(TypeError):
        _run(KTableToStreamNode(), ("a", 1))


def test_headers_are_shared_by_all_that_comes_from_a_record() -> None:
    harness = Harness(lambda: MapNode(lambda key, value: (value, key)))
    headers = [("h", b"x")]
    (record,) = harness.pipe("a", 1, 5, headers)
    assert record.headers is headers


def _branches(child_names: list[str]) -> dict[str, list[Any]]:
    task = a_task()
    node = BranchNode([lambda key, value: value > 10, lambda key, value: value > 5], child_names)
    node.attach("branch", task)
    found = {}
    for name in ("large", "medium", "other"):
        output = Captured()
        child = ProcessorNode(output)
        child.attach(name, task)
        child.open()
        node.add_child(child)
        found[name] = output
    node.open()
    for value in (20, 7, 1, 11):
        node.accept(Record("k", value, 0))
    return {name: [record.value for record in output.records] for name, output in found.items()}


def test_a_record_goes_to_the_first_branch_that_accepts_it() -> None:
    assert _branches(["large", "medium", "other"]) == {
        "large": [20, 11],
        "medium": [7],
        "other": [1],
    }


def test_without_a_default_branch_what_none_accepts_is_gone() -> None:
    assert _branches(["large", "medium"]) == {"large": [20, 11], "medium": [7], "other": []}


def test_a_branch_that_is_not_there_is_an_error_before_the_first_record() -> None:
    with pytest.raises(TopologyError, match="branch has no child 'huge'"):
        _branches(["huge", "medium"])


def test_each_node_names_the_functions_of_the_program() -> None:
    def function(key: Any, value: Any) -> Any:
        return None

    for make in (FilterNode, MapNode, SelectKeyNode, FlatMapNode, PeekNode, ForeachNode):
        assert make(function).functions() == (function,)
    for make in (MapValuesNode, FlatMapValuesNode):
        assert make(with_key(function)).functions() == (function,)
    assert BranchNode([function], ["a"]).functions() == (function,)
    assert PassThroughNode().functions() == ()
