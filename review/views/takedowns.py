"""Takedowns: asked for, looked through, confirmed, brought back or erased; the receipt, and the list of all."""

import json
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from review import erasure, takedowns
from review.forms_takedown import ImportForm, RequestForm
from review.models import Takedown
from review.refused import Refused
from review.views.answers import Request, SeeOther, for_managers, refusal

if TYPE_CHECKING:
    from review.forms_takedown import ConcernForm

PAGE = 50
MATCHES_ON_A_PAGE = 200


@require_safe
@for_managers
def index(request: Request) -> HttpResponse:
    """List the takedowns, the latest first."""
    counted = takedowns.visible_to(request.user).annotate(texts=Count("matches", filter=Q(matches__is_included=True)))
    listed = Paginator(counted.order_by("-pk"), PAGE).get_page(request.GET.get("page"))
    return render(request, "review/takedowns.html", {"takedowns": listed})


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def create(request: Request) -> HttpResponse:
    """Take a request down, and look for what it means."""
    form = RequestForm(*_sent(request))
    return _asked(request, form, "review/takedown_new.html", lambda: takedowns.request(by=request.user, **form.said()))


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def import_list(request: Request) -> HttpResponse:
    """Take a list that another data set exported as a request."""
    form = ImportForm(*_sent(request))

    def imported() -> Takedown:
        return takedowns.import_list(form.cleaned_data["listed"], by=request.user, **form.concern())

    return _asked(request, form, "review/takedown_import.html", imported)


def _sent(request: Request) -> tuple[Any, Any]:
    """Return what was sent to a form, or nothing where it is only looked at."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def _asked(request: Request, form: "ConcernForm", template: str, write: Any) -> HttpResponse:  # noqa: ANN401  a verb
    refused: Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            takedown = write()
        except Refused as answer:
            refused = answer
        else:
            return SeeOther(reverse("review:takedown", args=[takedown.pk]))
    status = refusal(refused) if refused else 422 if form.errors else 200
    return render(request, template, {"form": form, "refused": refused}, status=status)


@require_safe
@for_managers
def show(request: Request, pk: int) -> HttpResponse:
    """Show one takedown with what was found."""
    return _show(request, _takedown(request, pk))


def _takedown(request: Request, pk: int) -> Takedown:
    """Return a takedown; one that concerns none of the person's sources does not exist for them."""
    return get_object_or_404(takedowns.visible_to(request.user), pk=pk)


def _show(request: Request, takedown: Takedown, refused: Refused | None = None) -> HttpResponse:
    shown = takedowns.matches_shown(takedown, request.user)
    found = shown.select_related("record__source", "record__revision").order_by("-similarity", "pk")
    matches = Paginator(found, MATCHES_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "takedown": takedown,
        "matches": matches,
        "included": shown.filter(is_included=True).count(),
        "out_of_reach": takedowns.out_of_reach(takedown, request.user),
        "steps": takedown.steps.select_related("by").order_by("pk"),
        "releases": takedowns.suspended(takedown),
        "refused": refused,
    }
    return render(request, "review/takedown.html", context, status=refusal(refused) if refused else 200)


@require_POST
@for_managers
def choose(request: Request, pk: int) -> HttpResponse:
    """Keep which of the texts on this page are included."""
    takedown = _takedown(request, pk)
    shown = {int(given) for given in request.POST.getlist("shown") if given.isdecimal() and len(given) < 19}  # noqa: PLR2004  bigint
    chosen = {int(given) for given in request.POST.getlist("included") if given.isdecimal() and len(given) < 19}  # noqa: PLR2004
    kept = takedowns.matches_shown(takedown, request.user).filter(is_included=True).exclude(pk__in=shown)
    elsewhere = kept.values_list("pk", flat=True)
    try:
        takedowns.choose(takedown, by=request.user, included=chosen | set(elsewhere))
    except Refused as refused:
        return _show(request, takedown, refused)
    messages.success(request, _("The choice is kept."))
    return SeeOther(reverse("review:takedown", args=[pk]))


@require_POST
@for_managers
def confirm(request: Request, pk: int) -> HttpResponse:
    """Take down what is included."""
    takedown = _takedown(request, pk)
    try:
        number = takedowns.confirm(takedown, by=request.user)
    except Refused as refused:
        return _show(request, takedown, refused)
    said = ngettext("%(number)s record is taken down.", "%(number)s records are taken down.", number)
    messages.success(request, said % {"number": number})
    return SeeOther(reverse("review:takedown", args=[pk]))


@require_POST
@for_managers
def reverse_(request: Request, pk: int) -> HttpResponse:
    """Bring back what was taken down, or close a request that was not confirmed."""
    takedown = _takedown(request, pk)
    try:
        note = request.POST.get("note", "").replace("\0", "")[:20_000]
        number = takedowns.reverse(takedown, by=request.user, note=note)
    except Refused as refused:
        return _show(request, takedown, refused)
    said = ngettext("%(number)s record is back.", "%(number)s records are back.", number)
    messages.success(request, said % {"number": number})
    return SeeOther(reverse("review:takedown", args=[pk]))


@require_POST
@for_managers
def erase(request: Request, pk: int) -> HttpResponse:
    """Erase the texts for good, once the person has typed the number of the takedown."""
    takedown = _takedown(request, pk)
    if request.POST.get("number", "").strip() != str(pk):
        unsure = Refused(_("Type the number of the takedown to erase its texts. There is no way back."))
        return _show(request, takedown, unsure)
    try:
        number = erasure.erase(takedown, by=request.user)
    except Refused as refused:
        return _show(request, takedown, refused)
    said = ngettext("The texts of %(number)s record are erased.", "The texts of %(number)s records are erased.", number)
    messages.success(request, said % {"number": number})
    return SeeOther(reverse("review:takedown", args=[pk]))


@require_safe
@for_managers
def receipt(request: Request, pk: int) -> HttpResponse:
    """Show what the requester may be handed, to print."""
    takedown = _takedown(request, pk)
    if takedowns.out_of_reach(takedown, request.user):
        raise Http404
    return render(request, "review/takedown_receipt.html", takedowns.receipt(takedown))


@require_safe
@for_managers
def export_list(request: Request) -> HttpResponse:
    """Give the list of all that is taken down, as far as the person may see, in hashes alone."""
    given = takedowns.exported(takedowns.visible_to(request.user), by=request.user)
    lines = [json.dumps(entry, ensure_ascii=False) for entry in given]
    answer = HttpResponse("\n".join([*lines, ""]) if lines else "", content_type="application/jsonl; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="takedowns.jsonl"'
    return answer
