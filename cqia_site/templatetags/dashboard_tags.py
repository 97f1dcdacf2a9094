"""Figures of the dashboard, each with the way to the list that it counts."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from urllib.parse import urlencode

from django import template
from django.urls import get_script_prefix, reverse
from django.utils.html import format_html
from django.utils.translation import gettext

from cqia_site.dashboard import figures
from cqia_site.dashboard.period import midnight
from review.models import Source, User
from review.templatetags.figure_tags import grouped

register = template.Library()


@register.filter
def of(numbers: Mapping[str, int], name: str) -> int:
    """Return the number that stands under a name."""
    return numbers.get(name, 0)


@register.filter
def svg(number: float) -> str:
    """Return a length of a drawing: with a point in every language."""
    return f"{number:g}"


@register.simple_tag
def records_of(**filters: str) -> str:
    """Return the address of the list of the records that are meant."""
    return f"{_list('review:records', get_script_prefix())}?{urlencode(filters)}"


@cache
def _list(name: str, _prefix: str) -> str:
    """Return the address of a list: hundreds of figures on a page lead to the same two."""
    return reverse(name)


@register.simple_tag
def figure(number: int, label: str, **filters: str) -> str:
    """Draw a cell of a table of sources, its number leading to the records that it counts."""
    return decided(number, label, records_of(**filters))


@register.simple_tag
def waited(age: figures.Age, source: Source | str) -> str:
    """Draw the cell of an age, its number leading to the records that have waited so long."""
    of_source = {"source": source.slug} if isinstance(source, Source) else {}
    return figure(age.number, gettext("Records"), **age.imported, **of_source, state="undecided")


@register.simple_tag
def tally(number: int, address: str) -> str:
    """Draw a figure of the head of a page, leading to the list that it counts."""
    return format_html('<dd><a href="{}">{}</a></dd>' if number else "<dd>{1}</dd>", address, grouped(number))


@register.simple_tag
def decided(number: int, label: str, address: str) -> str:
    """Draw a cell of a table of people or days, its number leading to the decisions that it counts."""
    if not number:
        return format_html('<td class="number nil" data-label="{}">0</td>', label)
    cell = '<td class="number" data-label="{}"><a href="{}">{}</a></td>'
    return format_html(cell, label, address, grouped(number))


@register.simple_tag
def decisions_of(first: date, last: date, *, person: User | str = "", source: Source | str = "", **filters: str) -> str:
    """Return the address of the list of the decisions of these days, of one person or source where given."""
    begin, end = midnight(first), midnight(last + timedelta(days=1))
    kinds = ",".join(figures.COUNTED_KINDS)
    filters |= {"at__gte": begin.isoformat(), "at__lt": end.isoformat(), "kind__in": kinds}
    if isinstance(person, User):
        filters["reviewer__id__exact"] = str(person.pk)
    if isinstance(source, Source):
        filters["record__source__id__exact"] = str(source.pk)
    return f"{_list('admin:review_decision_changelist', get_script_prefix())}?{urlencode(filters)}"
