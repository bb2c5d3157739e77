"""The same clients on a Kafka cluster: `bootstrap.servers` where a folder has `log.dir`.

A client whose configuration names a cluster becomes, in its __init__, an object of a class here:
RemoteProducer, RemoteConsumer, RemoteAdminClient. Each holds confluent_kafka's client as its
`_peer`, hands every call on to it, and translates what goes in and what comes out: errors,
partitions and admin types are pylog's on both sides (translate.py), messages are shells around
confluent_kafka's (pylog.message). The remote classes are subclasses of those for a folder, so that
isinstance holds, and a program's own subclass becomes a subclass of both.

confluent_kafka is imported when the first such client is made, never by `import pylog`.
"""

import importlib
from collections.abc import Mapping
from typing import Any

from pylog.errors import KafkaError, KafkaException

_SERVERS = ("bootstrap.servers", "metadata.broker.list")
_REMOTE_CLASSES = {
    "producer": ("pylog.remote.producer", "RemoteProducer"),
    "consumer": ("pylog.remote.consumer", "RemoteConsumer"),
    "admin": ("pylog.remote.admin", "RemoteAdminClient"),
}


def connect(client: Any, kind: str, conf: Mapping[str, Any]) -> bool:
    """Make `client` one of a cluster if its configuration names one.

    Called first of all by the __init__ of Producer, Consumer and AdminClient.

    Args:
        client: the object that is being made; its class changes.
        kind: "producer", "consumer" or "admin".
        conf: as the program gave it.

    Returns:
        False, with nothing done, when the configuration is one for a folder.

    Raises:
        KafkaException: _INVALID_ARG for a cluster and a folder at once, or what confluent_kafka
            refuses; _NOT_IMPLEMENTED when confluent-kafka is not installed.
    """
    servers = _servers_in(conf)
    if servers is None:
        return False
    if conf.get("log.dir") is not None:
        raise KafkaException(
            KafkaError(
                KafkaError._INVALID_ARG,
                f"log.dir={conf['log.dir']} and bootstrap.servers={servers}: a client works on a "
                "folder or on a cluster; leave one of the two out",
            )
        )
    _require_confluent_kafka(servers)
    module, name = _REMOTE_CLASSES[kind]
    remote = getattr(importlib.import_module(module), name)
    client.__class__ = _class_for(type(client), remote)
    client._connect(conf)
    return True


def _servers_in(conf: Mapping[str, Any]) -> Any:
    """The cluster that a configuration names, None for a folder."""
    return next((conf[name] for name in _SERVERS if conf.get(name)), None)


def _require_confluent_kafka(servers: object) -> None:
    try:
        importlib.import_module("confluent_kafka")
    except ImportError as error:
        raise KafkaException(
            KafkaError(
                KafkaError._NOT_IMPLEMENTED,
                f"bootstrap.servers={servers}: a cluster is reached through confluent-kafka, which "
                f"cannot be imported ({error}); pip install 'pylog-stream[kafka]'",
            )
        ) from error


def _class_for(own: type, remote: type) -> type:
    """The class of a client that was made as `own`: `remote`, or a subclass of both.

    With the bases (own, remote), the calls of `super()` in a program's subclass reach `remote`,
    which is itself a subclass of the class that the program derived from.
    """
    if own is remote.__base__:
        return remote
    known = own.__dict__.get("_remote_class")
    if known is None:
        names = {"__module__": own.__module__, "__qualname__": own.__qualname__}
        known = type(own)(own.__name__, (own, remote), {**names, "__doc__": own.__doc__})
        own._remote_class = known  # type: ignore[attr-defined]
    return known
