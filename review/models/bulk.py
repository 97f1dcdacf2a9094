from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.triggers import append_only


class BulkAction(models.Model):
    """One thing that a manager does to many records at once: to which, what, and how far it has gone.

    `targets` are the ids of the records meant when it was confirmed, eight bytes each. `position` is how many of them
    have been gone through, on the way there or back.
    """

    class Kind(models.TextChoices):
        ASSIGN = "assign", _("assign")
        PRIORITISE = "prioritise", _("prioritise")
        LABEL = "label", _("set labels")
        RIGHTS = "rights", _("set the rights")
        SEND_BACK = "send_back", _("send back")

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    parameters = models.JSONField(_("what is done"), default=dict)
    asked = models.TextField(_("asked for"), blank=True, default="")
    targets = models.BinaryField(_("records meant"))
    number = models.PositiveIntegerField(_("number of records"))
    position = models.PositiveIntegerField(_("gone through"), default=0)
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.RUNNING)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("at"), db_default=Now())
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("undone by"),
    )
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)

    class Meta:
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_bulkaction_words_known",
                condition=Q(
                    kind__in=["assign", "prioritise", "label", "rights", "send_back"],
                    state__in=["running", "done", "undoing", "undone"],
                ),
            ),
            models.CheckConstraint(
                name="review_bulkaction_send_back_stays",
                condition=~Q(kind="send_back") | Q(state__in=["running", "done"]),
                violation_error_message=_("What was sent back is decided anew: that cannot be undone."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_kind_display()}"


class BulkChange(models.Model):
    """What a bulk action changed of one record: the value before, and after."""

    action = models.ForeignKey(BulkAction, models.PROTECT, related_name="changes", verbose_name=_("bulk action"))
    record = models.ForeignKey("review.Record", models.PROTECT, related_name="bulk_changes", verbose_name=_("record"))
    before = models.BigIntegerField(_("before"), null=True)
    after = models.BigIntegerField(_("after"), null=True)

    class Meta:
        verbose_name = _("bulk change")
        verbose_name_plural = _("bulk changes")
        triggers: ClassVar = append_only()
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_bulkchange_once", fields=["action", "record"]),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}"
