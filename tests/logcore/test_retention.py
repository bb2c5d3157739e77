import pytest
from hypothesis import given
from hypothesis import strategies as st

from logcore.retention import (
    NO_LIMIT,
    Reason,
    SegmentInfo,
    count_to_delete,
    segments_to_delete,
)

NOW_MS = 1_000_000


def make_log(*parts: tuple[int, int], active_size: int | None = None) -> list[SegmentInfo]:
    """Segments of 10 records each from (size_bytes, age_ms); the last is the active one."""
    segments = []
    for index, (size_bytes, age_ms) in enumerate(parts):
        is_active = index == len(parts) - 1
        base_offset = 10 * index
        size = active_size if is_active and active_size is not None else size_bytes
        next_offset = base_offset if size == 0 and is_active else base_offset + 10
        segments.append(SegmentInfo(base_offset, size, NOW_MS - age_ms, is_active, next_offset))
    return segments


def plan(segments, **limits):
    wanted = {
        "now_ms": NOW_MS,
        "retention_ms": NO_LIMIT,
        "retention_bytes": NO_LIMIT,
        "log_start_offset": 0,
        "high_watermark": segments[-1].next_offset if segments else 0,
        **limits,
    }
    deletions = segments_to_delete(segments, **wanted)
    assert count_to_delete(segments, **wanted) == len(deletions)
    assert [deletion.segment for deletion in deletions] == segments[: len(deletions)]
    return [deletion.reason for deletion in deletions]


def test_without_limits_nothing_goes():
    assert plan(make_log((100, 10**9), (100, 10**9), (100, 10**9))) == []


def test_an_empty_list_has_nothing_to_delete():
    assert plan([], retention_ms=0, retention_bytes=0) == []


@pytest.mark.parametrize(
    ("log_start_offset", "count"), [(0, 0), (9, 0), (10, 1), (11, 1), (20, 2), (30, 2)]
)
def test_segments_wholly_below_the_log_start_go(log_start_offset, count):
    log = make_log((100, 0), (100, 0), (100, 0))
    assert plan(log, log_start_offset=log_start_offset) == [Reason.LOG_START] * count


@pytest.mark.parametrize(
    ("retention_bytes", "count"),
    [(301, 0), (300, 0), (201, 0), (200, 1), (150, 1), (100, 2), (1, 2)],
)
def test_a_segment_goes_only_when_the_rest_still_holds_the_size(retention_bytes, count):
    log = make_log((100, 0), (100, 0), (100, 0))
    assert plan(log, retention_bytes=retention_bytes) == [Reason.SIZE] * count


def test_size_zero_lets_the_active_segment_go_too():
    log = make_log((100, 0), (100, 0), (100, 0))
    assert plan(log, retention_bytes=0) == [Reason.SIZE] * 3


def test_any_negative_limit_is_none():
    log = make_log((100, 10**9), (100, 10**9))
    assert plan(log, retention_bytes=-5, retention_ms=-7) == []


@pytest.mark.parametrize(
    ("retention_ms", "count"), [(3000, 0), (2999, 1), (2000, 1), (1999, 2), (1000, 2), (0, 3)]
)
def test_a_segment_goes_when_its_newest_record_is_older_than_the_time(retention_ms, count):
    log = make_log((100, 3000), (100, 2000), (100, 1000))
    assert plan(log, retention_ms=retention_ms) == [Reason.TIME] * count


def test_a_record_from_the_future_keeps_its_segment_and_all_behind_it():
    log = make_log((100, 9000), (100, -5000), (100, 9000), (100, 9000))
    assert plan(log, retention_ms=1000) == [Reason.TIME]


def test_an_empty_active_segment_never_goes():
    log = make_log((100, 9000), (100, 9000), (0, 9000))
    limits = {"retention_ms": 0, "retention_bytes": 0, "log_start_offset": 20}
    assert plan(log, **limits) == [Reason.LOG_START] * 2
    assert plan(make_log((0, 9000)), retention_ms=0, retention_bytes=0) == []


def test_an_empty_sealed_segment_does_not_stop_the_rules():
    log = make_log((0, 9000), (100, 9000), (100, 0))
    assert plan(log, retention_ms=1000) == [Reason.TIME] * 2
    assert plan(log, retention_bytes=100) == [Reason.SIZE] * 2


@pytest.mark.parametrize(("high_watermark", "count"), [(0, 0), (9, 0), (10, 1), (19, 1), (30, 3)])
def test_nothing_that_reaches_above_the_high_watermark_goes(high_watermark, count):
    log = make_log((100, 9000), (100, 9000), (100, 9000))
    for limits in ({"retention_ms": 0}, {"retention_bytes": 0}):
        assert len(plan(log, high_watermark=high_watermark, **limits)) == count
    below = min(count, 2)  # the log start alone never takes the active segment
    assert len(plan(log, high_watermark=high_watermark, log_start_offset=30)) == below


def test_each_rule_goes_on_where_the_one_before_stopped():
    log = make_log((100, 9000), (100, 9000), (100, 9000), (100, 0), (100, 0))
    reasons = plan(log, log_start_offset=10, retention_bytes=300, retention_ms=1000)
    assert reasons == [Reason.LOG_START, Reason.SIZE, Reason.TIME]


def test_what_the_log_start_lets_go_does_not_count_as_size():
    log = make_log((1000, 0), (100, 0), (100, 0))
    assert plan(log, log_start_offset=10, retention_bytes=150) == [Reason.LOG_START]


def kafka_deletions(segments, now_ms, retention_ms, retention_bytes, log_start_offset, hw):
    """Kafka's three passes, each over what the one before left, written as Kafka words them."""
    left = list(segments)

    def delete_while(predicate):
        while left:
            segment = left[0]
            following = left[1] if len(left) > 1 else None
            is_last_and_empty = following is None and segment.size_bytes == 0
            upper_bound = following.base_offset if following else segment.next_offset
            if not (hw >= upper_bound and predicate(segment, following)) or is_last_and_empty:
                return
            left.pop(0)

    delete_while(lambda _, following: following and following.base_offset <= log_start_offset)
    size = sum(segment.size_bytes for segment in left)
    if not (retention_bytes < 0 or size < retention_bytes):
        difference = [size - retention_bytes]

        def breaches_size(segment, _):
            if difference[0] - segment.size_bytes >= 0:
                difference[0] -= segment.size_bytes
                return True
            return False

        delete_while(breaches_size)
    if retention_ms >= 0:
        delete_while(lambda segment, _: now_ms - segment.largest_timestamp_ms > retention_ms)
    return len(segments) - len(left)


@given(
    parts=st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 6)), min_size=1, max_size=6),
    retention_ms=st.integers(-2, 6),
    retention_bytes=st.integers(-2, 25),
    log_start_offset=st.integers(0, 60),
    high_watermark=st.integers(0, 60),
)
def test_the_count_is_kafkas(
    parts, retention_ms, retention_bytes, log_start_offset, high_watermark
):
    segments = make_log(*parts)
    limits = (retention_ms, retention_bytes, log_start_offset, high_watermark)
    reasons = plan(
        segments,
        retention_ms=retention_ms,
        retention_bytes=retention_bytes,
        log_start_offset=log_start_offset,
        high_watermark=high_watermark,
    )
    assert len(reasons) == kafka_deletions(segments, NOW_MS, *limits)
    order = list(Reason)
    assert reasons == sorted(reasons, key=order.index)
