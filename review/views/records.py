"""The records: leafing through all that a person may see, by filters that stand in the address."""

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.core.cache import cache
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from review import blind, browsing, duplicates, search
from review.filters import MAX_ID, SIZES, SORTS, RecordFilter
from review.models import BulkAction, Licence, Record, State, Verdict
from review.text.excerpt import Piece, excerpt
from review.text.grams import CUT
from review.views.answers import Request, for_reviewers, page
from review.views.desk import reach_of, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from review.models import Revision, Source, User
    from review.models.record import RecordQuerySet

COUNT_SECONDS = 15
"""How long a count is remembered, while a person leafs through."""
LABELS_SHOWN = 6
SHORT = ("q", "source", "state")
"""The filters that are shown before the others are asked for."""


class PlaceForm(forms.Form):
    """Which page of the list is meant: what comes after a record, or before it, in an order."""

    after = forms.IntegerField(required=False, min_value=1, max_value=MAX_ID)
    before = forms.IntegerField(required=False, min_value=1, max_value=MAX_ID)
    sort = forms.ChoiceField(required=False, choices=list(SORTS.items()))
    size = forms.ChoiceField(required=False, choices=list(SIZES.items()))


@dataclass(frozen=True, slots=True)
class Row:
    """A record in the list."""

    record: Record
    number: str
    state: str
    source: str
    assignee: str | None
    question: list[Piece]
    answer: list[Piece]
    labels: tuple[str, ...]
    licence: str
    reach: str
    has_near: bool
    address: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of the list."""

    ids: list[int]
    has_earlier: bool
    has_later: bool

    @property
    def is_only(self) -> bool:
        """Whether there are no others."""
        return not self.has_earlier and not self.has_later

    @classmethod
    def of(cls, choice: browsing.Choice, place: dict[str, Any]) -> "Leaf":
        """Return the page that is meant."""
        size, newest = int(place["size"] or next(iter(SIZES))), place["sort"] != "oldest"
        if place["before"]:
            found = choice.ordered(newest=not newest, after=place["before"], most=size + 1)
            return cls(found[:size][::-1], len(found) > size, has_later=True)
        found = choice.ordered(newest=newest, after=place["after"], most=size + 1)
        return cls(found[:size], place["after"] is not None, len(found) > size)


@require_safe
@for_reviewers
def index(request: Request) -> HttpResponse:
    """List the records that are asked for, a page of them."""
    asked, place = RecordFilter(request.GET, by=request.user), PlaceForm(request.GET)
    problems = asked.problems() | {name: " ".join(map(str, said)) for name, said in place.errors.items()}
    context: dict[str, Any] = {"asked": asked, "problems": problems, "fields": _fields(asked), "sorts": SORTS.items()}
    if problems:
        return page(request, "review/records.html", context | {"rows": []}, status=400)
    choice = asked.choice()
    leaf = Leaf.of(choice, place.cleaned_data)
    words = asked.form.cleaned_data["q"]
    context |= {
        "rows": rows_of(leaf.ids, words, by=request.user, sources=asked.sources),
        "leaf": leaf,
        "sort": place.cleaned_data["sort"] or "newest",
        **_number(asked, leaf),
        "lag": search.lag() if asked.needs_index else 0,
        "words": words,
        "vocabulary": vocabulary(),
        "bulk_kinds": BulkAction.Kind.choices,
        "query": _query(asked),
        "earlier": _address(asked, place, before=leaf.ids[0]) if leaf.ids and leaf.has_earlier else "",
        "later": _address(asked, place, after=leaf.ids[-1]) if leaf.ids and leaf.has_later else "",
    }
    return page(request, "review/records.html", context)


@require_safe
@for_reviewers
def counted(request: Request) -> HttpResponse:
    """Count the records that are asked for; remembered while somebody leafs through them."""
    asked = RecordFilter(request.GET, by=request.user)
    if problems := asked.problems():
        return HttpResponseBadRequest(" ".join(problems.values()))
    found = asked.choice().count()
    cache.set(_remembered(asked), found, COUNT_SECONDS)
    return render(request, "review/records.html#number", _told(found) | {"is_alone": True})


def _fields(asked: RecordFilter) -> dict[str, list[Any]]:
    """Return the fields of the filters: those at hand, and the others; of the others, which are in use."""
    fields = [asked.form[name] for name in asked.filters]
    others = [field for field in fields if field.name not in SHORT]
    return {
        "short": [field for field in fields if field.name in SHORT],
        "others": others,
        "used": [field for field in others if field.value()],
    }


def _query(asked: RecordFilter) -> str:
    """Return what is asked for as it stands in the address, without the place in the list."""
    query = QueryDict(mutable=True)
    query.update(asked.chosen())
    return query.urlencode()


def _address(asked: RecordFilter, place: PlaceForm, **where: int) -> str:
    query = QueryDict(mutable=True)
    query.update(
        asked.chosen() | {name: place.cleaned_data[name] for name in ("sort", "size") if place.cleaned_data[name]}
    )
    query.update({name: str(pk) for name, pk in where.items()})
    return f"?{query.urlencode()}"


def _number(asked: RecordFilter, leaf: Leaf) -> dict[str, Any]:
    """Return how many records are meant; where nobody has counted them yet, the page asks for that once it is shown."""
    if leaf.is_only:
        return _told(len(leaf.ids))
    if (known := cache.get(_remembered(asked))) is not None:
        return _told(known)
    return {"number": len(leaf.ids), "is_more": True, "is_counted": False}


def _told(found: int) -> dict[str, Any]:
    """Return what a count that goes no further than COUNTED says."""
    return {"number": min(found, browsing.COUNTED), "is_more": found > browsing.COUNTED, "is_counted": True}


def _remembered(asked: RecordFilter) -> str:
    """Return under which key a count is kept: each person sees their own part."""
    return f"records:{sha256(f'{asked.by.pk}?{_query(asked)}'.encode()).hexdigest()}"


def rows_of(ids: "Sequence[int]", words: str = "", *, by: "User", sources: "Iterable[Source]") -> list[Row]:
    """Return what the list shows the person of these records, in this order, with the words marked."""
    records: dict[int, Any] = {record.pk: record for record in _shown(ids)}
    looks = blind.looks_of(by, records.values())
    for record in records.values():
        record.state = blind.state_shown(by, record.state)
    for pk, look in looks.items():
        _show_as(records[pk], blind.AS_DECIDED[Verdict(look.verdict)], look.revision)
        if set_by_them := blind.own_rights(look):
            records[pk].licence = set_by_them.licence
    for pk, gold in blind.golds_of(by, records.values()).items():
        _show_as(records[pk], State.WAITING, gold.shown)
    pairs = duplicates.pairs().filter(Q(record__in=ids) | Q(other__in=ids)).values_list("record", "other")
    words_for = _Words(
        words,
        {source.pk: str(source) for source in sources},
        {licence.value: (str(licence.label), reach_of(licence)) for licence in Licence},
        {pk for pair in pairs for pk in pair},
        reverse("review:record", args=[0]),
    )
    return [_row(records[pk], words_for) for pk in ids if pk in records]


class _Words(NamedTuple):
    """What the rows of one list are put into words by: what is looked for, and what sources and licences are called."""

    wanted: str
    sources: dict[int, str]
    licences: dict[str, tuple[str, str]]
    near: set[int]
    address: str
    """That of record 0."""


def _shown(ids: "Sequence[int]") -> "RecordQuerySet":
    """Fetch the records with the beginnings of their texts: an answer may have a hundred thousand characters.

    Of rights, source and assignee only what is shown is fetched: whole rows of them cost more than the page.
    """
    texts = ("instruction", "input", "output")
    cut = {
        f"{name}_cut": Func(F(f"revision__{name}"), CUT, function="left", output_field=TextField()) for name in texts
    }
    licence = Coalesce(
        "rights__licence", "batch__rights__licence", "source__rights__licence", Value(Licence.UNKNOWN.value)
    )
    labels = {"task_type": F("revision__task_type"), "fields": F("revision__domain")}
    records = Record.objects.filter(pk__in=ids).only("state", "round", "priority", "takedown", "source")
    return records.annotate(**cut, **labels, licence=licence, assigned_to=F("assignee__username"))


def _show_as(record: Any, state: State, revision: "Revision") -> None:  # noqa: ANN401  a Record with what was annotated
    """Let a record be shown in a state and a wording that the person may know of."""
    record.state = state
    for name in ("instruction", "input", "output"):
        setattr(record, f"{name}_cut", getattr(revision, name)[:CUT])
    record.task_type, record.fields = revision.task_type, revision.domain


def _row(record: Any, words: _Words) -> Row:  # noqa: ANN401  a Record with what was annotated
    labels = (*record.task_type["major"], *record.task_type["minor"], *record.fields)
    if record.takedown_id:
        record.instruction_cut = record.input_cut = record.output_cut = ""
    answer = excerpt(record.output_cut, words.wanted)
    if record.input_cut and words.wanted and not any(piece.is_match for piece in answer):
        answer = excerpt(record.input_cut, words.wanted)
    return Row(
        record,
        str(record.pk),
        State.WAITING if record.state == State.SECOND else record.state,
        words.sources.get(record.source_id, ""),
        record.assigned_to,
        excerpt(record.instruction_cut, words.wanted),
        answer,
        labels[:LABELS_SHOWN],
        *words.licences[record.licence],
        record.pk in words.near,
        words.address.replace("0", str(record.pk), 1),
    )
