"""SIGINT and SIGTERM end a run cleanly."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def stop_signals(stopped: threading.Event) -> Iterator[None]:
    """Set an event when SIGINT or SIGTERM comes; nothing is interrupted where it stands.

    A second SIGINT raises KeyboardInterrupt, for who does not want to wait. Outside of the main
    thread signals are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        if stopped.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
