"""Kafka's wire protocol without sockets: bytes in, messages out.

    reader = FrameReader(max_frame_bytes=100 << 20)        # get_buffer, buffer_updated: a socket's
    while (frame := reader.next_frame()) is not None:
        request = decode_request(frame)
        transport.writelines(encode_response(request, answer(request.message)))

The messages of an API are in pylog.wire.messages.api_NN_name, its versions in APIS. Whatever is
wrong with bytes or messages is a WireError.
"""

from pylog.wire.apis import API_VERSIONS, APIS, Api
from pylog.wire.errors import WireError
from pylog.wire.fields import NO_UUID, Buffer, Message, Records, Versions
from pylog.wire.frames import Frame, FrameReader
from pylog.wire.requests import (
    Request,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)

__all__ = [
    "APIS",
    "API_VERSIONS",
    "NO_UUID",
    "Api",
    "Buffer",
    "Frame",
    "FrameReader",
    "Message",
    "Records",
    "Request",
    "Versions",
    "WireError",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
]
