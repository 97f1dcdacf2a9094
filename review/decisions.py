"""Deciding on a record, and taking a decision back."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from review import access, claims, rights, workflow
from review.agreement import Opinion, Outcome, outcome
from review.models import (
    AnswerFrom,
    Cause,
    Claim,
    Decision,
    Draft,
    Guideline,
    Licence,
    Move,
    Record,
    Revision,
    Rights,
    State,
    Verdict,
    Withdrawal,
)
from review.refused import Ground, Refused
from review.text.signature import content_hash

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User

_LOOKED_AT = ("revision", "rights", "batch__rights", "source__rights")
OPEN = {State.WAITING, State.SECOND, State.UNANSWERED, State.DISPUTED}


@dataclass(frozen=True, slots=True)
class Wording:
    """The content of a record: its texts and its labels."""

    instruction: str
    input: str
    output: str
    major: tuple[str, ...]
    minor: tuple[str, ...]
    domain: tuple[str, ...]
    metadata: str
    answer_from: str

    @classmethod
    def of(cls, revision: Revision) -> "Wording":
        return cls(
            revision.instruction,
            revision.input,
            revision.output,
            tuple(revision.task_type["major"]),
            tuple(revision.task_type["minor"]),
            tuple(revision.domain),
            revision.metadata,
            revision.answer_from,
        )

    def sha256(self) -> bytes:
        """Return the hash of exactly this content."""
        return content_hash(**asdict(self))


@dataclass(frozen=True, slots=True)
class SaidOfRights:
    """What a reviewer says of the rights: confirmed as they stand, set for this record, or objected to."""

    said: str
    licence: str = Licence.UNKNOWN
    holder: str = ""
    copyright_text: str = ""
    source_address: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that a person says of a record at once. `wording` is None where nothing was edited."""

    verdict: Verdict
    seen_revision: int
    request_id: UUID
    wording: Wording | None = None
    rights: SaidOfRights | None = None
    reason: str = ""
    seconds: int = 0


def missing_for_approval(wording: Wording, said: SaidOfRights | None) -> dict[str, str]:
    """Return, by field, what still keeps this wording from being approved."""
    wanted = {
        "instruction": (wording.instruction.strip(), _("The instruction is empty.")),
        "output": (wording.output.strip(), _("The answer is empty.")),
        "answer_from": (wording.answer_from in AnswerFrom.values, _("Say who wrote the answer.")),
        "major": (wording.major, _("Choose at least one main task type.")),
        "domain": (wording.domain, _("Choose at least one domain.")),
        "rights": (said, _("Confirm the rights, set them, or object to them.")),
    }
    return {name: message for name, (given, message) in wanted.items() if not given}


@transaction.atomic
def decide(*, by: "User", record: int, judgement: Judgement) -> Decision:
    """Write what the person decided and move the record to the outcome, in one transaction.

    The same `request_id` again gives the same decision and changes nothing. Refused when the record has changed since
    the person saw it, when somebody else holds it, or when what an approval needs is missing.
    """
    held = Record.objects.select_for_update(of=("self",)).select_related(*_LOOKED_AT).get(pk=record)
    repeated = Decision.objects.filter(request_id=judgement.request_id).first()
    if repeated is not None:
        return _same(repeated, by, record)
    kind = _check_may_decide(held, by, judgement)
    wording = judgement.wording or Wording.of(held.revision)
    _check_content(held, by, judgement, wording)
    decision = Decision.objects.create(
        record=held,
        revision=_revision(held, wording, by),
        seen_revision=held.revision,
        reviewer=by,
        role=access.acting_role(by),
        kind=kind,
        verdict=judgement.verdict,
        reason=judgement.reason,
        round=held.round,
        attempt=_attempt(held, by),
        rights_said=judgement.rights.said if judgement.rights else "",
        rights=_rights(held, by, judgement),
        seconds=judgement.seconds,
        guideline=Guideline.objects.filter(source__in=[held.source_id]).order_by("-version").first(),
        request_id=judgement.request_id,
    )
    _apply(held, outcome_of(held), Cause.SETTLE if kind == Decision.Kind.SETTLE else Cause.DECIDE, by)
    Claim.objects.filter(record=held, reviewer=by).delete()
    Draft.objects.filter(record=held, reviewer=by).delete()
    return decision


def _same(decision: Decision, by: "User", record: int) -> Decision:
    if decision.reviewer_id != by.pk or decision.record_id != record:
        raise Refused(_("This request was used already for another decision. Load the page again."))
    return decision


def _check_may_decide(record: Record, by: "User", judgement: Judgement) -> Decision.Kind:
    settling = record.state == State.DISPUTED
    (access.check_settle if settling else access.check_review)(by)
    access.check_source(by, record.source)
    if record.takedown_id or record.retraction_id:
        raise Refused(_("This record was taken down or its import was taken back. There is nothing left to decide."))
    if record.state not in OPEN:
        raise Refused(_("This record has been decided meanwhile. Your text is kept below."))
    if record.revision_id != judgement.seen_revision:
        raise Refused(_("The text has changed since you opened it. Your text is kept below, beside the new one."))
    if claims.held_by_another(record.pk, by):
        raise Refused(_("Your claim has ended and somebody else holds this record now. Your text is kept below."))
    if _counted(record).filter(reviewer=by).exclude(kind=Decision.Kind.SETTLE).exists():
        raise Refused(_("You have decided on this record already."), ground=Ground.FORBIDDEN)
    return Decision.Kind.SETTLE if settling else Decision.Kind.REVIEW


def _check_content(record: Record, by: "User", judgement: Judgement, wording: Wording) -> None:
    match judgement.verdict:
        case Verdict.APPROVE:
            problems = missing_for_approval(wording, judgement.rights)
            if _wrote_the_answer(record, by):
                raise Refused(
                    _("You wrote this answer yourself, so somebody else approves it."), ground=Ground.FORBIDDEN
                )
        case Verdict.REWRITE:
            same = wording.output == record.revision.output or not wording.output.strip()
            problems = {"output": _("Write the new answer before you hand it on.")} if same else {}
            if record.state == State.DISPUTED:
                problems = {"output": _("Approve your own wording, or reject: settling ends the dispute.")}
        case _:
            problems = {} if judgement.reason.strip() else {"reason": _("Say why, in a word or two.")}
    if problems:
        raise Refused(" ".join(problems.values()), ground=Ground.INVALID, fields=problems)


def _wrote_the_answer(record: Record, by: "User") -> bool:
    last = Decision.objects.filter(record=record, verdict=Verdict.REWRITE, withdrawal=None).order_by("-pk").first()
    return last is not None and last.reviewer_id == by.pk


def _revision(record: Record, wording: Wording, by: "User") -> Revision:
    """Return the revision with this wording: the current one, or a new one by the person."""
    sha256 = wording.sha256()
    if bytes(record.revision.sha256) == sha256:
        return record.revision
    texts = asdict(wording)
    labels = {"major": list(texts.pop("major")), "minor": list(texts.pop("minor"))}
    highest = Revision.objects.filter(record=record).aggregate(highest=Max("number"))["highest"]
    return Revision.objects.create(
        **texts | {"domain": list(wording.domain)},
        record=record,
        number=highest + 1,
        task_type=labels,
        sha256=sha256,
        author=by,
    )


def _attempt(record: Record, by: "User") -> int:
    return Decision.objects.filter(record=record, round=record.round, reviewer=by).count() + 1


def _rights(record: Record, by: "User", judgement: Judgement) -> Rights | None:
    """Return the rights that the decision speaks of; what the reviewer sets comes into force with the outcome."""
    said = judgement.rights
    if said is None or said.said == Decision.RightsSaid.CONFIRM:
        return (record.rights or record.batch.rights or record.source.rights) if said else None
    licence = Licence.OBJECTED if said.said == Decision.RightsSaid.OBJECT else said.licence
    return rights.write(
        record,
        by=by,
        licence=licence,
        holder=said.holder,
        copyright_text=said.copyright_text,
        source_address=said.source_address,
        note=judgement.reason,
    )


def _counted(record: Record) -> "QuerySet[Decision]":
    """Return the decisions of this round that count: those not withdrawn, in their order."""
    return Decision.objects.filter(
        record=record, round=record.round, kind__in=[Decision.Kind.REVIEW, Decision.Kind.SETTLE], withdrawal=None
    ).order_by("pk")


def outcome_of(record: Record) -> Outcome:
    """Return where the counted decisions of the record's round put it."""
    decisions = list(_counted(record).select_related("revision", "seen_revision", "rights"))
    answered = bool((decisions[0].seen_revision if decisions else record.revision).output.strip())
    return outcome([_opinion(decision) for decision in decisions], record.wanted, answered=answered)


def _opinion(decision: Decision) -> Opinion:
    said: tuple[object, ...] = (decision.rights_said,)
    if decision.rights_said == Decision.RightsSaid.SET and decision.rights:
        said += (decision.rights.licence, decision.rights.holder, decision.rights.published_text)
    return Opinion(
        decision.pk, decision.kind, decision.verdict, decision.revision_id, bytes(decision.revision.sha256), said
    )


def _apply(record: Record, result: Outcome, cause: Cause, by: "User", **values: Any) -> None:
    verdict = Decision.objects.get(pk=result.decision) if result.decision else None
    approving = verdict if verdict and verdict.verdict == Verdict.APPROVE else None
    values |= {"state": result.state, "verdict": approving}
    if result.revision:
        values["revision"] = result.revision
    if approving and approving.rights_said in {Decision.RightsSaid.SET, Decision.RightsSaid.OBJECT}:
        values["rights"] = approving.rights
    workflow.move(Record.objects.filter(pk=record.pk), cause=cause, by=by, **values)
    record.refresh_from_db(fields=["state", "verdict", "revision", "rights"])


def last_decision(by: "User") -> Decision | None:
    """Return the person's latest decision that they have not taken back."""
    return (
        Decision.objects.filter(reviewer=by, withdrawal=None, kind__in=["review", "settle"])
        .select_related("record")
        .order_by("-at", "-pk")
        .first()
    )


@transaction.atomic
def undo(*, by: "User", decision: Decision) -> Claim:
    """Take the person's own decision back and give them the record again, with what they had typed as a draft."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=decision.record_id)
    _check_may_undo(record, by, decision)
    Withdrawal.objects.create(decision=decision, kind=Withdrawal.Kind.UNDO, by=by)
    values: dict[str, Any] = {"revision": decision.seen_revision_id, "rights": _rights_before(record, decision)}
    record.revision = decision.seen_revision
    _apply(record, outcome_of(record), Cause.UNDO, by, **values)
    _keep_typed(decision, by)
    return claims.claim_record(by=by, record=record)


def _check_may_undo(record: Record, by: "User", decision: Decision) -> None:
    access.check_review(by)
    if decision.reviewer_id != by.pk:
        raise Refused(_("Only the person who decided can take it back."), ground=Ground.FORBIDDEN)
    if Withdrawal.objects.filter(decision=decision).exists():
        raise Refused(_("This decision was taken back already."))
    later = Decision.objects.filter(record=record, pk__gt=decision.pk, withdrawal=None).exists()
    if later or record.round != decision.round or record.takedown_id or record.retraction_id:
        raise Refused(_("The record has moved on since, so this decision can no longer be taken back."))


def _rights_before(record: Record, decision: Decision) -> int | None:
    """Return the record's own rights as they stood before this decision set them."""
    if decision.rights_id is None or record.rights_id != decision.rights_id:
        return record.rights_id
    if decision.rights_said == Decision.RightsSaid.CONFIRM:
        return record.rights_id
    set_by = Move.objects.filter(record=record, rights_id=decision.rights_id).order_by("pk").first()
    before = Move.objects.filter(record=record, pk__lt=set_by.pk).order_by("-pk").first() if set_by else None
    return before.rights_id if before else None


def _keep_typed(decision: Decision, by: "User") -> None:
    if decision.revision_id == decision.seen_revision_id:
        return
    wording = asdict(Wording.of(decision.revision))
    typed = {name: value if isinstance(value, str) else "\n".join(value) for name, value in wording.items()}
    claims.save_draft(by=by, record=decision.record_id, seen_revision=decision.seen_revision_id, fields=typed)
