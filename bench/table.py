"""The rows that the bench prints, and how they are made of several rounds."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Figure:
    """One row of the table: records or calls a second, of the floor and of the program, and the ratio to reach."""

    work: str
    floor: float
    program: float
    reach: float

    def __str__(self) -> str:
        ratio = self.program / self.floor
        mark = "" if ratio >= self.reach else "   below"
        return f"{self.work:<34}{self.floor:>12,.0f}{self.program:>12,.0f}{ratio:>9.2f}{self.reach:>9.2f}{mark}"


@dataclass(frozen=True)
class Wait:
    """One row of the second table: the milliseconds within which 95 of 100 answers come, and those to stay within."""

    work: str
    milliseconds: float
    reach: float

    def __str__(self) -> str:
        mark = "" if self.milliseconds <= self.reach else "   above"
        return f"{self.work:<34}{self.milliseconds:>12,.0f}{self.reach:>12,.0f}{mark}"


def rate[T](call: Callable[[], T], calls: int, then: Callable[[T], object] | None = None) -> float:
    """Return how often a second `call` can be made; what `then` does with each answer is not timed."""
    taken = 0.0
    for _number in range(calls):
        started = perf_counter()
        answer = call()
        taken += perf_counter() - started
        if then:
            then(answer)
    return calls / taken


def median(figures: tuple[Figure, ...]) -> Figure:
    middle = sorted(figures, key=lambda figure: figure.program / figure.floor)[len(figures) // 2]
    floor = statistics.median(figure.floor for figure in figures)
    return Figure(middle.work, floor, floor * middle.program / middle.floor, middle.reach)
