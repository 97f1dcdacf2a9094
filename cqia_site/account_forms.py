"""The forms of the sign-in pages, where they differ from those of allauth."""

from typing import TYPE_CHECKING, Any

from allauth.account.forms import LoginForm
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import messages
from django.core.validators import MaxLengthValidator
from django.http import HttpResponseRedirect
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerError

from cqia_site.accounts import spend_code
from review.links import has_mail
from review.tasks import mail_links

if TYPE_CHECKING:
    from django.http import HttpRequest

LONGEST_LOGIN = 254
LONGEST_PASSWORD = 1000


class SignInForm(LoginForm):  # type: ignore[misc]  # allauth ships no types
    """Name or address, and password; nothing longer than either can be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].validators.append(MaxLengthValidator(LONGEST_LOGIN))
        self.fields["password"].validators.append(MaxLengthValidator(LONGEST_PASSWORD))


class AskForLinkForm(forms.Form):
    """An address to which a link for choosing a password is sent, if somebody has it.

    Who has it is looked up by the worker: the answer and the time that it takes are the same for every address.
    """

    email = forms.EmailField(max_length=LONGEST_LOGIN)

    @property
    def can_send(self) -> bool:
        return has_mail()

    def clean(self) -> None:
        if not self.can_send:
            raise forms.ValidationError(_("No mail is set up here. Ask a manager for a link."))

    def save(self, request: "HttpRequest") -> None:
        """Ask the worker to send the link."""
        try:
            mail_links.delay(self.cleaned_data["email"], request.build_absolute_uri("/"))
        except BrokerError as error:
            messages.error(request, _("Nothing could be sent just now. Try again in a minute, or ask a manager."))
            raise ImmediateHttpResponse(HttpResponseRedirect(request.path)) from error


class _OnceForm:
    """A code of the authenticator app is good for one sign-in, whatever becomes of the cache."""

    def clean_code(self) -> str:
        code: str = super().clean_code()  # type: ignore[misc]
        authenticator: Authenticator = self.authenticator  # type: ignore[attr-defined]
        if authenticator.type == Authenticator.Type.TOTP and not spend_code(authenticator, code):
            raise get_adapter().validation_error("incorrect_code")
        return code


class SecondStepForm(_OnceForm, AuthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The second step of signing in."""


class ConfirmForm(_OnceForm, ReauthenticateForm):  # type: ignore[misc]  # as above
    """Showing once more who one is, before something that matters."""
