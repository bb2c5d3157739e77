"""Connection: one client. Frames come in, responses go out in the order of their requests.

A request is taken up when the one before it is answered, as in Kafka, but those of pipelined APIs
need not wait for each other. Nothing is read while there is enough to do, while the client does not
take what it asked for, or while the server holds as much as it may: TCP then holds back the client,
and nobody else.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pylog.errors import KafkaError
from pylog.server import dispatch
from pylog.server.dispatch import BEFORE_AUTHENTICATION, UnservedRequestError
from pylog.server.pending_request import PendingRequest
from pylog.server.request import ANONYMOUS, RequestContext
from pylog.wire import (
    Buffer,
    Frame,
    FrameReader,
    Message,
    Request,
    WireError,
    decode_request,
    encode_response,
)

if TYPE_CHECKING:
    from pylog.server.broker import Broker
    from pylog.server.listener_config import ListenerConfig

_log = logging.getLogger("pylog.server")

WRITE_BUFFER_BYTES = 1 << 20
TLS_CLOSE_S = 1.0
READY_BYTES = 64 << 10  # of responses that wait for those behind them
LEAST_BYTES_A_SECOND = 64 << 10  # what a request has to come in with, after its grace


class Connection(asyncio.BufferedProtocol):
    """One client. It has been counted in (limits.py), and counts itself out when it is gone.

    Args:
        broker: that is asked.
        listener: that it came to.
        node_id: the virtual broker that it is connected to.
        client_host: the client's address.

    Attributes:
        listener: that it came to.
        node_id: the virtual broker that it is connected to.
        listener_name: and over which of its listeners.
        client_host, local_host: the client's address, and the one that it came by.
        is_made: whether it is, or was, open.
        principal: who the client proved to be.
        is_authenticated: whether it may ask for more than to be authenticated.
        session_deadline_s: of the loop's clock; from then on it has to prove anew who it is.
        sasl: what SASL keeps between two requests.
        take_raw: takes frames that are no requests, and returns the answer, or None to end it: SASL
            as it was before SaslAuthenticate. None at all other times.
        sends_in_place: whether what is sent is loaded by the kernel alone.
        on_close: called when the connection is gone.
    """

    def __init__(
        self, broker: "Broker", listener: "ListenerConfig", node_id: int, client_host: str
    ) -> None:
        self.broker = broker
        self.node_id = node_id
        self.listener_name = listener.name
        self.client_host = client_host
        self.local_host = ""
        self.principal = ANONYMOUS
        self.is_authenticated = not listener.has_sasl
        self.session_deadline_s: float | None = None
        self.sasl: Any = None
        self.take_raw: Callable[[Frame], Awaitable[list[Buffer] | None]] | None = None
        self.on_close: list[Callable[[], None]] = []
        self.active_s = 0.0
        self.opened_s = 0.0
        config = broker.config
        self.listener = listener
        self._max_in_flight = config.max_in_flight
        self._reader = FrameReader(
            config.max_request_bytes
            if self.is_authenticated
            else config.max_request_bytes_before_authentication
        )
        self._transport: Any = None
        self.sends_in_place = False
        self._pending: deque[PendingRequest] = deque()
        self._ready: list[Buffer] = []  # responses that are to be written together
        self._ready_bytes = 0
        self._large_write_s = -math.inf  # when, of what the kernel may not have taken at once
        self._frame_since_s: float | None = None  # since when a frame is not complete
        self.is_made = False
        self._is_reading = True
        self._is_write_paused = False
        self._is_muted = False
        self._rest_count = 0
        self._is_closing = False
        self.is_closed = False

    # ---- what the transport says ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        # uvloop hands buffers to the kernel; the others load from them, and may copy.
        self.sends_in_place = not self.listener.has_tls and is_uvloop(transport)
        local = transport.get_extra_info("sockname")
        self.local_host = local[0] if isinstance(local, tuple) else ""
        self.active_s = self.opened_s = self.broker.loop.time()
        self.is_made = True
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        if self.listener.has_tls and self.broker.certificate_principal is not None:
            self.principal = self.broker.certificate_principal(transport)
        self.broker.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client. What it asked for goes on; nobody is there for the answer."""
        self.is_closed = self._is_closing = True
        self._pending.clear()
        self.broker.connections.discard(self)
        self.broker.limits.leave(self)
        for call in self.on_close:
            try:
                call()
            except Exception:
                _log.exception("the end of a connection of %s failed", self.client_host)
        self.on_close.clear()

    def eof_received(self) -> bool:
        """Let the connection end with what the client still waits for; TLS cannot be half open."""
        self.close_when_done()
        return not self.listener.has_tls

    def get_buffer(self, sizehint: int) -> Any:
        """Return where to receive."""
        return self._reader.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        """Take up what has come in."""
        self._reader.buffer_updated(nbytes)
        self.active_s = self.broker.loop.time()
        self._serve()

    def pause_writing(self) -> None:
        """Take up nothing more: the client does not read."""
        self._is_write_paused = True

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._is_write_paused = False
        self.active_s = self.broker.loop.time()
        self._serve()

    # ---- requests ----

    @property
    def held_bytes(self) -> int:
        """Memory for what has come in and was not taken up."""
        return self._reader.held_bytes

    def _is_held(self) -> bool:
        """Whether the next request has to wait."""
        if self._is_write_paused or self._is_muted or self._is_closing:
            return True
        pending = self._pending
        return bool(pending) and (
            not pending[-1].is_pipelined
            or len(pending) >= self._max_in_flight
            or self.take_raw is not None
        )

    def _serve(self) -> None:
        """Take up what may be taken up, and read on or not."""
        try:
            while not self._is_held():
                frame = self._reader.next_frame()
                if frame is None:
                    break
                self._frame_since_s = None
                if self.take_raw is not None:
                    self._take_raw(self.take_raw, frame)
                else:
                    self._take(frame)
        except (WireError, UnservedRequestError) as error:
            self._refuse(str(error))
        except Exception:
            _log.exception("connection of %s failed", self.client_host)
            self._refuse("internal error")
        self._pace()

    def _take(self, frame: Frame) -> None:
        request = decode_request(frame)
        api_key = request.api_key
        if not self.is_authenticated and api_key not in BEFORE_AUTHENTICATION:
            raise UnservedRequestError(f"API key {api_key} before authentication")
        deadline_s = self.session_deadline_s
        if (
            deadline_s is not None
            and api_key not in BEFORE_AUTHENTICATION
            and self.broker.loop.time() > deadline_s
        ):
            raise UnservedRequestError("the session has ended, without a new authentication")
        context = RequestContext(
            self.broker, self, api_key, request.api_version, request.correlation_id,
            request.client_id, time.monotonic_ns(), len(frame),
        )  # fmt: skip
        response = dispatch.answer(request, context)
        if isinstance(response, Message):
            if self._pending:
                pending = PendingRequest(request, context, is_pipelined=True)
                pending.buffers = self._encode(request, context, response)
                pending.is_done = True
                self._pending.append(pending)
            else:
                self._write(self._encode(request, context, response))
        elif response is None:
            self._account(context, None, 0)
        else:
            handler = dispatch.handler_of(api_key)
            is_pipelined = handler is not None and handler.is_pipelined and not context.has_fault
            pending = PendingRequest(request, context, is_pipelined)
            self._pending.append(pending)
            future = asyncio.ensure_future(response, loop=self.broker.loop)
            future.add_done_callback(partial(self._answered, pending))

    def _take_raw(
        self, take: Callable[[Frame], Awaitable[list[Buffer] | None]], frame: Frame
    ) -> None:
        self._is_muted = True
        future = asyncio.ensure_future(take(frame), loop=self.broker.loop)
        future.add_done_callback(self._raw_answered)

    def _raw_answered(self, future: "asyncio.Future[list[Buffer] | None]") -> None:
        if self.is_closed:
            if not future.cancelled():
                future.exception()  # nobody is there to hear of it
            return
        try:
            buffers = future.result()
        except (Exception, asyncio.CancelledError) as error:
            _log.error("connection of %s failed", self.client_host, exc_info=error)
            buffers = None
        if buffers is None:
            self.close_when_done()
        else:
            self._transport.writelines(buffers)
        self._unmute()

    def _answered(self, pending: PendingRequest, future: "asyncio.Future[Any]") -> None:
        """Send a response that was waited for, and those behind it that waited for this one."""
        if self.is_closed:
            if not future.cancelled():
                future.exception()  # nobody is there to hear of it
            return
        try:
            response = future.result()
            if response is None:
                self._account(pending.context, None, 0)
            else:
                pending.buffers = self._encode(pending.request, pending.context, response)
        except UnservedRequestError as error:
            self._refuse(str(error))
        except (Exception, asyncio.CancelledError) as error:
            _log.error("connection of %s failed", self.client_host, exc_info=error)
            self._refuse("internal error")
        pending.is_done = True
        self.active_s = self.broker.loop.time()
        while self._pending and self._pending[0].is_done:
            done = self._pending.popleft()
            if done.buffers:
                self._write(done.buffers)
        self._serve()

    # ---- responses ----

    def _encode(self, request: Request, context: RequestContext, response: Message) -> list[Buffer]:
        try:
            buffers = encode_response(request, response)
        except WireError as error:
            _log.error("response to %s cannot be written: %s", self.client_host, error)
            handler = dispatch.handler_of(request.api_key)
            if handler is None:
                raise
            response = handler.refuse(
                request.message, context, KafkaError.UNKNOWN, "internal error"
            )
            buffers = encode_response(request, response)
        if self._account(context, response, sum(map(len, buffers))):
            buffers = encode_response(request, response)
        return buffers

    def _write(self, buffers: list[Buffer]) -> None:
        """Have a response written with those of the requests that came in with its own."""
        self._ready += buffers
        self._ready_bytes += sum(map(len, buffers))
        if self._ready_bytes > READY_BYTES:
            self._write_ready()

    def _write_ready(self) -> None:
        if self._ready_bytes > READY_BYTES:
            self._large_write_s = self.broker.loop.time()
        buffers, self._ready, self._ready_bytes = self._ready, [], 0
        if self.is_closed:
            return
        if len(buffers) == 1:
            self._transport.write(buffers[0])
        else:
            self._transport.writelines(buffers)

    def _account(
        self, context: RequestContext, response: Message | None, response_bytes: int
    ) -> bool:
        """Count a request that is done; whether its response says now that the client rests."""
        quotas, metrics = self.broker.quotas, self.broker.metrics
        is_over = (
            quotas is not None
            and quotas.is_active
            and quotas.charge(context, response, response_bytes) > 0
        )
        if metrics is not None:
            metrics.request_done(context, response, response_bytes)
        if context.throttle_time_ms:
            self._is_muted = True
            self._rest_count += 1
            self.broker.loop.call_later(context.throttle_time_ms / 1000, self._end_rest)
        return is_over

    def _end_rest(self) -> None:
        self._rest_count -= 1
        if not self._rest_count:
            self._unmute()

    def _unmute(self) -> None:
        self._is_muted = False
        if not self.is_closed:
            self._serve()

    # ---- pace and end ----

    def authenticated(self, principal: str, session_deadline_s: float | None = None) -> None:
        """Take note of who the client proved to be."""
        self.principal = principal
        self.is_authenticated = True
        self.session_deadline_s = session_deadline_s
        self._reader.max_frame_bytes = self.broker.config.max_request_bytes

    def close_after_response(self) -> None:
        """For a handler: close when its response and those before it are on their way."""
        self._is_closing = True

    def close_when_done(self) -> None:
        """Take up nothing more, and close when all that was taken up is answered."""
        self._is_closing = True
        self._pace()

    def abort(self) -> None:
        """Close at once."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now_s: float) -> None:
        """Once a second: give memory back, and close if the client rests or dawdles."""
        config = self.broker.config
        rested_s = now_s - self.active_s
        if self._is_closing:
            # It does not take what it was sent, or does not answer the end of TLS, which not every
            # client does: Kafka does not wait for that either. TLS does not tell how much of a
            # large response it has still to send.
            is_told = (
                self.listener.has_tls
                and not self._is_write_paused
                and now_s - self._large_write_s > config.request_receive_s
            )
            patience_s = TLS_CLOSE_S if is_told else config.request_receive_s
            if not self._pending and rested_s > patience_s:
                self.abort()
            return
        if not self._pending and rested_s > config.connections_max_idle_s:
            self._refuse("it was idle")
        elif self._frame_since_s is not None and not self._is_held():
            grace_s = config.request_receive_s + self._reader.pending_bytes / LEAST_BYTES_A_SECOND
            if now_s - self._frame_since_s > grace_s:
                self._refuse("a request took too long to come in")
        elif not self.is_authenticated and now_s - self.opened_s > config.authentication_s:
            self._refuse("it did not authenticate in time")
        if rested_s > 1 and not self._pending:
            self._reader.trim()
            self.broker.limits.hold(self, self._reader.held_bytes)

    def _refuse(self, reason: str) -> None:
        _log.info("connection of %s closed: %s", self.client_host, reason)
        self.close_when_done()

    def _pace(self) -> None:
        """Send what is ready, read on or not; close if there is nothing left to do."""
        if self._ready:
            self._write_ready()
        if self.is_closed:
            return
        if self._is_closing:
            self._set_reading(False)
            # Told twice, asyncio's TLS forgets its connection, and leaves it open.
            if not self._pending and not self._transport.is_closing():
                self._transport.close()
            return
        reader = self._reader
        if reader.pending_bytes:
            if self._frame_since_s is None:
                self._frame_since_s = self.broker.loop.time()
        elif self.broker.limits.is_tight:
            reader.trim()
        has_room = self.broker.limits.hold(self, max(reader.held_bytes, reader.frame_bytes))
        is_reading = has_room and not self._is_held()
        if is_reading != self._is_reading:
            self._set_reading(is_reading)

    def read_on(self) -> None:
        """Hear that the server has room again."""
        self._pace()

    def _set_reading(self, is_reading: bool) -> None:
        if is_reading == self._is_reading:
            return
        self._is_reading = is_reading
        if is_reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


def is_uvloop(thing: object) -> bool:
    """Whether a loop or a transport is uvloop's."""
    return type(thing).__module__.startswith("uvloop")
