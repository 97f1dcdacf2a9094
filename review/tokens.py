"""Who comes with a token, and what it is good for: the part of the API that is the same for data in and data out."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from knox.auth import TokenAuthentication
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission

from review.models import Token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_framework.request import Request
    from rest_framework.views import APIView

    from review.models import User

PREFIXES = (b"bearer", b"token")


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]  # knox has no types
    """`Authorization: Bearer SECRET` (or `Token SECRET`). A token in the address is no token."""

    def authenticate(self, request: "Request") -> "tuple[User, Token] | None":
        """Return the bearer and the token, None without the header; 401 for anything that is not good."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() not in PREFIXES:
            return None
        secret = parts[1] if len(parts) == 2 else b""  # noqa: PLR2004  the word and the secret
        if not secret.isalnum():
            raise AuthenticationFailed(_("The token is not well formed."))
        bearer: tuple[User, Token] = self.authenticate_credentials(secret)
        return bearer


class HasScope(BasePermission):
    """The token has one of the scopes that the view names in `scopes`."""

    def has_permission(self, request: "Request", view: "APIView") -> bool:
        """Tell whether the bearer may go on."""
        wanted: Iterable[str] = view.scopes  # type: ignore[attr-defined]  # a view that asks for scopes names them
        return any(has_scope(request, scope) for scope in wanted)


def has_scope(request: "Request", scope: str) -> bool:
    """Tell whether a request comes with a token of this scope."""
    return isinstance(request.auth, Token) and scope in request.auth.scopes
