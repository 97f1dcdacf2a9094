"""The filters of the live stream: every one named, every value checked."""

from collections.abc import Collection, Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_filters import (  # type: ignore[import-untyped]  # it has no types
    CharFilter,
    ChoiceFilter,
    FilterSet,
    IsoDateTimeFilter,
    MultipleChoiceFilter,
)

from exports.aliases import written_as
from exports.options import CQIA
from exports.writers import WRITERS
from review.models import AnswerFrom, Source

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.datastructures import MultiValueDict

    type Records = QuerySet[Any, Any]

LINE_FORMS = [name for name, writer in WRITERS.items() if writer.has_lines]
"""The forms that a stream of lines can have."""
MAX_LABEL_CHARACTERS = 200


def _slugs() -> list[tuple[str, str]]:
    return [(slug, slug) for slug in Source.objects.order_by("slug").values_list("slug", flat=True)]


def _any(lookup: str, values: "Iterable[object]") -> Q:
    return reduce(or_, (Q(**{lookup: value}) for value in values))


class RecordFilters(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """What `/api/v1/export/records.jsonl` may be asked for; several values of one filter widen it."""

    source = MultipleChoiceFilter(field_name="source__slug", choices=_slugs, distinct=False)
    major = CharFilter(method="filter_major", max_length=MAX_LABEL_CHARACTERS)
    minor = CharFilter(method="filter_minor", max_length=MAX_LABEL_CHARACTERS)
    domain = CharFilter(method="filter_domain", max_length=MAX_LABEL_CHARACTERS)
    answer_from = MultipleChoiceFilter(field_name="revision__answer_from", choices=AnswerFrom.choices, distinct=False)
    licence = MultipleChoiceFilter(field_name="licence", distinct=False)
    verified_after = IsoDateTimeFilter(field_name="verdict__at", lookup_expr="gt")
    format = ChoiceFilter(method="filter_format", choices=[(name, name) for name in LINE_FORMS])

    def __init__(self, data: "MultiValueDict[str, str]", queryset: "Records", *, licences: Collection[str]) -> None:
        super().__init__(data, queryset)
        self.filters["licence"].extra["choices"] = [(licence, licence) for licence in sorted(licences)]

    def filter_major(self, records: "Records", _name: str, value: str) -> "Records":
        """Those with this main task type, as it is published."""
        return records.filter(
            _any("revision__task_type__contains", [{"major": [name]} for name in written_as("major", value)])
        )

    def filter_minor(self, records: "Records", _name: str, value: str) -> "Records":
        """Those with this fine task type, as it is published."""
        return records.filter(
            _any("revision__task_type__contains", [{"minor": [name]} for name in written_as("minor", value)])
        )

    def filter_domain(self, records: "Records", _name: str, value: str) -> "Records":
        """Those of this domain, as it is published."""
        return records.filter(_any("revision__domain__contains", [[name] for name in written_as("domain", value)]))

    def filter_format(self, records: "Records", _name: str, _value: str) -> "Records":
        """The format changes how a record is written, not which ones there are."""
        return records

    @property
    def form_name(self) -> str:
        """The form asked for: the nine fields unless another one was named."""
        name: str = self.data.get("format") or CQIA
        return name

    def problems(self) -> dict[str, Any]:
        """Return what is wrong with the request by filter, and what is allowed; nothing when all is well."""
        unknown = set(self.data) - set(self.filters)
        if unknown:
            return {name: {"detail": _("There is no such filter."), "allowed": list(self.filters)} for name in unknown}
        return {name: self._problem(name, list(errors)) for name, errors in self.form.errors.items()}

    def _problem(self, name: str, errors: list[str]) -> dict[str, Any]:
        choices = self.filters[name].extra.get("choices", ())
        allowed = [value for value, _label in (choices() if callable(choices) else choices)]
        return {"detail": " ".join(errors)} | ({"allowed": allowed} if allowed else {})
