"""Names of nodes, stores and topics: those of the program checked, the others made as Kafka does.

A made name is a prefix and a number of ten digits. One counter of the builder gives the numbers,
and it advances for operators that have a name too, so that naming one does not rename the rest.
Stores and topics keep state, and they are found by name: the counter's order is part of the format.
"""

import re

from pylog.streams.errors import TopologyError

MAX_NAME_LENGTH = 249

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


def checked_name(name: str) -> str:
    """Return a name that may stand for a node, a store or a part of a topic's name.

    Raises:
        TypeError: it is no text.
        TopologyError: it is empty, ".", "..", too long, or has a character other than ASCII
            letters, digits, ".", "_" and "-".
    """
    if not isinstance(name, str):
        raise TypeError(f"a name is text, not {name!r}")
    if not name:
        raise TopologyError("a name is not empty")
    if name in (".", ".."):
        raise TopologyError(f"{name!r} is no name")
    if len(name) > MAX_NAME_LENGTH:
        raise TopologyError(
            f"a name has at most {MAX_NAME_LENGTH} characters, this one {len(name)}: {name}"
        )
    if not _LEGAL.fullmatch(name):
        raise TopologyError(f"a name has ASCII letters, digits, '.', '_' and '-', unlike {name!r}")
    return name


class NameGenerator:
    """The counter of a builder."""

    def __init__(self) -> None:
        self._index = 0

    def new_processor_name(self, prefix: str) -> str:
        """The next name with this prefix."""
        name = f"{prefix}{self._index:010d}"
        self._index += 1
        return name

    def new_store_name(self, prefix: str) -> str:
        """The next name of a store of an operator with this prefix."""
        return self.new_processor_name(f"{prefix}STATE-STORE-")

    def name_or_new(self, name: str | None, prefix: str, suffix: str = "") -> str:
        """The name that was given, with a suffix, or a new one; the counter advances either way."""
        generated = self.new_processor_name(prefix)
        return generated if name is None else checked_name(name + suffix)
