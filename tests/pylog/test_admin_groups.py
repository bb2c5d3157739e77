"""AdminClient on groups: confluent_kafka.admin's names, futures and error codes over a folder."""

import contextlib
import time

import pytest

import pylog
from pylog.admin import (
    AdminClient,
    ConsumerGroupListing,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    ConsumerGroupType,
    NewTopic,
)
from pylog.errors import KafkaError, KafkaException
from pylog.group import protocol
from pylog.group.group_types import JoinRequest
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.group.records import GroupMetadata
from pylog.group.shared_group import SharedGroup
from pylog.types import OFFSET_INVALID, TopicPartition

P0, P1, U0 = ("t", 0), ("t", 1), ("u", 0)


@pytest.fixture
def admin(tmp_path):
    with AdminClient({"log.dir": str(tmp_path / "log")}) as client:
        for future in client.create_topics([NewTopic("t", 2), NewTopic("u", 1)]).values():
            future.result()
        yield client


@pytest.fixture
def offsets(admin):
    return GroupOffsets.of(admin._log_dir)


def request(group, *places):
    return [ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])]


def error_of(future):
    error = future.exception(timeout=0)
    assert isinstance(error, KafkaException), error
    return error.args[0].code()


def code_of(partition):
    return None if partition.error is None else partition.error.code()


def committed(admin, group="g", *places, **options):
    wanted = [TopicPartition(*place) for place in places] or None
    futures = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, wanted)], **options
    )
    result = futures[group].result()
    assert result.group_id == group
    return {(each.topic, each.partition): each.offset for each in result.topic_partitions}


@contextlib.contextmanager
def member(admin, group="g", topics=("t",), partitions=(P0, P1), protocol_type="consumer"):
    """A member that lives as long as the block: what a Consumer does, without its thread."""
    shared = SharedGroup.open(admin._log_dir, group)
    now_ms = time.monotonic_ns() // 1_000_000
    with shared.locked() as state:
        place = shared.claim_place(state)
        joining = JoinRequest(
            "", "client-1", {"range": protocol.encode_subscription(topics)}, None, "client",
            "/127.0.0.1", protocol_type=protocol_type, slot=place.slot,
        )  # fmt: skip
        state.join(joining, now_ms)
        state.expire(now_ms)
        assert state.join_result("client-1") is not None
        assigned = {"client-1": protocol.encode_assignment(partitions)}
        state.sync("client-1", None, state.generation, assigned, now_ms)
    try:
        yield
    finally:
        place.close()
        shared.close()


# ---- list, describe ----


def test_groups_are_listed_with_state_and_type(admin, offsets):
    offsets.commit("simple", {P0: OffsetAndMetadata(1)})
    offsets.write_group("left", GroupMetadata("consumer", 3))
    with member(admin, "live"):
        result = admin.list_consumer_groups().result()
        rows = {
            each.group_id: (each.is_simple_consumer_group, each.state, each.type)
            for each in result.valid
        }
    assert rows == {
        "left": (False, ConsumerGroupState.EMPTY, ConsumerGroupType.CLASSIC),
        "live": (False, ConsumerGroupState.STABLE, ConsumerGroupType.CLASSIC),
        "simple": (True, ConsumerGroupState.EMPTY, ConsumerGroupType.CLASSIC),
    }
    assert result.errors == []


def test_groups_are_listed_by_state_and_by_type(admin, offsets):
    offsets.commit("simple", {P0: OffsetAndMetadata(1)})

    def listed(**options):
        return [each.group_id for each in admin.list_consumer_groups(**options).result().valid]

    with member(admin, "live"):
        assert listed(states={ConsumerGroupState.STABLE}) == ["live"]
        assert listed(states={ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}) == ["simple"]
        assert listed(states=set()) == ["live", "simple"]
        assert listed(types={ConsumerGroupType.CLASSIC}) == ["live", "simple"]
        assert listed(types={ConsumerGroupType.CONSUMER}) == []


def test_an_empty_folder_has_no_groups(admin):
    assert admin.list_consumer_groups().result().valid == []


def test_a_group_is_described_with_its_members(admin):
    with member(admin):
        described = admin.describe_consumer_groups(["g"])["g"].result()
    assert (described.group_id, described.is_simple_consumer_group) == ("g", False)
    assert (described.state, described.type) == (
        ConsumerGroupState.STABLE,
        ConsumerGroupType.CLASSIC,
    )
    assert described.partition_assignor == "range"
    assert described.coordinator.host == admin._log_dir.path
    assert described.authorized_operations is None
    (one,) = described.members
    assert (one.member_id, one.client_id, one.host) == ("client-1", "client", "/127.0.0.1")
    assert (one.group_instance_id, one.target_assignment) == (None, None)
    assert one.assignment.topic_partitions == [TopicPartition("t", 0), TopicPartition("t", 1)]


def test_a_member_that_died_is_not_described(admin):
    with member(admin):
        pass
    described = admin.describe_consumer_groups(["g"])["g"].result()
    assert (described.state, described.members) == (ConsumerGroupState.EMPTY, [])
    assert not described.is_simple_consumer_group


def test_a_group_that_nobody_knows_is_dead(admin):
    described = admin.describe_consumer_groups(["nope"])["nope"].result()
    assert described.state == ConsumerGroupState.DEAD
    assert (described.members, described.partition_assignor) == ([], "")
    assert described.is_simple_consumer_group


def test_describing_takes_a_list_of_different_names(admin):
    for wrong, kind in (("g", TypeError), ([], ValueError), ([3], ValueError)):
        with pytest.raises(kind):
            admin.describe_consumer_groups(wrong)
    assert error_of(admin.describe_consumer_groups(["g", "g"])["g"]) == KafkaError._INVALID_ARG
    assert error_of(admin.describe_consumer_groups([""])[""]) == KafkaError.INVALID_GROUP_ID


def test_the_old_form_describes_groups_too(admin, offsets):
    offsets.commit("simple", {P0: OffsetAndMetadata(1)})
    with member(admin, "live"), pytest.warns(DeprecationWarning, match="list_consumer_groups"):
        found = admin.list_groups()
    assert [(each.id, each.state, each.protocol_type, each.protocol) for each in found] == [
        ("live", "Stable", "consumer", "range"), ("simple", "Empty", "", ""),
    ]  # fmt: skip
    (one,) = found[0].members
    assert (one.id, one.client_id, one.client_host) == ("client-1", "client", "/127.0.0.1")
    assert protocol.decode_subscription(one.metadata).topics == ("t",)
    assert protocol.decode_assignment(one.assignment).partitions == (P0, P1)
    with pytest.warns(DeprecationWarning):
        assert admin.list_groups("nope") == []
    with pytest.warns(DeprecationWarning):
        assert repr(admin.list_groups(group="simple")) == "[GroupMetadata(simple)]"


def test_options_are_checked(admin):
    with pytest.raises(TypeError, match="'states' must be a set"):
        admin.list_consumer_groups(states=[ConsumerGroupState.EMPTY])
    with pytest.raises(TypeError, match="ConsumerGroupType"):
        admin.list_consumer_groups(types={ConsumerGroupState.EMPTY})
    with pytest.raises(TypeError, match="invalid keyword"):
        admin.list_consumer_groups(state=None)
    with pytest.raises(TypeError, match="bool"):
        admin.list_consumer_group_offsets(request("g", P0), require_stable=1)


def test_a_generation_is_written_for_who_comes_later(admin, offsets):
    with member(admin):
        record = offsets.group_metadata("g")
        assert (record.protocol_type, record.protocol, record.leader) == (
            "consumer", "range", "client-1",
        )  # fmt: skip
        assert record.generation == 1
        (one,) = record.members
        assert (one.member_id, one.client_id, one.client_host) == (
            "client-1", "client", "/127.0.0.1",
        )  # fmt: skip
        assert protocol.decode_subscription(one.subscription).topics == ("t",)
        assert protocol.decode_assignment(one.assignment).partitions == (P0, P1)
    shared = SharedGroup.open(admin._log_dir, "g")
    with shared.locked() as state:
        shared.reap(state, time.monotonic_ns() // 1_000_000)
    shared.close()
    record = offsets.group_metadata("g")
    assert (record.protocol, record.leader, record.members) == (None, None, ())
    assert record.generation >= 1


# ---- delete ----


def test_a_group_is_deleted_with_its_offsets(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    offsets.commit("h", {P0: OffsetAndMetadata(2)})
    with member(admin):
        pass
    assert admin.delete_consumer_groups(["g"])["g"].result() is None
    assert [each.group_id for each in admin.list_consumer_groups().result().valid] == ["h"]
    assert committed(admin) == {}


def test_a_group_with_members_is_not_deleted(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    with member(admin):
        assert error_of(admin.delete_consumer_groups(["g"])["g"]) == KafkaError.NON_EMPTY_GROUP
    assert committed(admin) == {P0: 1}


def test_each_group_has_its_own_answer(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    futures = admin.delete_consumer_groups(["nope", "g", ""])
    assert error_of(futures["nope"]) == KafkaError.GROUP_ID_NOT_FOUND
    assert error_of(futures[""]) == KafkaError.INVALID_GROUP_ID
    assert futures["g"].result() is None


def test_a_deleted_group_may_come_back(admin):
    with member(admin):
        pass
    admin.delete_consumer_groups(["g"])["g"].result()
    with member(admin):
        described = admin.describe_consumer_groups(["g"])["g"].result()
        assert len(described.members) == 1


# ---- offsets ----


def test_offsets_are_listed_all_or_some(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5, 2, "note"), U0: OffsetAndMetadata(0)})
    assert committed(admin) == {P0: 5, U0: 0}
    assert committed(admin, "g", P1, P0, ("nix", 0)) == {
        P0: 5, P1: OFFSET_INVALID, ("nix", 0): OFFSET_INVALID,
    }  # fmt: skip
    assert committed(admin, "nope") == {}
    found = admin.list_consumer_group_offsets(request("g", P0, U0))["g"].result().topic_partitions
    assert [(each.metadata, each.leader_epoch, each.error) for each in found] == [
        ("note", 2, None), (None, None, None),
    ]  # fmt: skip


def test_an_offset_that_a_transaction_would_change_is_unstable(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(5)})
    offsets.commit("g", {P0: OffsetAndMetadata(9)}, (1, 0, 0))
    assert committed(admin) == {P0: 5}
    assert committed(admin, require_stable=True) == {P0: OFFSET_INVALID}
    (one,) = (
        admin.list_consumer_group_offsets(request("g", P0), require_stable=True)["g"]
        .result()
        .topic_partitions
    )
    assert code_of(one) == KafkaError.UNSTABLE_OFFSET_COMMIT


def test_offsets_of_a_group_without_members_are_altered(admin):
    wanted = [TopicPartition("t", 1, 7, "note", 3), TopicPartition("t", 0, 3000)]
    result = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions("g", wanted)])["g"]
    answered = result.result().topic_partitions
    assert [(each.partition, each.offset, each.error) for each in answered] == [
        (0, 3000, None), (1, 7, None),
    ]  # fmt: skip
    found = admin.list_consumer_group_offsets(request("g", P1))["g"].result().topic_partitions[0]
    assert (found.offset, found.metadata, found.leader_epoch) == (7, "note", 3)


def test_each_partition_that_cannot_be_altered_says_why(admin):
    wanted = [
        TopicPartition("t", 0, 1), TopicPartition("t", 9, 1), TopicPartition("nix", 0, 1),
        TopicPartition("u", 0, 1, "x" * 5000),
    ]  # fmt: skip
    result = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions("g", wanted)])["g"]
    codes = {
        (each.topic, each.partition): code_of(each) for each in result.result().topic_partitions
    }
    assert codes == {
        P0: None,
        ("t", 9): KafkaError.UNKNOWN_TOPIC_OR_PART,
        ("nix", 0): KafkaError.UNKNOWN_TOPIC_OR_PART,
        U0: KafkaError.OFFSET_METADATA_TOO_LARGE,
    }
    assert committed(admin) == {P0: 1}


def test_offsets_of_a_group_with_members_are_theirs(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    with member(admin):
        result = admin.alter_consumer_group_offsets(request("g", (*P0, 5), (*U0, 5)))["g"].result()
        assert {code_of(each) for each in result.topic_partitions} == {KafkaError.UNKNOWN_MEMBER_ID}
    assert committed(admin) == {P0: 1}


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (None, TypeError), ("g", TypeError), ([], ValueError), (["g"], TypeError),
        ([ConsumerGroupTopicPartitions(None, [])], TypeError),
        ([ConsumerGroupTopicPartitions(3, [])], TypeError),
        ([ConsumerGroupTopicPartitions("", [])], ValueError),
        ([ConsumerGroupTopicPartitions("g", [])], ValueError),
        ([ConsumerGroupTopicPartitions("g", P0)], TypeError),
        ([ConsumerGroupTopicPartitions("g", [None])], ValueError),
        ([ConsumerGroupTopicPartitions("g", [P0])], TypeError),
        ([ConsumerGroupTopicPartitions("g", [TopicPartition("", 0, 1)])], ValueError),
        ([ConsumerGroupTopicPartitions("g", [TopicPartition("t", -1, 1)])], ValueError),
    ],
)  # fmt: skip
def test_requests_are_checked_as_confluent_kafka_does(admin, wrong, kind):
    for call in (
        admin.list_consumer_group_offsets,
        admin.alter_consumer_group_offsets,
        admin.delete_consumer_group_offsets,
    ):
        with pytest.raises(kind):
            call(wrong)


def test_offsets_are_not_listed_with_an_offset_nor_altered_without(admin):
    with pytest.raises(ValueError, match="offset"):
        admin.list_consumer_group_offsets(request("g", (*P0, 5)))
    for wrong in (request("g", P0), [ConsumerGroupTopicPartitions("g")]):
        with pytest.raises(ValueError):
            admin.alter_consumer_group_offsets(wrong)


def test_offsets_are_deleted_by_partition(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1), P1: OffsetAndMetadata(2)})
    wanted = request("g", P0, U0, ("nix", 0))
    result = admin.delete_consumer_group_offsets(wanted)["g"].result()
    codes = {(each.topic, each.partition): code_of(each) for each in result.topic_partitions}
    assert codes == {P0: None, U0: None, ("nix", 0): KafkaError.UNKNOWN_TOPIC_OR_PART}
    assert committed(admin) == {P1: 2}


def test_offsets_of_a_topic_that_members_read_are_not_deleted(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1), U0: OffsetAndMetadata(2)})
    with member(admin, topics=("t",)):
        result = admin.delete_consumer_group_offsets(request("g", P0, U0))["g"].result()
    codes = {(each.topic, each.partition): code_of(each) for each in result.topic_partitions}
    assert codes == {P0: KafkaError.GROUP_SUBSCRIBED_TO_TOPIC, U0: None}
    assert committed(admin) == {P0: 1}


def test_offsets_of_a_group_that_is_not_there_are_not_deleted(admin):
    futures = admin.delete_consumer_group_offsets(request("nope", P0))
    assert error_of(futures["nope"]) == KafkaError.GROUP_ID_NOT_FOUND


def test_a_damaged_topic_is_the_error_of_every_call(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    from logcore.batch import BatchBuilder
    from pylog.internal_topics import OFFSETS_TOPIC

    builder = BatchBuilder()
    builder.append(0, b"\0\1garbage", b"")
    admin._log_dir.partition(OFFSETS_TOPIC, 0).append(builder.build())
    futures = [
        admin.list_consumer_groups(),
        *admin.describe_consumer_groups(["g"]).values(),
        *admin.delete_consumer_groups(["g"]).values(),
        *admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("g")]).values(),
        *admin.delete_consumer_group_offsets(request("g", P0)).values(),
    ]
    assert [error_of(future) for future in futures] == [KafkaError._BAD_MSG] * 5


def test_a_read_only_client_looks_and_does_not_touch(admin, offsets):
    offsets.commit("g", {P0: OffsetAndMetadata(1)})
    with AdminClient({"log.dir": admin._log_dir.path, "read.only": True}) as looking:
        assert committed(looking) == {P0: 1}
        assert looking.describe_consumer_groups(["g"])["g"].result().members == []
        assert error_of(looking.delete_consumer_groups(["g"])["g"]) == KafkaError._READ_ONLY


def test_a_closed_client_says_so(admin):
    admin.close()
    with pytest.raises(RuntimeError):
        admin.list_consumer_groups()


def test_words_and_numbers_of_states_are_taken_too():
    listing = ConsumerGroupListing("g", True, "stable", 2)
    assert (listing.state, listing.type) == (ConsumerGroupState.STABLE, ConsumerGroupType.CLASSIC)
    assert not hasattr(ConsumerGroupListing("g", True), "state")
    with pytest.raises(ValueError, match="ConsumerGroupState"):
        ConsumerGroupListing("g", True, "sleepy")
    assert pylog.ConsumerGroupState.UNKOWN is pylog.ConsumerGroupState.UNKNOWN
    assert sorted([ConsumerGroupState.EMPTY, ConsumerGroupState.STABLE])[0].name == "STABLE"
