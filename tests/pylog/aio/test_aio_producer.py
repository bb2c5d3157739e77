"""pylog.aio.Producer: futures that are done when a message is as safe as acks asks."""

import asyncio
import gc
from pathlib import Path

import pytest

import pylog
from pylog import KafkaError, KafkaException, aio

WAIT_S = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "log")


def read(folder: str, topic: str = "t", partition: int = 0) -> list[bytes | None]:
    with pylog.open(folder) as log:
        return [message.value() for message in log.topic(topic).read(partition)]


@pytest.mark.parametrize("acks", [0, 1, "all"])
@pytest.mark.parametrize("linger_ms", [0, 1])
def test_the_future_is_the_message_with_its_offset(folder: str, acks: object, linger_ms: int):
    async def main() -> None:
        config = {"log.dir": folder, "acks": acks, "linger.ms": linger_ms}
        async with aio.Producer(config) as producer:
            for offset in range(3):
                future = await producer.produce(
                    "t", f"value {offset}", key=b"key", headers={"h": b"1"}, timestamp=1000
                )
                message = await asyncio.wait_for(future, WAIT_S)
                assert (message.topic(), message.partition(), message.offset()) == ("t", 0, offset)
                assert message.error() is None
            assert len(producer) == 0

    asyncio.run(main())
    assert read(folder) == [b"value 0", b"value 1", b"value 2"]


def test_flush_settles_the_futures_of_all_that_was_produced(folder: str):
    async def main() -> None:
        async with aio.Producer({"log.dir": folder, "linger.ms": 10_000}) as producer:
            futures = [await producer.produce("t", b"%d" % number) for number in range(5000)]
            assert await producer.flush() == 0
            assert all(future.done() for future in futures)
            assert [future.result().offset() for future in futures] == list(range(5000))

    asyncio.run(main())
    assert read(folder) == [b"%d" % number for number in range(5000)]


def test_leaving_the_context_flushes(folder: str):
    async def main() -> None:
        async with aio.Producer({"log.dir": folder, "linger.ms": 10_000}) as producer:
            future = await producer.produce("t", b"value")
        assert future.result().offset() == 0

    asyncio.run(main())
    assert read(folder) == [b"value"]


def test_a_full_queue_makes_produce_wait(folder: str):
    async def main() -> None:
        config = {"log.dir": folder, "queue.buffering.max.messages": 10, "linger.ms": 1}
        async with aio.Producer(config) as producer:
            futures = []
            for number in range(500):
                futures.append(await producer.produce("t", b"%d" % number))
                assert len(producer) <= 10
            messages = await asyncio.wait_for(asyncio.gather(*futures), WAIT_S)
            assert [message.offset() for message in messages] == list(range(500))

    asyncio.run(main())


def test_other_tasks_get_their_turn_while_much_is_produced(folder: str):
    async def main() -> None:
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with aio.Producer({"log.dir": folder}) as producer:
            other = asyncio.create_task(count_turns())
            for number in range(20_000):
                await producer.produce("t", b"%d" % number)
            other.cancel()
        assert turns >= 20_000 // 300

    asyncio.run(main())
    assert len(read(folder)) == 20_000


def test_delivery_callbacks_are_called_in_the_loop_and_may_be_coroutines(folder: str):
    async def main() -> None:
        told: list[tuple[str, int]] = []
        loop = asyncio.get_running_loop()
        last = asyncio.Event()

        def by_default(error: KafkaError | None, message: pylog.Message) -> None:
            assert error is None
            assert asyncio.get_running_loop() is loop
            told.append(("default", message.offset()))

        async def own(error: KafkaError | None, message: pylog.Message) -> None:
            await asyncio.sleep(0)
            told.append(("own", message.offset()))
            last.set()

        config = {"log.dir": folder, "on_delivery": by_default}
        async with aio.Producer(config) as producer:
            await (await producer.produce("t", b"0"))
            await (await producer.produce("t", b"1", on_delivery=own))
            await asyncio.wait_for(last.wait(), WAIT_S)
        assert told == [("default", 0), ("own", 1)]

    asyncio.run(main())


def test_a_delivery_callback_that_fails_harms_no_other_message(folder: str):
    async def main() -> None:
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        def fail(error: object, message: object) -> None:
            raise ZeroDivisionError

        async with aio.Producer({"log.dir": folder}) as producer:
            futures = [await producer.produce("t", b"x", on_delivery=fail) for _ in range(3)]
            await producer.flush()
            assert [future.result().offset() for future in futures] == [0, 1, 2]
        assert [type(context["exception"]) for context in told] == [ZeroDivisionError] * 3

    asyncio.run(main())


def test_a_message_that_is_not_written_fails_its_future(folder: str):
    async def main() -> None:
        async with aio.Producer({"log.dir": folder, "linger.ms": 10_000}) as producer:
            future = await producer.produce("t", b"value")
            await producer.purge()
            with pytest.raises(KafkaException) as raised:
                await asyncio.wait_for(future, WAIT_S)
            assert raised.value.args[0] == KafkaError._PURGE_QUEUE

    asyncio.run(main())
    assert read(folder) == []


def test_a_cancelled_future_does_not_take_back_its_message(folder: str):
    async def main() -> None:
        async with aio.Producer({"log.dir": folder, "linger.ms": 10}) as producer:
            future = await producer.produce("t", b"value")
            future.cancel()
            assert await producer.flush() == 0

    asyncio.run(main())
    assert read(folder) == [b"value"]


def test_what_produce_refuses_is_raised_at_once(folder: str):
    async def main() -> None:
        async with aio.Producer({"log.dir": folder}) as producer:
            with pytest.raises(KafkaException) as raised:
                await producer.produce("t", b"x", partition=7)
            assert raised.value.args[0] == KafkaError._UNKNOWN_PARTITION
            with pytest.raises(TypeError):
                await producer.produce("t", 5)
            assert "t" in (await producer.list_topics()).topics
            assert await producer.poll(0) == 0
        for call in (producer.produce("t", b"x"), producer.flush(), producer.list_topics()):
            with pytest.raises(RuntimeError, match="Producer closed"):
                await call
        await producer.close()
        assert len(producer) == 0

    asyncio.run(main())


def test_a_producer_and_a_consumer_in_one_loop_pass_messages_on(folder: str):
    async def main() -> None:
        async with (
            aio.Producer({"log.dir": folder, "linger.ms": 0}) as producer,
            aio.Consumer({"log.dir": folder}) as consumer,
        ):
            await (await producer.produce("t", b"0"))
            await consumer.assign([pylog.TopicPartition("t", 0, 0)])
            async for message in consumer:
                number = int(message.value() or b"")
                assert message.offset() == number
                if number == 200:
                    break
                await producer.produce("t", b"%d" % (number + 1))

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_transactions_are_awaited(folder: str):
    async def main() -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        async with aio.Producer({"log.dir": folder, "transactional.id": "x"}) as producer:
            await producer.init_transactions()
            await producer.begin_transaction()
            futures = [await producer.produce("t", b"%d" % number) for number in range(10)]
            await producer.commit_transaction()
            assert [future.result().offset() for future in futures] == list(range(10))
            await producer.begin_transaction()
            dropped = await producer.produce("t", b"never seen")
            await producer.abort_transaction()
            assert dropped.done()
            del dropped
        config = {"log.dir": folder, "isolation.level": "read_committed"}
        async with aio.Consumer(config) as consumer:
            await consumer.assign([pylog.TopicPartition("t", 0, 0)])
            messages = await consumer.consume(20, 0.1)
            assert [message.value() for message in messages] == [b"%d" % n for n in range(10)]
        gc.collect()
        assert told == []

    asyncio.run(main())


def test_loop_after_loop_has_clients_of_its_own(folder: str):
    async def main(number: int) -> int | None:
        async with aio.AIOProducer({"log.dir": folder}, max_workers=1, batch_size=5) as producer:
            return (await (await producer.produce("t", b"%d" % number))).offset()

    assert [asyncio.run(main(number)) for number in range(3)] == [0, 1, 2]
