from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Cast, Now
from django.utils.translation import gettext_lazy as _

from review.models.source import AnswerFrom
from review.models.triggers import ToBeSealedByAuthor, erasable
from review.text.rules import Texts

if TYPE_CHECKING:
    from review.models.source import Source

NO_METADATA = "暂无元数据信息"


class Revision(models.Model):
    """One wording of a record, with its labels. Never changed: an edit is another revision."""

    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="revisions",
        db_index=False,
        verbose_name=_("record"),
    )
    number = models.PositiveSmallIntegerField(_("number"))
    instruction = models.TextField(_("instruction"))
    input = models.TextField(_("input"), blank=True)
    output = models.TextField(_("output"), blank=True)
    task_type = models.JSONField(_("task types"))
    domain = models.JSONField(_("domains"))
    task_type_text = models.GeneratedField(
        expression=Cast("task_type", models.TextField()),
        output_field=models.TextField(),
        db_persist=True,
        help_text="The bytes that an export writes: the lists need no building then.",
    )
    domain_text = models.GeneratedField(
        expression=Cast("domain", models.TextField()),
        output_field=models.TextField(),
        db_persist=True,
    )
    metadata = models.TextField(_("metadata"), default=NO_METADATA)
    answer_from = models.CharField(_("answer from"), max_length=6, choices=AnswerFrom, blank=True, default="")
    sha256 = models.BinaryField(_("sha256"), max_length=32)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("author"),
    )
    batch = models.ForeignKey(
        "review.Batch",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("batch"),
    )
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        triggers: ClassVar = [
            *erasable(
                *("revision", "instruction", "input", "output", "metadata"),
                generated=("task_type_text", "domain_text"),
            ),
            ToBeSealedByAuthor(name="to_be_sealed"),
        ]
        indexes: ClassVar = [
            BrinIndex(name="review_revision_batch", fields=["batch"], autosummarize=True),
            models.Index(fields=["record"], name="review_revision_reworded", condition=models.Q(number__gt=1)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_revision_of_record", fields=["id", "record"]),
            models.UniqueConstraint(name="review_revision_number", fields=["record", "number"]),
            models.CheckConstraint(
                name="review_revision_answer_from_known",
                condition=models.Q(answer_from__in=["", *AnswerFrom.values]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.record_id}/{self.number}"

    def texts(self, source: "Source") -> Texts:
        """Return what rules look at; `source` is the record's."""
        return Texts(
            self.instruction,
            self.input,
            self.output,
            self.metadata,
            self.task_type["major"],
            self.task_type["minor"],
            self.domain,
            self.answer_from,
            source.names,
        )
