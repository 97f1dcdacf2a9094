from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Comment(models.Model):
    """What somebody had to say about a record, for whoever works on it next. `round` is the record's at that time."""

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="comments",
        db_index=False,
        verbose_name=_("record"),
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("by"),
    )
    round = models.PositiveSmallIntegerField(_("round"))
    text = models.TextField(_("text"))
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        indexes: ClassVar = [models.Index(fields=["record", "id"], name="review_comment_of_record")]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_comment_says_something",
                condition=~Q(text=""),
                violation_error_message=_("Write something first."),
            ),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"#{self.record_id}: {self.by}"
