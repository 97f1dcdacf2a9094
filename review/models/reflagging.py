from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Reflagging(models.Model):
    """One time that the flags went once more through the current wordings of a source, by the rules as they are now.

    `position` is the last record gone through. `added` and `removed` count by rule the records that have a flag since,
    and those that have one no more.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")

    source = models.ForeignKey("review.Source", models.PROTECT, related_name="+", verbose_name=_("source"))
    number = models.PositiveIntegerField(_("number of records"))
    position = models.BigIntegerField(_("last record gone through"), default=0)
    read = models.PositiveIntegerField(_("gone through"), default=0)
    changed = models.PositiveIntegerField(_("records with other flags"), default=0)
    added = models.JSONField(_("flagged since"), default=dict, help_text="{rule: count}")
    removed = models.JSONField(_("flagged no more"), default=dict, help_text="{rule: count}")
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.RUNNING)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), db_default=Now())
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("flagging anew")
        verbose_name_plural = _("flaggings anew")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="review_reflagging_one_running",
                fields=["source"],
                condition=Q(state="running"),
                violation_error_message=_("The flags of this source are being set anew already."),
            ),
            models.CheckConstraint(
                name="review_reflagging_ended_has_time",
                condition=Q(state="running", ended_at__isnull=True) | Q(state="done", ended_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source_id}: {self.read} / {self.number}"

    @property
    def is_running(self) -> bool:
        """Whether there are records before it."""
        return self.state == self.State.RUNNING
