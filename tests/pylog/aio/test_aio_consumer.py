"""pylog.aio.Consumer: the sync consumer's messages, in a loop that goes on."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pylog
from pylog import KafkaError, KafkaException, TopicPartition, aio

WAIT_S = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "log")


@pytest.fixture
def random_source(request: pytest.FixtureRequest) -> random.Random:
    seed = int(os.environ.get("PYLOG_SEED") or random.SystemRandom().getrandbits(32))
    sys.stdout.write(f"{request.node.name}: replay with PYLOG_SEED={seed}\n")
    return random.Random(seed)


def append(folder: str, count: int, first: int = 0, partitions: int = 1, topic: str = "t") -> None:
    with pylog.open(folder) as log:
        target = log.topic(topic, partitions=partitions)
        for partition in range(partitions):
            target.append_many(
                [b"%d" % number for number in range(first, first + count)], partition=partition
            )


@contextlib.contextmanager
def appending(folder: str, count: int, pause_s: float = 0.0) -> Iterator[None]:
    """Append from another thread meanwhile, one by one."""

    def work() -> None:
        with pylog.open(folder) as log:
            topic = log.topic("t")
            for number in range(count):
                topic.append(b"%d" % number)
                if pause_s:
                    time.sleep(pause_s)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def from_start(partitions: int = 1) -> list[TopicPartition]:
    return [TopicPartition("t", partition, 0) for partition in range(partitions)]


def values(messages: list[pylog.Message]) -> list[int]:
    return [int(message.value() or b"") for message in messages]


async def take(consumer: aio.Consumer, count: int) -> list[pylog.Message]:
    messages = []
    async for message in consumer:
        messages.append(message)
        if len(messages) == count:
            break
    return messages


def test_async_for_gives_each_message_once_and_in_order(folder: str):
    append(folder, 1000, partitions=3)

    async def main() -> None:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign(from_start(3))
            messages = await take(consumer, 3000)
        for partition in range(3):
            own = [message for message in messages if message.partition() == partition]
            assert values(own) == list(range(1000))

    asyncio.run(main())


def test_poll_and_consume_wait_for_what_another_thread_appends(folder: str):
    append(folder, 0)

    async def main() -> None:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign(from_start())
            assert await consumer.poll(0) is None
            assert await consumer.poll(0.01) is None
            assert await consumer.consume(5, 0.01) == []
            with appending(folder, 100):
                first = await consumer.poll(WAIT_S)
                assert first is not None
                rest = await consumer.consume(99, WAIT_S)
            assert values([first, *rest]) == list(range(100))
            assert await consumer.consume(5, 0) == []

    asyncio.run(main())


def test_a_message_of_another_process_wakes_the_loop(folder: str):
    append(folder, 0, partitions=2)
    code = (
        "import sys, pylog\n"
        "with pylog.open(sys.argv[1]) as log:\n"
        "    sys.stdin.readline()\n"
        "    log.topic('t').append(b'7', partition=1)\n"
    )

    async def main() -> None:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign(from_start(2))
            program = subprocess.Popen([sys.executable, "-c", code, folder], stdin=subprocess.PIPE)
            waiting = asyncio.create_task(consumer.poll(WAIT_S))
            assert await consumer.position(from_start(2)) == from_start(2)
            await asyncio.to_thread(program.communicate, b"go\n")
            message = await waiting
            assert message is not None
            assert (message.partition(), message.value()) == (1, b"7")
            assert program.returncode == 0

    asyncio.run(main())


def test_a_cancelled_poll_loses_no_message(folder: str, random_source: random.Random):
    append(folder, 0)
    count = 400

    async def main() -> None:
        found: list[pylog.Message] = []
        cancelled = 0
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign(from_start())
            with appending(folder, count, pause_s=0.0005):
                while len(found) < count:
                    wanted = random_source.choice([1, 1, 3, 50])
                    call = (
                        consumer.poll(WAIT_S) if wanted == 1 else consumer.consume(wanted, WAIT_S)
                    )
                    task = asyncio.ensure_future(call)
                    for _ in range(random_source.randrange(6)):
                        await asyncio.sleep(random_source.choice([0, 0, 0.0003]))
                    task.cancel()
                    try:
                        got = await task
                    except asyncio.CancelledError:
                        cancelled += 1
                        continue
                    found += got if isinstance(got, list) else [got] if got is not None else []
        assert values(found) == list(range(count))
        assert cancelled > 0

    asyncio.run(main())


def test_a_poll_that_runs_out_of_time_in_wait_for_loses_no_message(folder: str):
    append(folder, 0)

    async def main() -> None:
        found = []
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign(from_start())
            with appending(folder, 300, pause_s=0.0004):
                while len(found) < 300:
                    with contextlib.suppress(TimeoutError):
                        message = await asyncio.wait_for(consumer.poll(), 0.0005)
                        assert message is not None
                        found.append(message)
        assert values(found) == list(range(300))

    asyncio.run(main())


def test_a_read_only_folder_has_no_bell_and_still_wakes_the_loop(folder: str):
    append(folder, 3)

    async def main() -> None:
        async with aio.Consumer({"log.dir": folder, "read.only": True}) as consumer:
            await consumer.assign(from_start())
            assert values(await take(consumer, 3)) == [0, 1, 2]
            cancelled = asyncio.create_task(consumer.poll())
            await asyncio.sleep(0.01)
            cancelled.cancel()
            waiting = asyncio.create_task(take(consumer, 2))
            await asyncio.to_thread(append, folder, 2, 3)
            assert values(await asyncio.wait_for(waiting, WAIT_S)) == [3, 4]

    asyncio.run(main())


@pytest.mark.parametrize("way", ["async for", "poll", "consume"])
def test_other_tasks_get_their_turn_while_messages_abound(folder: str, way: str):
    append(folder, 20_000)

    async def main() -> None:
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign(from_start())
            other = asyncio.create_task(count_turns())
            if way == "async for":
                await take(consumer, 20_000)
            elif way == "poll":
                for _ in range(20_000):
                    assert await consumer.poll(WAIT_S) is not None
            else:
                assert len(await consumer.consume(20_000, WAIT_S)) == 20_000
            other.cancel()
        assert turns >= 30

    asyncio.run(main())


def test_a_consumer_that_waits_uses_next_to_no_processor_time(folder: str):
    append(folder, 1)

    async def main() -> float:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign([TopicPartition("t", 0, pylog.OFFSET_END)])
            await consumer.poll(0.1)
            start_s = time.process_time()
            assert await consumer.poll(2) is None
            return time.process_time() - start_s

    assert asyncio.run(main()) < 0.1  # of two seconds


def test_calls_go_through_while_another_task_waits_for_messages(folder: str):
    append(folder, 5)

    async def main() -> None:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign([TopicPartition("t", 0, pylog.OFFSET_END)])
            waiting = asyncio.create_task(consumer.poll(WAIT_S))
            await asyncio.sleep(0)
            [assigned] = await consumer.assignment()
            assert (assigned.topic, assigned.partition) == ("t", 0)
            assert await consumer.get_watermark_offsets(TopicPartition("t", 0)) == (0, 5)
            assert "t" in (await consumer.list_topics()).topics
            await consumer.seek(TopicPartition("t", 0, 3))
            message = await waiting
            assert message is not None
            assert message.offset() == 3
            [position] = await consumer.position([TopicPartition("t", 0)])
            assert position.offset == 4
            await consumer.pause([TopicPartition("t", 0)])
            assert await consumer.poll(0.05) is None
            await consumer.resume([TopicPartition("t", 0)])
            assert values(await consumer.consume(1, WAIT_S)) == [4]
            [when] = await consumer.offsets_for_times([TopicPartition("t", 0, 0)])
            assert when.offset == 0
            await consumer.unassign()
            await consumer.incremental_assign([TopicPartition("t", 0, 1)])
            assert values(await take(consumer, 2)) == [1, 2]
            await consumer.incremental_unassign([TopicPartition("t", 0)])
            assert await consumer.assignment() == []
            assert await consumer.cluster_id() == await consumer.cluster_id()

    asyncio.run(main())


def test_breaking_out_of_the_loop_leaves_the_next_message_to_the_next_loop(folder: str):
    append(folder, 100)

    async def main() -> None:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign(from_start())
            assert values(await take(consumer, 10)) == list(range(10))
            [position] = await consumer.position([TopicPartition("t", 0)])
            assert position.offset == 10
            assert values(await take(consumer, 90)) == list(range(10, 100))

    asyncio.run(main())


def test_what_a_cancelled_call_took_is_forgotten_when_it_is_no_longer_wanted(folder: str):
    append(folder, 10, partitions=2)

    async def main() -> None:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            await consumer.assign(from_start(2))
            task = asyncio.create_task(consumer.consume(30, WAIT_S))
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
            await consumer.seek(TopicPartition("t", 0, 8))
            await consumer.incremental_unassign([TopicPartition("t", 1)])
            assert values(await take(consumer, 2)) == [8, 9]
            assert await consumer.poll(0) is None

    asyncio.run(main())


def test_closing_ends_those_who_wait(folder: str):
    append(folder, 1)

    async def main() -> None:
        consumer = aio.Consumer({"log.dir": folder})
        await consumer.assign([TopicPartition("t", 0, pylog.OFFSET_END)])
        polling = asyncio.create_task(consumer.poll())
        iterating = asyncio.create_task(take(consumer, 1))
        await asyncio.sleep(0.01)
        start_s = time.monotonic()
        await consumer.close()
        with pytest.raises(RuntimeError, match="Consumer closed"):
            await polling
        assert await iterating == []
        assert time.monotonic() - start_s < WAIT_S
        for call in (consumer.poll(0), consumer.assignment(), consumer.assign([])):
            with pytest.raises(RuntimeError, match="Consumer closed"):
                await call
        await consumer.close()

    asyncio.run(main())


def test_an_event_that_is_an_error_is_raised_and_an_end_is_not(folder: str):
    append(folder, 2)

    async def main() -> None:
        config = {"log.dir": folder, "enable.partition.eof": True, "auto.offset.reset": "error"}
        async with aio.Consumer(config) as consumer:
            await consumer.assign(from_start())
            assert values(await take(consumer, 2)) == [0, 1]
            await asyncio.to_thread(append, folder, 1, 2)
            assert values(await take(consumer, 1)) == [2]
            await consumer.seek(TopicPartition("t", 0, 99))
            with pytest.raises(KafkaException) as raised:
                await take(consumer, 1)
            assert raised.value.args[0] == KafkaError._AUTO_OFFSET_RESET

    asyncio.run(main())


def test_errors_of_calls_are_the_sync_consumers(folder: str):
    append(folder, 1)

    async def main() -> None:
        async with aio.Consumer({"log.dir": folder}) as consumer:
            with pytest.raises(KafkaException) as raised:
                await consumer.assign([TopicPartition("none", 0)])
            assert raised.value.args[0] == KafkaError.UNKNOWN_TOPIC_OR_PART
            with pytest.raises(ValueError, match="num_messages"):
                await consumer.consume(-1)
        with pytest.raises(KafkaException) as raised:
            aio.Consumer({"log.dir": folder, "no.such.key": 1})
        assert raised.value.args[0] == KafkaError._INVALID_ARG

    asyncio.run(main())


def test_a_consumer_is_made_in_a_running_loop(folder: str):
    with pytest.raises(RuntimeError, match="no running event loop"):
        aio.Consumer({"log.dir": folder})


def test_pylog_does_not_load_its_asyncio_part():
    code = "import sys, pylog; print(sorted(n for n in sys.modules if n.startswith('pylog.aio')))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert told == "[]\n"
