"""What tests of the handlers share: a server for a module, a client and a topic for a test."""

import asyncio

import pytest
from produced import create
from wire_client import WireClient

import pylog.testing.server
from pylog.testing import Server


@pytest.fixture(params=["uvloop", "asyncio"])
def each_loop(request, monkeypatch):
    """Servers of the test run on it: once on uvloop, once on asyncio's."""
    if request.param == "asyncio":
        monkeypatch.setattr(pylog.testing.server, "new_loop", asyncio.new_event_loop)
    else:
        pytest.importorskip("uvloop")


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
