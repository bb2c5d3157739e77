"""A topology of two input topics and one output topic, driven step by step: for tests of joins.

Steps are written as text: what has come out after each, parted by blanks.

    -             nothing
    A-a@4         a record with value "A-a" and timestamp 4, of the one key
    null@7        a delete
    A-b@6,B-b@6   several, in this order
    !E-null@16    one without a key
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.record import Record
from pylog.streams.testing import TopologyTestDriver

CASES = Path(__file__).parent.parent / "cases"
KEY = "the one key"

Steps = list[tuple[str, str | None, str | None, int]]


def text(value: Any) -> str:
    """A value as Java prints it."""
    return "null" if value is None else str(value)


def dashed(left: Any, right: Any) -> str:
    """Join with a dash."""
    return f"{text(left)}-{text(right)}"


def added(left: Any, right: Any) -> str:
    """Join with a plus."""
    return f"{text(left)}+{text(right)}"


def in_parentheses(left: Any, right: Any) -> str:
    """Join in parentheses."""
    return f"({text(left)},{text(right)})"


class JoinDriver:
    """Runs a topology that reads "left", "right" and perhaps more, and writes "out"."""

    def __init__(
        self,
        define: Callable[[StreamsBuilder], Any],
        config: Mapping[str, Any] | None = None,
        topics: tuple[str, ...] = ("left", "right"),
        extend: Callable[[Any], Any] = lambda topology: None,
        value_serdes: Mapping[str, Any] | None = None,
    ):
        """Build it.

        Args:
            define: adds to a builder; returns the stream that is the output, or None.
            config: over the defaults: serdes of text and no cache.
            topics: of the input.
            extend: called with the topology that was built, may add to it.
            value_serdes: of topics whose values are not of the default serde.
        """
        settings = {
            "default.key.serde": serdes.string,
            "default.value.serde": serdes.string,
            "statestore.cache.max.bytes": 0,
            **(config or {}),
        }
        builder = StreamsBuilder()
        output = define(builder)
        if output is not None:
            output.to("out")
        topology = builder.build(settings)
        extend(topology)
        self.driver = TopologyTestDriver(topology, settings, initial_wall_clock_time_ms=0)
        self.inputs = {
            topic: self.driver.create_input_topic(topic, None, (value_serdes or {}).get(topic))
            for topic in topics
        }
        self.output = self.driver.create_output_topic("out")

    def __enter__(self) -> "JoinDriver":
        return self

    def __exit__(self, *_: Any) -> None:
        self.driver.close()

    def pipe(
        self, topic: str, key: str | None, value: str | None, timestamp: int, headers: Any = None
    ) -> list[tuple[Any, Any, int]]:
        """Put a record in; what has come out as (key, value, timestamp)."""
        self.inputs[topic].pipe_input(key, value, timestamp, headers)
        return self.read()

    def read(self) -> list[tuple[Any, Any, int]]:
        """What has come out."""
        return [(each.key, each.value, each.timestamp) for each in self.records()]

    def records(self) -> list[Record]:
        """What has come out, with headers."""
        return self.output.read_records_to_list()

    @property
    def drops(self) -> dict[str, int]:
        """How many records were dropped, by reason."""
        return dict(self.driver.task.context.metrics.dropped_records())

    def check_steps(self, steps: Steps, expected: str) -> None:
        """Put records in and compare what comes out after each with steps in text."""
        outputs = expected.split()
        assert len(outputs) == len(steps), "a step of output for each of input"
        for number, (step, output) in enumerate(zip(steps, outputs, strict=True)):
            assert self.pipe(*step) == list(_read_step(output)), f"step {number}: {step}"


def _read_step(output: str) -> Iterator[tuple[str | None, str | None, int]]:
    if output == "-":
        return
    for record in output.split(","):
        value, timestamp = record.rsplit("@", 1)
        key = None if value.startswith("!") else KEY
        value = value.removeprefix("!")
        yield key, None if value == "null" else value, int(timestamp)


class Changes:
    """What a table sends; called, it makes a processor that keeps it."""

    def __init__(self) -> None:
        self._seen: list[tuple[Any, Any, Any, int]] = []

    def __call__(self) -> "_KeepChanges":
        return _KeepChanges(self._seen)

    def take(self) -> list[tuple[Any, Any, Any, int]]:
        """(key, new value, old value, timestamp) of what came since the last call."""
        taken = list(self._seen)
        self._seen.clear()
        return taken


class _KeepChanges:
    def __init__(self, seen: list[tuple[Any, Any, Any, int]]):
        self._seen = seen

    def process(self, record: Record) -> None:
        change = record.value
        self._seen.append((record.key, change.new_value, change.old_value, record.timestamp))


def read_cases(name: str) -> Iterator[tuple[str, str, list[list[str]]]]:
    """Cases of a file in cases/: title, head, and lines as fields."""
    title, head, lines = "", "", []
    for line in (CASES / name).read_text().splitlines():
        if line.startswith("["):
            match = re.fullmatch(r"\[(.*)\] (.*)", line)
            assert match, line
            title, head = match.groups()
            lines = []
        elif line and not line.startswith("#"):
            lines.append(line.split(" "))
        elif lines:
            yield title, head, lines
            lines = []
    if lines:
        yield title, head, lines


def check_case(lines: list[list[str]], pipe: Callable[..., list[list[str]]]) -> None:
    """Go through the lines of a case.

    Args:
        lines: as read.
        pipe: puts a record (topic, key, value, timestamp) in, and returns what comes out as text.
    """
    outputs: list[list[str]] = []
    for number, (sign, *fields) in enumerate(lines):
        if sign == "=":
            expected = [each.split() for each in " ".join(fields).split("|") if each.strip()]
            assert outputs == expected, f"line {number}"
            outputs = []
        else:
            key, value = (None if each == "null" else each for each in fields[:2])
            topic = "left" if sign == "<" else "right"
            outputs += pipe(topic, key, value, int(fields[2]))
    assert outputs == []


def _steps(steps: str) -> Steps:
    """Of records of the one key: topic by the case of the letter, "-" a null, "!" no key."""
    read: Steps = []
    for step in steps.split():
        side, rest = step[0], step[1:]
        key = None if rest.startswith("!") else KEY
        value, timestamp = rest.removeprefix("!").rsplit("@", 1)
        topic = "left" if side == "L" else "right"
        read.append((topic, key, None if value == "null" else value, int(timestamp)))
    return read


# The inputs that Kafka Streams' integration tests of joins share (AbstractJoinIntegrationTest).
INPUT = _steps(
    "Lnull@1 Rnull@2 LA@3 Ra@4 LB@5 Rb@6 Lnull@7 Rnull@8 LC@9 Rc@10 Rnull@11 Lnull@12 Rnull@13 "
    "Rd@7 LD@6 Lnull@2 Rnull@3 Re@14 LE@15 Lnull@10 Rnull@9 LF@4 Rf@3"
)
IN_ORDER = _steps(
    "Lnull@1 Rnull@2 LA@3 Ra@4 LB@5 Rb@6 Lnull@7 Rnull@8 LC@9 Rc@10 Rnull@11 Lnull@12 Rnull@13 "
    "Rd@14 LD@15 L!E@16 R!e@17"
)
ONE_SIDED = _steps("Lnull@1 LA@2 LB@3 Lnull@4 LC@5 Lnull@6 LD@7")
