"""A changelog that somebody else wrote: what does not fit is refused, with its place."""

from pathlib import Path
from typing import Any

import pytest
from tests.streams.runtime.running_streams import Log

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import InvalidTopologyChangeError
from pylog.streams.topology import Topology
from pylog.streams.windows import SessionWindows, TimeWindows

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}
STORES = ["in_memory", "rocksDB"]


def _counts(windows: Any) -> Topology:
    builder = StreamsBuilder()
    grouped = builder.stream("in", **TEXT).group_by_key()
    counted: Any = grouped if windows is None else grouped.windowed_by(windows)
    counted.count(materialized=Materialized("counts"))
    return builder.build()


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("windows", "kind"),
    [
        (TimeWindows.of_size_with_no_grace("1s"), "window"),
        (SessionWindows.of_inactivity_gap_with_no_grace("1s"), "session"),
    ],
)
def test_a_changelog_of_another_kind_of_store_is_refused(
    tmp_path: Path, windows: Any, kind: str, store: str
) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [("a", "x")])
    log.streams(_counts(None), default_dsl_store=store).run_to_end()
    other = log.streams(
        _counts(windows), default_dsl_store=store, state_dir=str(tmp_path / "elsewhere")
    )
    expected = (
        rf"'counts' cannot be restored from app-counts-changelog \[0\], .*not that of a {kind}"
    )
    with pytest.raises(InvalidTopologyChangeError, match=expected):
        other.run_to_end()


@pytest.mark.parametrize("store", STORES)
def test_records_of_a_changelog_that_have_no_key_are_passed_over(
    tmp_path: Path, store: str
) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "app-counts-changelog": 1})
    log.write("app-counts-changelog", [(None, "12345678"), (None, None)])
    log.write("in", [("a", "x")])
    streams = log.streams(_counts(None), default_dsl_store=store)
    streams.run_to_end()
    assert [key for key, _ in log.texts("app-counts-changelog")][2:] == ["a"]
