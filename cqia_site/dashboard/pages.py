"""What the pages show, put together from the figures; and made anew behind them, so that nobody waits for it."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.translation import get_language

from cqia_site.dashboard import charts, figures, keeping, period
from review.models import Decision, Source, Verdict

if TYPE_CHECKING:
    from django.db.models import QuerySet

COLUMNS = ("target", "candidates", "waiting", "approved", "rejected", "sent_back", "releasable", "released", "pace")


def sources_of(limits: Collection[int]) -> list[Source]:
    """Return these sources, or every one where there are none, in the order of the catalogue."""
    sources = Source.objects.select_related("category").order_by("category__position", "position", "pk")
    return list(sources.filter(pk__in=limits) if limits else sources)


def first(sources: Sequence[Source], days: period.Period) -> dict[str, Any]:
    """Return the figures of the first page."""
    keys = [source.pk for source in sources]
    decisions, rows = figures.made(days, keys), figures.source_rows(sources)
    return {
        "rows": rows,
        "totals": _totals(rows),
        "reviewers": figures.reviewers(decisions),
        "ages": figures.ages(keys),
        "reaches": figures.reaches(keys),
        "flags": flags(keys),
        "quality": figures.quality(days, keys),
        **moving(decisions, days),
    }


def flags(sources: Collection[int]) -> list[tuple[str, str, int]]:
    """Return what rules found in these sources: the rule, what it says, and the number of records."""
    return [(rule.id, rule.sentence(get_language() or ""), number) for rule, number in figures.flags(sources)]


def moving(decisions: "QuerySet[Decision]", days: period.Period) -> dict[str, Any]:
    """Return what was decided by day, as numbers and as a chart."""
    by_day = figures.throughput(decisions, days)
    return {"period": days, "days": by_day, "chart": charts.by_day(by_day), "verdicts": list(Verdict)}


def numbers_of(row: figures.SourceRow) -> dict[str, int]:
    """Return the numbers of a source by column."""
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


def _totals(rows: Iterable[figures.SourceRow]) -> dict[str, int]:
    totals = dict.fromkeys(COLUMNS, 0)
    for row in rows:
        for name, number in numbers_of(row).items():
            totals[name] += number
    return totals


def renew() -> None:
    """Make the figures of the first page anew, for whoever looked at it within the hour and for who opens it next."""
    with keeping.renewing():
        for limits, begins, ends in keeping.looks():
            first(sources_of(limits), period.asked_for({"from": begins, "to": ends}))
