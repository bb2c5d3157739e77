"""From a request to its handler, and from whatever goes wrong to an answer."""

import asyncio
import logging
from collections.abc import Awaitable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pylog.server import errors
from pylog.server.handlers import HANDLER_MODULES, offered_versions
from pylog.server.request import RequestContext
from pylog.wire import APIS, Message, Request, Versions

if TYPE_CHECKING:
    from pylog.server.faults import Fault

_log = logging.getLogger("pylog.server")

BEFORE_AUTHENTICATION = frozenset({17, 18, 36})
"""SaslHandshake, ApiVersions, SaslAuthenticate: what a client may ask before it said who it is."""

API_VERSIONS = 18


class UnservedRequestError(Exception):
    """A request that cannot be answered in its own terms; the connection is closed, as Kafka does.

    Its text says why.
    """


class Handler:
    """One API as it is served.

    Attributes:
        api_key: of the API.
        name: Kafka's, as in ListOffsets.
        versions: that are answered.
        offered: that ApiVersions names.
        is_pipelined: whether the next request of a connection is taken up before this is answered.
    """

    __slots__ = ("_refuse", "api_key", "handle", "is_pipelined", "name", "offered", "versions")

    def __init__(self, module: ModuleType) -> None:
        api = APIS[module.API_KEY]
        self.api_key = api.key
        self.name = api.name
        self.offered = offered_versions(api.key)
        self.versions = Versions(
            max(api.versions.first, self.offered.first), min(api.versions.last, self.offered.last)
        )
        self.handle = module.handle
        self.is_pipelined: bool = getattr(module, "PIPELINED", False)
        self._refuse = getattr(module, "refuse", None)

    def refuse(
        self, request: Any, context: RequestContext, error_code: int, message: str
    ) -> Message:
        """The API's response that says nothing but an error."""
        if self._refuse is not None:
            response: Message = self._refuse(request, context, error_code, message)
            return response
        return errors.refusal(request, context.api_key, context.version, error_code, message)


_handlers: dict[int, Handler] = {}


def handler_of(api_key: int) -> Handler | None:
    """The handler of an API, loaded when it is first asked for; None when it is not served."""
    handler = _handlers.get(api_key)
    if handler is None:
        name = HANDLER_MODULES.get(api_key)
        if name is None:
            return None
        handler = _handlers[api_key] = Handler(import_module(name))
    return handler


def answer(request: Request, context: RequestContext) -> Message | Awaitable[Any] | None:
    """The response to a request, or what it is awaited from; None when there is to be none.

    Raises:
        UnservedRequestError: the client asked what it was not offered.
    """
    handler = handler_of(request.api_key)
    if handler is None or request.message is None or context.version not in handler.versions:
        return _answer_unknown(request, context, handler)
    faults = context.broker.faults
    if faults is not None:
        fault = faults.meet(request.message, context)
        if fault is not None:
            context.has_fault = True
            return _faulty(handler, request.message, context, fault)
    try:
        response: Message | Awaitable[Any] | None = handler.handle(request.message, context)
    except UnservedRequestError:
        raise
    except Exception as error:
        return errors.answer_for(handler, request.message, context, error)
    if response is None or isinstance(response, Message):
        return response
    return _await(handler, request.message, context, response)


async def _await(
    handler: Handler, message: Any, context: RequestContext, response: Awaitable[Any]
) -> Any:
    try:
        return await response
    except (asyncio.CancelledError, UnservedRequestError):
        raise
    except Exception as error:
        return errors.answer_for(handler, message, context, error)


async def _faulty(handler: Handler, message: Any, context: RequestContext, fault: "Fault") -> Any:
    """Do what fault injection wants instead of, or before, the handler's work."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.is_disconnect:
        raise UnservedRequestError("fault injection closes the connection")
    if fault.error_code:
        return handler.refuse(message, context, fault.error_code, "fault injection")
    try:
        response = handler.handle(message, context)
        if response is not None and not isinstance(response, Message):
            response = await response
        if fault.is_response_lost:
            raise UnservedRequestError("fault injection loses a response")
        return response
    except (asyncio.CancelledError, UnservedRequestError):
        raise
    except Exception as error:
        return errors.answer_for(handler, message, context, error)


def _answer_unknown(
    request: Request, context: RequestContext, handler: Handler | None
) -> Message | None:
    """What is not served: a version of ApiVersions is answered, all else ends the connection.

    Source: Kafka KafkaApis.handleApiVersionsRequest, RequestContext.parseRequest.
    """
    if request.api_key == API_VERSIONS and handler is not None:
        response: Message = handler.refuse(None, context, errors.UNSUPPORTED_VERSION, "")
        return response
    if (
        handler is not None
        and request.message is not None
        and request.api_version in handler.offered
    ):
        return handler.refuse(
            request.message, context, errors.UNSUPPORTED_VERSION, "The version is not supported."
        )
    raise UnservedRequestError(
        f"API key {request.api_key} with version {request.api_version} is not served"
    )
