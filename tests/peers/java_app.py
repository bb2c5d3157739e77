"""Java applications of Kafka Streams against a broker: scripts of tests/golden/streams.

Inputs go to topics of the application's own, so that applications share a broker.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "peers" / "streams.py"
GOLDEN_DIR = ROOT / "tests" / "golden" / "streams"
TIMEOUT_S = 240


def read_golden(name: str) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Return the head, the steps and the stores of changelogs/NAME.jsonl."""
    path = GOLDEN_DIR / "changelogs" / f"{name}.jsonl"
    head, *steps, end = [json.loads(line) for line in path.read_text().splitlines()]
    return head, steps, end["stores"]


class JavaApp:
    """One application: a script, its input topics on a broker and its state folder.

    Args:
        kafka: scripts/peers/kafka.py as a module.
        bootstrap: host:port of the broker.
        head: of a golden; its `calls` and `configs` are what runs.
        application_id: also the beginning of its topics' names.
        folder: for its script and its state.
    """

    def __init__(
        self,
        kafka: ModuleType,
        bootstrap: str,
        head: dict[str, Any],
        application_id: str,
        folder: Path,
    ) -> None:
        self._kafka = kafka
        self._bootstrap = bootstrap
        self.application_id = application_id
        self._state_dir = folder / f"{application_id}-state"
        self._script = folder / f"{application_id}.json"
        calls = [
            call.replace("'left'", f"'{self.topic('left')}'")
            .replace("'right'", f"'{self.topic('right')}'")
            .replace("to('out')", f"to('{self.topic('out')}')")
            for call in head["calls"]
        ]
        self._script.write_text(json.dumps({"app": {**head, "calls": calls}}))

    def topic(self, name: str) -> str:
        """Return this application's topic for `left`, `right`, `out` or one of a golden."""
        if name.startswith("app-"):
            return f"{self.application_id}-{name.removeprefix('app-')}"
        return f"{self.application_id}-{name}"

    def write(self, steps: list[dict[str, Any]], topics: tuple[str, ...] = ("left",)) -> None:
        """Write the input records of `steps` to the input topics, and make the topics."""
        for topic in topics:
            records = [
                {
                    "timestamp_ms": step["ts"],
                    "key": _hex(step["key"]),
                    "value": _hex(step["value"]),
                    "headers": [[name, _hex(value)] for name, value in step["headers"]],
                }
                for step in steps
                if step["topic"] == topic
            ]
            self._produce(topic, [{"records": records}])
        self._produce("out", [])

    def _produce(self, topic: str, batches: list[dict[str, Any]]) -> None:
        plan = {
            "topic": self.topic(topic),
            "configs": {"retention.ms": "-1"},
            "producer": {"acks": "all"},
            "batches": batches,
        }
        self._kafka.run_java("TopicWriter", self._bootstrap, stdin=json.dumps(plan))

    def run(self, count: int, **configs: str) -> dict[str, Any]:
        """Run until `count` input records are committed in all; return what RunStreams prints."""
        command = [sys.executable, str(SCRIPT), "run", str(self._script), "app", self._bootstrap]
        command += [self.application_id, str(count), str(self._state_dir)]
        command += [f"{name.replace('_', '.')}={value}" for name, value in configs.items()]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def read(self, topic: str) -> list[tuple[Any, ...]]:
        """Return (key, value, timestamp, headers) of partition 0 of a golden's topic, in hex."""
        output = self._kafka.run_java(
            "TopicReader", self._bootstrap, self.topic(topic), "read_committed"
        )
        records = [json.loads(line) for line in output.splitlines()[1:]]
        return [(r["key"], r["value"], r["timestamp_ms"], r["headers"]) for r in records]


# From a golden's head and an application id to its application: the fixture java_app.
MakeApp = Callable[[dict[str, Any], str], JavaApp]


def _hex(text: str | None) -> str | None:
    return None if text is None else text.encode().hex()
