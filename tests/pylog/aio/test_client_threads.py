"""ClientThreads: blocking calls in threads, their callbacks in the loop."""

import asyncio
import threading

import pytest

from pylog.aio.threads import ClientThreads

WAIT_S = 20.0


def test_a_callback_of_a_thread_runs_in_the_loop_and_the_thread_waits_for_it():
    async def main() -> None:
        threads = ClientThreads("test", 2)
        loop_thread = threading.get_ident()
        order = []

        async def callback(word: str) -> str:
            await asyncio.sleep(0.01)
            order.append(word)
            assert threading.get_ident() == loop_thread
            return word.upper()

        def work() -> str:
            answer: str = threads.in_loop(callback)("called")
            order.append("after")
            return answer

        assert await threads.call(work) == "CALLED"
        assert order == ["called", "after"]
        threads.shut_down()

    asyncio.run(main())


def test_what_a_callback_awaits_of_its_client_does_not_wait_for_the_call_it_serves():
    async def main() -> None:
        threads = ClientThreads("test", 2)

        async def callback() -> str:
            assert threads.is_serving
            first, second = await asyncio.gather(
                threads.call(lambda: "in"), threads.call(lambda: "side")
            )
            return first + second

        waiting = threads.call(threads.in_loop(callback))
        assert await asyncio.wait_for(waiting, WAIT_S) == "inside"
        assert not threads.is_serving
        threads.shut_down()

    asyncio.run(main())


def test_what_a_callback_awaits_runs_in_the_thread_that_waits_for_it():
    # A lock that knows its thread, as confluent_kafka's, would keep any other thread out.
    async def main() -> None:
        threads = ClientThreads("test", 1)
        found: list[int] = []
        late: list[asyncio.Task[None]] = []

        async def callback() -> None:
            found.append(await threads.call(threading.get_ident))
            late.append(asyncio.create_task(after_it()))

        async def after_it() -> None:
            while threads.is_serving:
                await asyncio.sleep(0)
            await threads.call(lambda: found.append(0))

        def work() -> None:
            found.append(threading.get_ident())
            threads.in_loop(callback)()

        await threads.call(work)
        await asyncio.wait_for(late[0], WAIT_S)
        assert found == [found[0], found[0], 0]
        threads.shut_down()

    asyncio.run(main())


def test_a_callbacks_exception_is_the_calls():
    async def main() -> None:
        threads = ClientThreads("test", 2)

        async def callback() -> None:
            raise ZeroDivisionError("here")

        with pytest.raises(ZeroDivisionError, match="here"):
            await threads.call(threads.in_loop(callback))
        threads.shut_down()

    asyncio.run(main())


def test_a_coroutine_that_is_called_back_in_the_loop_itself_runs_by_itself():
    async def main() -> None:
        threads = ClientThreads("test", 2)
        done = asyncio.Event()

        async def callback() -> None:
            done.set()

        threads.in_loop(callback)()
        await asyncio.wait_for(done.wait(), WAIT_S)
        threads.shut_down()

    asyncio.run(main())


def test_a_cancelled_call_ends_before_the_next_begins():
    async def main() -> None:
        threads = ClientThreads("test", 3)
        begun, may_end = threading.Event(), threading.Event()
        order = []

        def first() -> None:
            begun.set()
            assert may_end.wait(WAIT_S)
            order.append("first")

        task = asyncio.create_task(threads.call(first))
        await asyncio.to_thread(begun.wait, WAIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        following = asyncio.create_task(threads.call(lambda: order.append("second")))
        await asyncio.sleep(0.01)
        assert order == []
        may_end.set()
        await asyncio.wait_for(following, WAIT_S)
        assert order == ["first", "second"]
        threads.shut_down()

    asyncio.run(main())


def test_a_callback_after_the_loops_end_is_an_error_and_not_a_thread_that_waits_for_ever():
    async def main() -> ClientThreads:
        return ClientThreads("test", 2)

    threads = asyncio.run(main())

    async def callback() -> None:
        """Never called."""

    found = []

    def work() -> None:
        try:
            threads.in_loop(callback)()
        except RuntimeError as error:
            found.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(WAIT_S)
    assert found == ["the event loop is closed: a callback cannot run"]


def test_there_is_at_least_one_thread():
    async def main() -> None:
        with pytest.raises(ValueError, match="max_workers"):
            ClientThreads("test", 0)

    asyncio.run(main())
