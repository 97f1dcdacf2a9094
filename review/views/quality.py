"""Quality: how far reviewers agree, how each works, what comes back to them, and what is asked twice."""

from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from review import access, golds, inspections, overlap, quality, sending_back
from review.forms_quality import CheckedForm, GoldForm, LooksForm, SendBackForm
from review.models import Decision, Draw, Gold, Guideline, Pause, Record, Source, State, User
from review.refused import Ground, Refused
from review.views.answers import Request, SeeOther, for_managers, for_reviewers, for_settlers, refusal
from review.views.desk import find_record

PERIOD = timedelta(days=28)
MOST_WEEKS, MOST_PAIRS, PAGE = 26, 100, 100


@require_safe
@for_managers
def show(request: Request) -> HttpResponse:
    """Show how far reviewers agree: in all, by source, by week, by pair."""
    seen = access.limited_to(request.user)
    sources = {source.slug: source for source in Source.objects.all() if not seen or source.pk in seen}
    units = quality.looks(list(sources) if seen else ())
    people = User.objects.in_bulk({look.reviewer for unit in units for look in unit})
    by_week = quality.agreement_by(units, quality.by_week)
    pairs = sorted(quality.agreement_of_pairs(units).items(), key=lambda pair: -pair[1].looks)[:MOST_PAIRS]
    context = {
        "all": quality.agreement(units),
        "sources": [
            (sources[slug], found) for slug, found in sorted(quality.agreement_by(units, quality.by_source).items())
        ],
        "weeks": sorted(by_week.items(), reverse=True)[:MOST_WEEKS],
        "pairs": [(people[one], people[other], found) for (one, other), found in pairs],
    }
    return render(request, "review/quality.html", context)


@require_safe
@for_managers
def people(request: Request) -> HttpResponse:
    """Show how each reviewer works, over a period of days."""
    since, until = _period(request)
    found = quality.worked(since=_midnight(since), until=_midnight(until + timedelta(days=1)))
    known = User.objects.in_bulk(found)
    paused = {pause.reviewer_id: pause for pause in Pause.objects.filter(lifted_at=None).select_related("reviewer")}
    rows = sorted(((known[who], worked) for who, worked in found.items()), key=lambda row: -row[1].done)
    context = {
        "rows": rows,
        "since": since,
        "until": until,
        "paused": list(paused.values()),
        "quick_seconds": quality.QUICK_SECONDS,
        "quick_run": quality.QUICK_RUN,
    }
    return render(request, "review/quality_people.html", context)


def _period(request: Request) -> tuple[date, date]:
    today = timezone.localdate()
    return _day(request.GET.get("since", ""), today - PERIOD), _day(request.GET.get("until", ""), today)


def _day(given: str, otherwise: date) -> date:
    try:
        day = parse_date(given) or otherwise
    except ValueError:
        return otherwise
    return day if date(2000, 1, 1) <= day <= date(2200, 1, 1) else otherwise


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@require_POST
@for_managers
def lift(request: Request, pk: int) -> HttpResponse:
    """Let a paused reviewer go on."""
    pause = get_object_or_404(Pause.objects.select_related("reviewer"), pk=pk)
    golds.lift(by=request.user, pause=pause)
    messages.info(request, _("%(name)s may go on.") % {"name": pause.reviewer})
    return SeeOther(reverse("review:quality-people"))


@require_safe
@for_reviewers
def mine(request: Request) -> HttpResponse:
    """Show a reviewer their own figures, and what became of decisions that others looked at again."""
    since, until = _period(request)
    period = {"since": _midnight(since), "until": _midnight(until + timedelta(days=1))}
    figures = quality.worked([request.user.pk], **period, with_disputes=False)
    back = list(quality.told(request.user))
    settled = _settled(back)
    findings = {item.decision_id: item for item in inspections.findings_on([decision.pk for decision in back])}
    context = {
        "worked": figures.get(request.user.pk, quality.Worked()),
        "since": since,
        "until": until,
        "told": [(decision, settled.get(decision.pk), findings.get(decision.pk)) for decision in back],
        "pause": Pause.objects.filter(reviewer=request.user, lifted_at=None).first(),
    }
    return render(request, "review/mine.html", context)


def _settled(made: list[Decision]) -> dict[int, Decision]:
    """Return, by the id of a decision, how the dispute that it led to was settled."""
    places = {(decision.record_id, decision.round): decision.pk for decision in made}
    settling = Decision.objects.filter(
        record__in={record for record, _round in places}, kind=Decision.Kind.SETTLE, withdrawal=None
    )
    found = settling.select_related("revision").order_by("pk")
    return {places[one.record_id, one.round]: one for one in found if (one.record_id, one.round) in places}


# Sending back


@require_http_methods(["GET", "HEAD", "POST"])
@for_settlers
def send_back(request: Request, pk: int) -> HttpResponse:
    """Send one record back for another round, with a reason."""
    record = find_record(pk, by=request.user)
    form, refused = SendBackForm(request.POST or None), None
    people = User.objects.filter(pk__in=access.able_to_review(User.objects.values_list("pk", flat=True)))
    if request.method == "POST":
        try:
            sending_back.send_back(
                by=request.user,
                records=[pk],
                reason=_reason(form),
                to=_addressee(form.data.get("to", ""), list(people)),
            )
        except Refused as error:
            refused = error
        else:
            messages.info(request, _("Sent #%(record)s back") % {"record": pk})
            return SeeOther(reverse("review:record", args=[pk]))
    context = {"record": record, "form": form, "people": people.order_by("username"), "refused": refused}
    return render(request, "review/send_back.html", context, status=refusal(refused) if refused else 200)


def _reason(form: CheckedForm) -> str:
    form.check()
    return str(form.cleaned_data["reason"])


def _addressee(given: str, people: list[User]) -> "User | Literal['reviewer'] | None":
    if given in {"", sending_back.ITS_REVIEWER}:
        return sending_back.ITS_REVIEWER if given else None
    found = next((person for person in people if str(person.pk) == given), None)
    if found is None:
        raise Refused(
            _("This person may not review."), ground=Ground.INVALID, fields={"to": _("This person may not review.")}
        )
    return found


# Second looks


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def second_looks(request: Request, slug: str) -> HttpResponse:
    """Say which records of a source want more than one decision, from the next import on."""
    source = _source(request, slug)
    form, refused = LooksForm(request.POST if request.method == "POST" else _looks_now(source)), None
    if request.method == "POST":
        try:
            form.check()
            overlap.set_second_looks(by=request.user, source=source, share=form.share, rule=form.rule)
        except Refused as error:
            refused = error
        else:
            messages.info(request, _("From the next import on."))
            return SeeOther(reverse("review:second-looks", args=[slug]))
    return _show_looks(request, source, form, refused)


def _source(request: Request, slug: str) -> Source:
    source = get_object_or_404(Source, slug=slug)
    access.check_source(request.user, source)
    return source


def _looks_now(source: Source) -> dict[str, Any]:
    names = ("second_looks", "second_looks_seed", "looks", "looks_at_flagged", "looks_at_longer_than")
    return {name: getattr(source, name) for name in (*names, "looks_at_model_written")}


def _show_looks(request: Request, source: Source, form: LooksForm, refused: Refused | None) -> HttpResponse:
    context = {
        "source": source,
        "form": form,
        "given": form.data,
        "counts": overlap.counts(source),
        "draws": Draw.objects.filter(source=source).select_related("by").order_by("-pk")[:20],
        "refused": refused,
    }
    return render(request, "review/second_looks.html", context, status=refusal(refused) if refused else 200)


@require_POST
@for_managers
def want_more(request: Request, slug: str) -> HttpResponse:
    """Ask for second looks at records that wait already."""
    source = _source(request, slug)
    form = LooksForm({**_looks_now(source), **request.POST.dict()})
    try:
        form.check()
        draw = overlap.want_more(
            by=request.user,
            source=source,
            share=form.share,
            looks=form.cleaned_data["looks"],
            seed=form.cleaned_data["second_looks_seed"],
        )
    except Refused as refused:
        return _show_looks(request, source, form, refused)
    messages.info(request, _("%(drawn)s of %(undecided)s undecided records were drawn.") % vars(draw))
    return SeeOther(reverse("review:second-looks", args=[slug]))


# Gold


@require_safe
@for_settlers
def gold(request: Request) -> HttpResponse:
    """List the gold records, and how often they were answered right."""
    found = Gold.objects.filter(record__in=Record.objects.for_user(request.user).values("pk"))
    context = {"rows": golds.with_scores(found)[:PAGE]}
    return render(request, "review/gold.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_settlers
def mark_gold(request: Request, pk: int) -> HttpResponse:
    """Mark a decided record as gold, with what a reviewer who fails on it is told."""
    record = find_record(pk, by=request.user)
    form, refused = GoldForm(request.POST or None), None
    if request.method == "POST":
        try:
            golds.mark(by=request.user, record=record, reason=_reason(form))
        except Refused as error:
            refused = error
        else:
            messages.info(request, _("#%(record)s is gold from now on") % {"record": pk})
            return SeeOther(reverse("review:gold"))
    context = {
        "record": record,
        "form": form,
        "refused": refused,
        "is_decided": record.state in {State.APPROVED, State.REJECTED},
    }
    return render(request, "review/gold_mark.html", context, status=refusal(refused) if refused else 200)


@require_POST
@for_settlers
def retire_gold(request: Request, pk: int) -> HttpResponse:
    """Show a gold record to nobody any more."""
    found = get_object_or_404(Gold.objects.select_related("record__source"), pk=pk)
    find_record(found.record_id, by=request.user)
    golds.retire(by=request.user, gold=found)
    return SeeOther(reverse("review:gold"))


# Guidelines


@require_safe
@for_managers
def older(request: Request, pk: int) -> HttpResponse:
    """List what was decided under older guidelines than this one, to sample from."""
    guideline = get_object_or_404(Guideline.objects.select_related("source"), pk=pk)
    records = inspections.Scope(guideline=guideline).records(request.user)
    rows = records.select_related("source", "verdict__reviewer", "verdict__guideline").order_by("-verdict__at", "pk")
    context = {"guideline": guideline, "total": records.count(), "rows": rows[:PAGE]}
    return render(request, "review/quality_older.html", context)
