"""Whether the words in which a person sees a record are as the list is asked for.

They see it in the words of their own look before its outcome, or as gold was first shown: no index of all records
knows of that.
"""

from typing import TYPE_CHECKING, Any

from review import browsing
from review.models import Flag, Licence
from review.text.grams import folded

if TYPE_CHECKING:
    from collections.abc import Callable

    from review.blind import Apart

TEXTS = ("instruction", "input", "output")


def _holds(seen: "Apart", words: str) -> bool:
    return any(folded(words.strip()) in folded(getattr(seen.wording, name)) for name in TEXTS)


def _licence(seen: "Apart") -> str:
    record = seen.record
    known = seen.rights or record.rights or record.batch.rights or record.source.rights
    return known.licence if known else Licence.UNKNOWN.value


_MEETS: "dict[str, Callable[[Apart, Any], bool]]" = {
    "q": _holds,
    "major": lambda seen, label: label in seen.wording.task_type["major"],
    "minor": lambda seen, label: label in seen.wording.task_type["minor"],
    "domain": lambda seen, label: label in seen.wording.domain,
    "answer_from": lambda seen, author: bool(seen.wording.answer_from == author),
    "shortest": lambda seen, length: bool(len(seen.wording.output) >= length),
    "longest": lambda seen, length: bool(len(seen.wording.output) <= length),
    "flag": lambda seen, rule: Flag.objects.filter(revision=seen.wording, rule=rule).exists(),
    "licence": lambda seen, licence: _licence(seen) == licence,
    "reach": lambda seen, reach: _licence(seen) in browsing.licences_reaching(reach),
}
ASKED = frozenset(_MEETS)
"""The filters that ask for something of a wording or its rights."""


def is_as_asked(seen: "Apart", given: dict[str, Any]) -> bool:
    """Tell whether the wording and the rights are as all of these filters say that ask for them."""
    return all(_MEETS[name](seen, value) for name, value in given.items() if name in ASKED)
