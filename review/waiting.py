"""What waits for a person, and who holds it: the questions that the pages ask of the queue."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from django.db import models
from django.db.models import Count, Exists, F, Max, OuterRef, Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from review import access
from review.models import Claim, Decision, Record, Skip, Source, State, Withdrawal
from review.models.clock import ClockTimestamp
from review.models.record import RecordQuerySet

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from review.models import User

MOST_HOLDERS = 20
_STATES = {
    Claim.Purpose.REVIEW: [State.WAITING, State.SECOND, State.UNANSWERED],
    Claim.Purpose.SETTLE: [State.DISPUTED],
}


class Skipped(models.TextChoices):
    """What to do about records that the person has put aside."""

    LEFT_OUT = "", _("without what I skipped")
    ALSO = "on", _("with what I skipped")
    ONLY = "only", _("only what I skipped")


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the queue that a person works through; without anything given, all of it.

    `source` and `category` are ids; `major`, `minor` and `domain` are labels; lengths are of the answer, in characters;
    `flag` is the id of a rule; with `risk_first` all that any rule has flagged comes before all else.
    """

    purpose: Claim.Purpose = Claim.Purpose.REVIEW
    source: int | None = None
    category: int | None = None
    major: str = ""
    minor: str = ""
    domain: str = ""
    shortest: int | None = None
    longest: int | None = None
    flag: str = ""
    risk_first: bool = False
    skipped: Skipped = Skipped.LEFT_OUT

    def sources(self, by: "User") -> list[int] | None:
        """Return the sources to look into: those meant that the person may see; None for every one."""
        if self.source is not None:
            return [self.source] if access.can_see(by, self.source) else []
        limits = access.limited_to(by)
        if self.category is None:
            return sorted(limits) or None
        of_category = Source.objects.filter(category=self.category).values_list("pk", flat=True)
        return sorted(limits & set(of_category) if limits else of_category)

    def of(self, records: RecordQuerySet, by: "User") -> RecordQuerySet:
        """Narrow records down to this part, what was skipped included."""
        sources = self.sources(by)
        wanted = Q() if sources is None else Q(source__in=sources)
        for name in ("major", "minor"):
            if label := getattr(self, name):
                wanted &= Q(revision__task_type__contains={name: [label]})
        if self.domain:
            wanted &= Q(revision__domain__contains=[self.domain])
        if self.shortest is not None or self.longest is not None:
            records = records.alias(length=Length("revision__output"))
            wanted &= Q() if self.shortest is None else Q(length__gte=self.shortest)
            wanted &= Q() if self.longest is None else Q(length__lte=self.longest)
        return (records.flagged(self.flag) if self.flag else records).filter(wanted)


class Holder(NamedTuple):
    """Who holds records of a part of the queue, how many, and until when at most."""

    name: str
    number: int
    until: "datetime"


class Outlook(NamedTuple):
    """What a person has before them. The rest is given where nothing is free: it says why."""

    is_free: bool
    held: int = 0
    skipped: int = 0
    elsewhere: bool = False
    holders: "tuple[Holder, ...]" = ()


def outlook(*, by: "User", part: Part = Part()) -> Outlook:
    """Tell whether a record is free for the person, and if not, who holds what is left and how much they put aside."""
    everything = waiting_for(by, part.purpose)
    waiting = part.of(everything, by)
    held = Exists(_running().filter(record=OuterRef("pk")).exclude(reviewer=by))
    skipped = Exists(Skip.objects.filter(record=OuterRef("pk"), reviewer=by))
    wanted = {Skipped.LEFT_OUT: ~skipped, Skipped.ALSO: Q(), Skipped.ONLY: Q(skipped)}[part.skipped]
    if waiting.filter(~held).filter(wanted).exists():
        return Outlook(is_free=True)
    counts = waiting.aggregate(held=Count("pk", filter=Q(held)), skipped=Count("pk", filter=Q(~held) & Q(skipped)))
    elsewhere = everything.filter(~held, ~skipped).exists()
    holders = _holders(waiting, by) if counts["held"] else ()
    return Outlook(is_free=False, **counts, elsewhere=elsewhere, holders=holders)


def _holders(records: "QuerySet[Record]", by: "User") -> tuple[Holder, ...]:
    running = _running().filter(record__in=records).exclude(reviewer=by).values_list("reviewer__username")
    counted = running.annotate(number=Count("pk"), until=Max("lease_until")).order_by("-number", "reviewer__username")
    return tuple(Holder(*row) for row in counted[:MOST_HOLDERS])


def waiting_for(by: "User", purpose: Claim.Purpose = Claim.Purpose.REVIEW) -> RecordQuerySet:
    """Return the records that wait for this person, held or not.

    They are of their sources, not decided by them before, and not worded by them unless sent back to them.
    """
    free = Q() if purpose == Claim.Purpose.SETTLE else Q(assignee=None)
    theirs = Q(assignee=by) | (free & ~Exists(_worded(by)))
    return Record.objects.live().for_user(by).filter(theirs, ~Exists(_counted(by)), state__in=_STATES[purpose])


def _counted(by: "User") -> "QuerySet[Decision]":
    """Return the person's decisions on a record that keep it from them: those that count, and what failed gold took."""
    counts, failed = Q(round=OuterRef("round"), withdrawal=None), Q(withdrawal__kind=Withdrawal.Kind.GOLD)
    return Decision.objects.filter(counts | failed, record=OuterRef("pk"), reviewer=by)


def _worded(by: "User") -> "QuerySet[Decision]":
    """Return the person's decisions by which a record has the wording that it has."""
    own = Decision.objects.filter(record=OuterRef("pk"), reviewer=by, revision=OuterRef("revision"))
    return own.exclude(seen_revision=F("revision"))


def waiting_by_source(by: "User") -> list[tuple[Source, int]]:
    """Return each source for which records wait for the person, with their number, in the catalogue's order.

    Counted from indexes: all that is undecided, less what others have been given, less what the person has decided
    something on that keeps it from them. Of that little is undecided, so that only its own row is looked at.
    """
    undecided = Record.objects.live().for_user(by).filter(state__in=_STATES[Claim.Purpose.REVIEW])
    known = Decision.objects.filter(reviewer=by).values("record")
    kept_from_them = Q(Exists(_counted(by))) | Q(Exists(_worded(by)), assignee=None)
    met = undecided.filter(Q(assignee=None) | Q(assignee=by), pk__in=known).filter(kept_from_them)
    numbers = _by_source(undecided)
    numbers -= _by_source(undecided.filter(assignee__isnull=False).exclude(assignee=by))
    numbers -= _by_source(met)
    golds = Claim.objects.filter(reviewer=by, purpose=Claim.Purpose.GOLD).values("record")
    numbers += _by_source(Record.objects.live().filter(pk__in=golds))  # they look like any other that waits
    sources = Source.objects.select_related("category").filter(pk__in=numbers)
    return [(source, numbers[source.pk]) for source in sources.order_by("category__position", "position")]


def _by_source(records: "QuerySet[Record]") -> Counter[int]:
    counted = records.order_by().values("source").annotate(number=Count("*")).values_list("source", "number")
    return Counter(dict(counted))


def running_claim(record: int, by: "User") -> Claim | None:
    """Return the claim by which somebody holds the record at this moment, the person's own first."""
    lasting = Claim.objects.filter(record=record, lease_until__gt=ClockTimestamp()).select_related("reviewer")
    holding = lasting.filter(Q(purpose__in=list(_STATES)) | Q(purpose=Claim.Purpose.GOLD, reviewer=by))
    return min(holding, key=lambda claim: claim.reviewer_id != by.pk, default=None)


def lasting(held: "QuerySet[Claim]") -> "QuerySet[Claim]":
    """Narrow claims down to those whose lease has not ended, by the database's clock."""
    return held.filter(lease_until__gt=ClockTimestamp())


def _running() -> "QuerySet[Claim]":
    return lasting(Claim.objects.filter(purpose__in=list(_STATES)))
