"""What must hold of a mixed run: the checks of tests/model, and what only such a run can show."""

import copy
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.model.facts import Anomaly, Facts
from tests.model.group_checks import check_groups
from tests.model.history import History, Kind, Result
from tests.model.layout import EVENT_KEYS, PARTITIONS
from tests.model.log_checks import check_log
from tests.model.poll_checks import check_polls
from tests.model.transaction_checks import check_chain, check_transactions

EMBEDDED, CLASSIC, CONSUMER = GROUPS = ("embedded", "classic", "consumer")
CHAINS = (EMBEDDED, CONSUMER)

# What each role must have come to for a run to say anything.
EXPECTED = {
    "idempotent": Kind.PRODUCE,
    "writer": Kind.COMMIT_TXN,
    "java-writer": Kind.COMMIT_TXN,
    "copier": Kind.COMMIT_TXN,
    "wire-member": Kind.COMMIT,
    "wire-copier": Kind.COMMIT_TXN,
}


def check_final_readings(facts: Facts) -> Iterator[Anomaly]:
    """What the server told at the end is what the folder holds, to the last record."""
    for history in facts.histories:
        if history.role != "wire-reader":
            continue
        for key in range(len(PARTITIONS)):
            told = [
                (entry.offset, entry.value)
                for event in history.events
                if event.kind == Kind.POLL
                for entry in event.entries
                if entry.key == key
            ]
            held = list(facts.order_for(history)[key])
            if told != held:
                yield Anomaly(
                    "other-reading",
                    f"{history.facts['isolation']}: the server told {len(told)} records of {key}, "
                    f"the folder holds {len(held)}",
                )


def check_chains(facts: Facts) -> Iterator[Anomaly]:
    """Each group that copies did it once for each input, for itself."""
    groups = {history.process: history.group for history in facts.histories}
    for group in CHAINS:
        own = copy.copy(facts)
        own.sent = {value: sent for value, sent in facts.sent.items() if groups[value[0]] == group}
        yield from check_chain(own, group, EVENT_KEYS)


def check_work(facts: Facts) -> Iterator[Anomaly]:
    """Each role came to what it is there for."""
    done = Counter(
        (history.role, event.kind)
        for history in facts.histories
        for event in history.events
        if event.result == Result.OK
    )
    for role, kind in EXPECTED.items():
        if not done[role, kind]:
            yield Anomaly("stuck", f"no {kind.name.lower()} of a {role} went well")


def find_anomalies(histories: Sequence[History]) -> list[Anomaly]:
    """All checks."""
    facts = Facts(histories)
    return [
        *check_log(facts),
        *check_polls(facts),
        *check_transactions(facts),
        *check_groups(facts),
        *check_chains(facts),
        *check_final_readings(facts),
        *check_work(facts),
    ]
