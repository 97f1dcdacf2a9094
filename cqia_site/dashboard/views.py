"""The dashboard, its tables as CSV, and its pages of a source and of a reviewer."""

import csv
from collections.abc import Iterator
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from cqia_site import condition
from cqia_site.dashboard import figures, keeping, pages, period
from exports.models import Release
from ingest.models import Job
from review import access
from review.models import Source, User, Verdict

SHOWN_JOBS = 8
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def context(request: HttpRequest) -> dict[str, Any]:
    """Return what the first page shows."""
    sources = visible(request)
    keys = [source.pk for source in sources]
    keeping.note_look(access.limited_to(cast("User", request.user)), *period.said(request.GET))
    found = condition.recently_found()
    return {
        **pages.first(sources, period.asked_for(request.GET)),
        "claims": figures.claims_now(keys),
        "jobs": Job.objects.filter(source__in=keys).exclude(state=Job.State.DONE).order_by("-pk")[:SHOWN_JOBS],
        "releases": Release.objects.order_by("-pk")[:SHOWN_JOBS],
        "last_release": figures.last_release(),
        "condition": found,
        "bad": sum(not one.is_good for one in found),
    }


def visible(request: HttpRequest) -> list[Source]:
    """Return the sources that the person may see."""
    return pages.sources_of(access.limited_to(cast("User", request.user)))


@require_safe
def table(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with one of the tables as CSV, safe to open in a spreadsheet."""
    if name not in TABLES:
        raise Http404
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.write("\ufeff")  # or a spreadsheet takes it for another encoding
    writer = csv.writer(response)
    for row in TABLES[name](request):
        writer.writerow([safe_cell(cell) for cell in row])
    return response


def safe_cell(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(cell, int | float):
        return cell
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text


def _sources_table(request: HttpRequest) -> Iterator[list[object]]:
    yield [_("category"), _("source"), *pages.COLUMNS, "days_to_go"]
    for row in figures.source_rows(visible(request)):
        to_go = "" if row.days_to_go is None else row.days_to_go
        yield [str(row.source.category), str(row.source), *pages.numbers_of(row).values(), to_go]


def _days_table(request: HttpRequest) -> Iterator[list[object]]:
    days = period.asked_for(request.GET)
    yield [_("day"), *Verdict.values]
    for day in figures.throughput(figures.made(days, _keys(request)), days):
        yield [day.day.isoformat(), *(number for _verdict, number in day.parts())]


def _reviewers_table(request: HttpRequest) -> Iterator[list[object]]:
    days = period.asked_for(request.GET)
    yield [_("reviewer"), *Verdict.values, "median_seconds", "edits"]
    for row in figures.reviewers(figures.made(days, _keys(request))):
        verdicts = [row.verdicts[verdict] for verdict in Verdict]
        yield [row.person.username, *verdicts, row.seconds, row.edits]


def _keys(request: HttpRequest) -> list[int]:
    return [source.pk for source in visible(request)]


TABLES = {"sources": _sources_table, "days": _days_table, "reviewers": _reviewers_table}


@require_safe
def source(request: HttpRequest, slug: str) -> HttpResponse:
    """Show how one source moves."""
    found = next((one for one in visible(request) if one.slug == slug), None)
    if found is None:
        raise Http404
    days = period.asked_for(request.GET)
    decisions = figures.made(days, [found.pk])
    known = {
        "source": found,
        "plan": {"policy": "research", "source": found.slug},
        "row": figures.source_rows([found])[0],
        "reviewers": figures.reviewers(decisions),
        "ages": figures.ages([found.pk]),
        "reaches": figures.reaches([found.pk]),
        "flags": pages.flags([found.pk]),
    }
    return render(request, "admin/dashboard_source.html", known | pages.moving(decisions, days))


@require_safe
def reviewer(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how one person's work moves."""
    person = get_object_or_404(User, pk=pk)
    days = period.asked_for(request.GET)
    decisions = figures.made(days, _keys(request)).filter(reviewer=person)
    known = {"person": person, "by_source": figures.by_source(decisions), "own": figures.reviewers(decisions)}
    return render(request, "admin/dashboard_reviewer.html", known | pages.moving(decisions, days))
