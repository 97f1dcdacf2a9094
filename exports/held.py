"""What a release holds back, in words: why, and where that can be decided."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from exports.facts import NOT_IN_MIX
from review.models import Source

UNKNOWN, OBJECTED, OTHER = "rights-unknown", "rights-objected", "licence-not-in-policy"
FLAGGED = "flagged"
RESTRICTED, TAKEN_DOWN, RETRACTED = "rights-restricted", "taken-down", "retracted"
SENT_BACK = "sent-back"

WORDS: dict[str, Promise] = {
    UNKNOWN: _("rights unknown"),
    OTHER: _("licence not in this policy"),
    OBJECTED: _("a reviewer objected"),
    RESTRICTED: _("rights restricted"),
    TAKEN_DOWN: _("taken down"),
    RETRACTED: _("import taken back"),
    FLAGGED: _("flagged by a rule that the policy heeds"),
    SENT_BACK: _("sent back, not decided again"),
    NOT_IN_MIX: _("not drawn by the mix"),
}
NEXT: dict[str, Promise] = {
    UNKNOWN: _("Decide the rights of the source or of its import."),
    OTHER: _("Choose a policy that holds the licence, or decide the rights anew."),
    OBJECTED: _("Decide the rights of these records anew."),
    RESTRICTED: _("Such records never leave."),
    TAKEN_DOWN: _("Such records never leave."),
    RETRACTED: _("They come back only with a new import."),
    FLAGGED: _("See what is flagged, and have it mended."),
    SENT_BACK: _("They come back once they are decided again."),
    NOT_IN_MIX: _("Raise the cap of the source in the mix, or cut without a mix."),
}
DECIDED_AT_SOURCE = {UNKNOWN: "rights", OTHER: "rights", OBJECTED: "objected", FLAGGED: "flags"}
"""What is decided on the page of the source, and in which part of it."""


@dataclass(frozen=True, slots=True)
class Held:
    """Approved records of one source that do not leave, for one reason."""

    source: Source | str
    reason: str
    number: int

    @property
    def words(self) -> Promise | str:
        return WORDS.get(self.reason, self.reason)

    @property
    def next(self) -> Promise | str:
        return NEXT.get(self.reason, "")

    @property
    def slug(self) -> str:
        """The source whose page decides it; empty where that page cannot help."""
        return self.source.slug if isinstance(self.source, Source) and self.reason in DECIDED_AT_SOURCE else ""

    @property
    def is_listed(self) -> bool:
        """Whether there is a list of exactly these records."""
        return isinstance(self.source, Source) and self.reason in WORDS and self.reason != NOT_IN_MIX

    @property
    def part(self) -> str:
        return DECIDED_AT_SOURCE.get(self.reason, "")


def held(counts: Mapping[str, Mapping[str, int]], sources: Mapping[str, Source]) -> list[Held]:
    """Return what is held back, given by slug and reason; the largest numbers first."""
    found = [
        Held(sources.get(slug, slug), reason, number)
        for slug, reasons in counts.items()
        for reason, number in reasons.items()
    ]
    return sorted(found, key=lambda one: (-one.number, str(one.source), one.reason))
