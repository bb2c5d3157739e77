"""SIGINT and SIGTERM end a run cleanly."""

import _thread
import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_FORCED = 3  # this one is not waited for


@contextlib.contextmanager
def stop_signals(stopped: threading.Event) -> Iterator[None]:
    """Set an event when SIGINT or SIGTERM comes; nothing is interrupted where it stands.

    The second one changes nothing: it ends already. The third raises KeyboardInterrupt, for who
    does not want to wait. Outside of the main thread signals are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    count = 0

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        # The main thread may be in the event's own wait(), with its lock.
        _thread.start_new_thread(stopped.set, ())
        if count >= _FORCED:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
