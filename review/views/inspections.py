"""Acceptance sampling: batches drawn, inspected blind, accepted or sent back."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from review import access, inspections
from review.forms import seconds_since, started_now
from review.forms_quality import ConcludeForm, FindingForm, InspectionForm
from review.models import Batch, Guideline, Inspected, Inspection, Original, Source, User, Verdict
from review.refused import Ground, Refused
from review.sampling import LEVELS, LIMITS, plan
from review.views.answers import Request, SeeOther, for_managers, for_settlers, refusal

if TYPE_CHECKING:
    from django.db.models import QuerySet

PAGE = 50
_ABOUT = ("source", "batch", "reviewer", "guideline", "by", "closed_by")


@require_safe
@for_settlers
def index(request: Request) -> HttpResponse:
    """List the inspections, the open ones first."""
    counted = Count("lot", filter=Q(lot__finding__isnull=False))
    defects = Count("lot", filter=Q(lot__finding__verdict=Verdict.REJECT))
    found = _seen(request).annotate(inspected=counted, defects=defects).select_related(*_ABOUT)
    rows = sorted(found.order_by("-pk")[:PAGE], key=lambda one: one.state != Inspection.State.OPEN)
    return render(request, "review/inspections.html", {"rows": rows})


def _seen(request: Request) -> "QuerySet[Inspection]":
    """Return the inspections whose source the person may see; one of every source is for who sees every source."""
    limited = access.limited_to(request.user)
    every = Inspection.objects.all()
    return every.filter(Q(source__in=limited) | Q(batch__source__in=limited)) if limited else every


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def new(request: Request) -> HttpResponse:
    """Choose a batch, see what the table says, and draw."""
    form = InspectionForm(request.POST if request.method == "POST" else request.GET or {"level": "II"})
    refused = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            drawn = inspections.open_inspection(
                by=request.user,
                scope=_scope(form),
                limit=given["quality_limit"] or "1.0",
                level=given["level"] or "II",
                sample_size=given["sample_size"],
                acceptance=given["acceptance"],
                seed=given["seed"],
            )
        except Refused as error:
            refused = error
        else:
            return SeeOther(reverse("review:inspection", args=[drawn.pk]))
    context = _choices(form) | {"form": form, "refused": refused} | _preview(request, form)
    status = refusal(refused) if refused else 422 if request.method == "POST" else 200
    return render(request, "review/inspections_new.html", context, status=status)


def _scope(form: InspectionForm) -> inspections.Scope:
    names = ("source", "batch", "reviewer", "guideline", "since", "until")
    return inspections.Scope(**{name: form.cleaned_data[name] for name in names})


def _preview(request: Request, form: InspectionForm) -> dict[str, Any]:
    """Return how many records the choice holds, and what the table says of so many."""
    if not form.is_valid() or not form.data:
        return {}
    lot = _scope(form).records(request.user).count()
    given = form.cleaned_data
    table = plan(lot, limit=given["quality_limit"] or "1.0", level=given["level"] or "II") if lot else None
    return {"lot": lot, "plan": table}


def _choices(form: InspectionForm) -> dict[str, Any]:
    guidelines = Guideline.objects.select_related("source").order_by("-pk")[:PAGE]
    return {
        "sources": Source.objects.order_by("position"),
        "batches": Batch.objects.select_related("source").order_by("-pk")[:PAGE],
        "people": User.objects.filter(decisions__isnull=False).distinct().order_by("username"),
        "guidelines": guidelines,
        "levels": LEVELS,
        "limits": LIMITS,
        "given": form.data,
    }


@require_safe
@for_settlers
def show(request: Request, pk: int) -> HttpResponse:
    """Show how far an inspection is, what was found, and what follows."""
    return _show(request, _find(request, pk))


def _find(request: Request, pk: int) -> Inspection:
    return get_object_or_404(_seen(request).select_related(*_ABOUT), pk=pk)


def _show(request: Request, inspection: Inspection, refused: Refused | None = None) -> HttpResponse:
    sample = inspections.sample(inspection).select_related("finding__reviewer", "record__source")
    is_open = inspection.state == Inspection.State.OPEN
    may_inspect = is_open and inspections.next_for(request.user, inspection) is not None
    context = {
        "inspection": inspection,
        "progress": inspections.progress(inspection),
        "findings": [item for item in sample if item.finding and item.finding.verdict == Verdict.REJECT],
        "drawn": [item.record_id for item in sample],
        "may_inspect": may_inspect,
        "refused": refused,
    }
    return render(request, "review/inspection.html", context, status=refusal(refused) if refused else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@for_settlers
def inspect(request: Request, pk: int) -> HttpResponse:
    """Judge the next record of the sample, without seeing whose work it is."""
    inspection = _find(request, pk)
    if request.method == "POST":
        return _judge(request, inspection)
    item = inspections.next_for(request.user, inspection) if inspection.state == Inspection.State.OPEN else None
    if item is None:
        return SeeOther(reverse("review:inspection", args=[pk]))
    return _lay_out(request, inspection, item)


def _lay_out(request: Request, inspection: Inspection, item: Inspected, refused: Refused | None = None) -> HttpResponse:
    revision = item.decision.revision
    first = item.record.revisions.order_by("number").first()
    context = {
        "inspection": inspection,
        "item": item,
        "record": item.record,
        "revision": revision,
        "first": first if first and first.pk != revision.pk else None,
        "original": Original.objects.filter(record=item.record_id).order_by("-pk").first(),
        "request_id": request.POST.get("request_id") if refused else uuid4(),
        "started": started_now(item.record_id),
        "typed": request.POST.get("reason", ""),
        "refused": refused,
        "progress": inspections.progress(inspection),
    }
    return render(request, "review/inspect.html", context, status=refusal(refused) if refused else 200)


def _judge(request: Request, inspection: Inspection) -> HttpResponse:
    item = get_object_or_404(
        inspections.sample(inspection).select_related("record__source", "decision__revision"),
        place=_place(request.POST.get("place", "")),
    )
    form = FindingForm(request.POST)
    if not form.is_valid():
        refused = Refused(_("Say whether the record is as it should be."), ground=Ground.INVALID)
        return _lay_out(request, inspection, item, refused)
    given = form.cleaned_data
    said = inspections.Said(
        Verdict(given["verdict"]), given["request_id"], given["reason"], seconds_since(given["started"], item.record_id)
    )
    try:
        inspections.inspect(by=request.user, item=item, said=said)
    except Refused as refused:
        return _lay_out(request, inspection, item, refused)
    return SeeOther(reverse("review:inspection-inspect", args=[inspection.pk]))


def _place(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 10):  # noqa: PLR2004  what fits the column
        raise Http404
    return int(given)


@require_POST
@for_managers
def conclude(request: Request, pk: int) -> HttpResponse:
    """Accept the batch or send it back, as the sample has it."""
    inspection, form = _find(request, pk), ConcludeForm(request.POST)
    try:
        form.check()
        done = inspections.conclude(by=request.user, inspection=inspection, reason=form.cleaned_data["reason"])
    except Refused as refused:
        return _show(request, inspection, refused)
    sentences = {
        Inspection.State.ACCEPTED: _("The batch is accepted."),
        Inspection.State.SENT_BACK: _("%(number)s records went back.") % {"number": done.sent_back},
    }
    messages.info(request, sentences[Inspection.State(done.state)])
    return SeeOther(reverse("review:inspection", args=[pk]))
