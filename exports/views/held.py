"""The records that a release cut now would hold back, for one reason: those that the plan counts."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from exports import cutting
from exports.forms import HeldForm
from exports.held import NEXT, WORDS
from review import access
from review.models import Record
from review.views.answers import Request, for_managers, page

PAGE = 100


@require_safe
@for_managers
def show(request: Request) -> HttpResponse:
    """List the approved records of a source that do not leave under a policy, for one reason, in pages by their ids."""
    form = HeldForm(request.GET)
    if not form.is_valid():
        raise Http404
    policy, source, reason = (form.cleaned_data[name] for name in ("policy", "source", "reason"))
    if not access.can_see(request.user, source.pk):
        raise Http404
    held = cutting.kept_back(policy, [source.slug]).filter(reason=reason)
    after = held.filter(pk__gt=form.cleaned_data["after"] or 0).order_by("pk")
    ids = list(after.values_list("pk", flat=True)[: PAGE + 1])
    context = {
        "policy": policy,
        "source": source,
        "reason": reason,
        "words": WORDS[reason],
        "next": NEXT[reason],
        "number": held.order_by().count(),
        "records": Record.objects.filter(pk__in=ids[:PAGE]).with_rights().select_related("revision").order_by("pk"),
        "following": ids[PAGE - 1] if len(ids) > PAGE else None,
    }
    return page(request, "exports/held_records.html", context)
