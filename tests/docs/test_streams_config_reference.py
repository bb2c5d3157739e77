"""docs/streams/configuration.md is what streams_config_reference.py writes."""

import runpy
from pathlib import Path

WRITER = Path(__file__).with_name("streams_config_reference.py")


def test_the_page_is_up_to_date():
    written = runpy.run_path(str(WRITER))
    assert written["PAGE"].read_text() == written["page"](), f"run python {WRITER.name}"


def test_every_property_that_the_code_reads_is_explained():
    written = runpy.run_path(str(WRITER))
    folder = written["ROOT"] / "src" / "pylog" / "streams"
    text = "\n".join(
        path.read_text()
        for path in folder.rglob("*")
        if path.suffix in (".py", ".pyx") and path.name != "config_table.py"
    )
    read = {name for name in written["SETTINGS"] if f'"{name}"' in text}
    assert read <= written["EFFECTS"].keys() <= written["SETTINGS"].keys()
