"""What tests of the handlers share: a server for a module, a client and a topic for a test."""

import pytest
from produced import create
from wire_client import WireClient

from pylog.testing import Server


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture
def client(server):
    with WireClient(server) as client:
        yield client


@pytest.fixture
def topic(client, request):
    """A new topic of one partition."""
    name = f"t{abs(hash(request.node.name))}"
    create(client, name)
    return name
