"""Figures of quality: how far reviewers agree, and how each of them works."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import TruncWeek
from django.utils import timezone
from rapidfuzz.distance import Levenshtein

from review.agreement import alpha, kappa
from review.models import Decision, GoldAnswer, Revision, State, Verdict, Withdrawal

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User

QUICK_SECONDS = 3
QUICK_RUN = 10
"""So many approvals in a row, each unedited and within so few seconds, are asked about."""
DIGITS = 4
_UNDONE = Q(withdrawal__kind=Withdrawal.Kind.UNDO)


class Look(NamedTuple):
    """One of several decisions on the same wording of a record, made blind."""

    decision: int
    record: int
    round: int
    seen: int
    source: str
    reviewer: int
    verdict: str
    revision: int
    labels: str
    week: date


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far looks agree. Alpha and kappa are None where they are not defined: nothing to compare, or one value only.

    `looks` is the number of records looked at more than once, `agreed` those on which verdict, text and labels are the
    same. `distance` is the mean share of characters by which approved wordings of one record differ, 0 to 1.
    """

    looks: int
    agreed: int
    alpha_verdict: float | None
    alpha_labels: float | None
    kappa_verdict: float | None
    kappa_labels: float | None
    distance: float | None


type Unit = list[Look]


def looks(sources: Collection[str] = (), *, until: datetime | None = None) -> list[Unit]:
    """Return the looks of every record that was looked at more than once, those on one wording together.

    A decision that its own author took back is none; one that was sent back was an opinion all the same. An escalation
    is a question and not a verdict. `sources` are slugs, none for every one.
    """
    said = Decision.objects.filter(kind=Decision.Kind.REVIEW).exclude(_UNDONE).exclude(verdict=Verdict.ESCALATE)
    if sources:
        said = said.filter(record__source__slug__in=sources)
    if until:
        said = said.filter(at__lte=until)
    other = said.filter(record=OuterRef("record"), round=OuterRef("round")).exclude(pk=OuterRef("pk"))
    rows = (
        said.filter(Exists(other), record__wanted__gt=1)
        .annotate(week=TruncWeek("at"))
        .order_by("record", "round", "seen_revision", "pk")
        .values_list(
            "pk",
            "record",
            "round",
            "seen_revision",
            "record__source__slug",
            "reviewer",
            "verdict",
            "revision",
            "revision__task_type_text",
            "revision__domain_text",
            "week",
        )
    )
    units: dict[tuple[int, int, int], Unit] = defaultdict(list)
    for row in rows:
        major_minor, domain, week = row[-3:]
        look = Look(*row[:-3], f"{major_minor} {domain}", week.date())
        units[look.record, look.round, look.seen].append(look)
    return [unit for unit in units.values() if len({look.reviewer for look in unit}) > 1]


def agreement(units: Sequence[Unit], texts: "dict[int, str] | None" = None) -> Agreement:
    """Return the figures of these looks; `texts` are the wordings by revision, fetched where not given."""
    known = _texts(units) if texts is None else texts
    pairs = [pair for unit in units for pair in combinations(unit, 2)]
    worded = [pair for pair in pairs if all(look.verdict == Verdict.APPROVE for look in pair)]
    distances = [_distance(one.revision, other.revision, known) for one, other in worded]
    return Agreement(
        looks=len(units),
        agreed=sum(_agrees(unit, known) for unit in units),
        alpha_verdict=_rounded(alpha([[look.verdict for look in unit] for unit in units])),
        alpha_labels=_rounded(alpha([_labels(unit) for unit in units])),
        kappa_verdict=_rounded(kappa([(one.verdict, other.verdict) for one, other in pairs])),
        kappa_labels=_rounded(kappa([(one.labels, other.labels) for one, other in worded])),
        distance=_rounded(sum(distances) / len(distances) if distances else None),
    )


def _labels(unit: Unit) -> list[Hashable]:
    """Return the labels of those who approved: who rejects chooses none."""
    return [look.labels for look in unit if look.verdict == Verdict.APPROVE]


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, DIGITS)


def _agrees(unit: Unit, texts: dict[int, str]) -> bool:
    said = {
        (look.verdict, look.labels, texts.get(look.revision, str(look.revision)))
        if look.verdict == Verdict.APPROVE
        else (look.verdict,)
        for look in unit
    }
    return len(said) == 1


def _distance(one: int, other: int, texts: dict[int, str]) -> float:
    return 0.0 if one == other else float(Levenshtein.normalized_distance(texts[one], texts[other]))


def _texts(units: Iterable[Unit]) -> dict[int, str]:
    """Return the wordings to compare: of records whose looks do not all stand by one revision."""
    wanted = {look.revision for unit in units if len({look.revision for look in unit}) > 1 for look in unit}
    rows = Revision.objects.filter(pk__in=wanted).values_list("pk", "instruction", "input", "output")
    return {pk: "\0".join(texts) for pk, *texts in rows.iterator()}


def agreement_by(units: Sequence[Unit], group: Callable[[Unit], Iterable[Any]]) -> "dict[Any, Agreement]":
    """Return the figures by group; a look may belong to several."""
    known, groups = _texts(units), defaultdict(list)
    for unit in units:
        for key in group(unit):
            groups[key].append(unit)
    return {key: agreement(found, known) for key, found in groups.items()}


def by_source(unit: Unit) -> Iterable[str]:
    """Group looks by their source."""
    return [unit[0].source]


def by_week(unit: Unit) -> Iterable[date]:
    """Group looks by the week in which the last of them was given, named by its Monday."""
    return [max(look.week for look in unit)]


def agreement_of_pairs(units: Sequence[Unit]) -> dict[tuple[int, int], Agreement]:
    """Return the figures of every two reviewers who looked at the same wordings."""
    found: dict[tuple[int, int], list[Unit]] = defaultdict(list)
    for unit in units:
        for pair in combinations(sorted(unit, key=lambda look: look.reviewer), 2):
            if pair[0].reviewer != pair[1].reviewer:
                found[pair[0].reviewer, pair[1].reviewer].append(list(pair))
    known = _texts(units)
    return {pair: agreement(looks_, known) for pair, looks_ in found.items()}


def agreement_of(sources: Collection[str] = (), *, until: datetime | None = None) -> dict[str, float | int | None]:
    """Return the figures that a release's card states, rounded, for what was decided up to `until`: the same again."""
    found = agreement(looks(sources, until=until))
    return {
        "looked_at_twice": found.looks,
        "agreed": found.agreed,
        "alpha_verdict": found.alpha_verdict,
        "alpha_labels": found.alpha_labels,
        "edit_distance": found.distance,
    }


@dataclass(slots=True)
class Worked:
    """How one reviewer works. Rates lie between 0 and 1 and are None where there is nothing to count."""

    done: int = 0
    median_seconds: float | None = None
    edited: int = 0
    sent_back: int = 0
    overturned: int = 0
    looks: int = 0
    agreed: int = 0
    gold: int = 0
    gold_right: int = 0
    quick_runs: int = 0
    longest_quick_run: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)

    @property
    def edit_rate(self) -> float | None:
        return _rate(self.edited, self.done)

    @property
    def overturn_rate(self) -> float | None:
        return _rate(self.overturned, self.done)

    @property
    def agreement(self) -> float | None:
        return _rate(self.agreed, self.looks)

    @property
    def gold_score(self) -> float | None:
        return _rate(self.gold_right, self.gold)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


_WORKED = """
    SELECT d.reviewer_id, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY d.seconds),
        count(*) FILTER (WHERE d.revision_id <> d.seen_revision_id),
        count(*) FILTER (WHERE w.kind IN ('batch', 'send_back', 'gold')),
        count(*) FILTER (WHERE w.kind IN ('batch', 'send_back', 'gold') OR EXISTS (
            SELECT 1 FROM review_decision s JOIN review_revision settled ON settled.id = s.revision_id
            LEFT JOIN review_withdrawal sw ON sw.decision_id = s.id
            WHERE s.record_id = d.record_id AND s.round = d.round AND s.kind = 'settle' AND sw.id IS NULL
            AND d.verdict IN ('approve', 'reject') AND (s.verdict <> d.verdict OR s.verdict = 'approve'
                AND settled.sha256 <> (SELECT own.sha256 FROM review_revision own WHERE own.id = d.revision_id)))),
        count(*) FILTER (WHERE d.verdict = 'approve'), count(*) FILTER (WHERE d.verdict = 'reject'),
        count(*) FILTER (WHERE d.verdict = 'rewrite'), count(*) FILTER (WHERE d.verdict = 'escalate')
    FROM review_decision d LEFT JOIN review_withdrawal w ON w.decision_id = d.id
    WHERE d.kind = 'review' AND d.at >= %(since)s AND d.at < %(until)s AND w.kind IS DISTINCT FROM 'undo'
    AND (%(people)s::bigint[] IS NULL OR d.reviewer_id = ANY(%(people)s))
    GROUP BY d.reviewer_id
"""
_QUICK = """
    WITH said AS (
        SELECT reviewer_id, id, at,
            verdict = 'approve' AND revision_id = seen_revision_id AND seconds <= %(quick)s AS is_quick
        FROM review_decision WHERE kind = 'review' AND at >= %(since)s AND at < %(until)s
        AND (%(people)s::bigint[] IS NULL OR reviewer_id = ANY(%(people)s))
    ), placed AS (
        SELECT *, row_number() OVER (PARTITION BY reviewer_id ORDER BY at, id)
            - row_number() OVER (PARTITION BY reviewer_id, is_quick ORDER BY at, id) AS run FROM said
    ), runs AS (
        SELECT reviewer_id, count(*) AS length FROM placed WHERE is_quick
        GROUP BY reviewer_id, run HAVING count(*) >= %(run)s
    )
    SELECT reviewer_id, count(*), max(length) FROM runs GROUP BY reviewer_id
"""


def worked(
    people: Collection[int] | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    with_disputes: bool = True,
) -> dict[int, Worked]:
    """Return how reviewers worked by their ids, `people` or everybody, in four statements whatever their number.

    Without `with_disputes` the figures of agreement say nothing of what is disputed still, of which they must not know.
    """
    period = {
        "since": since or datetime.min.replace(year=1970, tzinfo=timezone.get_current_timezone()),
        "until": until or timezone.now() + timedelta(days=1),
    }
    given: dict[str, Any] = {"people": list(people) if people is not None else None, **period}
    found: dict[int, Worked] = defaultdict(Worked)
    with connection.cursor() as cursor:
        cursor.execute(_WORKED, given)
        for who, done, median, edited, back, overturned, *verdicts in cursor.fetchall():
            words = dict(zip(("approve", "reject", "rewrite", "escalate"), verdicts, strict=True))
            found[who] = Worked(done, median, edited, back, overturned, verdicts=words)
        cursor.execute(_QUICK, given | {"quick": QUICK_SECONDS, "run": QUICK_RUN})
        for who, runs, longest in cursor.fetchall():
            found[who].quick_runs, found[who].longest_quick_run = runs, longest
    answers = GoldAnswer.objects.filter(
        decision__withdrawal=None, decision__at__gte=period["since"], decision__at__lt=period["until"]
    )
    answers = answers if people is None else answers.filter(decision__reviewer__in=people)
    counted = answers.values("decision__reviewer").annotate(all=Count("pk"), right=Count("pk", filter=Q(is_right=True)))
    for row in counted.order_by():
        found[row["decision__reviewer"]].gold = row["all"]
        found[row["decision__reviewer"]].gold_right = row["right"]
    said = Decision.objects.filter(at__gte=period["since"], at__lt=period["until"])
    if not with_disputes:
        said = said.exclude(record__state=State.DISPUTED, round=F("record__round"))
    _add_agreement(found, people, said)
    return dict(found)


def _add_agreement(found: dict[int, Worked], people: Collection[int] | None, said: "QuerySet[Decision]") -> None:
    """Count for each person how often verdict and wording were the same as another's."""
    said = said.filter(kind=Decision.Kind.REVIEW, record__wanted__gt=1)
    rows = (
        said.exclude(_UNDONE)
        .exclude(verdict=Verdict.ESCALATE)
        .values_list("record", "round", "seen_revision", "reviewer", "verdict", "revision__sha256")
    )
    units: dict[tuple[int, int, int], list[tuple[int, Hashable]]] = defaultdict(list)
    for record, round_, seen, who, verdict, sha256 in rows:
        opinion = (verdict, bytes(sha256)) if verdict == Verdict.APPROVE else (verdict,)
        units[record, round_, seen].append((who, opinion))
    for unit in units.values():
        for (who, one), (whom, other) in combinations(unit, 2):
            for person in {who, whom}:
                if who != whom and (people is None or person in people):
                    found[person].looks += 1
                    found[person].agreed += one == other


def told(person: "User", *, limit: int = 50) -> "QuerySet[Decision]":
    """Return the person's decisions of which something came afterwards: settled, sent back, or failed gold."""
    settled = Decision.objects.filter(
        record=OuterRef("record"), round=OuterRef("round"), kind=Decision.Kind.SETTLE, withdrawal=None
    )
    back = Q(withdrawal__kind__in=["batch", "send_back", "gold"])
    later = Decision.objects.filter(reviewer=person, pk__gt=OuterRef("pk")).exclude(kind=Decision.Kind.INSPECT)
    wrong = Q(kind=Decision.Kind.GOLD, gold_answer__is_right=False, withdrawal=None) & Exists(later)
    mine = Decision.objects.filter(reviewer=person).exclude(kind__in=[Decision.Kind.SETTLE, Decision.Kind.INSPECT])
    found = mine.filter(back | wrong | (Q(kind=Decision.Kind.REVIEW, withdrawal=None) & Exists(settled)))
    related = ("record__source", "revision", "withdrawal", "gold_answer__gold__decision__revision")
    return found.select_related(*related).order_by("-at", "-pk")[:limit]
