"""What may leave: policies by licence, and mixes by source."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from exports.models.licences import licence_rules, licences_field
from review.models.tracking import tracked
from review.text.rules import RULES, Kind


def check_is_flag(name: str) -> None:
    if name not in RULES or RULES[name].kind != Kind.FLAG:
        raise ValidationError(_("There is no flag “%(name)s”.") % {"name": name})


def flags_field() -> "ArrayField[Any, Any]":
    field = models.CharField(max_length=40, validators=[check_is_flag])
    help_text = _("A record stays in the house while its current wording has one of these flags.")
    return ArrayField(field, verbose_name=_("flags that hold back"), default=list, blank=True, help_text=help_text)


@tracked("policy")
class Policy(models.Model):
    """A named set of licences whose texts may leave."""

    slug = models.SlugField(_("slug"))
    name_zh = models.CharField(_("Chinese name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=100)
    licences = licences_field()
    holds_back_flags = flags_field()
    is_internal = models.BooleanField(
        _("internal"),
        default=False,
        help_text=_("For training in the house: may hold texts of unknown rights, and is never published."),
    )

    are_labels_merged: bool
    """Set where a stream asks, with the policy, whether labels stand under other names."""

    class Meta:
        verbose_name = _("policy")
        verbose_name_plural = _("policies")
        constraints: ClassVar = [
            models.UniqueConstraint(name="exports_policy_slug", fields=["slug"]),
            *licence_rules("policy"),
        ]

    def __str__(self) -> str:
        return self.name_en if (get_language() or "").startswith("en") else self.name_zh


@tracked("mix")
class Mix(models.Model):
    """A named selection for training: how much of which source, drawn by a seed."""

    slug = models.SlugField(_("slug"))
    name_zh = models.CharField(_("Chinese name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=100)
    spec = models.JSONField(_("caps and seed"), default=dict)

    class Meta:
        verbose_name = _("mix")
        verbose_name_plural = _("mixes")
        constraints: ClassVar = [models.UniqueConstraint(name="exports_mix_slug", fields=["slug"])]

    def __str__(self) -> str:
        return self.name_en if (get_language() or "").startswith("en") else self.name_zh
