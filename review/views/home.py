"""Home: what waits for me, what I did today, and the way on."""

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from review import access, claims
from review.models import Claim, Decision, Verdict
from review.waiting import waiting_by_source, waiting_for

if TYPE_CHECKING:
    from review.models import User


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show a reviewer their work; who has no queue finds the way to what they may do."""
    user = cast("User", request.user)
    if not access.can_review(user):
        return render(request, "review/home.html", {"is_reviewer": False})
    waiting = waiting_by_source(user)
    disputed = waiting_for(user, Claim.Purpose.SETTLE).count() if access.can_settle(user) else 0
    context = {
        "is_reviewer": True,
        "held": claims.current_claim(by=user),
        "waiting": waiting,
        "total": sum(number for _source, number in waiting),
        "disputed": disputed,
        "today": decisions_today(user),
    }
    return render(request, "review/home.html", context)


def decisions_today(user: "User") -> list[tuple[Verdict, int]]:
    """Return how often the person decided each way since midnight, by the time zone of the installation."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    mine = Decision.objects.filter(
        reviewer=user, withdrawal=None, at__gte=midnight, at__lt=midnight + timedelta(days=1)
    )
    counted = dict(mine.values("verdict").annotate(number=Count("pk")).values_list("verdict", "number"))
    return [(verdict, counted.get(verdict.value, 0)) for verdict in Verdict]
