"""What happens when a stream thread fails: the program's handler says.

Source: Kafka StreamsUncaughtExceptionHandler.
"""

from collections.abc import Callable
from enum import Enum


class StreamThreadExceptionResponse(Enum):
    """How to go on when a thread failed."""

    REPLACE_THREAD = "replace_thread"
    SHUTDOWN_CLIENT = "shutdown_client"
    SHUTDOWN_APPLICATION = "shutdown_application"


Handler = Callable[[BaseException], StreamThreadExceptionResponse]


def respond(handler: Handler | None, error: BaseException) -> StreamThreadExceptionResponse:
    """What the handler says; the client is shut down without one, and where it fails itself.

    A KeyboardInterrupt or SystemExit is not an error that it could be asked about.
    """
    if handler is None or not isinstance(error, Exception):
        return StreamThreadExceptionResponse.SHUTDOWN_CLIENT
    response = handler(error)
    if not isinstance(response, StreamThreadExceptionResponse):
        raise TypeError(
            "an uncaught exception handler returns a StreamThreadExceptionResponse, not "
            f"{response!r}"
        )
    return response
