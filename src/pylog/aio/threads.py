"""Threads: between a client that blocks and the event loop that must not.

Calls that may block run in threads of the client's own, one at a time where the client takes but
one. The callbacks they lead to run in the loop, and may be coroutines; the thread waits for them.
What a callback awaits of the same client is done by that waiting thread, so that the client has one
thread in it, and locks that know their thread let it through.

A call that was begun is not cut short when the task that awaits it is cancelled: it ends in its
thread, and those that come after wait for that.
"""

import asyncio
import concurrent.futures
import contextlib
import inspect
import queue
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_LOOK_S = 1.0  # how often a thread that waits for the loop looks whether the loop still runs

# The thread that waits for the callback which the current task runs.
_waiting: ContextVar["_WaitingThread | None"] = ContextVar("pylog_waiting", default=None)


class ClientThreads:
    """The threads of one client, and the loop it belongs to.

    Args:
        name: of the threads.
        max_workers: how many threads at most; they are started when they are needed.
        executor: threads to use instead; it is not shut down.
    """

    def __init__(
        self, name: str, max_workers: int, executor: concurrent.futures.Executor | None = None
    ):
        if max_workers < 1:
            raise ValueError("max_workers must be at least 1")
        self.loop = asyncio.get_running_loop()
        self.lock = asyncio.Lock()
        self._loop_thread = threading.get_ident()
        self._owned: concurrent.futures.ThreadPoolExecutor | None = None
        if executor is None:
            executor = self._owned = concurrent.futures.ThreadPoolExecutor(
                max_workers, thread_name_prefix=name
            )
        self._executor = executor
        self._tasks: set[asyncio.Future[Any]] = set()

    @property
    def is_serving(self) -> bool:
        """Whether the current task runs in a callback of this client."""
        waiting = _waiting.get()
        return waiting is not None and waiting.client is self and not waiting.is_over

    def start(
        self,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> asyncio.Future[_Result]:
        """Run a function in a thread, beside what else runs."""
        return self.loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def start_alone(
        self,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> asyncio.Future[_Result]:
        """Run a function in a thread once no other that was started alone runs."""
        waiting = _waiting.get()
        if waiting is not None and self.is_serving:
            return waiting.start(lambda: function(*args, **kwargs))
        return self._keep(self._alone(function, *args, **kwargs))

    async def _alone(
        self,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        async with self.lock:
            return await self.start(function, *args, **kwargs)

    async def call(
        self,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Run a function in a thread, alone; it goes on when the caller is cancelled."""
        return await asyncio.shield(self.start_alone(function, *args, **kwargs))

    def in_loop(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Return a callback that runs in the loop, whichever thread calls it."""

        def run(*args: Any) -> Any:
            if threading.get_ident() != self._loop_thread:
                return _WaitingThread(self).wait_for(callback, args)
            answer = callback(*args)
            if inspect.isawaitable(answer):  # nobody here can wait for it
                self._keep(_finish(answer))
            return None

        return run

    def _keep(self, coroutine: Any) -> asyncio.Future[Any]:
        task: asyncio.Future[Any] = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def shut_down(self) -> None:
        """Let the threads end, once what they do is done."""
        if self._owned is not None:
            self._owned.shutdown(wait=False)


class _WaitingThread:
    """A thread that waits for a callback in the loop, and does what that asks for meanwhile."""

    def __init__(self, client: ClientThreads):
        self.client = client
        self.is_over = False  # set in the loop: later calls go the usual way
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def wait_for(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Run a callback in the loop. Called in the thread."""
        loop = self.client.loop
        if loop.is_closed():
            raise RuntimeError("the event loop is closed: a callback cannot run")
        running = asyncio.run_coroutine_threadsafe(self._serve(callback, args), loop)
        running.add_done_callback(lambda _: self._calls.put(lambda: None))
        while not running.done():
            try:
                self._calls.get(timeout=_LOOK_S)()
            except queue.Empty:
                if not loop.is_running():
                    running.cancel()
                    raise RuntimeError("the event loop ended while a callback ran") from None
        with contextlib.suppress(queue.Empty):
            while True:
                self._calls.get_nowait()()
        return running.result()

    async def _serve(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        _waiting.set(self)
        try:
            answer = callback(*args)
            return await answer if inspect.isawaitable(answer) else answer
        finally:
            self.is_over = True

    def start(self, function: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Have the thread call a function. Called in the loop."""
        done: concurrent.futures.Future[_Result] = concurrent.futures.Future()

        def call() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)

        self._calls.put(call)
        return asyncio.wrap_future(done, loop=self.client.loop)


async def _finish(answer: Awaitable[Any]) -> Any:
    return await answer
