"""How long a request is worked on: from when it is taken up until it has to wait, and in threads.

Waiting is nobody's work. What is done for several requests at once is not counted: appending what
many have produced, and looking whether a Fetch that waits has enough.

Measured only while there are quotas for it (quotas.py). A task keeps the context it was made in, so
what it lets a thread do is known to be of its request.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from pylog.server.request import RequestContext

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_current: ContextVar[RequestContext] = ContextVar("pylog.server.request")


def begin_wait(context: RequestContext) -> None:
    """Take note that a request's answer is not there yet; before a task is made that awaits it."""
    context.spent_ns = time.monotonic_ns() - context.received_ns
    _current.set(context)


def spent_ns(context: RequestContext) -> int:
    """How long a request was worked on, in all."""
    if context.spent_ns < 0:
        return time.monotonic_ns() - context.received_ns
    return context.spent_ns


def timed(work: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """A function that counts as work on the request of this task when it is called in a thread."""
    context = _current.get(None)
    if context is None:
        return work

    @wraps(work)
    def run(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        begun_ns = time.monotonic_ns()
        try:
            return work(*args, **kwargs)
        finally:
            context.spent_ns += time.monotonic_ns() - begun_ns

    return run
