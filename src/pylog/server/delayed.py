"""Delayed: requests that wait for records or for their time.

```
produce of this server  --> appended(log) ---.
                                              >--> Waiting.try_complete()     in the loop
embedded program --> the folder's bell        |
                     (a thread sleeps on it) -'    Waiting.expire()           by the clock
```
The thread sleeps on the bell only while somebody waits, and after it was woken not before the loop
has looked: however often the bell rings, the loop is told once a turn.
"""

import asyncio
import heapq
import threading
from collections.abc import Sequence

from logcore.errors import LogError
from logcore.log import Log
from logcore.shared import WakeWord

_SLEEP_S = 0.5  # the thread looks at least so often whether it should end


class Waiting:
    """A request that waits. Subclasses answer it.

    Args:
        deadline_s: of the loop's clock, at which it is answered anyway.
        logs: of whose growth it wants to hear.
    """

    __slots__ = ("deadline_s", "is_done", "logs")

    def __init__(self, deadline_s: float, logs: Sequence[Log]) -> None:
        self.deadline_s = deadline_s
        self.logs = logs
        self.is_done = False

    def try_complete(self) -> bool:
        """Answer if what was waited for is there; whether it was. Not called again after True."""
        raise NotImplementedError

    def expire(self) -> None:
        """Answer with what there is."""
        raise NotImplementedError


class _Watch:
    """Those who wait for one log to grow."""

    __slots__ = ("end_offset", "log", "waiting")

    def __init__(self, log: Log) -> None:
        self.log = log
        self.end_offset = log.log_end_offset
        self.waiting: dict[Waiting, None] = {}

    def has_moved(self) -> bool:
        """Whether the log grew, shrank or went since the last time."""
        try:
            end_offset = -1 if self.log.was_deleted else self.log.log_end_offset
        except LogError:  # closed
            end_offset = -1
        if end_offset == self.end_offset:
            return False
        self.end_offset = end_offset
        return True


class Delayed:
    """Those who wait. Belongs to the loop's thread.

    Args:
        loop: in which they are answered.
        bell: of the folder, None where there is none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bell: WakeWord | None) -> None:
        self._loop = loop
        self._watches: dict[Log, _Watch] = {}
        self._count = 0
        self._by_deadline: list[tuple[float, int, Waiting]] = []
        self._sequence = 0
        self._timer: asyncio.TimerHandle | None = None
        self._waker = None if bell is None else _Waker(self, loop, bell)

    def __len__(self) -> int:
        return self._count

    def add(self, waiting: Waiting) -> None:
        """Let somebody wait, unless what it waits for is there already.

        An append between the caller's look and this call is not missed.
        """
        for log in waiting.logs:
            watch = self._watches.get(log)
            if watch is None:
                watch = self._watches[log] = _Watch(log)
            watch.waiting[waiting] = None
        self._count += 1
        if self._waker is not None:
            self._waker.arm()
        if waiting.try_complete():
            self._forget(waiting)
            return
        self._sequence += 1
        heapq.heappush(self._by_deadline, (waiting.deadline_s, self._sequence, waiting))
        if self._by_deadline[0][2] is waiting:
            self._set_timer()

    def remove(self, waiting: Waiting) -> None:
        """Let somebody wait no longer, without an answer: its connection is gone."""
        if not waiting.is_done:
            self._forget(waiting)

    def appended(self, log: Log) -> None:
        """Hear that this server appended to a log, or ended a transaction in it."""
        watch = self._watches.get(log)
        if watch is not None and watch.has_moved():
            self._try(watch)

    def look_around(self) -> None:
        """Notice what other processes appended."""
        for watch in list(self._watches.values()):
            if watch.has_moved():
                self._try(watch)

    def close(self) -> None:
        """Answer everybody with what there is, and end the thread."""
        for _, _, waiting in self._by_deadline:
            if not waiting.is_done:
                self._forget(waiting)
                waiting.expire()
        self._by_deadline.clear()
        self._set_timer()
        if self._waker is not None:
            self._waker.stop()

    def _try(self, watch: _Watch) -> None:
        for waiting in list(watch.waiting):
            if not waiting.is_done and waiting.try_complete():
                self._forget(waiting)

    def _forget(self, waiting: Waiting) -> None:
        waiting.is_done = True
        self._count -= 1
        for log in waiting.logs:
            watch = self._watches.get(log)
            if watch is not None:
                watch.waiting.pop(waiting, None)
                if not watch.waiting:
                    del self._watches[log]

    # ---- the clock ----

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._by_deadline:
            self._timer = self._loop.call_at(self._by_deadline[0][0], self._expire)

    def _expire(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        heap = self._by_deadline
        while heap and (heap[0][2].is_done or heap[0][0] <= now_s):
            waiting = heapq.heappop(heap)[2]
            if not waiting.is_done:
                self._forget(waiting)
                waiting.expire()
        self._set_timer()


class _Waker:
    """The thread that sleeps on the folder's bell."""

    def __init__(self, delayed: Delayed, loop: asyncio.AbstractEventLoop, bell: WakeWord) -> None:
        self._delayed = delayed
        self._loop = loop
        self._bell = bell
        self._seen = 0
        self._is_armed = False  # by the loop; the thread may sleep on the bell
        self._is_stopping = False
        self._go = threading.Event()
        self._thread: threading.Thread | None = None

    def arm(self) -> None:
        """See to it that the thread sleeps on the bell, from how it stands now."""
        if self._is_armed or self._is_stopping:
            return
        self._is_armed = True
        self._seen = self._bell.load()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pylog-server-bell", daemon=True)
            self._thread.start()
        self._go.set()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._is_stopping = True
        self._go.set()
        if self._thread is not None:
            self._bell.ring()
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._go.wait()
            self._go.clear()
            while not self._is_stopping and not self._bell.wait(self._seen, _SLEEP_S):
                pass
            if self._is_stopping:
                return
            self._loop.call_soon_threadsafe(self._rang)

    def _rang(self) -> None:
        """In the loop: look, and sleep again if somebody waits."""
        self._is_armed = False
        if len(self._delayed):
            self.arm()
            self._delayed.look_around()
