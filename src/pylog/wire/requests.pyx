"""Requests and responses with their headers.

```
request, in a frame                             response, in a frame
  api_key            int16                        correlation_id     int32
  api_version        int16                        tagged fields      of a flexible version, but
  correlation_id     int32                                           never of ApiVersions
  client_id          int16 size or -1, UTF-8      the message
  tagged fields      of a flexible version
  the message
```

Source: Kafka RequestHeader.json, ResponseHeader.json, ApiMessageType.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int16_t, int32_t, uint8_t

from pylog.wire._c cimport pw_load_i16, pw_load_i32, pw_store_i16, pw_store_i32
from pylog.wire.decoder cimport (
    broken, close_source, open_source, read_message, skip_tagged_fields, Source, take,
)
from pylog.wire.encoder cimport write_frame
from pylog.wire.plan cimport Plan

from pylog.wire import apis
from pylog.wire.errors import WireError
from pylog.wire.planner import plan_of

cdef enum:
    LEAST_HEADER_BYTES = 10
    MAX_KEY = 127
    API_VERSIONS_KEY = 18

assert API_VERSIONS_KEY == apis.API_VERSIONS


@cython.final
cdef class _Version:
    """What is needed of one version of an API, found once."""

    cdef Plan request
    cdef Plan response
    cdef bint is_flexible

    def __init__(self, api, int version):
        self.request = plan_of(api.request, version)
        self.response = plan_of(api.response, version)
        self.is_flexible = api.is_flexible(version)


cdef list _versions = [None] * (MAX_KEY + 1)     # by key: a list by version of _Version or None


cdef object _find_version(int api_key, int version):
    """Return the _Version, or None when there is no such API or version."""
    cdef list versions
    if api_key < 0 or api_key > MAX_KEY or version < 0:
        return None
    found = _versions[api_key]
    if found is None:
        if api_key not in apis.APIS:
            return None
        found = _versions[api_key] = [None] * (apis.APIS[api_key].versions.last + 1)
    versions = <list> found
    if version >= len(versions):
        return None
    if versions[version] is None and version in apis.APIS[api_key].versions:
        versions[version] = _Version(apis.APIS[api_key], version)
    return versions[version]


cdef _Version _version_of(int api_key, int version):
    found = _find_version(api_key, version)
    if found is None:
        raise WireError(f"no API key {api_key} with version {version}")
    return <_Version> found


@cython.final
cdef class Request:
    """A request and its header.

    Attributes:
        api_key, api_version: which API at which version.
        correlation_id: the client's number, which its response repeats.
        client_id: what the client calls itself, or None.
        message: such as ProduceRequest; None when the API or its version is not known.
        trailing_bytes: what follows the message in the frame, which Kafka ignores.
    """

    cdef readonly int api_key
    cdef readonly int api_version
    cdef readonly int correlation_id
    cdef readonly int trailing_bytes
    cdef readonly object client_id
    cdef readonly object message

    def __init__(self, int api_key, int api_version, int correlation_id=0, client_id=None,
                 message=None, int trailing_bytes=0):
        self.api_key = api_key
        self.api_version = api_version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.message = message
        self.trailing_bytes = trailing_bytes

    def __repr__(self):
        return (
            f"Request(api_key={self.api_key}, api_version={self.api_version}, "
            f"correlation_id={self.correlation_id}, client_id={self.client_id!r}, "
            f"message={self.message!r})"
        )


def decode_request(frame):
    """Read a frame's header and message.

    Args:
        frame: anything with bytes, without the size; records of the message are slices of it.

    Raises:
        WireError: it is no request, or not the message that its header promises.
    """
    cdef Source source
    cdef Py_buffer view
    PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
    open_source(&source, frame, <const uint8_t *> view.buf, view.len)
    try:
        return _read_request(&source)
    finally:
        close_source(&source)
        PyBuffer_Release(&view)


cdef Request _read_request(Source *source):
    cdef Request request = Request.__new__(Request)
    cdef const uint8_t *head
    cdef Py_ssize_t size
    if source.end - source.at < LEAST_HEADER_BYTES:
        raise broken(source, f"a header in {source.end - source.at} bytes")
    head = take(source, LEAST_HEADER_BYTES)
    request.api_key = pw_load_i16(head)
    request.api_version = pw_load_i16(head + 2)
    request.correlation_id = pw_load_i32(head + 4)
    size = pw_load_i16(head + 8)
    if size >= 0:
        head = take(source, size)
        try:
            request.client_id = (<char *> head)[:size].decode()
        except UnicodeDecodeError as error:
            raise broken(source, f"a client id that is not UTF-8: {error.reason}") from None
    elif size != -1:
        raise broken(source, f"a client id of {size} bytes")
    found = _find_version(request.api_key, request.api_version)
    if found is not None:
        if (<_Version> found).is_flexible:
            skip_tagged_fields(source)
        request.message = read_message(source, (<_Version> found).request)
        request.trailing_bytes = <int> (source.end - source.at)
    return request


def encode_response(Request request, message):
    """Return the frame that answers a request, as a list of buffers for writelines.

    A request for ApiVersions at a version that is not known is answered at version 0.

    Args:
        request: as it was decoded.
        message: the response; records in it become buffers of the list as they are.

    Raises:
        WireError: the version cannot carry the message.
    """
    cdef uint8_t head[5]
    cdef Py_ssize_t size = 4
    cdef int version = request.api_version
    cdef _Version found
    if request.api_key == API_VERSIONS_KEY and _find_version(API_VERSIONS_KEY, version) is None:
        version = 0
    found = _version_of(request.api_key, version)
    pw_store_i32(head, request.correlation_id)
    if found.is_flexible and request.api_key != API_VERSIONS_KEY:
        head[4] = 0
        size = 5
    return write_frame(found.response, message, head, size)


def encode_request(Request request):
    """Return the frame of a request, as a list of buffers: a client's half, as the next one.

    Raises:
        WireError: the version cannot carry the message, or there is no such version.
    """
    cdef _Version found = _version_of(request.api_key, request.api_version)
    cdef uint8_t numbers[10]
    name = b"" if request.client_id is None else request.client_id.encode()
    if len(name) > 0x7fff:
        raise WireError(f"a client id of {len(name)} bytes")
    pw_store_i16(numbers, <int16_t> request.api_key)
    pw_store_i16(numbers + 2, <int16_t> request.api_version)
    pw_store_i32(numbers + 4, <int32_t> request.correlation_id)
    pw_store_i16(numbers + 8, <int16_t> (-1 if request.client_id is None else len(name)))
    head = <bytes> numbers[:10] + name + (b"\0" if found.is_flexible else b"")
    return write_frame(found.request, request.message, <const uint8_t *> <char *> head, len(head))


def decode_response(frame, int api_key, int api_version):
    """Read a frame's response.

    Returns:
        The correlation id and the message.

    Raises:
        WireError: it is not that response.
    """
    cdef Source source
    cdef Py_buffer view
    cdef _Version found = _version_of(api_key, api_version)
    PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
    open_source(&source, frame, <const uint8_t *> view.buf, view.len)
    try:
        correlation_id = pw_load_i32(take(&source, 4))
        if found.is_flexible and api_key != API_VERSIONS_KEY:
            skip_tagged_fields(&source)
        return correlation_id, read_message(&source, found.response)
    finally:
        close_source(&source)
        PyBuffer_Release(&view)
