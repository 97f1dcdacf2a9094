"""Tokens of the API: making one; who comes with one is known by `review.tokens`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from review.models import Scope, Token
from review.refused import Ground, Refused
from review.tokens import BearerAuthentication, HasScope, has_scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review.models import User

__all__ = ["MAX_DAYS", "BearerAuthentication", "HasScope", "create_token", "has_scope"]

MAX_DAYS = 3650


def create_token(*, user: "User", scopes: "Iterable[str]", days: int | None = None) -> tuple[Token, str]:
    """Make a token and return it with its secret, which is not kept and cannot be told again.

    `days` is how long it is good; without it as long as the settings say.
    """
    chosen = sorted(set(scopes))
    unknown = [scope for scope in chosen if scope not in Scope.values]
    if unknown or not chosen:
        known = ", ".join(Scope.values)
        raise Refused(_("Name one or more of these scopes: %(known)s.") % {"known": known}, ground=Ground.INVALID)
    if not user.is_active:
        raise Refused(_("%(name)s may not sign in, so no token can be made.") % {"name": user.get_username()})
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise Refused(_("A token is good for 1 to %(days)s days.") % {"days": MAX_DAYS}, ground=Ground.INVALID)
    lifetime: dict[str, Any] = {} if days is None else {"expiry": timedelta(days=days)}
    made: tuple[Token, str] = Token.objects.create(user=user, scopes=chosen, **lifetime)
    return made
