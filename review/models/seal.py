from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.triggers import NoTruncate, append_only, sealed


class Seal(models.Model):
    """One link of the hash chain over the history: its number is the cursor of the change feed."""

    no = models.BigIntegerField(_("number"), primary_key=True)
    kind = models.CharField(_("kind"), max_length=20)
    row = models.BigIntegerField(_("row"))
    hash = models.BinaryField(_("hash"), max_length=32)

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        triggers: ClassVar = append_only()
        constraints: ClassVar = [models.UniqueConstraint(name="review_seal_once", fields=["kind", "row"])]

    def __str__(self) -> str:
        return f"{self.no}"


class Unsealed(models.Model):
    """A row of the history that the sealer has not reached yet: noted in the transaction that wrote it."""

    kind = models.CharField(_("kind"), max_length=20)
    row = models.BigIntegerField(_("row"))

    class Meta:
        verbose_name = _("row to be sealed")
        verbose_name_plural = _("rows to be sealed")
        triggers: ClassVar = [NoTruncate(name="no_truncate")]

    def __str__(self) -> str:
        return f"{self.kind} {self.row}"


class Intake(models.Model):
    """A chunk of an import as it came in: the audit row of its wordings, which have none of their own.

    `sha256` is that of the content hashes of `revisions`, one after the other; `originals` that of the hashes of the
    raw line and the claimed copyright text of each.
    """

    batch = models.ForeignKey("review.Batch", models.PROTECT, related_name="intakes", verbose_name=_("batch"))
    revisions = ArrayField(models.BigIntegerField(), verbose_name=_("revisions"))
    sha256 = models.BinaryField(_("sha256"), max_length=32)
    originals = models.BinaryField(_("sha256 of the raw lines"), max_length=32, null=True)
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("intake")
        verbose_name_plural = _("intakes")
        triggers: ClassVar = sealed("intake")

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.pk}"


class Erased(models.Model):
    """The texts of one row that a takedown has blanked: their hashes, by column, so that its seal still holds."""

    kind = models.CharField(_("kind"), max_length=20)
    row = models.BigIntegerField(_("row"))
    hashes = models.JSONField(_("hashes"))
    takedown = models.ForeignKey("review.Takedown", models.PROTECT, related_name="erased", verbose_name=_("takedown"))
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("erased text")
        verbose_name_plural = _("erased texts")
        triggers: ClassVar = sealed("erased")
        constraints: ClassVar = [models.UniqueConstraint(name="review_erased_once", fields=["kind", "row"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.row}"
