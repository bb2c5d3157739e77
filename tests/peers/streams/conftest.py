"""The Java applications of Kafka Streams that our state is compared with."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from java_app import SCRIPT, JavaApp, MakeApp


@pytest.fixture(scope="session")
def _streams_jars(kafka: ModuleType) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "fetch"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def java_app(kafka: ModuleType, broker: Any, _streams_jars: None, tmp_path: Path) -> MakeApp:
    """Return a function from a golden's head and an application id to its JavaApp."""

    def make(head: dict[str, Any], application_id: str) -> JavaApp:
        return JavaApp(kafka, broker.bootstrap_servers, head, application_id, tmp_path)

    return make
