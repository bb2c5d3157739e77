"""PendingRequest: a request of a connection that is being answered."""

from pylog.server import request_time
from pylog.server.request import RequestContext
from pylog.wire import Buffer, Request


class PendingRequest:
    """A request that was taken up, and whose response is not yet on its way."""

    __slots__ = ("buffers", "context", "is_done", "is_pipelined", "request")

    def __init__(self, request: Request, context: RequestContext, is_pipelined: bool) -> None:
        self.request = request
        self.context = context
        self.is_pipelined = is_pipelined
        self.is_done = False
        self.buffers: list[Buffer] = []
        quotas = context.broker.quotas
        if quotas is not None and quotas.is_timed:
            request_time.begin_wait(context)
        else:
            context.spent_ns = 0  # it may be that time is charged for before its answer is there
