"""What the tests of groups share."""

import os
import random
import sys

import pytest


@pytest.fixture
def random_source(request: pytest.FixtureRequest) -> random.Random:
    """Return a generator whose seed is printed with a failure; PYLOG_SEED=n replays it."""
    seed = int(os.environ.get("PYLOG_SEED") or random.SystemRandom().getrandbits(32))
    sys.stdout.write(f"{request.node.name}: replay with PYLOG_SEED={seed}\n")
    return random.Random(seed)
