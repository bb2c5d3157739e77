"""TreeOrder: a set that keeps things in the order in which Java's TreeMap gives them.

For things that compare differently later than when they were put in, the order is one of where
each went down the tree at its time, so the tree must be the same: red and black, balanced as
Cormen, Leiserson, Rivest and Stein do.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Entry(Generic[T]):
    def __init__(self, item: T, parent: "_Entry[T] | None"):
        self.item = item
        self.parent = parent
        self.left: _Entry[T] | None = None
        self.right: _Entry[T] | None = None
        self.is_black = False


class TreeOrder(Generic[T]):
    """A sorted set by a comparison, which may change its mind about what is in already."""

    def __init__(self, compare: Callable[[T, T], int]):
        self._compare = compare
        self._root: _Entry[T] | None = None

    def add(self, item: T) -> None:
        """Put an item in; one that compares equal on the way down stays instead."""
        parent = None
        place = self._root
        order = 0
        while place is not None:
            parent = place
            order = self._compare(item, place.item)
            if order == 0:
                return
            place = place.left if order < 0 else place.right
        entry = _Entry(item, parent)
        if parent is None:
            self._root = entry
        elif order < 0:
            parent.left = entry
        else:
            parent.right = entry
        self._balance(entry)

    def __iter__(self) -> Iterator[T]:
        path: list[_Entry[T]] = []
        place = self._root
        while path or place is not None:
            while place is not None:
                path.append(place)
                place = place.left
            entry = path.pop()
            yield entry.item
            place = entry.right

    def _balance(self, entry: _Entry[T]) -> None:
        while (parent := entry.parent) is not None and not parent.is_black:
            above = parent.parent
            assert above is not None, "the root is black"
            is_left = parent is above.left
            aunt = above.right if is_left else above.left
            if aunt is not None and not aunt.is_black:
                parent.is_black = aunt.is_black = True
                above.is_black = False
                entry = above
                continue
            if entry is (parent.right if is_left else parent.left):
                self._rotate(parent, to_left=is_left)
                parent = entry
            parent.is_black = True
            above.is_black = False
            self._rotate(above, to_left=not is_left)
            break
        assert self._root is not None, "an entry was put in"
        self._root.is_black = True

    def _rotate(self, entry: _Entry[T], *, to_left: bool) -> None:
        child = entry.right if to_left else entry.left
        assert child is not None, "there is a child to take the place"
        inner = child.left if to_left else child.right
        if to_left:
            entry.right, child.left = inner, entry
        else:
            entry.left, child.right = inner, entry
        if inner is not None:
            inner.parent = entry
        child.parent = entry.parent
        if entry.parent is None:
            self._root = child
        elif entry.parent.left is entry:
            entry.parent.left = child
        else:
            entry.parent.right = child
        entry.parent = child
