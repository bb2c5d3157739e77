"""run_to_end: what is there, all the way through, whatever the clock says meanwhile."""

import logging
import threading
from pathlib import Path

import pytest
from tests.streams.runtime.running_streams import Log, wait_until

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.runtime.bounded_run import BoundedRun
from pylog.streams.runtime.thread_state import State
from pylog.streams.windows import EmitStrategy, JoinWindows, TimeWindows

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}
START_MS = 1_700_000_000_000


def test_joins_and_closed_windows_give_all_that_stream_time_allows(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", left=1, right=1, joined=1, windows=1)
    log.write("left", [(f"k{number}", "x") for number in range(20)], START_MS)
    log.write("right", [("k3", "y")], START_MS + 3)
    builder = StreamsBuilder()
    left, right = (builder.stream(topic, **TEXT) for topic in ("left", "right"))
    within = JoinWindows.of_time_difference_with_no_grace("1ms")
    left.left_join(right, lambda one, other: f"{one}+{other}", within).to("joined", **TEXT)
    (
        left.group_by_key()
        .windowed_by(TimeWindows.of_size_with_no_grace("2ms"))
        .emit_strategy(EmitStrategy.on_window_close())
        .count()
        .to_stream(lambda windowed, count: windowed.key)
        .to("windows", key_serde=serdes.string, value_serde=serdes.long)
    )
    log.streams(builder.build()).run_to_end()
    found = dict(log.texts("joined"))
    assert found == {f"k{number}": "x+y" if number == 3 else "x+None" for number in range(18)}
    assert sorted(log.longs("windows")) == sorted(f"k{number}" for number in range(18))


def test_what_another_application_writes_is_no_topic_of_its_own(tmp_path: Path) -> None:
    """Names alone do not make a topic an internal one."""
    log = Log(tmp_path / "log", **{"app-other-changelog": 1, "out": 1})
    log.write("app-other-changelog", [("k", "x")], START_MS)
    builder = StreamsBuilder()
    builder.stream("app-other-changelog", **TEXT).to("out", **TEXT)
    log.streams(builder.build()).run_to_end()
    assert log.texts("out") == [("k", "x")]


def test_a_run_that_comes_no_further_says_what_it_waits_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", str(number)) for number in range(9)], START_MS)
    builder = StreamsBuilder()
    builder.stream("in", **TEXT).to("out", **TEXT)
    caplog.set_level(logging.INFO, "pylog.streams")
    streams = log.streams(
        builder.build(),
        buffered_records_per_partition=1,
        main_consumer_max_poll_records=1,
        commit_interval_ms=100,
    )
    streams.pause()
    with streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        assert streams._instance is not None
        run = BoundedRun(streams._instance, say_every_s=0.05)
        waiting = threading.Thread(target=run.wait, args=(streams._threads, threading.Event()))
        waiting.start()
        wait_until(lambda: "waiting for in [0]: read to 2 of 9" in caplog.text, "it is said")
        streams.resume()
        waiting.join(20)
        assert not waiting.is_alive()
