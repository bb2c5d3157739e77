"""The order of Java's TreeMap, whose comparison may change while things are put in."""

import random

import pytest

from pylog.streams.topology_description import java_set_order
from pylog.streams.tree_order import TreeOrder


@pytest.mark.parametrize("seed", range(5))
def test_with_a_steady_comparison_the_order_is_sorted(seed: int) -> None:
    numbers = random.Random(seed).sample(range(1000), 200)
    order: TreeOrder[int] = TreeOrder(lambda a, b: a - b)
    for number in numbers + numbers[:50]:
        order.add(number)
    assert list(order) == sorted(numbers)


def test_the_tree_stays_shallow() -> None:
    compared = 0

    def compare(a: int, b: int) -> int:
        nonlocal compared
        compared += 1
        return a - b

    order: TreeOrder[int] = TreeOrder(compare)
    for number in range(1024):
        order.add(number)
    compared = 0
    order.add(2000)
    assert compared <= 20


def test_a_comparison_that_changes_gives_the_order_of_javas_tree() -> None:
    weights = [0] * 40
    order: TreeOrder[int] = TreeOrder(lambda a, b: weights[b] - weights[a] or a - b)
    for step in range(40):
        number = step * 17 % 40
        order.add(number)
        weights[(number * 7919 + 13) % 40] += step % 5
    # What a java.util.TreeSet with the same comparator gave for the same steps.
    assert list(order) == JAVA_TREE


# fmt: off
JAVA_TREE = [
    15, 20, 25, 2, 32, 37, 9, 14, 19, 26, 31, 36, 0, 4, 3, 5, 10, 35, 12, 8, 11, 16, 17, 21,
    22, 27, 29, 1, 6, 7, 13, 18, 24, 23, 28, 33, 34, 38, 39, 30,
]
# fmt: on

# What new HashSet<>(a list of these) and a HashSet that they were added to gave in Java.
JAVA_SETS = [
    (["topic-1", "topic-2", "store", "Aa", "BB"], True, "Aa BB topic-1 store topic-2"),
    ([f"ä日-{number}" for number in range(12)], True, "2 3 0 1 8 9 6 7 4 5 11 10"),
    ([f"ä日-{number}" for number in range(12)], False, "2 3 0 1 11 10 8 9 6 7 4 5"),
]


@pytest.mark.parametrize(("texts", "is_copied", "expected"), JAVA_SETS)
def test_texts_come_in_the_order_of_javas_hash_set(
    texts: list[str], is_copied: bool, expected: str
) -> None:
    ordered = java_set_order(texts, len(texts) if is_copied else None)
    assert [text.removeprefix("ä日-") for text in ordered] == expected.split()
