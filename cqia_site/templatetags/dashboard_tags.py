"""Figures of the dashboard, each with the way to the list that it counts."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse

from cqia_site.dashboard.period import midnight
from review.models import Source, User

register = template.Library()


@register.filter
def of(numbers: Mapping[str, int], name: str) -> int:
    """Return the number that stands under a name."""
    return numbers.get(name, 0)


@register.filter
def svg(number: float) -> str:
    """Return a length of a drawing: with a point in every language."""
    return f"{number:g}"


@register.inclusion_tag("admin/dashboard_figure.html")
def figure(number: int, label: str, **filters: str) -> dict[str, Any]:
    """Draw a cell of a table of sources, its number leading to the records that it counts."""
    address = f"{reverse('review:records')}?{urlencode(filters)}"
    return {"number": number, "label": label, "address": address}


@register.simple_tag
def decisions_of(day: date, verdict: str, person: User | str = "", source: Source | str = "") -> str:
    """Return the address of the list of a day's decisions of one verdict, of one person or source where given."""
    begin, end = midnight(day), midnight(day + timedelta(days=1))
    filters = {"at__gte": begin.isoformat(), "at__lt": end.isoformat(), "verdict": verdict}
    if isinstance(person, User):
        filters["reviewer__id__exact"] = str(person.pk)
    if isinstance(source, Source):
        filters["record__source__id__exact"] = str(source.pk)
    return f"{reverse('admin:review_decision_changelist')}?{urlencode(filters)}"
