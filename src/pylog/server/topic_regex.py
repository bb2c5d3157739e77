"""TopicRegex: regular expressions of clients, matched in linear time.

Kafka takes RE2's syntax, which cannot go wild; Python's own matcher can, and the expression is a
stranger's. So Python's parser reads it, and a simulation of all states at once matches it. What RE2
refuses is refused: references to groups, looking ahead or behind.

Source: Kafka Utils.compileRegex of GroupMetadataManager (com.google.re2j.Pattern).
"""

import re
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from pylog.error_codes import ErrorCodes
from pylog.group.group_types import GroupError

MOST_STATES = 2000

_CATEGORIES = {
    _constants.CATEGORY_DIGIT: (str.isdigit, True),
    _constants.CATEGORY_NOT_DIGIT: (str.isdigit, False),
    _constants.CATEGORY_SPACE: (str.isspace, True),
    _constants.CATEGORY_NOT_SPACE: (str.isspace, False),
    _constants.CATEGORY_WORD: (lambda letter: letter.isalnum() or letter == "_", True),
    _constants.CATEGORY_NOT_WORD: (lambda letter: letter.isalnum() or letter == "_", False),
}


class TopicRegex:
    """One expression.

    Args:
        text: the expression.

    Raises:
        GroupError: INVALID_REGULAR_EXPRESSION.
    """

    def __init__(self, text: str) -> None:
        # A state: (test, next) reads a letter; (None, nexts) reads none; the last one accepts.
        self._states: list[tuple[Any, list[int]]] = []
        try:
            parsed = _parser.parse(text)
            if parsed.state.flags & re.IGNORECASE:
                raise re.error("flags are not supported")
            self._start = self._add(list(parsed), self._new(None, []))
        except (re.error, RecursionError, OverflowError) as error:
            raise GroupError(
                ErrorCodes.INVALID_REGULAR_EXPRESSION,
                f"SubscribedTopicRegex `{text}` is not a valid regular expression: {error}.",
            ) from None

    def matches(self, name: str) -> bool:
        """Whether it matches a name as a whole."""
        here = self._closure([self._start], 0, len(name))
        for position, letter in enumerate(name):
            step = [
                target
                for state in here
                if (test := self._states[state][0]) is not None and test(letter)
                for target in self._states[state][1]
            ]
            here = self._closure(step, position + 1, len(name))
        return 0 in here

    def _closure(self, states: list[int], position: int, length: int) -> set[int]:
        found: set[int] = set()
        todo = list(states)
        while todo:
            state = todo.pop()
            if state in found:
                continue
            found.add(state)
            test, nexts = self._states[state]
            if (
                test is None
                or (test is _AT_START and position == 0)
                or (test is _AT_END and position == length)
            ):
                todo += nexts
        return found

    # ---- from the parser's tree, from behind ----

    def _new(self, test: Any, nexts: list[int]) -> int:
        if len(self._states) >= MOST_STATES:
            raise re.error("it is too large")
        self._states.append((test, nexts))
        return len(self._states) - 1

    def _add(self, items: list[tuple[Any, Any]], after: int) -> int:
        """States that match `items` and go on to `after`; the first of them."""
        for kind, value in reversed(items):
            after = self._add_one(kind, value, after)
        return after

    def _add_one(self, kind: Any, value: Any, after: int) -> int:
        if kind is _constants.BRANCH:
            return self._new(None, [self._add(list(branch), after) for branch in value[1]])
        if kind is _constants.SUBPATTERN:
            if value[1] or value[2]:
                raise re.error("flags are not supported")
            return self._add(list(value[3]), after)
        if kind in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            return self._add_repeat(value, after)
        if kind is _constants.AT:
            if value in (_constants.AT_BEGINNING, _constants.AT_BEGINNING_STRING):
                return self._new(_AT_START, [after])
            if value in (_constants.AT_END, _constants.AT_END_STRING):
                return self._new(_AT_END, [after])
            raise re.error("word boundaries are not supported")
        return self._new(_letter_test(kind, value), [after])

    def _add_repeat(self, value: Any, after: int) -> int:
        least, most, inner = value
        items = list(inner)
        if most is _constants.MAXREPEAT:
            loop = self._new(None, [after])
            self._states[loop][1].append(self._add(items, loop))
            after = loop
        else:
            for _ in range(most - least):
                after = self._new(None, [after, self._add(items, after)])
        for _ in range(least):
            after = self._add(items, after)
        return after


def _AT_START(letter: str) -> bool:  # noqa: N802
    return False


def _AT_END(letter: str) -> bool:  # noqa: N802
    return False


def _letter_test(kind: Any, value: Any) -> Any:
    if kind is _constants.LITERAL:
        return lambda letter: ord(letter) == value
    if kind is _constants.NOT_LITERAL:
        return lambda letter: ord(letter) != value
    if kind is _constants.ANY:
        return lambda letter: letter != "\n"
    if kind is _constants.IN:
        is_negated = value[0][0] is _constants.NEGATE
        tests = [_set_test(*item) for item in (value[1:] if is_negated else value)]
        return lambda letter: any(test(letter) for test in tests) != is_negated
    raise re.error(f"{str(kind).lower()} is not supported")


def _set_test(kind: Any, value: Any) -> Any:
    if kind is _constants.RANGE:
        return lambda letter: value[0] <= ord(letter) <= value[1]
    if kind is _constants.CATEGORY:
        test, wanted = _CATEGORIES[value]
        return lambda letter: test(letter) == wanted
    return _letter_test(kind, value)
