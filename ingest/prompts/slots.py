"""The slots of a prompt template: which there are, how a template is cut at them, and how they are filled."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

FROM_TITLE = ("title", "book", "quoted")
"""The title as it is, in 《》, and in “”."""
FROM_FACTS = ("author", "year", "score", "region", "genre", "rank")
"""Facts of the entry that go into a template as they are."""

_SLOT = re.compile(r"\{([^{}]*)\}")
_PAIRS = {"《": "》", "〈": "〉", "“": "”", "‘": "’", "「": "」", "『": "』", '"': '"'}
_INNER = {"《": "〈", "》": "〉", "“": "‘", "”": "’"}
_WHITE = re.compile(r"\s+")
_MET = re.compile(r"([《》“”])\1+")
"""Marks that meet where another one between them went."""
_FINE, _COARSE, _FINE_BELOW = 50, 100, 500


@cache
def pieces(template: str) -> tuple[str, ...]:
    """Cut a template: literal text at even places, names of slots at odd ones."""
    return tuple(_SLOT.split(template))


def filled(template: str, values: Mapping[str, str]) -> str:
    """Put the values into the template; what they contain is text, whatever it looks like. Raises KeyError."""
    return "".join(values[piece] if place % 2 else piece for place, piece in enumerate(pieces(template)))


def bare(title: str) -> str:
    """Return a title on one line, without a pair of marks around the whole of it."""
    title = _WHITE.sub(" ", title).strip()
    while len(title) > 1 and _PAIRS.get(title[0]) == title[-1] and _closes_at_end(title):
        title = title[1:-1].strip()
    return title


def within(marks: str, title: str) -> str:
    """Return a bare title between two marks; the same marks inside it become inner ones, single ones go."""
    opening, closing = marks[0], marks[-1]
    if '"' in title:
        title = _straight(title)
    if opening in title or closing in title:
        nested = {opening: _INNER[opening], closing: _INNER[closing]} if _is_balanced(title, opening, closing) else {}
        title = "".join(nested.get(sign, "") if sign in marks else sign for sign in title)
        title = title if nested else _MET.sub(r"\1", title)
    return f"{opening}{title}{closing}"


def rounded(length: int) -> int:
    """Round a number of characters as people do: to 50, from 500 on to 100; at least 50."""
    step = _FINE if length < _FINE_BELOW else _COARSE
    return max(_FINE, round(length / step) * step)


def listed(headings: Sequence[str]) -> str:
    """Name headings in a sentence: 甲、乙和丙."""
    *others, last = headings
    return f"{'、'.join(others)}和{last}" if others else last


def _closes_at_end(title: str) -> bool:
    """Tell whether the mark at the beginning is closed by the one at the end, and not by an earlier one."""
    opening, closing, depth = title[0], title[-1], 0
    if opening == closing:
        return title.count(opening) == len(_PAIRS[opening]) * 2
    for place, sign in enumerate(title):
        depth += (sign == opening) - (sign == closing)
        if not depth:
            return place == len(title) - 1
    return False


def _is_balanced(title: str, opening: str, closing: str) -> bool:
    depth = 0
    for sign in title:
        depth += (sign == opening) - (sign == closing)
        if depth not in {0, 1}:
            return False
    return not depth


def _straight(title: str) -> str:
    """Return a title with its straight quotes in pairs as inner ones; without them where one is left over."""
    parts = title.split('"')
    if len(parts) % 2 == 0:
        return "".join(parts)
    return "".join(part if place == 0 else f"{'‘’'[(place - 1) % 2]}{part}" for place, part in enumerate(parts))
