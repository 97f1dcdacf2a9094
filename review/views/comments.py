"""Comments on a record: in a drawer of the workbench, and as a page."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_http_methods

from review import comments
from review.models import Record
from review.refused import Refused
from review.views.answers import Request, SeeOther, for_reviewers, page, refusal
from review.views.desk import find_record


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewers
def show(request: Request, pk: int) -> HttpResponse:
    """Show what was said about a record; say something."""
    record = find_record(pk, by=request.user)
    if record.takedown_id:
        raise Http404
    if request.method != "POST":
        return _page(request, record)
    try:
        comments.add_comment(by=request.user, record=record, text=request.POST.get("text", ""))
    except Refused as refused:
        return _page(request, record, refused)
    return _page(request, record) if request.htmx else SeeOther(request.path)


def _page(request: Request, record: Record, refused: Refused | None = None) -> HttpResponse:
    said = list(comments.comments_for(request.user, record.pk))
    context = {"record": record, "comments": said, "refused": refused, "longest": comments.LONGEST}
    status = refusal(refused) if refused else 200
    typed = request.POST.get("text", "") if refused else ""
    return page(request, "review/comments.html", context | {"typed": typed}, status=status)
