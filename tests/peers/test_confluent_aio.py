"""pylog.aio beside confluent_kafka.aio: its names; one program on a folder and on a cluster."""

import asyncio
import inspect
from typing import Any

import pytest
from sides import new_topic_name

import pylog
import pylog.admin
from pylog import aio

pytestmark = pytest.mark.peer

WAIT_S = 60.0
COUNT = 200


@pytest.mark.parametrize("name", ["AIOConsumer", "AIOProducer"])
def test_each_method_is_there_and_awaited_where_theirs_is(name: str) -> None:
    their_aio = pytest.importorskip("confluent_kafka.aio", reason="pip install confluent-kafka")
    theirs, ours = getattr(their_aio, name), getattr(aio, name)
    for method in sorted(word for word in dir(theirs) if not word.startswith("_")):
        found = getattr(ours, method, None)
        assert found is not None, method
        assert inspect.iscoroutinefunction(found), method
    for method in ("__aenter__", "__aexit__"):
        assert inspect.iscoroutinefunction(getattr(ours, method))


@pytest.mark.parametrize("place", ["folder", "cluster"])
def test_one_program_runs_on_a_folder_and_on_a_cluster(
    place: str, broker: Any, tmp_path: Any
) -> None:
    pytest.importorskip("confluent_kafka", reason="pip install confluent-kafka")
    base: dict[str, Any] = {"log.dir": str(tmp_path / "log")}
    if place == "cluster":
        base = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 2}
    told: list[str] = []
    name = new_topic_name()

    async def on_assign(consumer: aio.Consumer, partitions: list[pylog.TopicPartition]) -> None:
        await asyncio.sleep(0)
        told.append("assign")

    async def on_revoke(consumer: aio.Consumer, partitions: list[pylog.TopicPartition]) -> None:
        await consumer.commit(asynchronous=False)
        told.append("revoke")

    async def main() -> None:
        admin = pylog.admin.AdminClient(base)
        made = await asyncio.to_thread(admin.create_topics, [pylog.admin.NewTopic(name, 1)])
        await asyncio.wrap_future(made[name])
        async with aio.Producer(base) as producer:
            futures = [
                await producer.produce(name, str(number), headers={"n": b"1"})
                for number in range(COUNT)
            ]
            messages = await asyncio.gather(*futures)
            assert [message.offset() for message in messages] == list(range(COUNT))
        config = {**base, "group.id": name, "auto.offset.reset": "earliest"}
        values = []
        async with aio.Consumer(config) as consumer:
            await consumer.subscribe([name], on_assign=on_assign, on_revoke=on_revoke)
            async for message in consumer:
                values.append(message.value())
                if len(values) == COUNT:
                    break
            assert told == ["assign"]
        assert told == ["assign", "revoke"]
        assert values == [b"%d" % number for number in range(COUNT)]
        async with aio.Consumer(config) as consumer:
            [committed] = await consumer.committed([pylog.TopicPartition(name, 0)], 10)
            assert committed.offset == COUNT

    asyncio.run(asyncio.wait_for(main(), WAIT_S))
