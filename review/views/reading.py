"""How a text reads: what in it deserves a look, what was changed in it, and how it looks as Markdown."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.utils.translation import get_language, gettext_lazy, pgettext_lazy

from review.forms import unix
from review.models import Record, Revision, Source
from review.text.marks import marks, sign
from review.text.rules import FIELDS, RULES, Texts, find_flags

VIEWS = ("changes", "preview")
MARK_WORDS = {
    "invisible": gettext_lazy("invisible character"),
    "bidi": gettext_lazy("changes the direction of writing"),
    "control": gettext_lazy("control character"),
    "blank": gettext_lazy("unusual blank"),
    "damaged": gettext_lazy("damaged or private character"),
    "look-alike": gettext_lazy("looks like another character"),
    "full-width": gettext_lazy("full-width letters or digits"),
    "half-width": gettext_lazy("half-width character among Chinese ones"),
    "traditional": gettext_lazy("traditional character"),
    "line": pgettext_lazy("character", "line end"),
}
MOST_PLACES, AROUND, LONGEST_EXCERPT = 200, 6, 24


class Shade(NamedTuple):
    """A stretch of a text, and the kind of mark that lies under it; "" for none."""

    text: str
    kind: str = ""


class Finding(NamedTuple):
    """What was found in a text, wherever it stands. `places` are pairs of positions as a browser counts them."""

    kind: str
    sentence: str
    excerpt: str
    number: int
    places: str
    repair: str = ""


class Reading(NamedTuple):
    """A text with what was found in it."""

    shades: list[Shade]
    findings: list[Finding]


class Place(NamedTuple):
    """One place of what was found: the characters from `start` to before `end`."""

    start: int
    end: int
    kind: str
    sentence: str
    repair: str = ""


def read(text: str, flagged: Sequence[Place] = ()) -> Reading:
    """Return the text with the places that rules have flagged in it, and with marks where no rule has seen them."""
    found = [Place(mark.start, mark.end, mark.kind, str(MARK_WORDS[mark.kind])) for mark in marks(text)]
    if flagged and found:
        taken = {at for place in flagged for at in range(place.start, place.end)}
        found = [place for place in found if taken.isdisjoint(range(place.start, place.end))]
    places = sorted([*flagged, *found])
    return Reading(list(_shades(text, places)), _findings(text, places)) if places else Reading([], [])


def flagged(texts: Texts, *, source: Source) -> dict[str, list[Place]]:
    """Return by field what the rules of a source find, in positions of the texts as a text area holds them."""
    language, found = get_language() or "", defaultdict[str, list[Place]](list)
    for name, (field, start, end) in find_flags(texts, switches=source.rules):
        rule, text = RULES[name], getattr(texts, field)
        is_moved = isinstance(text, str) and "\r" in text
        places = [len(unix(text[:at])) if is_moved else at for at in (start, end)]
        repair = name if rule.repair is not None and field in FIELDS else ""
        found[field].append(Place(places[0], places[1], "flag", rule.sentence(language), repair))
    return found


def mended(rule: str, text: str) -> str:
    """Return a field as the rule proposes to mend it; unchanged where there is no such proposal."""
    known = RULES.get(rule)
    return known.repair(text) if known is not None and known.repair is not None else text


def _shades(text: str, places: list[Place]) -> Iterator[Shade]:
    at = 0
    for place in places:
        if place.start > at:
            yield Shade(text[at : place.start])
        if place.end > max(at, place.start):
            yield Shade(text[max(at, place.start) : place.end], place.kind)
        at = max(at, place.end)
    yield Shade(text[at:])


def _findings(text: str, places: list[Place]) -> list[Finding]:
    """Return what was found, each kind once, with all of its places."""
    kinds: dict[tuple[str, str], list[Place]] = {}
    for place in places:
        kinds.setdefault((place.kind, place.sentence), []).append(place)
    units = _units(text)
    return [
        Finding(
            kind,
            sentence,
            excerpt(text, found[0]),
            len(found),
            " ".join(f"{units(place.start)}-{units(place.end)}" for place in found[:MOST_PLACES]),
            found[0].repair,
        )
        for (kind, sentence), found in kinds.items()
    ]


def _units(text: str) -> "type[int] | Units":
    """Return what turns a position in the text into one as a browser counts: two for what lies outside of the plane."""
    return int if text.isascii() or max(text) < "\U00010000" else Units(text)


class Units:
    """Positions in UTF-16."""

    def __init__(self, text: str) -> None:
        self._beyond = [at for at, character in enumerate(text) if character >= "\U00010000"]

    def __call__(self, place: int) -> int:
        return place + sum(at < place for at in self._beyond)


def excerpt(text: str, place: Place) -> str:
    """Return the place with a few characters around it, and with signs for what cannot be seen."""
    end = min(place.end, place.start + LONGEST_EXCERPT)
    shown = text[place.start : end] if place.end > place.start else text[:LONGEST_EXCERPT]
    before, after = text[max(0, place.start - AROUND) : place.start], text[end : end + AROUND] if place.end else ""
    return f"{_visible(before)}{_visible(shown)}{_visible(after)}"


def _visible(text: str) -> str:
    """Return the text in one line, with a sign in the place of each character that cannot be seen."""
    signs = ((character, sign(character)) for character in text)
    return "".join("↵" if c == "\n" else c if c == " " or not shown else f"[{shown}]" for c, shown in signs)


def original(record: Record) -> Revision:
    """Return the wording as it last came in, before anybody edited it."""
    came = Revision.objects.filter(record=record, author=None, number__lte=record.revision.number).order_by("-number")
    return came.first() or record.revision
