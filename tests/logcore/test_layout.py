import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logcore import layout

TOPIC_ALPHABET = "abcXYZ019._-"


def test_a_segment_file_has_twenty_digits():
    assert layout.segment_file_name(0) == "00000000000000000000.log"
    assert layout.segment_file_name(2**63 - 1, ".timeindex") == "09223372036854775807.timeindex"


@pytest.mark.parametrize("base_offset", [-1, 2**63])
def test_an_offset_out_of_range_makes_no_name(base_offset):
    with pytest.raises(ValueError, match="base_offset"):
        layout.segment_file_name(base_offset)


@given(
    st.integers(0, layout.MAX_OFFSET),
    st.sampled_from(layout.SEGMENT_SUFFIXES),
    st.sampled_from(("", *layout.STAGE_SUFFIXES)),
)
def test_every_segment_name_parses_back(base_offset, suffix, stage):
    name = layout.segment_file_name(base_offset, suffix + stage)
    assert layout.parse_segment_file_name(name) == (base_offset, suffix + stage)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".log",
        "42.log",
        "0000000000000000000.log",
        "000000000000000000000.log",
        "00000000000000000000",
        "00000000000000000000.txt",
        "00000000000000000000.log.old",
        "00000000000000000000.log.deleted.deleted",
        "00000000000000000000.logx",
        "00000000000000000000.log\n",
        "-0000000000000000001.log",
        "+0000000000000000001.log",
        "0000000000000000000٣.log",
        "09223372036854775808.log",
        "99999999999999999999.log",
        "leader-epoch-checkpoint",
    ],
)
def test_foreign_files_are_not_segments(name):
    assert layout.parse_segment_file_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "00000000000000000000.log",
        "00000000000000000007.snapshot",
        "00000000000000000007.timeindex.swap",
        ".state",
        ".recovery",
        "quarantine",
        "leader-epoch-checkpoint",
        "leader-epoch-checkpoint.tmp",
        "00000000000000000007.sum.tmp",
        "00000000000000000007.sum.1234.tmp",
        "partition.metadata",
    ],
)
def test_files_of_a_partition_are_known(name):
    assert layout.is_partition_file_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", ".tmp", "notes.txt", "0.log", "quarantine.tmp", ".state.x.tmp"]
)
def test_files_of_others_are_not_a_partitions(name):
    assert not layout.is_partition_file_name(name)


@given(
    st.text(TOPIC_ALPHABET, min_size=1, max_size=249).filter(lambda t: t not in (".", "..")),
    st.integers(0, layout.MAX_PARTITION),
)
def test_every_partition_folder_parses_back(topic, partition):
    name = layout.partition_dir_name(topic, partition)
    assert layout.parse_partition_dir_name(name) == (topic, partition)


def test_a_dash_in_a_topic_belongs_to_the_topic():
    assert layout.parse_partition_dir_name("a-1-2") == ("a-1", 2)
    assert layout.parse_partition_dir_name("--0") == ("-", 0)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "t",
        "t-",
        "-0",
        "t-01",
        "t-+1",
        "t- 1",
        "t-1 ",
        "t-1\n",
        "t\n-1",
        "t-٣",
        "t-2147483648",
        "t-0.0123abc-delete",
        "t-0.0123abc-future",
        "../t-0",
        "a/b-0",
        "..-0",
        ".-0",
        "nul-0",
        f"{'x' * 250}-0",
    ],
)
def test_foreign_folders_are_not_partitions(name):
    assert layout.parse_partition_dir_name(name) is None


@pytest.mark.parametrize("partition", [-1, 2**31])
def test_a_partition_out_of_range_makes_no_name(partition):
    with pytest.raises(ValueError, match="partition"):
        layout.partition_dir_name("t", partition)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "x" * 249, "...", "-", "__consumer_offsets"])
def test_kafka_topic_names_are_taken(name):
    layout.validate_topic_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty string"),
        (".", "'.' is not allowed"),
        ("..", "'..' is not allowed"),
        ("x" * 250, "250 characters"),
        ("a/b", "other than"),
        ("../../etc/passwd", "other than"),
        ("a\\b", "other than"),
        ("a b", "other than"),
        ("a\n", "other than"),
        ("a\x00b", "other than"),
        ("é", "other than"),
        ("٣", "other than"),
        ("C:", "other than"),
        ("nul", "device"),
        ("NUL.txt", "device"),
        ("com1", "device"),
        ("Lpt9.x.y", "device"),
    ],
)
def test_other_topic_names_are_refused_with_the_reason(name, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        layout.validate_topic_name(name)
    with pytest.raises(ValueError, match=re.escape(reason)):
        layout.partition_dir_name(name, 0)


@pytest.mark.parametrize("name", [None, b"topic", 5])
def test_a_topic_name_that_is_no_str_is_a_type_error(name):
    with pytest.raises(TypeError, match="must be a str"):
        layout.validate_topic_name(name)


@given(st.text())
def test_any_text_is_either_a_safe_single_path_component_or_refused(name):
    try:
        folder = layout.partition_dir_name(name, 7)
    except ValueError:
        return
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,249}-7", folder)


@pytest.mark.parametrize(
    ("name", "twin"),
    [("Page_Views", "page_views"), ("page.views", "page_views"), ("PAGE.VIEWS", "page_views")],
)
def test_twins_are_found(name, twin):
    assert layout.find_topic_twin(name, ["other", twin]) == twin


@pytest.mark.parametrize("name", ["page_views", "page-views", "pageviews"])
def test_a_topic_is_no_twin_of_itself_or_of_a_different_name(name):
    assert layout.find_topic_twin(name, ["page_views"]) is None
