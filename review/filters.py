"""What the list of records may be asked for: every filter named, every value checked; anything else is refused."""

from datetime import date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django_filters import (  # type: ignore[import-untyped]  # it has no types
    BooleanFilter,
    CharFilter,
    ChoiceFilter,
    DateFilter,
    FilterSet,
    NumberFilter,
)

from review import access, blind, browsing, duplicates, search, worded
from review.models import (
    AnswerFrom,
    Batch,
    Decision,
    Flag,
    Licence,
    Record,
    Retraction,
    Role,
    Score,
    Source,
    State,
    User,
    Withdrawal,
)
from review.models.score import BEST
from review.text.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet
    from django.utils.datastructures import MultiValueDict

    from review.models.record import RecordQuerySet

MAX_WORDS, MAX_LABEL, MAX_LENGTH, MAX_ID = 200, 100, 200_000, 2**31 - 1
SORTS = {"newest": gettext_lazy("newest first"), "oldest": gettext_lazy("oldest first")}
SIZES = {"50": "50", "100": "100", "25": "25"}


class Bound(NamedTuple):
    """Where a number about a record stands, and how it is compared, as a number of its column's kind."""

    relation: str
    condition: str
    kind: type[int] | type[float]


BOUNDS = {
    "shortest": Bound("search_text", "length__gte", int),
    "longest": Bound("search_text", "length__lte", int),
    "score_from": Bound("score", "value__gte", float),
    "score_to": Bound("score", "value__lte", float),
}
FEW_FLAGGED = 1000
"""Records up to which the planner is told which they are: it would go through all records for them."""
AROUND = frozenset({"after", "before", "sort", "size"})
"""What says which page of the list is meant."""
STATES = {
    "unanswered": (State.UNANSWERED,),
    "waiting": (State.WAITING, State.SECOND),
    "disputed": (State.DISPUTED,),
    "approved": (State.APPROVED,),
    "rejected": (State.REJECTED,),
    "undecided": (State.UNANSWERED, State.WAITING, State.SECOND, State.DISPUTED),
}
STATE_WORDS = {"undecided": gettext_lazy("not decided yet")}
REACHES = {
    "every": gettext_lazy("leaves in every release"),
    "research": gettext_lazy("in research releases"),
    "inside": gettext_lazy("in the house only"),
    "nowhere": gettext_lazy("never leaves"),
}
YES_NO = [("yes", gettext_lazy("yes")), ("no", gettext_lazy("no"))]
GONE = [("down", gettext_lazy("taken down")), ("back", gettext_lazy("import taken back"))]
FOR_MANAGERS = ("reviewer", "assignee", "sent_back", "gone")
_INDEXED = ("q", "major", "minor", "domain", "answer_from", "shortest", "longest")
_NARROW = (*_INDEXED, "near", "flag", "reviewer", "assignee")


class PlainSelect(forms.Select):
    """A list to choose from, written without a template: a page has a dozen of them with sixty lines each."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> str:  # type: ignore[override]  # noqa: ANN401, ARG002
        """Write the list with the chosen line marked."""
        choices = tuple((str(key), str(label)) for key, label in self.choices)
        return _select(name, (attrs or {}).get("id", name), choices, str(value))


@lru_cache(maxsize=256)
def _select(name: str, where: str, choices: tuple[tuple[str, str], ...], value: str) -> str:
    chosen, other = '<option value="{}" selected>{}</option>', '<option value="{}">{}</option>'
    lines = ((format_html(chosen if key == value else other, key, label),) for key, label in choices)
    return format_html('<select name="{}" id="{}">{}</select>', name, where, format_html_join("", "{}", lines))


class RecordFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """The filters of the list. What a person may not see is not there to be filtered."""

    q = CharFilter(method="by_words", max_length=MAX_WORDS, label=gettext_lazy("Words in the text"))
    source = ChoiceFilter(
        widget=PlainSelect, method="by_source", empty_label=gettext_lazy("every source"), label=gettext_lazy("Source")
    )
    category = ChoiceFilter(widget=PlainSelect, method="by_category", label=gettext_lazy("Category"))
    state = ChoiceFilter(
        widget=PlainSelect, method="by_state", empty_label=gettext_lazy("every state"), label=gettext_lazy("State")
    )
    verified = ChoiceFilter(widget=PlainSelect, method="by_verified", choices=YES_NO, label=gettext_lazy("Verified"))
    major = CharFilter(method="by_label", max_length=MAX_LABEL, label=gettext_lazy("Main task type"))
    minor = CharFilter(method="by_label", max_length=MAX_LABEL, label=gettext_lazy("Fine task type"))
    domain = CharFilter(method="by_label", max_length=MAX_LABEL, label=gettext_lazy("Domain"))
    answer_from = ChoiceFilter(
        widget=PlainSelect, method="by_label", choices=AnswerFrom.choices, label=gettext_lazy("Answer from")
    )
    flag = ChoiceFilter(widget=PlainSelect, method="by_flag", label=gettext_lazy("Flag"))
    licence = ChoiceFilter(
        widget=PlainSelect, method="by_licence", choices=Licence.choices, label=gettext_lazy("Licence")
    )
    reach = ChoiceFilter(
        widget=PlainSelect, method="by_reach", choices=list(REACHES.items()), label=gettext_lazy("How far it goes")
    )
    near = BooleanFilter(method="by_near", widget=forms.CheckboxInput, label=gettext_lazy("Has near-duplicates"))
    shortest = NumberFilter(
        method="by_bound", min_value=0, max_value=MAX_LENGTH, label=gettext_lazy("Answer at least, characters")
    )
    longest = NumberFilter(
        method="by_bound", min_value=0, max_value=MAX_LENGTH, label=gettext_lazy("Answer at most, characters")
    )
    score_from = NumberFilter(
        method="by_bound", min_value=0, max_value=BEST, label=gettext_lazy("Quality score at least")
    )
    score_to = NumberFilter(method="by_bound", min_value=0, max_value=BEST, label=gettext_lazy("Quality score at most"))
    scored = ChoiceFilter(widget=PlainSelect, method="by_scored", choices=YES_NO, label=gettext_lazy("Has a score"))
    imported_from = DateFilter(method="by_date", label=gettext_lazy("Imported from"))
    imported_to = DateFilter(method="by_date", label=gettext_lazy("Imported up to"))
    batch = NumberFilter(method="by_batch", min_value=1, max_value=MAX_ID, label=gettext_lazy("Import, by number"))
    reviewer = ChoiceFilter(widget=PlainSelect, method="by_reviewer", label=gettext_lazy("Decided by"))
    assignee = ChoiceFilter(widget=PlainSelect, method="by_assignee", label=gettext_lazy("Assigned to"))
    sent_back = ChoiceFilter(
        widget=PlainSelect,
        method="by_sent_back",
        choices=YES_NO[:1],
        label=gettext_lazy("Sent back, not decided again"),
    )
    gone = ChoiceFilter(widget=PlainSelect, method="by_gone", choices=GONE, label=gettext_lazy("Taken down or back"))

    def __init__(self, data: "MultiValueDict[str, str]", *, by: User) -> None:
        super().__init__(data, Record.objects.for_user(by))
        self.by = by
        if not access.can_manage(by):
            for name in FOR_MANAGERS:
                del self.filters[name]
        for name, choices in self._choices().items():
            self.filters[name].extra["choices"] = choices

    def _choices(self) -> dict[str, list[tuple[str, str]]]:
        categories = {source.category.slug: str(source.category) for source in self.sources}
        given = {
            "source": [(source.slug, str(source)) for source in self.sources],
            "category": list(categories.items()),
            "flag": _flags(),
            "state": [(name, str(STATE_WORDS.get(name, states[0].label))) for name, states in STATES.items()],
        }
        if "reviewer" in self.filters:
            people = User.objects.filter(groups__name__in=[Role.REVIEWER, Role.SETTLER, Role.MANAGER]).distinct()
            self._people = dict(people.order_by("username").values_list("username", "pk"))
            names = [(name, name) for name in self._people]
            given |= {"reviewer": names, "assignee": names}
        return given

    @cached_property
    def sources(self) -> list[Source]:
        """The sources that the person may see, in the catalogue's order."""
        limited_to = access.limited_to(self.by)
        sources = Source.objects.select_related("category").order_by("category__position", "position", "pk")
        return [source for source in sources if not limited_to or source.pk in limited_to]

    @property
    def needs_index(self) -> bool:
        """Whether what is asked for is answered from the search index."""
        return any(self.data.get(name) for name in _INDEXED)

    @property
    def unknown(self) -> list[str]:
        """The names in the address that are no filter."""
        return sorted(set(self.data) - set(self.filters) - AROUND)

    def problems(self) -> dict[str, str]:
        """Return what is wrong with what is asked for, by name; nothing when all is well."""
        said = {name: _("There is no such filter.") for name in self.unknown}
        return said | {name: " ".join(map(str, messages)) for name, messages in self.errors.items()}

    def chosen(self) -> dict[str, str]:
        """Return what is asked for, as it stands in the address."""
        return {name: self.data[name] for name in self.filters if self.data.get(name)}

    def choice(self) -> browsing.Choice:
        """Return the records asked for; what is asked is valid."""
        given = self.form.cleaned_data
        own = self._own_words if self._asks_for_words else None
        is_narrow = any(given.get(name) for name in _NARROW)
        return browsing.Choice(self.qs, *self._parts(given), is_narrow, own, self._lead(given))

    @property
    def _given(self) -> dict[str, Any]:
        given = self.form.cleaned_data.items()
        return {name: value for name, value in given if value or isinstance(value, Decimal)}

    @property
    def _asks_for_words(self) -> bool:
        return not worded.ASKED.isdisjoint(self._given)

    @cached_property
    def _apart(self) -> "list[blind.Apart]":
        """The records that the person sees in another wording or under other rights than they have."""
        return [] if access.can_manage(self.by) else blind.seen_apart(self.by)

    @cached_property
    def _own_words(self) -> "RecordQuerySet":
        """Of the records that the person sees in other words, those that are as asked in these words."""
        given = self._given
        meant = [seen.record.pk for seen in self._apart if worded.is_as_asked(seen, given)]
        records = Record.objects.for_user(self.by).live().filter(pk__in=meant)
        for name in given.keys() - worded.ASKED:
            records = getattr(self, self.filters[name].method)(records, name, given[name])
        return records

    def filter_queryset(self, queryset: "RecordQuerySet") -> "RecordQuerySet":
        """Filter by everything that is given; what was taken down or back is left out unless it is asked for."""
        return self._filtered(queryset, self._given)

    def _filtered(self, queryset: "RecordQuerySet", given: dict[str, Any]) -> "RecordQuerySet":
        queryset = queryset if "gone" in given else queryset.live()
        if self._asks_for_words and self._apart:
            queryset = queryset.exclude(pk__in=[seen.record.pk for seen in self._apart])
        for name, value in given.items():
            queryset = getattr(self, self.filters[name].method)(queryset, name, value)
        return queryset

    def _parts(self, given: dict[str, Any]) -> "tuple[browsing.Grid | None, list[Q]]":
        """Return the parts that an index gives in order, by the filter that lays the records furthest apart."""
        if given.get("gone"):
            return (browsing.by_batch(self._taken_back()) if given["gone"] == "back" else None), []
        if places := browsing.by_place(self._wanted_sources(given), self._wanted_states(given)):
            return places, [Q(pk__in=self._otherwise)] if self._otherwise else []
        if given.get("licence") or given.get("reach"):
            return browsing.by_licence(_wanted_licences(given))
        if given.get("batch") or given.get("imported_from") or given.get("imported_to"):
            return browsing.by_batch(self._wanted_batches(given)), []
        return None, []

    def _lead(self, given: dict[str, Any]) -> browsing.Lead | None:
        """Return the rows by which the records are found in their order, where a filter has some."""
        if given.get("reviewer"):
            withdrawn = Withdrawal.objects.filter(decision=OuterRef("decisions"))
            standing = Q(~Exists(withdrawn), decisions__reviewer=self._people[given["reviewer"]])
            return browsing.Lead("decisions", standing, self._without("reviewer"), are_many=True)
        for names in (("score_from", "score_to"), ("shortest", "longest")):
            if bounds := [_bound(name, given[name]) for name in names if given.get(name) is not None]:
                return browsing.Lead(BOUNDS[names[0]].relation, Q(*bounds), self._without(*names))
        return None

    def _without(self, *names: str) -> "RecordQuerySet":
        """Return the records that are all that is asked for but these."""
        given = {name: value for name, value in self._given.items() if name not in names}
        return self._filtered(Record.objects.for_user(self.by), given)

    def _wanted_sources(self, given: dict[str, Any]) -> "Collection[int] | None":
        slug, category = given.get("source"), given.get("category")
        if not slug and not category and not access.limited_to(self.by):
            return None
        of_category = [source for source in self.sources if not category or source.category.slug == category]
        return [source.pk for source in of_category if not slug or source.slug == slug]

    @cached_property
    def _otherwise(self) -> dict[int, State]:
        """The records that the person sees in another state than they are in."""
        return blind.seen_otherwise(self.by)

    def _seen_in(self, states: "Collection[str]") -> Q:
        """Return the condition that the person sees a record in one of these states."""
        as_seen = [pk for pk, state in self._otherwise.items() if state in states]
        behind = blind.states_behind(self.by, states)
        return Q(state__in=behind) & ~Q(pk__in=self._otherwise) | Q(pk__in=as_seen)

    def _wanted_states(self, given: dict[str, Any]) -> "Collection[str] | None":
        if not given.get("state") and not given.get("verified"):
            return None
        states = set(STATES[given["state"]]) if given.get("state") else set(State)
        if given.get("verified"):
            states = {state for state in states if (state == State.APPROVED) == (given["verified"] == "yes")}
        return blind.states_behind(self.by, states)

    def _wanted_batches(self, given: dict[str, Any]) -> list[int]:
        batches = Batch.objects.filter(_since(given.get("imported_from")), _until(given.get("imported_to")))
        batches = batches.filter(pk=given["batch"]) if given.get("batch") else batches
        return list(batches.order_by("pk").values_list("pk", flat=True))

    def _taken_back(self) -> list[int]:
        return list(Retraction.objects.order_by("batch").values_list("batch", flat=True))

    def by_words(self, records: "RecordQuerySet", _name: str, words: str) -> "RecordQuerySet":
        """Those in whose text the words stand."""
        return search.matching(records, words)

    def by_source(self, records: "RecordQuerySet", _name: str, slug: str) -> "RecordQuerySet":
        """Those of one source."""
        return records.filter(source__in=[source.pk for source in self.sources if source.slug == slug])

    def by_category(self, records: "RecordQuerySet", _name: str, slug: str) -> "RecordQuerySet":
        """Those of the sources of one category."""
        return records.filter(source__in=[source.pk for source in self.sources if source.category.slug == slug])

    def by_state(self, records: "RecordQuerySet", _name: str, name: str) -> "RecordQuerySet":
        """Those that the person sees in this state."""
        return records.filter(self._seen_in(STATES[name]))

    def by_verified(self, records: "RecordQuerySet", _name: str, said: str) -> "RecordQuerySet":
        """Those that a person has verified, or those that nobody has."""
        return records.filter(self._seen_in({state for state in State if (state == State.APPROVED) == (said == "yes")}))

    def by_label(self, records: "RecordQuerySet", kind: str, label: str) -> "RecordQuerySet":
        """Those that bear a label, or whose answer somebody wrote."""
        return search.labelled(records, kind, label)

    def by_flag(self, records: "RecordQuerySet", _name: str, rule: str) -> "RecordQuerySet":
        """Those in whose wording a rule points something out; where they are few, by their ids."""
        known = list(Flag.objects.filter(rule=rule).order_by().values_list("record", flat=True)[: FEW_FLAGGED + 1])
        flagged = records.flagged(rule)
        return flagged if len(known) > FEW_FLAGGED else flagged.filter(pk__in=known)

    def by_licence(self, records: "RecordQuerySet", _name: str, licence: str) -> "RecordQuerySet":
        """Those under a licence: their own, else their import's, else their source's."""
        return records.filter(browsing.under({licence}))

    def by_reach(self, records: "RecordQuerySet", _name: str, reach: str) -> "RecordQuerySet":
        """Those whose rights let them go so far."""
        return records.filter(browsing.under(browsing.licences_reaching(reach)))

    def by_near(self, records: "RecordQuerySet", _name: str, _value: bool) -> "RecordQuerySet":  # noqa: FBT001
        """Those that have near-duplicates."""
        return records.filter(pk__in=duplicates.having_near())

    def by_bound(self, records: "RecordQuerySet", name: str, number: Decimal) -> "RecordQuerySet":
        """Those whose answer is so long, or that scored so much as they came in."""
        return records.filter(_bound(name, number))

    def by_scored(self, records: "RecordQuerySet", _name: str, said: str) -> "RecordQuerySet":
        """Those that have a quality score, or those that have none."""
        has_score = Exists(_scores().filter(value__isnull=False))
        return records.filter(has_score if said == "yes" else ~has_score)

    def by_date(self, records: "RecordQuerySet", name: str, _day: object) -> "RecordQuerySet":
        """Those that came in since a day, or up to its end."""
        return records.filter(batch__in=self._wanted_batches({name: self.form.cleaned_data[name]}))

    def by_batch(self, records: "RecordQuerySet", _name: str, number: int) -> "RecordQuerySet":
        """Those that came in with one import."""
        return records.filter(batch=int(number))

    def by_reviewer(self, records: "RecordQuerySet", _name: str, username: str) -> "RecordQuerySet":
        """Those on which a person has decided, and not taken it back."""
        decided = Decision.objects.filter(record=OuterRef("pk"), reviewer=self._people[username])
        return records.filter(Exists(decided.exclude(Exists(Withdrawal.objects.filter(decision=OuterRef("pk"))))))

    def by_assignee(self, records: "RecordQuerySet", _name: str, username: str) -> "RecordQuerySet":
        """Those that a person is to decide on."""
        undecided = [State.WAITING, State.SECOND, State.UNANSWERED]
        return records.filter(assignee=self._people[username], state__in=undecided)

    def by_sent_back(self, records: "RecordQuerySet", _name: str, _said: str) -> "RecordQuerySet":
        """Those that were sent back and wait for another decision."""
        return records.sent_back()

    def by_gone(self, records: "RecordQuerySet", _name: str, how: str) -> "RecordQuerySet":
        """Those that were taken down, or whose import was taken back."""
        if how == "down":
            return records.filter(takedown__isnull=False)
        return records.filter(retraction__isnull=False, batch__in=self._taken_back())


def _bound(name: str, number: Decimal) -> Q:
    bound = BOUNDS[name]
    return Q((f"{bound.relation}__{bound.condition}", bound.kind(number)))


def _scores() -> "QuerySet[Score]":
    return Score.objects.filter(record=OuterRef("pk"))


def _flags() -> list[tuple[str, str]]:
    return _flags_in(get_language() or "")


@cache
def _flags_in(language: str) -> list[tuple[str, str]]:
    return [(name, rule.sentence(language)) for name, rule in RULES.items() if rule.kind == "flag"]


def _wanted_licences(given: dict[str, Any]) -> set[str]:
    licences = {given["licence"]} if given.get("licence") else set(Licence.values)
    return licences & browsing.licences_reaching(given["reach"]) if given.get("reach") else licences


def _since(day: date | None) -> Q:
    return Q(at__gte=timezone.make_aware(datetime.combine(day, time.min))) if day else Q()


def _until(day: date | None) -> Q:
    return Q(at__lte=timezone.make_aware(datetime.combine(day, time.max))) if day else Q()
