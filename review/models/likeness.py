from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class SignatureRun(models.Model):
    """Records whose signatures were made together: their ids by place, eight bytes each.

    Once `is_compared`, each of them has been compared with every record that was signed before.
    """

    records = models.BinaryField(_("records"))
    number = models.PositiveIntegerField(_("number of records"))
    is_compared = models.BooleanField(_("compared"), default=False)

    class Meta:
        verbose_name = _("run of signatures")
        verbose_name_plural = _("runs of signatures")

    def __str__(self) -> str:
        return f"{self.pk}"


class SignatureBand(models.Model):
    """One of the numbers that the records of a run are known by: four bytes a record, in the order of the run."""

    run = models.ForeignKey(
        SignatureRun,
        models.DO_NOTHING,
        related_name="bands",
        db_index=False,
        db_constraint=False,
        verbose_name=_("run"),
    )
    band = models.PositiveSmallIntegerField(_("band"))
    numbers = models.BinaryField(_("numbers"))

    class Meta:
        verbose_name = _("band of signatures")
        verbose_name_plural = _("bands of signatures")
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_signatureband_once", fields=["band", "run"]),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.band}"


class NearDuplicate(models.Model):
    """Two records whose texts are nearly the same, checked shingle by shingle; `other` is the later one."""

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("record"),
    )
    other = models.ForeignKey("review.Record", models.PROTECT, related_name="+", verbose_name=_("other record"))
    similarity = models.FloatField(_("similarity"))

    class Meta:
        verbose_name = _("near-duplicate")
        verbose_name_plural = _("near-duplicates")
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_nearduplicate_once", fields=["record", "other"]),
            models.CheckConstraint(name="review_nearduplicate_in_order", condition=Q(record__lt=F("other"))),
            models.CheckConstraint(name="review_nearduplicate_share", condition=Q(similarity__range=(0, 1))),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id} ~ #{self.other_id}"
