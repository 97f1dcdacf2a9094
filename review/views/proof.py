"""The proof that what is marked verified was verified: the latest result, and asking for another."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError as BrokerError

from review import sealing, tasks
from review.models import Proof
from review.views.answers import Request, SeeOther, for_managers

SHOWN = 30


@require_safe
@for_managers
def show(request: Request) -> HttpResponse:
    """Show the latest results, and how far the history is sealed."""
    proofs = list(Proof.objects.order_by("-pk")[:SHOWN])
    context: dict[str, Any] = {"proofs": proofs, "latest": next(iter(proofs), None)}
    context |= {"anchor": sealing.anchor(), "waiting": sealing.waiting()}
    return render(request, "review/proof.html", context)


@require_POST
@for_managers
def run(request: Request) -> HttpResponse:
    """Have a worker prove it now."""
    try:
        tasks.prove.delay()
    except BrokerError:
        messages.error(request, _("No worker could be asked just now. Try again in a minute."))
    else:
        messages.success(request, _("A worker is at it. The result appears here."))
    return SeeOther(reverse("review:proof"))
