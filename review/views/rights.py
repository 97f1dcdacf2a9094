"""Rights across all sources: what reviewers object to, decided here, and the way to all that concerns rights."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from review import access, rights, takedowns
from review.models import Licence, Record, Takedown
from review.refused import Refused
from review.views.answers import Request, SeeOther, for_managers

PAGE = 50


@require_safe
@for_managers
def index(request: Request) -> HttpResponse:
    """Show the objections that wait for a decision, the oldest first."""
    objections = rights.objections().select_related(
        "by", "record__revision", "record__source__rights", "record__batch__rights"
    )
    limited_to = access.limited_to(request.user)
    objections = objections.filter(record__source__in=limited_to) if limited_to else objections
    context = {
        "objections": Paginator(objections, PAGE).get_page(request.GET.get("page")),
        "open_takedowns": takedowns.visible_to(request.user).filter(state=Takedown.State.REQUESTED).count(),
    }
    return render(request, "review/rights_index.html", context)


@require_POST
@for_managers
def overrule(request: Request, pk: int) -> HttpResponse:
    """Let a record follow its import or source again."""
    record = _record(request, pk)
    try:
        rights.follow_again(record, by=request.user)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("Record %(number)s follows its source again.") % {"number": pk})
    return SeeOther(reverse("review:rights"))


@require_POST
@for_managers
def uphold(request: Request, pk: int) -> HttpResponse:
    """Agree with the reviewer: the record never leaves."""
    record = _record(request, pk)
    said = {"licence": Licence.RESTRICTED, "holder": record.rights.holder if record.rights else ""}
    rights.decide_rights(record, by=request.user, note=_("A reviewer's objection was upheld."), **said)
    messages.success(request, _("Record %(number)s is restricted for good.") % {"number": pk})
    return SeeOther(reverse("review:rights"))


def _record(request: Request, pk: int) -> Record:
    """Return a record whose objection waits; one of a source that is not the person's does not exist for them."""
    objected = Record.objects.filter(rights__in=rights.objections()).for_user(request.user)
    return get_object_or_404(objected.select_related("rights", "batch__rights", "source__rights"), pk=pk)
