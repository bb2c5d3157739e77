"""Which record of a task is next. Scenarios of Kafka's PartitionGroupTest."""

import pytest
from tests.streams.runtime.queues import make_queue, messages

from pylog.streams.runtime.partition_group import NEVER_IDLE_MS, PartitionGroup

FIRST, SECOND = ("topic", 1), ("topic", 2)


def make_group(max_task_idle_ms: int = NEVER_IDLE_MS, partitions: int = 2) -> PartitionGroup:
    queues = {("topic", number): make_queue(number) for number in range(1, partitions + 1)}
    return PartitionGroup(queues, max_task_idle_ms)


def take(group: PartitionGroup) -> tuple[int, int, int]:
    """Partition and timestamp of the next record, and stream time after it."""
    taken = group.next_record()
    assert taken is not None
    queue, record = taken
    assert record is not None
    return queue.partition, record.timestamp, group.stream_time


def counts(group: PartitionGroup) -> tuple[int, ...]:
    return tuple(len(queue) for queue in group.queues.values())


def partition_times(group: PartitionGroup) -> tuple[int, ...]:
    return tuple(queue.partition_time for queue in group.queues.values())


def test_the_lowest_timestamp_in_front_is_next_and_moves_the_times() -> None:
    group = make_group()
    assert group.buffered_count == 0
    group.add_messages(*FIRST, messages(1, 3, 5))
    group.add_messages(*SECOND, messages(2, 4, 6, partition=2))
    assert counts(group) == (3, 3)
    assert (group.stream_time, partition_times(group)) == (-1, (-1, -1))

    assert take(group) == (1, 1, 1)
    assert partition_times(group) == (1, -1)
    assert take(group) == (2, 2, 2)
    assert counts(group) == (2, 2)

    group.add_messages(*FIRST, messages(2, 4))
    assert (counts(group), group.stream_time) == ((4, 2), 2)
    assert take(group) == (1, 3, 3)
    assert take(group) == (2, 4, 4)
    assert take(group) == (1, 5, 5)
    assert partition_times(group) == (5, 4)
    assert take(group) == (1, 2, 5)  # late: no time moves
    assert take(group) == (1, 4, 5)
    assert counts(group) == (0, 1)
    assert take(group) == (2, 6, 6)
    assert partition_times(group) == (5, 6)
    assert group.next_record() is None


def test_a_partition_counts_by_its_head_not_by_what_it_has_seen() -> None:
    group = make_group()
    group.add_messages(*FIRST, messages(1, 5, 3))
    assert [take(group)[1] for _ in range(2)] == [1, 5]
    group.add_messages(*SECOND, messages(2, 4, 6, partition=2))
    assert [take(group)[1] for _ in range(2)] == [2, 3]


def test_committed_partition_times_set_stream_time() -> None:
    group = make_group()
    group.set_partition_time(*FIRST, 100)
    assert group.stream_time == 100
    group.set_partition_time(*SECOND, 50)
    assert partition_times(group) == (100, 50)
    assert group.stream_time == 100


def test_an_unknown_partition_is_an_error() -> None:
    group = make_group()
    with pytest.raises(KeyError):
        group.add_messages("unknown", 0, messages(1))
    with pytest.raises(KeyError):
        group.set_partition_time("unknown", 0, 1)


def test_clear_forgets_records_times_and_lags() -> None:
    group = make_group(10, partitions=1)
    group.lag_of = lambda topic, partition: 0
    group.add_messages(*FIRST, messages(1, 3, 5))
    take(group)
    take(group)
    group.update_lags()
    group.clear()
    assert group.buffered_count == 0
    assert (group.stream_time, partition_times(group)) == (-1, (-1,))
    assert group.next_record() is None
    assert not group.is_ready(1000)  # the lag is unknown again
    group.add_messages(*FIRST, messages(1, 3, 5))
    assert take(group) == (1, 1, 1)


def test_a_partition_that_is_given_up_takes_its_records_along() -> None:
    group = make_group()
    group.add_messages(*FIRST, messages(1, 5))
    group.add_messages(*SECOND, messages(2, 4, 6, partition=2))
    take(group)
    group.remove_queue(*FIRST)
    assert (group.buffered_count, group.stream_time) == (3, 1)
    assert take(group) == (2, 2, 2)


def test_a_new_partition_is_waited_for_and_leaves_the_others_alone() -> None:
    group = make_group(0, partitions=1)
    group.add_messages(*FIRST, messages(1, 5))
    assert group.is_ready(0)
    take(group)
    group.add_queue(make_queue(2))
    assert not group.is_ready(0)
    assert (group.buffered_count, partition_times(group)) == (1, (1, -1))
    assert take(group) == (1, 5, 5)


def test_with_idling_disabled_nothing_is_waited_for() -> None:
    group = make_group(NEVER_IDLE_MS)
    group.add_messages(*FIRST, messages(1, 5))
    assert group.is_ready(0)


def test_with_all_partitions_buffered_nothing_is_waited_for() -> None:
    group = make_group(0)
    group.add_messages(*FIRST, messages(1, 5))
    group.add_messages(*SECOND, messages(1, 5, partition=2))
    assert group.is_ready(0)
    assert not group.was_enforced


def test_a_partition_of_unknown_lag_is_waited_for() -> None:
    lags: dict[tuple[str, int], int] = {}
    group = make_group(0)
    group.lag_of = lambda topic, partition: lags.get((topic, partition))
    group.add_messages(*FIRST, messages(1, 5))
    group.update_lags()
    assert not group.is_ready(0)
    lags[SECOND] = 0
    group.update_lags()
    assert group.is_ready(0)


def test_a_partition_that_has_more_in_its_topic_is_waited_for() -> None:
    lags: dict[tuple[str, int], int] = {SECOND: 1}
    group = make_group(0)
    group.lag_of = lambda topic, partition: lags.get((topic, partition))
    group.add_messages(*FIRST, messages(1, 5))
    group.update_lags()
    assert not group.is_ready(0)
    lags[SECOND] = 0
    group.update_lags()
    assert group.is_ready(0)


def test_an_empty_partition_is_waited_for_as_long_as_configured() -> None:
    group = make_group(1)
    group.lag_of = lambda topic, partition: 0
    group.update_lags()
    group.add_messages(*FIRST, messages(1, 5))
    assert not group.is_ready(0)
    assert group.is_ready(1)
    assert group.was_enforced
    assert group.is_ready(2)


def test_each_empty_partition_has_its_own_deadline() -> None:
    group = make_group(1)
    group.lag_of = lambda topic, partition: 0
    group.update_lags()
    group.add_messages(*FIRST, messages(1))
    assert not group.is_ready(0)
    assert group.is_ready(1)
    take(group)
    group.add_messages(*SECOND, messages(2, partition=2))
    assert not group.is_ready(1)  # now it is the first that is waited for
    assert group.is_ready(2)


def test_records_of_equal_times_come_in_kafkas_order() -> None:
    group = make_group(partitions=3)
    for number in (1, 2, 3):
        group.add_messages("topic", number, messages(7, 7, partition=number))
    # As java.util.PriorityQueue gives them.
    assert [take(group)[0] for _ in range(6)] == [1, 3, 1, 3, 2, 2]
