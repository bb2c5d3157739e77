"""What kafka-python does with a server: `kafka_python_work.py BOOTSTRAP NAME COUNT`.

../README.md has the work that each client program does, and the line that it prints.
"""

import json
import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

PARTITIONS = 4
TIMEOUT_S = 60


def wait_for(members, wanted):
    """Poll `members` until they hold `wanted` partitions each."""
    deadline = time.monotonic() + TIMEOUT_S
    while [len(member.assignment()) for member in members] != wanted:
        assert time.monotonic() < deadline, [member.assignment() for member in members]
        for member in members:
            assert not member.poll(100)


def main(bootstrap, name, count):
    """Do the work and print what was seen."""
    common = {"bootstrap_servers": bootstrap.split(",")}
    admin = KafkaAdminClient(**common)
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    partitions = len(admin.describe_topics([name])[0]["partitions"])

    reading = {"group_id": name, "auto_offset_reset": "earliest", "enable_auto_commit": False}
    reading |= {"session_timeout_ms": 10000, "heartbeat_interval_ms": 500, **common}
    members = [KafkaConsumer(name, **reading)]
    wait_for(members, [PARTITIONS])
    members.append(KafkaConsumer(name, **reading))
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
    for member in members:
        member.commit()
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
    gone = name not in admin.list_topics()
    producer.close()
    admin.close()
    seen = {"partitions": partitions, "produced": produced, "read": len(values)}
    seen |= {"distinct": len(set(values)), "shares": shares, "taken_over": taken_over}
    seen |= {"committed": committed, "by_time": by_time, "end": end}
    print(json.dumps({**seen, "group_listed": groups, "deleted": gone}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
