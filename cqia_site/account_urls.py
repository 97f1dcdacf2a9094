"""The addresses of accounts: those of allauth that are wanted here, and no others. Nobody registers themselves."""

from collections.abc import Callable

from allauth.account import views as account
from allauth.mfa.base import views as second_factor
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.usersessions import views as sessions
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

type View = Callable[..., HttpResponseBase]


def form(view: View) -> View:
    """A page with a form, never kept by the browser."""
    return never_cache(require_http_methods(["GET", "HEAD", "POST"])(view))


def safe(view: View) -> View:
    """A page to read, never kept by the browser."""
    return never_cache(require_safe(view))


urlpatterns = [
    path("login/", form(account.login), name="account_login"),
    path("logout/", require_POST(account.logout), name="account_logout"),
    path("confirm/", form(account.reauthenticate), name="account_reauthenticate"),
    path("password/", form(account.password_change), name="account_change_password"),
    path("password/forgotten/", form(account.password_reset), name="account_reset_password"),
    path("password/sent/", safe(account.password_reset_done), name="account_reset_password_done"),
    re_path(
        r"^password/choose/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/$",
        form(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path(
        "password/chosen/",
        safe(account.password_reset_from_key_done),
        name="account_reset_password_from_key_done",
    ),
    path("second-step/", safe(second_factor.index), name="mfa_index"),
    path("second-step/code/", form(second_factor.authenticate), name="mfa_authenticate"),
    path("second-step/confirm/", form(second_factor.reauthenticate), name="mfa_reauthenticate"),
    path("second-step/app/activate/", form(totp.activate_totp), name="mfa_activate_totp"),
    path("second-step/app/deactivate/", form(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("second-step/codes/", safe(recovery_codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path("second-step/codes/new/", form(recovery_codes.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("second-step/codes/file/", safe(recovery_codes.download_recovery_codes), name="mfa_download_recovery_codes"),
    path("sessions/", form(sessions.list_usersessions), name="usersessions_list"),
]
