"""docs/streams/configuration.md is what streams_config_reference.py writes."""

import runpy
from pathlib import Path

WRITER = Path(__file__).with_name("streams_config_reference.py")


def test_the_page_is_up_to_date():
    written = runpy.run_path(str(WRITER))
    assert written["PAGE"].read_text() == written["page"](), f"run python {WRITER.name}"


def test_every_effect_is_of_a_property():
    written = runpy.run_path(str(WRITER))
    assert written["EFFECTS"].keys() <= written["SETTINGS"].keys()
