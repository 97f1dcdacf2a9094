"""Publishing a release, and taking it back."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from exports import publishing
from exports.views.answers import release_or_404
from review.refused import Refused
from review.views.answers import Request, for_managers, go_to


@require_POST
@for_managers
def publish(request: Request, version: str) -> HttpResponse:
    """Publish a release whose files are as they were written."""
    release = release_or_404(request.user, version)
    try:
        publishing.publish(release, by=request.user)
        messages.success(request, _("Release “%(version)s” is published.") % {"version": version})
    except Refused as refused:
        messages.error(request, str(refused))
    return go_to(request, reverse("exports:release", args=[version]))


@require_POST
@for_managers
def withdraw(request: Request, version: str) -> HttpResponse:
    """Take a release back, with the reason that everybody reads who asks for it."""
    release = release_or_404(request.user, version)
    try:
        reason = request.POST.get("reason", "").replace("\0", "")[:2000]
        publishing.withdraw(release, by=request.user, reason=reason)
        messages.success(request, _("Release “%(version)s” is withdrawn.") % {"version": version})
    except Refused as refused:
        messages.error(request, str(refused))
    return go_to(request, reverse("exports:release", args=[version]))
