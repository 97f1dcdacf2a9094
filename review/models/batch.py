from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Batch(models.Model):
    """One import as review knows it: everything that came in together, from one source."""

    source = models.ForeignKey(
        "review.Source",
        models.PROTECT,
        related_name="batches",
        verbose_name=_("source"),
    )
    name = models.CharField(_("name"), max_length=200)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), db_default=Now())
    rights = models.ForeignKey(
        "review.Rights",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("rights"),
    )

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(name="review_batch_of_source", fields=["id", "source"])]
        verbose_name = _("batch")
        verbose_name_plural = _("batches")

    def __str__(self) -> str:
        return self.name
