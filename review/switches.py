"""Which rules a source has switched on, and the thresholds that its records must reach."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from review import access
from review.models import Record, Revision, Source
from review.refused import Ground, Refused
from review.text.rules import RULES, Kind, Texts

if TYPE_CHECKING:
    from review.models import User

LATEST = 1000
"""How many of a source's records a trial looks at."""
THRESHOLDS: dict[str, tuple[float, float]] = {
    "votes": (0, 10_000_000),
    "shortest": (0, 100_000),
    "longest": (0, 100_000),
    "score": (0, 10),
}
"""What may be demanded of a record, and between which numbers: votes, characters of the answer, quality score."""


def is_on(rule: str, switches: Mapping[str, bool]) -> bool:
    """Whether a rule works where `switches` are set: flags do unless switched off, repairs and drops only if on."""
    return switches.get(rule, RULES[rule].kind == Kind.FLAG)


@transaction.atomic
def switch_rules(
    source: Source, *, by: "User | None", switches: Mapping[str, bool], thresholds: Mapping[str, float]
) -> None:
    """Set the switches and thresholds of a source, for imports to come. Raises Refused for what does not exist."""
    access.check_manage(by)
    if unknown := next((rule for rule in switches if rule not in RULES), None):
        raise Refused(_("There is no rule “%(name)s”.") % {"name": unknown}, ground=Ground.INVALID)
    _check(thresholds)
    locked = Source.objects.select_for_update().get(pk=source.pk)
    locked.rules = {rule: on for rule, on in sorted(switches.items()) if on != is_on(rule, {})}
    locked.thresholds = dict(sorted(thresholds.items()))
    locked.save(update_fields=["rules", "thresholds"])
    source.rules, source.thresholds = locked.rules, locked.thresholds


def _check(thresholds: Mapping[str, float]) -> None:
    for name, value in thresholds.items():
        if name not in THRESHOLDS or not THRESHOLDS[name][0] <= value <= THRESHOLDS[name][1]:
            message = _("“%(name)s” is no threshold, or out of bounds.") % {"name": name}
            raise Refused(message, ground=Ground.INVALID, fields={name: message})
    if thresholds.get("shortest", 0) > thresholds.get("longest", THRESHOLDS["longest"][1]):
        message = _("The shortest length is above the longest.")
        raise Refused(message, ground=Ground.INVALID, fields={"shortest": message})


def latest_texts(source: Source) -> Iterator[tuple[int, Texts]]:
    """Yield the latest records of a source, by their ids, with their current texts."""
    records = Record.objects.filter(source=source).live().order_by("-pk").values_list("pk", "revision")[:LATEST]
    revisions = dict(records)
    wordings = Revision.objects.filter(pk__in=revisions.values()).order_by("-record")
    for wording in wordings:
        yield wording.record_id, wording.texts(source)
