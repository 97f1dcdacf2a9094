from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.decision import Verdict
from review.models.triggers import append_only


class Gold(models.Model):
    """A decided record that comes back to reviewers unseen, to see whether they decide as it was decided.

    `shown` is the wording that they see, the one that was first decided on; `decision` is the answer that is right.
    """

    record = models.ForeignKey("review.Record", models.PROTECT, related_name="golds", verbose_name=_("record"))
    shown = models.ForeignKey(
        "review.Revision",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("wording shown"),
    )
    decision = models.ForeignKey(
        "review.Decision",
        models.PROTECT,
        related_name="golds",
        db_index=False,
        verbose_name=_("right decision"),
    )
    verdict = models.CharField(_("right verdict"), max_length=8, choices=Verdict)
    reason = models.TextField(_("reason"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("at"), db_default=Now())
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True)

    class Meta:
        verbose_name = _("gold record")
        verbose_name_plural = _("gold records")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="review_gold_once_a_record",
                fields=["record"],
                condition=Q(retired_at=None),
                violation_error_message=_("This record is marked as gold already."),
            ),
            models.CheckConstraint(
                name="review_gold_verdict_known",
                condition=Q(verdict__in=["approve", "reject"]),
                violation_error_message=_("What was approved or rejected can be gold."),
            ),
            models.CheckConstraint(
                name="review_gold_states_its_reason",
                condition=~Q(reason=""),
                violation_error_message=_("Say what a reviewer who fails here should learn."),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}"


class GoldAnswer(models.Model):
    """What a reviewer decided on a gold record without knowing it, and whether that was right."""

    gold = models.ForeignKey(Gold, models.PROTECT, related_name="answers", verbose_name=_("gold record"))
    decision = models.OneToOneField(
        "review.Decision",
        models.PROTECT,
        related_name="gold_answer",
        verbose_name=_("decision"),
    )
    is_right = models.BooleanField(_("right"))

    class Meta:
        verbose_name = _("answer to gold")
        verbose_name_plural = _("answers to gold")
        triggers: ClassVar = append_only()

    def __str__(self) -> str:
        return f"{self.decision_id}"


class Pause(models.Model):
    """A reviewer who gets no more records until a manager has spoken with them."""

    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="pauses",
        verbose_name=_("reviewer"),
    )
    reason = models.TextField(_("reason"))
    at = models.DateTimeField(_("at"), db_default=Now())
    sent_back = models.PositiveIntegerField(_("decisions sent back"), default=0)
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("lifted by"),
    )

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="review_pause_one_at_a_time",
                fields=["reviewer"],
                condition=Q(lifted_at=None),
                violation_error_message=_("This person is paused already."),
            ),
            models.CheckConstraint(
                name="review_pause_lifted_by_somebody",
                condition=Q(lifted_at=None, lifted_by=None) | Q(lifted_at__isnull=False, lifted_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer}"
