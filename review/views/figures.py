"""How far the sources are: the questions that their pages ask, answered from indexes at any number of records."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from django.core.cache import cache
from django.db.models import Count, F, Q, Value
from django.db.models.fields import CharField
from django.db.models.functions import Cast

from review import access, blind
from review.models import Batch, Flag, Licence, Record, Rights, Source, State
from review.text.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet

    from review.models import User

FREE = (State.WAITING, State.SECOND, State.UNANSWERED)
FLAGS_KEPT_SECONDS = 60
TOTAL, GONE = "total", "gone"
MANY, CACHE_SECONDS = 50_000, 5
"""Figures of so many records are remembered for so long."""


@dataclass(slots=True)
class Figures:
    """The records of a source by where they stand. What was taken down or back is counted apart, as `gone`."""

    counted: Counter[str] = field(default_factory=Counter)

    @property
    def candidates(self) -> int:
        return self.counted[TOTAL] - self.gone

    @property
    def gone(self) -> int:
        return self.counted[GONE]

    @property
    def waiting(self) -> int:
        """Not decided for good: in the queue, with a reviewer, or with the settler."""
        return sum(self.counted[state] for state in (*FREE, State.DISPUTED))

    @property
    def unanswered(self) -> int:
        return self.counted[State.UNANSWERED]

    @property
    def disputed(self) -> int:
        return self.counted[State.DISPUTED]

    @property
    def approved(self) -> int:
        return self.counted[State.APPROVED]

    @property
    def rejected(self) -> int:
        return self.counted[State.REJECTED]


def flags_of(source: Source) -> list[tuple[str, int]]:
    """Return what rules point out in the live records of a source as they stand: the rules with their numbers.

    Kept for a minute: over a million records it takes about a second to count.
    """

    def counted() -> list[tuple[str, int]]:
        flags = Flag.objects.filter(record__source=source, revision=F("record__revision"))
        live = flags.filter(record__takedown=None, record__retraction=None)
        numbers = live.values_list("rule").annotate(number=Count("pk")).order_by("-number", "rule")
        return [(rule, number) for rule, number in numbers if rule in RULES]

    return cast("list[tuple[str, int]]", cache.get_or_set(f"flags-{source.pk}", counted, FLAGS_KEPT_SECONDS))


def figures_of(sources: "Collection[int]", *, by: "User | None" = None) -> dict[int, Figures]:
    """Return the figures of these sources by their ids, at most a few seconds old where there are many records.

    For a person they are what that person may know: what they have looked at counts as they decided it, and what
    others differ in as waiting, but for settlers. Counted by one statement over an index that holds all it asks for: a
    tenth of a second at a million records.
    """
    key = f"figures:{','.join(map(str, sorted(sources)))}"
    if (known := cache.get(key)) is None:
        known = [[owner, kind, number] for owner, kind, number in _counts(sources)]
        if sum(number for _owner, _kind, number in known) >= MANY:
            cache.set(key, known, CACHE_SECONDS)
    figures = {source: Figures() for source in sources}
    for owner, state, number in known:
        kind = state if by is None or state == GONE else blind.state_shown(by, state)
        figures[owner].counted[kind] += number
        figures[owner].counted[TOTAL] += number
    otherwise = {} if by is None or access.can_manage(by) else blind.seen_otherwise(by)
    moved = Record.objects.live().filter(pk__in=otherwise, source__in=sources).values_list("pk", "source", "state")
    for pk, owner, state in moved:
        figures[owner].counted[blind.state_shown(cast("User", by), state)] -= 1
        figures[owner].counted[otherwise[pk]] += 1
    return figures


def _counts(sources: "Collection[int]") -> "QuerySet[Any, Any]":
    """Return (source, kind, number) of what is live, by state, and of what is gone; each worded as its index is."""
    records = Record.objects.filter(source__in=sources)
    live = _counted(records.live(), Cast("state", CharField()))
    gone = _counted(records.filter(Q(takedown__isnull=False) | Q(retraction__isnull=False)), Value(GONE))
    return live.union(gone, all=True)


def _counted(records: "QuerySet[Record]", kind: "Value | Cast") -> "QuerySet[Any, Any]":
    named = records.order_by().annotate(owner=F("source"), kind=kind)
    counted: QuerySet[Any, Any] = named.values("owner", "kind").annotate(number=Count("*"))
    return counted.values_list("owner", "kind", "number")


def records_of(batches: "Collection[Batch]") -> dict[int, int]:
    """Return the number of records that came in with each batch, whatever became of them."""
    records = Record.objects.filter(batch__in=batches).order_by().values("batch").annotate(number=Count("*"))
    return dict(records.values_list("batch", "number"))


@dataclass(frozen=True, slots=True)
class Followers:
    """The live records of a source or batch whose rights are decided with it, and those that have their own."""

    approved: int
    waiting: int
    untouched: int


def followers_of(owner: Source | Batch | Record) -> Followers:
    """Count who follows a decision on the rights of `owner`."""
    records, follows = _following(owner)
    counted = records.aggregate(
        approved=Count("pk", filter=follows & Q(state=State.APPROVED)),
        waiting=Count("pk", filter=follows & Q(state__in=(*FREE, State.DISPUTED))),
        untouched=Count("pk", filter=~follows),
    )
    return Followers(**counted)


def _following(owner: Source | Batch | Record) -> "tuple[QuerySet[Record], Q]":
    """Return the records that a decision may concern, and what those have in common that it does concern."""
    live = Record.objects.live()
    if isinstance(owner, Source):
        return live.filter(source=owner), Q(rights=None, batch__rights=None)
    if isinstance(owner, Batch):
        return live.filter(batch=owner), Q(rights=None)
    return live.filter(pk=owner.pk), Q(pk=owner.pk)


def objected_to(source: Source, *, by: "User | None" = None) -> "QuerySet[Record]":
    """Return the records of a source to whose rights somebody objects, found by the few decisions that say so.

    For a person also those that they objected to themselves where the outcome is not there yet.
    """
    objections = Rights.objects.filter(scope=Rights.Scope.RECORD, licence=Licence.OBJECTED, record__source=source)
    in_effect = objections.filter(record__rights=F("pk")).values("record")
    apart = [] if by is None or access.can_manage(by) else blind.seen_apart(by)
    own = [seen.record.pk for seen in apart if seen.rights and seen.rights.licence == Licence.OBJECTED]
    meant = Q(pk__in=in_effect) | Q(pk__in=own, source=source)
    return Record.objects.live().only("pk").filter(meant).order_by("pk")
