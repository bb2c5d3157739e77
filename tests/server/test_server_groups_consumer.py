"""Groups of the newer consumer protocol over the wire. Codes and texts are a Kafka 4.3.1's."""

import pytest
from group_client import GroupClient, assigned

from pylog.errors import KafkaError
from pylog.testing import Server, ServerProcess

NO_ERROR = KafkaError.NO_ERROR
INVALID, FENCED = KafkaError.INVALID_REQUEST, KafkaError.FENCED_MEMBER_EPOCH
UNKNOWN, STALE = KafkaError.UNKNOWN_MEMBER_ID, KafkaError.STALE_MEMBER_EPOCH


@pytest.fixture(scope="module")
def server():
    with Server(properties={"group.consumer.session.timeout.ms": "1500"}) as server:
        server.broker.log_dir.create_topic("t", 4)
        server.broker.log_dir.create_topic("u", 2)
        yield server


@pytest.fixture
def client(server):
    with GroupClient(server) as client:
        yield client


@pytest.fixture
def topic_id(server):
    return server.broker.log_dir.topic("t").topic_id.bytes


@pytest.fixture
def group_id(request):
    return request.node.name


@pytest.mark.parametrize(
    ("arguments", "fields", "text"),
    [
        (("", "m"), {}, "GroupId can't be empty."),
        (("g", ""), {}, "MemberId can't be empty."),
        (("g", "m"), {"rebalance_timeout_ms": -1}, "RebalanceTimeoutMs must be provided"),
        (("g", "m"), {"owned": {b"\1" * 16: [0]}}, "TopicPartitions must be empty"),
        (("g", "m"), {"instance_id": ""}, "InstanceId can't be empty."),
        (("g", "m"), {"rack_id": ""}, "RackId can't be empty."),
        (("g", "m", -2), {}, "InstanceId can't be null."),
        (("g", "m", -3), {}, "MemberEpoch is invalid."),
    ],
)
def test_what_makes_no_sense_is_refused(client, arguments, fields, text):
    answer = client.consume(*arguments, topics=["t"], **fields)
    assert answer.error_code == INVALID
    assert answer.error_message.startswith(text)


def test_an_assignor_or_expression_that_is_none_is_refused(client):
    answer = client.consume("g", "m", topics=["t"], server_assignor="zz")
    assert answer.error_code == KafkaError.UNSUPPORTED_ASSIGNOR
    assert answer.error_message.endswith("Supported assignors: uniform, range.")
    answer = client.consume("g", "m", subscribed_topic_regex="[")
    assert answer.error_code == KafkaError.INVALID_REGULAR_EXPRESSION
    assert client.consume("g", "m", 3).error_code == KafkaError.GROUP_ID_NOT_FOUND
    assert client.consume("g", "m", -1).error_code == KafkaError.GROUP_ID_NOT_FOUND


@pytest.mark.parametrize("version", [0, 1])
def test_a_member_that_is_alone_gets_everything(client, group_id, topic_id, version):
    member_id = "A" if version else ""
    answer = client.consume(group_id, member_id, topics=["t"], version=version)
    assert answer.error_code == NO_ERROR
    assert answer.member_id == ("A" if version else answer.member_id)
    assert answer.member_id
    assert answer.heartbeat_interval_ms == 5000
    assert assigned(answer) == {topic_id: [0, 1, 2, 3]}
    again = client.consume(group_id, answer.member_id, answer.member_epoch, version=version)
    assert (again.member_epoch, again.assignment) == (answer.member_epoch, None)


def test_partitions_go_to_a_second_member_when_the_first_has_given_them_up(
    client, group_id, topic_id
):
    epoch = client.consume(group_id, "A", topics=["t"]).member_epoch
    joined = client.consume(group_id, "B", topics=["t"])
    assert (joined.member_epoch, assigned(joined)) == (epoch + 1, {})
    assert client.describe_consumers(group_id).group_state == "Reconciling"
    told = client.consume(group_id, "A", epoch)
    assert (told.member_epoch, assigned(told)) == (epoch, {topic_id: [0, 1]})
    # Not before A says that it has given them up.
    assert client.consume(group_id, "A", epoch, owned={topic_id: [0, 1, 2, 3]}).assignment is None
    assert client.consume(group_id, "B", epoch + 1).assignment is None
    done = client.consume(group_id, "A", epoch, owned={topic_id: [0, 1]})
    assert (done.member_epoch, done.assignment) == (epoch + 1, None)
    assert assigned(client.consume(group_id, "B", epoch + 1)) == {topic_id: [2, 3]}
    assert client.describe_consumers(group_id).group_state == "Stable"


def test_epochs_that_are_not_the_members_are_fenced(client, group_id, topic_id):
    epoch = client.consume(group_id, "A", topics=["t"]).member_epoch
    assert client.consume(group_id, "A", epoch + 1).error_code == FENCED
    assert client.consume(group_id, "A", epoch - 1).error_code == FENCED
    assert client.consume(group_id, "X", epoch).error_code == UNKNOWN
    again = client.consume(group_id, "A", topics=["t"])  # it lost the answer
    assert (again.member_epoch, assigned(again)) == (epoch, {topic_id: [0, 1, 2, 3]})


def test_what_a_member_subscribes_to_may_change(server, client, group_id, topic_id):
    other_id = server.broker.log_dir.topic("u").topic_id.bytes
    epoch = client.consume(group_id, "A", topics=["t"]).member_epoch
    more = client.consume(group_id, "A", epoch, ["t", "u", "not there"])
    assert assigned(more) == {topic_id: [0, 1, 2, 3], other_id: [0, 1]}
    less = client.consume(group_id, "A", more.member_epoch, ["u"])
    assert assigned(less) == {other_id: [0, 1]}
    assert less.member_epoch == more.member_epoch  # until it has given up the rest


def test_a_topic_that_comes_or_grows_is_assigned(server, client, group_id):
    epoch = client.consume(group_id, "A", topics=[group_id]).member_epoch
    server.broker.log_dir.create_topic(group_id, 1)
    made = client.consume(group_id, "A", epoch)
    assert list(assigned(made).values()) == [[0]]
    server.broker.log_dir.create_partitions(group_id, 3)
    grown = client.consume(group_id, "A", made.member_epoch)
    assert list(assigned(grown).values()) == [[0, 1, 2]]


def test_an_expression_takes_in_the_topics_that_match_as_a_whole(server, client, group_id):
    server.broker.log_dir.create_topic("tt", 1)
    answer = client.consume(group_id, "A", subscribed_topic_regex="[tu]")
    assert len(assigned(answer)) == 2
    (member,) = client.describe_consumers(group_id).members
    assert (member.subscribed_topic_regex, list(member.subscribed_topic_names)) == ("[tu]", [])


@pytest.mark.parametrize("assignor", ["uniform", "range"])
def test_the_group_uses_the_assignor_that_most_members_want(client, group_id, assignor):
    client.consume(group_id, "A", topics=["t", "u"], server_assignor=assignor)
    client.consume(group_id, "B", topics=["t", "u"], server_assignor=assignor)
    described = client.describe_consumers(group_id)
    assert described.assignor_name == assignor
    shares = [
        {
            part.topic_name: len(part.partitions)
            for part in member.target_assignment.topic_partitions
        }
        for member in described.members
    ]
    assert [sum(share.values()) for share in shares] == [3, 3]
    if assignor == "range":
        assert shares == [{"t": 2, "u": 1}] * 2


def test_a_member_that_leaves_or_falls_silent_makes_room(client, group_id, topic_id):
    client.consume(group_id, "A", topics=["t"])
    answer = client.consume(group_id, "B", topics=["t"])
    assert client.consume(group_id, "A", -1).member_epoch == -1
    while len((assigned(answer) or {}).get(topic_id, ())) < 4:
        answer = client.consume(group_id, "B", answer.member_epoch)
    silent = client.consume(group_id, "C", topics=["t"])
    assert silent.error_code == NO_ERROR
    while len(client.describe_consumers(group_id).members) == 2:
        answer = client.consume(group_id, "B", answer.member_epoch)
        assert answer.error_code == NO_ERROR
    assert client.consume(group_id, "C", silent.member_epoch).error_code == UNKNOWN


def test_a_member_that_does_not_give_up_what_it_must_is_put_out(client, group_id, topic_id):
    epoch = client.consume(group_id, "A", topics=["t"], rebalance_timeout_ms=200).member_epoch
    joined = client.consume(group_id, "B", topics=["t"]).member_epoch
    owned = {topic_id: [0, 1, 2, 3]}
    while client.consume(group_id, "A", epoch, owned=owned).error_code == NO_ERROR:
        pass
    answer = client.consume(group_id, "B", joined)
    assert assigned(answer) == owned


def test_a_static_member_comes_back_to_what_it_had(client, group_id, topic_id):
    epoch = client.consume(group_id, "A", topics=["t"], instance_id="i").member_epoch
    taken = client.consume(group_id, "B", topics=["t"], instance_id="i")
    assert taken.error_code == KafkaError.UNRELEASED_INSTANCE_ID
    assert client.consume(group_id, "B", epoch, instance_id="i").error_code == 82
    assert client.consume(group_id, "A", epoch, instance_id="j").error_code == UNKNOWN
    assert client.consume(group_id, "A", -2, instance_id="i").member_epoch == -2
    back = client.consume(group_id, "B", topics=["t"], instance_id="i")
    assert (back.member_epoch, assigned(back)) == (epoch, {topic_id: [0, 1, 2, 3]})
    assert client.consume(group_id, "A", epoch).error_code == UNKNOWN


def test_offsets_are_committed_with_the_members_epoch(client, group_id, topic_id):
    offsets = {("t", 0): 5}
    epoch = client.consume(group_id, "A", topics=["t"]).member_epoch
    assert client.commit(group_id, offsets, epoch, "A") == [NO_ERROR]
    assert client.commit(group_id, offsets, epoch, "A", version=8) == [35]
    assert client.commit(group_id, offsets, epoch + 1, "A") == [STALE]
    assert client.commit(group_id, offsets, epoch, "X") == [UNKNOWN]
    assert client.commit(group_id, offsets) == [UNKNOWN]
    assert client.fetch(group_id, [("t", 0)], member_id="A", epoch=epoch).error_code == NO_ERROR
    assert client.fetch(group_id, [("t", 0)], member_id="A", epoch=epoch + 1).error_code == STALE
    assert client.fetch(group_id, [("t", 0)], member_id="X", epoch=epoch).error_code == UNKNOWN
    assert client.offsets(group_id, ("t", 0)) == [5]
    # A member that has not heard of its new epoch commits what it has kept, and nothing else.
    client.consume(group_id, "B", topics=["t"])
    client.consume(group_id, "A", epoch)
    client.consume(group_id, "A", epoch, owned={topic_id: [0, 1]})
    assert client.commit(group_id, {("t", 0): 6}, epoch, "A") == [NO_ERROR]
    assert client.commit(group_id, {("t", 3): 6}, epoch, "A") == [STALE]


def test_the_two_protocols_do_not_mix_but_an_empty_group_changes(client, group_id):
    member_id, _ = client.lead(group_id)
    assert client.consume(group_id, "A", topics=["t"]).error_code == 69
    client.leave(group_id, (member_id, None))
    assert client.consume(group_id, "A", topics=["t"]).error_code == NO_ERROR
    assert client.list_groups()[group_id].group_type == "consumer"
    assert client.describe(group_id).error_message == f"Group {group_id} is not a classic group."
    joined = client.join(group_id)
    assert joined.error_code == KafkaError.INCONSISTENT_GROUP_PROTOCOL
    assert client.delete(group_id) == {group_id: KafkaError.NON_EMPTY_GROUP}
    assert client.leave(group_id, ("A", None)).members[0].error_code == NO_ERROR
    assert client.join(group_id).error_code == NO_ERROR
    assert client.list_groups()[group_id].group_type == "classic"
    assert client.describe_consumers(group_id).error_code == KafkaError.GROUP_ID_NOT_FOUND


def test_members_go_on_after_the_server_was_killed():
    with ServerProcess() as server:
        with GroupClient(server) as client:
            client.ask_to_create("t", 2)
            joined = client.consume("g", "A", topics=["t"])
        server.kill()
        server.start()
        with GroupClient(server) as client:
            beat = client.consume("g", "A", joined.member_epoch)
            assert (beat.error_code, beat.member_epoch) == (NO_ERROR, joined.member_epoch)
            assert client.commit("g", {("t", 0): 1}, joined.member_epoch, "A") == [NO_ERROR]
            assert client.describe_consumers("g").group_state == "Stable"
