"""Doing one thing to many records: what it would change is shown first, and done when that is confirmed."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as BrokerError

from review import access, bulk, tasks
from review.filters import RecordFilter
from review.forms_bulk import FORMS, ChosenForm
from review.models import BulkAction, Record
from review.refused import Refused
from review.views.answers import Request, for_reviewers, go_to, page, refusal

if TYPE_CHECKING:
    from review.models.record import RecordQuerySet

PAGE, SAMPLE = 50, 5


@require_POST
@for_reviewers
def begin(request: Request) -> HttpResponse:
    """Show what an action would change of the records that are meant; with `confirmed`, do it."""
    access.check_manage(request.user)
    chosen = ChosenForm(request.POST)
    if not chosen.is_valid():
        return page(request, "review/bulk_refused.html", {"problems": _said(chosen.errors)}, status=422)
    kind = BulkAction.Kind(chosen.cleaned_data["kind"])
    records, problems = _meant(request, chosen)
    if problems:
        return page(request, "review/bulk_refused.html", {"problems": problems}, status=422)
    form = FORMS[kind](request.POST if "confirmed" in request.POST else None)
    if "confirmed" not in request.POST or not form.is_valid():
        return _ask(request, kind, records, form, status=422 if form.errors else 200)
    try:
        action = bulk.start(
            by=request.user,
            kind=kind,
            records=records,
            parameters=form.parameters(),
            asked=chosen.cleaned_data["asked"] if chosen.cleaned_data["which"] == "all" else "",
        )
    except Refused as refused:
        return _ask(request, kind, records, form, refused=refused, status=refusal(refused))
    _set_going(action)
    return go_to(request, reverse("review:bulk-action", args=[action.pk]))


def _said(errors: Any) -> list[str]:  # noqa: ANN401  what forms hold
    return [str(message) for messages_ in errors.values() for message in messages_]


def _meant(request: Request, chosen: ChosenForm) -> "tuple[RecordQuerySet, list[str]]":
    """Return the records that are meant, of those that the person may see; and what is wrong with the filter."""
    if chosen.cleaned_data["which"] == "ticked":
        return Record.objects.for_user(request.user).filter(pk__in=chosen.cleaned_data["records"]), []
    asked = RecordFilter(QueryDict(chosen.cleaned_data["asked"]), by=request.user)
    problems = list(asked.problems().values())
    return (Record.objects.none() if problems else asked.choice().records), problems


def _ask(  # noqa: PLR0913  what the page shows
    request: Request,
    kind: BulkAction.Kind,
    records: "RecordQuerySet",
    form: Any,  # noqa: ANN401  one of several forms
    *,
    refused: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "kind": kind,
        "plan": bulk.plan(kind, records),
        "form": form,
        "refused": refused,
        "sent": [
            (name, value) for name in ("kind", "which", "asked", "records") for value in request.POST.getlist(name)
        ],
        "is_undoable": kind != BulkAction.Kind.SEND_BACK,
        "sample": list(records.filter(bulk.VERBS[kind].eligible).order_by("-pk").values_list("pk", flat=True)[:SAMPLE]),
    }
    return page(request, "review/bulk_confirm.html", context, status=status)


def _set_going(action: BulkAction) -> None:
    """Do what is little at once; give the rest to a worker. One that is not told finds it by itself."""
    if action.number <= bulk.AT_ONCE:
        bulk.run(action.pk)
        return
    try:
        tasks.run_bulk.apply_async([action.pk], retry=False)
    except (BrokerError, KombuError, OSError):
        return


@require_safe
@for_reviewers
def index(request: Request) -> HttpResponse:
    """List what was done to many records at once, the latest first."""
    access.check_manage(request.user)
    actions = BulkAction.objects.defer("targets").select_related("by", "undone_by").order_by("-pk")
    listed = Paginator(actions, PAGE).get_page(request.GET.get("page"))
    return page(request, "review/bulk_actions.html", {"listed": listed})


@require_safe
@for_reviewers
def show(request: Request, pk: int) -> HttpResponse:
    """Show how far an action has gone, and what it has changed."""
    return _show(request, _action(request, pk))


def _action(request: Request, pk: int) -> BulkAction:
    access.check_manage(request.user)
    return get_object_or_404(BulkAction.objects.defer("targets").select_related("by", "undone_by"), pk=pk)


def _show(request: Request, action: BulkAction, refused: Refused | None = None) -> HttpResponse:
    context = {
        "action": action,
        "changed": action.changes.count(),
        "sample": action.changes.order_by("record")[:SAMPLE],
        "said": [(name, value) for name, value in action.parameters.items() if value not in (None, "", [])],
        "is_going": action.state in {BulkAction.State.RUNNING, BulkAction.State.UNDOING},
        "is_undoable": action.state == BulkAction.State.DONE and action.kind != BulkAction.Kind.SEND_BACK,
        "refused": refused,
    }
    return page(request, "review/bulk_action.html", context, status=refusal(refused) if refused else 200)


@require_POST
@for_reviewers
def undo(request: Request, pk: int) -> HttpResponse:
    """Take an action back."""
    action = _action(request, pk)
    try:
        bulk.undo(by=request.user, action=action)
    except Refused as refused:
        if not access.can_manage(request.user):
            raise PermissionDenied(refused.message) from refused
        return _show(request, action, refused)
    _set_going(action)
    messages.success(request, _("What nobody has changed since is as it was before."))
    return go_to(request, reverse("review:bulk-action", args=[pk]))
