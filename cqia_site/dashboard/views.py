"""The dashboard, its tables as CSV, and its pages of a source and of a reviewer."""

import csv
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from cqia_site import condition
from cqia_site.dashboard import charts, figures, period
from exports.models import Release
from ingest.models import Job
from review import access
from review.models import Decision, Source, User, Verdict

if TYPE_CHECKING:
    from django.db.models import QuerySet

SHOWN_JOBS = 8
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def visible(user: User) -> "QuerySet[Source]":
    """Return the sources that the person may see, in the order of the catalogue."""
    limits = access.limited_to(user)
    sources = Source.objects.select_related("category").order_by("category__position", "position", "pk")
    return sources.filter(pk__in=limits) if limits else sources


def context(request: HttpRequest) -> dict[str, Any]:
    """Return what the first page shows."""
    user = cast("User", request.user)
    sources = list(visible(user))
    keys = [source.pk for source in sources]
    days = period.asked_for(request.GET)
    decisions = figures.made(days, keys)
    rows = figures.source_rows(sources)
    found = condition.recently_found()
    return {
        "rows": rows,
        "totals": _totals(rows),
        "reviewers": figures.reviewers(decisions),
        "ages": figures.ages(keys),
        "reaches": figures.reaches(keys),
        "flags": [(rule.id, rule.sentence(get_language() or ""), number) for rule, number in figures.flags(keys)],
        "claims": figures.claims_now(),
        "jobs": Job.objects.filter(source__in=keys).exclude(state=Job.State.DONE).order_by("-pk")[:SHOWN_JOBS],
        "releases": Release.objects.order_by("-pk")[:SHOWN_JOBS],
        "last_release": figures.last_release(),
        "condition": found,
        "bad": sum(not one.is_good for one in found),
        **_moving(decisions, days),
    }


def _totals(rows: Iterable[figures.SourceRow]) -> dict[str, int]:
    totals = dict.fromkeys(COLUMNS, 0)
    for row in rows:
        for name, number in _numbers(row).items():
            totals[name] += number
    return totals


COLUMNS = ("target", "candidates", "waiting", "approved", "rejected", "sent_back", "releasable", "released", "pace")


def _numbers(row: figures.SourceRow) -> dict[str, int]:
    counted = row.figures
    numbers = (
        row.source.target,
        counted.candidates,
        counted.waiting,
        counted.approved,
        counted.rejected,
        row.sent_back,
        row.releasable,
        row.released,
        row.pace,
    )
    return dict(zip(COLUMNS, numbers, strict=True))


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
    yield [_("category"), _("source"), *COLUMNS, "days_to_go"]
    for row in figures.source_rows(list(visible(cast("User", request.user)))):
        to_go = "" if row.days_to_go is None else row.days_to_go
        yield [str(row.source.category), str(row.source), *_numbers(row).values(), to_go]


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
    return [source.pk for source in visible(cast("User", request.user))]


TABLES = {"sources": _sources_table, "days": _days_table, "reviewers": _reviewers_table}


@require_safe
def source(request: HttpRequest, slug: str) -> HttpResponse:
    """Show how one source moves."""
    found = get_object_or_404(visible(cast("User", request.user)), slug=slug)
    days = period.asked_for(request.GET)
    decisions = figures.made(days, [found.pk])
    known = {
        "source": found,
        "row": figures.source_rows([found])[0],
        "reviewers": figures.reviewers(decisions),
        "ages": figures.ages([found.pk]),
        "reaches": figures.reaches([found.pk]),
    }
    return render(request, "admin/dashboard_source.html", known | _moving(decisions, days))


@require_safe
def reviewer(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how one person's work moves."""
    person = get_object_or_404(User, pk=pk)
    days = period.asked_for(request.GET)
    decisions = figures.made(days, _keys(request)).filter(reviewer=person)
    known = {"person": person, "by_source": figures.by_source(decisions), "own": figures.reviewers(decisions)}
    return render(request, "admin/dashboard_reviewer.html", known | _moving(decisions, days))


def _moving(decisions: "QuerySet[Decision]", days: period.Period) -> dict[str, Any]:
    by_day = figures.throughput(decisions, days)
    return {"period": days, "days": by_day, "chart": charts.by_day(by_day), "verdicts": list(Verdict)}
