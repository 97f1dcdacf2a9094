"""What concerns every request."""

import re
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pghistory
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from cqia_site import logs
from review.depot import Away

type GetResponse = Callable[[HttpRequest], HttpResponse]
type View = Callable[..., HttpResponseBase]

RETRY_SECONDS = 5
SEEN_SECONDS = 300
MOST_NOTED = 10_000
PROXY_MISMATCH = "cqia:proxy-mismatch"
MISMATCH_SECONDS = 600
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb")
)


class SignInMiddleware(LoginRequiredMiddleware):
    """Send strangers to sign in, and from there back to the page that they were on.

    A form's address is no page: whoever was signed out while they typed comes back to where the form stood. htmx is
    told to go there itself, since it would put a sign-in page into the middle of the other.
    """

    def process_view(
        self, request: HttpRequest, view_func: View, view_args: tuple[Any, ...], view_kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Return the way to the sign-in page for a stranger, None for everybody else; 405 for what no page takes."""
        if request.method not in METHODS:
            return HttpResponseNotAllowed(METHODS)
        answer = super().process_view(request, view_func, view_args, view_kwargs)
        if isinstance(answer, HttpResponseRedirect) and is_htmx(request):
            return HttpResponseClientRedirect(answer.url)
        return answer

    def handle_no_permission(self, request: HttpRequest, view_func: View) -> HttpResponseRedirect:
        """Return the redirect to the sign-in page, with the page to come back to."""
        if request.method in {"GET", "HEAD"} and not is_htmx(request):
            return super().handle_no_permission(request, view_func)
        page = request.headers.get("HX-Current-URL" if is_htmx(request) else "Referer", "")
        is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()})
        return redirect_to_login(_path(page) if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL))


def is_htmx(request: HttpRequest) -> bool:
    """Tell whether htmx sent the request."""
    return bool(getattr(request, "htmx", False))


def _path(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


class DatabaseUnavailableMiddleware:
    """Answer 503 with Retry-After while the database is away or a lock is not to be had, instead of a failure."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, _request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn the two kinds of error that pass by themselves into a 503; leave every other alone."""
        return unavailable(exception) if is_passing(exception) else None


def is_passing(exception: BaseException | None) -> bool:
    """Tell whether this is one of the errors of the database, or of the storage of files, that pass by themselves."""
    return isinstance(exception, OperationalError | InterfaceError | Away)


def unavailable(exception: BaseException | None = None) -> HttpResponse:
    """Return the page that says what is away; it is made without asking the database for anything."""
    response = HttpResponse(render_to_string("503.html", {"is_storage": isinstance(exception, Away)}), status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


class HeadersMiddleware:
    """What Django itself has no setting for: no page here uses a device, none is shown inside another site."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


class RequestIdMiddleware:
    """Give every request an id that its log lines carry and its answer names; a proxy's own is kept."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
        token = logs.current.set({"request_id": request_id})
        try:
            response = self.get_response(request)
        finally:
            logs.current.reset(token)
        response.headers["X-Request-Id"] = request_id
        return response


class ProxyWitnessMiddleware:
    """Note where the headers of a request do not fit what the settings say of the proxy: `doctor` tells a person."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if ("X-Forwarded-Proto" in request.headers) != settings.BEHIND_TLS_PROXY and not _is_probe(request):
            cache.add(PROXY_MISMATCH, request.path[:200], MISMATCH_SECONDS)
        return self.get_response(request)


def _is_probe(request: HttpRequest) -> bool:
    """Whoever watches the system asks it directly."""
    return request.path in {"/healthz", "/readyz", "/metrics"}


class LastSeenMiddleware:
    """Note when a session was last used, every few minutes."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._until: dict[str, float] = {}  # by session: until when this process need not ask the cache again

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: View, _arguments: Any, _keywords: Any) -> None:
        """Look only at requests that need a signed-in person: the others do not ask who it is."""
        if not getattr(view, "login_required", True) or not request.user.is_authenticated:
            return
        key, now = request.session.session_key or "", time.monotonic()
        if self._until.get(key, 0.0) > now:
            return
        if len(self._until) >= MOST_NOTED:
            self._until.clear()
        self._until[key] = now + SEEN_SECONDS
        if cache.add(f"seen:{sha256(key.encode()).hexdigest()}", True, SEEN_SECONDS):  # noqa: FBT003  any value would do
            UserSession.objects.filter(session_key=key).update(last_seen_at=timezone.now())


class HistoryMiddleware:
    """Tell the database who changes what is set up here, and from where: it stands with each event of the history.

    Not told where only records are worked on: they have a history of their own, and every statement would pay for it.
    """

    APART = ("/review/records/", "/review/next/", "/review/claims/", "/review/decisions/", "/api/", "/account/")

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in {"GET", "HEAD", "OPTIONS"} or request.path.startswith(self.APART):
            return self.get_response(request)
        if not request.user.is_authenticated:
            return self.get_response(request)
        said = {"person": request.user.pk, "name": request.user.get_username(), "address": request.path}
        with pghistory.context(**said, network=request.META.get("REMOTE_ADDR", "")):
            return self.get_response(request)
