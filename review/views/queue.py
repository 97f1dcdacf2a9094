"""The queue: the next record, or why there is none."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from review import access, claims, decisions, waiting
from review.forms import QueueForm
from review.models import Category, Claim, Decision, Source, Verdict
from review.text.rules import FAMILIES, Kind
from review.views.answers import Request, SeeOther, Status, for_reviewers, page
from review.views.desk import Desk, choices, find_record, lay_out, vocabulary
from review.waiting import Part, Skipped

if TYPE_CHECKING:
    from review.models import User


@dataclass(frozen=True, slots=True)
class Queue:
    """The part of the queue that a person works through, carried along from page to page.

    `fields` are the fields of a form that carry it on; `source` and `category` are those that it is narrowed down to.
    """

    part: Part
    fields: dict[str, str]
    source: Source | None = None
    category: Category | None = None

    @classmethod
    def of(cls, data: QueryDict) -> Self:
        """Read it from a form or an address; what makes no sense there is left out."""
        if data.keys().isdisjoint(QueueForm.base_fields):
            return cls(Part(), {})
        form = QueueForm(data)
        form.is_valid()
        given = {name: value for name, value in form.cleaned_data.items() if value not in {"", None, False}}
        if given.get("purpose") == Claim.Purpose.REVIEW:
            del given["purpose"]
        source, category = given.pop("source", None), given.pop("category", None)
        slugs = {name: owner.slug for name, owner in (("source", source), ("category", category)) if owner}
        fields = slugs | {name: "on" if value is True else str(value) for name, value in given.items()}
        ids = {"source": source.pk if source else None, "category": category.pk if category else None}
        return cls(Part(**_typed(given) | ids), fields, source, category)

    @property
    def is_narrowed(self) -> bool:
        return not {"purpose", "skipped", "risk_first"}.issuperset(self.fields)

    def address(self, name: str, *args: object) -> str:
        return reverse(name, args=args, query=self.fields or None)


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    kinds = {"purpose": Claim.Purpose, "skipped": Skipped}
    typed = {name: kinds[name](value) if name in kinds else value for name, value in given.items()}
    return {name.removeprefix("with_"): value for name, value in typed.items()}


@require_safe
@for_reviewers
def show(request: Request) -> HttpResponse:
    """Go on with the record that the person holds, or invite them to take one."""
    queue = Queue.of(request.GET)
    held = claims.held_claim(by=request.user, part=queue.part)
    if held is not None and "choose" not in request.GET:
        return redirect(queue.address("review:record", held.record_id))
    return show_queue(request, queue, last_status(request))


@require_POST
@for_reviewers
def take(request: Request) -> HttpResponse:
    """Claim the next record."""
    return take_next(request, Queue.of(request.POST), Status())


def take_next(request: Request, queue: Queue, status: Status) -> HttpResponse:
    """Claim the next record and put it before the person, or say why there is none."""
    claim = claims.claim_next(by=request.user, part=queue.part)
    if not request.htmx:
        if status.text:
            messages.info(request, status.text)
        return SeeOther(queue.address("review:record", claim.record_id) if claim else queue.address("review:queue"))
    if claim is None:
        return show_queue(request, queue, status)
    desk = lay_out(find_record(claim.record_id, by=request.user), by=request.user, claim=claim)
    return show_desk(request, desk, queue, status)


def show_queue(request: Request, queue: Queue, status: Status) -> HttpResponse:
    """Say what waits, or why nothing does."""
    outlook = waiting.outlook(by=request.user, part=queue.part)
    context: dict[str, Any] = {"outlook": outlook, "queue": queue, "status": status}
    context["choosing"] = "choose" in request.GET
    if not request.htmx:
        context |= {"vocabulary": vocabulary(), "skipping": Skipped.choices, "rules": flag_rules()} | sources_to_choose(
            request.user
        )
    response = page(request, "review/queue.html", context)
    if request.htmx:
        response["HX-Push-Url"] = queue.address("review:queue")
    return response


def flag_rules() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the rules that flag, with their sentences, under the headings of their families."""
    language = get_language() or ""
    headed = ((family.heading(language), [r for r in family.rules if r.kind == Kind.FLAG]) for family in FAMILIES)
    return [(heading, [(rule.id, rule.sentence(language)) for rule in rules]) for heading, rules in headed if rules]


def sources_to_choose(by: "User") -> dict[str, Any]:
    """Return the sources that the person may see, in the catalogue's order, and their categories."""
    sources = Source.objects.select_related("category").order_by("category__position", "position")
    seen = [source for source in sources if access.can_see(by, source.pk)]
    return {"sources": seen, "categories": list(dict.fromkeys(source.category for source in seen))}


def show_desk(request: Request, desk: Desk, queue: Queue, status: Status, *, code: int = 200) -> HttpResponse:
    """Show the workbench; for htmx without what does not change from record to record."""
    context: dict[str, Any] = {"desk": desk, "record": desk.record, "queue": queue, "status": status} | choices()
    if not request.htmx:
        context["vocabulary"] = vocabulary()
    response = page(request, "review/workbench.html", context, status=code)
    if request.htmx:
        response["HX-Push-Url"] = queue.address("review:record", desk.record.pk)
    return response


def last_status(request: Request) -> Status:
    """Return what was done last: the message kept over a redirect, else the person's last decision."""
    last = decisions.last_decision(request.user)
    kept = list(messages.get_messages(request))
    text = str(kept[-1]) if kept else (decided(last) if last else "")
    return Status(text, last, is_bad=bool(kept) and kept[-1].level >= messages.WARNING)


def decided(decision: Decision) -> str:
    """Say what was decided, on which record."""
    sentences = {
        Verdict.APPROVE: _("Approved #%(record)s"),
        Verdict.REJECT: _("Rejected #%(record)s"),
        Verdict.REWRITE: _("Handed on your answer to #%(record)s"),
        Verdict.ESCALATE: _("Escalated #%(record)s"),
    }
    return sentences[Verdict(decision.verdict)] % {"record": decision.record_id}
