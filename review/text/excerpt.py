"""Showing where words stand in a text: a stretch of it around the first place, in pieces."""

from typing import NamedTuple

from review.text.grams import folded

ROOM = 140
"""Characters of a text that are shown of it in a list."""
_BEFORE = 30


class Piece(NamedTuple):
    """A part of a text; `is_match` where it is what was looked for."""

    text: str
    is_match: bool = False


def excerpt(text: str, words: str = "", *, room: int = ROOM) -> list[Piece]:
    """Return about `room` characters of the text in pieces: from its beginning, or from before the first match on.

    The pieces joined are a part of the text as it is, with … where something was left out.
    """
    wanted = folded(words.strip())
    at = folded(text).find(wanted) if wanted else -1
    start = max(at - _BEFORE, 0) if at + len(wanted) > room else 0
    end = start + max(room, len(wanted) + _BEFORE)
    pieces = _pieces(text[start:end], wanted)
    head = [Piece("…")] if start else []
    tail = [Piece("…")] if end < len(text) else []
    return head + pieces + tail


def _pieces(text: str, wanted: str) -> list[Piece]:
    lower, pieces, done = folded(text), [], 0
    while wanted and (at := lower.find(wanted, done)) >= 0:
        pieces += [Piece(text[done:at]), Piece(text[at : at + len(wanted)], is_match=True)]
        done = at + len(wanted)
    return [piece for piece in [*pieces, Piece(text[done:])] if piece.text]
