"""Publishing and withdrawing releases, and noticing those that a takedown has suspended."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from exports import storage, webhooks
from exports.models import Event, Release, Webhook
from review import access
from review.models import Takedown, TakedownStep
from review.models.clock import ClockTimestamp
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from review.models import User


@transaction.atomic
def publish(release: Release, *, by: "User") -> Release:
    """Publish a release that stands as it was written; one for use in the house never is."""
    access.check_manage(by)
    held = Release.objects.select_for_update().get(pk=release.pk)
    said = {"version": held.version, "state": held.get_state_display()}
    if held.is_internal:
        raise Refused(_("A release for use in the house is never published."))
    if held.state != Release.State.BUILT:
        raise Refused(_("Release “%(version)s” is %(state)s and cannot be published.") % said)
    if storage.taken_down(held):
        raise Refused(_("Records of release “%(version)s” have been taken down. Cut the next one.") % said)
    damage = next(storage.damages(held), None)
    if damage:
        raise Refused(_("The files are not as they were written: %(damage)s.") % {"damage": damage})
    Release.objects.filter(pk=held.pk).update(state=Release.State.PUBLISHED, published_at=ClockTimestamp())
    held.refresh_from_db()
    webhooks.announce(Webhook.Kind.PUBLISHED, held)
    return held


@transaction.atomic
def withdraw(release: Release, *, by: "User", reason: str) -> Release:
    """Take a release back: it stays listed with the reason, and its files are no longer given out."""
    access.check_manage(by)
    if not reason.strip():
        raise Refused(_("Say why it is withdrawn."), ground=Ground.INVALID, fields={"reason": _("Say why.")})
    held = Release.objects.select_for_update().get(pk=release.pk)
    if held.state not in Release.AVAILABLE:
        said = {"version": held.version, "state": held.get_state_display()}
        raise Refused(_("Release “%(version)s” is %(state)s and cannot be withdrawn.") % said)
    Release.objects.filter(pk=held.pk).update(
        state=Release.State.WITHDRAWN, withdrawn_at=ClockTimestamp(), reason=reason.strip()
    )
    held.refresh_from_db()
    webhooks.announce(Webhook.Kind.WITHDRAWN, held)
    return held


def watch() -> int:
    """Put down for the webhooks what takedowns have done since the last time, and return how much that is."""
    number = 0
    suspended = Release.objects.available().suspended().filter(suspended_at=None)
    for release in suspended.select_related("policy").order_by("pk"):
        Release.objects.filter(pk=release.pk, suspended_at=None).update(suspended_at=ClockTimestamp())
        gone = release.rows.filter(record__takedown__isnull=False)
        numbers = sorted(set(gone.values_list("record__takedown", flat=True)))
        number += bool(webhooks.announce(Webhook.Kind.SUSPENDED, release, takedowns=numbers))
    told = Event.objects.filter(takedown_step__isnull=False).values("takedown_step")
    steps = TakedownStep.objects.filter(state=Takedown.State.CONFIRMED).exclude(pk__in=told)
    for step in steps.order_by("pk"):
        records = list(step.takedown.records.order_by("pk").values_list("pk", flat=True))
        said = {"takedown": step.takedown_id, "records": records, "takedown_step": step}
        number += bool(webhooks.announce(Webhook.Kind.TAKEN_DOWN, None, **said))
    return number
