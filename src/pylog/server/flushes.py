"""Flushes: acks=all. Who waits for a partition to be on the disk waits for one flush, together.

One thread at a time flushes a partition. Who comes while it is at work waits for the next flush,
which is begun as soon as that one is over, and serves all who came meanwhile.
"""

from asyncio import Future
from functools import partial
from typing import TYPE_CHECKING

from logcore.log import Log

if TYPE_CHECKING:
    from pylog.server.broker import Broker


class Flushes:
    """Flushes that clients wait for. Belongs to the loop's thread.

    Args:
        broker: whose.
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._waiting: dict[Log, list[tuple[int, Future[None]]]] = {}

    def wait(self, log: Log, offset: int) -> "Future[None] | None":
        """Wait until records below an offset are durable.

        Returns:
            None when they are. The future has LogError when the disk failed.
        """
        if log.durable_offset >= offset:
            return None
        done: Future[None] = self._broker.loop.create_future()
        waiting = self._waiting.get(log)
        if waiting is None:
            self._waiting[log] = [(offset, done)]
            self._begin(log)
        else:
            waiting.append((offset, done))
        return done

    def _begin(self, log: Log) -> None:
        self._broker.run_blocking(log.flush).add_done_callback(partial(self._end, log))

    def _end(self, log: Log, flush: "Future[int]") -> None:
        waiting = self._waiting[log]
        error = flush.exception()
        still_waiting = []
        for offset, done in waiting:
            if done.done():
                continue
            if error is not None:
                done.set_exception(error)
            elif offset <= flush.result():
                done.set_result(None)
            else:
                still_waiting.append((offset, done))
        if still_waiting:
            self._waiting[log] = still_waiting
            self._begin(log)
        else:
            del self._waiting[log]
