"""Each check that only a mixed run has finds what it is there for, in a history made by hand."""

from tests.model.history import make_source
from tests.model.story import Actor, Story
from tests.peers.server.mixed_checks import CONSUMER, EMBEDDED, find_anomalies

COPIES = 4  # a partition of the copies


def found(story: Story) -> set[str]:
    """The anomalies, without that roles are missing."""
    anomalies = find_anomalies(story.histories)
    return {anomaly.name for anomaly in anomalies if anomaly.name != "stuck"}


def copy_first(story: Story, group: str, offset: int) -> tuple[Actor, tuple[int, int]]:
    """A member reads input 0:0 and commits a copy of it with its offset."""
    copier = story.process("copier", group=group, isolation="read_committed")
    copier.poll(0, (0, (1, 0)))
    copier.begin(1)
    value = copier.send(COPIES, 0, offset, source=make_source(0, 0))
    copier.send_offset(0, 1)
    copier.commit_transaction()
    return copier, value


def copied_by_both(story: Story) -> dict[int, list[tuple[int, tuple[int, int]]]]:
    event = story.process("idempotent").send(0, 0, 0)
    copies = [copy_first(story, group, at)[1] for at, group in enumerate((EMBEDDED, CONSUMER))]
    return {0: [(0, event)], COPIES: list(enumerate(copies))}


def test_a_copy_by_each_group_is_as_it_should_be() -> None:
    story = Story()
    places = copied_by_both(story)
    story.end(places, offsets={EMBEDDED: {0: 1}, CONSUMER: {0: 1}})
    assert found(story) == set()


def test_two_copies_by_one_group_are_found() -> None:
    story = Story()
    places = copied_by_both(story)
    _, again = copy_first(story, CONSUMER, 2)
    places[COPIES].append((2, again))
    story.end(places, offsets={EMBEDDED: {0: 1}, CONSUMER: {0: 1}})
    assert found(story) == {"processed-twice"}


def test_a_group_that_passed_an_input_by_is_found() -> None:
    story = Story()
    event = story.process("idempotent").send(0, 0, 0)
    _, copied = copy_first(story, EMBEDDED, 0)
    member = story.process("wire-copier", group=CONSUMER, isolation="read_committed")
    member.poll(0, (0, event))
    member.commit(0, 1)
    places = {0: [(0, event)], COPIES: [(0, copied)]}
    story.end(places, offsets={EMBEDDED: {0: 1}, CONSUMER: {0: 1}})
    assert found(story) == {"processed-never"}


def test_a_record_that_the_server_does_not_tell_of_is_found() -> None:
    story = Story()
    producer = story.process("idempotent")
    events = [producer.send(0, number, number) for number in range(2)]
    reader = story.process("wire-reader", isolation="read_committed")
    reader.assign(0, 0)
    reader.poll(0, (0, events[0]))
    story.end({0: list(enumerate(events))})
    assert found(story) == {"other-reading"}


def test_a_role_that_never_came_to_its_work_is_found() -> None:
    story = Story()
    story.end({})
    texts = [str(anomaly) for anomaly in find_anomalies(story.histories)]
    assert "stuck: no commit_txn of a java-writer went well" in texts
