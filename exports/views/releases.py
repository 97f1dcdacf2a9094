"""Releases: the list, the plan with its counts, the cut, and one release from its cut to its download."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError as BrokerError

from exports import checking, releases, tasks
from exports.facts import CARD
from exports.forms import CutForm, PlanForm
from exports.held import held
from exports.models import Artifact, Mix, Policy, Release
from exports.options import CQIA, FORMATS, Options
from exports.releases import Plan
from exports.standing import Asked, standing
from exports.views.answers import readable, release_or_404
from exports.writers import COMPRESSIONS
from review.models import Source
from review.refused import Ground, Refused
from review.views.answers import Request, for_consumers, for_managers, go_to, page, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import QueryDict

ASKED = "exports.asked"
LATEST = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A source in a plan or a release: what it gives."""

    source: Source | dict[str, Any]
    records: int


@require_safe
@for_consumers
def index(request: Request) -> HttpResponse:
    """Show the releases, the latest first."""
    found = readable(request.user).order_by("-cut_at", "-pk")[:LATEST]
    return page(request, "exports/releases.html", {"releases": found})


@require_safe
@for_managers
def plan(request: Request) -> HttpResponse:
    """Show what a release cut now would hold and what it would hold back; nothing is written."""
    form = PlanForm(request.GET)
    if form.is_valid():
        return _plan(request, form)
    refused = Refused(form.refusal, ground=Ground.INVALID)
    return _plan(request, _without_what_is_wrong(form), refused=refused)


def _without_what_is_wrong(form: PlanForm) -> PlanForm:
    """Return a plan of what can be counted of a request: its policy and its sources, where there are such."""
    data = cast("QueryDict", form.data)
    kept = {name: data.getlist(name) for name in ("policy", "source") if name not in form.errors and name in data}
    plain = PlanForm(MultiValueDict(kept))
    plain.is_valid()
    return plain


def _plan(request: Request, form: PlanForm, *, refused: Refused | None = None, status: int = 200) -> HttpResponse:
    policy: Policy = form.cleaned_data["policy"]
    counted = releases.plan(policy=policy, options=form.options())
    sources = {source.slug: source for source in _sources()}
    context = {
        "form": form,
        "policies": Policy.objects.order_by("is_internal", "pk"),
        "policy": policy,
        "chosen": {source.slug for source in form.cleaned_data["source"]},
        "sources": sources.values(),
        "plan": counted,
        "rows": [Row(source, counted.records[slug]) for slug, source in sources.items() if slug in counted.records],
        "held": held(counted.held_back, sources),
        "held_total": sum(counted.reasons.values()),
        "version": request.POST.get("version", ""),
        "asked": request.POST or request.GET,
        "formats": [name for name in FORMATS if name != CQIA],
        "chosen_formats": (request.POST or request.GET).getlist("format"),
        "compressions": list(COMPRESSIONS),
        "mixes": Mix.objects.order_by("slug"),
        "is_plain": PlanForm(request.POST or request.GET).is_plain,
        "refused": refused,
    }
    return page(request, "exports/plan.html", context, status=status)


def _sources() -> "Iterable[Source]":
    return Source.objects.select_related("category").order_by("category__position", "position", "pk")


@require_POST
@for_managers
def cut(request: Request) -> HttpResponse:
    """Cut a release and have a worker build it; what is refused is told beside the plan."""
    form = CutForm(request.POST)
    try:
        version = _cut(request, form)
    except Refused as refused:
        fallback = PlanForm(request.POST)
        fallback = fallback if fallback.is_valid() else _without_what_is_wrong(fallback)
        return _plan(request, fallback, refused=refused, status=refusal(refused))
    return go_to(request, reverse("exports:release", args=[version]))


def _cut(request: Request, form: CutForm) -> str:
    """Cut what the form says and return the version."""
    if not form.is_valid():
        raise Refused(form.refusal, ground=Ground.INVALID)
    version: str = form.cleaned_data["version"]
    policy, options = form.cleaned_data["policy"], form.options()
    is_new = not Release.objects.filter(version=version).exists()
    if is_new:
        _check_not_empty(releases.plan(policy=policy, options=options))
    with suppress(BrokerError, OSError):  # it is cut; its page says when no worker takes it, and the sweep sends again
        releases.request(version=version, policy=policy, options=options, by=request.user)
    if not is_new:
        messages.info(
            request,
            _(
                "Release “%(version)s” existed already, made with the same options: nothing was cut. What was approved "
                "since goes into a release of another name."
            )
            % {"version": version},
        )
    _note_asked(request, Release.objects.get(version=version))
    return version


def _check_not_empty(plan: Plan) -> None:
    """Refuse a release that would hold nothing, and say what there is to decide."""
    if plan.total:
        return
    if plan.held_back:
        raise Refused(_("Nothing may leave under this policy. Decide the rights that are listed as held back."))
    raise Refused(_("There is nothing to release: no record has been approved yet. Review some first."))


def _note_asked(request: Request, release: Release) -> None:
    """Remember in the session since when somebody waits for a worker."""
    asked = request.session.get(ASKED, {})
    request.session[ASKED] = {**dict(list(asked.items())[-20:]), str(release.pk): [time.time(), release.fence]}


def _asked(request: Request, release: Release) -> Asked | None:
    known = request.session.get(ASKED, {}).get(str(release.pk))
    return Asked(*known) if known else None


@require_safe
@for_consumers
def show(request: Request, version: str) -> HttpResponse:
    """Show a release: how far its building is, or its files, what it holds back, its card."""
    release = release_or_404(request.user, version)
    artifacts = list(release.artifacts.defer("text").order_by("path"))
    by_slug = {source.slug: source for source in _sources()}
    context = {
        "release": release,
        "standing": standing(release, _asked(request, release)),
        "files": artifacts,
        "size": sum(artifact.bytes for artifact in artifacts),
        "rows": [Row(by_slug.get(said["slug"], said), said["records"]) for said in release.sources],
        "held": held(release.held_back, by_slug),
        "made_with": _made_with(release),
        "card": Artifact.objects.filter(release=release, path=CARD).values_list("text", flat=True).first(),
        "is_available": release.state in Release.AVAILABLE and not release.is_suspended,
        "checked": _found(release),
    }
    return page(request, "exports/release.html", context)


def _made_with(release: Release) -> list[tuple[Any, str]]:
    """Return the options of a release in words, those that were used."""
    options = Options.from_json(release.options)
    said = [
        (_("Only some sources"), ", ".join(options.sources)),
        (_("Formats"), ", ".join(options.formats) if options.formats != (CQIA,) else ""),
        (_("Splits"), ", ".join(f"{name}={share}" for name, share in options.splits)),
        (_("Records a file at most"), str(options.shard_size or "")),
        (_("Compressed by"), options.compress or ""),
        (_("Mix"), json.dumps(options.mix.as_json(), ensure_ascii=False) if options.mix else ""),
    ]
    return [(name, value) for name, value in said if value]


def _found(release: Release) -> dict[str, Any] | None:
    found = checking.found(release)
    return found and found | {"when": datetime.fromtimestamp(found["at"], UTC), "is_running": "ok" not in found}


@require_POST
@for_managers
def build(request: Request, version: str) -> HttpResponse:
    """Ask a worker to build a release again: after a failure, or when its files were damaged."""
    release = release_or_404(request.user, version)
    if release.state not in Release.BUILDABLE:
        messages.error(
            request, _("Release “%(version)s” was withdrawn. Choose another version.") % {"version": version}
        )
    else:
        _note_asked(request, release)
        _send(release)
    return go_to(request, reverse("exports:release", args=[version]))


def _send(release: Release) -> None:
    """Tell a worker; when the broker is away the page says after a while that nobody takes it."""
    with suppress(BrokerError, OSError):
        tasks.build_release.delay(release.pk)


@require_POST
@for_managers
def verify(request: Request, version: str) -> HttpResponse:
    """Verify the files of a release."""
    release = release_or_404(request.user, version)
    if not checking.ask(release):
        messages.error(request, _("No worker can be told at the moment. Try again in a minute."))
    return go_to(request, f"{reverse('exports:release', args=[version])}#verify")
