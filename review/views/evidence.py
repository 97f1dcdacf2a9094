"""Files that decisions on rights rest on: attached and read by managers."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from review import evidence
from review.models import Rights
from review.refused import Refused
from review.views.answers import Request, SeeOther, for_managers


@require_POST
@for_managers
def attach(request: Request, pk: int) -> HttpResponse:
    """Keep a file with a decision on rights."""
    decided = evidence.of_sources_of(request.user).select_related("source", "batch__source")
    rights = get_object_or_404(decided, pk=pk)
    file = request.FILES.get("file")
    is_readable = file is not None and (file.size or 0) <= evidence.MAX_BYTES
    try:
        evidence.attach(
            rights,
            by=request.user,
            name=file.name or "" if file else "",
            data=file.read() if file and is_readable else b"",
        )
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The file is kept with the decision."))
    return SeeOther(_page_of(rights))


def _page_of(rights: Rights) -> str:
    source = rights.source or (rights.batch and rights.batch.source)
    if source:
        return f"{reverse('review:source', args=[source.slug])}#decisions"
    return reverse("review:record-history", args=[rights.record_id])


@require_safe
@for_managers
def download(request: Request, pk: int) -> HttpResponse:
    """Hand a file out as it came, to be saved and not shown."""
    file = get_object_or_404(evidence.readable(request.user), pk=pk)
    answer = HttpResponse(bytes(file.data), content_type=file.media_type)
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=file.name)
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
