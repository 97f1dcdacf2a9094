from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.constraints import CompositeForeignKey
from review.models.triggers import sealed


class Verdict(models.TextChoices):
    APPROVE = "approve", _("approve")
    REJECT = "reject", _("reject")
    REWRITE = "rewrite", _("rewrite")
    ESCALATE = "escalate", _("escalate")


class Role(models.TextChoices):
    """What a person may do: the name of a group."""

    REVIEWER = "reviewer", _("reviewer")
    SETTLER = "settler", _("settler")
    MANAGER = "manager", _("manager")
    CONSUMER = "consumer", _("consumer")


class Decision(models.Model):
    """What a person said of a record's text, as they saw it. Undoing it is a withdrawal, never a change."""

    class Kind(models.TextChoices):
        REVIEW = "review", _("review")
        SETTLE = "settle", _("settling")
        GOLD = "gold", _("gold")
        INSPECT = "inspect", _("inspection")

    class RightsSaid(models.TextChoices):
        CONFIRM = "confirm", _("confirmed")
        SET = "set", _("set")
        OBJECT = "object", _("objected to")

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="decisions",
        db_index=False,
        verbose_name=_("record"),
    )
    revision = models.ForeignKey(
        "review.Revision",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("revision judged or written"),
    )
    seen_revision = models.ForeignKey(
        "review.Revision",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("revision seen"),
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="decisions",
        db_index=False,
        verbose_name=_("reviewer"),
    )
    role = models.CharField(_("role"), max_length=8, choices=Role)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind, default=Kind.REVIEW)
    verdict = models.CharField(_("verdict"), max_length=8, choices=Verdict)
    approves = models.GeneratedField(
        expression=Q(verdict=Verdict.APPROVE) & Q(kind__in=["review", "settle"]),  # type: ignore[arg-type]  # a Q is one
        output_field=models.BooleanField(_("approves")),
        db_persist=True,
        verbose_name=_("approves"),
    )
    reason = models.TextField(_("reason"), blank=True, default="")
    round = models.PositiveSmallIntegerField(_("round"))
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    rights_said = models.CharField(
        _("said of the rights"),
        max_length=7,
        choices=RightsSaid,
        blank=True,
        default="",
    )
    rights = models.ForeignKey(
        "review.Rights",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("rights"),
    )
    seconds = models.PositiveIntegerField(_("seconds spent"), default=0)
    guideline = models.ForeignKey(
        "review.Guideline",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("guideline"),
    )
    request_id = models.UUIDField(_("request id"), unique=True)
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        triggers: ClassVar = sealed("decision", "reason", generated=("approves",))
        indexes: ClassVar = [
            models.Index(fields=["reviewer", "-at", "-id"], name="review_decision_of_reviewer"),
            models.Index(fields=["reviewer", "record"], name="review_decision_by_reviewer"),
            models.Index(
                fields=["at"],
                include=["kind", "reviewer", "verdict", "seconds", "record", "revision", "seen_revision"],
                name="review_decision_counted",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="review_decision_once_a_try",
                fields=["record", "round", "reviewer", "attempt"],
                condition=Q(kind="review"),
                violation_error_message=_("You have decided on this record already."),
            ),
            models.UniqueConstraint(
                name="review_decision_of_revision",
                fields=["record", "id", "revision", "approves"],
            ),
            models.CheckConstraint(
                name="review_decision_rights_said",
                condition=~Q(verdict="approve") | ~Q(rights_said=""),
                violation_error_message=_("An approval confirms, sets or objects to the rights."),
            ),
            models.CheckConstraint(
                name="review_decision_rejection_has_reason",
                condition=~Q(verdict="reject") | ~Q(reason=""),
                violation_error_message=_("A rejection states its reason."),
            ),
            models.CheckConstraint(
                name="review_decision_words_known",
                condition=Q(
                    verdict__in=Verdict.values,
                    kind__in=["review", "settle", "gold", "inspect"],
                    role__in=Role.values,
                    rights_said__in=["", "confirm", "set", "object"],
                ),
            ),
            CompositeForeignKey(
                name="review_decision_own_revision",
                columns=["revision_id", "record_id"],
                to="review.Revision",
                to_columns=["id", "record_id"],
            ),
            CompositeForeignKey(
                name="review_decision_own_seen_revision",
                columns=["seen_revision_id", "record_id"],
                to="review.Revision",
                to_columns=["id", "record_id"],
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}: {self.get_verdict_display()}"


class Withdrawal(models.Model):
    """A decision taken back. It stays in the history and counts no more."""

    class Kind(models.TextChoices):
        UNDO = "undo", _("undone")
        GOLD = "gold", _("failed gold")
        BATCH = "batch", _("batch sent back")
        SEND_BACK = "send_back", _("sent back")

    decision = models.OneToOneField(Decision, models.PROTECT, related_name="withdrawal", verbose_name=_("decision"))
    kind = models.CharField(_("kind"), max_length=9, choices=Kind)
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
        verbose_name = _("withdrawal")
        verbose_name_plural = _("withdrawals")
        triggers: ClassVar = sealed("withdrawal", "reason")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_withdrawal_kind_known",
                condition=Q(kind__in=["undo", "gold", "batch", "send_back"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.decision_id}: {self.get_kind_display()}"
