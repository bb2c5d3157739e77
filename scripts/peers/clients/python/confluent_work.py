"""What confluent-kafka does with a server: `confluent_work.py BOOTSTRAP NAME COUNT [PROTOCOL]`.

PROTOCOL is that of the group: `classic` or `consumer` (KIP-848). ../README.md has the work that
each client program does, and the line that it prints.
"""

import json
import sys
import time

import security
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
TIMEOUT_S = 60


def take(member, values, timeout_s=0.05):
    """Poll a member once; it reads on."""
    for message in member.consume(500, timeout_s):
        assert message.error() is None, message.error()
        values.append(int(message.value()))


def wait_for(members, wanted):
    """Poll `members` until they hold `wanted` partitions each."""
    deadline = time.monotonic() + TIMEOUT_S
    while [len(member.assignment()) for member in members] != wanted:
        assert time.monotonic() < deadline, [member.assignment() for member in members]
        for member in members:
            take(member, [])


def transact(common, name, count):
    """Copy by two transactions, the first aborted; return whether each record was copied once."""
    producer = Producer({"transactional.id": name, **common})
    producer.init_transactions(TIMEOUT_S)
    reading = {"group.id": f"{name}-txn", "auto.offset.reset": "earliest", **common}
    source = Consumer({"enable.auto.commit": False, **reading})
    source.subscribe([name])
    for is_committed in (False, True):
        producer.begin_transaction()
        copied = []
        while len(copied) < count:
            take(source, copied)
        for value in copied:
            producer.produce(f"{name}-txn", str(value))
        places = source.position(source.assignment())
        producer.send_offsets_to_transaction(places, source.consumer_group_metadata(), TIMEOUT_S)
        assert producer.flush(TIMEOUT_S) == 0  # what is aborted is in the log too
        if is_committed:
            producer.commit_transaction(TIMEOUT_S)
        else:
            producer.abort_transaction(TIMEOUT_S)
            told = source.committed(source.assignment(), TIMEOUT_S)
            assert all(place.offset < 0 for place in told), told
            for place in source.assignment():
                source.seek(TopicPartition(place.topic, place.partition, OFFSET_BEGINNING))
    committed = sum(place.offset for place in source.committed(source.assignment(), TIMEOUT_S))
    source.close()
    seen = read_to_end({"isolation.level": "read_committed", **reading}, f"{name}-txn")
    return sorted(seen) == list(range(count)) and committed == count


def read_to_end(settings, topic):
    """The values of partition 0 up to what is its end to this reader."""
    reader = Consumer({**settings, "enable.partition.eof": True})
    reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    values = []
    while True:
        message = reader.poll(TIMEOUT_S)
        assert message is not None, f"{topic} has no end after {len(values)} values"
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            reader.close()
            return values
        values.append(int(message.value()))


def main(bootstrap, name, count, protocol="classic"):
    """Do the work and print what was seen."""
    common = {"bootstrap.servers": bootstrap, "log_level": 3, **security.for_librdkafka()}
    admin = AdminClient(common)
    topics = [NewTopic(name, PARTITIONS), NewTopic(f"{name}-txn", 1)]
    for future in admin.create_topics(topics).values():
        future.result(TIMEOUT_S)
    partitions = len(admin.list_topics(name, TIMEOUT_S).topics[name].partitions)

    reading = {"group.id": name, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    reading |= {"group.protocol": protocol, **common}
    if protocol == "classic":
        reading |= {"heartbeat.interval.ms": 500}
    members = [Consumer(reading)]
    members[0].subscribe([name])
    wait_for(members, [PARTITIONS])
    members.append(Consumer(reading))
    members[1].subscribe([name])
    wait_for(members, [PARTITIONS // 2] * 2)

    producer = Producer({"linger.ms": 5, "enable.idempotence": True, **common})
    offsets = []
    for number in range(count):
        producer.produce(
            name, str(number), f"key {number}",
            on_delivery=lambda error, message: error or offsets.append(message.offset()),
        )  # fmt: skip
    assert producer.flush(TIMEOUT_S) == 0

    shares = [[], []]
    deadline = time.monotonic() + TIMEOUT_S
    while sum(map(len, shares)) < count and time.monotonic() < deadline:
        for member, values in zip(members, shares, strict=True):
            take(member, values)
    for member in members:
        member.commit(asynchronous=False)
    members[1].close()
    wait_for(members[:1], [PARTITIONS])
    taken_over = len(members[0].assignment())
    places = [TopicPartition(name, partition, 1) for partition in range(partitions)]
    by_time = sum(place.offset for place in members[0].offsets_for_times(places, TIMEOUT_S))
    end = sum(members[0].get_watermark_offsets(place, TIMEOUT_S)[1] for place in places)
    members[0].close()
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)])
    committed = sum(place.offset for place in asked[name].result(TIMEOUT_S).topic_partitions)
    listed = admin.list_consumer_groups().result(TIMEOUT_S).valid
    is_exactly_once = transact(common, name, count)
    for future in admin.delete_consumer_groups([name]).values():
        future.result(TIMEOUT_S)
    for future in admin.delete_topics([name, f"{name}-txn"]).values():
        future.result(TIMEOUT_S)
    gone = name not in admin.list_topics(timeout=TIMEOUT_S).topics
    values = shares[0] + shares[1]
    seen = {"partitions": partitions, "produced": len(offsets), "read": len(values)}
    seen |= {"distinct": len(set(values)), "shares": [len(share) for share in shares]}
    seen |= {"taken_over": taken_over, "committed": committed, "by_time": by_time, "end": end}
    seen |= {"group_listed": name in [group.group_id for group in listed], "deleted": gone}
    print(json.dumps({**seen, "transactions": is_exactly_once}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
