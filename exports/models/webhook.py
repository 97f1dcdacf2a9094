"""Who is told of releases and takedowns, of what, and whether it arrived."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from exports.models.release import Release
from review.models.triggers import append_only


class Webhook(models.Model):
    """An address that is told what becomes of releases. Its secret is derived from `salt`, and in no table."""

    class Kind(models.TextChoices):
        PUBLISHED = "release.published", _("a release is published")
        WITHDRAWN = "release.withdrawn", _("a release is withdrawn")
        SUSPENDED = "release.suspended", _("a release is suspended")
        TAKEN_DOWN = "records.taken_down", _("records are taken down")

    address = models.CharField(_("address"), max_length=500)
    kinds = ArrayField(models.CharField(max_length=30, choices=Kind), verbose_name=_("what it is told"))
    salt = models.CharField(_("salt"), max_length=64)
    is_active = models.BooleanField(_("active"), default=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="exports_webhook_kinds_known",
                condition=Q(
                    kinds__contained_by=[
                        *("release.published", "release.withdrawn", "release.suspended", "records.taken_down")
                    ]
                )
                & ~Q(kinds=[]),
                violation_error_message=_("Choose what it is told."),
            ),
        ]

    def __str__(self) -> str:
        return self.address


class Event(models.Model):
    """Something that webhooks are told, worded once: each of them gets the same bytes, however often it is sent."""

    kind = models.CharField(_("kind"), max_length=30, choices=Webhook.Kind)
    release = models.ForeignKey(
        Release, models.PROTECT, null=True, blank=True, related_name="events", verbose_name=_("release")
    )
    takedown_step = models.ForeignKey(
        "review.TakedownStep", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("takedown")
    )
    body = models.TextField(_("body"))
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        triggers: ClassVar = append_only()
        constraints: ClassVar = [
            models.UniqueConstraint(name="exports_event_once_a_release", fields=["release", "kind"]),
            models.UniqueConstraint(name="exports_event_once_a_takedown", fields=["takedown_step"]),
        ]

    def __str__(self) -> str:
        return self.kind


class Delivery(models.Model):
    """One event for one webhook: the row is the outbox, and says how it went."""

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("delivery", "waiting")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("given up")

    webhook = models.ForeignKey(Webhook, models.PROTECT, related_name="deliveries", verbose_name=_("webhook"))
    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries", verbose_name=_("event"))
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_at = models.DateTimeField(_("next attempt at"), db_default=Now())
    error = models.CharField(_("error"), max_length=200, blank=True, default="")
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes: ClassVar = [
            models.Index(fields=["next_at"], name="exports_delivery_due", condition=Q(state="waiting")),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(name="exports_delivery_once", fields=["webhook", "event"]),
            models.CheckConstraint(
                name="exports_delivery_state_known", condition=Q(state__in=["waiting", "delivered", "failed"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} → {self.webhook_id}"
