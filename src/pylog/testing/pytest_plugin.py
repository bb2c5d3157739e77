"""The pytest plugin: the fixture `kafka_server`.

    def test_orders(kafka_server):
        producer = Producer({"bootstrap.servers": kafka_server.bootstrap_servers})

    @pytest.mark.kafka_server(brokers=3, properties={"num.partitions": "4"})
    def test_cluster(kafka_server): ...

Nothing is imported before the first test that uses it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pylog.testing.server import Server


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "kafka_server(**options): options of pylog.testing.Server for kafka_server"
    )


@pytest.fixture
def kafka_server(request: pytest.FixtureRequest) -> "Iterator[Server]":
    """A Kafka of the test's own, empty, in memory: pylog.testing.Server."""
    from pylog.testing.server import Server

    marker = request.node.get_closest_marker("kafka_server")
    with Server(**(marker.kwargs if marker is not None else {})) as server:
        yield server
