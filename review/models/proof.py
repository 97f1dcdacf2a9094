from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.triggers import append_only


class Proof(models.Model):
    """One run of the proof query: how many records are marked verified, and which of them nothing justifies."""

    at = models.DateTimeField(_("at"), db_default=Now())
    verified = models.PositiveIntegerField(_("records marked verified"))
    problems = models.PositiveIntegerField(_("of them without proof"))
    records = models.JSONField(_("the first of these"), default=list)
    seconds = models.FloatField(_("seconds taken"))

    class Meta:
        verbose_name = _("proof")
        verbose_name_plural = _("proofs")
        triggers: ClassVar = append_only()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {self.problems} / {self.verified}"
