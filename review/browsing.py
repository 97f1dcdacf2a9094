"""Leafing through the records: pages in the order of their ids, each as fast as the first, at any number of records.

Records of one source, one state or one import lie together, so that a page of others would be looked for past hundreds
of thousands of them. What is asked for is therefore cut into parts that an index gives in order each, such as one
source's approved records, and a page is merged from the beginnings of all parts.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db.models import Q, Value
from django.db.models.functions import Coalesce

from review.models import Batch, Licence, Rights, Source, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from review.models.record import RecordQuerySet

COUNTED = 10_000
"""How far records are counted; beyond, there are more than that."""
MOST_PARTS = 200
FEW_PARTS = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """The records that somebody asks for, all of them as one set.

    `parts` are conditions that exclude one another and of which each of the records meets one; none: no parts are
    needed. `is_narrow`: what is asked for is few, and found by an index of its own.
    """

    records: "RecordQuerySet"
    parts: list[Q] = field(default_factory=list)
    is_narrow: bool = False

    def ordered(self, *, newest: bool, after: int | None, most: int) -> list[int]:
        """Return the ids of the first `most` of them, the newest or the oldest first, that come after an id."""
        order = "-pk" if newest else "pk"
        beyond = Q() if after is None else Q(pk__lt=after) if newest else Q(pk__gt=after)
        is_cut = 0 < len(self.parts) <= (FEW_PARTS if self.is_narrow else MOST_PARTS)
        firsts = [
            self.records.filter(beyond, part).order_by(order).values_list("pk", flat=True)[:most]
            for part in (self.parts if is_cut else [Q()])
        ]
        merged = firsts[0].union(*firsts[1:], all=True).order_by(order)[:most] if len(firsts) > 1 else firsts[0]
        return list(merged)

    def count(self) -> int:
        """Return how many there are, at most one more than COUNTED."""
        return self.records.order_by().values("pk")[: COUNTED + 1].count()


def by_place(sources: "Collection[int] | None", states: "Collection[str] | None") -> list[Q]:
    """Return the parts of the live records of these sources in these states, of all where None is given."""
    if sources is None and states is None:
        return []
    if sources is None:
        sources = list(Source.objects.order_by("pk").values_list("pk", flat=True))
    return [
        Q(source=source, state=state) for source in sources for state in (State.values if states is None else states)
    ]


def by_batch(batches: "Iterable[int]") -> list[Q]:
    """Return the parts of the records that came in with these imports."""
    return [Q(batch=batch) for batch in batches]


def by_licence(licences: "Collection[str]") -> list[Q]:
    """Return the parts of the records that are under one of these licences: by their import or source, or their own."""
    return [*(Q(batch=batch, rights=None) for batch in _batches_under(licences)), _own_under(licences)]


def under(licences: "Collection[str]") -> Q:
    """Return the condition that a record is under one of these licences."""
    return Q(rights=None, batch__in=_batches_under(licences)) | _own_under(licences)


def _batches_under(licences: "Collection[str]") -> list[int]:
    decided = Coalesce("rights__licence", "source__rights__licence", Value(Licence.UNKNOWN.value))
    batches = Batch.objects.annotate(licence=decided).filter(licence__in=licences)
    return list(batches.order_by("pk").values_list("pk", flat=True))


def _own_under(licences: "Collection[str]") -> Q:
    """Return the condition that a record has rights of its own, of this kind: few do, and are found by these rights."""
    own = Rights.objects.filter(scope=Rights.Scope.RECORD, licence__in=licences)
    return Q(pk__in=own.values("record"), rights__in=own.values("pk"))


def licences_reaching(reach: str) -> set[str]:
    """Return the licences under which a text goes as far as `every`, `research`, `inside` or `nowhere`."""
    return {
        "every": Licence.open(),
        "research": Licence.research() - Licence.open(),
        "inside": set(Licence.values) - Licence.research() - Licence.never_leaving(),
        "nowhere": Licence.never_leaving(),
    }[reach]
