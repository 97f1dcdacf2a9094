"""How the pages answer: with a page, with the part that htmx swaps in, or with the way on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from review import access
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

    from review.models import Decision, User

STATUS = {Ground.FORBIDDEN: 403, Ground.CONFLICT: 409, Ground.INVALID: 422}


class Request(HttpRequest):
    """A request as the views see it: signed in, and knowing whether htmx sent it."""

    user: "User"
    htmx: "HtmxDetails"


@dataclass(frozen=True, slots=True)
class Status:
    """The line that tells what was just done; `undo` is the decision that can be taken back from it.

    `skipped` is the record that was put aside instead, to be taken up again.
    """

    text: str = ""
    undo: "Decision | None" = None
    is_bad: bool = False
    skipped: int | None = None


type View[Response: HttpResponseBase] = Callable[..., Response]


class Guard(Protocol):
    """A decorator of views."""

    def __call__[Response: HttpResponseBase](self, view: View[Response]) -> View[Response]: ...


class SeeOther(HttpResponseRedirect):
    """The answer to a form that did its work: go and GET this."""

    status_code = 303


def allowing(may: Callable[[Any], bool]) -> Guard:
    """Return a decorator that lets in whom `may` allows; what a verb refuses to a page so guarded is forbidden."""

    def guard[Response: HttpResponseBase](view: View[Response]) -> View[Response]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
            if not may(request.user):
                raise PermissionDenied
            try:
                return view(cast("Request", request), *args, **kwargs)
            except Refused as refused:
                raise PermissionDenied(refused.message) from refused

        return guarded

    return guard


for_reviewers = allowing(access.can_review)
for_settlers = allowing(access.can_settle)
for_managers = allowing(access.can_manage)
for_consumers = allowing(access.can_consume)


def page(request: Request, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Render the page, or for htmx its part named `answer`."""
    name = f"{template}#answer" if request.htmx else template
    response = render(request, name, context | {"partial": bool(request.htmx)}, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def go_to(request: Request, address: str) -> HttpResponse:
    """Send the browser to another page after a form did its work."""
    return HttpResponseClientRedirect(address) if request.htmx else SeeOther(address)


def refusal(refused: Refused) -> int:
    """Return the status that tells the ground of a refusal."""
    return STATUS[refused.ground]
