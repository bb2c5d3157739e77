"""Faults: what is to go wrong, for tests of clients.

    server.faults.fail_next("Produce", count=3, error=KafkaError.NOT_LEADER_FOR_PARTITION)
    server.faults.delay_next("Fetch", seconds=2)
    server.faults.disconnect_next("Metadata")
    server.faults.lose_response_next("Produce")

Faults of an API are met in the order in which they were given, one a request. Each of these returns
a Plan, which tells how many requests have met it. All may be called from any thread.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pylog.error_codes import ERROR_CODES
from pylog.errors import KafkaError
from pylog.server.request import RequestContext
from pylog.wire import APIS

ALWAYS = 1 << 62
"""As `count`: until `Plan.cancel` or `Faults.clear`."""

_KEYS = {api.name: key for key, api in APIS.items()}

_CODES = {row.name: code for code, row in ERROR_CODES.items()}

Filter = Callable[[Any, RequestContext], bool]
"""Whether a request, given as its message and its context, is meant."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a request meets.

    Attributes:
        delay_s: how long it waits before anything else.
        error_code: what it is answered with, nothing being done; 0 for its own answer.
        is_disconnect: the connection is closed, nothing being done.
        is_response_lost: what it asks for is done, then the connection is closed without an answer.
    """

    delay_s: float = 0.0
    error_code: int = 0
    is_disconnect: bool = False
    is_response_lost: bool = False


class Plan:
    """A fault that the next requests of an API are to meet.

    Attributes:
        api_key: of the API.
        fault: what they meet.
    """

    def __init__(self, api_key: int, fault: Fault, count: int, only: Filter | None) -> None:
        self.api_key = api_key
        self.fault = fault
        self._left = count
        self._met = 0
        self._only = only
        self._changed = threading.Condition()

    @property
    def met(self) -> int:
        """How many requests have met it."""
        return self._met

    @property
    def left(self) -> int:
        """How many are to meet it still."""
        return self._left

    def wait(self, count: int = 1, timeout: float = 10.0) -> None:
        """Wait until so many requests have met it.

        Raises:
            TimeoutError: they have not, in so many seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._met >= count, timeout):
                raise TimeoutError(
                    f"{self._met} of {count} requests of {APIS[self.api_key].name} came in "
                    f"{timeout} s"
                )

    def cancel(self) -> None:
        """Let no more requests meet it."""
        with self._changed:
            self._left = 0

    def take(self, message: Any, context: RequestContext) -> bool:
        """Whether a request meets it; then it is counted."""
        if self._only is not None and not self._only(message, context):
            return False
        with self._changed:
            if self._left <= 0:
                return False
            self._left -= 1
            self._met += 1
            self._changed.notify_all()
            return True


class Faults:
    """The faults of a server."""

    def __init__(self) -> None:
        self._plans: dict[int, tuple[Plan, ...]] = {}
        self._lock = threading.Lock()

    def fail_next(
        self,
        api: str | int,
        *,
        count: int = 1,
        error: int | str | KafkaError = KafkaError.REQUEST_TIMED_OUT,
        delay: float = 0.0,
        only: Filter | None = None,
    ) -> Plan:
        """Answer the next requests with an error, without doing what they ask for.

        Args:
            api: Kafka's name of the API, such as "ListOffsets", or its key.
            count: how many requests; ALWAYS for all.
            error: a code of the protocol, or its name, such as "NOT_LEADER_FOR_PARTITION".
            delay: seconds until the answer.
            only: which requests are meant, by message and context; all of the API if left out.

        Raises:
            ValueError: there is no such API, or the error is none that a broker gives.
        """
        code = _code_of(error)
        if code == 0 or code < KafkaError.UNKNOWN:
            raise ValueError(f"{error!r} is no error of a broker")
        return self._plan(api, Fault(delay_s=delay, error_code=code), count, only)

    def delay_next(
        self, api: str | int, seconds: float, *, count: int = 1, only: Filter | None = None
    ) -> Plan:
        """Let the next requests wait before they are taken up; arguments as of `fail_next`."""
        return self._plan(api, Fault(delay_s=seconds), count, only)

    def disconnect_next(
        self, api: str | int, *, count: int = 1, delay: float = 0.0, only: Filter | None = None
    ) -> Plan:
        """Close the connections of the next requests, without doing what they ask for."""
        return self._plan(api, Fault(delay_s=delay, is_disconnect=True), count, only)

    def lose_response_next(
        self, api: str | int, *, count: int = 1, delay: float = 0.0, only: Filter | None = None
    ) -> Plan:
        """Do what the next requests ask for, then close the connection without an answer."""
        return self._plan(api, Fault(delay_s=delay, is_response_lost=True), count, only)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._plans = {}

    def meet(self, message: Any, context: RequestContext) -> Fault | None:
        """The fault that a request meets, None for none."""
        for plan in self._plans.get(context.api_key, ()):
            if plan.take(message, context):
                return plan.fault
        return None

    def _plan(self, api: str | int, fault: Fault, count: int, only: Filter | None) -> Plan:
        api_key = _KEYS.get(api) if isinstance(api, str) else api
        if api_key is None or api_key not in APIS:
            raise ValueError(f"there is no API {api!r}; one of {', '.join(_KEYS)}")
        plan = Plan(api_key, fault, count, only)
        with self._lock:
            waiting = [known for known in self._plans.get(api_key, ()) if known.left > 0]
            self._plans[api_key] = (*waiting, plan)
        return plan


def _code_of(error: int | str | KafkaError) -> int:
    if isinstance(error, KafkaError):
        return error.code()
    if isinstance(error, str):
        code = _CODES.get(error)
        if code is None:
            from difflib import get_close_matches

            near = [name for name in _CODES if error in name][:3] or get_close_matches(
                error, _CODES
            )
            hint = f"did you mean {' or '.join(near)}?" if near else "KafkaError has their names"
            raise ValueError(f"there is no error code {error!r}; {hint}")
        return code
    return int(error)
