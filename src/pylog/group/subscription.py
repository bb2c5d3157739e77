"""What a consumer subscribes to: names, and expressions that topics come to match."""

import re
from collections.abc import Iterable

from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.internal_topics import is_internal


def match_topics(patterns: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The topics of a subscription: names as they are, and what its expressions match.

    Internal topics are there for who names them: an expression that takes in the offsets' topic
    would read its own commits. (Java's client does so, librdkafka does not.)
    """
    found = set()
    for pattern in patterns:
        if not pattern.startswith("^"):
            found.add(pattern)
            continue
        expression = re.compile(pattern)
        found.update(name for name in known if expression.search(name) and not is_internal(name))
    return tuple(sorted(found))


def check_pattern(pattern: str) -> None:
    """Refuse a regular expression that is none: KafkaException _INVALID_ARG."""
    if pattern.startswith("^"):
        try:
            re.compile(pattern)
        except re.error as error:
            text = KafkaError(KafkaError._INVALID_ARG).str()
            refuse(
                KafkaError._INVALID_ARG,
                f"Failed to set subscription: {text}: {pattern!r} is no regular expression: "
                f"{error}",
            )
