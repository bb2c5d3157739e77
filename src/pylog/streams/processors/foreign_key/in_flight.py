"""What the left side of an inner join by foreign key has asked and not been answered yet.

Kafka Streams does not ask for an answer where nothing can be found that was not found before: a row
that is new, or that names the same key as before. That is so if each answer has come before the
next change. If changes are quicker, the answer that would have deleted a result is stale when it
comes, and no other follows: the result stays for ever. So, as long as an answer is on its way, an
answer is asked for in any case; and an answer with nothing that is stale deletes the result,
where no answer may be coming that would.

It is kept in memory: a restart in that very moment leaves things as they are in Kafka Streams.
"""

from typing import Any

#: Of rows for which no answer may come; those of longest ago are forgotten.
MOST_WITHOUT_ANSWER = 10_000


class SubscriptionsInFlight:
    """The rows of one task for which answers are on their way."""

    def __init__(self) -> None:
        # Rows for which an answer must come, and rows for which one comes only if there is a row.
        self._answered_surely: set[Any] = set()
        self._answered_perhaps: dict[Any, None] = {}

    def is_unanswered(self, primary_key: Any) -> bool:
        """Whether an answer is on its way that will come."""
        return _hashable(primary_key) in self._answered_surely

    def ask(self, primary_key: Any) -> None:
        """Note that an answer was asked for in any case."""
        key = _hashable(primary_key)
        self._answered_surely.add(key)
        self._answered_perhaps.pop(key, None)

    def ask_if_there(self, primary_key: Any) -> None:
        """Note that no answer may come, though a result may be there."""
        key = _hashable(primary_key)
        self._answered_perhaps.pop(key, None)
        self._answered_perhaps[key] = None
        if len(self._answered_perhaps) > MOST_WITHOUT_ANSWER:
            del self._answered_perhaps[next(iter(self._answered_perhaps))]

    def answer(self, primary_key: Any) -> None:
        """Note that the answer for the row as it is has come."""
        key = _hashable(primary_key)
        self._answered_surely.discard(key)
        self._answered_perhaps.pop(key, None)

    def deletes_when_stale(self, primary_key: Any) -> bool:
        """Whether a stale answer with nothing may be the last that comes."""
        return _hashable(primary_key) in self._answered_perhaps


class SubscriptionsInFlightSupplier:
    """Has what is in flight for each task; shared by the two processors of the left side."""

    def __init__(self) -> None:
        self._by_task: dict[Any, SubscriptionsInFlight] = {}

    def get(self, task_id: Any) -> SubscriptionsInFlight:
        """Return what is in flight of a task; both processors get the same."""
        return self._by_task.setdefault(task_id, SubscriptionsInFlight())

    def remove(self, task_id: Any) -> None:
        """Forget a task."""
        self._by_task.pop(task_id, None)


def _hashable(primary_key: Any) -> Any:
    try:
        hash(primary_key)
    except TypeError:
        return repr(primary_key)
    return primary_key
