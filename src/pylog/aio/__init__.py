"""Producer and Consumer for asyncio: the same core, awaited.

`AIOProducer` and `AIOConsumer` are confluent_kafka.aio's names for them. Not imported by `pylog`
itself: a program that does not use asyncio does not load it.
"""

from pylog.aio.consumer import Consumer
from pylog.aio.producer import Producer

AIOConsumer = Consumer
AIOProducer = Producer

__all__ = ["AIOConsumer", "AIOProducer", "Consumer", "Producer"]
