"""The queue: the next record, or why there is none."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from review import claims, decisions, waiting
from review.forms import QueueForm
from review.models import Claim, Decision, Source, Verdict
from review.views.answers import Request, SeeOther, Status, for_reviewers, page
from review.views.desk import Desk, choices, find_record, lay_out, vocabulary

if TYPE_CHECKING:
    from review.models import User


@dataclass(frozen=True, slots=True)
class Queue:
    """The part of the queue that a person works through, carried along from page to page."""

    purpose: Claim.Purpose = Claim.Purpose.REVIEW
    source: Source | None = None
    skipped: bool = False

    @classmethod
    def of(cls, data: QueryDict) -> Self:
        """Read it from a form or an address; what makes no sense there is left out."""
        form = QueueForm(data)
        form.is_valid()
        given = form.cleaned_data
        purpose = Claim.Purpose(given.get("purpose") or Claim.Purpose.REVIEW)
        return cls(purpose, given.get("source"), bool(given.get("skipped")))

    @property
    def fields(self) -> dict[str, str]:
        """The fields of a form that carry it on."""
        purpose = {} if self.purpose == Claim.Purpose.REVIEW else {"purpose": str(self.purpose)}
        source = {"source": self.source.slug} if self.source else {}
        return purpose | source | ({"skipped": "on"} if self.skipped else {})

    def address(self, name: str, *args: object) -> str:
        return reverse(name, args=args, query=self.fields or None)

    def claim_next(self, by: "User") -> Claim | None:
        source = self.source.pk if self.source else None
        return claims.claim_next(by=by, purpose=self.purpose, source=source, skipped=self.skipped)


@require_safe
@for_reviewers
def show(request: Request) -> HttpResponse:
    """Go on with the record that the person holds, or invite them to take one."""
    queue = Queue.of(request.GET)
    held = claims.current_claim(by=request.user, purpose=queue.purpose)
    if held is not None and (queue.source is None or queue.source.pk == held.record.source_id):
        return redirect(queue.address("review:record", held.record_id))
    return show_queue(request, queue, last_status(request))


@require_POST
@for_reviewers
def take(request: Request) -> HttpResponse:
    """Claim the next record."""
    return take_next(request, Queue.of(request.POST), Status())


def take_next(request: Request, queue: Queue, status: Status) -> HttpResponse:
    """Claim the next record and put it before the person, or say why there is none."""
    claim = queue.claim_next(request.user)
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
    source = queue.source.pk if queue.source else None
    outlook = waiting.outlook(by=request.user, purpose=queue.purpose, source=source)
    response = page(request, "review/queue.html", {"outlook": outlook, "queue": queue, "status": status})
    if request.htmx:
        response["HX-Push-Url"] = queue.address("review:queue")
    return response


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
    return Status(text, last.pk if last else None, is_bad=bool(kept) and kept[-1].level >= messages.WARNING)


def decided(decision: Decision) -> str:
    """Say what was decided, on which record."""
    sentences = {
        Verdict.APPROVE: _("Approved #%(record)s"),
        Verdict.REJECT: _("Rejected #%(record)s"),
        Verdict.REWRITE: _("Handed on your answer to #%(record)s"),
        Verdict.ESCALATE: _("Escalated #%(record)s"),
    }
    return sentences[Verdict(decision.verdict)] % {"record": decision.record_id}
