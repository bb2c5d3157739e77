"""Place: a folder or a cluster, and its clients."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pylog.admin import AdminClient
from pylog.consumer import Consumer
from pylog.errors import KafkaError, KafkaException

Partition = tuple[str, int]

TIMEOUT_S = 30.0
"""How long a cluster may take to answer."""

_SERVERS = re.compile(r"[\w.\[\]:-]*[\w\]]:\d+(,[\w.\[\]:-]*[\w\]]:\d+)*")


@dataclass(frozen=True)
class Place:
    """Where topics are read from or written to.

    Attributes:
        name: as the user gave it.
        is_cluster: bootstrap servers rather than a folder.
        properties: more of librdkafka's, for a cluster.
    """

    name: str
    is_cluster: bool
    properties: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def parse(text: str, properties: Mapping[str, str] | None = None) -> "Place":
        """Return the place meant: what looks like host:port and is no folder is a cluster.

        >>> Place.parse("kafka1:9092,kafka2:9092").is_cluster, Place.parse("./data").is_cluster
        (True, False)
        """
        is_cluster = _SERVERS.fullmatch(text) is not None and not os.path.isdir(text)
        return Place(text, is_cluster, dict(properties or {}) if is_cluster else {})

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that names this place."""
        if self.is_cluster:
            return {"log_level": 2, **self.properties, "bootstrap.servers": self.name}
        return {"log.dir": self.name}

    def open_admin(self) -> AdminClient:
        """Return an AdminClient of this place."""
        return AdminClient(self.config)

    def open_consumer(self, isolation_level: str = "read_committed") -> Consumer:
        """Return a Consumer that commits nothing itself."""
        config = {
            **self.config,
            "group.id": "pylog-mirror",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": isolation_level,
            "enable.partition.eof": True,
        }
        if not self.is_cluster:
            config["read.only"] = not os.access(self.name, os.W_OK)
        return Consumer(config)


def refuse(message: str, code: int = KafkaError._FAIL) -> KafkaException:
    """Return the exception that says why a mirror cannot go on."""
    return KafkaException(KafkaError(code, message))
