"""Gold: decided records that come back to reviewers unseen, and what follows when they fail."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from rapidfuzz.distance import Levenshtein

from review import access, blind, claims, decisions, sending_back
from review.models import (
    Claim,
    Decision,
    Draft,
    Gold,
    GoldAnswer,
    Pause,
    Record,
    Skip,
    State,
    Verdict,
    Withdrawal,
)
from review.models.record import UNDECIDED
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.decisions import Judgement, Wording
    from review.models import User

CLOSE = 0.1
"""Wordings that differ by no more than this share of their characters are the same answer."""


@transaction.atomic
def mark(*, by: "User", record: Record, reason: str) -> Gold:
    """Mark a decided record as gold; `reason` is what a reviewer who fails on it is told."""
    access.check_settle(by)
    access.check_source(by, record.source)
    held = Record.objects.select_for_update().get(pk=record.pk)
    counted = Decision.objects.filter(
        record=held, round=held.round, kind__in=["review", "settle"], withdrawal=None
    ).select_related("seen_revision")
    made = list(counted.order_by("pk"))
    if held.state not in {State.APPROVED, State.REJECTED} or held.takedown_id or held.retraction_id or not made:
        raise Refused(_("Only a record that was approved or rejected can be gold."))
    if not made[0].seen_revision.output.strip():
        raise Refused(_("Reviewers saw no answer here, so there is nothing to judge."))
    if not reason.strip():
        problem = _("Say what a reviewer who fails here should learn.")
        raise Refused(problem, ground=Ground.INVALID, fields={"reason": problem})
    if Gold.objects.filter(record=held, retired_at=None).exists():
        raise Refused(_("This record is marked as gold already."))
    verdict = Verdict.APPROVE if held.state == State.APPROVED else Verdict.REJECT
    right = next(d for d in reversed(made) if d.verdict == verdict)
    right = next((d for d in made if d.pk == held.verdict_id), right)
    return Gold.objects.create(
        record=held, shown=made[0].seen_revision, decision=right, verdict=verdict, reason=reason, by=by
    )


@transaction.atomic
def retire(*, by: "User", gold: Gold) -> None:
    """Show a gold record to nobody any more; what was answered stays."""
    access.check_settle(by)
    access.check_source(by, gold.record.source)
    Gold.objects.filter(pk=gold.pk, retired_at=None).update(retired_at=Now())
    Claim.objects.filter(record=gold.record_id, purpose=Claim.Purpose.GOLD).delete()


def decide(*, by: "User", record: int, judgement: "Judgement", fetched: Record | None = None) -> Decision:
    """Decide on a record: on gold without touching it, on any other as `decisions.decide` does."""
    try:
        return decisions.decide(by=by, record=record, judgement=judgement, fetched=fetched)
    except Refused:  # what was decided before may be gold
        if blind.gold_held(by, record) is None:
            raise
    return _decide_gold(by, record, judgement)


@transaction.atomic
def _decide_gold(by: "User", record: int, judgement: "Judgement") -> Decision:
    list(Claim.objects.select_for_update().filter(record=record, reviewer=by, purpose=Claim.Purpose.GOLD))
    gold = blind.gold_held(by, record)
    if gold is None:  # answered in this moment, by the same form sent twice
        return decisions.decide(by=by, record=record, judgement=judgement)
    return _answer(gold, by, judgement)


def _answer(gold: Gold, by: "User", judgement: "Judgement") -> Decision:
    access.check_review(by)
    record = blind.as_seen_by(by, Record.objects.select_related("source", "revision").get(pk=gold.record_id))
    access.check_source(by, record.source)
    if judgement.seen_revision != record.revision_id:
        raise Refused(_("The text has changed since you opened it. Your text is kept below, beside the new one."))
    wording = judgement.wording or decisions.Wording.of(record.revision)
    decisions.check_content(record, [], by, judgement, wording)
    decision = Decision.objects.create(
        record=record,
        revision=decisions.write_wording(record, wording, by),
        seen_revision=record.revision,
        reviewer=by,
        role=access.acting_role(by),
        kind=Decision.Kind.GOLD,
        verdict=judgement.verdict,
        reason=judgement.reason,
        round=record.round,
        rights_said=judgement.rights.said if judgement.rights else "",
        seconds=judgement.seconds,
        request_id=judgement.request_id,
    )
    right = is_right(gold, judgement.verdict, wording)
    GoldAnswer.objects.create(gold=gold, decision=decision, is_right=right)
    Claim.objects.filter(record=record, reviewer=by).delete()
    Draft.objects.filter(record=record, reviewer=by).delete()
    if not right and failures(by).count() >= settings.GOLD_FAILURES:
        _pause(by)
    return decision


def is_right(gold: Gold, verdict: str, wording: "Wording") -> bool:
    """Tell whether a decision on gold is right. To ask a settler is never wrong.

    Where gold was approved, the wording must be close to its own, or closer to it than the one that was shown: nobody
    mends a text in exactly the words of another.
    """
    if verdict == Verdict.ESCALATE:
        return True
    if Verdict.REJECT in {gold.verdict, verdict}:
        return verdict == gold.verdict
    right, shown = decisions.Wording.of(gold.decision.revision), decisions.Wording.of(gold.shown)
    distance = _distance(wording, right)
    before = _distance(shown, right)
    return distance < before if before else distance <= CLOSE


def _distance(one: "Wording", other: "Wording") -> float:
    """Return how much of two wordings differs, from 0 to 1."""
    texts = [f"{wording.instruction}\0{wording.input}\0{wording.output}" for wording in (one, other)]
    return float(Levenshtein.normalized_distance(*texts))


def failures(person: "User") -> "QuerySet[GoldAnswer]":
    """Return the wrong answers to gold that count against a person: those since their last pause ended."""
    wrong = GoldAnswer.objects.filter(decision__reviewer=person, is_right=False, decision__withdrawal=None)
    last = Pause.objects.filter(reviewer=person, lifted_at__isnull=False).order_by("-lifted_at").first()
    return wrong.filter(decision__at__gt=last.lifted_at) if last else wrong


def _pause(person: "User") -> None:
    """Give a person no more records, and put their last decisions back for somebody else's look."""
    pause = Pause.objects.create(
        reviewer=person,
        reason=_("%(number)s wrong answers to records whose answer is known.") % {"number": failures(person).count()},
    )
    Claim.objects.filter(reviewer=person).delete()
    Record.objects.live().filter(UNDECIDED, assignee=person).update(assignee=None)
    last = Decision.objects.filter(
        reviewer=person,
        kind=Decision.Kind.REVIEW,
        withdrawal=None,
        round=F("record__round"),
        record__takedown=None,
        record__retraction=None,
    ).exclude(record__state=State.UNANSWERED)
    records = list(last.order_by("-at", "-pk").values_list("record", flat=True)[: settings.GOLD_SENDS_BACK])
    if records:
        sent = sending_back.send_back(by=None, records=records, reason=pause.reason, kind=Withdrawal.Kind.GOLD)
        Pause.objects.filter(pk=pause.pk).update(sent_back=sent)


@transaction.atomic
def lift(*, by: "User", pause: Pause) -> None:
    """Let a paused person go on; what they answered before counts no more."""
    access.check_change(by, pause.reviewer)
    Pause.objects.filter(pk=pause.pk, lifted_at=None).update(lifted_at=Now(), lifted_by=by)


@transaction.atomic
def undo(*, by: "User", decision: Decision) -> Claim:
    """Take the person's own decision back, on gold as on any other record, and give them the record again."""
    if decision.kind != Decision.Kind.GOLD:
        return decisions.undo(by=by, decision=decision)
    access.check_review(by)
    later = Decision.objects.filter(reviewer=by, pk__gt=decision.pk).exclude(kind=Decision.Kind.INSPECT)
    gold = Gold.objects.filter(answers__decision=decision, retired_at=None).first()
    if decision.reviewer_id != by.pk or gold is None or later.exists():
        raise Refused(_("The record has moved on since, so this decision can no longer be taken back."))
    if Withdrawal.objects.filter(decision=decision).exists():
        raise Refused(_("This decision was taken back already."))
    Withdrawal.objects.create(decision=decision, kind=Withdrawal.Kind.UNDO, by=by)
    decisions.keep_typed(decision, by)
    return claims.claim_gold(by=by, record=decision.record_id)


@transaction.atomic
def unskip(*, by: "User", record: int) -> Claim:
    """Give the person a record again that they have put aside, gold as any other, with the reason that they gave."""
    access.check_review(by)
    skip = Skip.objects.filter(record=record, reviewer=by).select_for_update().first()
    if skip is None:
        raise Refused(_("You have not put this record aside."))
    skip.delete()
    stands = Record.objects.select_related("source").get(pk=record)
    if skip.reason:
        claims.add_to_draft(by=by, record=stands, skip_reason=skip.reason)
    is_gold = Gold.objects.filter(record=record, retired_at=None).exists()
    if is_gold and stands.state in {State.APPROVED, State.REJECTED}:
        access.check_source(by, stands.source)
        return claims.claim_gold(by=by, record=record)
    return claims.claim_record(by=by, record=stands)


def with_scores(golds: "QuerySet[Gold]") -> "QuerySet[Gold]":
    """Annotate how often gold records were answered, and how often right; those in use first."""
    counts = Q(answers__decision__withdrawal=None)
    scored = golds.annotate(
        answered=Count("answers", filter=counts), right=Count("answers", filter=counts & Q(answers__is_right=True))
    )
    return scored.select_related("record__source", "by").order_by(F("retired_at").desc(nulls_first=True), "-pk")
