"""What must hold of the records in the log, whoever read them."""

from collections import defaultdict
from collections.abc import Iterator

from tests.model.facts import Anomaly, Facts
from tests.model.history import Value


def check_log(facts: Facts) -> Iterator[Anomaly]:
    """Yield what is wrong with the final log against what was sent and acknowledged."""
    yield from check_lost_writes(facts)
    yield from check_acknowledged_offsets(facts)
    yield from check_duplicates(facts)
    yield from check_strangers(facts)
    yield from check_failed_writes(facts)
    yield from check_producer_order(facts)
    yield from check_unseen(facts)


def check_lost_writes(facts: Facts) -> Iterator[Anomaly]:
    """An acknowledged record is in the log for ever."""
    for value, (key, offset) in facts.acked.items():
        if value not in facts.where:
            yield Anomaly(
                "lost-write", f"record {value} was acknowledged at {key}:{offset} and is not there"
            )


def check_acknowledged_offsets(facts: Facts) -> Iterator[Anomaly]:
    """An offset holds one record: the one whose producer was told of it."""
    for value, place in facts.acked.items():
        found = facts.where.get(value)
        if found is not None and found != place:
            yield Anomaly(
                "inconsistent-offset",
                f"record {value} was acknowledged at {_at(place)} and is at {_at(found)}",
            )


def check_duplicates(facts: Facts) -> Iterator[Anomaly]:
    """Nothing is sent twice, so nothing is there twice."""
    for orders in (facts.order, facts.visible):
        first: dict[Value, tuple[int, int]] = {}
        for key, order in orders.items():
            for offset, value in order:
                before = first.setdefault(value, (key, offset))
                if before != (key, offset):
                    yield Anomaly(
                        "duplicate", f"record {value} is at {_at(before)} and at {key}:{offset}"
                    )


def check_strangers(facts: Facts) -> Iterator[Anomaly]:
    """What is in a partition was sent there."""
    for value, (key, offset) in facts.where.items():
        sent = facts.sent.get(value)
        if sent is None:
            yield Anomaly("stranger", f"record {value} at {key}:{offset} was sent by nobody")
        elif sent.key != key:
            yield Anomaly("stranger", f"record {value} at {key}:{offset} was sent to {sent.key}")


def check_failed_writes(facts: Facts) -> Iterator[Anomaly]:
    """A record whose send failed for certain is seen by no reader (G1a)."""
    for value, code in facts.failed.items():
        sent = facts.sent.get(value)
        is_in_transaction = sent is not None and sent.txn is not None
        place = (facts.where_visible if is_in_transaction else facts.where).get(value)
        if place is not None:
            yield Anomaly(
                "aborted-read", f"record {value} failed with {code} and is at {_at(place)}"
            )


def check_producer_order(facts: Facts) -> Iterator[Anomaly]:
    """The records of a producer stand in its order, and outside of transactions without gaps."""
    expected: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for (process, number), sent in facts.sent.items():
        if sent.txn is None and (process, number) not in facts.failed:
            expected[sent.key, process].append(number)
    for key, order in facts.order.items():
        last: dict[int, int] = {}
        count: defaultdict[int, int] = defaultdict(int)
        for offset, (process, number) in order:
            if number <= last.get(process, -1):
                yield Anomaly(
                    "reorder",
                    f"record {(process, number)} at {key}:{offset} stands after {last[process]}",
                )
            last[process] = number
            wanted = expected.get((key, process))
            if wanted is None:
                continue
            index, count[process] = count[process], count[process] + 1
            if index < len(wanted) and wanted[index] < number:
                yield Anomaly(
                    "write-skip",
                    f"record {(process, number)} at {key}:{offset} is there, {wanted[index]} of "
                    "the same process was sent before and is not",
                )
                count[process] = _index_after(wanted, number)


def check_unseen(facts: Facts) -> Iterator[Anomaly]:
    """What no transaction holds back is there for read_committed too, and at the same offset."""
    if not facts.is_finally_read[True]:
        return
    for value, place in facts.where.items():
        sent = facts.sent.get(value)
        if sent is not None and sent.txn is None and facts.where_visible.get(value) != place:
            yield Anomaly("unseen", f"record {value} at {_at(place)} is hidden by no transaction")
    for value, place in facts.where_visible.items():
        if facts.where.get(value) != place:
            yield Anomaly(
                "inconsistent-offset", f"record {value} at {_at(place)} is there only as committed"
            )


def _index_after(numbers: list[int], number: int) -> int:
    return next((n for n, other in enumerate(numbers) if other > number), len(numbers))


def _at(place: tuple[int, int]) -> str:
    return f"{place[0]}:{place[1]}"
