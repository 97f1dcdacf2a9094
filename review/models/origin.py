from django.db import models
from django.utils.translation import gettext_lazy as _


class Origin(models.Model):
    """What is said of where a record comes from, beside its texts: metadata, claims, what else stood in the file.

    Written by the search pass, in small letters, for the records of which anything is said: a narrow table that is
    read whole in a fraction of the time that the raw lines themselves take.
    """

    record = models.OneToOneField(
        "review.Record",
        models.PROTECT,
        primary_key=True,
        related_name="+",
        db_constraint=False,
        verbose_name=_("record"),
    )
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("origin")
        verbose_name_plural = _("origins")

    def __str__(self) -> str:
        return f"#{self.record_id}"
