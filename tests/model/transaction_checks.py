"""What must hold of transactions: all of one or nothing, and each input processed once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.model.facts import Anomaly, Facts, Outcome, Transaction, paired
from tests.model.history import Kind, Result, Value, split_source


def check_transactions(facts: Facts) -> Iterator[Anomaly]:
    """Yield transactions that are torn, lost, or came about though they were aborted."""
    for transaction in facts.transactions.values():
        yield from _check_atomic(facts, transaction)
        yield from _check_offsets(facts, transaction)
    yield from check_fencing(facts)


def _check_atomic(facts: Facts, transaction: Transaction) -> Iterator[Anomaly]:
    shown = [value for value in transaction.values if value in facts.where_visible]
    hidden = [value for value in transaction.values if value not in facts.where_visible]
    if transaction.outcome is Outcome.ABORTED and shown:
        yield Anomaly("aborted-read", f"{transaction} was aborted, {_some(shown)} is visible")
    elif shown and hidden:
        yield Anomaly(
            "torn-transaction",
            f"{transaction}, {transaction.outcome.value}: {_some(shown)} is visible, "
            f"{_some(hidden)} is not",
        )
    elif transaction.outcome is Outcome.COMMITTED and hidden:
        yield Anomaly("lost-write", f"{transaction} was committed, {_some(hidden)} is not visible")


def _check_offsets(facts: Facts, transaction: Transaction) -> Iterator[Anomaly]:
    if transaction.group is None or transaction.outcome is Outcome.ABORTED:
        return
    has_come_about = transaction.outcome is Outcome.COMMITTED or any(
        value in facts.where_visible for value in transaction.values
    )
    final = facts.final_offsets(transaction.group)
    for key, offset in transaction.offsets.items():
        if has_come_about and final.get(key, -1) < offset:
            yield Anomaly(
                "torn-transaction",
                f"{transaction} came about, its offset {key}:{offset} did not: the group "
                f"{transaction.group} is at {final.get(key)}",
            )


def check_fencing(facts: Facts) -> Iterator[Anomaly]:
    """Who has initialized a transactional.id fences those who had it before."""
    begun: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for history in facts.histories:
        transactional_id = history.facts.get("transactional_id")
        for start, end in paired(history.events, Kind.INIT_TXN):
            if end is not None and end.result == Result.OK and transactional_id is not None:
                begun[transactional_id].append((history.process, start.time_ns, end.time_ns))
    for history in facts.histories:
        inits = begun.get(history.facts.get("transactional_id", ""), [])
        own_ns = [ok_ns for process, _, ok_ns in inits if process == history.process]
        for start, end in paired(history.events, Kind.COMMIT_TXN):
            if end is None or end.result != Result.OK:
                continue
            last_ns = max((ns for ns in own_ns if ns < start.time_ns), default=0)
            for process, invoke_ns, ok_ns in inits:
                if process != history.process and last_ns < invoke_ns and ok_ns < start.time_ns:
                    yield Anomaly(
                        "zombie-commit",
                        f"process {history.process} committed transaction {start.txn} when "
                        f"process {process} had taken its transactional.id",
                    )


def check_chain(facts: Facts, group: str, inputs: Iterable[int]) -> Iterator[Anomaly]:
    """Each input that a group of read-process-write workers is past has one output, no more.

    Args:
        facts: of the run.
        group: of the workers.
        inputs: the partitions that they read, as read_committed.
    """
    outputs: defaultdict[tuple[int, int], list[Value]] = defaultdict(list)
    for value in facts.where_visible:
        sent = facts.sent.get(value)
        if sent is not None and sent.source >= 0:
            outputs[split_source(sent.source)].append(value)
    final = facts.final_offsets(group)
    for (key, offset), values in outputs.items():
        if len(values) > 1:
            yield Anomaly("processed-twice", f"input {key}:{offset} has outputs {values}")
        if offset >= final.get(key, 0):
            yield Anomaly(
                "torn-transaction",
                f"input {key}:{offset} has output {values[0]}, the group {group} is at "
                f"{final.get(key)}",
            )
    for key in inputs:
        for offset, value in facts.visible[key]:
            if offset < final.get(key, 0) and (key, offset) not in outputs:
                yield Anomaly(
                    "processed-never",
                    f"input {value} at {key}:{offset} has no output, the group {group} is at "
                    f"{final[key]}",
                )


def _some(values: list[Value]) -> str:
    return f"{values[0]} and {len(values) - 1} more" if len(values) > 1 else str(values[0])
