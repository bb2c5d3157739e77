"""docs/reference/config.md is what the tables in the code say."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    path = Path(__file__).with_name("config_reference.py")
    spec = importlib.util.spec_from_file_location("config_reference", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(reference: ModuleType) -> None:
    assert reference.PAGE.read_text() == reference.page(), "run tests/docs/config_reference.py"


def test_every_client_property_that_the_code_reads_is_explained(reference: ModuleType) -> None:
    assert set(reference.EFFECTS) == reference.used_by_clients()


def test_every_topic_config_that_the_code_reads_is_told_from_the_others(
    reference: ModuleType,
) -> None:
    assert set(reference.TOPIC_EFFECTS) == reference.used_by_logs()
