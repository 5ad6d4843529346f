# SPDX-License-Identifier: MIT
"""Draws bars in groups as SVG, by hand: the same input gives the same bytes."""

import dataclasses
import math
from html import escape

WIDTH = 700
LEFT, RIGHT = 216, 636  # of the bars
BAR, GAP, GROUP_GAP = 10, 2, 7
CHARACTER = 6.1  # width of one at 11 px, about

# Colours of the series that the colour-blind tell apart, and a paper of its own for each scheme.
STYLE = """
svg{--paper:#fff;--ink:#1f2328;--quiet:#59636e;--grid:#d8dde3;--demand:#b3006b;
--a:#0072b2;--b:#c65800;--c:#00805d;--d:#8b6bb1}
@media(prefers-color-scheme:dark){svg{--paper:#0d1117;--ink:#e6edf3;--quiet:#9aa4ae;--grid:#30363d;--demand:#ff7bc0;
--a:#56b4e9;--b:#f0953f;--c:#3fc79a;--d:#b99ae0}}
text{font:11px system-ui,sans-serif;fill:var(--ink)}
.title{font-size:15px;font-weight:600}.head{font-size:12px;font-weight:600}.quiet{fill:var(--quiet)}
.end{text-anchor:end}.middle{text-anchor:middle}
.paper{fill:var(--paper)}.grid{stroke:var(--grid)}.one{stroke:var(--ink)}
.a{fill:var(--a);stroke:var(--a)}.b{fill:var(--b);stroke:var(--b)}
.c{fill:var(--c);stroke:var(--c)}.d{fill:var(--d);stroke:var(--d)}
.undecided{fill-opacity:.2;stroke-dasharray:2 2}
.runs{stroke:var(--ink);fill:none}.demand{stroke:var(--demand);stroke-width:2;stroke-dasharray:4 2}
"""
CLASSES = "abcd"  # of the series


@dataclasses.dataclass
class Bar:
    series: int
    value: float
    low: float  # of the runs
    high: float
    demand: float | None = None
    is_decided: bool = True


@dataclasses.dataclass
class Group:
    label: str
    bars: list[Bar]


@dataclasses.dataclass
class Section:
    title: str
    axis: str  # what is along it, and in which unit
    is_less_better: bool
    groups: list[Group]


def number(value):
    return f"{value:.1f}".removesuffix(".0")


def ratio_text(value):
    return f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def ticks(top):
    """The marks of an axis from 0, a few, and the last at or above top."""
    for step in (0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10, 20, 25, 50, 100):
        if top / step <= 7:
            return [index * step for index in range(math.ceil(top / step - 1e-9) + 1)]
    raise ValueError(f"{top} is more than an axis shows")


class Drawing:
    def __init__(self):
        self.parts = []
        self.y = 0

    def text(self, x, y, text, classes=""):
        attribute = f' class="{classes}"' if classes else ""
        self.parts.append(f'<text x="{number(x)}" y="{number(y)}"{attribute}>{escape(text, quote=False)}</text>')

    def line(self, path, classes):
        self.parts.append(f'<path class="{classes}" d="{path}"/>')

    def legend(self, series, bars):
        """In lines that are as full as they get."""
        items = [(f'<path class="{CLASSES[index]}" d="M0 -8h14v8h-14z"/>', name) for index, name in enumerate(series)]
        items.append(('<path class="runs" d="M0 -4h14m0 -3v6M0 -7v6"/>', "lowest and highest run"))
        if any(bar.demand is not None for bar in bars):
            items.append(('<path class="demand" d="M7 -10v12"/>', "demanded"))
        if not all(bar.is_decided for bar in bars):
            items.append(('<path class="a undecided" d="M0 -8h14v8h-14z"/>',
                          "undecided: the control differed by more than 5 %"))
        x = 12
        for symbol, name in items:
            width = 20 + CHARACTER * len(name) + 14
            if x > 12 and x + width > WIDTH:
                x, self.y = 12, self.y + 17
            self.parts.append(f'<g transform="translate({number(x)} {self.y})">{symbol}'
                              f'<text x="20" y="0">{escape(name, quote=False)}</text></g>')
            x += width

    def section(self, section):
        bars = [bar for group in section.groups for bar in group.bars]
        marks = ticks(max(1, *(bar.value * 1.02 for bar in bars), *(bar.demand or 0 for bar in bars)))
        scale = (RIGHT - LEFT) / marks[-1]

        def x_of(value):
            return LEFT + value * scale

        self.y += 30
        self.text(12, self.y, section.title, "head")
        self.text(RIGHT, self.y, "less is better" if section.is_less_better else "more is better", "end quiet")
        top = self.y = self.y + 8
        height = sum(len(group.bars) * (BAR + GAP) - GAP + GROUP_GAP for group in section.groups) + GROUP_GAP
        for mark in marks:
            self.line(f"M{number(x_of(mark))} {top}v{height}", "grid")
        self.line(f"M{number(x_of(1))} {top}v{height + 4}", "one")
        self.y += GROUP_GAP
        for group in section.groups:
            self.group(group, x_of)
        for mark in marks:
            self.text(x_of(mark), top + height + 14, f"{mark:g}", "middle")
        self.text((LEFT + RIGHT) / 2, top + height + 28, section.axis, "middle quiet")
        self.y = top + height + 28

    def group(self, group, x_of):
        middle = self.y + (len(group.bars) * (BAR + GAP) - GAP) / 2
        self.text(LEFT - 8, middle + 4, group.label, "end")
        for bar in group.bars:
            end = x_of(bar.value)
            classes = CLASSES[bar.series] + ("" if bar.is_decided else " undecided")
            self.line(f"M{LEFT} {self.y}H{number(end)}v{BAR}H{LEFT}z", classes)
            self.whisker(bar, x_of)
            if bar.demand is not None:
                self.line(f"M{number(x_of(bar.demand))} {self.y - 2}v{BAR + 4}", "demand")
            self.text(WIDTH - 12, self.y + BAR, ratio_text(bar.value), "end")
            self.y += BAR + GAP
        self.y += GROUP_GAP - GAP

    def whisker(self, bar, x_of):
        """From the lowest to the highest run; one beyond the axis ends in an arrow."""
        low, high, middle = x_of(bar.low), x_of(bar.high), self.y + BAR / 2
        beyond = RIGHT + 8
        if low >= beyond or high - low < 1:
            return
        ends = "m-4 -3l4 3l-4 3" if high > beyond else "m0 -2.5v5"
        self.line(f"M{number(low)} {number(middle - 2.5)}v5m0 -2.5H{number(min(high, beyond))}{ends}", "runs")


def spoken(section, series):
    """A section for those who do not see it."""
    words = []
    for group in section.groups:
        values = [f"{series[bar.series]} {ratio_text(bar.value)}" + ("" if bar.is_decided else " (undecided)")
                  for bar in group.bars]
        words.append(f"{group.label}: {', '.join(values)}")
    return f"{section.title}. {section.axis}. {'; '.join(words)}."


def draw(title, series, sections, caption):
    """An SVG document. Sections without anything are left out; caption is its last lines."""
    sections = [section for section in sections if section.groups]
    drawing = Drawing()
    drawing.y = 24
    drawing.text(12, drawing.y, title, "title")
    drawing.y += 22
    drawing.legend(series, [bar for section in sections for group in section.groups for bar in group.bars])
    for section in sections:
        drawing.section(section)
    drawing.y += 8
    for line in caption:
        drawing.y += 15
        drawing.text(12, drawing.y, line, "quiet")
    height = drawing.y + 12
    described = " ".join([*(spoken(section, series) for section in sections), *caption])
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{number(height)}" '
        f'viewBox="0 0 {WIDTH} {number(height)}" role="img" aria-labelledby="t d">',
        "<!-- SPDX-License-Identifier: MIT -->",
        f'<title id="t">{escape(title, quote=False)}</title>', f'<desc id="d">{escape(described, quote=False)}</desc>',
        f"<style>{STYLE}</style>", '<path class="paper" d="M0 0h700v' + number(height) + 'h-700z"/>',
        *drawing.parts, "</svg>", ""])
