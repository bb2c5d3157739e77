"""A thread that has nothing to do waits for records, whatever its processors asked for."""

from pathlib import Path
from typing import Any

from tests.streams.runtime.running_streams import Log, wait_until

from pylog.streams import serdes
from pylog.streams.app import Streams
from pylog.streams.runtime.punctuation import PunctuationType
from pylog.streams.runtime.thread_state import State
from pylog.streams.topology import Topology

TEXT = {"default_key_serde": serdes.string, "default_value_serde": serdes.string}


def with_processor(processor: Any) -> Topology:
    topology = Topology()
    topology.add_source("source", "in")
    topology.add_processor("processor", processor, "source")
    return topology


def waits_s(streams: Streams) -> float:
    """How long the thread would wait for records now."""
    (thread,) = streams._threads
    assert thread.tasks is not None
    return thread._poll_timeout_s(thread.tasks)


def test_a_commit_that_is_asked_for_when_there_is_nothing_to_commit(tmp_path: Path) -> None:
    class Asking:
        def init(self, context: Any) -> None:
            context.commit()

        def process(self, record: Any) -> None: ...

    log = Log(tmp_path / "log", **{"in": 1})
    with log.streams(with_processor(Asking), commit_interval_ms=1_000_000, **TEXT) as streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        assert waits_s(streams) > 0


def test_a_punctuation_that_is_due_while_the_instance_is_paused(tmp_path: Path) -> None:
    calls: list[int] = []

    class Punctual:
        def init(self, context: Any) -> None:
            context.schedule(1, PunctuationType.WALL_CLOCK_TIME, calls.append)

        def process(self, record: Any) -> None: ...

    log = Log(tmp_path / "log", **{"in": 1})
    with log.streams(with_processor(Punctual), commit_interval_ms=1_000_000, **TEXT) as streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        wait_until(lambda: calls, "it is called")
        streams.pause()
        wait_until(lambda: waits_s(streams) > 0.05, "the thread waits although it is due")
        count = len(calls)
        streams.resume()
        wait_until(lambda: len(calls) > count, "it is called again")
