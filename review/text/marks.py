"""What the eye misses in a text: invisible and direction-changing characters, look-alikes, widths, traditional script.

Nothing here changes a text. Marks are places to show; whether they are faults is for a person to say.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal, NamedTuple

import opencc

type Kind = Literal[
    "invisible", "bidi", "control", "blank", "damaged", "look-alike", "full-width", "half-width", "traditional"
]

NAMES = {
    "\t": "TAB",
    "\r": "CR",
    "\x7f": "DEL",
    "\x85": "NEL",
    "\xa0": "NBSP",
    "\xad": "SHY",
    "\u034f": "CGJ",
    "\u061c": "ALM",
    "\u180e": "MVS",
    "\u200b": "ZWSP",
    "\u200c": "ZWNJ",
    "\u200d": "ZWJ",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u2028": "LS",
    "\u2029": "PS",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\u3000": "IDSP",
    "\u3164": "HF",
    "\ufeff": "BOM",
}
MOST_TRADITIONAL = 0.2
"""A text with a higher share of traditional characters is written in them: no single one is worth a mark."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_EMOJI = "\u200d\ufe0f\u2600-\u27bf\U0001f000-\U0001faff"
_GROUPS: dict[str, str] = {
    "bidi": "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]",
    "invisible": f"[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200c\u2060-\u2065\u206a-\u206f\u3164\ufeff"
    f"\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]|(?<![{_EMOJI}])\u200d|\u200d(?![{_EMOJI}])",
    "control": "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u2028\u2029]",
    "blank": "[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000\t]| +(?=\n|\\Z)|(?<=[^ \n]) {2,}",
    "damaged": "[\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]",
    "look-alike": "(?<=[A-Za-z])[\u0370-\u03ff\u0400-\u052f]|[\u0370-\u03ff\u0400-\u052f](?=[A-Za-z])"
    "|[\u2e80-\u2fd5\uf900-\ufaff]",
    "full-width": "[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]+",
    "half-width": f"(?<=[{_HAN}])[,;:!?](?=[{_HAN}\n]|\\Z)|[\uff61-\uffdc]+",
}
_MARKS = re.compile("|".join(f"(?P<{name.replace('-', '_')}>{pattern})" for name, pattern in _GROUPS.items()))
_MAY_BE_TRADITIONAL = re.compile(f"[{_HAN}]")


class Mark(NamedTuple):
    """A place in a text: the characters from `start` to before `end`."""

    start: int
    end: int
    kind: Kind


class Segment(NamedTuple):
    """A stretch of text as it is shown. `sign` stands in the place of what cannot be seen; `kind` is "" for plain text.

    The characters that change the direction of the text around them are never shown themselves.
    """

    text: str
    kind: str = ""
    sign: str = ""


def marks(text: str, *, script: bool = True) -> list[Mark]:
    """Return the marks in the order of the text; with `script` also traditional characters in a simplified text."""
    found = [Mark(*match.span(), _kind(match)) for match in _MARKS.finditer(text)]
    if script:
        found += [Mark(at, at + 1, "traditional") for at in traditional(text)]
    return sorted(found)


def _kind(match: re.Match[str]) -> Kind:
    return (match.lastgroup or "").replace("_", "-")  # type: ignore[return-value]  # the groups are named by kind


def traditional(text: str) -> list[int]:
    """Return where traditional characters stand in a text that is otherwise simplified."""
    simplified = _converter().convert(text)
    if simplified == text:
        return []
    if len(simplified) == len(text):
        places = [at for at, (one, other) in enumerate(zip(text, simplified, strict=True)) if one != other]
    else:
        known = {character: _converter().convert(character) for character in set(text)}
        places = [at for at, character in enumerate(text) if known[character] != character]
    return places if len(places) <= MOST_TRADITIONAL * len(_MAY_BE_TRADITIONAL.findall(text)) + 1 else []


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def sign(character: str) -> str:
    """Return what is shown for a character that cannot be seen."""
    if character < " ":
        return NAMES.get(character) or chr(0x2400 + ord(character))
    if character == " ":
        return "·"
    if name := NAMES.get(character):
        return name
    is_seen = unicodedata.category(character) not in {"Cc", "Cf", "Co", "Cn", "Zs", "Zl", "Zp", "Mn"}
    return "" if is_seen else f"U+{ord(character):04X}"


def segments(text: str, found: Iterable[Mark] | None = None, *, line_ends: bool = False) -> Iterator[Segment]:
    """Yield the text in stretches, those that are marked with their signs; `line_ends` gives those a sign too."""
    at = 0
    for mark in marks(text, script=False) if found is None else found:
        if mark.start > at:
            yield from _plain(text[at : mark.start], line_ends=line_ends)
        if mark.start >= at:
            yield from _marked(text[mark.start : mark.end], mark.kind)
            at = mark.end
    if at < len(text):
        yield from _plain(text[at:], line_ends=line_ends)


def _marked(text: str, kind: Kind) -> Iterator[Segment]:
    if kind in {"full-width", "half-width", "traditional", "look-alike"}:
        yield Segment(text, kind)
        return
    for character in text:
        yield Segment("\t" if character == "\t" else "", kind, sign(character) or character)


def _plain(text: str, *, line_ends: bool) -> Iterator[Segment]:
    if not line_ends:
        yield Segment(text)
        return
    for number, line in enumerate(text.split("\n")):
        if number:
            yield Segment("\n", "line", "↵")
        if line:
            yield Segment(line)
