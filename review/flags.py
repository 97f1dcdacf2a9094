"""What the rules point out in the wordings of records, as rows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from review.models import Flag
from review.text.rules import Encoded, Span, Texts, find_flags

if TYPE_CHECKING:
    from review.models import Revision, Source

type Places = Mapping[str, list[Span]]
"""The places by rule."""


def places(texts: Texts, *, source: "Source", encoded: Encoded | None = None) -> Places:
    """Return what the flags of a source find, by rule; touches no database."""
    found: dict[str, list[Span]] = {}
    for rule, span in find_flags(texts, switches=source.rules, encoded=encoded):
        found.setdefault(rule, []).append(span)
    return found


def write_flags(revision: "Revision", *, source: "Source") -> int:
    """Write what the flags find in a new wording, and return how many rules found something."""
    found = places(revision.texts(source), source=source)
    Flag.objects.bulk_create(
        Flag(record_id=revision.record_id, revision=revision, rule=rule, spans=spans) for rule, spans in found.items()
    )
    return len(found)
