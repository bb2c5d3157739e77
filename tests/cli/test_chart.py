"""The SVG bar charts are well-formed, to scale, and say every figure in words."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylog.cli import chart
from pylog.cli.chart import Bar, Chart

SVG = "{http://www.w3.org/2000/svg}"


def parse(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def bar_widths(picture: str) -> list[float]:
    """The width of each bar: its straight part plus its round end."""
    return [
        float(straight) + float(corner)
        for straight, corner in re.findall(r'd="M\S+ \S+?h([\d.]+)q([\d.]+)', picture)
    ]


def words(picture: str) -> str:
    return " ".join("".join(text.itertext()) for text in parse(picture).iter(f"{SVG}text"))


def test_bars_of_a_linear_chart_are_as_long_as_their_values():
    picture = chart.render([Chart("rates", [Bar("a", 4.0), Bar("b", 2.0), Bar("c", 1.0)])])
    a, b, c = bar_widths(picture)
    assert a == pytest.approx(2 * b, abs=0.3)
    assert a == pytest.approx(4 * c, abs=0.3)


def test_bars_of_a_log_chart_grow_by_equal_steps_for_equal_factors():
    bars = [Bar("a", 2e3), Bar("b", 2e4), Bar("c", 2e5)]
    a, b, c = bar_widths(chart.render([Chart("rates", bars, log_scale=True)]))
    assert b - a == pytest.approx(c - b, abs=0.3)
    assert b - a > 20


def test_every_figure_label_note_and_unit_is_written():
    picture = chart.render(
        [
            Chart(
                "append",
                [
                    Bar("pylog", 5.1e6, low=4.9e6, high=5.3e6, goal=4.5e6, note="goal 1.5, met"),
                    Bar("open loop", 3.3e6, kind="raw"),
                ],
                unit="records/s",
                subtitle="medians of 5 rounds",
            )
        ],
        title="Speed",
        footer=["2 CPUs"],
    )
    text = words(picture)
    for expected in (
        "Speed", "append", "medians of 5 rounds", "2 CPUs", "pylog", "5.10 M records/s",
        "goal 1.5, met", "open loop", "3.30 M records/s",
    ):  # fmt: skip
        assert expected in text


def test_the_picture_follows_the_reader_to_a_dark_page():
    assert "prefers-color-scheme: dark" in chart.render([])


def test_labels_from_outside_cannot_break_the_xml():
    nasty = "<script>&\"'\x00\x1b\ud800" + "x" * 500
    picture = chart.render([Chart(nasty, [Bar(nasty, 1.0, note=nasty)], unit=nasty)], title=nasty)
    root = parse(picture)
    assert root.find(f".//{SVG}script") is None


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, -math.inf, 1e-300, 1e300])
@pytest.mark.parametrize("log_scale", [False, True])
def test_odd_values_give_well_formed_pictures(value: float, log_scale: bool):
    bars = [Bar("odd", value, low=value, high=value, goal=value), Bar("one", 1.0)]
    picture = chart.render([Chart("odd", bars, log_scale=log_scale)])
    parse(picture)
    assert "nan" not in picture.lower().replace("no figure", "")


figures = st.floats(min_value=1e-3, max_value=1e9)


@given(
    bars=st.lists(st.tuples(figures, figures, figures), min_size=1, max_size=8),
    log_scale=st.booleans(),
)
def test_every_chart_stays_inside_the_page(bars: list[tuple[float, float, float]], log_scale: bool):
    drawn = [
        Bar(f"bar {number}", sorted(values)[1], min(values), max(values), goal=min(values))
        for number, values in enumerate(bars)
    ]
    picture = chart.render([Chart("any", drawn, log_scale=log_scale)])
    root = parse(picture)
    width = float(root.attrib["width"])
    assert all(0 <= float(line.attrib["x1"]) <= width for line in root.iter(f"{SVG}line"))
    assert all(0 <= float(text.attrib["x"]) <= width for text in root.iter(f"{SVG}text"))
    assert all(0 <= bar <= width for bar in bar_widths(picture))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.8349, "0.835"),
        (9.999, "10.0"),
        (118.02, "118"),
        (999.6, "1.00 k"),
        (4_000_000, "4.00 M"),
        (2.5e9, "2.50 G"),
        (math.nan, "no figure"),
    ],
)
def test_figures_have_three_digits(value: float, text: str):
    assert chart.format_figure(value) == text


def test_an_empty_chart_still_says_its_title():
    assert "nothing" in words(chart.render([Chart("nothing", [])]))
