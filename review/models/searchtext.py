from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _


class SearchText(models.Model):
    """What is searched of a record: the beginning of its texts, folded, and its labels, each with its kind before it.

    `length` is that of the answer, in characters. Where `run` is empty it is in no index yet.
    """

    record = models.OneToOneField(
        "review.Record",
        models.PROTECT,
        primary_key=True,
        related_name="search_text",
        db_constraint=False,
        verbose_name=_("record"),
    )
    text = models.TextField(_("text"))
    labels = ArrayField(models.TextField(), default=list, verbose_name=_("labels"))
    length = models.PositiveIntegerField(_("length of the answer"), default=0)
    run = models.ForeignKey(
        "review.SearchRun",
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("run"),
    )

    class Meta:
        verbose_name = _("search text")
        verbose_name_plural = _("search texts")
        indexes: ClassVar = [
            models.Index(fields=["record"], name="review_searchtext_loose", condition=Q(run=None)),
            models.Index(fields=["length"], include=["record"], name="review_searchtext_by_length"),
            models.Index(Length("text"), name="review_searchtext_cut"),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}"


class SearchRun(models.Model):
    """Records that were indexed together: their ids by place, eight bytes each, the lowest first.

    Where they follow one another without a gap, the first below zero and the last.
    """

    records = models.BinaryField(_("records"))

    class Meta:
        verbose_name = _("run of the search index")
        verbose_name_plural = _("runs of the search index")

    def __str__(self) -> str:
        return f"{self.pk}"


class SearchShelf(models.Model):
    """A part of the index of a run: where some of the pairs of characters stand, as `review.text.grams` packs it."""

    run = models.ForeignKey(
        SearchRun,
        models.DO_NOTHING,
        related_name="shelves",
        db_constraint=False,
        verbose_name=_("run"),
    )
    shelf = models.PositiveSmallIntegerField(_("shelf"))
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("shelf of the search index")
        verbose_name_plural = _("shelves of the search index")
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_searchshelf_once", fields=["shelf", "run"]),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.shelf}"
