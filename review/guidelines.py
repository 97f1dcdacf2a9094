"""What reviewers go by: Markdown in versions, for every source and for single ones."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Max, Q
from django.utils.translation import gettext as _

from review import access
from review.models import Guideline, Source
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User

LONGEST = 100_000


@transaction.atomic
def write_guideline(*, by: "User | None", source: Source | None, text: str, seen_version: int) -> Guideline:
    """Write the next version of the guideline of a source, or of every source; the earlier ones stay.

    Refused when somebody else has written a version since `seen_version`, or when nothing has changed.
    """
    access.check_manage(by)
    if not text.strip() or len(text) > LONGEST:
        problem = _("Write between 1 and %(number)s characters.") % {"number": f"{LONGEST:,}"}
        raise Refused(problem, ground=Ground.INVALID, fields={"text": problem})
    if source is not None:
        Source.objects.select_for_update().get(pk=source.pk)
    latest = versions(source).first()
    if (latest.version if latest else 0) != seen_version:
        raise Refused(_("Somebody else has written a new version meanwhile. Yours is kept below."))
    if latest is not None and latest.text == text:
        raise Refused(_("Nothing has changed."), ground=Ground.INVALID, fields={"text": _("Nothing has changed.")})
    return Guideline.objects.create(source=source, version=seen_version + 1, text=text, by=by)


def versions(source: Source | None) -> "QuerySet[Guideline]":
    """Return the versions of one guideline, the latest first."""
    return Guideline.objects.filter(source=source).select_related("by").order_by("-version")


def in_force(source: Source) -> list[Guideline]:
    """Return what a reviewer of the source goes by: its own guideline first, then that of every source."""
    meant = Guideline.objects.filter(Q(source=source) | Q(source=None))
    latest = meant.values("source").annotate(latest=Max("version"))
    wanted = Q(pk=None)
    for row in latest:
        wanted |= Q(source=row["source"], version=row["latest"])
    return list(
        Guideline.objects.filter(wanted).select_related("source", "by").order_by(F("source").asc(nulls_last=True))
    )
