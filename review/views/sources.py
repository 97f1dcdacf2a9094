"""The sources: how far each is, and the rights that its texts leave under."""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from review import access, evidence, rights
from review.models import Batch, Licence, Method, Record, Rights, Source
from review.refused import Refused
from review.text.rules import RULES
from review.views.answers import Request, for_reviewers, go_to, page, refusal
from review.views.desk import InEffect
from review.views.figures import Figures, figures_of, flags_of, followers_of, objected_to, records_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

type Owner = Source | Batch | Record
"""Whose rights are decided."""

BATCHES_ON_A_PAGE = 50
LATEST_DECISIONS = 20
OBJECTIONS_SHOWN = 50
WITHOUT_EVIDENCE = {Licence.UNKNOWN, Licence.RESTRICTED}


@dataclass(frozen=True, slots=True)
class Row:
    """A source in the list. `differing` of its imports have rights of their own."""

    source: Source
    figures: Figures
    differing: int

    @property
    def in_effect(self) -> InEffect:
        return InEffect(self.source.rights, "source" if self.source.rights else "")


@dataclass(frozen=True, slots=True)
class Import:
    """A batch on the page of its source, with the rights that its records have unless they have their own."""

    batch: Batch
    records: int
    in_effect: InEffect


class RightsForm(forms.Form):
    """A decision on the rights of a source or a batch. `seen` is the decision that it was made in view of."""

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    licence = forms.ChoiceField(
        label=_("Licence"), choices=[(name, label) for name, label in Licence.choices if name != Licence.OBJECTED]
    )
    holder = forms.CharField(label=_("Holder"), required=False, max_length=500)
    source_address = forms.URLField(
        label=_("Address where the rights are stated"), required=False, max_length=2000, assume_scheme="https"
    )
    evidence = forms.CharField(label=_("Evidence"), required=False, max_length=20_000, widget=forms.Textarea)
    copyright_text = forms.CharField(label=_("Copyright text to publish"), required=False, max_length=2000)
    note = forms.CharField(label=_("Note"), required=False, max_length=2000)

    def clean(self) -> dict[str, Any]:
        """Ask for a reason wherever texts are allowed to leave."""
        said = super().clean() or {}
        is_supported = said.get("evidence") or said.get("source_address") or "source_address" in self.errors
        if said.get("licence") not in {None, *WITHOUT_EVIDENCE} and not is_supported:
            self.add_error("evidence", gettext("Say what the decision rests on, or give the address that states it."))
        return said

    @property
    def decision(self) -> dict[str, Any]:
        """What is decided, as `decide_rights` takes it."""
        return {name: value for name, value in self.cleaned_data.items() if name != "seen"}

    @classmethod
    def of(cls, effect: Rights | None) -> "RightsForm":
        """Return the form as it stands before anybody has typed: with the decision in effect, without its reasons."""
        known = {"licence": Licence.UNKNOWN.value}
        if effect:
            known = {"licence": effect.licence, "holder": effect.holder, "source_address": effect.source_address}
        return cls(initial=known)


@require_safe
@for_reviewers
def index(request: Request) -> HttpResponse:
    """Show every source that the person works on, by category."""
    sources = list(_visible(request).annotate(differing=Count("batches", filter=Q(batches__rights__isnull=False))))
    figures = figures_of([source.pk for source in sources], by=request.user)
    rows = [Row(source, figures[source.pk], cast("Any", source).differing) for source in sources]
    totals = Figures()
    for row in rows:
        totals.counted.update(row.figures.counted)
    context = {"rows": rows, "totals": totals, "target": sum(source.target for source in sources)}
    return page(request, "review/sources.html", context)


def _visible(request: Request) -> "QuerySet[Source]":
    limited_to = access.limited_to(request.user)
    sources = Source.objects.select_related("category", "rights", "rights__by")
    sources = sources.filter(pk__in=limited_to) if limited_to else sources
    return sources.order_by("category__position", "position", "pk")


@require_safe
@for_reviewers
def show(request: Request, slug: str) -> HttpResponse:
    """Show one source: its figures, its rights, its imports, its labels."""
    source = _source(request, slug)
    figures = figures_of([source.pk], by=request.user)[source.pk]
    batches = Paginator(source.batches.select_related("rights", "by").order_by("-pk"), BATCHES_ON_A_PAGE)
    shown = batches.get_page(request.GET.get("page"))
    context = {
        "source": source,
        "row": Row(source, figures, 0),
        "imports": _imports(source, list(shown)),
        "batches": shown,
        "decisions": _decisions(source),
        "flags": [(RULES[rule], number) for rule, number in flags_of(source)],
        "objected": list(objected_to(source, by=request.user)[:OBJECTIONS_SHOWN]),
        "methods": [Method(method).label for method in source.methods],
    }
    return page(request, "review/sources_detail.html", context)


def _source(request: Request, slug: str) -> Source:
    return get_object_or_404(_visible(request), slug=slug)


def _imports(source: Source, batches: list[Batch]) -> list[Import]:
    numbers = records_of(batches)
    return [Import(batch, numbers.get(batch.pk, 0), _in_effect(batch, source)) for batch in batches]


def _in_effect(owner: Owner, source: Source) -> InEffect:
    if isinstance(owner, Record):
        return InEffect.of(owner)
    if isinstance(owner, Batch) and owner.rights:
        return InEffect(owner.rights, "batch")
    return InEffect(source.rights, "source" if source.rights else "")


def _decisions(source: Source) -> "QuerySet[Rights]":
    concerned = Rights.objects.filter(Q(source=source) | Q(batch__source=source))
    return concerned.select_related("by", "batch").prefetch_related(evidence.LISTED).order_by("-pk")[:LATEST_DECISIONS]


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewers
def decide_source(request: Request, slug: str) -> HttpResponse:
    """Decide the rights of a source."""
    source = _source(request, slug)
    return _decide(request, source, source)


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewers
def decide_batch(request: Request, slug: str, pk: int) -> HttpResponse:
    """Decide the rights of one import of a source."""
    source = _source(request, slug)
    batch = source.batches.select_related("rights").filter(pk=pk).first()
    if batch is None:
        raise Http404
    return _decide(request, source, batch)


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewers
def decide_record(request: Request, pk: int) -> HttpResponse:
    """Decide the rights of one record, such as one that a reviewer objected to."""
    record = get_object_or_404(_records(), pk=pk)
    return _decide(request, _source(request, record.source.slug), record)


def _records() -> "QuerySet[Record]":
    return Record.objects.select_related("rights", "source__rights", "batch__rights")


def _decide(request: Request, source: Source, owner: Owner) -> HttpResponse:
    """Take the decision, show what it changes, and write it down once that was confirmed."""
    access.check_decide_rights(request.user)
    if request.method != "POST":
        return _ask(request, source, owner, RightsForm.of(_in_effect(owner, source).rights))
    form = RightsForm(request.POST)
    if not form.is_valid():
        return _ask(request, source, owner, form, status=422)
    if "confirmed" not in request.POST:
        return _ask(request, source, owner, form, is_previewed="edit" not in request.POST)
    try:
        _write(request, source, owner, form)
    except Refused as refused:
        fresh = _source(request, source.slug)
        return _ask(request, fresh, _reread(owner), form, is_previewed=True, refused=refused, status=refusal(refused))
    said = gettext("The rights of “%(name)s” are decided: %(licence)s.")
    licence = Licence(form.cleaned_data["licence"]).label
    messages.success(request, said % {"name": owner, "licence": licence})
    return go_to(request, f"{_address(source)}#rights")


@transaction.atomic
def _write(request: Request, source: Source, owner: Owner, form: RightsForm) -> None:
    """Write the decision, unless what it was made in view of has changed."""
    Source.objects.select_for_update(of=("self",)).get(pk=source.pk)
    now = _in_effect(_reread(owner), Source.objects.select_related("rights").get(pk=source.pk)).rights
    if form.cleaned_data["seen"] != (now.pk if now else None):
        raise Refused(gettext("Somebody has decided these rights meanwhile. See what would change now, and confirm."))
    rights.decide_rights(owner, by=request.user, **form.decision)


def _reread(owner: Owner) -> Owner:
    if isinstance(owner, Record):
        return _records().get(pk=owner.pk)
    model = Source if isinstance(owner, Source) else Batch
    return model.objects.select_related("rights").get(pk=owner.pk)


def _ask(  # noqa: PLR0913  what the page shows
    request: Request,
    source: Source,
    owner: Owner,
    form: RightsForm,
    *,
    is_previewed: bool = False,
    refused: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show the form, or what it would change."""
    now = _in_effect(owner, source)
    context: dict[str, Any] = {
        "source": source,
        "owner": owner,
        "scope": type(owner).__name__.lower(),
        "now": now,
        "form": form,
        "refused": refused,
    }
    if is_previewed:
        context |= {"followers": followers_of(owner), "after": InEffect(_proposed(form, source), "source")}
    return page(request, "review/sources_rights.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewers
def word_copyright(request: Request, slug: str) -> HttpResponse:
    """Edit the template of a source's copyright text, and see what it makes of a decision."""
    access.check_decide_rights(request.user)
    source = _source(request, slug)
    template = request.POST.get("template", source.copyright_template).replace("\0", "")[:500]
    refused: Refused | None = None
    try:
        rights.check_template(template)
        if request.method == "POST" and "preview" not in request.POST:
            rights.word_copyright(source, by=request.user, template=template)
            messages.success(request, gettext("The template is kept. It words what is decided from now on."))
            return go_to(request, f"{_address(source)}#rights")
    except Refused as answer:
        refused = answer
    context = {"source": source, "template": template, "refused": refused, "slots": sorted(rights.SLOTS)}
    if not refused:
        context["examples"] = _worded(source, template)
    return page(request, "review/sources_copyright.html", context, status=refusal(refused) if refused else 200)


def _worded(source: Source, template: str) -> list[tuple[Rights, str]]:
    """Return the latest decisions of a source, and how the template would have worded them."""
    trial = Source(name_zh=source.name_zh, copyright_template=template)
    made = list(_decisions(source)[:5]) or [Rights(licence=Licence.CC_BY, holder="某某")]
    return [
        (one, rights.published_text(one.licence, one.holder, source=trial, address=one.source_address)) for one in made
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewers
def adopt_claims(request: Request, slug: str, pk: int) -> HttpResponse:
    """Show the copyright texts that an import claims, and make those chosen the rights of its records."""
    access.check_decide_rights(request.user)
    source = _source(request, slug)
    batch = source.batches.select_related("source").filter(pk=pk).first()
    if batch is None:
        raise Http404
    claims = rights.claimed(batch)
    if request.method == "POST":
        adopted = [kept for place, claim in enumerate(claims) if (kept := _corrected(request, place, claim))]
        try:
            number = rights.adopt_claims(batch, by=request.user, adopted=adopted)
        except Refused as refused:
            context = {"source": source, "batch": batch, "claims": claims, "refused": refused}
            return page(request, "review/sources_claims.html", context, status=refusal(refused))
        done = ngettext("The rights of %(number)s record are set.", "The rights of %(number)s records are set.", number)
        messages.success(request, done % {"number": number})
        return go_to(request, f"{_address(source)}#imports")
    licences = [(name, label) for name, label in Licence.choices if name != Licence.OBJECTED]
    context = {"source": source, "batch": batch, "claims": claims, "licences": licences}
    return page(request, "review/sources_claims.html", context)


def _corrected(request: Request, number: int, claim: "rights.Claimed") -> "rights.Claimed | None":
    """Return a claim as the manager corrected it; None where it is left out, or the list has changed meanwhile."""
    digest = sha256(claim.text.encode()).hexdigest()
    if request.POST.get(f"adopt-{number}") != digest:
        return None
    holder = request.POST.get(f"holder-{number}", "").replace("\0", "").strip()[:500]
    return replace(claim, holder=holder, licence=request.POST.get(f"licence-{number}", ""))


def _proposed(form: RightsForm, source: Source) -> Rights:
    said = form.cleaned_data
    text = said["copyright_text"] or rights.published_text(
        said["licence"], said["holder"], source=source, address=said["source_address"]
    )
    return Rights(licence=said["licence"], holder=said["holder"], published_text=text)


def _address(source: Source) -> str:
    return reverse("review:source", args=[source.slug])
