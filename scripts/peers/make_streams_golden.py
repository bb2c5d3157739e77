"""Write tests/golden/streams: what Kafka Streams itself makes of topologies and records.

The topologies are tests/golden/streams/topologies/*.json, written by hand; the README there says
how they read. Everything else in that folder is made by this program, by Kafka Streams alone.

    python scripts/peers/streams.py fetch
    python scripts/peers/make_streams_golden.py              # all of them, or the parts named
    python scripts/peers/make_streams_golden.py --check CASES.jsonl [FILE.json]   # compare only
    python scripts/peers/make_streams_golden.py --new 5:25 [--steps 40] > CASES.jsonl

The inputs are drawn from seeds, so a new run makes the same files, whatever the machine.
"""

import argparse
import json
import random
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import kafka

import streams

GOLDEN_DIR = Path(__file__).resolve().parents[2] / "tests" / "golden" / "streams"
TOPOLOGIES_DIR = GOLDEN_DIR / "topologies"

ORACLE_SEEDS = range(3)
ORACLE_STEPS = 30
CHANGELOG_STEPS = 20
FIRST_TIMESTAMP_MS = 1_700_000_000_000


def _read_topologies(path: Path) -> dict[str, Any]:
    topologies: dict[str, Any] = json.loads(path.read_text())
    return topologies


def _topics(topology: dict[str, Any]) -> list[str]:
    """Return the topics that a script reads."""
    sources = re.findall(
        r"builder\.(?:stream|table|globalTable)\('(\w+)'", "\n".join(topology["calls"])
    )
    return sorted(set(sources))


def draw_steps(
    source: random.Random, topics: Sequence[str], count: int, null_keys: bool = True
) -> list[dict[str, Any]]:
    """Draw records: three keys, mostly in order, with late ones, leaps, null keys and values."""
    steps = []
    stream_time_ms = 0
    for number in range(count):
        topic = source.choice(topics)
        key = None if source.random() < 0.03 and null_keys else source.choice("ABC")
        value = None if source.random() < 0.1 else f"{topic[0]}{number}"
        kind = source.random()
        if kind < 0.25:
            ts = max(0, stream_time_ms - source.randrange(25))
        elif kind < 0.35:
            ts = stream_time_ms + source.randrange(30)
        else:
            ts = stream_time_ms + source.randrange(4)
        stream_time_ms = max(stream_time_ms, ts)
        steps.append({"topic": topic, "key": key, "value": value, "ts": ts})
    return steps


def _draw_cases(
    topologies: dict[str, Any], seeds: Sequence[int], steps: int
) -> Iterator[dict[str, Any]]:
    for op, topology in topologies.items():
        for seed in seeds:
            source = random.Random(f"{op} {seed}")
            yield {
                "op": op,
                "spec": topology["spec"],
                "seed": seed,
                "kafkaStreams": kafka.kafka_version(),
                "steps": draw_steps(
                    source, _topics(topology), steps, topology.get("null_keys", True)
                ),
            }


def _as_lines(cases: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(case, separators=(",", ":")) + "\n" for case in cases)


def answer(path: Path, cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return `cases` with "out" in every step, as Kafka Streams answers to scripts of `path`."""
    output = streams.run_java("Oracle", path, stdin=_as_lines(cases))
    return [json.loads(line) for line in output.splitlines()]


def make_oracle() -> None:
    """Write oracle.jsonl and more-oracle.jsonl: their operators over drawn records."""
    for name, target in (("oracle", "oracle.jsonl"), ("more", "more-oracle.jsonl")):
        path = TOPOLOGIES_DIR / f"{name}.json"
        cases = list(_draw_cases(_read_topologies(path), ORACLE_SEEDS, ORACLE_STEPS))
        (GOLDEN_DIR / target).write_text(_as_lines(answer(path, cases)))


def check(cases_path: Path, topologies_path: Path) -> int:
    """Feed the inputs of a file of cases again and print what differs; return the exit status."""
    expected = [json.loads(line) for line in cases_path.read_text().splitlines()]
    found = answer(topologies_path, expected)
    wrong = [
        f"{case['op']} seed {case['seed']}: step {number}: {step} is {other['out']}\n"
        for case, again in zip(expected, found, strict=True)
        for number, (step, other) in enumerate(zip(case["steps"], again["steps"], strict=True))
        if step != other
    ]
    sys.stdout.writelines(wrong)
    sys.stdout.write(f"{len(expected)} cases, {len(wrong)} steps differ\n")
    return 1 if wrong else 0


def make_describe() -> None:
    """Write describe/NAME.txt: the text of Topology#describe of topologies/describe.json."""
    folder = GOLDEN_DIR / "describe"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for line in streams.run_java("Describe", TOPOLOGIES_DIR / "describe.json").splitlines():
        description = json.loads(line)
        (folder / f"{description['name']}.txt").write_text(description["text"])


def _draw_changelog_steps(name: str, topology: dict[str, Any]) -> list[dict[str, Any]]:
    """Draw records at times of today's size, some not ASCII, JSON or with headers."""
    source = random.Random(name)
    null_keys = topology.get("null_keys", True)
    steps = draw_steps(source, _topics(topology), CHANGELOG_STEPS, null_keys)
    for number, step in enumerate(steps):
        step["ts"] += FIRST_TIMESTAMP_MS
        if number % 5 == 3 and step["value"] is not None:
            step["value"] = f'{{"wert":"\u00e4\u65e5","n":{number}}}{number}'
        step["headers"] = [["trace", f"t{number}"], ["", ""]] if number % 4 == 1 else []
    return steps


def make_changelogs() -> None:
    """Write changelogs/NAME.jsonl: what topologies/changelogs.json writes to every topic."""
    path = TOPOLOGIES_DIR / "changelogs.json"
    folder = GOLDEN_DIR / "changelogs"
    topologies = _read_topologies(path)
    cases = [
        {"name": name, "steps": _draw_changelog_steps(name, topology)}
        for name, topology in topologies.items()
    ]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for line in streams.run_java("Changelogs", path, stdin=_as_lines(cases)).splitlines():
        case = json.loads(line)
        head = {
            "name": case["name"],
            "application_id": "app",
            "kafka_version": kafka.kafka_version(),
            **topologies[case["name"]],
        }
        lines = [head, *case["steps"], {"stores": case["stores"]}]
        (folder / f"{case['name']}.jsonl").write_text(_as_lines(lines))


def make_commit_metadata() -> None:
    """Write commit-metadata.jsonl: the text beside the committed offset of an input partition."""
    (GOLDEN_DIR / "commit-metadata.jsonl").write_text(streams.run_java("CommitMetadata"))


def make_internal_topics() -> None:
    """Write internal-topics.jsonl: sub-topologies and their topics of topologies/describe.json."""
    output = streams.run_java("InternalTopics", TOPOLOGIES_DIR / "describe.json")
    (GOLDEN_DIR / "internal-topics.jsonl").write_text(output)


PARTS = {
    "oracle": make_oracle,
    "describe": make_describe,
    "changelogs": make_changelogs,
    "commit-metadata": make_commit_metadata,
    "internal-topics": make_internal_topics,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the named parts, or all; return the exit status."""
    parser = argparse.ArgumentParser(description="Write tests/golden/streams with Kafka Streams.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--check", nargs="+", metavar="FILE", help="cases, and their topologies")
    parser.add_argument("--new", metavar="FROM:TO", help="print cases of other seeds")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--topologies", default="oracle", help="of --new: oracle or more")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    streams.fetch()
    if options.check:
        default = TOPOLOGIES_DIR / "oracle.json"
        return check(*[Path(name) for name in [*options.check, default][:2]])
    if options.new:
        path = TOPOLOGIES_DIR / f"{options.topologies}.json"
        first, end = map(int, options.new.split(":"))
        cases = list(_draw_cases(_read_topologies(path), range(first, end), options.steps))
        sys.stdout.write(_as_lines(answer(path, cases)))
        return 0
    for part in options.parts or PARTS:
        PARTS[part]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
