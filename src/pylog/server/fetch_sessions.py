"""Fetch sessions: a consumer says once what it wants to read, and then only what changes.

    session_id, session_epoch of a request
    0, -1         no session: all partitions are in the request, and in the answer
    0 or n, 0     a new session, in place of session n: all partitions; the answer has its id
    n, 1 2 3 ...  goes on with session n: partitions added, changed and forgotten; the answer has
                  those with records, an error, or another high watermark or log start
    n, -1         ends session n, and is answered as one without

What of a session has been answered goes to the end of its order, so that none starves while the
answers are full. The sessions are few enough to be remembered; who is remembered longest unused
goes when there is no place. A client whose session is gone begins a new one.

Source: Kafka FetchSession, FetchSessionCache, FetchContext (KIP-227).
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

from pylog.errors import KafkaError, KafkaException
from pylog.wire.messages.api_01_fetch import (
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)

NO_SESSION = 0
FINAL_EPOCH = -1
INITIAL_EPOCH = 0

_MAX_EPOCH = 2**31 - 1
_EVICTION_S = 120.0  # Kafka's min.incremental.fetch.session.eviction.ms

Key = tuple[str | bytes, int]  # topic's name or id, and partition


class WantedPartition:
    """A partition that a consumer wants to read, and what it was answered last.

    Attributes:
        topic: its name, or its id in versions from 13 on.
        partition: its number.
        fetch_offset: first record wanted.
        max_bytes: of it, in one answer.
        current_leader_epoch: that the client knows, -1 for none.
        last_fetched_epoch: of the record before, -1 for none.
    """

    __slots__ = (
        "current_leader_epoch",
        "fetch_offset",
        "high_watermark",
        "last_fetched_epoch",
        "log_start_offset",
        "max_bytes",
        "partition",
        "topic",
    )

    def __init__(self, topic: str | bytes, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.fetch_offset = 0
        self.max_bytes = 0
        self.current_leader_epoch = -1
        self.last_fetched_epoch = -1
        self.high_watermark = -1
        self.log_start_offset = -1

    def is_news(self, answer: PartitionData) -> bool:
        """Whether an answer says something that the last one did not; it is the last one then."""
        is_news = bool(answer.records) or answer.diverging_epoch is not None
        if answer.high_watermark != self.high_watermark:
            self.high_watermark = answer.high_watermark
            is_news = True
        if answer.log_start_offset != self.log_start_offset:
            self.log_start_offset = answer.log_start_offset
            is_news = True
        if answer.error_code:
            self.high_watermark = -1  # to be said when the error is over
            is_news = True
        return is_news


class FetchSession:
    """One session.

    Attributes:
        session_id: not 0.
        epoch: that the next request has.
        uses_ids: whether topics are named by id.
        wanted: partitions in their order.
        used_s: when it was used last, of a monotonic clock.
    """

    __slots__ = ("epoch", "session_id", "used_s", "uses_ids", "wanted")

    def __init__(self, session_id: int, uses_ids: bool, used_s: float) -> None:
        self.session_id = session_id
        self.epoch = INITIAL_EPOCH + 1
        self.uses_ids = uses_ids
        self.wanted: dict[Key, WantedPartition] = {}
        self.used_s = used_s

    def update(self, request: FetchRequest) -> None:
        """Take in what a request adds, changes and forgets."""
        for topic in request.forgotten_topics_data:
            name = topic.topic_id if self.uses_ids else topic.topic
            for number in topic.partitions:
                self.wanted.pop((name, number), None)
        for wanted in read_wanted(request.topics, self.uses_ids):
            key = (wanted.topic, wanted.partition)
            known = self.wanted.get(key)
            if known is not None:
                wanted.high_watermark = known.high_watermark
                wanted.log_start_offset = known.log_start_offset
            self.wanted[key] = wanted

    def select(
        self, answers: Iterable[tuple[WantedPartition, PartitionData]]
    ) -> Iterator[tuple[WantedPartition, PartitionData]]:
        """The answers that say something new; their partitions go to the end of the order."""
        for wanted, answer in answers:
            if not wanted.is_news(answer):
                continue
            key = (wanted.topic, wanted.partition)
            if answer.records and self.wanted.get(key) is wanted:
                del self.wanted[key]
                self.wanted[key] = wanted
            yield wanted, answer


class FetchContext:
    """What one request is answered in.

    Attributes:
        session: of it, None without.
        is_full: whether every partition is in the answer.
        wanted: partitions to read, in their order.
    """

    __slots__ = ("is_full", "session", "wanted")

    def __init__(
        self, session: FetchSession | None, is_full: bool, wanted: list[WantedPartition]
    ) -> None:
        self.session = session
        self.is_full = is_full
        self.wanted = wanted

    @property
    def session_id(self) -> int:
        """What the answer has."""
        return NO_SESSION if self.session is None else self.session.session_id

    def select(
        self, answers: list[tuple[WantedPartition, PartitionData]]
    ) -> list[tuple[WantedPartition, PartitionData]]:
        """The answers that the response has."""
        if self.session is None:
            return answers
        news = list(self.session.select(answers))
        return answers if self.is_full else news


class FetchSessions:
    """The sessions of one server. Belongs to the loop's thread.

    Args:
        max_sessions: that are remembered; 0 for none.
        clock_s: a monotonic clock.
    """

    def __init__(self, max_sessions: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._max_sessions = max_sessions
        self._clock_s = clock_s
        self._sessions: dict[int, FetchSession] = {}  # the longest unused first

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, request: FetchRequest, uses_ids: bool) -> FetchContext:
        """The context of a request.

        Raises:
            KafkaException: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
                FETCH_SESSION_TOPIC_ID_ERROR.
        """
        if request.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            self._sessions.pop(request.session_id, None)
            wanted = list(read_wanted(request.topics, uses_ids))
            session = None
            if request.session_epoch == INITIAL_EPOCH:
                session = self._make(uses_ids)
                if session is not None:
                    session.wanted = {(each.topic, each.partition): each for each in wanted}
            return FetchContext(session, True, wanted)
        session = self._sessions.get(request.session_id)
        if session is None:
            _refuse(KafkaError.FETCH_SESSION_ID_NOT_FOUND, f"no session {request.session_id}")
        if session.epoch != request.session_epoch:
            _refuse(
                KafkaError.INVALID_FETCH_SESSION_EPOCH,
                f"session {request.session_id} is at epoch {session.epoch}, not "
                f"{request.session_epoch}",
            )
        if session.uses_ids != uses_ids:
            _refuse(
                KafkaError.FETCH_SESSION_TOPIC_ID_ERROR,
                f"session {request.session_id} was begun with "
                f"{'ids' if session.uses_ids else 'names'} of topics",
            )
        session.update(request)
        session.epoch = session.epoch + 1 if session.epoch < _MAX_EPOCH else INITIAL_EPOCH + 1
        session.used_s = self._clock_s()
        del self._sessions[session.session_id]
        if session.wanted:
            self._sessions[session.session_id] = session
            return FetchContext(session, False, list(session.wanted.values()))
        return FetchContext(None, True, [])  # nothing is wanted any more: the session ends

    def withhold(self, response: FetchResponse) -> None:
        """Take back what a response says, before it is sent: the client is to ask again.

        A session that it began is forgotten; one that goes on says the same again, next time.

        Source: Kafka FetchContext.getThrottledResponse.
        """
        session = self._sessions.get(response.session_id)
        if session is not None and session.epoch == INITIAL_EPOCH + 1:
            del self._sessions[session.session_id]
            response.session_id = NO_SESSION
        elif session is not None:
            for topic in response.responses:
                name = topic.topic_id if session.uses_ids else topic.topic
                for answer in topic.partitions:
                    wanted = session.wanted.get((name, answer.partition_index))
                    if wanted is not None:
                        wanted.high_watermark = wanted.log_start_offset = -1
        response.responses = []
        response.node_endpoints = []

    def _make(self, uses_ids: bool) -> FetchSession | None:
        """A new session; None when there is no place for it."""
        now_s = self._clock_s()
        if len(self._sessions) >= self._max_sessions:
            oldest = next(iter(self._sessions.values()), None)
            if oldest is None or now_s - oldest.used_s < _EVICTION_S:
                return None
            del self._sessions[oldest.session_id]
        while True:
            session_id = random.randint(1, _MAX_EPOCH)
            if session_id not in self._sessions:
                break
        session = FetchSession(session_id, uses_ids, now_s)
        self._sessions[session_id] = session
        return session


def read_wanted(topics: Iterable[FetchTopic], uses_ids: bool) -> Iterator[WantedPartition]:
    """The partitions that a request names."""
    for topic in topics:
        name = topic.topic_id if uses_ids else topic.topic
        for partition in topic.partitions:
            wanted = WantedPartition(name, partition.partition)
            wanted.fetch_offset = partition.fetch_offset
            wanted.max_bytes = partition.partition_max_bytes
            wanted.current_leader_epoch = partition.current_leader_epoch
            wanted.last_fetched_epoch = partition.last_fetched_epoch
            yield wanted


def _refuse(code: int, text: str) -> NoReturn:
    raise KafkaException(KafkaError(code, text))
