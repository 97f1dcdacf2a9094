"""The licences that a policy or a release names, and what neither may say."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from review.models import Licence


def licences_field() -> "ArrayField[Any, Any]":
    field = models.CharField(max_length=40, choices=Licence)
    return ArrayField(field, verbose_name=_("licences"))


def licence_rules(model: str) -> list[models.CheckConstraint]:
    """Return what no policy and no release may say, whoever writes it: some licences never leave."""
    return [
        models.CheckConstraint(
            name=f"exports_{model}_licences_known",
            condition=Q(licences__contained_by=list(Licence.values)) & ~Q(licences=[]),
            violation_error_message=_("Choose at least one of the known licences."),
        ),
        models.CheckConstraint(
            name=f"exports_{model}_nothing_forbidden",
            condition=~Q(licences__overlap=sorted(Licence.never_leaving())),
            violation_error_message=_("What is restricted or objected to never leaves."),
        ),
        models.CheckConstraint(
            name=f"exports_{model}_unknown_only_internal",
            condition=Q(is_internal=True) | ~Q(licences__contains=[Licence.UNKNOWN]),
            violation_error_message=_("Texts of unknown rights leave only for use in the house."),
        ),
    ]
