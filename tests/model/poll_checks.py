"""What a reader may see: its partition's records one after the other, and only finished ones."""

from collections.abc import Iterator

from tests.model.facts import Anomaly, Facts, Outcome, PartitionOrder
from tests.model.history import Entry, Event, History, Kind, Result


def check_polls(facts: Facts) -> Iterator[Anomaly]:
    """Yield what readers saw and should not have, or did not see and should have."""
    for history in facts.histories:
        if not history.is_final:
            yield from _check_reader(facts, history)


def _check_reader(facts: Facts, history: History) -> Iterator[Anomaly]:
    next_index: dict[int, int | None] = {}  # of the record that must come next; None for any
    orders = facts.order_for(history)
    for event in history.events:
        if event.result != Result.OK:
            continue
        if event.kind in (Kind.ASSIGN, Kind.SEEK):
            if event.kind == Kind.ASSIGN:
                next_index.clear()
            for entry in event.entries:
                order, is_known = orders[entry.key], entry.offset >= 0
                next_index[entry.key] = order.index_from(entry.offset) if is_known else None
        elif event.kind in (Kind.OWN, Kind.DISOWN):
            for entry in event.entries:
                next_index[entry.key] = None
        elif event.kind == Kind.POLL:
            for entry in event.entries:
                yield from _check_record(facts, history, event, entry)
                yield from _check_next(history, orders[entry.key], entry, next_index)


def _check_next(
    history: History, order: PartitionOrder, entry: Entry, next_index: dict[int, int | None]
) -> Iterator[Anomaly]:
    index = order.index.get(entry.offset)
    if index is None:
        return  # told of by _check_record
    expected = next_index.get(entry.key)
    next_index[entry.key] = index + 1
    if expected is None or expected == index:
        return
    seen = f"{history.role} {history.process} read {entry.key}:{entry.offset}"
    if index < expected:
        last = order.offsets[expected - 1] if expected else -1
        yield Anomaly("nonmonotonic-poll", f"{seen} when it was past {last}")
    else:
        skipped = order.offsets[expected]
        yield Anomaly("poll-skip", f"{seen}, {index - expected} from {skipped} on left out")


def _check_record(facts: Facts, history: History, event: Event, entry: Entry) -> Iterator[Anomaly]:
    seen = f"{history.role} {history.process} read {entry.value} at {entry.key}:{entry.offset}"
    found = facts.order[entry.key].at(entry.offset)
    if found is None:
        yield Anomaly("lost-write", f"{seen}, where nothing is any more")
    elif found != entry.value:
        yield Anomaly("inconsistent-offset", f"{seen}, where {found} is")
    if not history.reads_committed:
        return
    sent = facts.sent.get(entry.value)
    if sent is None or sent.txn is None:
        return
    transaction = facts.transactions[sent.txn]
    if transaction.outcome is Outcome.ABORTED:
        yield Anomaly("aborted-read", f"{seen}, of {transaction}, which was aborted")
    elif event.time_ns < transaction.commit_invoke_ns:
        yield Anomaly("intermediate-read", f"{seen} before {transaction} was committed")
    elif entry.value not in facts.where_visible:
        yield Anomaly("aborted-read", f"{seen}, of {transaction}, which did not come about")
