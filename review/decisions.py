"""Deciding on a record, and taking a decision back."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from review import access, claims, flags, rights, workflow
from review.agreement import Opinion, Outcome, outcome
from review.deadlocks import retried
from review.models import (
    AnswerFrom,
    Cause,
    Claim,
    Decision,
    Licence,
    Move,
    Record,
    Revision,
    Rights,
    State,
    Verdict,
    Withdrawal,
)
from review.prepared import answer, insert
from review.refused import Ground, Refused
from review.text.signature import content_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.models import User

"""To send a record back to: each to the person who decided on it last, where they may still review it."""

LOOKED_AT = ("revision", "rights", "batch__rights", "source__rights")
_CHANGING = (
    "revision_id",
    "state",
    "round",
    "wanted",
    "assignee_id",
    "verdict_id",
    "rights_id",
    "takedown_id",
    "retraction_id",
)
# By primary key, without what is fetched along: the lock is for the record alone.
_LOCK = f"SELECT {', '.join(_CHANGING)} FROM review_record WHERE id = %s FOR UPDATE"  # noqa: S608  names of ours
# Most records have no decision yet: asking so costs a fifth of fetching them.
_AROUND = """
    SELECT EXISTS (SELECT 1 FROM review_decision WHERE record_id = %(record)s)
            OR EXISTS (SELECT 1 FROM review_decision WHERE request_id = %(request)s::uuid),
        EXISTS (SELECT 1 FROM review_claim WHERE record_id = %(record)s AND purpose IN ('review', 'settle')
                AND reviewer_id <> %(me)s AND lease_until > clock_timestamp()),
        (SELECT id FROM review_guideline WHERE source_id IS NULL
            OR source_id = (SELECT source_id FROM review_record WHERE id = %(record)s)
         ORDER BY source_id DESC NULLS LAST, version DESC LIMIT 1)
"""
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

    def by(self, author: str) -> "Wording":
        """Return the same content with another kind of author of the answer."""
        return replace(self, answer_from=author)

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


def said_of_rights(decision: Decision) -> tuple[object, ...]:
    """Return what a decision said of the rights, in a form that is equal where the same was said."""
    said: tuple[object, ...] = (decision.rights_said,)
    if decision.rights_said == Decision.RightsSaid.SET and decision.rights:
        said += (decision.rights.licence, decision.rights.holder, decision.rights.published_text)
    return said


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


@retried
@transaction.atomic
def decide(*, by: "User", record: int, judgement: Judgement, fetched: Record | None = None) -> Decision:
    """Write what the person decided and move the record to the outcome, in one transaction.

    The same `request_id` again gives the same decision and changes nothing. Refused when the record has changed since
    the person saw it, when somebody else holds it, or when what an approval needs is missing. `fetched` spares another
    look at a record that was fetched with `LOOKED_AT` a moment ago and has not changed since.
    """
    held, around = _locked(record, fetched), Around.of(record, by, judgement.request_id)
    made = around.made
    for earlier in made:
        if earlier.request_id == judgement.request_id:
            return _same(earlier, by, record)
    kind = _check_may_decide(held, around, by, judgement)
    wording = judgement.wording or Wording.of(held.revision)
    check_content(held, made, by, judgement, wording)
    chosen = _chosen(held, made, wording) if kind == Decision.Kind.SETTLE else None
    decision = Decision(
        record=held,
        revision=chosen or write_wording(held, wording, by),
        seen_revision=held.revision,
        reviewer=by,
        role=access.acting_role(by),
        kind=kind,
        verdict=judgement.verdict,
        reason=judgement.reason,
        round=held.round,
        attempt=1 + sum(earlier.round == held.round and earlier.reviewer_id == by.pk for earlier in made),
        rights_said=judgement.rights.said if judgement.rights else "",
        rights=_rights(held, by, judgement),
        seconds=judgement.seconds,
        guideline_id=around.guideline,
        request_id=judgement.request_id,
    )
    insert(decision)
    cause = Cause.SETTLE if kind == Decision.Kind.SETTLE else Cause.DECIDE
    _apply(held, [*_counted(held, made), decision], cause, by, assignee_id=None)
    claims.let_go(by=by, record=record)
    return decision


def _locked(record: int, fetched: Record | None = None) -> Record:
    """Lock the record, then fetch it with what is looked at, unless that was done and nothing has changed since.

    In two statements: one that joins its revision while it waits for the lock finds nothing when that has changed.
    """
    now = answer(_LOCK, [record])
    if fetched is not None and now == tuple(getattr(fetched, name) for name in _CHANGING):
        return fetched
    return Record.objects.select_related(*LOOKED_AT).get(pk=record)


class Around(NamedTuple):
    """What stands around a record whose lock is held: it does not change until the lock is let go.

    `made` are all decisions on it in their order, those taken back too, and the one of the request id; `guideline` is
    what its reviewer goes by: the latest version for its source, else for every source.
    """

    made: list[Decision]
    is_held_by_another: bool
    guideline: int | None

    @classmethod
    def of(cls, record: int, by: "User", request_id: UUID | None = None) -> "Around":
        found = answer(_AROUND, {"record": record, "me": by.pk, "request": request_id})
        has_decisions, is_held, guideline = found or (False, False, None)
        return cls(_made(record, request_id) if has_decisions else [], is_held, guideline)


def _made(record: int, request_id: UUID | None = None) -> list[Decision]:
    wanted = Q(record=record) | Q(request_id=request_id) if request_id else Q(record=record)
    related = ("revision", "seen_revision", "rights", "withdrawal")
    return list(Decision.objects.filter(wanted).select_related(*related).order_by("pk"))


def _counted(record: Record, made: "Sequence[Decision]") -> list[Decision]:
    """Return the decisions of this round that count: those not taken back."""
    kinds = {Decision.Kind.REVIEW, Decision.Kind.SETTLE}
    return [d for d in made if d.round == record.round and d.kind in kinds and not hasattr(d, "withdrawal")]


def _same(decision: Decision, by: "User", record: int) -> Decision:
    if decision.reviewer_id != by.pk or decision.record_id != record:
        raise Refused(_("This request was used already for another decision. Load the page again."))
    return decision


def _check_may_decide(record: Record, around: Around, by: "User", judgement: Judgement) -> Decision.Kind:
    made, settling = around.made, record.state == State.DISPUTED
    is_settler = settling and access.can_settle(by)
    (access.check_settle if is_settler else access.check_review)(by)
    access.check_source(by, record.source)
    if record.takedown_id or record.retraction_id:
        raise Refused(_("This record was taken down or its import was taken back. There is nothing left to decide."))
    # Before all that tells whether others have decided on it.
    if any(d.reviewer_id == by.pk and d.kind != Decision.Kind.SETTLE for d in _counted(record, made)):
        raise Refused(
            _("You have decided on this record already. To change it, take that decision back first."),
            ground=Ground.FORBIDDEN,
        )
    if record.state not in OPEN:
        raise Refused(_("This record has been decided meanwhile. Your text is kept below."))
    if record.revision_id != judgement.seen_revision:
        raise Refused(_("The text has changed since you opened it. Your text is kept below, beside the new one."))
    if around.is_held_by_another or settling is not is_settler:
        raise Refused(_("Your claim has ended and somebody else holds this record now. Your text is kept below."))
    _check_not_own(record, made, by)
    return Decision.Kind.SETTLE if settling else Decision.Kind.REVIEW


def _check_not_own(record: Record, made: "Sequence[Decision]", by: "User") -> None:
    """Refuse a person their own wording, unless it was sent back to them, and what failed gold took from them."""
    is_own = record.revision.author_id == by.pk and record.assignee_id != by.pk
    if is_own and not _wrote_the_answer(made, by):  # of which they are told when they approve it
        raise Refused(_("This wording is your own, so somebody else looks at it."), ground=Ground.FORBIDDEN)
    if any(d.reviewer_id == by.pk and _withdrawn_as(d) == Withdrawal.Kind.GOLD for d in made):
        raise Refused(_("Somebody else takes a second look at this record."), ground=Ground.FORBIDDEN)


def check_content(
    record: Record, made: "Sequence[Decision]", by: "User", judgement: Judgement, wording: Wording
) -> None:
    """Refuse what a verdict lacks, with the messages by field; `made` is what was decided on the record before."""
    match judgement.verdict:
        case Verdict.APPROVE:
            problems = missing_for_approval(wording, judgement.rights)
            if record.state == State.UNANSWERED or _wrote_the_answer(made, by):
                raise Refused(
                    _("You wrote this answer yourself, so somebody else approves it."), ground=Ground.FORBIDDEN
                )
        case Verdict.REWRITE:
            same = wording.output == record.revision.output or not wording.output.strip()
            problems = {"output": _("Write the new answer before you hand it on.")} if same else {}
            if record.state == State.DISPUTED:
                problems = {"output": _("Approve your own wording, or reject: settling ends the dispute.")}
        case Verdict.ESCALATE if record.state == State.DISPUTED:
            problems = {"verdict": _("Approve or reject: settling ends the dispute.")}
        case _:
            problems = {} if judgement.reason.strip() else {"reason": _("Say why, in a word or two.")}
    if problems:
        raise Refused(" ".join(problems.values()), ground=Ground.INVALID, fields=problems)


def _wrote_the_answer(made: "Sequence[Decision]", by: "User") -> bool:
    """Tell whether the person wrote the answer as it stands; one that was sent back is still theirs."""
    rewrites = [d for d in made if d.verdict == Verdict.REWRITE and _withdrawn_as(d) != Withdrawal.Kind.UNDO]
    return bool(rewrites) and rewrites[-1].reviewer_id == by.pk


def _withdrawn_as(decision: Decision) -> str:
    """Return how a decision was taken back, empty while it counts."""
    return decision.withdrawal.kind if hasattr(decision, "withdrawal") else ""


def _chosen(record: Record, made: "Sequence[Decision]", wording: Wording) -> Revision | None:
    """Return the wording of the look that a settler chose, to stand under its author's name."""
    sha256 = wording.sha256()
    looks = (d.revision for d in _counted(record, made) if bytes(d.revision.sha256) == sha256)
    return next(looks, None) if bytes(record.revision.sha256) != sha256 else None


def write_wording(record: Record, wording: Wording, by: "User") -> Revision:
    """Return the revision with this wording: the current one, or a new one by the person."""
    sha256 = wording.sha256()
    if bytes(record.revision.sha256) == sha256:
        return record.revision
    highest = Revision.objects.filter(record=record).aggregate(highest=Max("number"))["highest"]
    revision = revision_of(record, wording, by=by, number=highest + 1)
    revision.save(force_insert=True)
    flags.write_flags(revision, source=record.source)
    return revision


def revision_of(record: Record, wording: Wording, *, by: "User", number: int) -> Revision:
    """Return a revision of the record with this wording by the person, not written yet."""
    texts = asdict(wording)
    labels = {"major": list(texts.pop("major")), "minor": list(texts.pop("minor"))}
    return Revision(
        **texts | {"domain": list(wording.domain)},
        record=record,
        number=number,
        task_type=labels,
        sha256=wording.sha256(),
        author=by,
    )


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


def _outcome(record: Record, counted: "Sequence[Decision]") -> Outcome:
    """Return where the counted decisions of the record's round put it."""
    answered = bool((counted[0].seen_revision if counted else record.revision).output.strip())
    return outcome([_opinion(decision) for decision in counted], record.wanted, answered=answered)


def _opinion(decision: Decision) -> Opinion:
    return Opinion(
        decision.pk,
        decision.kind,
        decision.verdict,
        decision.revision_id,
        bytes(decision.revision.sha256),
        said_of_rights(decision),
    )


def _apply(record: Record, counted: "Sequence[Decision]", cause: Cause, by: "User", **columns: Any) -> None:
    """Move the record to the outcome of the decisions that count; `columns` are what else changes with it."""
    result = _outcome(record, counted)
    approving = next((d for d in counted if d.pk == result.decision and d.verdict == Verdict.APPROVE), None)
    columns |= {"state": result.state, "verdict_id": approving.pk if approving else None}
    if result.revision:
        columns["revision_id"] = result.revision
    if approving and approving.rights_said in {Decision.RightsSaid.SET, Decision.RightsSaid.OBJECT}:
        columns["rights_id"] = approving.rights_id
    workflow.move_one(record.pk, cause=cause, by=by, **columns)


def last_decision(by: "User") -> Decision | None:
    """Return the person's latest decision that they have not taken back."""
    return (
        Decision.objects.filter(reviewer=by, withdrawal=None, kind__in=["review", "settle", "gold"])
        .select_related("record")
        .order_by("-at", "-pk")
        .first()
    )


@retried
@transaction.atomic
def undo(*, by: "User", decision: Decision) -> Claim:
    """Take the person's own decision back and give them the record again, with what they had typed as a draft."""
    record, around = _locked(decision.record_id), Around.of(decision.record_id, by)
    made = around.made
    _check_may_undo(record, around, by, decision)
    Withdrawal.objects.create(decision=decision, kind=Withdrawal.Kind.UNDO, by=by)
    columns = {"revision_id": decision.seen_revision_id, "rights_id": _rights_before(record, decision)}
    record.revision = decision.seen_revision
    _apply(record, [other for other in _counted(record, made) if other.pk != decision.pk], Cause.UNDO, by, **columns)
    keep_typed(decision, by)
    return claims.claim_record(by=by, record=Record.objects.select_related("source").get(pk=record.pk))


def _check_may_undo(record: Record, around: Around, by: "User", decision: Decision) -> None:
    access.check_review(by)
    if decision.reviewer_id != by.pk:
        raise Refused(_("Only the person who decided can take it back."), ground=Ground.FORBIDDEN)
    standing = [other.pk for other in around.made if not hasattr(other, "withdrawal")]
    if decision.pk not in standing:
        raise Refused(_("This decision was taken back already."))
    has_later = any(other > decision.pk for other in standing) or around.is_held_by_another
    if has_later or record.round != decision.round or record.takedown_id or record.retraction_id:
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


def keep_typed(decision: Decision, by: "User") -> None:
    """Make a draft of what was typed with the decision: the wording, and the rights where they were set."""
    typed: dict[str, str] = {}
    if decision.revision_id != decision.seen_revision_id:
        wording = asdict(Wording.of(decision.revision))
        typed = {name: value if isinstance(value, str) else "\n".join(value) for name, value in wording.items()}
    typed |= _rights_typed(decision)
    if typed:
        claims.save_draft(by=by, record=decision.record_id, seen_revision=decision.seen_revision_id, fields=typed)


def _rights_typed(decision: Decision) -> dict[str, str]:
    if decision.rights_said != Decision.RightsSaid.SET or decision.rights is None:
        return {"rights_said": decision.rights_said} if decision.rights_said == Decision.RightsSaid.OBJECT else {}
    given = decision.rights
    worded = given.published_text != rights.published_text(given.licence, given.holder)
    return {
        "rights_said": decision.rights_said,
        "licence": given.licence,
        "holder": given.holder,
        "copyright_text": given.published_text if worded else "",
        "source_address": given.source_address,
    }
