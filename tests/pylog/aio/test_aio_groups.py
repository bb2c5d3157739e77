"""Groups in asyncio: rebalances in the loop, commits awaited."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import pylog
from pylog import KafkaError, KafkaException, TopicPartition, aio

WAIT_S = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> str:
    path = str(tmp_path / "log")
    with pylog.open(path) as log:
        topic = log.topic("t", partitions=4)
        for partition in range(4):
            topic.append_many([b"%d" % number for number in range(100)], partition=partition)
    return path


def config(folder: str, **more: Any) -> dict[str, Any]:
    return {"log.dir": folder, "group.id": "g", "auto.offset.reset": "earliest", **more}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await condition():
            await asyncio.sleep(0.01)


def test_async_for_over_a_subscription_reads_everything_once(folder: str):
    async def main() -> None:
        found = []
        async with aio.Consumer(config(folder)) as consumer:
            await consumer.subscribe(["t"])
            async for message in consumer:
                found.append((message.partition(), message.offset()))
                if len(found) == 400:
                    break
            assert await consumer.memberid()
        assert sorted(found) == [(p, offset) for p in range(4) for offset in range(100)]

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


@pytest.mark.parametrize("is_coroutine", [True, False])
def test_rebalance_callbacks_run_in_the_loop_with_the_consumer_that_was_subscribed(
    folder: str, is_coroutine: bool
):
    async def main() -> None:
        told: list[tuple[str, int]] = []
        loop = asyncio.get_running_loop()
        consumer = aio.Consumer(config(folder))

        def note(what: str) -> Callable[..., Any]:
            def plain(of: aio.Consumer, partitions: list[TopicPartition]) -> None:
                assert of is consumer
                assert asyncio.get_running_loop() is loop
                told.append((what, len(partitions)))

            async def coroutine(of: aio.Consumer, partitions: list[TopicPartition]) -> None:
                await asyncio.sleep(0.01)
                plain(of, partitions)

            return coroutine if is_coroutine else plain

        await consumer.subscribe(["t"], on_assign=note("assign"), on_revoke=note("revoke"))
        assert await consumer.poll(WAIT_S) is not None
        assert told == [("assign", 4)]
        await consumer.close()
        assert told == [("assign", 4), ("revoke", 4)]

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_callbacks_may_await_the_consumer(folder: str):
    async def main() -> None:
        revoked = asyncio.Event()

        async def on_assign(consumer: aio.Consumer, partitions: list[TopicPartition]) -> None:
            await consumer.assign([TopicPartition("t", one.partition, 90) for one in partitions])

        async def on_revoke(consumer: aio.Consumer, partitions: list[TopicPartition]) -> None:
            await consumer.commit(asynchronous=False)
            assert len(await consumer.position(partitions)) == len(partitions)
            with pytest.raises(RuntimeError, match="callback cannot poll"):
                await consumer.poll(0)
            revoked.set()

        async with aio.Consumer(config(folder, **{"enable.auto.commit": False})) as consumer:
            await consumer.subscribe(["t"], on_assign=on_assign, on_revoke=on_revoke)
            assert len(await consumer.consume(40, 1)) == 40
        assert revoked.is_set()
        async with aio.Consumer(config(folder)) as consumer:
            wanted = [TopicPartition("t", number) for number in range(4)]
            assert [one.offset for one in await consumer.committed(wanted)] == [100] * 4

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_what_a_callback_raises_is_raised_by_the_poll_that_called_it(folder: str):
    async def main() -> None:
        async def on_assign(consumer: aio.Consumer, partitions: list[TopicPartition]) -> None:
            raise ZeroDivisionError

        async with aio.Consumer(config(folder)) as consumer:
            await consumer.subscribe(["t"], on_assign=on_assign)
            with pytest.raises(ZeroDivisionError):
                await consumer.poll(WAIT_S)

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_members_of_one_loop_share_the_partitions_and_take_over(folder: str):
    async def main() -> None:
        async with aio.Consumer(config(folder)) as first:
            await first.subscribe(["t"])
            second = aio.Consumer(config(folder))
            await second.subscribe(["t"])
            pumps = [asyncio.create_task(pump(first)), asyncio.create_task(pump(second))]

            async def is_shared() -> bool:
                sizes = [len(await one.assignment()) for one in (first, second)]
                return sizes == [2, 2]

            async def is_alone() -> bool:
                return len(await first.assignment()) == 4

            await until(is_shared)
            await second.close()
            await until(is_alone)
            for task in pumps:
                task.cancel()
            await asyncio.wait(pumps)

    async def pump(consumer: aio.Consumer) -> None:
        async for _ in consumer:
            pass

    asyncio.run(asyncio.wait_for(main(), 2 * WAIT_S))


def test_a_rebalance_waits_until_what_consume_has_taken_is_handed_out(folder: str):
    async def main() -> None:
        revoked = asyncio.Event()

        def on_revoke(consumer: aio.Consumer, partitions: list[TopicPartition]) -> None:
            revoked.set()

        first, second = aio.Consumer(config(folder)), aio.Consumer(config(folder))
        await first.subscribe(["t"], on_revoke=on_revoke)
        consuming = asyncio.create_task(first.consume(500, WAIT_S))
        while len(await first.assignment()) < 4:  # until it waits for the last hundred
            await asyncio.sleep(0.01)
        await second.subscribe(["t"])
        joining = asyncio.create_task(second.poll(WAIT_S))
        assert len(await consuming) == 400
        assert not revoked.is_set()
        assert await first.poll(0.01) is None
        assert revoked.is_set()
        joining.cancel()
        await first.close()
        await second.close()

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_messages_of_a_cancelled_call_are_not_committed_until_they_are_handed_out(folder: str):
    async def main() -> None:
        partition = [TopicPartition("t", 0, 0)]
        async with aio.Consumer(config(folder)) as consumer:
            await consumer.assign(partition)
            for _ in range(10):
                assert await consumer.poll(WAIT_S) is not None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(consumer.consume(500), 0.05)
            [position] = await consumer.position(partition)
            assert position.offset == 10
            message = await consumer.poll(WAIT_S)
            assert message is not None
            assert message.offset() == 10
        async with aio.Consumer(config(folder)) as consumer:
            [committed] = await consumer.committed(partition)
            assert committed.offset == 11

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_commits_are_reported_in_the_loop(folder: str):
    async def main() -> None:
        told = asyncio.Event()

        async def on_commit(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
            assert error is None
            assert [(one.partition, one.offset) for one in partitions] == [(1, 7)]
            told.set()

        async with aio.Consumer(config(folder, on_commit=on_commit)) as consumer:
            await consumer.assign([TopicPartition("t", 1, pylog.OFFSET_END)])
            await consumer.commit(offsets=[TopicPartition("t", 1, 7)])
            await consumer.poll(0.1)
            await asyncio.wait_for(told.wait(), WAIT_S)
            await consumer.unassign()

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_stored_offsets_are_what_commit_takes(folder: str):
    async def main() -> None:
        settings = {"enable.auto.offset.store": False, "enable.auto.commit": False}
        async with aio.Consumer(config(folder, **settings)) as consumer:
            await consumer.assign([TopicPartition("t", 0, 0)])
            messages = await consumer.consume(10, WAIT_S)
            await consumer.store_offsets(messages[3])
            assert await consumer.commit(asynchronous=False) is not None
            [committed] = await consumer.committed([TopicPartition("t", 0)])
            assert committed.offset == 4
            assert await consumer.consumer_group_metadata() is not None

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_subscribing_without_a_group_is_refused(folder: str):
    async def main() -> None:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            with pytest.raises(KafkaException) as raised:
                await consumer.subscribe(["t"])
            assert raised.value.args[0] == KafkaError._UNKNOWN_GROUP
        async with aio.Consumer(config(folder)) as consumer:
            with pytest.raises(TypeError, match="callable"):
                await consumer.subscribe(["t"], on_assign=5)  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(main(), WAIT_S))
