"""Acceptance sampling (抽检): a batch of approved records stays, or goes back whole, by what a sample shows."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from review import access, sending_back
from review.models import Decision, Inspected, Inspection, Record, State, Verdict, Withdrawal
from review.overlap import new_seed
from review.refused import Ground, Refused
from review.sampling import plan

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from django.db.models import QuerySet

    from review.models import Batch, Guideline, Source, User

FEWEST = 2
"""A batch holds at least so many records: of one, the sample would be the whole, and one defect every defect."""
_FREEZE = """
    INSERT INTO review_inspected (inspection_id, place, record_id, decision_id)
    SELECT %s, row_number() OVER (
        ORDER BY sha256(convert_to(%s || ':' || chosen.id, 'UTF8')), chosen.id
    ), chosen.id, chosen.verdict_id FROM ({lot}) chosen (id, verdict_id)
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which approved records make up the batch: all that are given must hold.

    `guideline` stands for what was decided before that version, `since` and `until` for days of deciding, both within.
    """

    source: "Source | None" = None
    batch: "Batch | None" = None
    reviewer: "User | None" = None
    guideline: "Guideline | None" = None
    since: "date | None" = None
    until: "date | None" = None

    def records(self, by: "User") -> "QuerySet[Record]":
        """Return the records, of the sources that the person may see."""
        records = Record.objects.live().for_user(by).filter(state=State.APPROVED)
        if self.source:
            records = records.filter(source=self.source)
        if self.batch:
            records = records.filter(batch=self.batch)
        if self.reviewer:
            records = records.filter(verdict__reviewer=self.reviewer)
        if self.since:
            records = records.filter(verdict__at__gte=_midnight(self.since))
        if self.until:
            records = records.filter(verdict__at__lt=_midnight(self.until + timedelta(days=1)))
        return decided_before(records, self.guideline) if self.guideline else records


def _midnight(day: "date") -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def decided_before(records: "QuerySet[Record]", guideline: "Guideline") -> "QuerySet[Record]":
    """Narrow records down to those whose verdict goes by an older guideline, or by none."""
    concerned = records.filter(source=guideline.source_id) if guideline.source_id else records
    same = Q(verdict__guideline__source=guideline.source_id) & Q(verdict__guideline__version__lt=guideline.version)
    other = Q(verdict__guideline=None) | ~Q(verdict__guideline__source=guideline.source_id)
    older = same | (other & Q(verdict__at__lt=guideline.at))
    return concerned.filter(older)


@transaction.atomic
def open_inspection(  # noqa: PLR0913  the columns of the row
    *,
    by: "User",
    scope: Scope,
    limit: str = "1.0",
    level: str = "II",
    sample_size: int | None = None,
    acceptance: int | None = None,
    seed: str = "",
) -> Inspection:
    """Freeze a batch and draw its sample. Size and defects allowed come from the table where they are not given."""
    access.check_manage(by)
    records = scope.records(by)
    lot = records.count()
    if lot < FEWEST:
        raise Refused(_("There are too few approved records here to inspect a sample."), ground=Ground.INVALID)
    planned = plan(lot, limit=limit, level=level)
    size = planned.sample if sample_size is None else min(sample_size, lot)
    allowed = min(planned.acceptance, size - 1) if acceptance is None else acceptance
    if allowed >= size:
        problem = _("A sample holds at least one record, and more than the defects allowed.")
        raise Refused(problem, ground=Ground.INVALID, fields={"acceptance": problem})
    inspection = Inspection.objects.create(
        source=scope.source,
        batch=scope.batch,
        reviewer=scope.reviewer,
        guideline=scope.guideline,
        since=scope.since,
        until=scope.until,
        level=level,
        quality_limit=limit,
        seed=seed or new_seed(),
        lot_size=lot,
        sample_size=size,
        acceptance=allowed,
        by=by,
    )
    sql, values = records.order_by().values("pk", "verdict_id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_FREEZE.format(lot=sql), [inspection.pk, inspection.seed, *values])
        frozen = cursor.rowcount
    if frozen != lot:  # decided in this moment
        size = min(size, frozen)
        Inspection.objects.filter(pk=inspection.pk).update(lot_size=frozen, sample_size=size)
        inspection.refresh_from_db()
    return inspection


def sample(inspection: Inspection) -> "QuerySet[Inspected]":
    """Return the records drawn, in the order of the draw."""
    return inspection.lot.filter(place__lte=inspection.sample_size).order_by("place")


def next_for(by: "User", inspection: Inspection) -> Inspected | None:
    """Return the next record of the sample that the person may inspect: not one that they decided on or worded."""
    took_part = Decision.objects.filter(record=OuterRef("record"), reviewer=by).exclude(kind=Decision.Kind.INSPECT)
    open_ones = sample(inspection).filter(~Exists(took_part), finding=None)
    return open_ones.select_related("record__source", "decision__revision").first()


@dataclass(frozen=True, slots=True)
class Said:
    """What an inspector says of one record."""

    verdict: Verdict
    request_id: UUID
    reason: str = ""
    seconds: int = 0


@transaction.atomic
def inspect(*, by: "User", item: Inspected, said: Said) -> Decision:
    """Write a finding on one record of a sample. It never touches the record."""
    access.check_settle(by)
    held = (
        Inspected.objects.select_for_update(of=("self",))
        .select_related("inspection", "finding", "decision")
        .get(pk=item.pk)
    )
    record = Record.objects.select_related("source").get(pk=held.record_id)
    access.check_source(by, record.source)
    if held.finding is not None:
        if held.finding.request_id == said.request_id:
            return held.finding
        raise Refused(_("This record has been inspected meanwhile."))
    if held.inspection.state != Inspection.State.OPEN or held.place > held.inspection.sample_size:
        raise Refused(_("This inspection is closed."))
    if Decision.objects.filter(record=record, reviewer=by).exclude(kind=Decision.Kind.INSPECT).exists():
        raise Refused(
            _("You took part in deciding on this record, so somebody else inspects it."), ground=Ground.FORBIDDEN
        )
    if said.verdict == Verdict.REJECT and not said.reason.strip():
        problem = _("Say why, in a word or two.")
        raise Refused(problem, ground=Ground.INVALID, fields={"reason": problem})
    finding = Decision.objects.create(
        record=record,
        revision_id=held.decision.revision_id,
        seen_revision_id=held.decision.revision_id,
        reviewer=by,
        role=access.acting_role(by),
        kind=Decision.Kind.INSPECT,
        verdict=said.verdict,
        reason=said.reason,
        round=held.decision.round,
        rights_said=Decision.RightsSaid.CONFIRM if said.verdict == Verdict.APPROVE else "",
        seconds=said.seconds,
        request_id=said.request_id,
    )
    Inspected.objects.filter(pk=held.pk).update(finding=finding)
    return finding


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an inspection is, and what follows from it."""

    inspected: int
    defects: int
    sample: int
    acceptance: int

    @property
    def has_failed(self) -> bool:
        return self.defects > self.acceptance

    @property
    def has_passed(self) -> bool:
        return not self.has_failed and self.inspected == self.sample


def progress(inspection: Inspection) -> Progress:
    """Count the findings of an inspection."""
    found = list(sample(inspection).exclude(finding=None).values_list("finding__verdict", flat=True))
    return Progress(len(found), found.count(Verdict.REJECT), inspection.sample_size, inspection.acceptance)


@transaction.atomic
def conclude(*, by: "User", inspection: Inspection, reason: str = "") -> Inspection:
    """Accept the batch, or send it back whole, as the sample has it. Refused while the sample leaves it open.

    Sent back is what still stands as it was when the batch was frozen, each record to the person who decided on it.
    """
    access.check_manage(by)
    held = Inspection.objects.select_for_update().get(pk=inspection.pk)
    if held.state != Inspection.State.OPEN:
        raise Refused(_("This inspection is closed."))
    result = progress(held)
    if not result.has_failed and not result.has_passed:
        raise Refused(_("The sample is not inspected to the end, and its defects are still within what is allowed."))
    if result.has_failed and not reason.strip():
        problem = _("Say what the reviewers are to mend.")
        raise Refused(problem, ground=Ground.INVALID, fields={"reason": problem})
    held.state = Inspection.State.SENT_BACK if result.has_failed else Inspection.State.ACCEPTED
    if result.has_failed and (standing := _standing(held)):
        held.sent_back = sending_back.send_back(
            by=by,
            records=standing,
            reason=reason,
            to=sending_back.ITS_REVIEWER,
            kind=Withdrawal.Kind.BATCH,
        )
    held.reason, held.closed_by, held.closed_at = reason, by, timezone.now()
    held.save(update_fields=["state", "reason", "closed_by", "closed_at", "sent_back"])
    return held


def _standing(inspection: Inspection) -> list[int]:
    """Lock the records of the batch and return those that still stand as they were when it was frozen.

    The batch is read first: as one statement with it, stale statistics once made of a thousand records a billion rows.
    """
    decided = dict(inspection.lot.values_list("record", "decision"))
    approved = Record.objects.live().filter(pk__in=decided, state=State.APPROVED).select_for_update().order_by("pk")
    return [record for record, verdict in approved.values_list("pk", "verdict") if decided[record] == verdict]


def findings_on(made: "Collection[int]") -> "QuerySet[Inspected]":
    """Return the defects found on these decisions, of inspections that are closed: till then nobody is told."""
    found = Inspected.objects.filter(decision__in=made, finding__verdict=Verdict.REJECT)
    closed = found.exclude(inspection__state=Inspection.State.OPEN)
    return closed.filter(place__lte=F("inspection__sample_size")).select_related("finding")
