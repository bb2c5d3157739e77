"""Bar charts as SVG text, without a dependency.

One picture holds one or more charts below each other; a chart holds horizontal bars with their
figures written beside them, so that no value has to be read off an axis. The colours follow the
reader's light or dark setting (a `prefers-color-scheme` rule inside the file), and nothing is
told by colour alone: a goal is a tick with its words, a missed goal says so.

    chart.render([Chart("Append", [Bar("pylog", 5.1e6), Bar("open loop", 3.3e6, kind="raw")],
                        unit="records/s")])

Invariant: any text and any finite or non-finite number gives well-formed XML.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

BAR_KINDS = ("main", "peer", "raw")
"""What a bar stands for: pylog, another program, or the raw loop all is compared with."""

_WIDTH = 860
_MARGIN = 24
_ROW_HEIGHT = 26
_BAR_HEIGHT = 14
_LABEL_WIDTH_MAX = 330
_VALUE_WIDTH = 230
_CHARACTER_WIDTH = 6.7
_NOTE_CHARACTERS_MAX = 34

_STYLE = """
  .page { fill: #ffffff; stroke: #d1d9e0 }
  text { font: 12.5px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .heading { font-size: 13.5px; font-weight: 600 }
  .quiet { fill: #59636e; font-size: 11.5px }
  .grid { stroke: #e4e8ec }
  .axis { stroke: #9aa4ae }
  .main { fill: #2563c9 }
  .peer { fill: #7d9fc9 }
  .raw { fill: #8c959f }
  .spread { stroke: #1f2328; stroke-opacity: .65 }
  .goal { stroke: #b35900; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .grid { stroke: #262c34 }
    .axis { stroke: #656c76 }
    .main { fill: #4c8df6 }
    .peer { fill: #45618a }
    .raw { fill: #6e7681 }
    .spread { stroke: #f0f6fc }
    .goal { stroke: #f0a040 }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a label, its value, and if known the spread and the goal.

    Args:
        label: words left of the bar.
        value: length of the bar; a value that is not finite or below zero draws no bar.
        low: smallest value seen, the left end of the spread line.
        high: largest value seen, its right end.
        goal: where the tick of the goal stands.
        note: words after the figure, such as "goal 1.5, met".
        kind: one of `BAR_KINDS`.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    goal: float | None = None
    note: str = ""
    kind: Literal["main", "peer", "raw"] = "main"


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars that share one scale.

    Args:
        title: heading above the bars.
        bars: drawn from top to bottom.
        unit: written after each figure, such as "records/s".
        log_scale: powers of ten instead of a scale from zero; for values that lie far apart.
        subtitle: a quieter line below the heading.
    """

    title: str
    bars: Sequence[Bar]
    unit: str = ""
    log_scale: bool = False
    subtitle: str = ""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Maps a value to a horizontal place between `left` and `left + width`."""

    left: float
    width: float
    first: float
    last: float
    log_scale: bool

    def place(self, value: float) -> float:
        """Return the place of `value`, held within the plot."""
        if self.log_scale:
            if value <= self.first:
                return self.left
            share = math.log10(value / self.first) / math.log10(self.last / self.first)
        else:
            share = (value - self.first) / (self.last - self.first)
        return self.left + self.width * min(max(share, 0.0), 1.0)


def format_figure(value: float, unit: str = "") -> str:
    """Return `value` with three significant digits and its unit.

    Args:
        value: any number.
        unit: appended after a space, if not empty.

    >>> format_figure(5_123_000, "records/s"), format_figure(0.8349), format_figure(118.02)
    ('5.12 M records/s', '0.835', '118')
    """
    if not math.isfinite(value):
        return "no figure"
    letter = ""
    rounded = float(f"{value:.3g}")
    for step, step_letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(rounded) >= step:
            rounded, letter = rounded / step, step_letter
            break
    decimals = 2 - math.floor(math.log10(abs(rounded))) if rounded else 0
    text = f"{rounded:.{min(max(decimals, 0), 6)}f}{letter}"
    return f"{text} {unit}" if unit else text


def _format_tick(value: float) -> str:
    """Return a figure of the axis: as `format_figure`, without zeros behind the point."""
    number, _, letter = format_figure(value).partition(" ")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {letter}".rstrip()


def render(charts: Sequence[Chart], title: str = "", footer: Sequence[str] = ()) -> str:
    """Return one SVG picture of all charts, below each other.

    Args:
        charts: from top to bottom; a chart without bars shows its heading only.
        title: the picture's heading; also what a screen reader says.
        footer: quiet lines at the bottom, such as the machine.

    Returns:
        SVG text that ends in a newline.

    >>> picture = render([Chart("Append", [Bar("pylog", 5e6), Bar("raw", 3e6, kind="raw")])])
    >>> picture.startswith("<svg"), picture.count("<path")
    (True, 2)
    """
    parts: list[str] = []
    top = float(_MARGIN)
    if title:
        parts.append(_text(_MARGIN, top + 14, title, "title"))
        top += 34
    longest = max((len(bar.label) for chart in charts for bar in chart.bars), default=0)
    left = _MARGIN + min(longest * _CHARACTER_WIDTH + 10, _LABEL_WIDTH_MAX) + 10
    for chart in charts:
        top = _draw_chart(parts, chart, left, top)
    for line in footer:
        parts.append(_text(_MARGIN, top + 10, line, "quiet"))
        top += 17
    height = round(top + _MARGIN / 2)
    name = _clean(title or ", ".join(chart.title for chart in charts) or "chart")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" aria-label="{name}">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n"
        f'<rect class="page" x=".5" y=".5" width="{_WIDTH - 1}" height="{height - 1}" rx="6"/>'
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def _draw_chart(parts: list[str], chart: Chart, left: float, top: float) -> float:
    parts.append(_text(_MARGIN, top + 12, chart.title, "heading"))
    top += 22
    if chart.subtitle:
        parts.append(_text(_MARGIN, top + 8, chart.subtitle, "quiet"))
        top += 18
    if not chart.bars:
        return top + 12
    scale = _scale_of(chart, left)
    bottom = top + _ROW_HEIGHT * len(chart.bars)
    _draw_axis(parts, scale, top, bottom)
    for row, bar in enumerate(chart.bars):
        _draw_bar(parts, bar, chart.unit, scale, top + _ROW_HEIGHT * row)
    return bottom + 44


def _draw_axis(parts: list[str], scale: _Scale, top: float, bottom: float) -> None:
    for tick in _ticks(scale):
        place = scale.place(tick)
        style = "axis" if tick == scale.first else "grid"
        parts.append(
            f'<line class="{style}" x1="{place:.1f}" x2="{place:.1f}" '
            f'y1="{top:.1f}" y2="{bottom + 4:.1f}"/>'
        )
        parts.append(_text(place, bottom + 18, _format_tick(tick), "quiet", anchor="middle"))


def _draw_bar(parts: list[str], bar: Bar, unit: str, scale: _Scale, top: float) -> None:
    middle = top + _ROW_HEIGHT / 2
    label_characters = int((scale.left - _MARGIN - 10) / _CHARACTER_WIDTH)
    label = _shorten(bar.label, label_characters)
    parts.append(_text(scale.left - 10, middle + 4, label, "", anchor="end"))
    end = scale.left
    if math.isfinite(bar.value) and bar.value > 0:
        end = scale.place(bar.value)
        parts.append(_bar_shape(bar, unit, scale.left, end, middle))
    ends = [end]
    if bar.low is not None and bar.high is not None and math.isfinite(bar.low + bar.high):
        low, high = scale.place(bar.low), scale.place(bar.high)
        parts.append(
            f'<path class="spread" fill="none" d="M{low:.1f} {middle - 3:.1f}v6'
            f"M{low:.1f} {middle:.1f}H{high:.1f}"
            f'M{high:.1f} {middle - 3:.1f}v6"/>'
        )
        ends.append(high)
    if bar.goal is not None and math.isfinite(bar.goal):
        place = scale.place(bar.goal)
        parts.append(
            f'<line class="goal" x1="{place:.1f}" x2="{place:.1f}" '
            f'y1="{middle - 11:.1f}" y2="{middle + 11:.1f}"/>'
        )
        ends.append(place)
    figure = _text(max(ends) + 8, middle + 4, format_figure(bar.value, unit), "")
    if bar.note:
        note = _clean(_shorten(bar.note, _NOTE_CHARACTERS_MAX))
        figure = figure.replace("</text>", f'<tspan class="quiet" dx="8">{note}</tspan></text>')
    parts.append(figure)


def _bar_shape(bar: Bar, unit: str, left: float, right: float, middle: float) -> str:
    """Return a bar that is round only at its free end, with a tooltip."""
    width = max(right - left, 1.0)
    corner = min(3.0, width)
    straight = width - corner
    top = middle - _BAR_HEIGHT / 2
    tooltip = _clean(f"{bar.label}: {format_figure(bar.value, unit)} {bar.note}".rstrip())
    kind = bar.kind if bar.kind in BAR_KINDS else "main"
    return (
        f'<path class="{kind}" d="M{left:.1f} {top:.1f}h{straight:.1f}'
        f"q{corner:.1f} 0 {corner:.1f} {corner:.1f}v{_BAR_HEIGHT - 2 * corner:.1f}"
        f'q0 {corner:.1f} -{corner:.1f} {corner:.1f}h-{straight:.1f}z">'
        f"<title>{tooltip}</title></path>"
    )


def _scale_of(chart: Chart, left: float) -> _Scale:
    width = _WIDTH - _MARGIN - _VALUE_WIDTH - left
    values = [
        value
        for bar in chart.bars
        for value in (bar.value, bar.low, bar.high, bar.goal)
        if value is not None and math.isfinite(value) and value > 0
    ]
    if not values:
        return _Scale(left, width, 0.0, 1.0, False)
    if chart.log_scale:
        first = 10.0 ** math.floor(math.log10(min(values)) - 0.001)
        last = 10.0 ** math.ceil(math.log10(max(values)))
        return _Scale(left, width, first, max(last, first * 10), True)
    step = _tick_step(max(values))
    return _Scale(left, width, 0.0, math.ceil(max(values) / step) * step, False)


def _ticks(scale: _Scale) -> list[float]:
    if scale.log_scale:
        decades = round(math.log10(scale.last / scale.first))
        every = max(1, math.ceil(decades / 6))
        return [scale.first * 10.0**power for power in range(0, decades + 1, every)]
    step = _tick_step(scale.last)
    count = round(scale.last / step)
    return [step * number for number in range(count + 1)]


def _tick_step(largest: float) -> float:
    """Return 1, 2 or 5 times a power of ten that gives at most five steps up to `largest`."""
    rough = largest / 5
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10):
        # The hair of slack keeps 0.3 / 0.1 from needing a fourth step.
        if factor * power >= rough * (1 - 1e-9):
            return factor * power
    return 10 * power


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    attributes = f' class="{style}"' if style else ""
    if anchor != "start":
        attributes += f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{_clean(words)}</text>'


def _shorten(words: str, characters: int) -> str:
    return words if len(words) <= characters else words[: max(characters - 1, 1)] + "…"


def _clean(words: str) -> str:
    """Return `words` as XML text; characters that XML does not allow become U+FFFD."""
    allowed = (c if _is_xml_character(ord(c)) else "\ufffd" for c in words)
    return escape("".join(allowed), quote=True)


def _is_xml_character(code: int) -> bool:
    if code < 0x20:
        return code in (0x9, 0xA, 0xD)
    return not (0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF))
