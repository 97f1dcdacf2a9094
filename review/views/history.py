"""A record's history on one line of time, the way back to an earlier wording, and its near-duplicates."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from review import access, blind, claims, duplicates, restoring, timeline
from review.models import Record, Revision
from review.refused import Refused
from review.views.answers import Request, SeeOther, for_reviewers, page
from review.views.desk import field_words, find_record, is_open, shown

ORIGINALS_SHOWN = 20


@require_safe
@for_reviewers
def show(request: Request, pk: int) -> HttpResponse:
    """Show what happened to the record, as far as the person may know."""
    record = _shown(request, pk)
    context = {
        "record": record,
        "events": timeline.events(pk, by=request.user),
        "fields": field_words(),
        "may_take_up": is_open(record),
        "may_restore": access.can_settle(request.user) and not record.takedown_id and not record.retraction_id,
    }
    return page(request, "review/history.html", context)


def _shown(request: Request, pk: int) -> Record:
    """Return a record whose earlier texts may be shown: not one that was taken down."""
    record = find_record(pk, by=request.user)
    if record.takedown_id:
        raise Http404
    return record


@require_safe
@for_reviewers
def near(request: Request, pk: int) -> HttpResponse:
    """Show the records that are nearly the same, beside this one."""
    record = _shown(request, pk)
    seen = [found for found in duplicates.near(pk) if access.can_see(request.user, found.record.source_id)]
    for found in seen:
        blind.as_seen_by(request.user, found.record)
    return page(request, "review/near.html", {"record": record, "found": seen, "fields": field_words()[:3]})


@require_safe
@for_reviewers
def original(request: Request, pk: int) -> HttpResponse:
    """Show the record as it stood in the file, each time that it came in, the latest first."""
    record = _shown(request, pk)
    came = record.originals.select_related("batch").order_by("-pk")[:ORIGINALS_SHOWN]
    return page(request, "review/original.html", {"record": record, "originals": came})


@require_POST
@for_reviewers
def restore(request: Request, pk: int) -> HttpResponse:
    """Make an earlier wording current again, as a new revision."""
    access.check_send_back(request.user)
    record = find_record(pk, by=request.user)
    revision = _wanted(request, record)
    reason = request.POST.get("reason", "").replace("\0", "")[:2000] or _("Back to an earlier wording")
    try:
        restoring.restore_wording(by=request.user, revision=revision, reason=reason)
    except Refused as refused:
        messages.warning(request, str(refused))
    else:
        messages.success(request, _("The earlier wording is current again; the record waits for a decision on it."))
    return SeeOther(reverse("review:record-history", args=[pk]))


@require_POST
@for_reviewers
def take_up(request: Request, pk: int) -> HttpResponse:
    """Put an earlier wording into the workbench as the person's draft, and claim the record for them."""
    record = find_record(pk, by=request.user)
    revision = _wanted(request, record)
    try:
        claims.claim_record(by=request.user, record=record)
    except Refused as refused:
        messages.warning(request, str(refused))
        return SeeOther(reverse("review:record-history", args=[pk]))
    wording = {name: text for name, text in shown(record, revision).items() if name in _WORDING}
    claims.save_draft(by=request.user, record=pk, seen_revision=record.revision_id, fields=wording)
    return SeeOther(reverse("review:record", args=[pk]))


_WORDING = {"instruction", "input", "output", "metadata", "major", "minor", "domain", "answer_from"}


def _wanted(request: Request, record: Record) -> Revision:
    """Return the revision that the form names, if the person can see it in the history."""
    number = request.POST.get("revision", "")
    known = timeline.events(record.pk, by=request.user)
    visible = [event.what.pk for event in known if event.kind == "wording"]
    wanted = int(number) if number.isdecimal() and len(number) < len("10000000000000000000") else 0
    return get_object_or_404(Revision.objects.filter(pk__in=visible), pk=wanted)
