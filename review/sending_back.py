"""Sending records back for another round: what counted on them is withdrawn, and somebody looks again."""

from typing import TYPE_CHECKING, Final, Literal

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, QuerySet, Value, When
from django.utils.translation import gettext as _

from review import access, workflow
from review.models import Cause, Claim, Decision, Record, Revision, State, Withdrawal
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review.models import User

ITS_REVIEWER: Final = "reviewer"


@transaction.atomic
def send_back(
    *,
    by: "User | None",
    records: "QuerySet[Record] | Iterable[int]",
    reason: str,
    to: "User | Literal['reviewer'] | None" = None,
    kind: Withdrawal.Kind = Withdrawal.Kind.SEND_BACK,
) -> int:
    """Send decided records back for another round, all in one step, and return how many went.

    What counted is withdrawn with the reason, nothing stays verified, claims end. `to` is the person who gets them,
    `ITS_REVIEWER`, or None for the queue. Records on which nothing was decided, and those that were taken down or back,
    stay as they are; refused when that leaves none.
    """
    access.check_send_back(by)
    if not reason.strip():
        problem = _("Say why, in a word or two.")
        raise Refused(problem, ground=Ground.INVALID, fields={"reason": problem})
    counted = _to_withdraw(_locked_for_sending(by, records))
    if not counted:
        raise Refused(_("There is no decision to send back here."))
    Withdrawal.objects.bulk_create(
        [
            Withdrawal(decision_id=decision, kind=kind, by=by, reason=reason)
            for decision, _record, _who, _kind in counted
        ]
    )
    gone = {record for _decision, record, _who, _kind in counted}
    Claim.objects.filter(record__in=gone, purpose__in=["review", "settle"]).delete()
    return workflow.move(
        Record.objects.filter(pk__in=gone),
        cause=Cause.SEND_BACK,
        by=by,
        state=Case(When(Exists(_answered()), then=Value(State.WAITING)), default=Value(State.UNANSWERED)),
        round=F("round") + 1,
        verdict=None,
        assignee=_assignee(to, counted),
    )


def _locked_for_sending(by: "User | None", records: "QuerySet[Record] | Iterable[int]") -> "QuerySet[Record]":
    """Lock the records, in the order of their ids as everybody does, and return those that can be sent back."""
    chosen = records.values_list("pk", flat=True) if isinstance(records, QuerySet) else list(records)
    ids = list(Record.objects.filter(pk__in=chosen).select_for_update().order_by("pk").values_list("pk", flat=True))
    known = Record.objects.filter(pk__in=ids)
    if by and known.exclude(pk__in=Record.objects.for_user(by).filter(pk__in=ids).values("pk")).exists():
        raise Refused(_("Your role does not allow this. Ask a manager."), ground=Ground.FORBIDDEN)
    return known.live().exclude(state=State.UNANSWERED)


def _to_withdraw(records: "QuerySet[Record]") -> "list[tuple[int, int, int, str]]":
    """Return (decision, record, reviewer, kind) of what counts on these records, in the order of deciding."""
    counted = Decision.objects.filter(
        record__in=records, round=F("record__round"), kind__in=["review", "settle"], withdrawal=None
    )
    return list(counted.order_by("pk").values_list("pk", "record", "reviewer", "kind"))


def _answered() -> "QuerySet[Revision]":
    return Revision.objects.filter(pk=OuterRef("revision"), output__regex=r"[^[:space:]]")


def _assignee(
    to: "User | Literal['reviewer'] | None", counted: "list[tuple[int, int, int, str]]"
) -> "User | Case | None":
    """Return who gets the records sent back: a person, or an expression over the record."""
    if to is None or not isinstance(to, str):
        return _checked_assignee(to, counted)
    last = {record: who for _decision, record, who, kind in counted if kind == Decision.Kind.REVIEW}
    able = access.able_to_review(last.values())
    theirs: dict[int, list[int]] = {}
    for record, who in last.items():
        if who in able:
            theirs.setdefault(who, []).append(record)
    whens = [When(pk__in=records, then=Value(who)) for who, records in theirs.items()]
    return Case(*whens, default=Value(None)) if whens else None


def _checked_assignee(to: "User | None", counted: "list[tuple[int, int, int, str]]") -> "User | None":
    if to is not None:
        records = Record.objects.filter(pk__in={record for _decision, record, _who, _kind in counted})
        if to.pk not in access.able_to_review([to.pk]) or records.count() != records.for_user(to).count():
            raise Refused(_("%(name)s may not review these records.") % {"name": to}, ground=Ground.INVALID)
    return to
