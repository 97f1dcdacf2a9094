"""Django's administration, behind the one sign-in that everybody uses."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from allauth.account import views as account
from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cqia_site.dashboard import views

type View = Callable[..., HttpResponseBase]


class Administration(AdminSite):
    """The dashboard first; and no second door, since everybody signs in and out in one place."""

    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002
        """Lead to the sign-in page; who is signed in already has no business here."""
        return _sign_in(request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002
        """Sign out."""
        response: HttpResponse = require_POST(account.logout)(request)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002
        """Lead to the page on which everybody changes their password."""
        return HttpResponseRedirect(reverse("account_change_password"))

    password_change_done = password_change

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the dashboard, and behind it the list of everything that can be looked up."""
        return super().index(request, (extra_context or {}) | views.context(request))

    def app_index(
        self,
        request: HttpRequest,  # noqa: ARG002
        app_label: str,  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002  the signature of Django
    ) -> HttpResponse:
        """Lead to the dashboard, which lists what there is of every app."""
        return HttpResponseRedirect(reverse("admin:index"))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the pages of the dashboard."""
        own = [
            path("dashboard/<slug:name>.csv", self.admin_view(views.table), name="dashboard_table"),
            path("dashboard/sources/<slug:slug>/", self.admin_view(views.source), name="dashboard_source"),
            path("dashboard/reviewers/<int:pk>/", self.admin_view(views.reviewer), name="dashboard_reviewer"),
        ]
        return [*own, *super().get_urls()]

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # noqa: FBT001, FBT002  the signature of Django
        """Refuse who is signed in without being staff, and methods that no page here answers."""
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            return inner(request, *args, **kwargs)

        return update_wrapper(require_http_methods(["GET", "HEAD", "POST"])(guarded), inner)


@require_safe
def _sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next", reverse("admin:index")))
