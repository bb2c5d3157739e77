"""What the three remote clients share: their peer's configuration, its errors, a refusal."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from pylog import config as client_config
from pylog import config_table
from pylog.errors import KafkaError, KafkaException
from pylog.message import Message
from pylog.remote.translate import PeerError, exception_from_peer, from_peer

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Class = TypeVar("_Class", bound=type)

# Our own properties, which librdkafka does not know.
_OWN = ("log.dir", "busy.poll", "read.only")


def refuse(code: int, message: str) -> KafkaException:
    """Return the exception for what a cluster does not do."""
    return KafkaException(KafkaError(code, message))


def translates_errors(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a method raise pylog's KafkaException where confluent_kafka raises its own."""

    @functools.wraps(method)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return method(*args, **kwargs)
        except PeerError as error:
            raise exception_from_peer(error) from error
        except SystemError as error:
            # confluent_kafka goes on calling callbacks after a fatal error has been raised.
            cause = error.__cause__
            while isinstance(cause, SystemError):
                cause = cause.__cause__
            if not isinstance(cause, PeerError):
                raise
            raise exception_from_peer(cause) from cause

    return call


def refuses_the_rest(cls: _Class) -> _Class:
    """Refuse what only a folder's client can do: public methods that `cls` does not define.

    Otherwise such a call would run into the folder's code, which has no folder here.
    """
    for name in dir(cls):
        if not name.startswith("_") and name not in vars(cls) and callable(getattr(cls, name)):
            setattr(cls, name, _refusing(name))
    return cls


def _refusing(name: str) -> Callable[..., Any]:
    def method(self: object, *args: Any, **kwargs: Any) -> Any:
        raise refuse(
            KafkaError._NOT_IMPLEMENTED, f"{name} works on a folder; a cluster has no such call"
        )

    method.__name__ = name
    method.__doc__ = "Refused: a cluster has no such call."
    return method


def make_peer(make: Callable[..., Any], kind: str, conf: Mapping[str, Any]) -> Any:
    """Return confluent_kafka's client for a configuration.

    librdkafka says what is right and wrong in it: a newer one may know more than our tables. Only
    our own properties are taken out.

    Args:
        make: confluent_kafka's class.
        kind: "producer", "consumer" or "admin".
        conf: as the program gave it.

    Raises:
        KafkaException: _INVALID_ARG.
    """
    given = _peer_conf(kind, conf)
    try:
        return make(given)
    except PeerError as error:
        exception = exception_from_peer(error)
        if exception.args[0].code() == KafkaError._INVALID_ARG:
            client_config.parse(kind, conf)  # our words for the same mistake have a hint
        raise exception from error


def _peer_conf(kind: str, conf: Mapping[str, Any]) -> dict[str, Any]:
    given = {
        str(name): value
        for name, value in conf.items()
        if value is not None or name not in ("logger", *_OWN)
    }
    own = client_config.parse(kind, {name: given.pop(name) for name in _OWN if name in given})
    if own["read.only"]:
        raise refuse(
            KafkaError._INVALID_ARG,
            "read.only is for a folder; on a cluster an access list says who may write",
        )
    if callable(given.get("partitioner")):
        raise refuse(
            KafkaError._INVALID_ARG,
            "a partitioner in Python is for a folder; on a cluster name one of librdkafka's, or "
            "give produce() the partition",
        )
    for name, value in given.items():
        canonical = config_table.ALIASES.get(name, name)
        if canonical in _CALLBACKS and callable(value):
            given[name] = _CALLBACKS[canonical](value)
    return given


# ---- callbacks ----------------------------------------------------------------------------------


def delivery_callback(
    callback: Callable[[KafkaError | None, Message], Any],
) -> Callable[[Any, Any], None]:
    """Return what confluent_kafka calls for a message, to call `callback` in pylog's types."""
    if not callable(callback):
        raise TypeError("on_delivery expects a callable")

    def report(error: Any, message: Any) -> None:
        callback(from_peer(error), from_peer(message))

    return report


def _error_callback(callback: Callable[[KafkaError], Any]) -> Callable[[Any], None]:
    def report(error: Any) -> None:
        callback(from_peer(error))

    return report


def _commit_callback(callback: Callable[..., Any]) -> Callable[[Any, Any], None]:
    def report(error: Any, partitions: Any) -> None:
        callback(from_peer(error), from_peer(partitions))

    return report


# stats_cb, throttle_cb and oauth_cb take nothing that needs translating.
_CALLBACKS: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "error_cb": _error_callback,
    "on_delivery": delivery_callback,
    "on_commit": _commit_callback,
}
