"""QuotaStore: the quotas of a folder, as clients set them and take them away.

    <folder>/.server.quotas
    ENTITY/KEY=VALUE        ENTITY is TYPE:NAME,... with names percent-encoded, empty for defaults

Source: Kafka ClientQuotaControlManager, QuotaConfig.
"""

import logging
import math
import os
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

from pylog.server.kept_file import KeptFile

_log = logging.getLogger("pylog.server")

QUOTAS_FILE = ".server.quotas"
MAX_QUOTAS = 10_000

USER, CLIENT_ID, IP = "user", "client-id", "ip"
PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE = "producer_byte_rate", "consumer_byte_rate"
REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE = "request_percentage", "controller_mutation_rate"
CONNECTION_CREATION_RATE = "connection_creation_rate"
KEYS: Mapping[str, frozenset[str]] = {
    USER: frozenset(
        {PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE}
    ),
    IP: frozenset({CONNECTION_CREATION_RATE}),
}
FRACTIONAL = frozenset({REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE})

Entity = frozenset[tuple[str, str | None]]
"""(type, name) of what a quota is for; the name None is the default."""

Change = tuple[Entity, str, float | None]
"""Whose quota, which one, and its value; None takes it away."""


class QuotaStore:
    """The quotas of a folder.

    Args:
        folder: of the log.

    Attributes:
        quotas: values by key, of each entity.
        keys: of which there are any.
        version: another one when they are others.
    """

    def __init__(self, folder: str) -> None:
        self.version = 0
        self.quotas: Mapping[Entity, Mapping[str, float]] = {}
        self.keys: frozenset[str] = frozenset()
        self._file = KeptFile(os.path.join(folder, QUOTAS_FILE), self._take)

    def _take(self, table: Mapping[str, str]) -> None:
        quotas: dict[Entity, dict[str, float]] = {}
        for line, value in table.items():
            try:
                entity, _, key = line.rpartition("/")
                number = float(value)
                if not 0 < number < math.inf:
                    raise ValueError(value)
                quotas.setdefault(_parse(entity), {})[key] = number
            except ValueError:
                _log.warning("%s: a line is not understood: %s", QUOTAS_FILE, line)
        self.quotas = quotas
        self.keys = frozenset(key for values in quotas.values() for key in values)
        self.version += 1

    def refresh(self, now_s: float = 0.0) -> None:
        """Take up what another process has changed; once a second."""
        self._file.refresh()

    def change(self, changes: Iterable[Change]) -> None:
        """Set quotas, or take them away. Waits for the disk.

        Raises:
            OSError: they cannot be kept; then nothing has changed.
        """
        wanted = list(changes)

        def edit(table: dict[str, str]) -> bool:
            before = dict(table)
            for entity, key, value in wanted:
                line = f"{_format(entity)}/{key}"
                if value is None:
                    table.pop(line, None)
                else:
                    table[line] = repr(value)
            return table != before

        self._file.change(edit)


def _format(entity: Entity) -> str:
    return ",".join(
        f"{kind}:{'' if name is None else quote(name, safe='')}"
        for kind, name in sorted(entity, key=lambda part: part[0])
    )


def _parse(text: str) -> Entity:
    parts = [part.partition(":") for part in text.split(",")]
    if not all(colon and kind in (USER, CLIENT_ID, IP) for kind, colon, _ in parts):
        raise ValueError(text)
    return frozenset((kind, unquote(name) or None) for kind, _, name in parts)
