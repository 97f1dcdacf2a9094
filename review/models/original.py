from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from review.models.triggers import append_only, erasable


class Original(models.Model):
    """What stood in the file: the raw bytes of a record, and what the file claimed of it, never believed."""

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="originals",
        verbose_name=_("record"),
    )
    batch = models.ForeignKey(
        "review.Batch",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("batch"),
    )
    line = models.PositiveIntegerField(_("line"))
    offset = models.PositiveBigIntegerField(_("byte offset"))
    raw = models.BinaryField(_("raw bytes"))
    claimed_human_verified = models.BooleanField(_("claimed to be verified"), null=True)
    claimed_copyright = models.TextField(_("claimed copyright"), null=True)  # noqa: DJ001  absent and empty differ

    repairs = ArrayField(
        models.CharField(max_length=40),
        verbose_name=_("repaired by"),
        default=list,
        db_default=[],
        help_text="The rules that mended the texts that came in; the raw bytes stay as they were.",
    )

    class Meta:
        verbose_name = _("original")
        verbose_name_plural = _("originals")
        triggers: ClassVar = erasable("original", "raw", "claimed_copyright")

    def __str__(self) -> str:
        return f"{self.batch_id}:{self.line}"


class Duplicate(models.Model):
    """A line that was not loaded, because its key was taken: linked to the record that holds it."""

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="duplicates",
        verbose_name=_("record"),
    )
    batch = models.ForeignKey(
        "review.Batch",
        models.PROTECT,
        related_name="duplicates",
        verbose_name=_("batch"),
    )
    line = models.PositiveIntegerField(_("line"))
    offset = models.PositiveBigIntegerField(_("byte offset"))

    class Meta:
        verbose_name = _("duplicate")
        verbose_name_plural = _("duplicates")
        triggers: ClassVar = append_only()

    def __str__(self) -> str:
        return f"{self.batch_id}:{self.line}"
