from collections.abc import Collection
from typing import ClassVar

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from review.models.constraints import CompositeForeignKey


class Flag(models.Model):
    """What one rule points out in one wording of a record: `spans` are [field, start, end] in characters.

    Start and end are 0 where the whole field is meant. Flags follow from text and rules and may be written anew.
    """

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="flags",
        db_index=False,
        db_constraint=False,
        verbose_name=_("record"),
    )
    revision = models.ForeignKey(
        "review.Revision",
        models.PROTECT,
        related_name="flags",
        db_index=False,
        db_constraint=False,
        verbose_name=_("revision"),
    )
    rule = models.CharField(_("rule"), max_length=40)
    spans = models.JSONField(_("places"))

    class Meta:
        verbose_name = _("flag")
        verbose_name_plural = _("flags")
        indexes: ClassVar = [models.Index(name="review_flag_rule", fields=["rule", "record"])]
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_flag_once_a_revision", fields=["revision", "rule"]),
            CompositeForeignKey(
                name="review_flag_of_own_revision",
                columns=["revision_id", "record_id"],
                to="review.Revision",
                to_columns=["id", "record_id"],
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id} {self.rule}"


def is_flagged_by(rules: Collection[str]) -> Exists:
    """Return the condition on records that one of the rules found something in the current wording."""
    return Exists(Flag.objects.filter(revision=OuterRef("revision"), rule__in=sorted(rules)))
