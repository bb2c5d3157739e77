"""TopicRegex against Python's own matcher, and what it must not do."""

import re

import pytest

from pylog.group.group_types import GroupError
from pylog.server.topic_regex import TopicRegex

NAMES = ["", "a", "b", "ab", "aab", "abab", "orders", "orders-1", "orders.eu", "x_1", "-", "a\nb"]
EXPRESSIONS = [
    "", "a", ".*", "a|b", "(ab)*", "(?:ab)+", "a?b", "[a-c]+", "[^a]", r"\w+", r"\d", "^orders$",
    r"orders[-.]\w+", "a{2}b", "(a|ab)(b|ab)?", "a{1,3}b*", r"orders(-\d+)?", "a+?b", r"[\w.-]*",
    "(a*)*b",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_it_matches_as_python_does(expression):
    wanted = [name for name in NAMES if re.fullmatch(expression, name)]
    assert [name for name in NAMES if TopicRegex(expression).matches(name)] == wanted


@pytest.mark.parametrize(
    "expression", ["[", "(", "*", r"(a)\1", "(?=a)", "(?<!a)b", "(?i)a", r"\ba"]
)
def test_what_is_none_or_looks_around_is_refused(expression):
    with pytest.raises(GroupError, match="INVALID_REGULAR_EXPRESSION"):
        TopicRegex(expression)


@pytest.mark.parametrize(
    "expression", ["(a{999}){999}", "((a{50}){50}){50}", "(" * 5000 + ")" * 5000]
)
def test_what_is_too_large_is_refused(expression):
    with pytest.raises(GroupError, match="INVALID_REGULAR_EXPRESSION"):
        TopicRegex(expression)


def test_an_expression_that_drives_others_mad_is_matched_at_once():
    assert not TopicRegex("(a*)*(a*)*(a|aa)+c").matches("a" * 249)
