"""Leafing through the records: pages in the order of their ids, each as fast as the first, at any number of records.

Records of one source, one state or one import lie together, so that a page of others would be looked for past hundreds
of thousands of them. What is asked for is therefore cut into parts that an index gives in order each, such as one
source's approved records, and a page is merged from the beginnings of all parts.
"""

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from review.models import Batch, Licence, Rights, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from review.models.record import RecordQuerySet

COUNTED = 10_000
"""How far records are counted; beyond, there are more than that."""
FEW_PARTS = 8
"""Parts up to which they are looked into one by one also where what is asked for is few."""
_TYPES = {"source_id": "bigint", "batch_id": "bigint", "state": "text"}


class Grid(NamedTuple):
    """Parts that differ in the values of two columns only, such as source and state, or import and source."""

    columns: tuple[str, str]
    values: list[tuple[int, Any]]


class Lead(NamedTuple):
    """Rows about the records, such as one person's decisions, which an index gives in the order of the records."""

    relation: str
    """From the record to the rows."""
    rows: Q
    """Which of them, seen from the record."""
    records: "RecordQuerySet"
    """The records that are all else that is asked for."""
    are_many: bool = False
    """Whether one record may have several of the rows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The records that somebody asks for, all of them as one set.

    Each of the records meets one of `grid` or `parts`, which exclude one another; none: no parts are needed.
    `is_narrow`: what is asked for is few, and found by an index of its own. `own` are a few more that the person sees
    in their own words. Each of the records has rows of the `lead`, where there is one, by which they are found.
    """

    records: "RecordQuerySet"
    grid: Grid | None = None
    parts: list[Q] = field(default_factory=list)
    is_narrow: bool = False
    own: "RecordQuerySet | None" = None
    lead: Lead | None = None

    def ordered(self, *, newest: bool, after: int | None, most: int) -> list[int]:
        """Return the ids of the first `most` of them, the newest or the oldest first, that come after an id."""
        beyond = _beyond("pk", newest=newest, after=after)
        if self.lead:
            led = self._led(self.lead, newest=newest, after=after)
            firsts = [list(led.values_list("pk", flat=True)[:most])]
        else:
            firsts = self._firsts(self.records.filter(beyond).order_by("-pk" if newest else "pk"), most)
        firsts += [list(self.own.filter(beyond).values_list("pk", flat=True))] if self.own is not None else []
        return sorted(set(chain.from_iterable(firsts)), reverse=newest)[:most]

    def count(self) -> int:
        """Return how many there are, at most one more than COUNTED."""
        own = self.own.count() if self.own is not None else 0
        records = self._led(self.lead, newest=True, after=None) if self.lead and self.lead.are_many else self.records
        return records.values("pk")[: COUNTED + 1].count() + own

    def _firsts(self, records: "RecordQuerySet", most: int) -> list[list[int]]:
        """Return the first ids of each part."""
        grid = self.grid if self.grid and (not self.is_narrow or len(self.grid.values) <= FEW_PARTS) else None
        parts = self.parts if grid or (self.parts and not self.is_narrow) else [Q()]
        firsts = [list(records.filter(part).values_list("pk", flat=True)[:most]) for part in parts]
        return [*firsts, _from_grid(records, grid, most)] if grid else firsts

    def _led(self, lead: Lead, *, newest: bool, after: int | None) -> "RecordQuerySet":
        """Return them in the order of the rows that lead to them; the planner would look for such an order in vain.

        It is told of both sides where the page begins: it would walk the other one from the end.
        """
        key = f"{lead.relation}__record_id"
        beyond = _beyond(key, newest=newest, after=after) & _beyond("pk", newest=newest, after=after)
        found = lead.records.filter(lead.rows & beyond).order_by(f"{'-' if newest else ''}{key}")
        return found.distinct() if lead.are_many else found


def _beyond(key: str, *, newest: bool, after: int | None) -> Q:
    return Q() if after is None else Q(**{f"{key}__{'lt' if newest else 'gt'}": after})


def _from_grid(records: "RecordQuerySet", grid: Grid, most: int) -> list[int]:
    """Return the first ids of each part, looked up part by part in one statement; the order is that of `records`."""
    if not grid.values:
        return []
    is_part = {column: RawSQL(f"part.{column}", []) for column in grid.columns}  # noqa: S611  names of ours
    one = records.filter(**is_part).values("pk")[:most]
    try:
        query, parameters = one.query.sql_with_params()
    except EmptyResultSet:
        return []
    types = ", ".join(f"%s::{_TYPES[column]}[]" for column in grid.columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT first.id FROM unnest({types}) AS part({', '.join(grid.columns)})"  # noqa: S608
            f" CROSS JOIN LATERAL ({query}) AS first(id)",
            [*map(list, zip(*grid.values, strict=True)), *parameters],
        )
        return [pk for (pk,) in cursor.fetchall()]


def by_place(sources: "Collection[int] | None", states: "Collection[str] | None") -> Grid | None:
    """Return the parts of the live records of these sources in these states, of all where None is given."""
    if sources is None and states is None:
        return None
    if sources is None:
        sources = Batch.objects.order_by("source").values_list("source", flat=True).distinct()
    wanted = sorted(State.values if states is None else states)
    return Grid(("source_id", "state"), [(source, str(state)) for source in sources for state in wanted])


def by_batch(batches: "Iterable[int]") -> Grid:
    """Return the parts of the records that came in with these imports."""
    known = Batch.objects.filter(pk__in=list(batches)).order_by("pk").values_list("pk", "source")
    return Grid(("batch_id", "source_id"), list(known))


def by_licence(licences: "Collection[str]") -> tuple[Grid, list[Q]]:
    """Return the parts of the records under one of these licences: by their import or source, and by themselves."""
    return by_batch(_batches_under(licences)), [_own_under(licences)]


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
