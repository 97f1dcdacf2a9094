from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.tracking import tracked
from review.models.triggers import sealed


@tracked("label")
class Label(models.Model):
    """A word of the controlled vocabulary. A merged label stays, as an alias that is resolved when a release is cut."""

    class Kind(models.TextChoices):
        MAJOR = "major", _("main task type")
        MINOR = "minor", _("fine task type")
        DOMAIN = "domain", _("domain")

    kind = models.CharField(_("kind"), max_length=6, choices=Kind)
    name = models.CharField(_("name"), max_length=100)
    alias_of = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="aliases",
        verbose_name=_("alias of"),
    )

    class Meta:
        verbose_name = _("label")
        verbose_name_plural = _("labels")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="review_label_once_a_kind",
                fields=["kind", "name"],
                violation_error_message=_("This label exists already."),
            ),
            models.CheckConstraint(
                name="review_label_not_its_own_alias",
                condition=Q(alias_of=None) | ~Q(alias_of=F("id")),
                violation_error_message=_("A label is no alias of itself."),
            ),
            models.CheckConstraint(
                name="review_label_kind_known",
                condition=Q(kind__in=["major", "minor", "domain"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Guideline(models.Model):
    """One version of what reviewers go by, in Markdown: for every source, or for one."""

    source = models.ForeignKey(
        "review.Source",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="guidelines",
        verbose_name=_("source"),
    )
    version = models.PositiveIntegerField(_("version"))
    text = models.TextField(_("text"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("guideline")
        verbose_name_plural = _("guidelines")
        triggers: ClassVar = sealed("guideline")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="review_guideline_version",
                fields=["source", "version"],
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.version}"
