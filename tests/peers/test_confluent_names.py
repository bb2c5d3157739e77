"""Our names, arguments and defaults are confluent_kafka's, and each code means the same."""

import ast
import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pylog
import pylog.admin
from pylog.error_codes import ERROR_CODES
from pylog.partitioner import partition_for_key

pytestmark = pytest.mark.peer

CLASSES = ["Producer", "Consumer", "Message", "TopicPartition", "KafkaError", "KafkaException"]
ADMIN_CLASSES = [
    *("AdminClient", "NewTopic", "NewPartitions", "ConfigResource", "ConfigEntry"),
    *("ConsumerGroupDescription", "ConsumerGroupListing", "ListConsumerGroupsResult"),
    *("MemberAssignment", "MemberDescription", "GroupMember", "GroupMetadata"),
]
# Names that confluent_kafka does not have, each on purpose.
OURS = {
    "TopicPartition": {"with_error"},
    # The rest are Kafka's own Admin's; a cluster refuses them, see docs/guides/cluster.md.
    "AdminClient": {
        "close",
        "abort_transaction",
        "delete_consumer_group_offsets",
        "describe_producers",
        "describe_transactions",
        "fence_producers",
        "force_terminate_transaction",
        "list_transactions",
    },
}


@pytest.fixture(scope="module")
def confluent() -> ModuleType:
    return pytest.importorskip("confluent_kafka", reason="pip install confluent-kafka")


@pytest.fixture(scope="module")
def declared(confluent: ModuleType) -> dict[str, dict[str, ast.arguments]]:
    """Return {class: {method: arguments}} of cimpl.pyi: C methods have no signature."""
    stub = Path(inspect.getfile(confluent)).with_name("cimpl.pyi")
    return {
        node.name: {
            method.name: method.args
            for method in reversed(node.body)  # the first overload is the one that stays
            if isinstance(method, ast.FunctionDef)
        }
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ClassDef)
    }


def public_names(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def our_class(name: str) -> type:
    return getattr(pylog if name in CLASSES else pylog.admin, name)


def their_class(confluent: ModuleType, name: str) -> type:
    import confluent_kafka.admin

    return getattr(confluent if name in CLASSES else confluent_kafka.admin, name)


@pytest.mark.parametrize("name", [*CLASSES, *ADMIN_CLASSES])
def test_every_public_name_is_theirs_or_ours_on_purpose(confluent: ModuleType, name: str) -> None:
    ours = public_names(our_class(name))
    if name == "KafkaError":
        ours -= error_codes(our_class(name)).keys()
    theirs = public_names(their_class(confluent, name))
    assert ours - theirs == OURS.get(name, set())


def test_constants_have_their_values(confluent: ModuleType) -> None:
    names = [name for name in dir(confluent) if name.startswith(("OFFSET_", "TIMESTAMP_"))]
    assert {name: getattr(pylog, name) for name in names} == {
        name: getattr(confluent, name) for name in names
    }


def error_codes(kafka_error: type) -> dict[str, int]:
    return {
        name: code
        for name in dir(kafka_error)
        if isinstance(code := getattr(kafka_error, name), int)
    }


def test_every_error_code_has_their_name_and_text(confluent: ModuleType) -> None:
    theirs, ours = error_codes(confluent.KafkaError), error_codes(pylog.KafkaError)
    assert {name: ours.get(name) for name in theirs} == theirs
    for code in theirs.values():
        error, same = pylog.KafkaError(code), confluent.KafkaError(code)
        assert (error.name(), error.str()) == (same.name(), same.str())
        assert str(error) == str(same)


def test_error_codes_that_librdkafka_lacks_are_kafkas(
    kafka: ModuleType, confluent: ModuleType
) -> None:
    codes = json.loads(kafka.run_java("ErrorCodes"))
    theirs, ours = error_codes(confluent.KafkaError), error_codes(pylog.KafkaError)
    more = {name: code for name, code in ours.items() if name not in theirs}
    assert more == {name: codes[name][0] for name in more if name in codes}
    assert not set(more.values()) & set(theirs.values())


def test_a_code_is_retriable_where_kafka_says_so(kafka: ModuleType) -> None:
    verdicts = dict(json.loads(kafka.run_java("ErrorCodes")).values())
    ours = {code: row.is_retriable for code, row in ERROR_CODES.items() if code in verdicts}
    assert ours == verdicts


def _forever(name: str, default: Any) -> Any:
    """Return their word for a wait without end, -1, where ours is None."""
    return -1 if (name, default) == ("timeout", None) else default


def our_parameters(function: Any) -> list[tuple[str, Any]]:
    return [
        (parameter.name, _forever(parameter.name, parameter.default))
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and parameter.name != "self"
    ]


def their_parameters(arguments: ast.arguments) -> list[tuple[str, Any]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = [inspect.Parameter.empty] * (len(positional) - len(arguments.defaults))
    defaults = [*missing, *map(ast.literal_eval, arguments.defaults)]
    return [
        (argument.arg, default)
        for argument, default in zip(positional, defaults, strict=True)
        if argument.arg != "self"
    ]


METHODS = {
    "Producer": ["produce", "poll", "flush", "purge", "list_topics"],
    "Consumer": [
        *("assign", "unassign", "assignment", "poll", "consume", "pause", "resume", "seek"),
        *("position", "offsets_for_times", "list_topics", "close"),
        *("incremental_assign", "incremental_unassign"),
    ],
    "TopicPartition": ["__init__"],
    "KafkaError": ["code", "name", "str", "fatal", "retriable", "txn_requires_abort"],
}


@pytest.mark.parametrize(
    ("cls", "method"), [(cls, method) for cls, methods in METHODS.items() for method in methods]
)
def test_arguments_and_their_defaults_are_theirs(
    declared: dict[str, dict[str, ast.arguments]], cls: str, method: str
) -> None:
    theirs = their_parameters(declared[cls][method])
    function = our_class(cls) if method == "__init__" else getattr(our_class(cls), method)
    assert our_parameters(function) == theirs


ADMIN_METHODS = [
    *("create_topics", "delete_topics", "list_topics", "describe_topics", "create_partitions"),
    *("describe_configs", "alter_configs", "incremental_alter_configs", "delete_records"),
    *("list_offsets", "list_consumer_groups", "describe_consumer_groups"),
    *("delete_consumer_groups", "list_consumer_group_offsets", "alter_consumer_group_offsets"),
]


@pytest.mark.parametrize("method", ADMIN_METHODS)
def test_admin_methods_take_their_arguments(confluent: ModuleType, method: str) -> None:
    theirs = their_class(confluent, "AdminClient")
    if hasattr(our_class("AdminClient"), method):
        ours = our_parameters(getattr(our_class("AdminClient"), method))
        positional = our_parameters(getattr(theirs, method))
        assert [name for name, _ in ours][: len(positional)] == [name for name, _ in positional]


@pytest.mark.parametrize("name", ["murmur2", "consistent", "fnv1a"])
def test_partitioners_place_keys_as_librdkafka_does(confluent: ModuleType, name: str) -> None:
    from confluent_kafka import cimpl

    keys = [b"", *(b"key-%d" % number for number in range(2000)), bytes(range(256)), b"\xff" * 99]
    for partitions in (1, 2, 3, 16, 1000):
        theirs = [getattr(cimpl, name)(key, partitions) for key in keys]
        assert [partition_for_key(name, key, partitions) for key in keys] == theirs
