"""Who may see the pages of releases, and how they are found."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.http import Http404
from django.http.response import HttpResponseBase

from exports.models import VERSION, Release, ReleaseQuerySet
from review import access

if TYPE_CHECKING:
    from review.models import User

type View = Callable[..., HttpResponseBase]


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
