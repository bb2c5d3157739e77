"""From exceptions to error codes, and from error codes to responses.

A code of the protocol goes on the wire as it is; what librdkafka calls a local error and what the
operating system refuses becomes the code that a client can do the right thing with.
"""

import logging
import time
from typing import TYPE_CHECKING, Any

from logcore import errors as log_errors
from logcore.config import ConfigError
from pylog.errors import KafkaError, KafkaException, from_log_error
from pylog.folder_errors import as_kafka_exception
from pylog.group.group_types import GroupError
from pylog.server.request import RequestContext
from pylog.wire import APIS, Message, WireError
from pylog.wire.fields import Field, MessageType

if TYPE_CHECKING:
    from pylog.server.dispatch import Handler

_log = logging.getLogger("pylog.server")

NO_ERROR = KafkaError.NO_ERROR
UNSUPPORTED_VERSION = KafkaError.UNSUPPORTED_VERSION

# What a local code is to a client of the protocol.
_FROM_LOCAL = {
    KafkaError._BAD_MSG: KafkaError.INVALID_MSG,
    KafkaError._FS: KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError._FAIL: KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError._STATE: KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError._READ_ONLY: KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError._CRIT_SYS_RESOURCE: KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError._TIMED_OUT: KafkaError.REQUEST_TIMED_OUT,
    KafkaError._UNKNOWN_PARTITION: KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC: KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_GROUP: KafkaError.GROUP_ID_NOT_FOUND,
    KafkaError._INVALID_ARG: KafkaError.INVALID_REQUEST,
    KafkaError._BAD_COMPRESSION: KafkaError.INVALID_MSG,
    KafkaError._FENCED: KafkaError.PRODUCER_FENCED,
}

# What an operator has to do something about. A log that was closed is none: its topic was deleted.
_OF_STORAGE = frozenset(
    {
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError._FS,
        KafkaError._FAIL,
        KafkaError._CRIT_SYS_RESOURCE,
    }
)
STORAGE_LOG_INTERVAL_S = 1.0
MAX_STORAGE_TEXTS = 1000
_logged_at_s: dict[str, float] = {}


def error_of(error: BaseException, path: str = "") -> tuple[int, str]:
    """The code of the protocol and the text for an exception; what is wrong with a disk is logged.

    Args:
        error: whatever a handler met.
        path: of what was in use, for an OSError that names no file.
    """
    if isinstance(error, GroupError):
        return error.code, error.reason
    if isinstance(error, OSError):
        error = as_kafka_exception(error, path)
    elif isinstance(error, log_errors.LogError | ConfigError):
        error = from_log_error(error)
    if isinstance(error, KafkaException):
        known: KafkaError = error.args[0]
        code = known.code()
        if code in _OF_STORAGE:
            _log_storage_error(known.str())
        return (code if code >= 0 else _FROM_LOCAL.get(code, KafkaError.UNKNOWN)), known.str()
    if isinstance(error, WireError):
        return KafkaError.INVALID_REQUEST, str(error)
    return KafkaError.UNKNOWN, f"{type(error).__name__}: {error}"


def _log_storage_error(text: str) -> None:
    """Tell the operator; once a second for one text, which names the partition and the reason."""
    now_s = time.monotonic()
    if now_s - _logged_at_s.get(text, float("-inf")) < STORAGE_LOG_INTERVAL_S:
        return
    if len(_logged_at_s) >= MAX_STORAGE_TEXTS:
        _logged_at_s.clear()
    _logged_at_s[text] = now_s
    _log.error("storage error: %s", text)


# APIs of a group's coordinator.
_OF_COORDINATORS = frozenset({8, 9, 11, 12, 13, 14, 42, 47, 68})


def coordinator_error_of(error: BaseException, path: str = "") -> tuple[int, str]:
    """As error_of, for members of a group: no client of those knows what to do about a disk.

    They look for the coordinator anew, which is this one, until there is room, or they give up.

    Source: Kafka CoordinatorOperationExceptionHelper.
    """
    code, text = error_of(error, path)
    return KafkaError.NOT_COORDINATOR if code == KafkaError.KAFKA_STORAGE_ERROR else code, text


def answer_for(
    handler: "Handler", request: Any, context: RequestContext, error: Exception
) -> Message:
    """The response to a request whose handler failed; what nobody foresaw is logged with its place.

    Args:
        handler: that failed.
        request: its message.
        context: of the request.
        error: what it raised.
    """
    find_code = coordinator_error_of if context.api_key in _OF_COORDINATORS else error_of
    code, message = find_code(error, context.broker.log_dir.path)
    if code == KafkaError.UNKNOWN:
        _log.error("%s of %s failed", handler.name, context.client_host, exc_info=error)
    else:
        _log.info("%s of %s: %s", handler.name, context.client_host, message)
    return handler.refuse(request, context, code, message)


# ---- a response that says nothing but an error ----

# A field of a response whose value is a field of the request by another name.
_OTHER_NAMES = {
    "partition_index": ("index", "partition"),
    "partition_id": ("partition",),
    "group_id": ("group",),
    "user": ("name",),
    "name": ("topic",),
}
# Arrays of the request whose items are plain values, and what those are in the response.
_PLAIN_ITEMS = {
    "topic_names": "name",
    "partition_indexes": "partition_index",
    "groups_names": "group_id",
    "groups": "group_id",
    "group_ids": "group_id",
    "transactional_ids": "transactional_id",
    "coordinator_keys": "key",
    "partitions": "partition_index",
}
_ERROR_FIELDS = ("error_code", "partition_error_code")


def refusal(request: Any, api_key: int, version: int, error_code: int, message: str) -> Message:
    """The response of an API that has `error_code` wherever its version has room for one.

    A response with an error of its own carries it there. One without has an item for each item of
    the request, named as there, each with the error.

    Args:
        request: the message; None when there is none.
        api_key: of the API.
        version: of the response.
        error_code: to carry.
        message: for people, where the version has a field for it.
    """
    kind = APIS[api_key].response
    response: Message = kind()
    if _set_error(response, version, error_code, message) or request is None:
        return response
    for name, field in _present(kind, version):
        if _is_struct_array(field) and _can_carry(field.kind, version):
            setattr(response, name, _mirror(request, field.kind, version, error_code, message))
    return response


def _set_error(struct: Message, version: int, error_code: int, message: str) -> bool:
    """Put the error into a struct; whether it has a place for it."""
    has_place = False
    for name, field in type(struct).layout.fields.items():
        if version not in field.versions:
            continue
        if name in _ERROR_FIELDS:
            setattr(struct, name, error_code)
            has_place = True
        elif name == "error_message":
            setattr(struct, name, message)
    return has_place


def _mirror(
    asked: Any, kind: MessageType, version: int, error_code: int, message: str
) -> list[Message]:
    """An item of `kind` for each item that `asked` has in the array that answers to it."""
    items = []
    for item in _items_of(asked, version):
        made = kind()
        for name, field in _present(kind, version):
            if not field.is_array:
                _copy(item, made, name)
        if not _set_error(made, version, error_code, message):
            for name, field in _present(kind, version):
                if _is_struct_array(field) and _can_carry(field.kind, version):
                    below = _mirror(item, field.kind, version, error_code, message)
                    setattr(made, name, below)
        items.append(made)
    return items


def _items_of(asked: Any, version: int) -> list[Any]:
    """The items of the arrays of a request's struct: structs, or (name, plain value)."""
    items: list[Any] = []
    if isinstance(asked, tuple):
        return items
    for name, field in type(asked).layout.fields.items():
        if not field.is_array or version not in field.versions:
            continue
        values = getattr(asked, name) or []
        if isinstance(field.kind, MessageType):
            if name not in ("configs", "assignments"):
                items += values
        elif name in _PLAIN_ITEMS:
            items += [(_PLAIN_ITEMS[name], value) for value in values]
    return items


def _copy(item: Any, made: Message, name: str) -> None:
    """Take over a field of the request's item."""
    if isinstance(item, tuple):
        known, value = item
        if known == name or known in _OTHER_NAMES.get(name, ()) or name == "partition_id":
            setattr(made, name, value)
        return
    for spelled in (name, *_OTHER_NAMES.get(name, ())):
        if spelled in type(item).layout.fields:
            setattr(made, name, getattr(item, spelled))
            return


def _present(kind: MessageType, version: int) -> list[tuple[str, Field]]:
    return [
        (name, field) for name, field in kind.layout.fields.items() if version in field.versions
    ]


def _is_struct_array(field: Field) -> bool:
    return field.is_array and isinstance(field.kind, MessageType)


def _can_carry(kind: MessageType, version: int) -> bool:
    """Whether a struct, or one below it, has a place for an error."""
    return any(
        name in _ERROR_FIELDS or (_is_struct_array(field) and _can_carry(field.kind, version))
        for name, field in _present(kind, version)
    )
