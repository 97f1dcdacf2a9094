"""The rules of a source: what each would do to its records, and which are switched on."""

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as BrokerError

from review import access, reflagging, switches, tasks
from review.models import Reflagging, Source
from review.refused import Refused
from review.text.rules import FAMILIES, RULES, Family, Kind, Rule
from review.text.rules.trial import Trial, Trials, tried
from review.views.answers import Request, for_reviewers, go_to, page, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN_REFLAGGINGS = 10
KIND_WORDS = {Kind.FLAG: _("points out"), Kind.REPAIR: _("repairs"), Kind.DROP: _("drops")}
MOST_VOTES, MOST_CHARACTERS, MOST_SCORE = (int(switches.THRESHOLDS[name][1]) for name in ("votes", "longest", "score"))


class ThresholdsForm(forms.Form):
    """What the records of a source must reach; empty: nothing is demanded."""

    votes = forms.IntegerField(label=_("Votes, at least"), required=False, min_value=0, max_value=MOST_VOTES)
    shortest = forms.IntegerField(
        label=_("Characters of the answer, at least"), required=False, min_value=0, max_value=MOST_CHARACTERS
    )
    longest = forms.IntegerField(
        label=_("Characters of the answer, at most"), required=False, min_value=0, max_value=MOST_CHARACTERS
    )
    score = forms.DecimalField(
        label=_("Quality score, at least"), required=False, min_value=0, max_value=MOST_SCORE, decimal_places=1
    )

    @property
    def thresholds(self) -> dict[str, float]:
        """What is demanded, as the source keeps it."""
        said = {name: value for name, value in self.cleaned_data.items() if value is not None}
        return {name: float(value) if isinstance(value, Decimal) else value for name, value in said.items()}


@dataclass(frozen=True, slots=True)
class Row:
    """One rule on the page."""

    rule: Rule
    is_on: bool
    trial: Trial

    @property
    def sentence(self) -> str:
        return self.rule.sentence(get_language() or "")

    @property
    def kind(self) -> Promise:
        """The word for what the rule does."""
        return KIND_WORDS[self.rule.kind]


@dataclass(frozen=True, slots=True)
class Group:
    """The rules of one family."""

    family: Family
    rows: list[Row]

    @property
    def heading(self) -> str:
        return self.family.heading(get_language() or "")


@require_http_methods(["GET", "HEAD", "POST"])
@for_reviewers
def show(request: Request, slug: str) -> HttpResponse:
    """Show what every rule finds in the latest records of a source, and switch rules.

    A button asks for the samples of a rule: then nothing is set, and the page holds what was typed.
    """
    access.check_manage(request.user)
    source = _source(request, slug)
    if request.method != "POST":
        return _show(request, source, ThresholdsForm(initial=source.thresholds), source.rules)
    form, chosen = ThresholdsForm(request.POST), set(request.POST.getlist("on"))
    wanted = {rule: rule in chosen for rule in RULES} | dict.fromkeys(chosen, True)
    if "rule" in request.POST:
        return _show(request, source, form, wanted)
    if not form.is_valid():
        return _show(request, source, form, wanted, status=422)
    try:
        switches.switch_rules(source, by=request.user, switches=wanted, thresholds=form.thresholds)
    except Refused as refused:
        return _show(request, source, form, source.rules, refused=refused, status=refusal(refused))
    messages.success(
        request, gettext("The rules are set; they hold for imports from now on. What is in keeps its flags for now.")
    )
    return go_to(request, reverse("review:source-rules", args=[source.slug]))


@require_POST
@for_reviewers
def reflag(request: Request, slug: str) -> HttpResponse:
    """Set the flags of the source anew, by a worker; one that is not told finds it by itself."""
    access.check_manage(request.user)
    source = _source(request, slug)
    try:
        going = reflagging.start(source, by=request.user)
    except Refused as refused:
        form = ThresholdsForm(initial=source.thresholds)
        return _show(request, source, form, source.rules, refused=refused, status=refusal(refused))
    with suppress(BrokerError, KombuError, OSError):
        tasks.set_flags_anew.apply_async([going.pk], retry=False)
    return go_to(request, reverse("review:source-rules", args=[source.slug]) + "#reflaggings")


def _source(request: Request, slug: str) -> Source:
    limited_to = access.limited_to(request.user)
    sources = Source.objects.filter(pk__in=limited_to) if limited_to else Source.objects.all()
    return get_object_or_404(sources, slug=slug)


def _show(  # noqa: PLR0913  what the page shows
    request: Request,
    source: Source,
    form: ThresholdsForm,
    wanted: "Mapping[str, bool]",
    *,
    refused: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    asked = request.POST.get("rule") or request.GET.get("rule", "")
    trials = tried(switches.latest_texts(source), sampled=[asked])
    context = {
        "source": source,
        "form": form,
        "groups": groups(trials, wanted),
        "records": trials.records,
        "sampled": Row(RULES[asked], switches.is_on(asked, wanted), trials.by_rule[asked]) if asked in RULES else None,
        "refused": refused,
        "reflaggings": Reflagging.objects.filter(source=source)
        .select_related("by")
        .order_by("-pk")[:SHOWN_REFLAGGINGS],
    }
    return page(request, "review/sources_rules.html", context, status=status)


def groups(trials: Trials, wanted: "Mapping[str, bool]") -> list[Group]:
    """Return every rule by its family, with what it found."""
    return [
        Group(family, [Row(rule, switches.is_on(rule.id, wanted), trials.by_rule[rule.id]) for rule in family.rules])
        for family in FAMILIES
    ]
