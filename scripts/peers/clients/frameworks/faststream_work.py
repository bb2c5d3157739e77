"""A small application of FastStream: doubles numbers; `faststream_work.py BOOTSTRAP NAME COUNT`."""

import asyncio
import json
import sys

from faststream import FastStream
from faststream.confluent import KafkaBroker

TIMEOUT_S = 60


async def main(bootstrap, name, count):
    """Publish numbers, have one handler double them and another collect them, and print."""
    broker = KafkaBroker(bootstrap)
    app = FastStream(broker)
    doubled, done = [], asyncio.Event()

    @broker.subscriber(f"{name}-in", group_id=name, auto_offset_reset="earliest")
    @broker.publisher(f"{name}-out")
    async def double(number: int) -> int:
        return 2 * number

    @broker.subscriber(f"{name}-out", group_id=f"{name}-out", auto_offset_reset="earliest")
    async def collect(number: int) -> None:
        doubled.append(number)
        if len(doubled) == count:
            done.set()

    await app.start()
    for number in range(count):
        await broker.publish(number, f"{name}-in")
    async with asyncio.timeout(TIMEOUT_S):
        await done.wait()
    await app.stop()
    is_right = sorted(doubled) == [2 * number for number in range(count)]
    print(json.dumps({"read": len(doubled), "right": is_right}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
