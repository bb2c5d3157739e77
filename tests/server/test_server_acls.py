"""ACLs: who may do what, through requests and through confluent_kafka."""

import itertools

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import KafkaError as PeerError
from confluent_kafka import KafkaException as PeerException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from secure_server import client_config, sasl_server
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.server import acls
from pylog.server.acls import Acl, AclAuthorizer, AclFilter, AclStore, PatternType, Permission
from pylog.server.operations import Operation
from pylog.server.operations import ResourceType as Kind
from pylog.testing import Server

DESCRIBE, CREATE, DELETE, METADATA = api(29), api(30), api(31), api(3)
LITERAL, PREFIXED = PatternType.LITERAL, PatternType.PREFIXED
ALLOW, DENY = Permission.ALLOW, Permission.DENY
ALICE = "User:alice"


def acl(name="t", operation=Operation.READ, permission=ALLOW, **more):
    fields = {
        "resource_type": Kind.TOPIC,
        "pattern_type": LITERAL,
        "principal": ALICE,
        "host": "*",
    }
    return Acl(name=name, operation=operation, permission=permission, **(fields | more))


EVERYTHING = AclFilter(1, None, 1, None, None, 1, 1)


@pytest.fixture
def store(tmp_path):
    return AclStore(str(tmp_path))


def may(
    store, operation=Operation.READ, name="t", kind=Kind.TOPIC, who=ALICE, host="10.0.0.1", **o
):
    return AclAuthorizer(store, **o).allows(who, host, operation, kind, name)


# ---- decisions ----


def test_what_no_acl_allows_is_denied(store):
    assert not may(store)
    store.add([acl()])
    assert may(store)
    assert not may(store, Operation.WRITE)
    assert not may(store, name="u")
    assert not may(store, kind=Kind.GROUP)
    assert not may(store, who="User:bob")


def test_who_is_super_may_do_everything(store):
    store.add([acl(permission=DENY, operation=Operation.ALL, principal="User:*")])
    assert may(store, super_users=[ALICE])
    assert not may(store, super_users=["User:bob"])


def test_one_that_denies_wins_over_all_that_allow(store):
    store.add([acl(), acl("*", Operation.ALL), acl("", pattern_type=PREFIXED)])
    assert may(store)
    store.add([acl("t", pattern_type=PREFIXED, permission=DENY)])
    assert not may(store)
    assert may(store, name="other")


@pytest.mark.parametrize(
    ("given", "asked", "is_allowed"),
    [
        (Operation.READ, Operation.DESCRIBE, True),
        (Operation.WRITE, Operation.DESCRIBE, True),
        (Operation.DELETE, Operation.DESCRIBE, True),
        (Operation.ALTER, Operation.DESCRIBE, True),
        (Operation.CREATE, Operation.DESCRIBE, False),
        (Operation.ALTER_CONFIGS, Operation.DESCRIBE_CONFIGS, True),
        (Operation.ALTER_CONFIGS, Operation.DESCRIBE, False),
        (Operation.DESCRIBE, Operation.READ, False),
        (Operation.ALL, Operation.DELETE, True),
    ],
)
def test_some_operations_allow_others(store, given, asked, is_allowed):
    store.add([acl(operation=given)])
    assert may(store, asked) == is_allowed


def test_to_deny_one_operation_denies_no_other(store):
    store.add([acl(operation=Operation.DESCRIBE), acl(permission=DENY)])
    assert may(store, Operation.DESCRIBE)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        (("or", PREFIXED), "orders", True),
        (("or", PREFIXED), "or", True),
        (("or", PREFIXED), "o", False),
        (("orders", PREFIXED), "or", False),
        (("*", LITERAL), "orders", True),
        (("*", PREFIXED), "orders", False),
        (("*", PREFIXED), "*orders", True),
        (("orders", LITERAL), "orders-2", False),
    ],
)
def test_names_are_whole_or_prefixes_or_a_star(store, pattern, name, fits):
    store.add([acl(pattern[0], pattern_type=pattern[1])])
    assert may(store, name=name) == fits


def test_principals_and_hosts_are_whole_or_a_star(store):
    store.add([acl(principal="User:*", host="10.0.0.1")])
    assert may(store, who="User:anybody")
    assert not may(store, host="10.0.0.2")


def test_what_no_acl_is_about_may_be_open_to_all(store):
    store.add([acl("closed", principal="User:bob")])
    assert may(store, name="open", allows_unlisted=True)
    assert not may(store, name="closed", allows_unlisted=True)
    assert not may(store, name="open")


def test_a_decision_counts_until_the_acls_change(store):
    authorizer = AclAuthorizer(store)
    question = (ALICE, "h", Operation.READ, Kind.TOPIC, "t")
    assert not authorizer.allows(*question)
    store.add([acl()])
    assert authorizer.allows(*question)
    store.remove([EVERYTHING])
    assert not authorizer.allows(*question)


def test_decisions_are_not_remembered_without_end(store, monkeypatch):
    monkeypatch.setattr(acls, "MAX_DECISIONS", 10)
    authorizer = AclAuthorizer(store)
    for number in range(100):
        authorizer.allows(ALICE, "h", Operation.READ, Kind.TOPIC, f"t{number}")
    assert len(authorizer._decisions) <= 11


@pytest.mark.parametrize(
    ("rows", "is_allowed"),
    [
        ([], False),
        ([acl(operation=Operation.WRITE)], True),
        ([acl(operation=Operation.READ)], False),
        ([acl("t", Operation.WRITE), acl("t", Operation.WRITE, DENY)], False),
        ([acl("t", Operation.WRITE), acl("*", Operation.WRITE, DENY)], False),
        (
            [acl("tt", Operation.WRITE), acl("t", Operation.WRITE, DENY, pattern_type=PREFIXED)],
            False,
        ),
        ([acl("t", Operation.WRITE, pattern_type=PREFIXED), acl("t", Operation.WRITE, DENY)], True),
        ([acl("*", Operation.ALL), acl("t", Operation.WRITE, DENY)], True),
    ],
)
def test_whether_there_is_anything_one_may_do_something_to(store, rows, is_allowed):
    store.add(rows)
    authorizer = AclAuthorizer(store)
    assert authorizer.allows_any(ALICE, "h", Operation.WRITE, Kind.TOPIC) == is_allowed
    assert AclAuthorizer(store, [ALICE]).allows_any(ALICE, "h", Operation.WRITE, Kind.TOPIC)


def test_the_index_decides_as_a_walk_through_all_would(store):
    names = ["", "*", "a", "ab", "abc", "b"]
    patterns = [(name, kind) for name in names[1:] for kind in (LITERAL, PREFIXED)]
    for allowed, denied in itertools.product(patterns, patterns):
        store.remove([EVERYTHING])
        rows = [
            acl(allowed[0], pattern_type=allowed[1]),
            acl(denied[0], pattern_type=denied[1], permission=DENY),
        ]
        store._index(rows)
        for name in ("a", "ab", "abcd", "b", "*"):
            fits = [
                row.permission
                for row in rows
                if (row.pattern_type == LITERAL and row.name in (name, "*"))
                or (row.pattern_type == PREFIXED and name.startswith(row.name))
            ]
            assert may(store, name=name) == (ALLOW in fits and DENY not in fits)


# ---- kept ----


def test_acls_are_kept_whatever_is_in_their_names(tmp_path, store):
    rows = {
        acl("a b/c=d,%\n"),
        acl("a b/c=d,%\n", permission=DENY),
        acl("ü", principal="User:CN=x,O=y/z", host="::1"),
        acl("", pattern_type=PREFIXED, operation=Operation.ALL),
    }
    store.add(rows)
    assert set(AclStore(str(tmp_path)).acls) == rows
    assert (tmp_path / ".server.acls").stat().st_mode & 0o777 == 0o600
    assert store.remove([AclFilter(1, "a b/c=d,%\n", 1, None, None, 1, DENY)]) == [
        [acl("a b/c=d,%\n", permission=DENY)]
    ]
    assert set(AclStore(str(tmp_path)).acls) == rows - {acl("a b/c=d,%\n", permission=DENY)}


def test_a_damaged_line_costs_one_acl(tmp_path, store):
    store.add([acl()])
    with open(tmp_path / ".server.acls", "a") as file:
        file.write("nonsense=ALLOW\nTOPIC/LITERAL/x/User:a/*/FLY=ALLOW\n")
    assert AclStore(str(tmp_path)).acls == (acl(),)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ((1, None, 1), {"t", "t-", "tt", "*", "g"}),
        ((2, None, 1), {"t", "t-", "tt", "*"}),
        ((2, "t", 1), {"t"}),
        ((2, "t", 3), {"t"}),
        ((2, "t-", 4), {"t-"}),
        ((2, "t-1", 2), {"t-", "*"}),
        ((2, "t", 2), {"t", "*"}),
        ((2, None, 2), {"t", "t-", "tt", "*"}),
        ((2, None, 4), {"t-"}),
        ((3, "t", 2), set()),
        ((99, None, 1), set()),
    ],
)
def test_a_filter_means_what_kafkas_means(store, wanted, found):
    store.add(
        [acl("t"), acl("t-", pattern_type=PREFIXED), acl("tt"), acl("*"),
         acl("g", resource_type=Kind.GROUP)]
    )  # fmt: skip
    matching = store.find(AclFilter(*wanted, None, None, 1, 1))
    assert {each.name for each in matching} == found


# ---- requests ----


@pytest.fixture(scope="module")
def server():
    with Server(
        properties={"authorizer.class.name": "x", "super.users": "User:ANONYMOUS"}
    ) as server:
        yield server


@pytest.fixture
def client(server):
    with WireClient(server) as client:
        yield client
        server.broker.authorizer.store.remove([EVERYTHING])


def creation(kind=2, name="t", pattern=3, principal=ALICE, host="*", operation=3, permission=3):
    return CREATE.AclCreation(
        resource_type=kind,
        resource_name=name,
        resource_pattern_type=pattern,
        principal=principal,
        host=host,
        operation=operation,
        permission_type=permission,
    )


BAD = [
    (creation(name=""), "Invalid empty resource name"),
    (creation(kind=4), "The only valid name for the CLUSTER resource is kafka-cluster"),
    (creation(principal="alice"), "Could not parse principal from `alice` (no colon is present "
     "separating the principal type from the principal name)"),
    (creation(operation=99), "Invalid operation UNKNOWN"),
    (creation(operation=0), "Invalid operation UNKNOWN"),
    (creation(operation=1), "Invalid operation UNKNOWN"),
    (creation(kind=0), "Invalid resource type"),
    (creation(kind=1), "Invalid resource type"),
    (creation(kind=-1), "Invalid resource type"),
    (creation(pattern=1), "Invalid pattern type"),
    (creation(pattern=2), "Invalid pattern type"),
    (creation(permission=1), "Invalid permission type"),
    (creation(name="x" * 5000), "A name has more than 4096 characters"),
]  # fmt: skip


@pytest.mark.parametrize("version", [1, 2, 3])
def test_acls_that_are_wrong_are_refused_and_the_others_kept(client, version):
    rows = [each for each, _ in BAD]
    request = CREATE.CreateAclsRequest(creations=[creation(), *rows, creation(name="u")])
    first, *middle, last = client.ask(request, version).results
    assert (first.error_code, last.error_code) == (0, 0)
    assert [(each.error_code, each.error_message) for each in middle] == [
        (KafkaError.INVALID_REQUEST, message) for _, message in BAD
    ]
    found = client.ask(describe(), version).resources
    assert {each.resource_name for each in found} == {"t", "u"}


def describe(**more):
    fields = {
        "resource_type_filter": 1,
        "resource_name_filter": None,
        "pattern_type_filter": 1,
        "principal_filter": None,
        "host_filter": None,
        "operation": 1,
        "permission_type": 1,
    }
    return DESCRIBE.DescribeAclsRequest(**(fields | more))


@pytest.mark.parametrize(
    "unknown", ["resource_type_filter", "pattern_type_filter", "operation", "permission_type"]
)
def test_a_filter_that_says_unknown_is_refused(client, unknown):
    assert client.ask(describe(**{unknown: 0}), 3).error_code == KafkaError.INVALID_REQUEST


def test_filters_that_delete_answer_each_for_itself(client):
    client.ask(CREATE.CreateAclsRequest(creations=[creation(), creation(kind=3)]), 3)

    def wanted(**more):
        fields = describe(**more)
        names = DELETE.DeleteAclsFilter.layout.fields
        return DELETE.DeleteAclsFilter(**{name: getattr(fields, name) for name in names})

    filters = [wanted(resource_type_filter=2), wanted(operation=0), wanted()]
    results = client.ask(DELETE.DeleteAclsRequest(filters=filters), 3).filter_results
    assert [each.error_code for each in results] == [0, KafkaError.INVALID_REQUEST, 0]
    assert [len(each.matching_acls) for each in results] == [1, 0, 2]
    assert client.ask(describe(), 3).resources == []


def test_without_an_authorizer_security_is_disabled():
    with Server() as plain_server, WireClient(plain_server) as client:
        assert client.ask(describe(), 3).error_code == KafkaError.SECURITY_DISABLED
        request = CREATE.CreateAclsRequest(creations=[creation(), creation()])
        codes = [each.error_code for each in client.ask(request, 3).results]
        assert codes == [KafkaError.SECURITY_DISABLED] * 2
        filters = [DELETE.DeleteAclsFilter(operation=1)]
        (result,) = client.ask(DELETE.DeleteAclsRequest(filters=filters), 3).filter_results
        assert result.error_code == KafkaError.SECURITY_DISABLED


def test_who_may_not_describe_or_alter_the_cluster_sees_and_changes_no_acl(tmp_path):
    properties = {"authorizer.class.name": "x"}
    with Server(tmp_path, properties=properties) as server, WireClient(server) as client:
        denied = KafkaError.CLUSTER_AUTHORIZATION_FAILED
        assert client.ask(describe(), 3).error_code == denied
        request = CREATE.CreateAclsRequest(creations=[creation()])
        assert client.ask(request, 3).results[0].error_code == denied
        filters = [DELETE.DeleteAclsFilter(operation=1)]
        (result,) = client.ask(DELETE.DeleteAclsRequest(filters=filters), 3).filter_results
        assert result.error_code == denied
        topics = [METADATA.MetadataRequestTopic(name="secret")]
        (topic,) = client.ask(METADATA.MetadataRequest(topics=topics), 12).topics
        assert topic.error_code == KafkaError.TOPIC_AUTHORIZATION_FAILED


# ---- confluent_kafka ----


def binding(kind, name, pattern, user, operation, permission=AclPermissionType.ALLOW):
    return AclBinding(kind, name, pattern, user, "*", operation, permission)


@pytest.fixture(scope="module")
def secure():
    with sasl_server() as server:
        yield server


def test_librdkafka_creates_finds_and_deletes_acls(secure):
    admin = AdminClient(client_config(secure, "admin"))
    made = [
        binding(
            ResourceType.TOPIC, "orders", ResourcePatternType.LITERAL, ALICE, AclOperation.READ
        ),
        binding(ResourceType.GROUP, "g-", ResourcePatternType.PREFIXED, ALICE, AclOperation.ALL),
    ]
    for future in admin.create_acls(made).values():
        assert future.result(20) is None
    everything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY,
        AclPermissionType.ANY,
    )  # fmt: skip
    assert sorted(admin.describe_acls(everything).result(20)) == sorted(made)
    (future,) = admin.delete_acls([everything]).values()
    assert sorted(future.result(20)) == sorted(made)
    assert admin.describe_acls(everything).result(20) == []


def test_librdkafka_may_do_what_acls_allow_and_no_more(secure):
    admin = AdminClient(client_config(secure, "admin"))
    for future in admin.create_topics([NewTopic("mine", 1), NewTopic("theirs", 1)]).values():
        future.result(20)
    alice = AdminClient(client_config(secure, "alice"))
    assert set(alice.list_topics(timeout=20).topics) == set()
    allowed = binding(
        ResourceType.TOPIC, "mine", ResourcePatternType.PREFIXED, ALICE, AclOperation.CREATE
    )
    seen = binding(
        ResourceType.TOPIC, "mine", ResourcePatternType.PREFIXED, ALICE, AclOperation.DESCRIBE
    )
    for future in admin.create_acls([allowed, seen]).values():
        future.result(20)
    assert set(alice.list_topics(timeout=20).topics) == {"mine"}
    futures = alice.create_topics([NewTopic("mine-2", 1), NewTopic("other", 1)])
    assert futures["mine-2"].result(20) is None
    with pytest.raises(PeerException) as caught:
        futures["other"].result(20)
    assert caught.value.args[0].code() == PeerError.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(PeerException) as caught:
        alice.delete_topics(["mine"])["mine"].result(20)
    assert caught.value.args[0].code() == PeerError.TOPIC_AUTHORIZATION_FAILED


def test_each_step_of_a_pipeline_needs_its_right(secure):
    """Produce, consume in a group, a transaction: denied one by one, until each is allowed."""
    admin = AdminClient(client_config(secure, "admin"))
    admin.create_topics([NewTopic("pipe", 1)])["pipe"].result(20)

    def allow(kind, name, operation):
        made = binding(kind, name, ResourcePatternType.LITERAL, "User:bob", operation)
        for future in admin.create_acls([made]).values():
            future.result(20)

    def produce():
        reports = []
        producer = Producer(client_config(secure, "bob", **{"message.timeout.ms": 20000}))
        producer.produce("pipe", b"x", on_delivery=lambda error, message: reports.append(error))
        assert producer.flush(20) == 0
        return reports[0] and reports[0].code()

    def consume():
        more = {"group.id": "readers", "auto.offset.reset": "earliest"}
        consumer = Consumer(client_config(secure, "bob", **more))
        consumer.subscribe(["pipe"])
        try:
            return [each.error() and each.error().code() for each in consumer.consume(1, 20)]
        finally:
            consumer.close()

    assert produce() == PeerError.TOPIC_AUTHORIZATION_FAILED
    allow(ResourceType.TOPIC, "pipe", AclOperation.WRITE)
    assert produce() is None
    assert consume() == [PeerError.GROUP_AUTHORIZATION_FAILED]
    allow(ResourceType.GROUP, "readers", AclOperation.READ)
    assert consume() == [PeerError.TOPIC_AUTHORIZATION_FAILED]
    allow(ResourceType.TOPIC, "pipe", AclOperation.READ)
    assert consume() == [None]
    transactional = Producer(client_config(secure, "bob", **{"transactional.id": "tx"}))
    with pytest.raises(PeerException) as caught:
        transactional.init_transactions(20)
    assert caught.value.args[0].code() == PeerError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    allow(ResourceType.TRANSACTIONAL_ID, "tx", AclOperation.WRITE)
    transactional = Producer(client_config(secure, "bob", **{"transactional.id": "tx"}))
    transactional.init_transactions(20)
    transactional.begin_transaction()
    transactional.produce("pipe", b"y")
    transactional.commit_transaction(20)
