"""Guidelines: to be read by everybody who reviews, to be written by managers."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from review import access, guidelines
from review.models import Guideline, Source
from review.refused import Refused
from review.views.answers import Request, SeeOther, for_reviewers, page, refusal
from review.views.queue import sources_to_choose

EVERY = "every-source"


@require_safe
@for_reviewers
def index(request: Request) -> HttpResponse:
    """Show which guidelines there are."""
    seen = sources_to_choose(request.user)["sources"]
    latest: dict[int | None, Guideline] = {}
    for guideline in Guideline.objects.defer("text").select_related("by").order_by("version"):
        latest[guideline.source_id] = guideline
    rows = [(source, latest.get(source.pk)) for source in seen]
    return page(request, "review/guidelines.html", {"rows": rows, "general": latest.get(None), "every": EVERY})


@require_safe
@for_reviewers
def show(request: Request, slug: str) -> HttpResponse:
    """Show what a reviewer of the source goes by: its own guideline and that of every source; or an earlier version."""
    source = _source(request, slug)
    earlier = list(guidelines.versions(source).defer("text"))
    given = guidelines.in_force(source) if source else list(guidelines.versions(None)[:1])
    if number := request.GET.get("version", ""):
        wanted = int(number) if number.isdecimal() and len(number) < len("1000000000") else 0
        given = [get_object_or_404(guidelines.versions(source), version=wanted)]
    context = {"source": source, "slug": slug, "given": given, "versions": earlier}
    return page(request, "review/guideline.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewers
def edit(request: Request, slug: str) -> HttpResponse:
    """Let a manager write the next version."""
    if not access.can_manage(request.user):
        raise PermissionDenied
    source = _source(request, slug)
    latest = guidelines.versions(source).first()
    if request.method != "POST":
        return _form(request, source, slug, latest.text if latest else "", latest)
    text, seen = request.POST.get("text", "").replace("\r\n", "\n"), request.POST.get("seen_version", "")
    try:
        number = int(seen) if seen.isdecimal() and len(seen) < len("1000000000") else -1
        guidelines.write_guideline(by=request.user, source=source, text=text, seen_version=number)
    except Refused as refused:
        return _form(request, source, slug, text, latest, refused)
    return SeeOther(reverse("review:guideline", args=[slug]))


def _form(  # noqa: PLR0913, PLR0917  what stands on the page
    request: Request,
    source: Source | None,
    slug: str,
    text: str,
    latest: Guideline | None,
    refused: Refused | None = None,
) -> HttpResponse:
    context = {"source": source, "slug": slug, "text": text, "latest": latest, "refused": refused}
    context["title"] = _("Guideline: %(source)s") % {"source": source or _("every source")}
    return page(request, "review/guideline_edit.html", context, status=refusal(refused) if refused else 200)


def _source(request: Request, slug: str) -> Source | None:
    """Return the source meant, None for every one; 404 for one that the person may not see."""
    if slug == EVERY:
        return None
    seen = access.limited_to(request.user)
    sources = Source.objects.filter(pk__in=seen) if seen else Source.objects.all()
    return get_object_or_404(sources, slug=slug)
