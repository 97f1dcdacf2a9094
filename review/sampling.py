"""Single sampling plans by attributes: how many of a batch to inspect, and how many of them may be wanting.

The figures are those of ISO 2859-1:1999 (the same in GB/T 2828.1-2012): table 1, the code letters of the general
inspection levels, and table 2-A, single sampling plans for normal inspection. Plain Python.
"""

from typing import NamedTuple

LEVELS = ("I", "II", "III")
LIMITS = ("0.10", "0.15", "0.25", "0.40", "0.65", "1.0", "1.5", "2.5", "4.0", "6.5", "10")
"""Acceptable quality limits, in wanting records per hundred."""

_LETTERS: tuple[tuple[int, str, str, str], ...] = (
    # batches up to this many records, and their code letters at the levels I, II and III
    (8, "A", "A", "B"),
    (15, "A", "B", "C"),
    (25, "B", "C", "D"),
    (50, "C", "D", "E"),
    (90, "C", "E", "F"),
    (150, "D", "F", "G"),
    (280, "E", "G", "H"),
    (500, "F", "H", "J"),
    (1_200, "G", "J", "K"),
    (3_200, "H", "K", "L"),
    (10_000, "J", "L", "M"),
    (35_000, "K", "M", "N"),
    (150_000, "L", "N", "P"),
    (500_000, "M", "P", "Q"),
)
_LARGEST = ("N", "Q", "R")
SIZES = {
    "A": 2,
    "B": 3,
    "C": 5,
    "D": 8,
    "E": 13,
    "F": 20,
    "G": 32,
    "H": 50,
    "J": 80,
    "K": 125,
    "L": 200,
    "M": 315,
    "N": 500,
    "P": 800,
    "Q": 1250,
    "R": 2000,
}
# The acceptance numbers by letter (rows) and limit (columns, as in LIMITS); `v` sends to the first plan below, `^` to
# the first above, with the sample size of that row.
_PLANS = {
    "A": "v v v v v v v v v 0 v",
    "B": "v v v v v v v v 0 ^ v",
    "C": "v v v v v v v 0 ^ v 1",
    "D": "v v v v v v 0 ^ v 1 2",
    "E": "v v v v v 0 ^ v 1 2 3",
    "F": "v v v v 0 ^ v 1 2 3 5",
    "G": "v v v 0 ^ v 1 2 3 5 7",
    "H": "v v 0 ^ v 1 2 3 5 7 10",
    "J": "v 0 ^ v 1 2 3 5 7 10 14",
    "K": "0 ^ v 1 2 3 5 7 10 14 21",
    "L": "^ v 1 2 3 5 7 10 14 21 ^",
    "M": "v 1 2 3 5 7 10 14 21 ^ ^",
    "N": "1 2 3 5 7 10 14 21 ^ ^ ^",
    "P": "2 3 5 7 10 14 21 ^ ^ ^ ^",
    "Q": "3 5 7 10 14 21 ^ ^ ^ ^ ^",
    "R": "5 7 10 14 21 ^ ^ ^ ^ ^ ^",
}


class Plan(NamedTuple):
    """Inspect `sample` records; the batch fails when more than `acceptance` of them are wanting."""

    letter: str
    sample: int
    acceptance: int


def letter_of(lot: int, level: str = "II") -> str:
    """Return the code letter of a batch of `lot` records."""
    column = LEVELS.index(level)
    return next((letters[column] for most, *letters in _LETTERS if lot <= most), _LARGEST[column])


def plan(lot: int, *, limit: str, level: str = "II") -> Plan:
    """Return the plan for a batch of `lot` records, 1 at least. A sample as large as the batch is the whole of it."""
    letters, column = list(SIZES), LIMITS.index(limit)
    at = letters.index(letter_of(lot, level))
    while (found := _PLANS[letters[at]].split()[column]) in {"v", "^"}:
        at += 1 if found == "v" else -1
    return Plan(letters[at], min(SIZES[letters[at]], lot), min(int(found), min(SIZES[letters[at]], lot) - 1))
