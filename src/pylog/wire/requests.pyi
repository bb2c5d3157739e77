from typing import Any, final

from pylog.wire.fields import Buffer, Message
from pylog.wire.frames import Frame

@final
class Request:
    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    # The request class of the API, or None.
    message: Any
    trailing_bytes: int
    def __init__(
        self,
        api_key: int,
        api_version: int,
        correlation_id: int = 0,
        client_id: str | None = None,
        message: Message | None = None,
        trailing_bytes: int = 0,
    ) -> None: ...

def decode_request(frame: Frame | Buffer) -> Request: ...
def encode_response(request: Request, message: Message) -> list[Buffer]: ...
def encode_request(request: Request) -> list[Buffer]: ...
def decode_response(frame: Frame | Buffer, api_key: int, api_version: int) -> tuple[int, Any]: ...
