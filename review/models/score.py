from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

BEST = 10
BY_RULES = "rules"
REASONS = {
    "unanswered": _("there was no answer yet"),
    "given_up": _("the model had failed too often"),
    "unreachable": _("the model could not be reached"),
    "no_answer": _("the model gave no answer"),
    "no_score": _("the model's answer held no score"),
}
"""Why a record has no score, by the word that is kept; ``http_…`` is the status that the model's server answered."""


class Score(models.Model):
    """What the wording that came in last was worth as it came in, from 0 to 10; none where `unscored` says why.

    Records that nobody asked a score of have no row: their source demanded none.
    """

    record = models.OneToOneField(
        "review.Record",
        models.PROTECT,
        primary_key=True,
        related_name="score",
        verbose_name=_("record"),
    )
    value = models.FloatField(_("quality score"), null=True, blank=True)
    scorer = models.CharField(_("scored by"), max_length=100, help_text=_("“rules”, or the model."))
    unscored = models.CharField(_("not scored because"), max_length=40, blank=True, default="")

    class Meta:
        verbose_name = _("quality score")
        verbose_name_plural = _("quality scores")
        indexes: ClassVar = [
            models.Index(name="review_score_value", fields=["value", "record"], condition=Q(value__isnull=False))
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_score_in_range", condition=Q(value__isnull=True) | Q(value__range=(0, BEST))
            ),
            models.CheckConstraint(
                name="review_score_or_reason",
                condition=Q(value__isnull=False, unscored="") | (Q(value__isnull=True) & ~Q(unscored="")),
                violation_error_message=_("Say why there is no score."),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}: {self.value}"
