"""The workbench: one record to read, edit, label and decide on."""

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from review import access, claims, decisions, golds
from review.forms import DecisionForm, RecordForm, unix
from review.models import Decision
from review.refused import Refused
from review.text.rules import FIELDS
from review.views.answers import Request, SeeOther, Status, for_reviewers, go_to, page, refusal
from review.views.desk import find_record, lay_out, lay_out_again, lay_out_typed, shown
from review.views.queue import Queue, decided, last_status, show_desk, take_next
from review.views.reading import VIEWS, mended, original

if TYPE_CHECKING:
    from review.models import Record


@require_safe
@for_reviewers
def show(request: Request, pk: int) -> HttpResponse:
    """Show a record: to work on for whoever holds it, to read for others."""
    desk = lay_out(find_record(pk, by=request.user), by=request.user)
    return show_desk(request, desk, Queue.of(request.GET), last_status(request))


@require_POST
@for_reviewers
def claim(request: Request, pk: int) -> HttpResponse:
    """Claim this very record."""
    queue, record = Queue.of(request.POST), find_record(pk, by=request.user)
    try:
        claims.claim_record(by=request.user, record=record)
    except Refused as refused:
        desk = lay_out(record, by=request.user)
        desk.refused = refused
        return show_desk(request, desk, queue, Status(), code=refusal(refused))
    return go_to(request, queue.address("review:record", pk))


@require_POST
@for_reviewers
def decide(request: Request, pk: int) -> HttpResponse:
    """Decide, and go on to the next record; when refused, show what was typed with the reason."""
    queue, record = Queue.of(request.POST), find_record(pk, by=request.user)
    form = DecisionForm(request.POST)
    try:
        decision = golds.decide(by=request.user, record=pk, judgement=form.judgement(record), fetched=record)
    except Refused as refused:
        _keep(request, record, form)
        desk = lay_out_again(find_record(pk, by=request.user), form, refused, by=request.user)
        return show_desk(request, desk, queue, last_status(request), code=refusal(refused))
    return take_next(request, queue, Status(decided(decision), decision))


@require_POST
@for_reviewers
def skip(request: Request, pk: int) -> HttpResponse:
    """Put the record aside and go on to the next."""
    typed = request.POST.copy()
    reason = typed.pop("skip_reason", [""])[-1].replace("\x00", "")[:2000]
    _keep(request, find_record(pk, by=request.user), RecordForm(typed))
    claims.skip_record(by=request.user, record=pk, reason=reason)
    status = replace(_done(request, _("Skipped #%(record)s"), pk), skipped=pk)
    return take_next(request, Queue.of(request.POST), status)


@require_POST
@for_reviewers
def unskip(request: Request, pk: int) -> HttpResponse:
    """Put a record that the person has just put aside before them again."""
    queue = Queue.of(request.POST)
    find_record(pk, by=request.user)
    try:
        held = golds.unskip(by=request.user, record=pk)
    except Refused as refused:
        return _not_undone(request, queue, refused)
    if not request.htmx:
        return SeeOther(queue.address("review:record", pk))
    status = _done(request, _("Took #%(record)s up again"), pk)
    return show_desk(request, lay_out(find_record(pk, by=request.user), by=request.user, claim=held), queue, status)


@require_POST
@for_reviewers
def release(request: Request, pk: int) -> HttpResponse:
    """Give the record back to the queue and go home."""
    record = find_record(pk, by=request.user)
    _keep(request, record, RecordForm(request.POST))
    claims.release_claim(by=request.user, record=pk)
    messages.info(request, _("Gave #%(record)s back to the queue") % {"record": pk})
    return go_to(request, reverse("home"))


@require_POST
@for_reviewers
def save_draft(request: Request, pk: int) -> HttpResponse:
    """Keep what is typed so far."""
    _keep(request, find_record(pk, by=request.user), RecordForm(request.POST))
    return HttpResponse(status=204)


@require_POST
@for_reviewers
def extend(request: Request, token: UUID) -> HttpResponse:
    """Lengthen the lease while the page is in use; 409 when the claim is the person's no more."""
    return HttpResponse(status=204 if claims.extend_claim(by=request.user, token=token) else 409)


@require_POST
@for_reviewers
def leave(request: Request, token: UUID) -> HttpResponse:
    """Let the claim end in a moment: its page was closed."""
    return HttpResponse(status=204 if claims.leave_claim(by=request.user, token=token) else 409)


@require_POST
@for_reviewers
def free(request: Request, pk: int) -> HttpResponse:
    """Let a manager take the record from whoever holds it."""
    record = find_record(pk, by=request.user)
    if not access.can_manage(request.user):
        raise PermissionDenied
    if claims.free_record(by=request.user, record=record):
        messages.info(request, _("Gave #%(record)s back to the queue") % {"record": pk})
    return go_to(request, Queue.of(request.POST).address("review:record", pk))


@require_POST
@for_reviewers
def look(request: Request, pk: int) -> HttpResponse:
    """Show the texts as they are typed by now: what deserves a look, what was changed, how they read."""
    record = find_record(pk, by=request.user)
    desk = lay_out_typed(record, RecordForm(request.POST), by=request.user)
    view = request.POST.get("view", "")
    context = {"record": record, "desk": desk, "original": original(record), "queue": Queue.of(request.POST)}
    context["views"] = [view] if view in VIEWS else [] if request.htmx else list(VIEWS)
    return page(request, "review/look.html", context)


@require_POST
@for_reviewers
def repair(request: Request, pk: int) -> HttpResponse:
    """Mend one field as a rule proposes: in what is typed, which is kept as a draft. Nothing is decided by it."""
    queue, record = Queue.of(request.POST), find_record(pk, by=request.user)
    rule, _blank, name = request.POST.get("repair", "").partition(" ")
    if name in FIELDS:
        typed = request.POST.copy()
        desk = lay_out_typed(record, RecordForm(typed), by=request.user)
        typed[name] = unix(mended(rule, desk.as_stored(name)))
        _keep(request, record, RecordForm(typed))
    if not request.htmx:
        return SeeOther(queue.address("review:record", pk))
    status = Status(_("Mended; look at it before you decide."), decisions.last_decision(request.user))
    return show_desk(request, lay_out(record, by=request.user), queue, status)


@require_POST
@for_reviewers
def undo(request: Request, pk: int) -> HttpResponse:
    """Take the person's own decision back and put its record before them again."""
    queue = Queue.of(request.POST)
    decision = get_object_or_404(Decision, pk=pk, reviewer=request.user)
    find_record(decision.record_id, by=request.user)
    try:
        held = golds.undo(by=request.user, decision=decision)
    except Refused as refused:
        return _not_undone(request, queue, refused)
    status = _done(request, _("Took back the decision on #%(record)s"), decision.record_id)
    if not request.htmx:
        messages.info(request, status.text)
        return SeeOther(queue.address("review:record", decision.record_id))
    desk = lay_out(find_record(decision.record_id, by=request.user), by=request.user, claim=held)
    return show_desk(request, desk, queue, status)


def _not_undone(request: Request, queue: Queue, refused: Refused) -> HttpResponse:
    """Say so, and leave the record that lies before the person alone."""
    if not request.htmx:
        messages.warning(request, str(refused))
        return SeeOther(queue.address("review:queue"))
    context = {"status": Status(str(refused), is_bad=True), "oob": True}
    response = page(request, "review/status.html", context, status=409)
    response["HX-Reswap"] = "none"
    return response


def _done(request: Request, sentence: str, record: int) -> Status:
    return Status(sentence % {"record": record}, decisions.last_decision(request.user))


def _keep(request: Request, record: "Record", form: RecordForm) -> None:
    """Keep what was typed as the person's draft, unless it is what they saw."""
    try:
        seen = form.seen(record)
    except Refused:
        return
    before, typed = shown(record, seen), form.typed()
    if all(before[name] == value for name, value in typed.items()):
        claims.drop_draft(by=request.user, record=record.pk)
    else:
        claims.save_draft(by=request.user, record=record.pk, seen_revision=seen.pk, fields=typed)
