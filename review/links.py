"""Links by which a person chooses a password: the first one, after an invitation, or a new one.

A link works once, for a few days, and not for somebody who was disabled. It is sent by mail; where no mail is set up, a
manager hands it on.
"""

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.mail import EmailMessage, mailers
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.http import int_to_base36

if TYPE_CHECKING:
    from review.models import User


class LinkTokens(PasswordResetTokenGenerator):
    """The secret part of a link: void once the password, the address or the last sign-in has changed."""

    def check_token(self, user: "User | None", token: str | None) -> bool:
        """Tell whether the token is this person's, still good, and the person may sign in."""
        return user is not None and user.is_active and super().check_token(user, token)


def has_mail() -> bool:
    """Tell whether mail is set up."""
    return "default" in mailers


def make_link(person: "User", root: str) -> str:
    """Return the whole address of a new link; `root` is the address of the site."""
    key = LinkTokens().make_token(person)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": int_to_base36(person.pk), "key": key})
    return urljoin(root, path)


def mail_link(person: "User", root: str) -> None:
    """Send a new link to the person's address, in their language."""
    with translation.override(person.language or settings.LANGUAGE_CODE):
        context = {
            "person": person,
            "is_new": person.last_login is None,
            "link": make_link(person, root),
            "days": settings.PASSWORD_RESET_TIMEOUT // 86400,
        }
        subject = render_to_string("review/link_subject.txt", context).strip()
        EmailMessage(subject, render_to_string("review/link_message.txt", context), to=[person.email]).send()
