"""Pages of the whole site: what is shown when a request fails."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from cqia_site.middleware import is_passing, unavailable


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  the signature of a handler
    """Answer a request that failed: 503 where the database is away, as it may be before any view is reached."""
    if is_passing(sys.exc_info()[1]):
        return unavailable()
    return HttpResponse(render_to_string("500.html"), status=500)  # asks nothing of a system that just failed


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  the signature of the setting
    """Refuse a form without a valid token: the page was open while its person signed in anew, or it is not ours."""
    return render(request, "403_csrf.html", status=403)
