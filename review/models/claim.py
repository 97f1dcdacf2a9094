from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Claim(models.Model):
    """A record held by one person for a while. The lease runs by the database's clock and ends by itself."""

    class Purpose(models.TextChoices):
        REVIEW = "review", _("review")
        SETTLE = "settle", _("settling")
        GOLD = "gold", _("gold")
        INSPECT = "inspect", _("inspection")

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="claims",
        db_index=False,
        verbose_name=_("record"),
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="claims",
        verbose_name=_("reviewer"),
    )
    purpose = models.CharField(_("purpose"), max_length=7, choices=Purpose, default=Purpose.REVIEW)
    token = models.UUIDField(_("token"))
    lease_until = models.DateTimeField(_("lease until"))

    class Meta:
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="review_claim_one_per_record",
                fields=["record"],
                condition=Q(purpose__in=["review", "settle"]),
                violation_error_message=_("Somebody else holds this record."),
            ),
            models.UniqueConstraint(name="review_claim_one_per_reviewer", fields=["record", "reviewer"]),
            models.CheckConstraint(
                name="review_claim_purpose_known",
                condition=Q(purpose__in=["review", "settle", "gold", "inspect"]),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}"


class Skip(models.Model):
    """A record that a person has put aside: it comes back to them when nothing else waits."""

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="skips",
        db_index=False,
        verbose_name=_("record"),
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="skips",
        verbose_name=_("reviewer"),
    )
    reason = models.TextField(_("reason"), blank=True, default="")
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("skip")
        verbose_name_plural = _("skips")
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_skip_one_per_reviewer", fields=["record", "reviewer"]),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}"


class Draft(models.Model):
    """What a person has typed about a record and not yet decided: kept over crash, sign-out and lost lease."""

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="drafts",
        db_index=False,
        verbose_name=_("record"),
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="drafts",
        verbose_name=_("reviewer"),
    )
    seen_revision = models.ForeignKey(
        "review.Revision",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("revision seen"),
    )
    fields = models.JSONField(_("fields"))
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_draft_one_per_reviewer", fields=["record", "reviewer"]),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}"
