"""Tokens: who has one, making one, revoking one. A token is shown once, to whoever made it, and kept nowhere."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from exports.forms import TokenForm
from exports.tokens import create_token
from review import access
from review.models import Scope, Token
from review.refused import Refused
from review.views.answers import Request, SeeOther, for_consumers, page, refusal

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User

COOKIE = "new-token"
COOKIE_SECONDS = 120


@require_safe
@never_cache
@for_consumers
def index(request: Request) -> HttpResponse:
    """Show the tokens, and this once the one that was just made."""
    answer = _show(request, TokenForm(by=request.user), secret=request.get_signed_cookie(COOKIE, "") or "")
    if COOKIE in request.COOKIES:
        answer.delete_cookie(COOKIE, path=reverse("exports:tokens"), samesite="Strict")
    return answer


def _show(
    request: Request, form: TokenForm, *, secret: str = "", refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "tokens": _tokens(request.user).order_by("-created"),
        "form": form,
        "people": form.people() if access.can_manage(request.user) else [],
        "scopes": form.allowed,
        "chosen": set(form["scopes"].value() or [Scope.EXPORT_READ.value]),
        "secret": secret,
        "refused": refused,
        "labels": {scope.value: scope.label for scope in Scope},
        "now": timezone.now(),
    }
    return page(request, "exports/tokens.html", context, status=status)


def _tokens(user: "User") -> "QuerySet[Token]":
    """Return the tokens that the person may see and revoke: all for managers, else their own."""
    tokens: QuerySet[Token] = Token.objects.select_related("user")
    return tokens if access.can_manage(user) else tokens.filter(user=user)


@require_POST
@never_cache
@for_consumers
def create(request: Request) -> HttpResponse:
    """Make a token. It travels in a cookie to the page that shows it once, and is in no table and no log."""
    form = TokenForm(request.POST, by=request.user)
    if not form.is_valid():
        return _show(request, form, status=422)
    said = form.cleaned_data
    try:
        token, secret = create_token(user=said["user"], scopes=said["scopes"], days=said["days"])
    except Refused as refused:
        return _show(request, form, refused=refused, status=refusal(refused))
    Token.objects.filter(pk=token.pk).update(note=said["note"])
    answer = SeeOther(reverse("exports:tokens"))
    answer.set_signed_cookie(
        COOKIE,
        secret,
        max_age=COOKIE_SECONDS,
        path=reverse("exports:tokens"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return answer


@require_POST
@for_consumers
def revoke(request: Request, prefix: str) -> HttpResponseBase:
    """Revoke a token: whatever uses it is refused from now on."""
    revoked, _models = _tokens(request.user).filter(token_key=prefix).delete()
    if not revoked:
        raise Http404
    messages.success(request, _("The token %(prefix)s… is revoked.") % {"prefix": prefix[:8]})
    return SeeOther(reverse("exports:tokens"))
