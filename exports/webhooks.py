"""Webhooks: whom we tell what becomes of releases, signed, tried again, and never lost.

The row of a delivery is the outbox. It is taken by moving its next attempt into the future before anything is sent, so
that two workers do not send it at once, and one that is killed leaves it to the next.
"""

import hmac
import json
import time
from datetime import timedelta
from hashlib import sha256
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from exports import sending
from exports.facts import moment, title
from exports.models import Delivery, Event, Release, Webhook
from review import access
from review.models.clock import ClockTimestamp
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review.models import User

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440))
"""How long to wait after each attempt that failed; after the last one it is given up."""
LEASE = timedelta(minutes=2)
MAX_WEBHOOKS = 20
DONE = range(200, 300)


def add(*, by: "User", address: str, kinds: "Iterable[str]") -> Webhook:
    """Have an address told from now on; refused where it is none that we would send to."""
    access.check_manage(by)
    chosen = sorted(set(kinds))
    if not chosen or not set(chosen) <= set(Webhook.Kind.values):
        raise Refused(_("Choose what it is told."), ground=Ground.INVALID)
    if Webhook.objects.filter(is_active=True).count() >= MAX_WEBHOOKS:
        raise Refused(_("There are as many webhooks as there may be. Switch one off first."))
    try:
        sending.split(address)
    except sending.Unsendable as error:
        said = _("Give a public address that begins with https:// or http://, with no name or password in it.")
        raise Refused(said, ground=Ground.INVALID, fields={"address": said}) from error
    return Webhook.objects.create(address=address, kinds=chosen, salt=token_hex(16), by=by)


def switch_off(webhook: Webhook, *, by: "User") -> None:
    """Tell an address nothing more; what was sent to it stays on record."""
    access.check_manage(by)
    Webhook.objects.filter(pk=webhook.pk).update(is_active=False)


def replay(delivery: Delivery, *, by: "User") -> None:
    """Send an event again, from the first attempt on."""
    access.check_manage(by)
    if not delivery.webhook.is_active:
        raise Refused(_("This webhook is switched off."))
    Delivery.objects.filter(pk=delivery.pk).update(
        state=Delivery.State.WAITING, attempts=0, next_at=ClockTimestamp(), error="", delivered_at=None
    )


def secret(webhook: Webhook) -> str:
    """Return the secret with which messages to this address are signed."""
    return salted_hmac("exports.webhook", webhook.salt, algorithm="sha256").hexdigest()


def signature(key: str, at: int, body: bytes) -> str:
    """Return what proves that a message is ours and of this moment: HMAC-SHA256 over the time, a dot, and the body."""
    return hmac.new(key.encode(), f"{at}.".encode() + body, sha256).hexdigest()


@transaction.atomic
def announce(kind: Webhook.Kind, release: Release | None = None, **said: Any) -> Event | None:
    """Put down something to tell, for every webhook that wants to know; None when it was put down before."""
    takedown_step = said.pop("takedown_step", None)
    whole = {"event": kind.value, "release": _described(release) if release else None} | said
    body = json.dumps(whole, ensure_ascii=False)
    event, is_new = Event.objects.get_or_create(
        kind=kind, release=release, takedown_step=takedown_step, defaults={"body": body}
    )
    if not is_new:
        return None
    wanting = Webhook.objects.filter(is_active=True, kinds__contains=[kind.value])
    Delivery.objects.bulk_create(Delivery(webhook=webhook, event=event) for webhook in wanting)
    return event


def _described(release: Release) -> dict[str, Any]:
    return {
        "version": release.version,
        "name": title(release),
        "state": release.state,
        "records": release.records,
        "policy": release.policy.slug,
        "cut_at": moment(release),
        "manifest_sha256": release.manifest_sha256,
        "reason": release.reason,
    }


def deliver() -> int:
    """Send what is due, and return how much arrived."""
    due = Delivery.objects.filter(state=Delivery.State.WAITING, next_at__lte=ClockTimestamp(), webhook__is_active=True)
    return sum(_deliver(pk) for pk in due.order_by("next_at", "pk").values_list("pk", flat=True)[:100])


def _deliver(pk: int) -> bool:
    waiting = Delivery.objects.filter(pk=pk, state=Delivery.State.WAITING)
    if not waiting.filter(next_at__lte=ClockTimestamp()).update(
        next_at=ClockTimestamp() + LEASE, attempts=F("attempts") + 1
    ):
        return False
    delivery = Delivery.objects.select_related("webhook", "event").get(pk=pk)
    problem = _problem(delivery)
    if not problem:
        waiting.update(state=Delivery.State.DELIVERED, delivered_at=ClockTimestamp(), error="")
    elif delivery.attempts > len(PAUSES):
        waiting.update(state=Delivery.State.FAILED, error=problem)
    else:
        waiting.update(next_at=ClockTimestamp() + PAUSES[delivery.attempts - 1], error=problem)
    return not problem


def _problem(delivery: Delivery) -> str:
    """Send a delivery; return what went wrong in a few words, or nothing."""
    body, at = delivery.event.body.encode(), int(time.time())
    signed = signature(secret(delivery.webhook), at, body)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "cqia",
        "X-CQIA-Event": delivery.event.kind,
        "X-CQIA-Delivery": f"{delivery.pk}",
        "X-CQIA-Signature": f"t={at},v1={signed}",
    }
    try:
        status = sending.post(delivery.webhook.address, body, headers)
    except sending.Unsendable as problem:
        return str(problem)
    return "" if status in DONE else f"HTTP {status}"
