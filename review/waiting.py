"""What waits for a person, and who holds it: the questions that the pages ask of the queue."""

from typing import TYPE_CHECKING, NamedTuple

from django.db import models
from django.db.models import Count, Exists, F, Func, OuterRef, Q

from review.models import Claim, Decision, Record, Skip, Source, State, Withdrawal

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User

_NOW = Func(function="clock_timestamp", output_field=models.DateTimeField())
_STATES = {
    Claim.Purpose.REVIEW: [State.WAITING, State.SECOND, State.UNANSWERED],
    Claim.Purpose.SETTLE: [State.DISPUTED],
}


class Outlook(NamedTuple):
    """What a person has before them. The two counts are given where nothing is free: they say why."""

    is_free: bool
    held: int = 0
    skipped: int = 0


def outlook(*, by: "User", purpose: Claim.Purpose = Claim.Purpose.REVIEW, source: int | None = None) -> Outlook:
    """Tell whether a record is free for the person, and if not, how many others hold and how many they put aside."""
    waiting = waiting_for(by, purpose)
    waiting = waiting.filter(source=source) if source else waiting
    held = Exists(_running().filter(record=OuterRef("pk")).exclude(reviewer=by))
    skipped = Exists(Skip.objects.filter(record=OuterRef("pk"), reviewer=by))
    if waiting.filter(~held, ~skipped).exists():
        return Outlook(is_free=True)
    counts = waiting.aggregate(held=Count("pk", filter=Q(held)), skipped=Count("pk", filter=Q(~held) & Q(skipped)))
    return Outlook(is_free=False, **counts)


def waiting_for(by: "User", purpose: Claim.Purpose = Claim.Purpose.REVIEW) -> "QuerySet[Record]":
    """Return the records that wait for this person, held or not.

    They are of their sources, not decided by them before, and not worded by them unless sent back to them.
    """
    counts, failed = Q(round=OuterRef("round"), withdrawal=None), Q(withdrawal__kind=Withdrawal.Kind.GOLD)
    own = Decision.objects.filter(record=OuterRef("pk"), reviewer=by)
    wrote = own.filter(revision=OuterRef("revision")).exclude(seen_revision=F("revision"))
    free = Q() if purpose == Claim.Purpose.SETTLE else Q(assignee=None)
    theirs = Q(assignee=by) | (free & ~Exists(wrote))
    return (
        Record.objects.live()
        .for_user(by)
        .filter(theirs, ~Exists(own.filter(counts | failed)), state__in=_STATES[purpose])
    )


def waiting_by_source(by: "User") -> list[tuple[Source, int]]:
    """Return each source for which records wait for the person, with their number, in the catalogue's order."""
    counted = waiting_for(by).values("source").annotate(number=Count("pk")).values_list("source", "number")
    numbers = dict(counted)
    sources = Source.objects.select_related("category").filter(pk__in=numbers)
    return [(source, numbers[source.pk]) for source in sources.order_by("category__position", "position")]


def running_claim(record: int, by: "User") -> Claim | None:
    """Return the claim by which somebody holds the record at this moment, the person's own first."""
    lasting = Claim.objects.filter(record=record, lease_until__gt=_NOW).select_related("reviewer")
    holding = lasting.filter(Q(purpose__in=list(_STATES)) | Q(purpose=Claim.Purpose.GOLD, reviewer=by))
    return min(holding, key=lambda claim: claim.reviewer_id != by.pk, default=None)


def _running() -> "QuerySet[Claim]":
    return Claim.objects.filter(purpose__in=list(_STATES), lease_until__gt=_NOW)
