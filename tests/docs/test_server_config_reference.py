"""docs/reference/server_config.md is what server_config_reference.py writes."""

import re
import runpy
from pathlib import Path

from pylog.cli.serve import build_parser

WRITER = Path(__file__).with_name("server_config_reference.py")
GUIDE = WRITER.parents[2] / "docs" / "guides" / "server.md"


def test_the_page_is_up_to_date():
    written = runpy.run_path(str(WRITER))
    assert written["PAGE"].read_text() == written["page"](), f"run python {WRITER.name}"


def test_every_property_that_the_server_reads_is_explained():
    written = runpy.run_path(str(WRITER))
    assert written["EFFECTS"].keys() == written["read_by_server"]()


def test_the_guide_has_every_option_of_the_command_and_no_other():
    table = GUIDE.read_text().split("| option |")[1].split("\n\n")[0]
    shown = set(re.findall(r"(--?[a-z][a-z-]*)", "\n".join(
        line.split(" | ")[0].replace("\\|", "") for line in table.splitlines()
    )))  # fmt: skip
    options = {name for action in build_parser()._actions for name in action.option_strings}
    assert shown == options - {"-h", "--help"}
