"""Policies: which licences may leave under which name. What never leaves is not to be chosen, and refused below."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from exports.models import Policy
from review.models import Licence
from review.views.answers import Request, SeeOther, for_managers

if TYPE_CHECKING:
    from collections.abc import Sequence

RESERVED = {"new"}
CHOICES: "Sequence[tuple[str, Any]]" = [
    (licence.value, licence.label) for licence in Licence if licence not in Licence.never_leaving()
]


class PolicyForm(forms.Form):
    """A policy as a manager words it."""

    slug = forms.SlugField(label=_("Name in commands and addresses"), max_length=50)
    name_zh = forms.CharField(label=_("Chinese name"), max_length=100)
    name_en = forms.CharField(label=_("English name"), max_length=100)
    licences = forms.MultipleChoiceField(label=_("Licences that may leave"), choices=CHOICES)
    is_internal = forms.BooleanField(label=_("For training in the house only"), required=False)

    def clean(self) -> dict[str, Any]:
        """Keep texts of unknown rights in the house."""
        said = super().clean() or {}
        if Licence.UNKNOWN in said.get("licences", ()) and not said.get("is_internal"):
            self.add_error("licences", gettext("Texts of unknown rights leave only for use in the house."))
        if said.get("slug") in RESERVED:
            self.add_error("slug", gettext("This name is taken by an address. Choose another one."))
        return said


@require_safe
@for_managers
def index(request: Request) -> HttpResponse:
    """Show the policies, and how many releases were cut under each."""
    policies = Policy.objects.annotate(number=Count("releases")).order_by("slug")
    labels = dict(Licence.choices)
    rows = [(policy, [labels[name] for name in sorted(policy.licences)]) for policy in policies]
    return render(request, "exports/policies.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def create(request: Request) -> HttpResponse:
    """Make another policy."""
    return _edit(request, Policy())


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def edit(request: Request, slug: str) -> HttpResponse:
    """Change a policy: releases that were cut keep what they were cut under."""
    return _edit(request, get_object_or_404(Policy, slug=slug))


def _edit(request: Request, policy: Policy) -> HttpResponse:
    fields = list(PolicyForm.base_fields)
    form = PolicyForm(
        request.POST if request.method == "POST" else None, initial={f: getattr(policy, f) for f in fields}
    )
    if policy.pk:
        form.fields["slug"].disabled = True
    if request.method == "POST" and form.is_valid() and _saved(policy, form):
        said = gettext("The policy “%(name)s” is kept.") % {"name": policy.slug}
        messages.success(request, said)
        return SeeOther(reverse("exports:policies"))
    context = {"policy": policy, "form": form, "chosen": set(form["licences"].value() or ()), "choices": CHOICES}
    return render(request, "exports/policy.html", context, status=422 if form.errors else 200)


def _saved(policy: Policy, form: PolicyForm) -> bool:
    """Write the policy; whatever the database refuses becomes an error of the form."""
    for name, value in form.cleaned_data.items():
        setattr(policy, name, sorted(value) if name == "licences" else value)
    try:
        with transaction.atomic():
            policy.save()
    except IntegrityError:
        form.add_error("slug", gettext("A policy of this name exists already."))
        return False
    return True
