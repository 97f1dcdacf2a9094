"""Home: what waits for me, what I did today, and the way on."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from django.db.models import Aggregate, Count, F, FloatField, Q
from django.db.models.functions import NullIf
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from review import access, claims
from review.decisions import OPEN
from review.models import Claim, Decision, Draft, Verdict, Withdrawal
from review.waiting import waiting_by_source, waiting_for

if TYPE_CHECKING:
    from django.db.models import QuerySet

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
        "draft": last_draft(user),
        "waiting": waiting,
        "total": sum(number for _source, number in waiting),
        "disputed": disputed,
        "today": decisions_today(user),
        "figures": figures(user),
    }
    return render(request, "review/home.html", context)


def last_draft(user: "User") -> Draft | None:
    """Return what the person typed last and has not decided: where to go on when they hold nothing."""
    open_ = Draft.objects.filter(reviewer=user, record__state__in=OPEN, record__takedown=None, record__retraction=None)
    return open_.order_by("-at").first()


def decisions_today(user: "User") -> list[tuple[Verdict, int]]:
    """Return how often the person decided each way since midnight, by the time zone of the installation."""
    counted = dict(_since(user, midnight()).values_list("verdict").annotate(number=Count("pk")))
    return [(verdict, counted.get(verdict.value, 0)) for verdict in Verdict]


class Figures(NamedTuple):
    """What a person did in a stretch of time: decisions, their median time in seconds, edits, and what came back."""

    name: str
    done: int
    seconds: int | None
    edits: int
    sent_back: int


def figures(user: "User") -> list[Figures]:
    """Return the person's figures of today and of this week, which begins on Monday."""
    today = midnight()
    stretches = ((_("Today"), today), (_("This week"), today - timedelta(days=today.weekday())))
    return [_figures(user, name, start) for name, start in stretches]


def _figures(user: "User", name: str, start: datetime) -> Figures:
    counted = _since(user, start).aggregate(
        done=Count("pk"),
        seconds=Median(NullIf("seconds", 0)),
        edits=Count("pk", filter=~Q(revision=F("seen_revision"))),
    )
    back = Withdrawal.objects.filter(decision__reviewer=user, at__gte=start).exclude(kind=Withdrawal.Kind.UNDO)
    seconds = counted["seconds"]
    return Figures(name, counted["done"], None if seconds is None else round(seconds), counted["edits"], back.count())


class Median(Aggregate):
    """The value in the middle."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def midnight() -> datetime:
    """Return the moment at which today began, by the time zone of the installation."""
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def _since(user: "User", start: datetime) -> "QuerySet[Decision]":
    """Return the decisions of the person from that moment on that they have not taken back themselves."""
    undone = Q(withdrawal__kind=Withdrawal.Kind.UNDO)
    return Decision.objects.filter(reviewer=user, at__gte=start).filter(~undone | Q(withdrawal=None))
