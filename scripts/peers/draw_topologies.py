"""Draw topologies at random and have Kafka Streams describe them: tests/golden/streams/drawn.jsonl.

Each line of the golden has a topology's name, its calls and configs, as the README there says how
they read, and the text of Topology#describe. Topologies that Kafka Streams refuses are left out.

    python scripts/peers/streams.py fetch
    python scripts/peers/draw_topologies.py                    # write the golden
    python scripts/peers/draw_topologies.py --seeds 100:300    # print others
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import kafka

import streams

GOLDEN_PATH = Path(__file__).resolve().parents[2] / "tests" / "golden" / "streams" / "drawn.jsonl"
SEEDS = range(60)
OPTIMIZATIONS = (
    "all",
    "merge.repartition.topics",
    "reuse.ktable.source.topics",
    "single.store.self.join",
)
STATELESS = {
    "filter": "lastEven",
    "filterNot": "lastThird",
    "map": "swap",
    "mapValues": "exclaim",
    "flatMap": "fan",
    "flatMapValues": "twice",
    "selectKey": "fk",
    "peek": "ignore",
}
WINDOWS = ("TimeWindows(10, grace=5)", "SlidingWindows(10, grace=5)", "SessionWindows(10, grace=5)")


class Drawing:
    """One topology: its lines, and the variables so far by what they hold."""

    def __init__(self, seed: int):
        self.random = random.Random(f"topology {seed}")
        self.calls: list[str] = []
        self.variables: dict[str, list[str]] = {}
        self._last = 0
        self._topics: list[str] = []

    def draw(self) -> dict[str, Any]:
        """Return the topology."""
        topology: dict[str, Any] = {"spec": "drawn", "calls": self.calls}
        optimization = self.random.choice((None, None, *OPTIMIZATIONS))
        if optimization is not None:
            topology["configs"] = {"topology.optimization": optimization}
        self._source()
        for _ in range(self.random.randrange(4, 20)):
            kinds = [kind for kind in self.variables if kind != "globalTable"]
            if not kinds or self.random.random() < 0.15:
                self._source()
            else:
                kind = self.random.choice(kinds)
                getattr(self, f"_{kind}")(self._variable(kind))
        return topology

    def _variable(self, kind: str) -> str:
        return self.random.choice(self.variables[kind])

    def _new(self, prefix: str) -> str:
        self._last += 1
        return f"{prefix}{self._last}"

    def _word(self, word: str) -> str:
        """A word with a name, or nothing."""
        return f"{word}('{self._new('n')}')" if self.random.random() < 0.35 else ""

    def _add(self, kind: str, call: str, *arguments: str) -> None:
        name = self._new("v")
        self.calls.append(f"{name} = {call}({_listed(arguments)})")
        self.variables.setdefault(kind, []).append(name)

    def _source(self) -> None:
        kind = self.random.choice(("stream",) * 5 + ("table",) * 4 + ("globalTable",))
        if kind == "stream" and self._topics and self.random.random() < 0.25:
            topic = self.random.choice(self._topics)
        else:
            topic = f"'{self._new('t')}'"
            if kind == "stream":
                self._topics.append(topic)
        words = ["Consumed"] if kind == "stream" else ["Consumed", "Materialized"]
        self._add(kind, f"builder.{kind}", topic, *map(self._word, words))

    def _stream(self, stream: str) -> None:
        steps = [self._stateless, self._end, self._combine, self._group, self._join_stream]
        self.random.choice([*steps, self._stateless, self._group, self._split])(stream)

    def _stateless(self, stream: str) -> None:
        operation = self.random.choice(sorted(STATELESS))
        self._add("stream", f"{stream}.{operation}", STATELESS[operation], self._word("Named"))

    def _end(self, stream: str) -> None:
        topic = f"'{self._new('o')}'"
        if self.random.random() < 0.5:
            self.calls.append(f"{stream}.to({_listed([topic, self._word('Produced')])})")
        else:
            self.calls.append(f"{stream}.foreach({_listed(['ignore', self._word('Named')])})")

    def _combine(self, stream: str) -> None:
        operation = self.random.choice(("merge", "repartition", "toTable"))
        if operation == "merge":
            self._add("stream", f"{stream}.merge", self._variable("stream"), self._word("Named"))
        elif operation == "repartition":
            self._add("stream", f"{stream}.repartition", self._word("Repartitioned"))
        else:
            words = (self._word("Named"), self._word("Materialized"))
            self._add("table", f"{stream}.toTable", *words)

    def _group(self, stream: str) -> None:
        by_key = self.random.random() < 0.5
        arguments = () if by_key else ("fk",)
        operation = "groupByKey" if by_key else "groupBy"
        self._add("grouped", f"{stream}.{operation}", *arguments, self._word("Grouped"))

    def _split(self, stream: str) -> None:
        name = self._new("n")
        branches = self._new("b")
        self.calls.append(
            f"{branches} = {stream}.split(Named('{name}-')).branch(lastEven, Branched('x'))"
            ".branch(lastThird).defaultBranch()"
        )
        for branch in ("x", "2", "0"):
            if self.random.random() < 0.6:
                self._add("stream", f"{branches}['{name}-{branch}'].filter", "lastEven")

    def _join_stream(self, stream: str) -> None:
        kind = self.random.choice(
            [k for k in ("stream", "table", "globalTable") if k in self.variables]
        )
        operation = self.random.choice(("join", "leftJoin"))
        other = self._variable(kind)
        if kind == "stream":
            operation = self.random.choice((operation, "outerJoin"))
            joined = self.random.choice(("", "", "'{0}'", "store='{1}'", "'{0}', store='{1}'"))
            if joined:
                joined = f"StreamJoined({joined.format(self._new('n'), self._new('s'))})"
            windows = "JoinWindows(10, grace=5)"
            self._add("stream", f"{stream}.{operation}", other, "pair", windows, joined)
        elif kind == "table":
            self._add("stream", f"{stream}.{operation}", other, "pair", self._word("Joined"))
        else:
            named = self._word("Named")
            self._add("stream", f"{stream}.{operation}", other, "fk", "pair", named)

    def _table(self, table: str) -> None:
        operation = self.random.choice(
            ("filter", "mapValues", "transformValues", "toStream", "groupBy", "join", "join by key")
        )
        named, kept = self._word("Named"), self._word("Materialized")
        if operation in ("filter", "mapValues"):
            self._add("table", f"{table}.{operation}", STATELESS[operation], named, kept)
        elif operation == "transformValues":
            self._add("table", f"{table}.{operation}", "transformRemembered()", kept, named)
        elif operation == "toStream":
            self._add("stream", f"{table}.toStream", named)
        elif operation == "groupBy":
            self._add("groupedTable", f"{table}.groupBy", "byFk", self._word("Grouped"))
        elif operation == "join":
            kind = self.random.choice(("join", "leftJoin", "outerJoin"))
            self._add("table", f"{table}.{kind}", self._variable("table"), "pair", named, kept)
        else:
            kind = self.random.choice(("join", "leftJoin"))
            joined = self._word("TableJoined")
            other = self._variable("table")
            self._add("table", f"{table}.{kind}", other, "fk", "pair", joined, kept)

    def _grouped(self, grouped: str) -> None:
        operation = self.random.choice(("aggregation", "windows", "cogroup"))
        if operation == "aggregation":
            self._aggregation(
                "table", grouped, {"reduce": "appendValue", "aggregate": "zero, append"}
            )
        elif operation == "windows":
            windows = self.random.choice(WINDOWS)
            kind = "sessions" if windows.startswith("Session") else "windowed"
            self._add(kind, f"{grouped}.windowedBy", windows)
        else:
            others = [other for other in self.variables["grouped"] if other != grouped]
            chosen = self.random.sample(others, min(len(others), self.random.randrange(3)))
            more = "".join(f".cogroup({other}, remove)" for other in chosen)
            self._add("cogrouped", f"{grouped}.cogroup(append){more}.cogroup", grouped, "append")

    def _groupedTable(self, grouped: str) -> None:  # noqa: N802
        functions = {"reduce": "appendValue, removeValue", "aggregate": "zero, append, remove"}
        self._aggregation("table", grouped, functions)

    def _windowed(self, windowed: str) -> None:
        self._aggregation("table", windowed, {"reduce": "appendValue", "aggregate": "zero, append"})

    def _sessions(self, windowed: str) -> None:
        functions = {"reduce": "appendValue", "aggregate": "zero, append, bars"}
        self._aggregation("table", windowed, functions)

    def _cogrouped(self, cogrouped: str) -> None:
        windows = self.random.choice(("", "", f".windowedBy({WINDOWS[0]})"))
        words = (self._word("Named"), self._word("Materialized"))
        self._add("table", f"{cogrouped}{windows}.aggregate", "zero", *words)

    def _aggregation(self, kind: str, grouped: str, functions: dict[str, str]) -> None:
        operation = self.random.choice(("count", *functions))
        named, kept = self._word("Named"), self._word("Materialized")
        if named and not kept:
            # Not every form takes a name without a store.
            kept = f"Materialized('{self._new('n')}')"
        self._add(kind, f"{grouped}.{operation}", functions.get(operation, ""), named, kept)


def _listed(arguments: Iterable[str]) -> str:
    return ", ".join(argument for argument in arguments if argument)


def described(seeds: Iterable[int]) -> list[dict[str, Any]]:
    """Return the topologies of these seeds, with Kafka Streams' text, without those it refuses."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "topology.json"
        for seed in seeds:
            name, topology = f"drawn-{seed}", Drawing(seed).draw()
            path.write_text(json.dumps({name: topology}))
            try:
                text = streams.run_java("Describe", path, name)
            except kafka.PeerFailedError:
                continue
            found.append({"name": name, **topology, "text": text})
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the golden, or print topologies of other seeds; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw topologies; Kafka Streams describes them.")
    parser.add_argument("--seeds", metavar="FROM:TO", help="print these instead")
    options = parser.parse_args(arguments)
    streams.fetch()
    seeds: Iterable[int] = SEEDS
    if options.seeds:
        first, end = map(int, options.seeds.split(":"))
        seeds = range(first, end)
    lines = "".join(json.dumps(topology) + "\n" for topology in described(seeds))
    if options.seeds:
        sys.stdout.write(lines)
    else:
        GOLDEN_PATH.write_text(lines)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
