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
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

type View = Callable[..., HttpResponseBase]


class Administration(AdminSite):
    """No second door: signing in and out, and changing one's password, are done where everybody does them."""

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
