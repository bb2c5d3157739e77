r"""kcat's output formats: `-f` strings, the JSON envelope, and escapes such as `\t`.

    %t topic       %p partition   %o offset    %T timestamp in ms
    %k key         %K its length  %s value     %S its length    %R the same, 4 bytes big-endian
    %h headers as name=value,...  %% a percent sign

A null key or value has length -1 and prints as nothing, or as NULL with `-Z`.
"""

import base64
import json
import re
import struct
from collections.abc import Callable, Iterable
from typing import Any

TIMESTAMP_TYPES = {1: "create", 2: "logappend"}

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {"n": b"\n", "t": b"\t", "r": b"\r"}

Formatter = Callable[[Any], bytes]

_json = json.encoder.encode_basestring  # one string; six times faster than dumps of a dict


def unescape(text: str) -> bytes:
    r"""Return `text` as bytes with `\n`, `\t`, `\r`, `\xHH` and octal `\NNN` replaced.

    >>> unescape(r"a\tb\x00\n"), unescape("\\\\")
    (b'a\tb\x00\n', b'\\')
    """
    parts: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[end : match.start()].encode("utf-8", "surrogateescape"))
        parts.append(_unescape_one(match.group(1)))
        end = match.end()
    parts.append(text[end:].encode("utf-8", "surrogateescape"))
    return b"".join(parts)


def _unescape_one(code: str) -> bytes:
    if code in _LETTERS:
        return _LETTERS[code]
    if code[0] == "x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if code[0] in "01234567":
        return bytes([int(code, 8) & 0xFF])
    return code.encode("utf-8", "surrogateescape")


def compile_format(format_string: str, null: bytes = b"") -> Formatter:
    r"""Return a function from a message to the bytes that `format_string` asks for.

    Args:
        format_string: as kcat's -f, see the top of this module.
        null: what a null key, value or header value prints as.

    Raises:
        ValueError: a letter that is not in the list, or a lone % at the end.
    """
    fields = _fields(null)
    template: list[bytes] = []
    getters: list[Callable[[Any], Any]] = []
    rest = format_string
    while rest:
        literal, percent, rest = rest.partition("%")
        template.append(unescape(literal).replace(b"%", b"%%"))
        if not percent:
            break
        letter, rest = rest[:1], rest[1:]
        if letter == "%":
            template.append(b"%%")
        elif letter in fields:
            conversion, getter = fields[letter]
            template.append(conversion)
            getters.append(getter)
        else:
            raise ValueError(
                f"%{letter} is not a field; there are %{' %'.join(sorted(fields))} and %%"
                if letter
                else "a lone % at the end; write %% for a percent sign"
            )
    joined = b"".join(template)

    def format_message(message: Any) -> bytes:
        return joined % tuple([getter(message) for getter in getters])

    return format_message


def _fields(null: bytes) -> dict[str, tuple[bytes, Callable[[Any], Any]]]:
    """Return how each letter is converted, and what it takes from a message."""

    def text_of(data: bytes | None) -> bytes:
        return null if data is None else data

    return {
        "t": (b"%b", lambda message: message.topic().encode()),
        "p": (b"%d", lambda message: message.partition()),
        "o": (b"%d", lambda message: message.offset()),
        "T": (b"%d", lambda message: message.timestamp()[1]),
        "k": (b"%b", lambda message: text_of(message.key())),
        "K": (b"%d", lambda message: _length(message.key())),
        "s": (b"%b", lambda message: text_of(message.value())),
        "S": (b"%d", lambda message: _length(message.value())),
        "R": (b"%b", lambda message: struct.pack(">i", _length(message.value()))),
        "h": (b"%b", lambda message: _headers_text(message.headers() or ())),
    }


def _headers_text(headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    return b",".join(
        name.encode() + b"=" + (b"NULL" if value is None else value) for name, value in headers
    )


def _length(data: bytes | None) -> int:
    return -1 if data is None else len(data)


def compile_delimited(
    delimiter: bytes, key_delimiter: bytes | None, print_offset: bool, null: bytes = b""
) -> Formatter:
    """Return the format without -f: [offset delimiter] [key delimiter] value delimiter.

    Args:
        delimiter: after each message, as -D.
        key_delimiter: after key and offset, as -K; None leaves the key out.
        print_offset: as -O.
        null: what a null key or value prints as.
    """
    between = b"\t" if key_delimiter is None else key_delimiter

    def format_message(message: Any) -> bytes:
        value = message.value()
        line = (null if value is None else value) + delimiter
        if key_delimiter is not None:
            key = message.key()
            line = (null if key is None else key) + key_delimiter + line
        if print_offset:
            line = b"%d" % message.offset() + between + line
        return line

    return format_message


def format_json(message: Any) -> bytes:
    r"""Return the message in kcat's JSON envelope, without a line break.

    `broker` is always 0: the folder stands in its place. Bytes that are not UTF-8 cannot be a JSON
    string; they come as {"base64": "..."}, so that nothing is lost.
    """
    timestamp_type, timestamp_ms = message.timestamp()
    time_text = headers_text = ""
    if timestamp_type in TIMESTAMP_TYPES:
        time_text = f'"tstype":"{TIMESTAMP_TYPES[timestamp_type]}","ts":{timestamp_ms},'
    headers = message.headers()
    if headers:
        words = [item for name, value in headers for item in (name, json_text(value))]
        headers_text = f'"headers":{json.dumps(words, ensure_ascii=False)},'
    return (
        f'{{"topic":{_json(message.topic())},"partition":{message.partition()},'
        f'"offset":{message.offset()},{time_text}"broker":0,{headers_text}'
        f'"key":{_json_bytes(message.key())},"payload":{_json_bytes(message.value())}}}'
    ).encode()


def _json_bytes(data: bytes | None) -> str:
    if data is None:
        return "null"
    try:
        return _json(data.decode("utf-8"))
    except UnicodeDecodeError:
        return json.dumps(json_text(data))


def json_text(data: bytes | None) -> str | dict[str, str] | None:
    r"""Return bytes as a JSON string, or as {"base64": ...} where they are not UTF-8.

    >>> json_text(b"ok"), json_text(None), json_text(b"\xff")
    ('ok', None, {'base64': '/w=='})
    """
    if data is None:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}
