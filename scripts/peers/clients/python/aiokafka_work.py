"""What aiokafka does with a server: `aiokafka_work.py BOOTSTRAP NAME COUNT`.

../README.md has the work that each client program does, and the line that it prints.
"""

import asyncio
import json
import sys

import security
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PARTITIONS = 4
TIMEOUT_S = 60


async def wait_for(members, wanted):
    """Wait until `members` hold `wanted` partitions each."""
    async with asyncio.timeout(TIMEOUT_S):
        while [len(member.assignment()) for member in members] != wanted:
            await asyncio.sleep(0.05)


async def read(member, values):
    """Read until cancelled; return nothing."""
    async for record in member:
        values.append(int(record.value))


async def transact(common, name, count):
    """Write two transactions, one of them aborted; return what read_committed sees."""
    producer = AIOKafkaProducer(transactional_id=name, **common)
    await producer.start()
    for is_committed in (False, True):
        await producer.begin_transaction()
        for _ in range(count):
            await producer.send(f"{name}-txn", b"yes" if is_committed else b"no")
        await (producer.commit_transaction() if is_committed else producer.abort_transaction())
    await producer.stop()
    reading = {"isolation_level": "read_committed", "auto_offset_reset": "earliest", **common}
    reader = AIOKafkaConsumer(f"{name}-txn", **reading)
    await reader.start()
    seen = []
    async with asyncio.timeout(TIMEOUT_S):
        while len(seen) < count:
            for records in (await reader.getmany(timeout_ms=500)).values():
                seen += [record.value for record in records]
    await reader.stop()
    return seen == [b"yes"] * count


async def main(bootstrap, name, count):
    """Do the work and print what was seen."""
    common = {"bootstrap_servers": bootstrap.split(","), **security.for_aiokafka()}
    admin = AIOKafkaAdminClient(**common)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1), NewTopic(f"{name}-txn", 1, 1)])
    partitions = len((await admin.describe_topics([name]))[0]["partitions"])

    reading = {"group_id": name, "auto_offset_reset": "earliest", "enable_auto_commit": False}
    reading |= {"heartbeat_interval_ms": 500, **common}
    members = [AIOKafkaConsumer(name, **reading) for _ in range(2)]
    await members[0].start()
    await wait_for(members[:1], [PARTITIONS])
    await members[1].start()
    await wait_for(members, [PARTITIONS // 2] * 2)

    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **common)
    await producer.start()
    sent = [await producer.send(name, b"%d" % i, b"key %d" % i) for i in range(count)]
    produced = sum([(await future).offset >= 0 for future in sent])
    await producer.stop()

    shares = [[], []]
    tasks = [asyncio.create_task(read(m, v)) for m, v in zip(members, shares, strict=True)]
    async with asyncio.timeout(TIMEOUT_S):
        while sum(map(len, shares)) < count:
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for member in members:
        await member.commit()
    await members[1].stop()
    await wait_for(members[:1], [PARTITIONS])
    taken_over = len(members[0].assignment())
    places = [TopicPartition(name, partition) for partition in range(partitions)]
    found = await members[0].offsets_for_times(dict.fromkeys(places, 1))
    by_time = sum(place.offset for place in found.values())
    end = sum((await members[0].end_offsets(places)).values())
    await members[0].stop()
    offsets = await admin.list_consumer_group_offsets(name)
    groups = name in str(await admin.list_consumer_groups())
    is_exactly_once = await transact(common, name, 10)
    await admin.delete_topics([name, f"{name}-txn"])
    gone = name not in await admin.list_topics()
    await admin.close()
    values = shares[0] + shares[1]
    seen = {"partitions": partitions, "produced": produced, "read": len(values)}
    seen |= {"distinct": len(set(values)), "shares": [len(share) for share in shares]}
    seen |= {"taken_over": taken_over, "by_time": by_time, "end": end}
    seen |= {"committed": sum(place.offset for place in offsets.values())}
    seen |= {"group_listed": groups, "deleted": gone, "transactions": is_exactly_once}
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
