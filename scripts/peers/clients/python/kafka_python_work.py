"""What kafka-python does with a server: `kafka_python_work.py BOOTSTRAP NAME COUNT`.

../README.md has the work that each client program does, and the line that it prints.
"""

import json
import logging
import sys
import time

import security
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    NewTopic,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.errors import RebalanceInProgressError

PARTITIONS = 4
TIMEOUT_S = 60


def wait_for(members, wanted):
    """Poll `members` until they hold `wanted` partitions each."""
    deadline = time.monotonic() + TIMEOUT_S
    while [len(member.assignment()) for member in members] != wanted:
        assert time.monotonic() < deadline, [member.assignment() for member in members]
        for member in members:
            assert not member.poll(100)


def join(name, reading):
    """Return a member that knows the topic: as leader it may share out nothing, for good, else."""
    member = KafkaConsumer(**reading)
    assert len(member.partitions_for_topic(name)) == PARTITIONS
    member.subscribe([name])
    return member


def commit(members, count):
    """Commit all `count` records; a rebalance may come between, then they are read once more."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            for member in members:
                member.commit()
            return
        except RebalanceInProgressError:
            at = 0
            while at < count:
                assert time.monotonic() < deadline
                for member in members:
                    member.poll(100)
                held = [(member, place) for member in members for place in member.assignment()]
                at = sum(member.position(place) or 0 for member, place in held)


def administer(admin, name):
    """Make, find and take away an ACL and a user; return whether each was found once."""
    place = (ResourceType.TOPIC, name, ACLResourcePatternType.LITERAL)
    about = (f"User:{name}", "*", ACLOperation.READ, ACLPermissionType.ALLOW)
    made, wanted = (
        ACL(*about, ResourcePattern(*place)),
        ACLFilter(*about, ResourcePatternFilter(*place)),
    )
    assert admin.create_acls([made]) == {"succeeded": [made], "failed": []}
    found, _ = admin.describe_acls(wanted)
    ((_, removed, _),) = admin.delete_acls([wanted])
    left, _ = admin.describe_acls(wanted)
    mechanism = "SCRAM-SHA-512"
    upsertion = UserScramCredentialUpsertion(name, mechanism, "secret", iterations=8192)
    assert admin.alter_user_scram_credentials([upsertion]) == {name: None}
    (known,) = admin.describe_user_scram_credentials([name])[name]["credential_infos"]
    deletion = UserScramCredentialDeletion(name, mechanism)
    assert admin.alter_user_scram_credentials([deletion]) == {name: None}
    gone = admin.describe_user_scram_credentials([name])[name]["error"] is not None
    return {
        "acls": found == removed == [made] and not left,
        "users": known["mechanism"].name == "SCRAM_SHA_512"
        and known["iterations"] == 8192
        and gone,
    }


def main(bootstrap, name, count):
    """Do the work and print what was seen."""
    common = {"bootstrap_servers": bootstrap.split(","), **security.for_kafka_python()}
    admin = KafkaAdminClient(bootstrap_timeout_ms=10_000, **common)
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    (described,) = admin.describe_topics([name])
    partitions = len(described["partitions"])

    reading = {"group_id": name, "auto_offset_reset": "earliest", "enable_auto_commit": False}
    reading |= {"session_timeout_ms": 10000, "heartbeat_interval_ms": 500, **common}
    # So that a leader that rebalances on and on finds out that the topic is as it was.
    reading |= {"metadata_max_age_ms": 1000}
    members = [join(name, reading)]
    wait_for(members, [PARTITIONS])
    members.append(join(name, reading))
    wait_for(members, [PARTITIONS // 2] * 2)

    producer = KafkaProducer(acks="all", linger_ms=5, **common)
    sent = [producer.send(name, b"%d" % i, b"key %d" % i) for i in range(count)]
    producer.flush(TIMEOUT_S)
    produced = sum(future.get(TIMEOUT_S).offset >= 0 for future in sent)

    values, shares = [], [0, 0]
    deadline = time.monotonic() + TIMEOUT_S
    while len(values) < count and time.monotonic() < deadline:
        for index, member in enumerate(members):
            for records in member.poll(200).values():
                values += [int(record.value) for record in records]
                shares[index] += len(records)
    commit(members, count)
    members[1].close()
    wait_for(members[:1], [PARTITIONS])
    taken_over = len(members[0].assignment())
    members[0].close()
    committed = sum(offset.offset for offset in admin.list_group_offsets(name)[name].values())
    with_times = KafkaConsumer(**common)
    places = [TopicPartition(name, partition) for partition in range(partitions)]
    by_time = sum(
        found.offset for found in with_times.offsets_for_times(dict.fromkeys(places, 1)).values()
    )
    end = sum(with_times.end_offsets(places).values())
    with_times.close()
    groups = name in str(admin.list_groups())
    admin.delete_groups([name])
    admin.delete_topics([name])
    # A closed consumer may ask for it once more, and so have another of that name made.
    gone = described["topic_id"] not in [topic["topic_id"] for topic in admin.describe_topics()]
    producer.close()
    administered = administer(admin, name) if security.read().get("administers") else {}
    admin.close()
    seen = {"partitions": partitions, "produced": produced, "read": len(values)}
    seen |= {"distinct": len(set(values)), "shares": shares, "taken_over": taken_over}
    seen |= {"committed": committed, "by_time": by_time, "end": end}
    print(json.dumps({**seen, "group_listed": groups, "deleted": gone, **administered}))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)  # why it cannot connect, it says there only
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
