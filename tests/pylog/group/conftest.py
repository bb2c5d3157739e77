"""What the tests of groups share."""

import os
import random
import sys
import time
from pathlib import Path

import pytest

import pylog

sys.path.insert(0, str(Path(__file__).parents[2] / "crash"))  # child.py


@pytest.fixture
def random_source(request: pytest.FixtureRequest) -> random.Random:
    """Return a generator whose seed is printed with a failure; PYLOG_SEED=n replays it."""
    seed = int(os.environ.get("PYLOG_SEED") or random.SystemRandom().getrandbits(32))
    sys.stdout.write(f"{request.node.name}: replay with PYLOG_SEED={seed}\n")
    return random.Random(seed)


@pytest.fixture
def folder(tmp_path):
    """A folder with a topic `t` of 4 partitions, 100 records each."""
    path = str(tmp_path / "log")
    with pylog.open(path, acks=1) as log:
        topic = log.topic("t", partitions=4)
        for partition in range(4):
            topic.append_many([b"%d-%d" % (partition, n) for n in range(100)], partition=partition)
    return path


class Members:
    """Consumers of one process, polled in turns, with what their callbacks were told."""

    def __init__(self, folder):
        self.folder = folder
        self.consumers = {}
        self.calls = []
        self.messages = {}
        self.errors = []

    def add(self, name, topics=("t",), **conf):
        settings = {
            "log.dir": self.folder,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            **{key.replace("_", "."): value for key, value in conf.items()},
        }
        consumer = self.consumers[name] = pylog.Consumer(settings)
        self.messages[name] = []
        if topics:
            self.subscribe(name, topics)
        return consumer

    def subscribe(self, name, topics):
        def note(kind):
            return lambda consumer, given: self.calls.append(
                (name, kind, sorted((p.topic, p.partition) for p in given))
            )

        self.consumers[name].subscribe(
            list(topics), on_assign=note("assign"), on_revoke=note("revoke"), on_lost=note("lost")
        )

    def assigned(self, name):
        return sorted((p.topic, p.partition) for p in self.consumers[name].assignment())

    def poll(self, *names, timeout=0.002):
        for name in names or list(self.consumers):
            message = self.consumers[name].poll(timeout)
            if message is not None and message.error() is not None:
                self.errors.append((name, message.error()))
            elif message is not None:
                self.messages[name].append(message)

    def until(self, condition, *names, seconds=20):
        """Poll these members, or all, until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.calls, self.errors)
            self.poll(*names)

    def settle(self, *names, topic="t", partitions=4):
        """Poll until these members, or all, share all partitions of the topic."""
        wanted = [(topic, number) for number in range(partitions)]
        sharing = names or tuple(self.consumers)

        def is_shared():
            shares = [self.assigned(name) for name in sharing]
            return all(shares) and sorted(sum(shares, [])) == wanted

        self.until(is_shared, *names)

    def close(self, *names):
        for name in names or list(self.consumers):
            self.consumers.pop(name).close()


@pytest.fixture
def members(folder):
    """Members of group `g` in this process."""
    members = Members(folder)
    yield members
    members.close()
