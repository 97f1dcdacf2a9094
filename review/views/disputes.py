"""Disputes: where reviewers differ, side by side, and how that ends."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST, require_safe

from review import claims, decisions, waiting
from review.forms import LABELS, TEXTS, started_now
from review.forms_quality import SettleForm
from review.models import Claim, Decision, Draft, Record, State, Verdict
from review.refused import Ground, Refused
from review.views.answers import Request, SeeOther, for_settlers, refusal
from review.views.desk import choices, find_record, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from review.models import Revision, User

PAGE = 50
SHOWN = ("revision", "rights", "batch__rights", "source__rights")


class Difference(NamedTuple):
    """One field in two wordings."""

    name: str
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one person decided, under a letter: who it was plays no part in settling."""

    letter: str
    decision: Decision
    changed: list[Difference]

    @property
    def is_wording(self) -> bool:
        return self.decision.verdict in {Verdict.APPROVE, Verdict.REWRITE}


@dataclass(slots=True)
class Table:
    """A dispute before a settler: the original, the looks, and what lies between two of them."""

    record: Record
    looks: list[Look]
    between: list[Difference]
    claim: Claim | None
    is_mine: bool
    may_take: bool
    base: "Revision"
    request_id: UUID
    typed: dict[str, str]
    picked: str = ""
    draft: Draft | None = None
    refused: Refused | None = None

    @property
    def started(self) -> str:
        return started_now(self.record.pk)

    @property
    def latest(self) -> "datetime | None":
        """When somebody last said something here: what a browser has kept from before is out of date."""
        said = [look.decision.at for look in self.looks] + ([self.draft.at] if self.draft else [])
        return max(said, default=None)

    @property
    def is_reworded(self) -> bool:
        """Whether the settler has typed a wording of their own."""
        shown_first = shown(self.record, self.base)
        return any(self.typed[name] != shown_first[name] for name in (*TEXTS, *LABELS))

    @property
    def texts(self) -> list[tuple[str, str, str]]:
        """The fields of the settler's own wording: name, label, text."""
        return [(name, label, self.typed[name]) for name, label in _labels().items() if name in TEXTS]

    @property
    def words(self) -> list[tuple[str, str, list[str]]]:
        labels = _labels()
        return [(name, labels[name], self.typed[name].split("\n")) for name in LABELS]

    @property
    def rights_differ(self) -> bool:
        said = {decisions.said_of_rights(look.decision) for look in self.looks if look.decision.rights_said}
        return len(said) > 1

    @property
    def errors(self) -> dict[str, str]:
        return self.refused.fields if self.refused else {}


def _labels() -> dict[str, str]:
    return {
        "instruction": _("Instruction"),
        "input": _("Input"),
        "output": _("Answer"),
        "metadata": _("Metadata"),
        "major": _("Main task types"),
        "minor": _("Fine task types"),
        "domain": _("Domains"),
        "answer_from": _("Answer written by"),
    }


@require_safe
@for_settlers
def index(request: Request) -> HttpResponse:
    """List what waits for a settler, oldest first."""
    disputed = Record.objects.live().for_user(request.user).filter(state=State.DISPUTED)
    after = re.fullmatch(r"[0-9]{1,18}", request.GET.get("after", ""))
    page = disputed.filter(pk__gt=int(after[0])) if after else disputed
    records = list(page.select_related("source", "revision").order_by("pk")[: PAGE + 1])
    rows = _rows(records[:PAGE], request.user)
    context = {
        "rows": rows,
        "total": disputed.count(),
        "more": records[PAGE - 1].pk if len(records) > PAGE else None,
        "held": claims.current_claim(by=request.user, purpose=Claim.Purpose.SETTLE),
        "is_free": any(row["may_take"] for row in rows),
    }
    return render(request, "review/disputes.html", context)


def _rows(records: "Sequence[Record]", user: "User") -> list[dict[str, Any]]:
    """Return for each record what its looks differ in, who holds it, and whether the person may settle it."""
    made = _looks_of([record.pk for record in records])
    running = Claim.objects.filter(record__in=[record.pk for record in records], purpose=Claim.Purpose.SETTLE)
    held = {claim.record_id: claim for claim in waiting.lasting(running).select_related("reviewer")}
    open_to = set(
        waiting.waiting_for(user, Claim.Purpose.SETTLE)
        .filter(pk__in=[record.pk for record in records])
        .values_list("pk", flat=True)
    )
    rows = []
    for record in records:
        looks = [look for look in made if look.record_id == record.pk and look.round == record.round]
        rows.append(
            {
                "record": record,
                "looks": looks,
                "about": differing(looks),
                "since": max((look.at for look in looks), default=None),
                "held": held.get(record.pk),
                "may_take": record.pk in open_to and record.pk not in held,
            }
        )
    return rows


def _looks_of(records: "Sequence[int]") -> list[Decision]:
    made = Decision.objects.filter(record__in=records, kind=Decision.Kind.REVIEW, withdrawal=None)
    return list(made.select_related("revision", "rights", "seen_revision").order_by("pk"))


def differing(looks: "Sequence[Decision]") -> list[str]:
    """Say what the looks differ in; a reviewer who asks for a settler differs in nothing yet."""
    if any(look.verdict == Verdict.ESCALATE for look in looks):
        return [_("a settler was asked for")]
    about = []
    if len({look.verdict for look in looks}) > 1:
        about.append(_("verdict"))
    approved = [look for look in looks if look.verdict == Verdict.APPROVE]
    if len({(look.revision.instruction, look.revision.input, look.revision.output) for look in approved}) > 1:
        about.append(_("text"))
    if len({look.revision.task_type_text + look.revision.domain_text for look in approved}) > 1:
        about.append(_("labels"))
    if len({decisions.said_of_rights(look) for look in approved}) > 1:
        about.append(_("rights"))
    return about or [_("other")]


@require_POST
@for_settlers
def take(request: Request) -> HttpResponse:
    """Claim the next dispute that the person may settle."""
    claim = claims.claim_next(by=request.user, part=waiting.Part(purpose=Claim.Purpose.SETTLE))
    if claim is None:
        messages.info(request, _("No dispute is left that you may settle."))
    return SeeOther(reverse("review:dispute", args=[claim.record_id]) if claim else reverse("review:disputes"))


@require_POST
@for_settlers
def claim(request: Request, pk: int) -> HttpResponse:
    """Claim this very dispute."""
    record = find_record(pk, by=request.user, related=SHOWN)
    try:
        _check_took_no_part(request.user, record)
        claims.claim_record(by=request.user, record=record)
    except Refused as refused:
        return _show(request, record, refused=refused)
    return SeeOther(reverse("review:dispute", args=[pk]))


def _check_took_no_part(by: "User", record: Record) -> None:
    own = waiting.waiting_for(by, Claim.Purpose.SETTLE).filter(pk=record.pk)
    if record.state == State.DISPUTED and not own.exists():
        raise Refused(_("Whoever took part in a dispute does not settle it."), ground=Ground.FORBIDDEN)


@require_safe
@for_settlers
def show(request: Request, pk: int) -> HttpResponse:
    """Show the wordings side by side, with what differs between them."""
    record = find_record(pk, by=request.user, related=SHOWN)
    if record.state != State.DISPUTED:
        return SeeOther(reverse("review:record", args=[pk]))
    return _show(request, record)


@require_POST
@for_settlers
def settle(request: Request, pk: int) -> HttpResponse:
    """End the dispute and go on to the next; when refused, show what was typed with the reason."""
    record, form = find_record(pk, by=request.user, related=SHOWN), SettleForm(request.POST)
    looks = [look for look in _looks_of([pk]) if look.round == record.round]
    try:
        decisions.decide(by=request.user, record=pk, judgement=form.judgement(record, looks))
    except Refused as refused:
        return _show(request, find_record(pk, by=request.user, related=SHOWN), form=form, refused=refused)
    messages.info(request, _("Settled #%(record)s") % {"record": pk})
    return take(request)


@require_POST
@for_settlers
def save_draft(request: Request, pk: int) -> HttpResponse:
    """Keep what the settler has typed so far, and from whose wording it set out."""
    record, form = find_record(pk, by=request.user, related=SHOWN), SettleForm(request.POST)
    if record.state == State.DISPUTED:
        claims.save_draft(by=request.user, record=pk, seen_revision=record.revision_id, fields=form.typed())
    return HttpResponse(status=204)


def _show(
    request: Request, record: Record, *, form: SettleForm | None = None, refused: Refused | None = None
) -> HttpResponse:
    table = lay_out(record, by=request.user, base=request.GET.get("base", ""))
    table.refused = refused
    if form is not None:
        table.typed |= form.typed()
        table.picked = form.data.get("rights_of", "")
    context = {"table": table, "record": record} | choices()
    return render(request, "review/dispute.html", context, status=refusal(refused) if refused else 200)


def lay_out(record: Record, *, by: "User", base: str = "") -> Table:
    """Put a dispute before a settler; `base` is the id of the look that their own wording sets out from."""
    made = [look for look in _looks_of([record.pk]) if look.round == record.round]
    original = shown(record, record.revision)
    letters = pgettext("names of the looks at a record, a letter each", "ABCDEFGH")
    looks = [
        Look(letter, decision, _differences(original, shown(record, decision.revision)))
        for letter, decision in zip(letters, made, strict=False)
    ]
    worded = [look for look in looks if look.is_wording]
    between: list[Difference] = []
    if len(worded) > 1:
        between = _differences(*(shown(record, look.decision.revision) for look in worded[:2]))
    claim = waiting.running_claim(record.pk, by)
    is_mine = claim is not None and claim.reviewer_id == by.pk
    may_take = claim is None and waiting.waiting_for(by, Claim.Purpose.SETTLE).filter(pk=record.pk).exists()
    draft = Draft.objects.filter(record=record, reviewer=by, seen_revision=record.revision_id).first()
    kept = dict(draft.fields) if draft else {}
    revision = _set_out_from(worded, record, base, kept)
    typed = shown(record, revision) | {"reason": ""} | kept
    table = Table(record, looks, between, claim, is_mine, may_take, revision, uuid4(), typed)
    table.draft, table.picked = draft, kept.get("rights_of", "")
    return table


def _set_out_from(worded: "Sequence[Look]", record: Record, base: str, kept: dict[str, str]) -> "Revision":
    """Return the wording that the settler's own sets out from: the one asked for, else that of what they typed.

    Where another one is asked for, what was typed on the first is taken out of `kept`: the rest of it stays.
    """
    start = next((look for look in worded if str(look.decision.pk) == base), worded[0] if worded else None)
    revision = start.decision.revision if start and base != "original" else record.revision
    known = {str(each.pk): each for each in (record.revision, *(look.decision.revision for look in worded))}
    before = known.get(kept.get("base", ""))
    if base and before != revision:
        for name in (*TEXTS, *LABELS):
            kept.pop(name, None)
        return revision
    return before or revision


def _differences(before: dict[str, str], after: dict[str, str]) -> list[Difference]:
    return [
        Difference(name, label, before[name], after[name])
        for name, label in _labels().items()
        if before[name] != after[name]
    ]
