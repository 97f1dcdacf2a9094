"""Charts as SVG: where each bar stands, computed here and drawn by a template. Behind each is a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cqia_site.dashboard.figures import Day

HEIGHT = 120
STEP = 24
GAP = 4
FOOT = 18


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a bar: its place and size in the units of the drawing, and the class that colours it."""

    x: int
    y: float
    width: int
    height: float
    kind: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A day written under the bars."""

    x: float
    day: date


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars, one a day."""

    width: int
    height: int
    bars: list[Bar]
    marks: list[Mark]
    highest: int
    """What the highest bar stands for."""


def by_day(days: Sequence[Day]) -> Chart:
    """Return the chart of what was decided a day, stacked by verdict."""
    highest = max((day.total for day in days), default=0)
    bars: list[Bar] = []
    for place, day in enumerate(days):
        top = float(HEIGHT)
        for verdict, number in day.parts():
            if number:
                height = HEIGHT * number / highest
                top -= height
                bars.append(Bar(place * STEP + GAP, round(top, 2), STEP - 2 * GAP, round(height, 2), verdict.value))
    every = max(1, -(-len(days) // 7))
    marks = [Mark(place * STEP + STEP / 2, day.day) for place, day in enumerate(days) if place % every == 0]
    return Chart(len(days) * STEP, HEIGHT + FOOT, bars, marks, highest)
