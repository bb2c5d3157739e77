"""Quotas: how much clients may do in a time, by user, client id or both, or by address.

    producer_byte_rate        bytes of Produce requests a second
    consumer_byte_rate        bytes of Fetch responses a second
    request_percentage        time that requests are worked on, 100 for all the time of one thread
    controller_mutation_rate  partitions that are made and deleted a second
    connection_creation_rate  connections of one address a second

Who goes over one of the first three is answered at once, told to wait (throttle_time_ms), and not
read from until then. Nothing is lost or refused; but a Fetch is answered without records, which
the client asks for again. The quota that counts is the most particular one: of user and client id,
of the user, of the client id, and defaults after names at each step. It is shared by all
connections that it counts for.

Partitions come out of a bucket of tokens, which may owe some: while it does, CreateTopics and the
like are refused with THROTTLING_QUOTA_EXCEEDED, in versions that have no such error done and then
told to wait. A connection too many is let wait and then closed (acceptor.py).

A Fetch that is more than all windows allow is sent all the same when there was little else: the
client could never go on. Kafka lets it wait for ever.

Source: Kafka DefaultQuotaCallback, ClientQuotaManager, ClientRequestQuotaManager,
ControllerMutationQuotaManager, ConnectionQuotas, KafkaApis.handleFetchRequest; KIP-219, 599, 612.
"""

import time
from collections.abc import Callable
from typing import Any

from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.server import request_time
from pylog.server.quota_store import (
    CLIENT_ID,
    CONNECTION_CREATION_RATE,
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    IP,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    USER,
    Entity,
    QuotaStore,
)
from pylog.server.rates import Rate, TokenBucket
from pylog.server.request import RequestContext
from pylog.wire import Message

MAX_RATES = 10_000
PRODUCE, FETCH = 0, 1

_CHARGED = frozenset({PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE})
_UNTIMED = frozenset({17, 36})
"""SaslHandshake and SaslAuthenticate: whose time it is is not known yet."""

_PERCENT_A_NS = 100 / 1e9
_MUTATION_BURST_S = 11.0
"""controller.quota.window.num times controller.quota.window.size.seconds, which are Kafka's."""


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
        self._buckets: dict[Entity, TokenBucket] = {}
        self._found: dict[tuple[str, str, str], tuple[Entity, float] | None] = {}
        self._version = store.version

    @property
    def is_active(self) -> bool:
        """Whether there are any that requests are charged for."""
        keys = self.store.keys
        return bool(keys) and not keys.isdisjoint(_CHARGED)

    @property
    def is_timed(self) -> bool:
        """Whether the time of requests is charged for."""
        return REQUEST_PERCENTAGE in self.store.keys

    # ---- requests ----

    def charge(self, context: RequestContext, response: Any, response_bytes: int) -> int:
        """Count a request that is done, and let its connection rest if that was too much.

        Args:
            context: of the request.
            response: its answer, None for none; it is told for how long, and loses its records.
            response_bytes: its size.

        Returns:
            For how many milliseconds.
        """
        throttle_ms = self._charge_time(context)
        if context.api_key == PRODUCE:
            throttle_ms = max(throttle_ms, self._charge_produce(context))
        elif context.api_key == FETCH:
            throttle_ms = self._charge_fetch(context, response, response_bytes, throttle_ms)
        if throttle_ms:
            context.throttle(throttle_ms)
            if isinstance(response, Message) and hasattr(response, "throttle_time_ms"):
                response.throttle_time_ms = max(response.throttle_time_ms, throttle_ms)
        return throttle_ms

    def most_fetch_bytes(self, context: RequestContext) -> int | None:
        """How much a Fetch may get at once, so that there is a time when it may; None for any.

        Source: Kafka ClientQuotaManager.getMaxValueInQuotaWindow.
        """
        found = self._find_for(CONSUMER_BYTE_RATE, context)
        if found is None:
            return None
        return int(found[1] * max(1, self._window_count - 1) * self._window_s)

    def _charge_time(self, context: RequestContext) -> int:
        if not self.is_timed or context.api_key in _UNTIMED:
            return 0
        found = self._find_for(REQUEST_PERCENTAGE, context)
        if found is None:
            return 0
        entity, bound = found
        now_s = self._clock()
        rate = self._rate_of(REQUEST_PERCENTAGE, entity)
        rate.record(request_time.spent_ns(context) * _PERCENT_A_NS, now_s)
        return _to_ms(min(self._window_s, rate.throttle_s(bound, now_s)))

    def _charge_produce(self, context: RequestContext) -> int:
        found = self._find_for(PRODUCER_BYTE_RATE, context)
        if found is None:
            return 0
        entity, bound = found
        now_s = self._clock()
        rate = self._rate_of(PRODUCER_BYTE_RATE, entity)
        rate.record(context.request_bytes, now_s)
        return _to_ms(rate.throttle_s(bound, now_s))

    def _charge_fetch(
        self, context: RequestContext, response: Any, response_bytes: int, throttle_ms: int
    ) -> int:
        """Count a Fetch, and take its records back if its client has to rest.

        Args:
            context: of the request.
            response: its answer.
            response_bytes: its size.
            throttle_ms: how long the client has to rest in any case.

        Returns:
            For how many milliseconds it has to rest.
        """
        found = self._find_for(CONSUMER_BYTE_RATE, context)
        is_kept = throttle_ms == 0
        if found is not None:
            entity, bound = found
            now_s = self._clock()
            rate = self._rate_of(CONSUMER_BYTE_RATE, entity)
            rate.record(response_bytes, now_s)
            rest_ms = _to_ms(rate.throttle_s(bound, now_s))
            if rest_ms:
                others = rate.total(now_s) - response_bytes
                most = bound * max(1, self._window_count - 1) * self._window_s
                is_kept &= response_bytes > most and others <= bound * self._window_s
            if not is_kept:
                rate.record(-response_bytes, now_s)
            throttle_ms = max(throttle_ms, rest_ms)
        if not is_kept:
            context.broker.fetch_sessions.withhold(response)
        return throttle_ms

    # ---- partitions ----

    def mutation(self, context: RequestContext, strict_since: int | None) -> "Mutation | None":
        """See `mutation_of`."""
        if CONTROLLER_MUTATION_RATE not in self.store.keys:
            return None
        found = self._find_for(CONTROLLER_MUTATION_RATE, context)
        if found is None:
            return None
        entity, rate = found
        bucket = self._buckets.get(entity)
        if bucket is None:
            _make_room(self._buckets)
            bucket = self._buckets[entity] = TokenBucket(_MUTATION_BURST_S)
        is_strict = strict_since is not None and context.version >= strict_since
        return Mutation(context, bucket, rate, is_strict, self._clock)

    # ---- connections ----

    def connection_delay_s(self, address: str) -> float:
        """Count a connection; 0, or how long to let it wait before it is closed.

        Args:
            address: of the client.
        """
        if CONNECTION_CREATION_RATE not in self.store.keys:
            return 0.0
        quotas, entity = self.store.quotas, frozenset({(IP, address)})
        bound = quotas.get(entity, {}).get(CONNECTION_CREATION_RATE)
        if bound is None:
            bound = quotas.get(frozenset({(IP, None)}), {}).get(CONNECTION_CREATION_RATE)
        if bound is None:
            return 0.0
        now_s = self._clock()
        rate = self._rate_of(CONNECTION_CREATION_RATE, entity)
        rate.record(1, now_s)
        delay_s = min(self._window_s, rate.throttle_s(bound, now_s))
        if delay_s:
            rate.record(-1, now_s)
        return delay_s

    # ---- whose ----

    def _rate_of(self, key: str, entity: Entity) -> Rate:
        rate = self._rates.get((key, entity))
        if rate is None:
            _make_room(self._rates)
            rate = self._rates[key, entity] = Rate(self._window_s, self._window_count)
        return rate

    def _find_for(self, key: str, context: RequestContext) -> tuple[Entity, float] | None:
        return self._find(key, context.principal.partition(":")[2], context.client_id or "")

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


class Mutation:
    """What one request may make and delete. Belongs to the loop's thread.

    Args:
        context: of the request.
        bucket: of partitions.
        rate: partitions a second.
        is_strict: whether what is too much is refused.
        clock: seconds that go on.
    """

    def __init__(
        self,
        context: RequestContext,
        bucket: TokenBucket,
        rate: float,
        is_strict: bool,
        clock: Callable[[], float],
    ) -> None:
        self._context = context
        self._bucket = bucket
        self._rate = rate
        self._is_strict = is_strict
        self._clock = clock
        self._throttle_ms = 0

    def take(self, partitions: int) -> None:
        """Take partitions that are about to be made or deleted.

        Raises:
            KafkaException: THROTTLING_QUOTA_EXCEEDED.
        """
        now_s = self._clock()
        if self._is_strict:
            self._note(self._bucket.tokens(self._rate, now_s))
            if self._throttle_ms:
                refuse(
                    KafkaError.THROTTLING_QUOTA_EXCEEDED,
                    "The throttling quota has been exceeded.",
                )
        self._bucket.take(partitions, self._rate, now_s)
        if not self._is_strict:
            self._note(self._bucket.tokens(self._rate, now_s))

    def _note(self, tokens: float) -> None:
        if tokens < 0:
            self._throttle_ms = max(1, round(-tokens / self._rate * 1000))

    def settle(self, response: Any) -> None:
        """Tell the client how long to rest, and see that it does."""
        if self._throttle_ms:
            self._context.throttle(self._throttle_ms)
            response.throttle_time_ms = max(response.throttle_time_ms, self._throttle_ms)


def mutation_of(context: RequestContext, strict_since: int | None) -> Mutation | None:
    """What a request that makes or deletes partitions is held to; None where it is to nothing.

    Args:
        context: of the request.
        strict_since: its version from which on it can be told that it was too much; None for none.
    """
    quotas = context.broker.quotas
    return None if quotas is None else quotas.mutation(context, strict_since)


def _to_ms(seconds: float) -> int:
    """Clients are told whole milliseconds: less than half of one is no rest."""
    return round(seconds * 1000)


def _make_room(table: dict[Any, Any]) -> None:
    """Forget the one that has been there longest, if there are as many as may be."""
    if len(table) >= MAX_RATES:
        del table[next(iter(table))]
