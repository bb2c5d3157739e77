"""All checks over the histories of a run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tests.model.facts import Anomaly, Facts
from tests.model.group_checks import check_groups
from tests.model.history import History
from tests.model.liveness_checks import check_liveness
from tests.model.log_checks import check_log
from tests.model.poll_checks import check_polls
from tests.model.transaction_checks import check_chain, check_transactions

SHOWN = 5


def find_anomalies(
    histories: Sequence[History],
    chains: Mapping[str, Iterable[int]] | None = None,
    operations: int = 0,
) -> list[Anomaly]:
    """Check the histories of a run that has ended.

    Args:
        histories: of all its processes, with a final reading for each isolation level and for
            each group.
        chains: groups of read-process-write workers, with the partitions that they read.
        operations: how many there were, for how often each kind of worker must have done its work.
    """
    facts = Facts(histories)
    found = [
        *check_log(facts),
        *check_polls(facts),
        *check_transactions(facts),
        *check_groups(facts),
        *check_liveness(facts, operations),
    ]
    for group, inputs in (chains or {}).items():
        found += check_chain(facts, group, inputs)
    return found


def describe(anomalies: Sequence[Anomaly]) -> str:
    """How many of each kind, and the first few of each."""
    lines = []
    for name, count in Counter(anomaly.name for anomaly in anomalies).most_common():
        lines.append(f"{name}: {count}")
        of_kind = [anomaly for anomaly in anomalies if anomaly.name == name]
        lines += [f"    {anomaly.text}" for anomaly in of_kind[:SHOWN]]
    return "\n".join(lines)
