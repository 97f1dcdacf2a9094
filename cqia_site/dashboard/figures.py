"""The questions of the dashboard. Each is answered by the database from rows as they are; nothing is counted along."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, models
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from cqia_site.dashboard.keeping import counted, numbers, remembered
from exports.models import Release
from review.models import Batch, Claim, Decision, GoldAnswer, Licence, Record, Source, State, User, Verdict
from review.models.clock import ClockTimestamp
from review.text.rules import RULES
from review.views.figures import Figures, figures_of

if TYPE_CHECKING:
    from cqia_site.dashboard.period import Period
    from review.text.rules import Rule

PACE_DAYS = 7
AGES = (1, 3, 7, 30)
UNDECIDED = (State.WAITING, State.SECOND, State.UNANSWERED, State.DISPUTED)
COUNTED_KINDS = (Decision.Kind.REVIEW.value, Decision.Kind.SETTLE.value)
"""Answers to gold and to inspections decide nothing about a record."""

type Sources = Collection[int]


def states() -> dict[str, int]:
    """Return the live records by state."""
    return numbers(Record.objects.live())


def claims_now(sources: Sources | None = None) -> int:
    """Return how many records, of these sources or of all, somebody holds at this moment."""
    claims = Claim.objects.filter(lease_until__gt=ClockTimestamp())
    return (claims if sources is None else claims.filter(record__source__in=sources)).count()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source in the table: how far it is, and when it will be there at this week's pace."""

    source: Source
    figures: Figures
    sent_back: int
    releasable: int
    released: int
    pace: int
    """Approvals that stand, of the last seven days."""

    @property
    def missing(self) -> int:
        return max(0, self.source.target - self.figures.approved)

    @property
    def days_to_go(self) -> int | None:
        """Whole days until the target at this week's pace; None where nothing moves, or no target is set."""
        if not self.source.target or (self.missing and not self.pace):
            return None
        return -(-self.missing * PACE_DAYS // self.pace) if self.missing else 0


def source_rows(sources: Sequence[Source]) -> list[SourceRow]:
    """Return the table of these sources, in their order."""
    keys = [source.pk for source in sources]
    figures, free = where_they_stand(keys), releasable(keys)
    back, pace, released = sent_back(keys), approvals_this_week(keys), in_last_release()
    return [
        SourceRow(source, figures[source.pk], back[source.pk], free[source.pk], released[source.slug], pace[source.pk])
        for source in sources
    ]


def where_they_stand(sources: Sources) -> dict[int, Figures]:
    """Return the figures of these sources by their ids."""

    def ask() -> list[tuple[int, str, int]]:
        by_source = figures_of(sources).items()
        return [(source, kind, number) for source, found in by_source for kind, number in found.counted.items()]

    figures = {source: Figures() for source in sources}
    for source, kind, number in remembered(f"where they stand: {sorted(sources)}", ask):
        figures[source].counted[kind] = number
    return figures


def releasable(sources: Sources) -> Counter[int]:
    """Return by source how many records would leave under the policy that a release takes by itself."""
    found: Counter[int] = Counter()
    for source, licence, number in approved_by_licence(sources):
        if licence in Licence.research():
            found[source] += number
    return found


def approved_by_licence(sources: Sources) -> list[tuple[int, str, int]]:
    """Return (source, licence in effect, number) of the approved records.

    They are counted by the rights that they and their batches have, few in number, before anything is joined.
    """

    def ask() -> list[tuple[int, str, int]]:
        with connection.cursor() as cursor:
            cursor.execute(_APPROVED, [Licence.UNKNOWN.value, list(sources)])
            return list(cursor.fetchall())

    return [(source, licence, number) for source, licence, number in remembered(f"{_APPROVED}{sorted(sources)}", ask)]


_APPROVED = """
    SELECT counted.source_id, COALESCE(own.licence, batchwide.licence, sourcewide.licence, %s), sum(counted.number)::int
    FROM (
        SELECT source_id, batch_id, rights_id, count(*) AS number FROM review_record
        WHERE state = 'approved' AND takedown_id IS NULL AND retraction_id IS NULL AND source_id = ANY(%s)
        GROUP BY source_id, batch_id, rights_id
    ) counted
    JOIN review_batch batch ON batch.id = counted.batch_id
    JOIN review_source source ON source.id = counted.source_id
    LEFT JOIN review_rights own ON own.id = counted.rights_id
    LEFT JOIN review_rights batchwide ON batchwide.id = batch.rights_id
    LEFT JOIN review_rights sourcewide ON sourcewide.id = source.rights_id
    GROUP BY 1, 2 ORDER BY 1, 2
"""


def sent_back(sources: Sources) -> Counter[int]:
    """Return by source how many live records were sent back and have not been decided again."""
    records = Record.objects.sent_back().filter(source__in=sources)
    return Counter(dict(counted(records.order_by().values_list("source").annotate(number=Count("pk")))))


def approvals_this_week(sources: Sources) -> Counter[int]:
    """Return by source how many approvals of the last seven days stand."""

    def ask() -> "QuerySet[Any, Any]":
        since = timezone.now() - timedelta(days=PACE_DAYS)
        standing = Decision.objects.filter(at__gte=since, approves=True, record__verdict=F("pk"))
        return standing.order_by().values_list("record__source").annotate(number=Count("pk"))

    pace = {source: number for source, number in remembered("pace", ask)}  # noqa: C416  lists in JSON
    return Counter({source: pace.get(source, 0) for source in sources})


def last_release() -> Release | None:
    """Return the latest release that was cut."""
    return Release.objects.filter(cut_at__isnull=False).order_by("-cut_at", "-pk").first()


def in_last_release() -> Counter[str]:
    """Return by slug how many records of a source are in the latest release."""
    release = last_release()
    return Counter({said["slug"]: said["records"] for said in release.sources} if release else {})


@dataclass(slots=True)
class Day:
    """What was decided on a day, by verdict, whatever became of it since."""

    day: date
    verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.verdicts.total()

    def parts(self) -> list[tuple[Verdict, int]]:
        """Return every verdict with its number."""
        return [(verdict, self.verdicts[verdict]) for verdict in Verdict]


def made(period: "Period", sources: Sources) -> "QuerySet[Decision]":
    """Return the decisions of the period on records of these sources: the lists that the figures lead to show them."""
    decisions = Decision.objects.filter(at__gte=period.begin, at__lt=period.end, kind__in=COUNTED_KINDS)
    every = len(sources) == Source.objects.count()
    return decisions if every else decisions.filter(record__source__in=sources)


def throughput(decisions: "QuerySet[Decision]", period: "Period") -> list[Day]:
    """Return every day of the period with what was decided on it."""
    days = {day: Day(day) for day in period.days}
    by_day = decisions.order_by().annotate(day=TruncDate("at")).values_list("day", "verdict")
    rows = by_day.annotate(number=Count("pk"))
    for day, verdict, number in remembered(str(rows.query), lambda: [(row[0].isoformat(), *row[1:]) for row in rows]):
        days[date.fromisoformat(day)].verdicts[verdict] += number
    return list(days.values())


class Median(models.Aggregate):
    """The middle one of some numbers, or halfway between the two middle ones."""

    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = models.FloatField()


@dataclass(frozen=True, slots=True)
class Reviewer:
    """What one person decided in the period, and the median of the seconds that a decision took."""

    person: User
    verdicts: Counter[str]
    seconds: float
    edits: int

    @property
    def total(self) -> int:
        return self.verdicts.total()


def reviewers(decisions: "QuerySet[Decision]") -> list[Reviewer]:
    """Return who decided how much, the most first."""
    by_person = decisions.order_by().values_list("reviewer")
    edited = Count("pk", filter=~Q(revision=F("seen_revision")))
    found = counted(by_person.annotate(middle=Median("seconds"), edits=edited, number=Count("pk")))
    verdicts: dict[int, Counter[str]] = {reviewer: Counter() for reviewer, *_numbers in found}
    for reviewer, verdict, number in counted(by_person.values_list("reviewer", "verdict").annotate(number=Count("pk"))):
        verdicts[reviewer][verdict] = number
    people = User.objects.in_bulk(verdicts)
    rows = [Reviewer(people[pk], verdicts[pk], seconds or 0, edits) for pk, seconds, edits, _number in found]
    return sorted(rows, key=lambda row: (-row.total, row.person.username))


def by_source(decisions: "QuerySet[Decision]") -> list[tuple[Source, Counter[str]]]:
    """Return the sources that were decided on, with the numbers by verdict, the most first."""
    verdicts: dict[int, Counter[str]] = {}
    rows = decisions.order_by().values_list("record__source", "verdict").annotate(number=Count("pk"))
    for source, verdict, number in counted(rows):
        verdicts.setdefault(source, Counter())[verdict] = number
    sources = Source.objects.in_bulk(verdicts)
    found: list[tuple[Source, Counter[str]]] = [(sources[pk], said) for pk, said in verdicts.items()]
    return sorted(found, key=lambda row: (-row[1].total(), row[0].slug))


@dataclass(frozen=True, slots=True)
class Age:
    """How many records came in from `since` days ago to less than `until`; None is an open end."""

    since: int
    until: int | None
    number: int

    @property
    def imported(self) -> dict[str, str]:
        """Return the days of import as the list of records is asked for them."""
        today = timezone.localdate()
        last = {"imported_to": (today - timedelta(days=self.since)).isoformat()}
        if self.until is None:
            return last
        return last | {"imported_from": (today - timedelta(days=self.until - 1)).isoformat()}


def ages(sources: Sources) -> list[Age]:
    """Return how long the undecided records have waited, by the day of their import."""
    waiting = Record.objects.live().filter(state__in=UNDECIDED, source__in=sources)
    by_batch = dict(counted(waiting.order_by().values_list("batch").annotate(number=Count("*"))))
    today, by_age = timezone.localdate(), Counter[int]()
    for batch, at in Batch.objects.filter(pk__in=by_batch).values_list("pk", "at"):
        by_age[sum((today - timezone.localdate(at)).days >= age for age in AGES)] += by_batch[batch]
    days = [0, *AGES]
    return [
        Age(days[place], days[place + 1] if place + 1 < len(days) else None, by_age[place])
        for place in range(len(days))
    ]


_FLAGGED = """
    SELECT flag.rule, record.source_id, count(*)::int FROM review_flag flag
    JOIN review_record record ON record.id = flag.record_id AND record.revision_id = flag.revision_id
    WHERE record.takedown_id IS NULL AND record.retraction_id IS NULL
    GROUP BY flag.rule, record.source_id
"""


def flags(sources: Sources) -> "list[tuple[Rule, int]]":
    """Return the rules that found something in the current wordings of live records, with the number of records."""

    def ask() -> list[tuple[str, int, int]]:
        with connection.cursor() as cursor:
            cursor.execute(_FLAGGED)
            return list(cursor.fetchall())

    found: Counter[str] = Counter()
    for rule, source, number in remembered(_FLAGGED, ask):
        if source in sources:
            found[rule] += number
    return [(RULES[rule], number) for rule, number in found.most_common() if rule in RULES]


@dataclass(frozen=True, slots=True)
class Quality:
    """How far reviewers agreed: wordings that several looked at, and answers to gold."""

    looked_at: int
    agreed: int
    gold: int
    gold_right: int


_LOOKED_AT = """
    SELECT looks.agreed, count(*)::int FROM (
        SELECT count(DISTINCT (d.verdict, CASE d.verdict WHEN 'approve' THEN said.sha256 END)) = 1 AS agreed
        FROM review_decision d
        JOIN review_record record ON record.id = d.record_id AND record.wanted > 1 AND record.source_id = ANY(%s)
        JOIN review_revision said ON said.id = d.revision_id
        LEFT JOIN review_withdrawal w ON w.decision_id = d.id
        WHERE d.kind = 'review' AND d.verdict <> 'escalate' AND w.kind IS DISTINCT FROM 'undo'
        AND d.at >= %s AND d.at < %s
        GROUP BY d.record_id, d.round, d.seen_revision_id HAVING count(DISTINCT d.reviewer_id) > 1
    ) looks GROUP BY looks.agreed
"""


def quality(period: "Period", sources: Sources) -> Quality:
    """Return how far reviewers agreed in the period: the same verdict, and where they approved, the same wording."""
    given: list[Any] = [sorted(sources), period.begin, period.end]

    def ask() -> list[tuple[bool, int]]:
        with connection.cursor() as cursor:
            cursor.execute(_LOOKED_AT, given)
            return list(cursor.fetchall())

    looked_at = {bool(agreed): number for agreed, number in remembered(f"{_LOOKED_AT}{given}", ask)}
    answers = GoldAnswer.objects.filter(
        decision__withdrawal=None,
        decision__at__gte=period.begin,
        decision__at__lt=period.end,
        decision__record__source__in=sources,
    )
    gold = Counter(dict(counted(answers.order_by().values_list("is_right").annotate(number=Count("pk")))))
    return Quality(sum(looked_at.values()), looked_at.get(True, 0), gold.total(), gold[True])


@dataclass(frozen=True, slots=True)
class Reach:
    """How many approved records may leave how far, and the licences that say so with their numbers."""

    name: str
    number: int
    licences: list[tuple[Licence, int]]


def reaches(sources: Sources) -> list[Reach]:
    """Return the approved records by how far their rights let them go."""
    by_licence: Counter[str] = Counter()
    for _source, licence, number in approved_by_licence(sources):
        by_licence[licence] += number
    groups: dict[str, set[str]] = {
        "every": Licence.open(),
        "research": Licence.research() - Licence.open(),
        "inside": {Licence.FAIR_USE.value, Licence.UNKNOWN.value},
        "nowhere": Licence.never_leaving(),
    }
    return [
        Reach(
            name,
            sum(by_licence[licence] for licence in licences),
            [(Licence(licence), by_licence[licence]) for licence in sorted(licences) if by_licence[licence]],
        )
        for name, licences in groups.items()
    ]
