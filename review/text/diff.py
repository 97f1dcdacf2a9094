"""What differs between two wordings, character by character, and nothing else.

A character is what a reader takes for one: a letter with its combining marks, an emoji with its joiners, a CRLF.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from rapidfuzz.distance import Indel, Levenshtein

type Kind = Literal["equal", "delete", "insert"]

SHORT = 60_000_000
"""Characters times characters up to which the fewest possible characters are marked: about 0.1 s."""
LONG = 900_000_000
"""… up to which they are aligned at all. Two texts that share no sentence and are longer stand one after the other."""
CONTEXT = 48
_JOINING = re.compile(
    "[\\r\\u0300-\\u036f\\u0483-\\u0489\\u0590-\\u0eff\\u135d-\\u135f\\u1a00-\\u1aff\\u1dc0-\\u1dff\\u200d\\u20d0-\\u20ff"
    "\\u302a-\\u302f\\u3099\\u309a\\ufe00-\\ufe0f\\ufe20-\\ufe2f\\U0001f000-\\U0001fbff\\U000e0000-\\U000e01ef]"
)
_SENTENCE = re.compile(r"[^\n。！？；]*[\n。！？；]*")
_ANCHOR = 8
_MOST_MARKS = 16
_EDGES = ("\n", "。！？；…", "，、：,.;:!?）)」』”’》 ")


class Piece(NamedTuple):
    """A stretch of text that both wordings have, or that only the earlier or only the later one has."""

    kind: Kind
    text: str


class Fold(NamedTuple):
    """A long stretch that both wordings have: its ends are shown as context, the middle when asked for."""

    start: str
    middle: str
    end: str


def opcodes(before: str, after: str) -> list[Piece]:
    """Return the pieces in the order of reading; the deleted text stands before what was inserted in its place.

    The equal and deleted pieces together are `before`, the equal and inserted ones `after`, to the character.
    """
    if before == after:
        return [Piece("equal", before)] if before else []
    one, other = _characters(before), _characters(after)
    pieces: list[Piece] = []
    for kind, start, end in _steps(one, other):
        text = "".join((other if kind == "insert" else one)[start:end])
        if text:
            _append(pieces, kind, text)
    return _slid(pieces) if _plain(one, other) else pieces


def _append(pieces: list[Piece], kind: Kind, text: str) -> None:
    """Append a piece; of a deletion and an insertion at one place the deletion comes first, each in one piece."""
    at = len(pieces)
    while at and kind != "equal" and pieces[at - 1].kind != "equal":
        at -= 1
        if pieces[at].kind == kind:
            pieces[at] = Piece(kind, pieces[at].text + text)
            return
    if pieces and kind == "equal" == pieces[-1].kind:
        pieces[-1] = Piece("equal", pieces[-1].text + text)
    else:
        pieces.insert(at if kind == "delete" else len(pieces), Piece(kind, text))


def _characters(text: str) -> str | list[str]:
    """Return the text as a sequence of what a reader takes for one character: itself, where that is a code point."""
    if not _JOINING.search(text):
        return text
    found: list[str] = []
    for character in text:
        if found and _belongs(found[-1], character):
            found[-1] += character
        else:
            found.append(character)
    return found


def _belongs(before: str, character: str) -> bool:
    if len(before) > _MOST_MARKS:
        return False
    if before == "\r":
        return character == "\n"
    if before[-1] == "\u200d":
        return character > "\u2000"
    is_flag = "\U0001f1e6" <= character <= "\U0001f1ff"
    if is_flag:
        return len(before) == 1 and "\U0001f1e6" <= before <= "\U0001f1ff"
    is_mark = character == "\u200d" or "\U0001f3fb" <= character <= "\U0001f3ff"
    return before not in "\n\r\t " and (is_mark or unicodedata.category(character) in {"Mn", "Me", "Mc"})


type _Step = tuple[Kind, int, int]


def _steps(one: Sequence[str], other: Sequence[str]) -> Iterator[_Step]:
    """Yield (kind, start, end): positions in `other` for an insertion, in `one` for all else."""
    head = _common(one, other)
    tail = _common(one[head:][::-1], other[head:][::-1])
    yield "equal", 0, head
    yield from _middle(one, other, (head, len(one) - tail), (head, len(other) - tail))
    yield "equal", len(one) - tail, len(one)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _middle(one: Sequence[str], other: Sequence[str], here: tuple[int, int], there: tuple[int, int]) -> Iterator[_Step]:
    """Align what lies between the common ends; what is long is first cut at the sentences that occur once in each."""
    if (here[1] - here[0]) * (there[1] - there[0]) <= SHORT:
        yield from _aligned(one, other, here, there)
        return
    (i, i_end), (j, j_end) = here, there
    for i_at, j_at, length in _anchors("".join(one[i:i_end]), "".join(other[j:j_end])) if _plain(one, other) else ():
        yield from _aligned(one, other, (i, here[0] + i_at), (j, there[0] + j_at))
        i, j = here[0] + i_at + length, there[0] + j_at + length
        yield "equal", i - length, i
    yield from _aligned(one, other, (i, i_end), (j, j_end))


def _plain(*texts: Sequence[str]) -> bool:
    return all(isinstance(text, str) for text in texts)


def _aligned(
    one: Sequence[str], other: Sequence[str], here: tuple[int, int], there: tuple[int, int]
) -> Iterator[_Step]:
    (i, i_end), (j, j_end) = here, there
    cost = (i_end - i) * (j_end - j)
    if not cost or cost > LONG:
        yield "delete", i, i_end
        yield "insert", j, j_end
        return
    distance = Indel if cost <= SHORT else Levenshtein
    for tag, i1, i2, j1, j2 in distance.opcodes(one[i:i_end], other[j:j_end]):
        if tag == "equal":
            yield "equal", i + i1, i + i2
        else:
            yield "delete", i + i1, i + i2
            yield "insert", j + j1, j + j2


def _anchors(one: str, other: str) -> list[tuple[int, int, int]]:
    """Return (position, position, length) of sentences that occur once in each, in an order that holds in both."""
    known = _once(other)
    both = [(at, known[text], len(text)) for text, at in _once(one).items() if text in known]
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for number, (_at, place, _length) in enumerate(both):  # the longest increasing run of places
        rank = bisect_left(ends, place)
        ends[rank : rank + 1], last[rank : rank + 1] = [place], [number]
        before.append(last[rank - 1] if rank else -1)
    chain, number = [], last[-1] if last else -1
    while number >= 0:
        chain.append(both[number])
        number = before[number]
    return chain[::-1]


def _once(text: str) -> dict[str, int]:
    """Return where each sentence stands that occurs only once, in their order."""
    found = [(sentence[0], sentence.start()) for sentence in _SENTENCE.finditer(text) if len(sentence[0]) >= _ANCHOR]
    times = Counter(sentence for sentence, _at in found)
    return {sentence: at for sentence, at in found if times[sentence] == 1}


def _slid(pieces: list[Piece]) -> list[Piece]:
    """Move a lone deletion or insertion to where a reader would place it: along a line end or a sentence's."""
    for at in range(1, len(pieces) - 1):
        before, edit, after = pieces[at - 1 : at + 2]
        if edit.kind != "equal" and before.kind == "equal" == after.kind:
            pieces[at - 1 : at + 2] = _best_place(before, edit, after)
    return [piece for piece in pieces if piece.text]


def _best_place(before: Piece, edit: Piece, after: Piece) -> list[Piece]:
    whole = before.text + edit.text + after.text
    start, length = len(before.text), len(edit.text)
    left = right = 0
    while left < start and whole[start - left - 1] == whole[start - left - 1 + length]:
        left += 1
    while start + length + right < len(whole) and whole[start + right] == whole[start + right + length]:
        right += 1
    best = max(range(start - left, start + right + 1), key=lambda at: (_edge(whole, at, length), -abs(at - start)))
    return [
        Piece("equal", whole[:best]),
        Piece(edit.kind, whole[best : best + length]),
        Piece("equal", whole[best + length :]),
    ]


def _edge(whole: str, at: int, length: int) -> int:
    """Say how good a place is for an edit to begin and end: after a line, a sentence, a clause, anywhere."""
    if at == 0 or at + length == len(whole):
        return len(_EDGES)
    kinds = (len(_EDGES) - rank for rank, edge in enumerate(_EDGES) if whole[at - 1] in edge)
    return next(kinds, 0)


def folded(pieces: Sequence[Piece], context: int = CONTEXT) -> list[Piece | Fold]:
    """Return the pieces with the long equal ones folded, `context` characters of them left on each side."""
    shown: list[Piece | Fold] = []
    for number, piece in enumerate(pieces):
        head = context if number else 0
        tail = context if number < len(pieces) - 1 else 0
        if piece.kind == "equal" and len(piece.text) > head + tail + context:
            cut = len(piece.text) - tail
            shown.append(Fold(piece.text[:head], piece.text[head:cut], piece.text[cut:]))
        else:
            shown.append(piece)
    return shown
