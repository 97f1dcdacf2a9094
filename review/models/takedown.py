from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.triggers import NoTruncate, sealed


class Takedown(models.Model):
    """A request that texts leave the data set: who asks, on what ground, and how far it has gone."""

    class State(models.TextChoices):
        REQUESTED = "requested", _("requested")
        CONFIRMED = "confirmed", _("confirmed")
        REVERSED = "reversed", _("reversed")
        ERASED = "erased", _("erased")

    requester = models.CharField(_("requester"), max_length=500)
    ground = models.TextField(_("ground"))
    reference = models.CharField(_("reference"), max_length=500, blank=True, default="")
    received_on = models.DateField(_("received on"))
    request = models.JSONField(_("what is asked for"), default=dict)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.REQUESTED)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), db_default=Now())
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    erase_after = models.DateTimeField(_("erased after"), null=True, blank=True)
    erased_at = models.DateTimeField(_("erased at"), null=True, blank=True)

    class Meta:
        verbose_name = _("takedown")
        verbose_name_plural = _("takedowns")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_takedown_state_known",
                condition=Q(state__in=["requested", "confirmed", "reversed", "erased"]),
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.FSM(
                name="moves",
                field="state",
                transitions=[
                    *(("requested", "confirmed"), ("requested", "reversed")),
                    *(("confirmed", "reversed"), ("confirmed", "erased")),
                ],
            ),
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            NoTruncate(name="no_truncate"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.requester}"


class TakedownMatch(models.Model):
    """A text that a takedown concerns: by its key, so that it is known again after it is erased."""

    takedown = models.ForeignKey(Takedown, models.PROTECT, related_name="matches", verbose_name=_("takedown"))
    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("record"),
    )
    key = models.BinaryField(_("duplicate key"), max_length=32)
    similarity = models.FloatField(_("similarity"), default=1.0)
    is_included = models.BooleanField(_("included"), default=True)

    class Meta:
        verbose_name = _("match of a takedown")
        verbose_name_plural = _("matches of takedowns")
        indexes: ClassVar = [
            models.Index(
                fields=["key"],
                name="review_takedown_match_key",
                condition=Q(is_included=True),
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_takedown_match_once", fields=["takedown", "key"]),
        ]

    def __str__(self) -> str:
        return f"{self.takedown_id}: #{self.record_id}"


class TakedownStep(models.Model):
    """What was done about a takedown, by whom and when. `sha256` is that of the sorted keys it then concerned."""

    takedown = models.ForeignKey(Takedown, models.PROTECT, related_name="steps", verbose_name=_("takedown"))
    state = models.CharField(_("state"), max_length=9, choices=Takedown.State)
    matches = models.PositiveIntegerField(_("texts concerned"))
    sha256 = models.BinaryField(_("sha256"), max_length=32)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    note = models.TextField(_("note"), blank=True, default="")
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("step of a takedown")
        verbose_name_plural = _("steps of takedowns")
        triggers: ClassVar = sealed("takedown")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_takedown_step_state_known",
                condition=Q(state__in=["requested", "confirmed", "reversed", "erased"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.takedown_id}: {self.get_state_display()}"


class Retraction(models.Model):
    """A whole import taken back."""

    batch = models.OneToOneField(
        "review.Batch",
        models.PROTECT,
        related_name="retraction",
        verbose_name=_("batch"),
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    reason = models.TextField(_("reason"), blank=True, default="")
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("retraction")
        verbose_name_plural = _("retractions")
        triggers: ClassVar = sealed("retraction")

    def __str__(self) -> str:
        return f"{self.batch_id}"
