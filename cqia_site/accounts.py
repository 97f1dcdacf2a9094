"""How people prove who they are: sign-in by name or address, the second factor, and where both may lead afterwards."""

import re
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth import check_password_with_timing_attack_mitigation
from django.contrib.auth.backends import ModelBackend
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from review.models import User
from review.prepared import STAND_IN, Prepared

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_MISMATCH = _("Name and password do not match. Mind capital letters, and try again.")
_TOO_MANY = _("Too many attempts. Wait a few minutes, then try again.")
_WRONG_CODE = _("This code is not valid, or was used before. Wait for the next one.")
_REMEMBERED_SECONDS = 300
_BY_ID = Prepared(lambda pk: User.objects.filter(pk=pk), STAND_IN)


class NameOrAddressBackend(ModelBackend):
    """Knows people by their name or their address, the case of letters aside.

    One password is checked whatever was typed, so that the time taken does not tell whether there is such a person.
    """

    @sensitive_variables("password")
    def authenticate(
        self,
        request: "HttpRequest | None",  # noqa: ARG002  the signature of a backend
        username: str | None = None,
        password: str | None = None,
        email: str | None = None,
        **_credentials: Any,
    ) -> User | None:
        """Return the person, None when anything is wrong."""
        login = username or email
        if not login or password is None:
            return None
        person = find_person(login)
        matches = check_password_with_timing_attack_mitigation(person, password)
        return person if matches and person is not None and self.user_can_authenticate(person) else None

    def get_user(self, user_id: int) -> User | None:
        """Return the person of a session, None when they may not sign in any more."""
        person = _BY_ID.first(user_id)
        return person if person is not None and self.user_can_authenticate(person) else None


def find_person(login: str) -> User | None:
    """Return the one person of this name or, if there is none, of this address."""
    by_name = User.objects.filter(username__iexact=login)
    found = list(by_name[:2]) or list(User.objects.filter(email__iexact=login)[:2])
    return found[0] if len(found) == 1 else None


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """People are invited, never register themselves; from the sign-in page the way leads to our own pages only."""

    error_messages: ClassVar = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": _MISMATCH,
        "email_password_mismatch": _MISMATCH,
        "incorrect_password": _("This is not your password."),
        "enter_current_password": _("This is not your password."),
        "too_many_login_attempts": _TOO_MANY,
        "rate_limited": _TOO_MANY,
    }

    def is_open_for_signup(self, request: "HttpRequest") -> bool:  # noqa: ARG002  the signature of an adapter
        return False

    def is_ajax(self, request: "HttpRequest") -> bool:  # noqa: ARG002  as above
        """Answer with pages, whatever the headers ask for."""
        return False

    def is_safe_url(self, url: str) -> bool:
        request = context.request
        return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())

    def login(self, request: "HttpRequest", user: User) -> None:
        """Open the session, unless the person was disabled between the first step and the second."""
        if not user.is_active:
            raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
        super().login(request, user)

    def respond_user_inactive(self, request: "HttpRequest", user: User) -> "HttpResponse":  # noqa: ARG002  as above
        return HttpResponseRedirect(reverse("account_login"))

    def get_password_change_redirect_url(self, request: "HttpRequest") -> str:  # noqa: ARG002  as above
        return reverse("account_change_password")


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # as above
    """Secrets of the second factor are stored encrypted, under keys derived from the secret of this installation."""

    error_messages: ClassVar = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _WRONG_CODE,
        "cannot_generate_recovery_codes": _("Set up an authenticator app first."),
    }

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret; when the key it was stored under is gone, no code is valid."""
        try:
            return _cipher().decrypt(encrypted_text).decode()
        except InvalidToken as error:
            raise self.validation_error("incorrect_code") from error


def _cipher() -> MultiFernet:
    """Return what encrypts under the current secret, and decrypts under those before it as well."""
    return MultiFernet(
        [Fernet(_derived_key(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    )


def _derived_key(secret: str) -> bytes:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"cqia second factor").derive(secret.encode())
    return urlsafe_b64encode(key)


@transaction.atomic
def spend_code(authenticator: Authenticator, code: str) -> bool:
    """Note that a code of the authenticator app was used; False when it was used before while it was good."""
    held = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
    now = timezone.now().timestamp()
    digest = salted_hmac("cqia.spent-code", re.sub(r"\D", "", code), algorithm="sha256").hexdigest()
    spent = {used: at for used, at in held.data.get("spent", {}).items() if at > now - _REMEMBERED_SECONDS}
    if digest in spent:
        return False
    held.data["spent"] = spent | {digest: now}
    held.save(update_fields=["data"])
    return True


@receiver(authenticator_added)
def _spend_first_code(request: "HttpRequest", authenticator: Authenticator, **_signal: Any) -> None:
    """See to it that the code by which the authenticator app was set up signs nobody in."""
    if authenticator.type == Authenticator.Type.TOTP:
        spend_code(authenticator, request.POST.get("code", ""))
