"""The checks find what they are for: histories made by hand, one for each anomaly."""

import pytest
from tests.model.history import Result, make_source
from tests.model.story import Actor, Story
from tests.model.verdict import find_anomalies


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_good_history_has_no_anomaly(story: Story):
    producer = story.process()
    records = [(offset, producer.send(0, offset, offset)) for offset in range(3)]
    reader = story.process("reader", isolation="read_committed")
    reader.assign(0, 1)
    reader.poll(0, *records[1:])
    reader.assign(0, 0)
    reader.poll(0, *records)
    story.end({0: records})
    assert story.found() == set()


# ---- the log ----


def test_an_acknowledged_record_that_is_not_there_is_lost(story: Story):
    producer = story.process()
    producer.send(0, 0, 0)
    producer.send(0, 1, 1)
    story.end({0: [(0, (1, 0))]})
    assert story.found() == {"lost-write"}


def test_a_record_that_a_reader_saw_and_that_is_not_there_is_lost(story: Story):
    producer = story.process()
    producer.begin_send(0, 0)
    reader = story.process("reader", isolation="read_uncommitted")
    reader.poll(0, (0, (1, 0)))
    story.end({0: []})
    assert story.found() == {"lost-write"}


def test_an_unacknowledged_record_may_be_there_or_not(story: Story):
    producer = story.process()
    producer.begin_send(0, 0, 1)
    story.end({0: [(0, (1, 0))]})
    assert story.found() == set()


def test_a_record_that_is_there_twice_is_a_duplicate(story: Story):
    producer = story.process()
    value = producer.send(0, 0, 0)
    story.end({0: [(0, value), (1, value)]})
    assert "duplicate" in story.found()


def test_a_record_elsewhere_than_acknowledged_is_inconsistent(story: Story):
    producer = story.process()
    value = producer.send(0, 0, 0)
    story.end({0: [(1, value)]})
    assert story.found() == {"inconsistent-offset"}


def test_a_reader_and_the_log_that_disagree_are_inconsistent(story: Story):
    producer = story.process()
    first, second = producer.send(0, 0, 0), producer.send(0, 1, 1)
    reader = story.process("reader", isolation="read_uncommitted")
    reader.poll(0, (0, second))
    story.end({0: [(0, first), (1, second)]})
    assert story.found() == {"inconsistent-offset"}


def test_records_of_a_producer_out_of_order_are_found(story: Story):
    producer = story.process()
    producer.begin_send(0, 0, 1)
    story.end({0: [(0, (1, 1)), (1, (1, 0))]})
    assert "reorder" in story.found()


def test_a_record_left_out_between_two_of_its_producer_is_found(story: Story):
    producer = story.process()
    producer.begin_send(0, 0, 1, 2)
    story.end({0: [(0, (1, 0)), (1, (1, 2))]})
    assert story.found() == {"write-skip"}


def test_a_refused_record_leaves_a_gap_that_is_none(story: Story):
    producer = story.process()
    first, _, third = producer.send(0, 0, 0), producer.fail_send(0, 1), producer.send(0, 2, 1)
    story.end({0: [(0, first), (1, third)]})
    assert story.found() == set()


def test_a_refused_record_that_is_there_is_an_aborted_read(story: Story):
    producer = story.process()
    value = producer.fail_send(0, 0)
    story.end({0: [(0, value)]})
    assert story.found() == {"aborted-read"}


def test_a_record_that_nobody_sent_is_a_stranger(story: Story):
    story.end({0: [(0, (9, 9))]})
    assert story.found() == {"stranger"}


def test_a_record_in_another_partition_is_a_stranger(story: Story):
    producer = story.process()
    producer.begin_send(0, 0)
    story.end({1: [(0, (1, 0))]})
    assert story.found() == {"stranger"}


def test_a_plain_record_that_read_committed_hides_is_unseen(story: Story):
    producer = story.process()
    value = producer.send(0, 0, 0)
    story.end({0: [(0, value)]}, visible={0: []})
    assert story.found() == {"unseen"}


# ---- readers ----


def three_records(story: Story) -> list[tuple[int, tuple[int, int]]]:
    producer = story.process()
    records = [(2 * n, producer.send(0, n, 2 * n)) for n in range(3)]
    story.end({0: records})
    return records


def test_a_reader_that_goes_back_is_found(story: Story):
    records = three_records(story)
    reader = story.process("reader", isolation="read_uncommitted")
    reader.poll(0, *records)
    reader.poll(0, records[1])
    assert story.found() == {"nonmonotonic-poll"}


def test_a_reader_that_sees_a_record_twice_is_found(story: Story):
    records = three_records(story)
    reader = story.process("reader", isolation="read_uncommitted")
    reader.poll(0, records[0], records[0])
    assert story.found() == {"nonmonotonic-poll"}


def test_a_reader_that_skips_a_record_is_found(story: Story):
    records = three_records(story)
    reader = story.process("reader", isolation="read_committed")
    reader.poll(0, records[0])
    reader.poll(0, records[2])
    assert story.found() == {"poll-skip"}


def test_a_reader_that_begins_late_is_found(story: Story):
    records = three_records(story)
    reader = story.process("reader", isolation="read_uncommitted")
    reader.assign(0, 1)
    reader.poll(0, records[2])
    assert story.found() == {"poll-skip"}


def test_a_reader_that_was_assigned_anew_may_go_anywhere(story: Story):
    records = three_records(story)
    reader = story.process("reader", isolation="read_uncommitted")
    reader.poll(0, *records)
    reader.assign(0, 0)
    reader.poll(0, *records)
    reader.assign(0, -1)
    reader.poll(0, records[2])
    assert story.found() == set()


def test_a_reader_goes_on_where_it_sought(story: Story):
    records = three_records(story)
    reader = story.process("reader", isolation="read_uncommitted")
    reader.poll(0, *records)
    reader.seek(0, 1)
    reader.poll(0, records[1])
    assert story.found() == set()
    reader.seek(0, 0)
    reader.poll(0, records[1])
    assert story.found() == {"poll-skip"}


# ---- transactions ----


def one_transaction(story: Story) -> Actor:
    """Records 0 and 1 at 0:0 and 1:0, not yet ended."""
    worker = story.process("transactional", transactional_id="t")
    worker.init()
    worker.begin(1)
    worker.send(0, 0, 0)
    worker.send(1, 1, 0)
    return worker


ORDER = {0: [(0, (1, 0))], 1: [(0, (1, 1))]}
HALF = {0: [(0, (1, 0))]}


@pytest.mark.parametrize("result", [Result.OK, Result.INFO, None])
def test_a_transaction_that_is_all_there_is_well(story: Story, result: Result | None):
    one_transaction(story).commit_transaction(result)
    story.end(ORDER)
    assert story.found() == set()


@pytest.mark.parametrize("result", [Result.INFO, Result.FAIL, None])
def test_a_transaction_that_is_not_there_at_all_is_well(story: Story, result: Result | None):
    one_transaction(story).commit_transaction(result)
    story.end(ORDER, visible={})
    assert story.found() == set()


def test_a_committed_transaction_that_is_not_visible_is_lost(story: Story):
    one_transaction(story).commit_transaction()
    story.end(ORDER, visible={})
    assert story.found() == {"lost-write"}


@pytest.mark.parametrize("result", [Result.OK, Result.INFO, None])
def test_half_a_transaction_is_torn(story: Story, result: Result | None):
    one_transaction(story).commit_transaction(result)
    story.end(ORDER, visible=HALF)
    assert story.found() == {"torn-transaction"}


def test_a_transaction_whose_unacknowledged_record_is_missing_is_torn(story: Story):
    worker = one_transaction(story)
    worker.begin_send(0, 2)
    worker.commit_transaction()
    story.end(ORDER)
    assert story.found() == {"torn-transaction"}


def test_an_aborted_transaction_that_is_visible_is_an_aborted_read(story: Story):
    one_transaction(story).abort_transaction()
    story.end(ORDER)
    assert story.found() == {"aborted-read"}


def test_a_transaction_whose_commit_never_began_is_aborted(story: Story):
    one_transaction(story)
    story.end(ORDER)
    assert story.found() == {"aborted-read"}


def test_a_reader_of_an_aborted_transaction_is_found(story: Story):
    one_transaction(story).abort_transaction()
    reader = story.process("reader", isolation="read_committed")
    reader.poll(0, (0, (1, 0)))
    story.end(ORDER, visible={})
    assert story.found() == {"aborted-read"}


def test_a_reader_of_an_open_transaction_is_found(story: Story):
    worker = one_transaction(story)
    reader = story.process("reader", isolation="read_committed")
    reader.poll(0, (0, (1, 0)))
    worker.commit_transaction()
    story.end(ORDER)
    assert story.found() == {"intermediate-read"}


def test_a_reader_of_a_transaction_that_did_not_come_about_is_found(story: Story):
    one_transaction(story).commit_transaction(None)
    reader = story.process("reader", isolation="read_committed")
    reader.poll(0, (0, (1, 0)))
    story.end(ORDER, visible={})
    assert story.found() == {"aborted-read"}


def test_read_uncommitted_may_see_all_of_it(story: Story):
    worker = one_transaction(story)
    reader = story.process("reader", isolation="read_uncommitted")
    reader.poll(0, (0, (1, 0)))
    worker.abort_transaction()
    story.end(ORDER, visible={})
    assert story.found() == set()


def test_a_commit_of_one_whose_id_was_taken_is_found(story: Story):
    zombie = one_transaction(story)
    story.process("transactional", transactional_id="t").init()
    zombie.commit_transaction()
    story.end(ORDER)
    assert story.found() == {"zombie-commit"}


def test_who_takes_its_id_again_may_commit(story: Story):
    worker = one_transaction(story)
    story.process("transactional", transactional_id="t").init()
    worker.init()
    worker.commit_transaction()
    story.end(ORDER)
    assert story.found() == set()


# ---- transactions with offsets ----


def chain(story: Story, committed: int, **ends: object) -> None:
    """Two inputs in 0, one output of the first in 1, in a transaction with the offset 1."""
    producer = story.process()
    inputs = [(offset, producer.send(0, offset, offset)) for offset in range(2)]
    copier = story.process("copier", group="g", isolation="read_committed", transactional_id="t")
    copier.init()
    copier.assign(0, 0)
    copier.poll(0, *inputs)
    copier.begin(1)
    output = copier.send(1, 0, 0, make_source(0, 0))
    copier.send_offset(0, 1)
    copier.commit_transaction()
    story.end({0: inputs, 1: [(0, output)]}, offsets={"g": {0: committed}}, **ends)  # type: ignore[arg-type]


def test_a_chain_whose_offset_and_output_agree_is_well(story: Story):
    chain(story, 1)
    assert story.found({"g": [0]}) == set()


def test_an_output_without_its_offset_is_torn(story: Story):
    chain(story, 0)
    assert "torn-transaction" in story.found({"g": [0]})


def test_an_input_that_the_group_is_past_without_output_was_never_processed(story: Story):
    chain(story, 2)
    assert "processed-never" in story.found({"g": [0]})


def test_an_input_with_two_outputs_was_processed_twice(story: Story):
    producer = story.process()
    value = producer.send(0, 0, 0)
    copier = story.process("copier", group="g", isolation="read_committed", transactional_id="t")
    copier.assign(0, 0)
    copier.poll(0, (0, value))
    outputs = []
    for txn in (1, 2):
        copier.begin(txn)
        outputs.append((txn, copier.send(1, txn, txn, make_source(0, 0))))
        copier.send_offset(0, 1)
        copier.commit_transaction()
    story.end({0: [(0, value)], 1: outputs}, offsets={"g": {0: 1}})
    assert story.found({"g": [0]}) == {"processed-twice"}


# ---- groups ----


def member(story: Story) -> Actor:
    return story.process("member", group="g", isolation="read_uncommitted")


def records_in_0(story: Story, count: int) -> list[tuple[int, tuple[int, int]]]:
    producer = story.process()
    return [(offset, producer.send(0, offset, offset)) for offset in range(count)]


def test_an_offset_that_goes_forward_is_well(story: Story):
    records = records_in_0(story, 4)
    first, second = member(story), member(story)
    first.own(0, 1)
    first.poll(0, *records[:2])
    first.commit(0, 2, 1)
    first.disown(0)
    second.own(0, 2)
    second.committed(0, 2)
    second.poll(0, *records[2:])
    second.commit(0, 4, 2)
    story.end({0: records}, offsets={"g": {0: 4}})
    assert story.found() == set()


def test_a_commit_below_an_earlier_one_is_found(story: Story):
    records = records_in_0(story, 4)
    worker = member(story)
    worker.poll(0, *records)
    worker.commit(0, 4)
    worker.commit(0, 2)
    story.end({0: records}, offsets={"g": {0: 4}})
    assert story.found() == {"offset-back"}


def test_a_group_told_less_than_it_committed_is_found(story: Story):
    records = records_in_0(story, 4)
    worker = member(story)
    worker.poll(0, *records)
    worker.commit(0, 2)
    worker.commit(0, 4)
    story.end({0: records}, offsets={"g": {0: 2}})
    assert story.found() == {"offset-back"}


def test_a_group_told_what_nobody_committed_is_found(story: Story):
    records = records_in_0(story, 4)
    worker = member(story)
    worker.poll(0, *records)
    worker.committed(0, 3)
    worker.commit(0, 4)
    story.end({0: records}, offsets={"g": {0: 4}})
    assert story.found() == {"stranger"}


@pytest.mark.parametrize("committed", [0, 2])
def test_a_commit_of_unknown_result_may_count_or_not(story: Story, committed: int):
    records = records_in_0(story, 4)
    worker = member(story)
    worker.poll(0, *records[:2])
    worker.commit(0, 2, result=None)
    story.end({0: records}, offsets={"g": {0: committed or -1}})
    assert story.found() == set()


def test_a_commit_that_was_refused_does_not_count(story: Story):
    records = records_in_0(story, 4)
    worker = member(story)
    worker.poll(0, *records)
    worker.commit(0, 4, result=Result.FAIL)
    story.end({0: records}, offsets={"g": {0: 4}})
    assert story.found() == {"stranger"}


def test_a_partition_with_two_owners_in_a_generation_is_found(story: Story):
    first, second = member(story), member(story)
    first.own(0, 7)
    second.own(0, 7)
    story.end({})
    assert story.found() == {"two-owners"}


def test_a_commit_of_an_old_generation_is_found(story: Story):
    records = records_in_0(story, 2)
    first, second = member(story), member(story)
    first.own(0, 1)
    first.poll(0, *records)
    second.own(0, 2)
    first.commit(0, 2, 1)
    story.end({0: records}, offsets={"g": {0: 2}})
    assert story.found() == {"two-owners"}


def test_a_commit_of_an_old_generation_that_is_refused_is_well(story: Story):
    records = records_in_0(story, 2)
    first, second = member(story), member(story)
    first.own(0, 1)
    first.poll(0, *records)
    second.own(0, 2)
    first.commit(0, 2, 1, Result.FAIL)
    story.end({0: records})
    assert story.found() == set()


def test_who_takes_the_place_of_its_namesake_is_no_second_owner(story: Story):
    records = records_in_0(story, 2)
    first, second = (
        story.process("member", group="g", isolation="read_uncommitted", instance="one")
        for _ in range(2)
    )
    first.own(0, 1)
    first.poll(0, records[0])
    first.commit(0, 1, 1)
    second.own(0, 1)
    second.poll(0, records[1])
    second.commit(0, 2, 1)
    story.end({0: records}, offsets={"g": {0: 2}})
    assert story.found() == set()
    first.commit(0, 2, 1)
    assert story.found() == {"two-owners"}


def test_a_namesake_may_take_the_place_back(story: Story):
    first, second = (
        story.process("member", group="g", isolation="read_uncommitted", instance="one")
        for _ in range(2)
    )
    second.own(0, 1)
    first.own(0, 1)
    first.commit(0, 0, 1)
    story.end({}, offsets={"g": {0: 0}})
    assert story.found() == set()


def test_a_group_that_is_past_a_record_it_never_read_is_found(story: Story):
    records = records_in_0(story, 3)
    worker = member(story)
    worker.own(0, 1)
    worker.poll(0, *records[1:])
    worker.commit(0, 3, 1)
    story.end({0: records}, offsets={"g": {0: 3}})
    assert story.found() == {"poll-skip"}


def test_a_member_that_begins_below_the_committed_offset_is_found(story: Story):
    records = records_in_0(story, 3)
    first, second = member(story), member(story)
    first.own(0, 1)
    first.poll(0, *records)
    first.commit(0, 3, 1)
    first.disown(0)
    second.own(0, 2)
    second.poll(0, records[2])
    story.end({0: records}, offsets={"g": {0: 3}})
    assert story.found() == {"offset-back"}


def test_a_run_in_which_a_kind_of_worker_did_nothing_is_found():
    story = Story()
    story.end({})
    anomalies = find_anomalies(story.histories, operations=10_000)
    assert {anomaly.name for anomaly in anomalies} == {"stuck"}
    assert len(anomalies) == 7
