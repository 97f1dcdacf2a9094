"""Webhooks: whom we tell what becomes of releases, how that went, and sending it again."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from exports import webhooks
from exports.models import Delivery, Webhook
from review.refused import Refused
from review.views.answers import Request, for_managers, go_to, page, refusal

LATEST = 100


@require_safe
@for_managers
def index(request: Request) -> HttpResponse:
    """Show the webhooks and what was sent to them of late."""
    return _show(request)


def _show(request: Request, *, refused: Refused | None = None, status: int = 200) -> HttpResponse:
    known = Webhook.objects.filter(is_active=True).select_related("by").order_by("pk")
    deliveries = Delivery.objects.select_related("webhook", "event", "event__release").order_by("-pk")[:LATEST]
    context: dict[str, Any] = {
        "webhooks": [
            (webhook, webhooks.secret(webhook), [Webhook.Kind(kind) for kind in webhook.kinds]) for webhook in known
        ],
        "deliveries": deliveries,
        "kinds": Webhook.Kind,
        "address": request.POST.get("address", ""),
        "chosen": set(request.POST.getlist("kinds")) or set(Webhook.Kind.values),
        "refused": refused,
    }
    return page(request, "exports/webhooks.html", context, status=status)


@require_POST
@for_managers
def add(request: Request) -> HttpResponse:
    """Have an address told from now on."""
    try:
        webhooks.add(by=request.user, address=request.POST.get("address", ""), kinds=request.POST.getlist("kinds"))
    except Refused as refused:
        return _show(request, refused=refused, status=refusal(refused))
    messages.success(request, _("From now on it is told."))
    return go_to(request, reverse("exports:webhooks"))


@require_POST
@for_managers
def switch_off(request: Request, pk: int) -> HttpResponse:
    """Tell an address nothing more."""
    webhooks.switch_off(get_object_or_404(Webhook, pk=pk), by=request.user)
    return go_to(request, reverse("exports:webhooks"))


@require_POST
@for_managers
def replay(request: Request, pk: int) -> HttpResponse:
    """Send an event again."""
    delivery = get_object_or_404(Delivery.objects.select_related("webhook"), pk=pk)
    try:
        webhooks.replay(delivery, by=request.user)
        messages.success(request, _("It is sent again within a minute."))
    except Refused as refused:
        messages.error(request, str(refused))
    return go_to(request, reverse("exports:webhooks"))
