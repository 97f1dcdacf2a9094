"""Who may see the pages of releases, and how they are found."""

import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from exports.models import VERSION, Release, ReleaseQuerySet
from review import access
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from review.models import User
    from review.views.answers import Request

type View = Callable[..., HttpResponseBase]


def for_consumers(view: View) -> View:
    """Let in those who may read releases; what a verb forbids there is forbidden here."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not access.can_consume(request.user):
            raise PermissionDenied
        try:
            return view(cast("Request", request), *args, **kwargs)
        except Refused as refused:
            if refused.ground != Ground.FORBIDDEN:
                raise
            raise PermissionDenied(refused.message) from refused

    return guarded


def for_managers(view: Callable[..., HttpResponse]) -> View:
    """Let in those who may cut releases."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not access.can_manage(request.user):
            raise PermissionDenied
        return view(cast("Request", request), *args, **kwargs)

    return guarded


def readable(user: "User") -> ReleaseQuerySet:
    """Return the releases that the person may see: all for managers, else those that are written and not internal."""
    releases = Release.objects.with_suspended().select_related("policy", "by")
    return releases if access.can_manage(user) else releases.listed().filter(is_internal=False)


def release_or_404(user: "User", version: str) -> Release:
    """Return a release that the person may see; 404 for any other, so that its existence is not told."""
    release = readable(user).filter(version=version).first() if re.fullmatch(VERSION, version) else None
    if release is None:
        raise Http404
    return release
