"""Who waits for records: woken by this server, by other programs, by the clock."""

import asyncio
import subprocess
import sys

import pytest

import pylog
from pylog.log_dir import LogDir
from pylog.server.delayed import Delayed, Waiting

FAR_S = 60.0


class ForEnd(Waiting):
    """Waits until a log has reached an offset."""

    __slots__ = ("future", "offset")

    def __init__(self, loop, logs, offset, wait_s=FAR_S):
        super().__init__(loop.time() + wait_s, logs)
        self.offset = offset
        self.future = loop.create_future()

    def try_complete(self):
        if sum(log.log_end_offset for log in self.logs) < self.offset:
            return False
        self.future.set_result("complete")
        return True

    def expire(self):
        self.future.set_result("expired")


@pytest.fixture
def log_dir(tmp_path):
    with LogDir.open(tmp_path) as log_dir:
        log_dir.create_topic("t", 2)
        yield log_dir


def run(log_dir, body):
    async def main():
        loop = asyncio.get_running_loop()
        delayed = Delayed(loop, log_dir.notify)
        try:
            await body(loop, delayed)
        finally:
            delayed.close()

    asyncio.run(main())


def append(log_dir, partition=0):
    with pylog.open(log_dir.path) as log:
        return log.topic("t").append(b"value", partition=partition)


def test_what_is_there_already_is_not_waited_for(log_dir):
    append(log_dir)

    async def body(loop, delayed):
        waiting = ForEnd(loop, [log_dir.partition("t", 0)], 1)
        delayed.add(waiting)
        assert waiting.future.result() == "complete"
        assert len(delayed) == 0

    run(log_dir, body)


def test_an_append_of_this_server_completes_at_once(log_dir):
    async def body(loop, delayed):
        log = log_dir.partition("t", 0)
        waiting = ForEnd(loop, [log, log_dir.partition("t", 1)], 2)
        delayed.add(waiting)
        append(log_dir)
        delayed.appended(log)
        assert not waiting.future.done()
        append(log_dir)
        delayed.appended(log)
        assert waiting.future.result() == "complete"
        assert len(delayed) == 0

    run(log_dir, body)


def test_an_append_of_another_process_wakes_the_loop(log_dir):
    program = (
        "import sys, pylog\n"
        "with pylog.open(sys.argv[1]) as log:\n"
        "    sys.stdin.readline()\n"
        "    log.topic('t').append(b'value', partition=1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, log_dir.path], stdin=subprocess.PIPE)

    async def body(loop, delayed):
        log = log_dir.partition("t", 1)
        waiting = ForEnd(loop, [log], log.log_end_offset + 1)
        delayed.add(waiting)
        process.stdin.write(b"\n")
        process.stdin.close()
        assert await asyncio.wait_for(waiting.future, 30) == "complete"

    run(log_dir, body)
    assert process.wait() == 0


def test_many_wakes_in_a_row_are_all_noticed(log_dir):
    async def body(loop, delayed):
        log = log_dir.partition("t", 0)
        for number in range(200):
            waiting = ForEnd(loop, [log], number + 1)
            delayed.add(waiting)
            await loop.run_in_executor(None, append, log_dir)
            assert await asyncio.wait_for(waiting.future, 30) == "complete"

    run(log_dir, body)


def test_who_waits_too_long_expires_in_the_order_of_the_deadlines(log_dir):
    async def body(loop, delayed):
        log = log_dir.partition("t", 0)
        order = []
        waitings = [ForEnd(loop, [log], 1, wait_s) for wait_s in (0.05, 0.01, 0.03, FAR_S)]
        for index, waiting in enumerate(waitings):
            waiting.future.add_done_callback(lambda _, index=index: order.append(index))
            delayed.add(waiting)
        assert await asyncio.wait_for(waitings[0].future, 30) == "expired"
        await asyncio.sleep(0)
        assert order == [1, 2, 0]
        assert len(delayed) == 1

    run(log_dir, body)


def test_who_was_removed_is_not_answered(log_dir):
    async def body(loop, delayed):
        log = log_dir.partition("t", 0)
        gone, there = ForEnd(loop, [log], 1, 0.01), ForEnd(loop, [log], 1, 0.02)
        delayed.add(gone)
        delayed.add(there)
        delayed.remove(gone)
        delayed.remove(gone)
        await there.future
        assert not gone.future.done()

    run(log_dir, body)


def test_everybody_is_answered_at_the_end(log_dir):
    waitings = []

    async def body(loop, delayed):
        waitings.append(ForEnd(loop, [log_dir.partition("t", 0)], 1))
        delayed.add(waitings[0])

    run(log_dir, body)
    assert waitings[0].future.result() == "expired"
