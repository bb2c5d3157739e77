"""What the clients of an application are configured with.

A client gets, the later over the earlier: what Kafka Streams gives it by default, the properties
that were set without a prefix and that it knows, those with the prefix of its kind (`consumer.`),
those with the prefix of its purpose (`main.consumer.`). What the runtime insists on, such as the
group, it sets itself over all of these.
"""

from typing import TYPE_CHECKING, Any

from pylog.config import ADMIN, CONSUMER, PRODUCER, PROPERTIES
from pylog.config_table import ALIASES
from pylog.streams.config_table import CLIENT_NAMES, CLIENT_PREFIXES

if TYPE_CHECKING:
    from pylog.streams.config import StreamsConfig

_KNOWN = {"consumer": CONSUMER, "producer": PRODUCER, "admin": ADMIN}
_PREFIXES = {
    "main.consumer": ("consumer.", "main.consumer."),
    "restore.consumer": ("consumer.", "restore.consumer."),
    "global.consumer": ("consumer.", "global.consumer."),
    "producer": ("producer.",),
    "admin": ("admin.",),
}
_CONSUMER_DEFAULTS = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "max.poll.records": 1000,
}
_PRODUCER_DEFAULTS = {"partitioner": "murmur2_random"}
# Of a cluster: there a request costs more than its records, and retries may change their order.
_CLUSTER_PRODUCER_DEFAULTS = {"linger.ms": 100, "enable.idempotence": True}
_EXACTLY_ONCE_DEFAULTS = {"enable.idempotence": True, "transaction.timeout.ms": 10_000}


def client_property(name: str) -> str | None:
    """The name that a client's property is kept under, its prefix included; None for no property.

    Args:
        name: as the program said it.
    """
    for prefix in CLIENT_PREFIXES:
        if name.startswith(prefix):
            inner = _canonical(name.removeprefix(prefix))
            return None if inner is None else prefix + inner
    return _canonical(name)


def _canonical(name: str) -> str | None:
    name = CLIENT_NAMES.get(name, name)
    name = ALIASES.get(name, name)
    return name if name in PROPERTIES else None


def client_config(config: "StreamsConfig", kind: str) -> dict[str, Any]:
    """The configuration of a client, see the module.

    Args:
        config: of the application.
        kind: "main.consumer", "restore.consumer", "global.consumer", "producer" or "admin".
    """
    prefixes = _PREFIXES[kind]
    known = _KNOWN[CLIENT_PREFIXES[prefixes[0]]]
    result = _defaults(config, kind)
    result.update((name, config[name]) for name in config if name in known and name != "client.id")
    for prefix in prefixes:
        result.update(
            (name.removeprefix(prefix), config[name]) for name in config if name.startswith(prefix)
        )
    return result


def _defaults(config: "StreamsConfig", kind: str) -> dict[str, Any]:
    if kind == "admin":
        return {}
    if kind != "producer":
        return dict(_CONSUMER_DEFAULTS)
    defaults: dict[str, Any] = dict(_PRODUCER_DEFAULTS)
    if config.is_on_cluster:
        defaults.update(_CLUSTER_PRODUCER_DEFAULTS)
    if config.is_exactly_once:
        defaults.update(_EXACTLY_ONCE_DEFAULTS)
    return defaults
