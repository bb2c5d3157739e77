"""Histories come back as they were written, and a torn last frame does no harm."""

from pathlib import Path

from tests.model.history import Journal, Kind, Result, count_operations, read_all


def write_one(folder: Path) -> Path:
    journal = Journal(folder, 3, "member", group="g", isolation="read_committed")
    journal.invoke(Kind.PRODUCE, [(1, 3, 0, -1), (2, 3, 1, -1)], txn=4, count=2)
    journal.ok(Kind.PRODUCE, [(1, 3, 0, 77)], txn=4)
    operation = journal.invoke(Kind.COMMIT, [(0, 0, 9, 50)])
    journal.fail(Kind.COMMIT, 22, operation=operation)
    journal.ok(Kind.POLL, [(5, 1, 2, 3), (5, 1, 3, 4), (5, 1, 4, 1 << 40)])
    journal.close()
    return next(folder.glob("*.history"))


def test_a_history_is_read_as_it_was_written(tmp_path: Path):
    write_one(tmp_path)
    [history] = read_all(tmp_path)
    assert (history.process, history.role, history.group) == (3, "member", "g")
    assert history.reads_committed
    sent, acked, begun, refused, polled = history.events
    assert [entry.key for entry in sent.entries] == [1, 2]
    assert (acked.txn, acked.entries[0].value, acked.entries[0].offset) == (4, (3, 0), 77)
    assert (refused.operation, refused.result, refused.code) == (begun.operation, Result.FAIL, 22)
    assert polled.entries[-1].offset == 1 << 40
    assert [event.time_ns for event in history.events] == sorted(
        event.time_ns for event in history.events
    )


def test_operations_are_counted_one_a_record_and_one_a_call(tmp_path: Path):
    write_one(tmp_path)
    assert count_operations(read_all(tmp_path)) == {"produce": 2, "commit": 1, "poll": 3}


def test_each_prefix_of_a_history_can_be_read(tmp_path: Path):
    path = write_one(tmp_path)
    data = path.read_bytes()
    counts = []
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        found = read_all(tmp_path)
        counts.append(len(found[0].events) if found else -1)
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (-1, 5)
