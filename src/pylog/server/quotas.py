"""Quotas: how much clients may send and receive a second, by user, client id or both.

    <folder>/.server.quotas
    ENTITY/KEY=VALUE        ENTITY is TYPE:NAME,... with names percent-encoded, empty for defaults

Who goes over a quota is answered at once, told to wait (throttle_time_ms), and not read from until
then; nothing is lost or refused. The quota that counts is the most particular one: of user and
client id, of the user, of the client id, and defaults after names at each step. Its bytes are
shared by all connections that it counts for.

producer_byte_rate and consumer_byte_rate are kept to. request_percentage, controller_mutation_rate
and connection_creation_rate are kept and told, but do nothing: a server of one machine has limits
for those (limits.py).

Source: Kafka DefaultQuotaCallback, Rate, ClientQuotaManager, ClientQuotaControlManager.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from pylog.server.kept_file import KeptFile
from pylog.server.request import RequestContext
from pylog.wire import Message

_log = logging.getLogger("pylog.server")

QUOTAS_FILE = ".server.quotas"
MAX_QUOTAS = 10_000
MAX_RATES = 10_000

PRODUCE, FETCH = 0, 1
USER, CLIENT_ID, IP = "user", "client-id", "ip"
PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE = "producer_byte_rate", "consumer_byte_rate"
KEYS: Mapping[str, frozenset[str]] = {
    USER: frozenset(
        {PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, "request_percentage", "controller_mutation_rate"}
    ),
    IP: frozenset({"connection_creation_rate"}),
}
FRACTIONAL = frozenset({"request_percentage", "controller_mutation_rate"})

Entity = frozenset[tuple[str, str | None]]
"""(type, name) of what a quota is for; the name None is the default."""

Change = tuple[Entity, str, float | None]
"""Whose quota, which one, and its value; None takes it away."""


class QuotaStore:
    """The quotas of a folder.

    Args:
        folder: of the log.
    """

    def __init__(self, folder: str) -> None:
        self._file = KeptFile(os.path.join(folder, QUOTAS_FILE))
        self.version = 0
        self.quotas: dict[Entity, dict[str, float]] = {}
        self._read()

    def _read(self) -> None:
        quotas: dict[Entity, dict[str, float]] = {}
        for line, value in self._file.table.items():
            try:
                entity, _, key = line.rpartition("/")
                quotas.setdefault(_parse(entity), {})[key] = float(value)
            except ValueError:
                _log.warning("%s: a line is not understood: %s", QUOTAS_FILE, line)
        self.quotas = quotas
        self.version += 1

    def refresh(self, now_s: float = 0.0) -> None:
        """Take up what another process has changed; once a second."""
        if self._file.refresh():
            self._read()

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

        if self._file.change(edit):
            self._read()


class Rate:
    """Bytes a second over the last windows.

    Args:
        window_s: size of one.
        window_count: how many there are.
    """

    def __init__(self, window_s: float, window_count: int) -> None:
        self._window_s = window_s
        self._count = max(2, window_count)
        self._samples: list[tuple[float, float]] = []  # begin of a window, what came in it

    def record(self, value: float, now_s: float) -> None:
        """Count what came now."""
        samples = self._samples
        if samples and now_s - samples[-1][0] < self._window_s:
            samples[-1] = samples[-1][0], samples[-1][1] + value
        else:
            samples.append((now_s, value))
        oldest_s = now_s - self._count * self._window_s
        while samples[0][0] <= oldest_s:
            del samples[0]

    def throttle_s(self, bound: float, now_s: float) -> float:
        """How long to rest so that the rate is the bound again.

        Source: Kafka Rate.windowSize, QuotaUtils.boundedThrottleTime.
        """
        if not self._samples:
            return 0.0
        elapsed_s = now_s - self._samples[0][0]
        # As if the windows before the first sample had been full of nothing, but for one.
        window_s = max(elapsed_s, (self._count - 1) * self._window_s)
        observed = sum(value for _, value in self._samples) / window_s
        if observed <= bound:
            return 0.0
        longest_s = self._count * self._window_s
        return min(longest_s, (observed - bound) / bound * window_s)


class Quotas:
    """Holds clients to their quotas. It belongs to the loop's thread.

    Args:
        store: of the quotas.
        window_s: quota.window.size.seconds.
        window_count: quota.window.num.
        clock: seconds that go on.
    """

    def __init__(
        self,
        store: QuotaStore,
        window_s: float = 1.0,
        window_count: int = 11,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._window_s = window_s
        self._window_count = window_count
        self._clock = clock
        self._rates: dict[tuple[str, Entity], Rate] = {}
        self._found: dict[tuple[str, str, str], tuple[Entity, float] | None] = {}
        self._version = store.version

    @property
    def is_active(self) -> bool:
        """Whether there are any."""
        return bool(self.store.quotas)

    def charge(self, context: RequestContext, response: Any, response_bytes: int) -> int:
        """Count a Produce or a Fetch, and let its connection rest if that was too much.

        Args:
            context: of the request.
            response: its answer, None for none; it is told for how long.
            response_bytes: its size.

        Returns:
            For how many milliseconds.
        """
        if context.api_key == PRODUCE:
            key, size_bytes = PRODUCER_BYTE_RATE, context.request_bytes
        elif context.api_key == FETCH:
            key, size_bytes = CONSUMER_BYTE_RATE, response_bytes
        else:
            return 0
        found = self._find(key, context.principal.partition(":")[2], context.client_id or "")
        if found is None:
            return 0
        entity, bound = found
        now_s = self._clock()
        rate = self._rates.get((key, entity))
        if rate is None:
            if len(self._rates) >= MAX_RATES:
                self._rates.clear()
            rate = self._rates[key, entity] = Rate(self._window_s, self._window_count)
        rate.record(size_bytes, now_s)
        throttle_ms = round(rate.throttle_s(bound, now_s) * 1000)
        if throttle_ms:
            context.throttle(throttle_ms)
            if isinstance(response, Message) and hasattr(response, "throttle_time_ms"):
                response.throttle_time_ms = throttle_ms
        return throttle_ms

    def _find(self, key: str, user: str, client_id: str) -> tuple[Entity, float] | None:
        """The quota that counts, and whose rate it is measured by."""
        if self._version != self.store.version or len(self._found) > MAX_RATES:
            self._found.clear()
            self._version = self.store.version
        question = key, user, client_id
        if question not in self._found:
            self._found[question] = self._search(*question)
        return self._found[question]

    def _search(self, key: str, user: str, client_id: str) -> tuple[Entity, float] | None:
        both = frozenset({(USER, user), (CLIENT_ID, client_id)})
        of_user, of_client = frozenset({(USER, user)}), frozenset({(CLIENT_ID, client_id)})
        steps: tuple[tuple[Entity, Entity], ...] = (
            (both, both),
            (frozenset({(USER, user), (CLIENT_ID, None)}), both),
            (of_user, of_user),
            (frozenset({(USER, None), (CLIENT_ID, client_id)}), both),
            (frozenset({(USER, None), (CLIENT_ID, None)}), both),
            (frozenset({(USER, None)}), of_user),
            (of_client, of_client),
            (frozenset({(CLIENT_ID, None)}), of_client),
        )
        for entity, measured in steps:
            bound = self.store.quotas.get(entity, {}).get(key)
            if bound is not None:
                return measured, bound
        return None


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
