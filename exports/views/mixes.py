"""Mixes: how much of which source, drawn by a seed. Releases that were cut keep what they were cut with."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from exports.forms import MixForm
from exports.models import Mix
from exports.options import Mixture
from review.models import Source
from review.views.answers import Request, SeeOther, for_managers


@require_safe
@for_managers
def index(request: Request) -> HttpResponse:
    """Show the mixes with what each takes at most."""
    names = {source.slug: str(source) for source in Source.objects.all()}
    rows = []
    for mix in Mix.objects.order_by("slug"):
        mixture = Mixture.from_json(mix.spec)
        rows.append((mix, mixture, [(names.get(slug, slug), cap) for slug, cap in mixture.caps]))
    return render(request, "exports/mixes.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def create(request: Request) -> HttpResponse:
    """Make another mix."""
    return _edit(request, Mix())


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def edit(request: Request, slug: str) -> HttpResponse:
    """Change a mix."""
    return _edit(request, get_object_or_404(Mix, slug=slug))


def _edit(request: Request, mix: Mix) -> HttpResponse:
    form = MixForm(request.POST if request.method == "POST" else None, initial=_initial(mix))
    if mix.pk:
        form.fields["slug"].disabled = True
    if request.method == "POST" and form.is_valid() and _saved(mix, form):
        messages.success(request, gettext("The mix “%(name)s” is kept.") % {"name": mix.slug})
        return SeeOther(reverse("exports:mixes"))
    return render(request, "exports/mix.html", {"mix": mix, "form": form}, status=422 if form.errors else 200)


def _initial(mix: Mix) -> dict[str, Any]:
    known = Mixture.from_json(mix.spec)
    caps = {f"cap-{slug}": cap for slug, cap in known.caps}
    named = {name: getattr(mix, name) for name in ("slug", "name_zh", "name_en")}
    return named | caps | {"seed": known.seed if mix.pk else 42, "others": known.others}


def _saved(mix: Mix, form: MixForm) -> bool:
    """Write the mix; a name that is taken becomes an error of the form."""
    for name in ("slug", "name_zh", "name_en"):
        setattr(mix, name, form.cleaned_data[name])
    mix.spec = form.spec()
    try:
        with transaction.atomic():
            mix.save()
    except IntegrityError:
        form.add_error("slug", gettext("A mix of this name exists already."))
        return False
    return True
