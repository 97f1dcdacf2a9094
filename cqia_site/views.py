"""Pages of the whole site: what is shown when a request fails."""

import sys

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views import defaults

from cqia_site.middleware import is_passing, unavailable


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  the signature of a handler
    """Answer a request that failed: 503 where the database is away, as it may be before any view is reached."""
    if is_passing(sys.exc_info()[1]):
        return unavailable()
    return HttpResponse(render_to_string("500.html"), status=500)  # asks nothing of a system that just failed


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what is not there: in JSON below `/api/`, with a page everywhere else."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": _("There is nothing at this address.")}, status=404)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what cannot be read: in JSON below `/api/`, with a page everywhere else."""
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    said = _("The request cannot be read as it is.")
    if isinstance(exception, TooManyFilesSent):
        said = _("A request has at most %(number)s files.") % {"number": settings.DATA_UPLOAD_MAX_NUMBER_FILES}
    if isinstance(exception, TooManyFieldsSent):
        said = _("A request has at most %(number)s fields.") % {"number": settings.DATA_UPLOAD_MAX_NUMBER_FIELDS}
    return JsonResponse({"detail": said}, status=400)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  the signature of the setting
    """Refuse a form without a valid token: the page was open while its person signed in anew, or it is not ours."""
    if request.headers.get("HX-Target"):  # a part of a page: loaded anew, it finds what was typed in the browser
        sentence = _("You signed in again after this page was opened: it was loaded anew. Repeat the last step.")
        messages.warning(request, sentence, fail_silently=True)
        return HttpResponse(status=403, headers={"HX-Refresh": "true"})
    return render(request, "403_csrf.html", status=403)
