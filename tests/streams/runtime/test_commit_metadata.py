"""What stands beside committed offsets: Kafka Streams' bytes."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylog.streams.runtime import commit_metadata

GOLDEN = Path(__file__).parents[2] / "golden" / "streams" / "commit-metadata.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
LONGS = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_text_is_that_of_kafka_streams(case: dict[str, Any]) -> None:
    assert commit_metadata.decode(case["text"]) == (case["partition_time"], case["emitted"])
    encoded = commit_metadata.encode(case["partition_time"], case["emitted"])
    assert commit_metadata.decode(encoded) == (case["partition_time"], case["emitted"])
    if len(case["emitted"]) < 2:  # Java's order of several is that of its hash map
        assert encoded == case["text"]


@given(LONGS, st.dictionaries(st.text(), LONGS))
def test_what_is_encoded_is_decoded(time_ms: int, numbers: dict[str, int]) -> None:
    encoded = commit_metadata.encode(time_ms, numbers)
    assert commit_metadata.decode(encoded) == (time_ms, numbers)


@given(st.binary())
def test_bytes_of_somebody_else_mean_nothing_and_raise_nothing(data: bytes) -> None:
    commit_metadata.decode(base64.b64encode(data).decode())


def test_text_that_is_none_of_ours_gives_no_time() -> None:
    assert commit_metadata.decode(None) == (commit_metadata.NO_TIME, {})
    assert commit_metadata.decode("") == (commit_metadata.NO_TIME, {})
    assert commit_metadata.decode("hello") == (commit_metadata.NO_TIME, {})
    of_version_1 = base64.b64encode(b"\x01" + (5).to_bytes(8, "big")).decode()
    assert commit_metadata.decode(of_version_1) == (5, {})


@given(LONGS, st.dictionaries(st.text(max_size=5), LONGS, max_size=3), st.text(max_size=8))
def test_time_is_read_whatever_a_client_puts_behind_the_text(
    time_ms: int, numbers: dict[str, int], garbage: str
) -> None:
    found = commit_metadata.decode(commit_metadata.encode(time_ms, numbers) + garbage)
    assert found[0] == time_ms
    if numbers:
        assert found[1] == numbers
