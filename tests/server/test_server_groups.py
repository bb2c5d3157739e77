"""Groups over the wire, in the classic protocol. Codes are those that a Kafka 4.3.1 answers."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from group_client import BEAT, FIND, JOIN, LEAVE, SYNC, GroupClient

from pylog import Consumer
from pylog.errors import KafkaError
from pylog.group.shared_group import SharedGroup
from pylog.log_dir import LogDir
from pylog.testing import Server, ServerProcess

NO_ERROR = KafkaError.NO_ERROR
UNKNOWN, REBALANCING = KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS


@pytest.fixture(scope="module")
def server():
    with Server(properties={"group.min.session.timeout.ms": "100"}) as server:
        server.broker.log_dir.create_topic("t", 4)
        yield server


@pytest.fixture
def clients(server):
    """As many connections as a test asks for."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(GroupClient(server))


@pytest.fixture
def client(clients):
    return clients()


@pytest.fixture
def group_id(request):
    return request.node.name


@pytest.mark.parametrize("version", range(7))
def test_the_coordinator_is_found_at_every_version(server, client, version):
    host, port = server.bootstrap_servers.split(":")
    request = FIND.FindCoordinatorRequest(key="g")
    if version >= 4:
        request = FIND.FindCoordinatorRequest(coordinator_keys=["g", "h"])
    answer = client.ask(request, version)
    found = answer.coordinators if version >= 4 else [answer]
    assert [(one.error_code, one.host, one.port) for one in found] == [
        (NO_ERROR, host, int(port))
    ] * len(found)


def test_coordinators_of_no_known_kind_are_refused(client):
    request = FIND.FindCoordinatorRequest(coordinator_keys=["g"], key_type=2)
    (found,) = client.ask(request).coordinators
    assert (found.error_code, found.node_id) == (KafkaError.INVALID_REQUEST, -1)


@pytest.mark.parametrize("version", range(10))
def test_a_member_joins_at_every_version(client, group_id, version):
    answer = client.join(group_id, version=version)
    assert answer.error_code == NO_ERROR
    assert answer.generation_id == 1
    assert answer.leader == answer.member_id
    assert answer.member_id.startswith("wire-")
    assert answer.protocol_name == "range"
    assert answer.protocol_type == ("consumer" if version >= 7 else None)
    assert [(m.member_id, bytes(m.metadata)) for m in answer.members] == [(answer.member_id, b"m")]


def test_a_new_member_gets_its_id_first(client, group_id):
    client.send_join(group_id)
    first = client.receive()
    assert first.error_code == KafkaError.MEMBER_ID_REQUIRED
    assert client.describe(group_id).members in ([], ())
    assert client.join(group_id, first.member_id).member_id == first.member_id


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"member_id": "nobody"}, UNKNOWN),
        ({"session_ms": 10}, KafkaError.INVALID_SESSION_TIMEOUT),
        ({"session_ms": 10_000_000}, KafkaError.INVALID_SESSION_TIMEOUT),
        ({"protocols": ()}, KafkaError.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": ""}, KafkaError.INCONSISTENT_GROUP_PROTOCOL),
    ],
)
def test_who_cannot_join_hears_why(client, group_id, options, code):
    answer = client.join(group_id, **options)
    assert (answer.error_code, answer.generation_id) == (code, -1)
    assert answer.member_id == options.get("member_id", "")


def test_the_empty_group_id_is_refused(client):
    assert client.join("").error_code == KafkaError.INVALID_GROUP_ID
    assert client.beat("", 1, "m") == KafkaError.INVALID_GROUP_ID
    assert client.sync("", 1, "m").error_code == KafkaError.INVALID_GROUP_ID
    assert client.leave("", ("m", None)).error_code == KafkaError.INVALID_GROUP_ID


def test_members_without_a_common_protocol_are_refused(client, clients, group_id):
    client.lead(group_id)
    inconsistent = KafkaError.INCONSISTENT_GROUP_PROTOCOL
    other = clients()
    assert other.join(group_id, protocols=(("sticky", b""),)).error_code == inconsistent
    assert other.join(group_id, protocol_type="connect").error_code == inconsistent


def test_a_second_member_makes_the_first_join_again(client, clients, group_id):
    first, generation = client.lead(group_id)
    other = clients()
    other.send_join(group_id)
    other.send_join(group_id, other.receive().member_id)
    while client.beat(group_id, generation, first) == NO_ERROR:
        pass
    assert client.beat(group_id, generation, first) == REBALANCING
    again = client.join(group_id, first)
    second = other.receive()
    assert again.generation_id == second.generation_id == generation + 1
    assert again.leader == second.leader == first
    assert {member.member_id for member in again.members} == {first, second.member_id}
    assert not second.members

    other.send_sync(group_id, generation + 1, second.member_id)
    shares = {first: b"first", second.member_id: b"second"}
    assert client.sync(group_id, generation + 1, first, shares).assignment == b"first"
    assert other.receive().assignment == b"second"


def test_members_that_join_at_once_and_again_and_again_are_never_unknown(clients, group_id):
    """Each joins, syncs and beats until all are in one generation; rebalances overlap."""
    count = 8
    everybody = threading.Event()
    codes: list[set[int]] = [set() for _ in range(count)]
    generations = [0] * count

    def take_part(number: int, client: GroupClient) -> None:
        member_id = ""
        while not everybody.is_set():
            answer = client.join(group_id, member_id)
            codes[number].add(answer.error_code)
            assert answer.error_code == NO_ERROR
            member_id, generation = answer.member_id, answer.generation_id
            shares = {member.member_id: b"share" for member in answer.members}
            code = client.sync(group_id, generation, member_id, shares).error_code
            codes[number].add(code)
            if code == NO_ERROR and len(shares) == count:
                everybody.set()
            while code == NO_ERROR:
                generations[number] = generation
                if everybody.is_set() and set(generations) == {generation}:
                    return
                code = client.beat(group_id, generation, member_id)
                codes[number].add(code)

    with ThreadPoolExecutor(count) as threads:
        for done in [threads.submit(take_part, number, clients()) for number in range(count)]:
            done.result(60)
    assert set().union(*codes) <= {NO_ERROR, REBALANCING}
    assert len(set(generations)) == 1


def test_a_member_that_leaves_makes_the_others_join_again(client, clients, group_id):
    first, generation = client.lead(group_id)
    other = clients()
    other.send_join(group_id, version=3)
    while client.beat(group_id, generation, first) == NO_ERROR:
        pass
    client.join(group_id, first)
    second = other.receive()
    assert other.leave(group_id, (second.member_id, None)).members[0].error_code == NO_ERROR
    assert client.sync(group_id, generation + 1, first).error_code == REBALANCING
    assert client.join(group_id, first).generation_id == generation + 2


def test_what_a_member_must_not_say_is_refused(client, group_id):
    member_id, generation = client.lead(group_id)
    assert client.beat(group_id, generation, member_id) == NO_ERROR
    assert client.beat(group_id, generation + 1, member_id) == KafkaError.ILLEGAL_GENERATION
    assert client.beat(group_id, generation, "nobody") == UNKNOWN
    assert client.beat("no such group", generation, member_id) == UNKNOWN
    assert client.sync(group_id, generation + 1, member_id).error_code == 22
    assert client.sync(group_id, generation, "nobody").error_code == UNKNOWN
    assert client.sync("no such group", generation, member_id).error_code == UNKNOWN


def test_a_sync_of_another_protocol_is_refused(client, group_id):
    member_id, generation = client.lead(group_id)

    def sync(protocol_type, protocol_name):
        request = SYNC.SyncGroupRequest(
            group_id=group_id,
            generation_id=generation,
            member_id=member_id,
            protocol_type=protocol_type,
            protocol_name=protocol_name,
        )
        return client.ask(request, 5)

    assert sync("consumer", "range").assignment == b"all"
    for wrong in ("consumer", "sticky"), ("connect", "range"), (None, None):
        assert sync(*wrong).error_code == KafkaError.INCONSISTENT_GROUP_PROTOCOL


@pytest.mark.parametrize("version", range(5))
def test_a_heartbeat_is_heard_at_every_version(client, group_id, version):
    member_id, generation = client.lead(group_id)
    request = BEAT.HeartbeatRequest(
        group_id=group_id, generation_id=generation, member_id=member_id
    )
    assert client.ask(request, version).error_code == NO_ERROR


@pytest.mark.parametrize("version", range(3))
def test_old_clients_leave_one_by_one(client, group_id, version):
    member_id, _ = client.lead(group_id)
    for name, code in (("nobody", UNKNOWN), (member_id, NO_ERROR), (member_id, UNKNOWN)):
        request = LEAVE.LeaveGroupRequest(group_id=group_id, member_id=name)
        assert client.ask(request, version).error_code == code


def test_several_leave_at_once_each_with_its_answer(client, group_id):
    member_id, _ = client.lead(group_id, instance_id="i")
    asked = [("nobody", None), ("", None), (member_id, "other"), ("", "i"), ("", "i")]
    answer = client.leave(group_id, *asked)
    assert answer.error_code == NO_ERROR
    codes = [member.error_code for member in answer.members]
    assert codes == [UNKNOWN, UNKNOWN, UNKNOWN, NO_ERROR, UNKNOWN]
    assert client.leave("no such group", ("m", None)).members[0].error_code == UNKNOWN


def test_a_member_that_is_not_heard_is_put_out(client, clients, group_id):
    silent, _ = clients().lead(group_id, session_ms=150, rebalance_ms=150)
    client.send_join(group_id, version=3, session_ms=10_000)
    answer = client.receive()  # when the silent one is gone
    assert [member.member_id for member in answer.members] == [answer.member_id]
    assert silent != answer.member_id


def test_a_new_member_that_went_away_unanswered_holds_nobody_up(client, clients, group_id):
    member_id, generation = client.lead(group_id)
    ghost = clients()
    ghost.send_join(group_id, version=3, session_ms=200)
    while client.beat(group_id, generation, member_id) == NO_ERROR:
        pass
    ghost.close()
    client.send_join(group_id, member_id)
    again = client.receive()
    while client.beat(group_id, again.generation_id, member_id) != REBALANCING:
        pass
    last = client.join(group_id, member_id)
    assert [member.member_id for member in last.members] == [member_id]


def test_a_static_member_comes_back_without_a_rebalance(client, group_id):
    old, generation = client.lead(group_id, instance_id="i")
    back = client.join(group_id, instance_id="i")
    assert back.error_code == NO_ERROR
    assert back.generation_id == generation
    assert back.skip_assignment
    assert back.leader == back.member_id != old
    assert [member.group_instance_id for member in back.members] == ["i"]
    answer = client.sync(group_id, generation, back.member_id, instance_id="i")
    assert answer.assignment == b"all"
    assert client.beat(group_id, generation, old, "i") == KafkaError.FENCED_INSTANCE_ID
    assert client.beat(group_id, generation, old) == UNKNOWN
    assert client.commit(group_id, {("t", 0): 1}, generation, old, instance_id="i") == [82]


def test_an_older_client_that_comes_back_is_not_told_that_it_leads(client, group_id):
    old, generation = client.lead(group_id, instance_id="i")
    back = client.join(group_id, instance_id="i", version=8)
    assert (back.generation_id, back.leader, list(back.members)) == (generation, old, [])


def test_a_static_member_with_the_id_of_another_is_fenced(client, group_id):
    client.lead(group_id, instance_id="i")
    assert client.join(group_id, "other", instance_id="i").error_code == 82
    assert client.join(group_id, "other", instance_id="j").error_code == UNKNOWN


def test_groups_are_listed_described_and_deleted(client, group_id):
    member_id, _ = client.lead(group_id, assignment=b"share")
    client.commit("simple", {("t", 0): 1})
    found = client.list_groups()
    assert (found[group_id].protocol_type, found[group_id].group_state) == ("consumer", "Stable")
    assert found[group_id].group_type == "classic"
    assert (found["simple"].protocol_type, found["simple"].group_state) == ("", "Empty")
    assert "simple" not in client.list_groups(states=("stable",))
    assert group_id in client.list_groups(types=("Classic",))
    assert not client.list_groups(types=("consumer",)).keys() & {group_id, "simple"}

    described = client.describe(group_id)
    assert (described.group_state, described.protocol_data) == ("Stable", "range")
    (member,) = described.members
    assert (member.member_id, member.client_id) == (member_id, "wire")
    assert member.client_host == "/127.0.0.1"
    assert (bytes(member.member_metadata), bytes(member.member_assignment)) == (b"m", b"share")

    assert client.delete(group_id, "no such group", "simple", "") == {
        group_id: KafkaError.NON_EMPTY_GROUP,
        "no such group": KafkaError.GROUP_ID_NOT_FOUND,
        "simple": NO_ERROR,
        "": KafkaError.INVALID_GROUP_ID,
    }
    client.leave(group_id, (member_id, None))
    assert client.describe(group_id).group_state == "Empty"
    assert client.delete(group_id) == {group_id: NO_ERROR}
    assert group_id not in client.list_groups()


def test_a_group_that_nobody_knows_is_dead(client):
    described = client.describe("nobody")
    assert (described.error_code, described.group_state) == (69, "Dead")
    described = client.describe("nobody", version=5)
    assert (described.error_code, described.group_state) == (NO_ERROR, "Dead")


def test_embedded_members_and_clients_do_not_mix(server, client, group_id):
    embedded = Consumer({"log.dir": server.folder, "group.id": group_id})
    member_id, generation = client.lead(group_id)
    embedded.subscribe(["t"])
    while (refused := embedded.poll(0.01)) is None:
        pass
    assert refused.error().code() == KafkaError.INCONSISTENT_GROUP_PROTOCOL
    assert client.beat(group_id, generation, member_id) == NO_ERROR
    client.leave(group_id, (member_id, None))
    while not embedded.assignment():
        embedded.poll(0.01)
    assert client.join(group_id).error_code == KafkaError.INCONSISTENT_GROUP_PROTOCOL
    joined = client.consume(group_id, "m", topics=["t"])
    assert joined.error_code == KafkaError.INCONSISTENT_GROUP_PROTOCOL
    embedded.close()
    assert client.join(group_id).error_code == NO_ERROR


def test_only_so_many_members_may_join(clients):
    with Server(properties={"group.max.size": "1"}) as server, GroupClient(server) as client:
        member_id, _ = client.lead("g")
        with GroupClient(server) as other:
            assert other.join("g").error_code == KafkaError.GROUP_MAX_SIZE_REACHED


def test_the_first_members_wait_for_each_other_if_wanted():
    properties = {"group.initial.rebalance.delay.ms": "200"}
    with Server(properties=properties) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(GroupClient(server)) for _ in range(3)]
        for client in clients:
            client.send_join("g", version=3)
        answers = [client.receive() for client in clients]
        assert [answer.generation_id for answer in answers] == [1, 1, 1]
        assert sorted(len(answer.members) for answer in answers) == [0, 0, 3]


def test_each_node_answers_for_its_own_groups():
    with Server(brokers=2) as server:
        addresses = server.bootstrap_servers.split(",")
        with GroupClient(addresses[0]) as first, GroupClient(addresses[1]) as second:
            for number in range(8):
                group_id = f"g{number}"
                index = server.broker.coordinator_of(group_id) - server.broker.node_ids[0]
                right, wrong = (first, second) if index == 0 else (second, first)
                assert wrong.beat(group_id, 1, "m") == KafkaError.NOT_COORDINATOR
                assert wrong.join(group_id).error_code == KafkaError.NOT_COORDINATOR
                right.lead(group_id)
            listed = [set(first.list_groups()), set(second.list_groups())]
            assert listed[0] | listed[1] == {f"g{number}" for number in range(8)}
            assert not listed[0] & listed[1]


def test_a_group_goes_on_after_the_server_was_killed():
    with ServerProcess() as server:
        with GroupClient(server) as client:
            member_id, generation = client.lead("g", assignment=b"mine")
            static_id, static_generation = client.lead("s", instance_id="i")
        server.kill()
        server.start()
        with GroupClient(server) as client:
            assert client.beat("g", generation, member_id) == NO_ERROR
            assert client.sync("g", generation, member_id).assignment == b"mine"
            assert client.beat("s", static_generation, static_id, "i") == NO_ERROR
            assert client.beat("g", generation, "stranger") == UNKNOWN
            (member,) = client.describe("g").members
            assert member.member_id == member_id


def test_members_that_do_not_come_back_after_a_kill_are_put_out():
    with ServerProcess(properties={"group.min.session.timeout.ms": "100"}) as server:
        with GroupClient(server) as client:
            client.lead("g", session_ms=300)
        server.kill()
        server.start()
        with GroupClient(server) as client:
            while client.describe("g").group_state != "Empty":
                pass


def test_a_join_that_waits_when_the_server_ends_is_sent_away(tmp_path):
    server = Server(tmp_path)
    server.start()
    with GroupClient(server) as first, GroupClient(server) as second:
        member_id, generation = first.lead("g")
        second.send_join("g", version=3)
        while first.beat("g", generation, member_id) == NO_ERROR:
            pass
        server.stop()
        assert second.receive().error_code == KafkaError.NOT_COORDINATOR


def test_every_request_has_its_own_answer_when_a_member_id_is_unknown(client, group_id):
    request = JOIN.JoinGroupRequest(
        group_id=group_id,
        member_id="unknown",
        session_timeout_ms=10_000,
        protocol_type="consumer",
        protocols=[JOIN.JoinGroupRequestProtocol(name="range", metadata=b"")],
    )
    for version in range(10):
        answer = client.ask(request, version)
        assert (answer.error_code, answer.member_id) == (UNKNOWN, "unknown")


def test_a_group_whose_state_somebody_keeps_holds_up_no_other(server, client, clients, group_id):
    with contextlib.closing(SharedGroup.open(server.broker.log_dir, group_id)) as shared:
        waiting = clients()
        with shared.locked():
            waiting.send_join(group_id, version=3)
            for number in range(20):
                client.lead(f"{group_id} {number}")
            assert client.beat(group_id, 1, "m") == UNKNOWN  # the group can be looked at
        assert waiting.receive().generation_id == 1


def test_clients_of_a_server_that_is_gone_make_room_for_programs(tmp_path, monkeypatch):
    monkeypatch.setattr("pylog.group.shared_group.SERVER_SILENCE_MS", 300)
    with LogDir.open(str(tmp_path)) as log_dir:
        log_dir.create_topic("t", 1)
    properties = {"group.min.session.timeout.ms": "100"}
    with ServerProcess(tmp_path, properties=properties) as server:
        with GroupClient(server) as client:
            client.lead("g", session_ms=300)
        server.kill()
        embedded = Consumer({"log.dir": str(tmp_path), "group.id": "g"})
        embedded.subscribe(["t"])
        while not embedded.assignment():
            embedded.poll(0.05)
        embedded.close()
