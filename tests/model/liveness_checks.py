"""What must have happened for a run to say anything: everybody came to what it is there for."""

from collections import Counter
from collections.abc import Iterator

from tests.model.facts import Anomaly, Facts
from tests.model.history import Kind, Result

_EVERY = 10_000
_EXPECTED = (
    ("producer", Kind.PRODUCE),
    ("idempotent", Kind.PRODUCE),
    ("reader", Kind.POLL),
    ("writer", Kind.COMMIT_TXN),
    ("member", Kind.COMMIT),
    ("copier", Kind.COMMIT_TXN),
    ("cleaner", Kind.CLEAN),
)


def check_liveness(facts: Facts, operations: int) -> Iterator[Anomaly]:
    """Each kind of worker did its work at least once in so many operations.

    Args:
        facts: of the run.
        operations: of all of them.
    """
    done = Counter(
        (history.role, event.kind)
        for history in facts.histories
        for event in history.events
        if event.result == Result.OK
    )
    for role, kind in _EXPECTED:
        if done[role, kind] < operations // _EVERY:
            yield Anomaly("stuck", f"{role}: {done[role, kind]} times {kind.name.lower()}")
