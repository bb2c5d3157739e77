"""Signals that end a run."""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.streams.runtime.running_streams import Log
from tests.streams.runtime.test_streams_on_folder import copy

from pylog.streams.runtime.signals import stop_signals
from pylog.streams.runtime.thread_state import State


class SignalAtLine:
    """Raises SIGTERM at the n-th line of `threading` that runs.

    Args:
        number: of the line, from 1.
    """

    def __init__(self, number: int):
        self.left = number

    def __call__(self, frame: FrameType, event: str, _: Any) -> "SignalAtLine | None":
        if frame.f_code.co_filename != threading.__file__:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGTERM)
        return self


def test_a_signal_at_any_line_of_a_wait_ends_it() -> None:
    number = 0
    while True:
        number += 1
        stopped = threading.Event()
        at_line = SignalAtLine(number)
        before = sys.gettrace()
        with stop_signals(stopped):
            sys.settrace(at_line)
            try:
                stopped.wait(0.001)
            finally:
                sys.settrace(before)
            if at_line.left > 0:
                break
            assert stopped.wait(20)
    assert number > 10


def test_a_second_signal_while_it_closes_gives_no_traceback(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    streams = log.streams(copy())
    signalled: list[State] = []

    def signal_again(new: State, _: State) -> None:
        if new is State.RUNNING or new is State.PENDING_SHUTDOWN:
            signalled.append(new)
            os.kill(os.getpid(), signal.SIGINT)

    streams.set_state_listener(signal_again)
    streams.run()
    assert streams.state is State.NOT_RUNNING
    assert signalled == [State.RUNNING, State.PENDING_SHUTDOWN]


def test_a_second_signal_changes_nothing_and_the_third_is_not_waited_for() -> None:
    stopped = threading.Event()
    with stop_signals(stopped):
        signal.raise_signal(signal.SIGINT)
        assert stopped.wait(20)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
