from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from review.models.tracking import tracked
from review.text.draw import Looks


def _names(model: "Category | Source") -> str:
    return model.name_en if (get_language() or "").startswith("en") else model.name_zh


@tracked("category")
class Category(models.Model):
    """A group of sources, such as social media or medicine."""

    slug = models.SlugField(_("slug"), unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=100)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return _names(self)


class Method(models.TextChoices):
    """How raw material of a source becomes candidates."""

    QUALITY_FILTER = "quality-filter", _("staged quality filter")
    TEMPLATES = "templates", _("hand-written prompt templates")
    RULES = "rules", _("rules")
    OPEN_DATA = "open-data", _("open data set")
    MODEL_DRAFTED = "model-drafted", _("drafted by a model, edited by a person")
    HUMAN_CHECK = "human-check", _("human check")


class AnswerFrom(models.TextChoices):
    """Who wrote the answer."""

    HUMAN = "human", _("a person")
    LLM = "llm", _("a model")
    EXPERT = "expert", _("an expert")


@tracked("source")
class Source(models.Model):
    """Where candidates come from: data that managers edit, not code."""

    slug = models.SlugField(_("slug"), unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=100)
    category = models.ForeignKey(Category, models.PROTECT, related_name="sources", verbose_name=_("category"))
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    address = models.URLField(_("address"), blank=True, default="")
    target = models.PositiveIntegerField(_("target"), default=0)
    methods = ArrayField(
        models.CharField(max_length=20, choices=Method),
        verbose_name=_("methods"),
        default=list,
    )
    major = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("main task types"),
        default=list,
        blank=True,
    )
    minor = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("fine task types"),
        default=list,
        blank=True,
    )
    domain = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("domains"),
        default=list,
        blank=True,
    )
    labels_go_together = models.BooleanField(
        _("labels of a kind go together"),
        default=False,
        db_default=False,
        help_text=_("A candidate without labels gets all of them. Else, of several, a person chooses."),
    )
    answer_from = models.CharField(_("answers from"), max_length=6, choices=AnswerFrom, blank=True, default="")
    rights = models.ForeignKey(
        "review.Rights",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("rights"),
    )
    templates = models.JSONField(_("prompt templates"), default=dict, blank=True)
    copyright_template = models.CharField(
        _("template of the copyright text"),
        max_length=500,
        blank=True,
        default="",
        help_text=_("With {holder}, {licence}, {address} and {source}. Empty: holder and licence."),
    )
    rules = models.JSONField(_("rules switched on"), default=dict, blank=True)
    thresholds = models.JSONField(_("thresholds"), default=dict, blank=True)
    second_looks = models.DecimalField(_("share of second looks, per cent"), max_digits=5, decimal_places=2, default=0)
    second_looks_seed = models.CharField(_("seed of the draw"), max_length=64, blank=True, default="")
    looks = models.PositiveSmallIntegerField(_("decisions wanted of a record that is drawn"), default=2)
    looks_at_flagged = models.BooleanField(_("flagged records want as many"), default=False)
    looks_at_longer_than = models.PositiveIntegerField(
        _("longer records want as many, in characters"),
        default=0,
        help_text=_("0 for no limit."),
    )
    looks_at_model_written = models.BooleanField(_("answers by a model want as many"), default=False)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_source_second_looks_share",
                condition=models.Q(second_looks__range=(0, 100)),
                violation_error_message=_("The share of second looks lies between 0 and 100 per cent."),
            ),
            models.CheckConstraint(
                name="review_source_looks_two_or_three",
                condition=models.Q(looks__range=(2, 3)),
                violation_error_message=_("A record that is drawn wants two or three decisions."),
            ),
        ]

    def __str__(self) -> str:
        return _names(self)

    @property
    def second_look_rule(self) -> Looks:
        """Return which of its records want more than one decision."""
        return Looks(
            share=float(self.second_looks) / 100,
            seed=self.second_looks_seed,
            looks=self.looks,
            flagged=self.looks_at_flagged,
            longer_than=self.looks_at_longer_than,
            model_written=self.looks_at_model_written,
        )

    @property
    def names(self) -> tuple[str, str, str]:
        """All that the source is called."""
        return self.slug, self.name_zh, self.name_en

    @property
    def active_rules(self) -> frozenset[str]:
        """The rules that are switched on for the source: of the repairs and drops, none of the others."""
        return frozenset(rule for rule, is_on in self.rules.items() if is_on)
