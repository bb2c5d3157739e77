"""A Kafka for tests: starts in some milliseconds, forgets everything, drops nothing.

    from pylog.testing import Server

    with Server() as server:
        producer = Producer({"bootstrap.servers": server.bootstrap_servers})

With pytest the fixture `kafka_server` is one of these (pytest_plugin.py).
"""

from pylog.testing.process import ServerProcess
from pylog.testing.server import MEMORY, Server

__all__ = ["MEMORY", "Server", "ServerProcess"]
