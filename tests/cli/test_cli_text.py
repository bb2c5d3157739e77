"""Formats, escapes, offsets and numbers, without a process; and the examples in the docstrings."""

import doctest
import importlib
import io
import pkgutil

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

import pylog.cli
from pylog.cli import console, format_string, input_split, offsets, options

MODULES = sorted(module.name for module in pkgutil.iter_modules(pylog.cli.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_are_true(name: str):
    failed, _tried = doctest.testmod(importlib.import_module(f"pylog.cli.{name}"))
    assert failed == 0


class OneRead(io.BytesIO):
    """Gives at most `size` bytes a read, as a pipe may."""

    def __init__(self, data: bytes, size: int):
        super().__init__(data)
        self.size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self.size)


@given(
    st.lists(st.binary(max_size=20), max_size=20),
    st.binary(min_size=1, max_size=4),
    st.integers(1, 50),
)
def test_split_is_what_bytes_split_says_however_it_arrives(
    parts: list[bytes], delimiter: bytes, size: int
):
    data = delimiter.join(parts)
    expected = data.split(delimiter)
    if expected[-1] == b"":
        expected.pop()
    stream = OneRead(data, size)
    found = [part for batch in input_split.split_stream(stream, delimiter) for part in batch]
    assert found == expected


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\\")))
def test_text_without_a_backslash_is_itself(text: str):
    assert format_string.unescape(text) == text.encode()


@given(st.binary())
def test_every_byte_can_be_written_as_an_escape(data: bytes):
    assert format_string.unescape("".join(f"\\x{byte:02x}" for byte in data)) == data


@given(st.text())
def test_any_format_string_works_or_says_what_is_wrong(text: str):
    try:
        format_string.compile_format(text)
    except ValueError as exc:
        assert "%" in str(exc)


@given(st.binary())
def test_json_text_loses_nothing(data: bytes):
    import base64

    text = format_string.json_text(data)
    if isinstance(text, dict):
        assert base64.b64decode(text["base64"]) == data
    else:
        assert isinstance(text, str)
        assert text.encode() == data


@given(st.integers(0, offsets.OFFSET_MAX))
def test_every_offset_is_taken_in_each_form(number: int):
    assert offsets.parse_offsets([str(number)]) == offsets.OffsetRange("offset", number)
    assert offsets.parse_offsets([f"-{number}"]) == offsets.OffsetRange("tail", number)
    both = offsets.parse_offsets([f"s@{number}", f"e@{number}"])
    assert both == offsets.OffsetRange("timestamp", number, number)


@given(st.text())
def test_any_other_offset_is_a_usage_error(text: str):
    try:
        offsets.parse_offsets([text])
    except typer.BadParameter as exc:
        assert exc.param_hint == "-o"


@given(st.floats(0, 1e15))
def test_rates_and_sizes_are_short(number: float):
    assert len(console.rate_text(number)) <= 20
    assert len(console.bytes_text(number)) <= 12


def test_pairs_need_a_name():
    with pytest.raises(typer.BadParameter):
        options.parse_pairs(["=1"], "-X")
